"""A .socket unit of systemd with its .service.

Whatever no method asks for is reported with its place: with the reason that systemd_losses.py has,
or as unknown.  A handler of superd's has the connection on 0 and 1; where a service expects something
else of systemd, a shell in front of it moves the descriptors.
"""

import ipaddress
import os
import pwd
import re

from common import (MOST, OCTAL, SWITCHED_OFF, Place, at_most, family_of, groups_of, one_or_all, set_env,
                    set_pass_env)
from systemd_losses import NO_EQUAL, NOTES
from units import (FOLDERS, Unit, bytes_of, duration, environment_file, find, size_text, span_of,
                   specifiers, words_of)

HELP = "socket units, with the service units that they start"
LIMITS = {"LimitCPU": "cpu", "LimitFSIZE": "fsize", "LimitDATA": "data", "LimitSTACK": "stack",
          "LimitCORE": "core", "LimitNOFILE": "nofile", "LimitAS": "as", "LimitNPROC": "nproc",
          "LimitMEMLOCK": "memlock"}
PREFIXES = {"any": "all", "localhost": "localhost", "link-local": ("169.254.0.0/16", "fe80::/64"),
            "multicast": ("224.0.0.0/4", "ff00::/8")}
HOUR, YEAR = 3600 * 1000, 365 * 86400 * 1000


def add_arguments(command):
    command.add_argument("units", nargs="+", metavar="UNIT.socket",
                         help="a path, or a name that is looked for where systemd does")


def convert(options, config, report):
    for name in options.units:
        path = name if "/" in name or os.path.exists(name) else find(name, FOLDERS[0])
        if not name.endswith(".socket"):
            report.error(Place(name), "is no name of a socket unit; a service comes with its socket")
        elif not path:
            report.error(Place(name), f"is in none of {' '.join(FOLDERS)}")
        else:
            Conversion(path, config, report).convert()


class Conversion:
    def __init__(self, path, config, report):
        self.config, self.report = config, report
        self.socket = Unit(path, report)
        self.service = self.variables = None
        self.out = {"//": path}
        self.stem = os.path.splitext(os.path.basename(path))[0]

    def convert(self):
        if not self.socket.found or not self.find_service():
            return
        self.description()
        if not self.listen() or not self.program():
            return  # all of it is left out, and that was said
        self.sockets_options()
        self.identity()
        self.environment()
        self.limits()
        self.access()
        self.config.add([self.stem], self.out)
        if self.others:
            self.out["listen"] = one_or_all(self.others)
            self.out.pop("mode")
            self.config.add([f"{self.stem}-udp"], self.out)
        for unit in (self.socket, self.service):
            self.losses(unit)

    def find_service(self):
        unit = self.socket
        self.accept = bool(unit.boolean("Socket", "Accept"))
        self.datagrams = not unit.all("Socket", "ListenStream", "ListenSequentialPacket")
        if self.datagrams:
            self.accept = False
        name, place = unit.last("Socket", "Service")
        if not name:
            prefix = self.stem.partition("@")[0]
            name = f"{prefix}@.service" if self.accept else f"{self.stem}.service"
        elif self.accept:
            self.report.error(place, "is not for Accept=yes")
        near = os.path.dirname(unit.path)
        path = find(name, near)
        if not path and "@" in name:
            path = find(name.split("@")[0] + "@.service", near)
        if not path:
            self.report.error(Place(unit.path), f"its service {name} is nowhere")
            return False
        self.service = Unit(path, self.report)
        self.specifiers = specifiers(name)
        return self.service.found

    # ---- [Unit]

    def description(self):
        text, place = self.socket.last("Unit", "Description")
        other, at = self.service.last("Unit", "Description")
        if other or text:
            self.out["description"] = self.expand(other or text, at or place)
        for unit in (self.socket, self.service):
            unit.all("Unit", "Documentation")

    def losses(self, unit):
        own = "Socket" if unit is self.socket else "Service"
        for section, key, _, place in unit.unasked():
            if section.startswith("X-") or key.startswith("X-"):
                continue
            tables = [NO_EQUAL.get(section, {})]
            if section == own:
                tables.append(NO_EQUAL["Exec"])
            why = next((w for t in tables for w, keys in t.items()
                        if key in keys.split() or re.fullmatch(keys, key)), None)
            if section not in (own, "Unit", "Install") or why is None:
                self.report.error(place, f"is unknown in [{section}]")
            elif why in NOTES:
                self.report.note(place, f"{why}; left out")
            else:
                self.report.warning(place, f"{why}; left out")

    def words(self, text, place, keep_escapes=""):
        try:
            return words_of(text, keep_escapes)
        except ValueError as e:
            self.report.error(place, str(e))
            return []

    def expand(self, text, place):
        """Replaces the specifiers."""
        def one(match):
            letter = match[1]
            if letter in self.specifiers:
                return self.specifiers[letter]
            self.report.warning(place, f"%{letter}: superd knows it neither now nor for a connection")
            return ""
        return re.sub(r"%(.)", one, text)

    # ---- [Socket]

    def listen(self):
        unit, found, datagrams = self.socket, [], []
        only6 = unit.last("Socket", "BindIPv6Only")[0] == "ipv6-only"
        protocol, place = unit.last("Socket", "SocketProtocol")
        if protocol:
            self.report.warning(place, f"superd has no {protocol}; the service is left out")
            return False
        rows = unit.all("Socket", "ListenStream", "ListenDatagram", "ListenSequentialPacket")
        for key, text, place in rows:
            if self.accept and key == "ListenDatagram":
                self.report.error(place, "is not for Accept=yes")
                continue
            if re.search(r"\]:[0-9]+%", text):
                self.report.warning(place, f"'{text}': superd's addresses have no scope; left out")
                continue
            address = self.address(key, self.expand(text, place), only6, place)
            if address:
                (datagrams if key == "ListenDatagram" else found).append(address)
        if not rows:
            self.report.warning(Place(unit.path), "listens on nothing that superd knows; left out")
        if len(datagrams) > 1 or found and datagrams:
            self.report.warning(rows[0][2], "systemd hands all of these to one process; superd hands "
                                "streams to one, and each socket for datagrams to one of its own")
        self.others = datagrams if found else []
        if found or datagrams:
            self.out["listen"] = one_or_all(found or datagrams)
        return bool(found or datagrams)

    def address(self, key, text, only6, place):
        """An address as superd writes it; None and a report if it has none."""
        kind = key[len("Listen"):]
        if text[0] in "/@":
            prefix = {"Stream": "unix", "Datagram": "dgram", "SequentialPacket": "seqpacket"}[kind]
            return f"{prefix}:{text}"
        if kind == "SequentialPacket":
            self.report.error(place, f"'{text}' is no unix socket")
            return None
        vsock = re.fullmatch(r"vsock(?:-stream)?:([0-9]*):([0-9]+)", text)
        if vsock and kind == "Stream":
            if vsock[1]:
                self.report.warning(place, f"superd listens on any CID, not on {vsock[1]} only")
            return f"vsock:{vsock[2]}"
        prefix = "udp:" if kind == "Datagram" else ""
        if re.fullmatch("[0-9]+", text) and int(text) < 65536:
            return f"{prefix}[::]:{text}" if only6 else prefix + text
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+):([0-9]+)", text)
        if not match or int(match[2]) > 65535 or not family_of(match[1].strip("[]")):
            self.report.error(place, f"'{text}' is no address")
            return None
        if match[1] == "[::]" and not only6:
            return prefix + match[2]
        return f"{prefix}{match[1]}:{match[2]}"

    def sockets_options(self):
        unit = self.socket
        for key, name in (("NoDelay", "nodelay"), ("FreeBind", "freebind"), ("KeepAlive", "keepalive")):
            value = unit.boolean("Socket", key)
            if value is not None and value != (name == "keepalive"):
                self.out[name] = value
        for key, name in (("SendBuffer", "send_buffer"), ("ReceiveBuffer", "receive_buffer")):
            value = unit.size("Socket", key)
            if value is not None:
                self.out[name] = size_text(at_most(value, 2**30, unit.last("Socket", key)[1], self.report))
        self.owner()
        device = unit.last("Socket", "BindToDevice")[0]
        if device:
            self.out["device"] = device
        value = unit.span("Socket", "DeferAcceptSec")
        if value:
            self.out["defer_accept"] = duration(self.span(value, HOUR, "Socket", "DeferAcceptSec"))
        value = unit.number("Socket", "Backlog")
        if value is not None and 0 < value < 65536:
            self.out["backlog"] = value
        name, place = unit.last("Socket", "FileDescriptorName")
        if name and not self.accept:  # else systemd calls it "connection"
            self.report.warning(place, f"superd names descriptors after the service, '{self.stem}'")
        count = unit.number("Socket", "MaxConnections")
        if count and self.accept:
            self.out["max_connections"] = at_most(count, MOST, unit.last("Socket", "MaxConnections")[1],
                                                  self.report)
            self.out["on_limit"] = "reject"
        count = unit.number("Socket", "MaxConnectionsPerSource")
        if count and self.accept:
            self.out["max_per_source"] = at_most(
                count, MOST, unit.last("Socket", "MaxConnectionsPerSource")[1], self.report)
        self.rate()

    def owner(self):
        """Of the path of a unix socket, where there is one."""
        paths = [a for a in self.addresses() if re.match("[a-z]+:/", a)]
        for key, name in (("SocketUser", "socket_user"), ("SocketGroup", "socket_group"),
                          ("SocketMode", "socket_mode")):
            value, place = self.socket.last("Socket", key)
            if name == "socket_mode" and value and not re.fullmatch(OCTAL, value):
                self.report.error(place, f"'{value}' is no octal number")
            elif value and not paths:
                self.report.note(place, "there is no path of a socket that it could be for; left out")
            elif value:
                self.out[name] = value

    def addresses(self):
        listen = self.out["listen"]
        return listen if isinstance(listen, list) else [listen]

    def span(self, value, most, section, key):
        """Milliseconds within superd's range."""
        unit = self.socket if section == "Socket" else self.service
        if value > most:
            self.report.note(unit.last(section, key)[1], f"{duration(most)} is superd's longest")
        return int(min(value, most))

    def rate(self):
        """So many activations in so much time."""
        unit = self.socket
        given = [row[2] for row in unit.all("Socket", "TriggerLimitIntervalSec", "TriggerLimitBurst")]
        if not given:
            return
        interval = unit.span("Socket", "TriggerLimitIntervalSec")
        burst = unit.number("Socket", "TriggerLimitBurst")
        interval = 2000 if interval is None else interval
        burst = (200 if self.accept else 20) if burst is None else burst
        if not interval or not burst or burst < 0 or interval == float("inf"):
            return
        burst = at_most(burst, MOST, given[-1], self.report)
        if not self.accept:
            self.report.warning(given[0], "superd slows a service that does not take what comes by "
                                "itself; left out")
            return
        for unit_ms, letter in ((1000, "s"), (60000, "m"), (HOUR, "h")):
            count = burst * unit_ms / interval
            if count >= 1 and (count.is_integer() or letter == "h"):
                count = min(count, MOST)
                self.out["rate"] = f"{int(count)}/{letter}" + ("" if int(count) == burst else
                                                               f" burst {burst}")
                return
        self.out["rate"] = f"1/h burst {burst}"
        self.report.note(given[0], "1/h is superd's lowest rate")

    # ---- [Service]

    def program(self):
        rows = self.service.all("Service", "ExecStart")
        if not rows:
            self.report.error(Place(self.service.path), "has no ExecStart")
            return False
        _, text, place = rows[0]
        for _, _, other in rows[1:]:
            self.report.warning(other, "a handler is one program; left out")
        words = self.words(text, place, ";")
        if not words:
            return False
        flags = re.match(r"[-@:+!|]*", words[0])[0]
        words[0] = words[0][len(flags):]
        if ";" in words:
            self.report.warning(place, "a handler is one program; what is behind the ; is left out")
            words = words[:words.index(";")]
        self.full = "+" in flags
        if "!" in flags:
            self.report.warning(place, "!: superd always changes the user before the program starts")
        if self.full:
            self.report.warning(place, "+: the handler runs as root")
        words = [";" if w == "\\;" else self.expand(w, place) for w in words]
        argv0 = words.pop(1) if "@" in flags and len(words) > 1 else None
        if ":" not in flags:
            words[1:] = self.substitute(words[1:], place)
        else:
            self.settings()
        self.kind_of_service()
        return self.place_descriptors(words, argv0, place)

    def kind_of_service(self):
        kind, place = self.service.last("Service", "Type")
        if kind == "forking":
            self.report.warning(place, "superd waits for the process that it starts: it has to stay in the "
                                "foreground")
        self.service.all("Service", "RemainAfterExit")
        for key, fine in (("KillMode", ("control-group", "mixed")), ("KillSignal", ("SIGTERM", "15")),
                          ("SendSIGKILL", ("yes", "true", "1", "on"))):
            value, place = self.service.last("Service", key)
            if value and value not in fine:
                self.report.warning(place, "superd ends the process group with SIGTERM, then SIGKILL")

    def settings(self):
        """Environment and EnvironmentFile as they are now: name -> (value, place)."""
        if self.variables is not None:
            return self.variables
        self.variables = {}
        for _, text, place in self.service.all("Service", "Environment"):
            for word in self.words(self.expand(text, place), place):
                name, equals, value = word.partition("=")
                if equals:
                    self.variables[name] = (value, place)
                else:
                    self.report.error(place, f"'{word}' is no NAME=VALUE")
        for _, text, place in self.service.all("Service", "EnvironmentFile"):
            path = self.expand(text.lstrip("-"), place)
            if text.startswith("-") and not os.path.exists(path):
                continue
            pairs = environment_file(path, self.report, place)
            self.variables.update((name, (value, place)) for name, value in pairs)
            if pairs:
                self.report.note(place, f"what {path} says now is copied")
        return self.variables

    def substitute(self, words, place):
        """${NAME} in a word, and $NAME as a word, which becomes none or several."""
        known, found = {n: value for n, (value, _) in self.settings().items()}, []
        user = self.service.last("Service", "User")[0] or "root"
        known.setdefault("USER", user)
        known.setdefault("LOGNAME", user)

        def value(name):
            if name not in known:
                self.report.warning(place, f"${name} is not set now, and taken as empty")
            return known.get(name, "")

        for word in words:
            match = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word)
            if match:
                found += self.words(value(match[1]), place)
            else:
                found.append(re.sub(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}",
                                    lambda m: value(m[1]) if m[1] else "$", word))
        return found

    def place_descriptors(self, words, argv0, place):
        """Where the service wants the connection; superd has it on 0 and 1."""
        stdin, at = self.service.last("Service", "StandardInput")
        stdout, out_at = self.service.last("Service", "StandardOutput")
        stderr, err_at = self.service.last("Service", "StandardError")
        if stdin not in (None, "null", "socket"):
            self.report.warning(at, f"superd has no {stdin} for a handler; taken as null")
        on_stdin = stdin == "socket"
        self.standard_error(stderr, err_at, stdout, on_stdin)
        if not self.accept:
            self.out |= {} if self.datagrams else {"mode": "wait"}
        script = []
        if self.accept and not on_stdin:
            script.append("exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$ "
                          "LISTEN_FDNAMES=connection")
        default = "inherit" if on_stdin else "journal"
        target = self.redirection(stdout or default, on_stdin, out_at)
        if self.accept and target:
            script.append(f"exec {target}")
        if script:
            if argv0:
                self.report.warning(place, "@: the program's name is its path")
            self.out["exec"] = ["/bin/sh", "-c", "; ".join([*script, 'exec "$0" "$@"']), *words]
        else:
            self.out["exec"] = words if len(words) > 1 else words[0]
            if argv0:
                self.out["argv0"] = argv0
        return True

    def redirection(self, stdout, on_stdin, place):
        """What a shell does so that 1 is what StandardOutput says; '' if it is so already."""
        kind, colon, path = stdout.partition(":")
        if stdout == "socket" or stdout == "inherit" and on_stdin:
            return ""
        if stdout in ("null", "inherit"):
            return ">/dev/null"
        if kind in ("file", "append", "truncate") and colon:
            operator = {"file": "1<>", "append": ">>", "truncate": ">"}[kind]
            return f"{operator}'" + path.replace("'", "'\\''") + "'"
        if kind not in ("journal", "syslog", "kmsg"):
            self.report.warning(place, f"superd has no {stdout}; taken as the log")
        return ">&2"

    def standard_error(self, stderr, place, stdout, on_stdin):
        stderr = stderr or "inherit"
        if stderr == "inherit":
            stderr = stdout if stdout and stdout.startswith(("append:", "file:", "truncate:")) else "journal"
        kind, colon, path = stderr.partition(":")
        if stderr == "socket":
            self.out["stderr"] = "socket"
        elif stderr == "null":
            self.out["stderr"] = "null"
        elif kind in ("file", "append", "truncate") and colon:
            self.out["stderr"] = {"file": path}
            if kind != "append":
                self.report.note(place or Place(self.service.path), "superd appends to the file")
        elif not stderr.startswith(("journal", "syslog", "kmsg")):
            self.report.warning(place, f"superd has no {stderr}; taken as the log")

    def identity(self):
        unit = self.service
        user, place = unit.last("Service", "User")
        group, group_at = unit.last("Service", "Group")
        dynamic = unit.boolean("Service", "DynamicUser")
        if user:
            user = self.expand(user, place)
        elif dynamic:
            self.report.warning(unit.last("Service", "DynamicUser")[1],
                                "superd makes no users; taken as nobody")
            user = "nobody"
        self.out["user"] = "root" if self.full or not user else user
        if group and not self.full:
            self.out["group"] = self.expand(group, group_at)
        rows = unit.all("Service", "SupplementaryGroups")
        if rows:
            named = [g for _, text, at in rows for g in self.expand(text, at).split()]
            self.out["groups"] = list(dict.fromkeys([*groups_of(self.out["user"])[1:], *named]))
            self.report.note(rows[-1][2], "superd's groups replace those of the user, which are added now")
        for key, name in (("RootDirectory", "chroot"), ("WorkingDirectory", "directory")):
            path, at = unit.last("Service", key)
            if not path:
                continue
            path = self.expand(path.lstrip("-"), at)
            if path == "~":
                path = home_of(self.out["user"])
                self.report.note(at, f"~ is {path} now")
            self.out[name] = path
        mask, at = unit.last("Service", "UMask")
        if mask and re.fullmatch(OCTAL, mask):
            self.out["umask"] = mask
        elif mask:
            self.report.error(at, f"'{mask}' is no octal number")
        nice = unit.number("Service", "Nice")
        if nice:
            self.out["nice"] = max(-20, min(19, nice))
        if unit.boolean("Service", "NoNewPrivileges"):
            self.out["no_new_privs"] = True

    def environment(self):
        for name, (value, place) in self.settings().items():
            set_env(self.out, [(name, value)], place, self.report)
        for _, text, place in self.service.all("Service", "PassEnvironment"):
            set_pass_env(self.out, text.split(), place, self.report)

    def limits(self):
        unit = self.service
        for key, name in LIMITS.items():
            text, place = unit.last("Service", key)
            if not text:
                continue
            values = [self.limit(name, part) for part in text.split(":")]
            if None in values or len(values) > 2:
                self.report.error(place, f"'{text}' is no limit")
                continue
            self.out.setdefault("rlimits", {})[name] = values[0] if len(values) == 1 else \
                {"soft": values[0], "hard": values[1]}
        longest = unit.span("Service", "RuntimeMaxSec")
        if longest and longest != float("inf"):
            self.out["timeout"] = duration(self.span(longest, YEAR, "Service", "RuntimeMaxSec"))
        for key in ("TimeoutStopSec", "TimeoutSec"):
            grace = unit.span("Service", key)
            if grace is not None and "kill_grace" not in self.out:
                self.out["kill_grace"] = duration(self.span(grace, HOUR, "Service", key))

    @staticmethod
    def limit(name, text):
        if text == "infinity":
            return "unlimited"
        if name == "cpu":
            span = span_of(text)
            return None if span is None else -(-span // 1000)
        size = bytes_of(text)
        return size if name in ("nofile", "nproc") or size is None else size_text(size)

    # ---- IPAddressAllow, IPAddressDeny

    def access(self):
        """systemd lets in what Allow has, keeps out what Deny has, and lets in the rest."""
        lists, place = {}, None
        for key in ("IPAddressAllow", "IPAddressDeny"):
            rows = []
            for unit, section in ((self.socket, "Socket"), (self.service, "Service")):
                rows += unit.all(section, key)
            lists[key] = [rule for _, text, at in rows for w in text.split() for rule in self.rules(w, at)]
            place = rows[-1][2] if rows else place
        allow, deny = lists["IPAddressAllow"], lists["IPAddressDeny"]
        if not place:
            return
        if not self.accept:
            if deny:
                self.report.warning(place, SWITCHED_OFF)
                self.out["enabled"] = False
            return
        self.report.note(place, "superd's lists are about who connects, not about where a handler does")
        if "all" in deny:
            self.out |= {"allow": one_or_all(allow)} if allow else {"deny": "all"}
            return
        deny = [d for d in deny if not any(inside(d, a) for a in allow)]
        if deny:
            self.out["deny"] = one_or_all(deny)
            if any(inside(a, d) for a in allow for d in deny):
                self.out["allow"] = [*allow, "all"]

    def rules(self, word, place):
        if word in PREFIXES:
            rule = PREFIXES[word]
            return list(rule) if isinstance(rule, tuple) else [rule]
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError:
            self.report.error(place, f"'{word}' is no address")
            return []
        return [str(network) if network.num_addresses > 1 else str(network.network_address)]


def inside(rule, other):
    """True if all addresses of a rule are those of another, too."""
    if other == "all" or rule == other:
        return True
    try:
        a, b = ipaddress.ip_network(rule), ipaddress.ip_network(other)
        return a.version == b.version and a.subnet_of(b)
    except ValueError:
        return False


def home_of(user):
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return "/"
