"""What the importers share: places and the report, the configuration and its text, names.

The report is the point of an importer: whatever has no equal in superd is in it with its place.
  error    the input is wrong, also for the program that it was written for; the exit status is 1
  warning  it has no equal and was left out, or does not mean quite the same
  note     it is converted, and there is something to look at
"""

import grp
import json
import os
import pwd
import re
import socket
import sys
import typing

WIDTH = 100
MOST = 1000000  # of connections, anywhere in superd
OCTAL = "0?[0-7]{1,3}"
ANY, V4, V6 = "any", "4", "6"  # families

# What inetd and xinetd do themselves are programs of superd's.
INTERNAL = ("echo", "discard", "chargen", "daytime", "time")

# The order in which keys are written, that of services.json(5).
ORDER = """// enabled description listen mode instances idle_exit backlog keepalive nodelay device freebind
defer_accept send_buffer receive_buffer socket_mode socket_user socket_group exec shell argv0 trap
user group groups chroot directory umask nice no_new_privs env pass_env stderr rlimits allow deny
reject_message max_connections on_limit max_per_source rate rate_per_source timeout
kill_grace""".split()

MEETS_NONE = "a program that waits meets its clients itself, and superd none of them"
SWITCHED_OFF = f"{MEETS_NONE}: the service is disabled until something else keeps others out"

# superd sets these itself and refuses them in env, and never passes the others on.
OWN_VARIABLES = re.compile(r"(SUPERD_|TCP|UDP|VSOCK|IPC|REMOTE_|LISTEN_)|(PROTO|SERVER_ADDR|SERVER_PORT)$")
NEVER_PASSED = re.compile(r"LD_|BASH_FUNC_|HTTP_PROXY$")


class Place(typing.NamedTuple):
    """Where something stands: a file, a line, the service and the attribute."""

    file: str
    line: int = 0
    service: str = ""
    attribute: str = ""

    def at(self, attribute):
        return self._replace(attribute=attribute)

    def __str__(self):
        return f"{self.file}:{self.line}" if self.line else self.file


class Report:
    """Collects what is to be said, and says it on stderr, each thing once."""

    def __init__(self):
        self.lines = []  # (place, text)
        self.failed = False

    def error(self, place, text):
        self.failed = True
        self._add(place, "error", text)

    def warning(self, place, text):
        self._add(place, "warning", text)

    def note(self, place, text):
        self._add(place, "note", text)

    def _add(self, place, kind, text):
        who = f"service '{place.service}': " if place.service else ""
        what = f"{place.attribute}: " if place.attribute else ""
        line = (place, f"{place}: {kind}: {who}{what}{text}")
        if line not in self.lines:
            self.lines.append(line)

    def finish(self, config):
        """Prints it, file by file in the order of their lines."""
        files = list(dict.fromkeys(place.file for place, _ in self.lines))
        self.lines.sort(key=lambda row: (files.index(row[0].file), row[0].line))
        for _, line in self.lines:
            print(line, file=sys.stderr)
        if not config.services:
            print("error: no service was found that superd could serve; nothing is written",
                  file=sys.stderr)
            self.failed = True
        elif not any(s.get("enabled", True) for s in config.services.values()):
            print("note: all services are disabled, and superd wants one that is not", file=sys.stderr)


class Config:
    """The configuration that comes out."""

    def __init__(self, report):
        self.report = report
        # Set-user-ID programs (sudo, exim, login's children) work under all three.
        self.defaults = {"no_new_privs": False}
        self.log = {}
        self.services = {}

    def add(self, names, service):
        """Adds a service by the first of these names that is free; returns the name."""
        names = [re.sub(r"[^A-Za-z0-9_.-]+", "-", n).strip("-")[:60] or "service" for n in names]
        names += [f"{names[0]}-{n}" for n in range(2, 1000)]
        name = next(n for n in names if n not in self.services)
        known = [k for k in ORDER if k in service]
        assert len(known) == len(service), set(service) - set(known)
        self.services[name] = {k: service[k] for k in known}
        return name

    def hoist(self, *keys):
        """Moves what every service has a value for into the defaults, by its commonest value."""
        for key in keys:
            values = [json.dumps(s[key]) for s in self.services.values() if key in s]
            if len(values) < 2 or len(values) < len(self.services):
                continue
            common = max(values, key=values.count)
            self.defaults[key] = json.loads(common)
            for service in self.services.values():
                if json.dumps(service[key]) == common:
                    del service[key]

    def text(self):
        whole = {"//": "Made by superd-import(1); what it could not convert is in its report."}
        if self.log:
            whole["log"] = self.log
        whole["defaults"] = {
            "// no_new_privs": "As before, set-user-ID programs work; where none is needed, say true.",
            **self.defaults}
        whole["services"] = self.services
        return json_text(whole) + "\n"


def json_text(value, column=0, indent=0):
    """JSON as people write it: what is short on one line, the rest indented."""
    if isinstance(value, dict):
        pairs = [(json.dumps(k, ensure_ascii=False) + ": ", v) for k, v in value.items()]
        left, right = "{}"
    elif isinstance(value, list):
        pairs = [("", v) for v in value]
        left, right = "[]"
    else:
        return json.dumps(value, ensure_ascii=False)
    if len(pairs) < 3 and not any(isinstance(v, dict) for _, v in pairs) or left == "[":
        flat = ", ".join(k + json_text(v) for k, v in pairs)
        flat = f"{{ {flat} }}" if left == "{" and flat else left + flat + right
        if column + len(flat) < WIDTH:
            return flat
    pad = " " * (indent + 4)
    lines = [pad + k + json_text(v, indent + 4 + len(k), indent + 4) for k, v in pairs]
    return left + "\n" + ",\n".join(lines) + "\n" + " " * indent + right


# ---------------------------------------------------------------- files

def read_lines(path, report, place=None):
    """The lines of a file, without their ends; None and an error if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            text = f.read()
    except OSError as e:
        report.error(place or Place(path), f"{path}: {e.strerror}" if place else e.strerror)
        return None
    lines = text.split("\n")
    for n, line in enumerate(lines, 1):
        if re.search("[\x00\udc80-\udcff]", line):
            report.error(Place(path, n), "bytes that are not text")
            lines[n - 1] = re.sub("[\x00\udc80-\udcff]", "?", line)
    return lines


# ---------------------------------------------------------------- addresses

def port_of(name, protocol):
    """The port of a service, by number or as /etc/services has it; None if it does not."""
    if re.fullmatch(r"[0-9]{1,5}", name):
        return int(name) if 0 < int(name) < 65536 else None
    try:
        return socket.getservbyname(name, protocol)
    except OSError:
        return None


def family_of(host):
    """V4 or V6 if it is an address, else None."""
    for family, result in ((socket.AF_INET, V4), (socket.AF_INET6, V6)):
        try:
            socket.inet_pton(family, host)
            return result
        except (OSError, ValueError):
            pass
    return None


def addresses_of(host, family, place, report):
    """The addresses of a host; superd itself looks no names up, so they are looked up now."""
    if family_of(host):
        return [host]
    kinds = {V4: (socket.AF_INET,), V6: (socket.AF_INET6,)}.get(family, (0,))
    found = []
    for kind in kinds:
        try:
            rows = socket.getaddrinfo(host, None, kind, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue
        found += [row[4][0] for row in rows if row[4][0] not in found]
    if found:
        report.note(place, f"'{host}' is {' and '.join(found)} now; superd looks no names up")
    else:
        report.error(place, f"'{host}' is no address, and no name that has one")
    return found


def listen_addresses(hosts, port, udp, family, place, report):
    """What `listen` says for a port on these hosts; no hosts are all addresses."""
    prefix = "udp:" if udp else ""
    if not hosts:
        return [prefix + {ANY: "", V4: "0.0.0.0:", V6: "[::]:"}[family] + str(port)]
    found = []
    for host in hosts:
        if host == "localhost" and family == ANY:
            found.append(f"{prefix}localhost:{port}")
            continue
        for address in addresses_of(host, family, place, report):
            address = f"[{address}]" if ":" in address else address
            found.append(f"{prefix}{address}:{port}")
    return found


def at_most(number, most, place, report):
    """A number within superd's range."""
    if number > most:
        report.note(place, f"{most} is superd's most")
    return min(number, most)


def one_or_all(values):
    return values[0] if len(values) == 1 else values


# ---------------------------------------------------------------- programs

def set_program(service, program, argv):
    """exec, and argv0 where a program may look at it; argv is as execv has it."""
    arguments = argv[1:]
    service["exec"] = [program, *arguments] if arguments else program
    if argv and argv[0] not in (program, os.path.basename(program)):
        service["argv0"] = argv[0]


def without_tcpd(program, argv, place, report):
    """tcpd asks hosts.allow, then runs argv[0]; superd has lists of its own."""
    if os.path.basename(program) != "tcpd" or not argv:
        return program, argv
    real = argv[0] if argv[0].startswith("/") else f"/usr/sbin/{argv[0]}"
    name = os.path.basename(real)
    report.warning(place, f"tcpd is taken off: what /etc/hosts.allow and /etc/hosts.deny say of "
                   f"'{name}' belongs in allow and deny")
    return real, [name, *argv[1:]]


def groups_of(user):
    """The names of a user's groups, the own one first; none if there is no such user."""
    try:
        row = pwd.getpwuid(int(user)) if str(user).isdigit() else pwd.getpwnam(user)
        numbers = os.getgrouplist(row.pw_name, row.pw_gid)
        return [grp.getgrgid(g).gr_name for g in sorted(numbers, key=lambda g: g != row.pw_gid)]
    except KeyError:
        return []


def set_env(service, pairs, place, report):
    """env, without the names that superd refuses."""
    for name, value in pairs:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            report.error(place, f"'{name}' is no name of a variable")
        elif OWN_VARIABLES.match(name):
            report.warning(place, f"{name}: superd sets variables like this one itself; left out")
        elif "\n" in value:
            report.warning(place, f"{name}: superd's variables have no newline; left out")
        else:
            service.setdefault("env", {})[name] = value


def set_pass_env(service, names, place, report):
    for name in names:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            report.error(place, f"'{name}' is no name of a variable")
        elif NEVER_PASSED.match(name):
            report.warning(place, f"{name}: superd never passes this one on; left out")
        else:
            service.setdefault("pass_env", []).append(name)


# ---------------------------------------------------------------- tcpmux


class Mux:
    """The services behind tcpmux (RFC 1078): one handler of superd's, which reads a table.

    All of them run as the same user, so those of others cannot be behind it."""

    def __init__(self, path, config, report):
        self.path, self.config, self.report = path, config, report
        self.service = None  # (place, names, service) of tcpmux itself
        self.rows = []  # (place, name, [program, argument …], user, group)

    def add(self, place, name, program, argv, user, group):
        self.rows.append((place, name, [program, *argv[1:]], user, group))

    def finish(self):
        if not self.rows and not self.service:
            return
        if not self.rows or not self.service or not self.path:
            why = "there is nothing behind it" if not self.rows else \
                "tcpmux itself is not there" if not self.service else \
                "it needs a table: say --tcpmux FILE"
            for place in [row[0] for row in self.rows] or [self.service[0]]:
                self.report.warning(place, f"tcpmux: {why}; left out")
            return
        place, names, service = self.service
        owners = [row[3:] for row in self.rows]
        owner = max(owners, key=owners.count)
        lines = ["# Services behind tcpmux, for superd-tcpmux(8), by superd-import(1).\n"]
        for at, name, words, *who in self.rows:
            if tuple(who) != owner:
                self.report.warning(at, f"all behind tcpmux run as {owner[0]}, this one as {who[0]}; "
                                    "left out")
            else:
                lines.append(" ".join([name, *map(quoted, words)]) + "\n")
        try:
            with open(self.path, "w", encoding="utf-8") as f:
                f.writelines(lines)
        except OSError as e:
            self.report.error(Place(self.path), f"cannot be written: {e.strerror}")
            return
        service["exec"] = ["tcpmux", os.path.abspath(self.path)]
        service["user"] = owner[0]
        if owner[1]:
            service["group"] = owner[1]
        self.config.add(names, service)


def add_mux_argument(command):
    command.add_argument("--tcpmux", metavar="FILE",
                         help="write the table of the services behind tcpmux there")


def quoted(word):
    """A word of that table."""
    return word if re.fullmatch("[^\\s\"']+", word) else '"' + word.replace('"', "\"'\"'\"") + '"'
