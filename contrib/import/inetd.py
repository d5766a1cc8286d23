"""inetd.conf in its four dialects.

They share a line of fields and differ in what some fields hold.  All of their forms are read
whichever dialect is named; the dialect decides only what means different things in them: which
addresses `tcp` and `tcp6` stand for, the mode of a unix socket, whether quotes are any, and whether
a line that begins with a blank goes on with the one before.
"""

import glob
import os
import re

from common import (ANY, INTERNAL, MEETS_NONE, MOST, V4, V6, Mux, Place, add_mux_argument, at_most,
                    family_of, listen_addresses, one_or_all, port_of, read_lines, set_program,
                    without_tcpd)

HELP = "inetd.conf of OpenBSD (and Debian), FreeBSD, NetBSD or GNU"
FAMILIES = {
    "openbsd": {"": ANY, "4": V4, "6": V6, "46": ANY, "6only": V6},
    "freebsd": {"": V4, "4": V4, "6": V6, "46": ANY, "6only": V6},
    "netbsd": {"": V4, "4": V4, "6": V6, "46": ANY, "6only": V6},
    "gnu": {"": V4, "4": V4, "6": ANY, "46": ANY, "6only": V6},
}
QUOTES = {"openbsd": "", "freebsd": "'\"", "netbsd": "'\"", "gnu": "'\""}
OFF = "#<off>#"  # how Debian's update-inetd disables a line
TYPES = ("stream", "dgram", "seqpacket", "raw", "rdm")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def add_arguments(command):
    command.add_argument("files", nargs="*", metavar="FILE", default=["/etc/inetd.conf"])
    command.add_argument("-d", "--dialect", choices=FAMILIES, default="openbsd",
                         help="what tcp and tcp6 mean (default: openbsd)")
    add_mux_argument(command)


def convert(options, config, report):
    reader = Reader(options, config, report)
    for path in options.files:
        reader.read(path)
    reader.mux.finish()


class Reader:
    def __init__(self, options, config, report):
        self.dialect, self.config, self.report = options.dialect, config, report
        self.mux = Mux(options.tcpmux, config, report)
        self.reading = []

    # ---------------------------------------------------------------- lines

    def read(self, path, hosts=()):
        """Reads a file, or the files of a folder, as GNU inetd does."""
        if os.path.isdir(path):
            for name in sorted(os.listdir(path)):
                self.read(os.path.join(path, name))
            return
        real = os.path.realpath(path)
        if real in self.reading:
            self.report.error(Place(path), "includes itself")
            return
        lines = read_lines(path, self.report)
        if lines is None:
            return
        self.reading.append(real)
        n = 0
        while n < len(lines):
            line, place = lines[n], Place(path, n + 1)
            n += 1
            if line.startswith("#@"):
                if line[2:].strip():
                    self.report.warning(place.at("#@"), "superd sets no IPsec policy; left out")
                continue
            enabled = not line.startswith(OFF)
            line = line if enabled else line[len(OFF):]
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if line.startswith(".include"):
                self.include(path, line, place, hosts)
                continue
            if re.fullmatch(r"\S*:\s*", line):
                hosts = self.hosts_of(line.strip()[:-1])
                continue
            if re.match(r"\s*\S+\s+(on|off)(\s|$)", line):
                n = self.key_values(lines, n, line, place, hosts)
                continue
            while self.dialect != "gnu" and n < len(lines) and re.match(r"[ \t]+[^\s#]", lines[n]):
                line += lines[n]
                n += 1
            self.positional(line, place, hosts, enabled)
        self.reading.pop()

    def include(self, path, line, place, hosts):
        words = self.words(line, place.at(".include"))
        if words is None:
            return
        if len(words) < 2:
            self.report.error(place.at(".include"), "names no file")
            return
        found = sorted(glob.glob(os.path.join(os.path.dirname(path), words[1])))
        if not found:
            self.report.error(place.at(".include"), f"there is no {words[1]}")
        for name in found:
            self.read(name, hosts)

    def words(self, line, place):
        try:
            return split(line, QUOTES[self.dialect])
        except ValueError as e:
            self.report.error(place, str(e))
            return None

    @staticmethod
    def hosts_of(text):
        return [h.strip("[]") for h in text.split(",") if h not in ("*", "")]

    # ---------------------------------------------------------------- the line of fields

    def positional(self, line, place, hosts, enabled):
        words = self.words(line, place)
        if words is None:
            return
        if len(words) < 6:
            if enabled:  # what somebody disabled may have been a remark
                self.report.error(place, f"{len(words)} fields, where a service has 6 and arguments")
            return
        spec, kind, protocol, wait, who, program, *argv = words
        entry = {"enabled": enabled, "hosts": hosts, "program": program, "argv": argv}
        name, entry["owner"], entry["hosts"] = self.spec(spec, entry["hosts"])
        place = place._replace(service=name)
        if not self.kind(kind, entry, place) or not self.protocol(protocol, entry, place) or \
                not self.wait(wait, entry, place):
            return
        self.who(who, entry, place)
        self.service(name, entry, place)

    @staticmethod
    def spec(spec, hosts):
        """[listen-addr:]service, or [:user:group:mode:]/path -> name, owner, hosts."""
        match = re.fullmatch(r":([^:]*):([^:]*):([0-7]*):(/.*)", spec)
        if match:
            return match[4], match.groups()[:3], hosts
        if "/" in spec and spec[spec.index("/") - 1:spec.index("/")] in (":", ""):
            return spec[spec.index("/"):], None, hosts
        before, colon, name = spec.rpartition(":")
        return name, None, Reader.hosts_of(before) if colon else hosts

    def kind(self, text, entry, place):
        """socket-type[,accept-max][:accept-filter]"""
        match = re.fullmatch(r"([a-z]+)(?:,([0-9]+))?(?::(.+))?", text)
        if not match or match[1] not in TYPES:
            self.report.error(place, f"'{text}' is no type of a socket")
            return False
        entry["type"] = match[1]
        if match[2]:
            entry["max_connections"] = int(match[2])
        if match[3]:
            self.accept_filter(match[3], entry, place)
        return True

    def accept_filter(self, name, entry, place):
        if name in ("dataready", "httpready"):
            entry["defer_accept"] = "30s"
            if name == "httpready":
                self.report.note(place, "accept filter httpready: defer_accept waits for the first "
                                 "data, not for a whole request")
        else:
            self.report.warning(place, f"accept filter '{name}': there is none on Linux; left out")

    def protocol(self, text, entry, place):
        """[rpc/|faith/]protocol[/ttcp][,sndbuf=size][,rcvbuf=size]"""
        protocol, *sizes = text.split(",")
        for size in sizes:
            self.buffer(size, entry, place)
        first, slash, rest = protocol.partition("/")
        if first == "faith":
            self.report.warning(place, "faith: there is no faithd on Linux; served without")
            protocol = rest
        elif first == "rpc":
            entry["rpc"] = True
            protocol = rest
        elif slash:
            self.report.warning(place, f"{protocol}: there is no T/TCP on Linux; served as {first}")
            protocol = first
        match = re.fullmatch(r"(tcp|udp|unix)(4|6|46|6only)?", protocol)
        if not match or match[1] == "unix" and match[2]:
            self.report.error(place, f"'{protocol}' is no protocol that superd serves")
            return False
        entry["protocol"] = match[1]
        entry["version"] = match[2] or ""
        return True

    def buffer(self, text, entry, place):
        match = re.fullmatch(r"(sndbuf|rcvbuf|recvbuf)=([0-9]+)([kKmM]?)", text)
        if not match:
            self.report.error(place, f"'{text}' is neither sndbuf=SIZE nor rcvbuf=SIZE")
            return
        key = "send_buffer" if match[1] == "sndbuf" else "receive_buffer"
        entry[key] = match[2] + match[3].upper() if match[3] else int(match[2])

    def wait(self, text, entry, place):
        """wait|nowait, [.:]max or /max-child/max-per-ip-per-minute/max-child-per-ip"""
        match = re.fullmatch(r"(no)?wait(?:[.:]([0-9]+))?((?:/[0-9]+){0,3})", text)
        if not match:
            self.report.error(place, f"'{text}' is neither wait nor nowait")
            return False
        entry["wait"] = not match[1]
        if match[2]:
            entry["rate"] = int(match[2])
        limits = match[3].split("/")[1:]
        for key, value in zip(("max_connections", "rate_per_source", "max_per_source"), limits):
            entry[key] = int(value)
        return True

    def who(self, text, entry, place):
        """user[:group][/login-class], or user.group as of old"""
        text, slash, login_class = text.partition("/")
        if slash:
            self.report.warning(place, f"login class '{login_class}': superd knows none; see rlimits")
        separator = ":" if ":" in text else "."
        entry["user"], _, entry["group"] = text.partition(separator)

    # ---------------------------------------------------------------- keys and values (NetBSD)

    def key_values(self, lines, n, line, place, hosts):
        """SPEC on|off KEY = VALUE …, KEY = VALUE …;  -> the number of the next line."""
        match = re.match(r"\s*(\S+)\s+(on|off)", line)
        name, _, hosts = self.spec(match[1], hosts)
        place = place._replace(service=name)
        entry = {"enabled": match[2] == "on", "hosts": hosts, "owner": None, "argv": []}
        lines[n - 1] = line[match.end():]
        try:
            tokens, n = tokens_of(lines, n - 1)
        except ValueError as e:
            self.report.error(place, str(e))
            return len(lines)
        pairs, ok = {}, True
        while tokens:
            line_number, key = tokens.pop(0)
            at = place._replace(line=line_number).at(key)
            if not tokens or tokens.pop(0)[1] != "=":
                self.report.error(at, "'=' is missing")
                ok = False
            values = []
            while tokens and tokens[0][1] != ",":
                values.append(tokens.pop(0)[1])
            tokens = tokens[1:]
            if key in pairs:
                self.report.error(at, "is given twice")
            pairs[key] = (values, at)
        if ok and self.options(pairs, entry, place):
            self.service(name, entry, place)
        return n

    def options(self, pairs, entry, place):
        """The pairs into the entry that a line of fields gives."""
        report, ok = self.report, True

        def one(key, default=None):
            values, at = pairs.get(key, ([], place))
            if len(values) > 1:
                report.error(at, "has more than one value")
            return values[0] if values else default

        for key, (values, at) in pairs.items():
            if key not in ("bind", "socktype", "accept_max", "acceptfilter", "protocol", "sndbuf",
                           "recvbuf", "wait", "service_max", "ip_max", "user", "group", "exec",
                           "args", "ipsec"):
                report.error(at, "is unknown")
            elif not values and key not in ("ipsec", "args"):
                report.error(at, "has no value")
        protocol = one("protocol", "")
        entry["hosts"] = [one("bind")] if one("bind") not in (None, "*") else entry["hosts"]
        if protocol in ("tcp", "udp") and entry["hosts"]:
            protocol += family_of(entry["hosts"][0]) or ""
        kind = one("socktype", {"tcp": "stream", "udp": "dgram"}.get(protocol[:3], ""))
        ok = self.kind(kind, entry, place.at("socktype")) and ok
        ok = self.protocol(protocol or "tcp", entry, place.at("protocol")) and ok
        if one("acceptfilter"):
            self.accept_filter(one("acceptfilter"), entry, pairs["acceptfilter"][1])
        for key in ("sndbuf", "recvbuf"):
            if one(key):
                self.buffer(f"{key}={one(key)}", entry, pairs[key][1])
        for key, target in (("accept_max", "max_connections"), ("service_max", "rate"),
                            ("ip_max", "rate_per_source")):
            if one(key) and re.fullmatch("[0-9]+", one(key)):
                entry[target] = int(one(key))
            elif one(key):
                report.error(pairs[key][1], f"'{one(key)}' is no number")
        if pairs.get("ipsec", ([], None))[0]:
            report.warning(pairs["ipsec"][1], "superd sets no IPsec policy; left out")
        entry["program"] = one("exec", "internal")
        entry["argv"] = pairs.get("args", ([], None))[0]
        entry["user"], entry["group"] = one("user", ""), one("group", "")
        wait = one("wait", "no" if entry["program"] == "internal" else "")
        if wait not in ("yes", "no"):
            report.error(place.at("wait"), f"'{wait}' is neither yes nor no" if wait else "is missing")
            ok = False
        entry["wait"] = wait == "yes"
        return ok

    # ---------------------------------------------------------------- the service

    def service(self, name, entry, place):
        """What both notations come to."""
        if entry.get("rpc"):
            self.report.warning(place, "superd registers nothing with rpcbind; left out")
            return
        if entry["type"] in ("raw", "rdm"):
            self.report.warning(place, f"superd has no {entry['type']} sockets; left out")
            return
        if name.startswith("tcpmux/"):
            if entry["enabled"]:
                program, argv = without_tcpd(entry["program"], entry["argv"], place, self.report)
                self.mux.add(place, name[len("tcpmux/"):], program, argv, entry["user"], entry["group"])
            else:
                self.report.note(place, "disabled behind tcpmux; left out")
            return
        service = {"//": f"{place.file}:{place.line}"}
        if not entry["enabled"]:
            service["enabled"] = False
        service["listen"] = self.listen(name, entry, place, service)
        if not service["listen"]:
            return
        if name == "tcpmux" and entry["program"] == "internal":
            self.mux.service = (place, ["tcpmux"], service)
            return
        self.run(name, entry, place, service)
        if "exec" not in service:
            return
        if entry["type"] == "dgram" and not entry["wait"] and entry["program"] != "internal":
            service["mode"] = "nowait"
        elif entry["type"] != "dgram" and entry["wait"]:
            service["mode"] = "wait"
        self.limits(entry, service, place)
        for key in ("send_buffer", "receive_buffer", "defer_accept"):
            if key in entry:
                service[key] = entry[key]
        base = os.path.basename(name)
        self.config.add([base, f"{base}-{entry['protocol']}{entry['version']}"], service)

    def listen(self, name, entry, place, service):
        if entry["protocol"] == "unix":
            prefix = {"stream": "unix", "dgram": "dgram", "seqpacket": "seqpacket"}[entry["type"]]
            if self.dialect == "freebsd" or entry["owner"]:
                user, group, mode = entry["owner"] or ("", "", "0200")
                service["socket_mode"] = mode
                for key, value in (("socket_user", user), ("socket_group", group)):
                    if value:
                        service[key] = value
            return f"{prefix}:{name}"
        udp = entry["protocol"] == "udp"
        if entry["type"] != ("dgram" if udp else "stream"):
            self.report.error(place, f"'{entry['type']}' and '{entry['protocol']}' do not go together")
            return None
        port = port_of(name, entry["protocol"])
        if port is None:
            self.report.error(place, f"'{name}' is no port, and no service of "
                              f"{entry['protocol']} in /etc/services")
            return None
        family = FAMILIES[self.dialect][entry["version"]]
        return one_or_all(listen_addresses(entry["hosts"], port, udp, family, place, self.report))

    def run(self, name, entry, place, service):
        """exec and whom it runs as."""
        program, argv = entry["program"], entry["argv"]
        if program == "internal":
            if name not in INTERNAL:
                self.report.warning(place, f"superd has no '{name}' of its own; left out")
                return
            service["exec"], service["user"] = name, "nobody"
            return
        program, argv = without_tcpd(program, argv, place, self.report)
        set_program(service, program, argv)
        if not entry["user"]:
            self.report.error(place, "a user is missing")
            del service["exec"]
            return
        service["user"] = entry["user"]
        if entry["group"]:
            service["group"] = entry["group"]

    def limits(self, entry, service, place):
        keys = ("max_connections", "max_per_source", "rate", "rate_per_source")
        if entry["wait"]:
            if any(entry.get(key) for key in keys):
                self.report.warning(place, f"its limits: {MEETS_NONE}; left out")
            return
        for key in keys:
            if key in entry and (entry[key] or key == "max_connections" and entry["type"] != "dgram"):
                count = at_most(entry[key], MOST, place, self.report)
                service[key] = f"{count}/m" if key.startswith("rate") else count


# ---------------------------------------------------------------- words

def split(line, quotes):
    """Words at blanks, of which one may be in quotes."""
    words, n = [], 0
    while n < len(line):
        if line[n].isspace():
            n += 1
        elif line[n] in quotes:
            end = line.find(line[n], n + 1)
            if end < 0:
                raise ValueError(f"the quote {line[n]} is not closed")
            words.append(line[n + 1:end])
            n = end + 1
        else:
            match = re.compile(r"\S+").match(line, n)
            words.append(match[0])
            n = match.end()
    return words


def tokens_of(lines, n):
    """The tokens up to a semicolon, each with its line -> them, and the number of the next line.
    What stands behind the semicolon is left in `lines` for the next entry."""
    tokens, first = [], n
    while n < len(lines):
        line, i = lines[n], 0
        while i < len(line):
            c = line[i]
            if c == ";":
                lines[n] = line[i + 1:]
                return tokens, n
            if c == "#":
                break
            if c in "=,":
                tokens.append((n + 1, c))
                i += 1
            elif c in "'\"":
                text, i = quoted(line, i)
                tokens.append((n + 1, text))
            elif c.isspace():
                i += 1
            else:
                match = re.compile(r"[^\s=,;#'\"]+").match(line, i)
                tokens.append((n + 1, match[0]))
                i = match.end()
        n += 1
    raise ValueError(f"the semicolon of the entry that begins in line {first + 1} is missing")


def quoted(line, i):
    quote, text = line[i], ""
    i += 1
    while i < len(line) and line[i] != quote:
        if line[i] == "\\":
            match = re.compile(r"\\x([0-9A-Fa-f]{2})|\\(.)").match(line, i)
            if not match:
                break
            text += chr(int(match[1], 16)) if match[1] else ESCAPES.get(match[2], match[2])
            i = match.end()
        else:
            text += line[i]
            i += 1
    if i >= len(line) or line[i] != quote:
        raise ValueError(f"the quote {quote} is not closed")
    return text, i + 1
