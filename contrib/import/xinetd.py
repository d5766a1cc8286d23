"""xinetd.conf and xinetd.d.

When all files are read (xinetd_files.py), each service is joined with the defaults and converted.
One method a group of attributes; what no method takes is in NO_EQUAL with the reason, and every
attribute is in one of the tables.
"""

import os
import re

from common import (ANY, INTERNAL, MEETS_NONE, MOST, OCTAL, SWITCHED_OFF, V4, V6, Mux, Place,
                    add_mux_argument, at_most, groups_of, listen_addresses, one_or_all, port_of,
                    set_env, set_pass_env, set_program, without_tcpd)
from xinetd_access import rules_of
from xinetd_files import IN_DEFAULTS, Files

HELP = "xinetd.conf, files of xinetd.d, or that folder"

NO_EQUAL = {
    "access_times": "superd has no times of day: the service is there all day; cron(8) could reload",
    "max_load": "superd does not look at the load; see max_connections and rlimits",
    "rlimit_rss": "Linux knows no such limit; left out",
    "libwrap": "superd does not ask tcp wrappers; write allow and deny",
}
FLAGS = {  # what they come to; None: as it is in superd anyway, or handled where it belongs
    "REUSE": None, "NORETRY": None, "NOLIBWRAP": None, "NAMEINARGS": None, "SENSOR": None,
    "NODELAY": None, "KEEPALIVE": None, "IPV4": None, "IPV6": None, "DISABLE": None,
    "INTERCEPT": "superd hands a listening socket over and filters nothing behind it",
    "IDONLY": "superd asks no ident server: clients without one get in, too",
    "LABELED": "superd sets no SELinux context; left out",
}
RLIMITS = {"rlimit_as": "as", "rlimit_files": "nofile", "rlimit_cpu": "cpu", "rlimit_data": "data",
           "rlimit_stack": "stack"}
LONGEST_TRAP, SHORTEST_TRAP = "365d", "1s"


def add_arguments(command):
    command.add_argument("files", nargs="*", metavar="FILE", default=["/etc/xinetd.conf"])
    add_mux_argument(command)


def convert(options, config, report):
    files = Files(report)
    for path in options.files:
        files.read(path)
    general(files, config, report)
    mux = Mux(options.tcpmux, config, report)
    for entry in files.services:
        Service(entry, files.defaults, config, report).convert(mux)
    mux.finish()
    config.hoist("groups", "umask", "allow", "deny", "max_connections", "on_limit", "max_per_source",
                 "rate")


# ---------------------------------------------------------------- for all services

def general(files, config, report):
    """What superd has once for all services: the log."""
    values, place = files.defaults.first("log_type")
    if values and values[0].upper() == "SYSLOG":
        config.log["target"] = "syslog"
        if values[1:] not in ([], ["daemon"], ["daemon", "info"]):
            report.warning(place, "superd chooses facility and level itself; taken as SYSLOG")
    elif values and values[0].upper() == "FILE" and len(values) > 1:
        config.log["target"] = {"file": values[1]}
        if len(values) > 2:
            report.warning(place, "a log file has no greatest size; see logrotate(8) and SIGUSR1")
    elif values:
        report.error(place, f"'{' '.join(values)}' is neither SYSLOG FACILITY nor FILE PATH")
    for entry in (files.defaults, *files.services):
        for _, words, place in entry.attributes.get("log_on_success", []):
            for word in words:
                if word == "USERID":
                    report.warning(place, "USERID: superd asks no ident server; left out")
                elif word == "TRAFFIC":
                    config.log["bytes"] = True
                elif word in ("PID", "HOST", "EXIT", "DURATION"):
                    config.log["level"] = "info"
                else:
                    report.error(place, f"'{word}' is unknown")
        for _, words, place in entry.attributes.get("log_on_failure", []):
            for word in words:
                if word == "USERID":
                    report.warning(place, "USERID: superd asks no ident server; left out")
                elif word not in ("HOST", "ATTEMPT"):
                    report.error(place, f"'{word}' is unknown")
    for name in ("max_load", "access_times"):
        for _, _, place in files.defaults.attributes.get(name, []):
            report.warning(place, NO_EQUAL[name])
    wrapped = [e for e in files.services if "NOLIBWRAP" not in [
        w.upper() for _, words, _ in e.attributes.get("flags", []) for w in words]]
    if wrapped and any(os.path.exists(f) and rules_in(f) for f in ("/etc/hosts.allow", "/etc/hosts.deny")):
        report.warning(Place("/etc/hosts.allow"), "xinetd asked this file and hosts.deny for every "
                       "service, superd does not; write allow and deny")


def rules_in(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return any(line.strip() and not line.startswith("#") for line in f)
    except OSError:
        return False


# ---------------------------------------------------------------- one service

class Service:
    def __init__(self, entry, defaults, config, report):
        self.entry, self.defaults = entry, defaults
        self.config, self.report = config, report
        self.place = entry.place
        self.out = {"//": f"{entry.place.file}:{entry.place.line}"}
        self.types = self.words("type")
        self.flags = self.words("flags")
        self.id = (self.get("id")[0] or [entry.name])[0]
        self.waits = False

    # ---- reading attributes

    def get(self, name):
        """(values, place): the service's own, else the default."""
        values, place = self.entry.first(name)
        if values is None and name in IN_DEFAULTS:
            values, place = self.defaults.first(name)
        return values, place

    def one(self, name, pattern=None, what=""):
        """The one value of an attribute; None without, or with an error."""
        values, place = self.get(name)
        if values is None:
            return None
        if len(values) != 1 or pattern and not re.fullmatch(pattern, values[0], re.I):
            self.report.error(place, f"'{' '.join(values)}' is no {what or 'single value'}")
            return None
        return values[0]

    def of(self, place):
        """A place that may be in the defaults, for this service."""
        return place._replace(service=self.entry.name)

    def words(self, name):
        return [w.upper() for w in self.entry.first(name)[0] or []]

    def yes(self, name, default=False):
        value = self.one(name, "yes|no", "yes or no")
        return default if value is None else value.lower() == "yes"

    def joined(self, name):
        """The values of a list, defaults included -> (values, given at all, last place).

        The first = replaces the defaults, later ones add; += adds, -= takes away."""
        values, place, fresh = [], None, True
        rows = [(0, row) for row in self.defaults.attributes.get(name, [])]
        rows += [(1, row) for row in self.entry.attributes.get(name, [])]
        for own, (operator, words, place) in rows:
            if own and operator == "=" and fresh:
                values, fresh = [], False
            if operator == "-=":
                values = [v for v in values if v not in words]
            else:
                values += [w for w in words if w not in values]
        return values, bool(rows), place

    # ---- the parts

    def convert(self, mux):
        self.losses()
        if not self.enabled():
            self.out["enabled"] = False
        if "RPC" in self.types:
            self.report.warning(self.place, "superd registers nothing with rpcbind; left out")
            return
        if "TCPMUX" in self.types or "TCPMUXPLUS" in self.types:
            self.behind(mux)
            return
        kind = self.kind()
        if not kind or not self.listen(kind == "dgram"):
            return
        if self.entry.name == "tcpmux" and "INTERNAL" in self.types:
            self.limits(kind)
            self.access(kind)
            mux.service = (self.place, [self.id], self.out)
            return
        if "SENSOR" in self.flags:
            self.trap(kind)
        elif self.program(kind):
            self.identity()
            self.limits(kind)
        if "exec" in self.out or "trap" in self.out:
            self.access(kind)
            self.config.add([self.id], self.out)

    def behind(self, mux):
        """A service behind tcpmux: its program and its user, and no more."""
        server, argv = self.one("server"), self.get("server_args")[0] or []
        if not self.enabled() or server is None:
            self.report.note(self.place, "disabled behind tcpmux; left out")
            return
        if "NAMEINARGS" not in self.flags:
            argv = [server, *argv]
        name = ("+" if "TCPMUXPLUS" in self.types else "") + self.entry.name
        mux.add(self.place, name, server, argv, self.one("user") or "nobody", self.one("group"))
        for attribute, rows in self.entry.attributes.items():
            if attribute not in ("type", "socket_type", "protocol", "wait", "user", "group", "server",
                                 "server_args", "flags", "id", "disable", "log_on_success",
                                 "log_on_failure"):
                self.report.warning(rows[0][2], "all behind tcpmux have what tcpmux has; left out")

    def losses(self):
        """What has no equal."""
        for name, why in NO_EQUAL.items():
            for _, _, place in self.entry.attributes.get(name, []):
                self.report.warning(place, why)
        values, place = self.entry.first("flags")
        for flag in values or []:
            if flag.upper() not in FLAGS:
                self.report.error(place, f"'{flag}' is unknown")
            elif FLAGS[flag.upper()]:
                self.report.warning(place, f"{flag}: {FLAGS[flag.upper()]}")
        values, place = self.entry.first("type")
        for word in values or []:
            if word.upper() not in ("RPC", "INTERNAL", "TCPMUX", "TCPMUXPLUS", "UNLISTED"):
                self.report.error(place, f"'{word}' is unknown")
        _, place = self.entry.first("log_type")
        if place:
            self.report.warning(place, "superd has one log for all services; left out")
        if self.yes("mdns"):
            self.report.warning(self.entry.first("mdns")[1], "superd announces nothing; left out")
        for name in ("rpc_version", "rpc_number"):
            _, place = self.entry.first(name)
            if place and "RPC" not in self.types:
                self.report.warning(place, "is for RPC services; left out")

    def enabled(self):
        if self.yes("disable") or "DISABLE" in self.flags:
            return False
        enabled, given, _ = self.joined("enabled")
        disabled, _, _ = self.joined("disabled")
        return self.id not in disabled and (not given or self.id in enabled)

    def kind(self):
        """stream or dgram, from socket_type or protocol."""
        kind = self.one("socket_type", "stream|dgram|raw|seqpacket", "type of a socket")
        protocol = self.one("protocol")
        if kind is None and self.entry.first("socket_type")[0] is None:
            kind = {"tcp": "stream", "udp": "dgram"}.get(protocol)
        if kind is None:
            if self.entry.first("socket_type")[0] is None:
                self.report.error(self.place.at("socket_type"), "is missing")
            return None
        kind = kind.lower()
        if kind in ("raw", "seqpacket"):
            self.report.warning(self.get("socket_type")[1], f"superd has no {kind} sockets of IP; left out")
            return None
        if protocol not in (None, {"stream": "tcp", "dgram": "udp"}[kind]):
            self.report.error(self.get("protocol")[1], f"'{protocol}' and {kind} do not go together")
            return None
        return kind

    def listen(self, udp):
        protocol = "udp" if udp else "tcp"
        number = self.one("port", "[0-9]+", "number of a port")
        name = number or self.entry.name
        port = port_of(name, protocol)
        if port is None:
            at = self.get("port")[1] if number else self.place
            self.report.error(at, f"'{name}' is no port, and no service of {protocol} in /etc/services")
            return False
        family = V4 if "IPV4" in self.flags and "IPV6" not in self.flags else ANY
        if family == ANY and self.yes("v6only"):
            family = V6
        hosts, place = self.get("bind")
        wild = {"0.0.0.0": V4, "::": V6 if self.yes("v6only") else ANY}
        if hosts and hosts[0] in wild:
            hosts, family = None, wild[hosts[0]]
        addresses = listen_addresses(hosts[:1] if hosts else None, port, udp, family,
                                     place or self.place, self.report)
        if addresses:
            self.out["listen"] = one_or_all(addresses)
        return bool(addresses)

    def trap(self, kind):
        """SENSOR: whoever comes is kept out."""
        _, place = self.entry.first("flags")
        if kind == "dgram":
            self.report.warning(place, "SENSOR: the source of a datagram may be forged, so superd's traps "
                                "are for streams; left out")
            return
        time = self.one("deny_time", "FOREVER|NEVER|[0-9]+", "number of minutes, FOREVER or NEVER")
        at = self.get("deny_time")[1] or place
        if time is None or time.upper() == "NEVER" or time == "0":
            self.report.warning(at, f"superd's traps always keep out; {SHORTEST_TRAP} is the shortest")
            self.out["trap"] = SHORTEST_TRAP
        elif time.upper() == "FOREVER" or int(time) > 365 * 24 * 60:
            self.report.note(at, f"{LONGEST_TRAP} is the longest")
            self.out["trap"] = LONGEST_TRAP
        else:
            self.out["trap"] = f"{int(time)}m"

    def program(self, kind):
        """exec; False if there is nothing to run."""
        wait = self.one("wait", "yes|no|[01]", "yes or no")
        if wait is None:
            if self.get("wait")[0] is None:
                self.report.error(self.place.at("wait"), "is missing")
            return False
        self.waits = wait.lower() in ("yes", "1")
        redirect, place = self.get("redirect")
        if redirect:
            return self.redirect(redirect, place)
        if "INTERNAL" in self.types:
            if self.entry.name not in INTERNAL:
                self.report.warning(self.place, f"superd has no '{self.entry.name}' of its own; left out")
                return False
            self.out["exec"] = self.entry.name
            self.no_banner()
            # superd's own programs can do either, and with a process for each sender lists hold.
            listed = any(self.joined(name)[1] for name in ("only_from", "no_access"))
            self.waits = kind == "dgram" and not listed
            if kind == "dgram" and listed:
                self.out["mode"] = "nowait"
            return True
        server = self.one("server")
        if server is None:
            if self.get("server")[0] is None:
                self.report.error(self.place.at("server"), "is missing")
            return False
        argv = self.get("server_args")[0] or []
        if "NAMEINARGS" in self.flags:
            if not argv:
                self.report.error(self.entry.first("flags")[1], "NAMEINARGS: server_args is missing")
                return False
            server, argv = without_tcpd(server, argv, self.get("server_args")[1], self.report)
        else:
            argv = [os.path.basename(server), *argv]
        set_program(self.out, server, argv)
        if self.waits != (kind == "dgram"):
            self.out["mode"] = "wait" if self.waits else "nowait"
        if self.waits:
            self.no_banner()
        else:
            self.banner()
        if kind == "stream" and "NODELAY" in self.flags:
            self.out["nodelay"] = True
        return True

    def redirect(self, values, place):
        if len(values) != 2 or not values[1].isdigit() and port_of(values[1], "tcp") is None:
            self.report.error(place, f"'{' '.join(values)}' is no HOST PORT")
            return False
        host, port = values[0], port_of(values[1], "tcp")
        self.out["exec"] = ["forward", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
        self.no_banner()
        return True

    def no_banner(self):
        for name in ("banner", "banner_success"):
            _, place = self.get(name)
            if place:
                self.report.warning(place, "superd has no banners, and a shell before this program "
                                    "would not do; left out")

    def banner(self):
        """A shell shows the file and becomes the program; superd has no banners of its own."""
        for name in ("banner_success", "banner"):
            path = self.one(name)
            if path:
                program = self.out["exec"]
                program = program if isinstance(program, list) else [program]
                if self.out.pop("argv0", None):
                    self.report.warning(self.get(name)[1], "the program's name is its path now")
                self.out["exec"] = ["/bin/sh", "-c", 'cat "$0"; exec "$@"', path, *program]

    def reject_message(self, kind):
        for name in ("banner", "banner_fail"):
            path, (_, place) = self.one(name), self.get(name)
            if not path:
                continue
            if kind == "dgram":
                self.report.warning(place, "the sender of a datagram may be forged, and superd tells "
                                    "it nothing; left out")
                continue
            try:
                with open(path, encoding="utf-8") as f:
                    text = f.read(901)
            except (OSError, UnicodeDecodeError) as e:
                why = getattr(e, "strerror", "no text")
                self.report.warning(place, f"{path} cannot be read now ({why}) and would be the "
                                    "reject_message; left out")
                continue
            text = self.out.get("reject_message", "") + text
            if len(text.encode()) > 900:
                self.report.warning(place, "superd's reject_message has 900 bytes at most; left out")
                continue
            self.report.note(place, f"what {path} says now is the reject_message")
            self.out["reject_message"] = text

    def identity(self):
        own = "INTERNAL" in self.types or self.get("redirect")[0]
        user = self.one("user")
        if user is None and not own:
            if self.get("user")[0] is None:
                self.report.error(self.place.at("user"), "is missing; taken as nobody")
        self.out["user"] = "nobody" if own or user is None else user
        group = self.one("group")
        if group and not own:
            self.out["group"] = group
        if own or not self.yes("groups"):
            self.out["groups"] = []
        elif group and user and groups_of(user):
            self.report.note(self.entry.first("group")[1], f"groups are those that '{user}' has now, with "
                             "its own, which superd would leave out")
            self.out["groups"] = groups_of(user)
        for name, key, pattern, what in (("umask", "umask", OCTAL, "octal number"),
                                         ("nice", "nice", "[+-]?[0-9]+", "number")):
            value = self.one(name, pattern, what)
            if value is not None:
                self.out[key] = value if key == "umask" else max(-20, min(19, int(value)))
        values, _, place = self.joined("env")
        pairs = []
        for value in values:
            variable, equals, text = value.partition("=")
            if not equals:
                self.report.error(place, f"'{value}' is no NAME=VALUE")
            else:
                pairs.append((variable, text))
        set_env(self.out, pairs, place, self.report)
        values, _, place = self.joined("passenv")
        set_pass_env(self.out, values, place, self.report)

    def limits(self, kind):
        count = "[0-9]+|UNLIMITED"
        self.rlimits()
        if self.waits:  # and then there is one process anyway
            for name in ("per_source", "cps"):
                if self.get(name)[0]:
                    self.report.warning(self.of(self.get(name)[1]), f"{MEETS_NONE}; left out")
            return
        for name, key in (("instances", "max_connections"), ("per_source", "max_per_source")):
            value = self.one(name, count, "number or UNLIMITED")
            if value is not None:
                self.out[key] = 0 if value.upper() == "UNLIMITED" else \
                    at_most(int(value), MOST, self.get(name)[1], self.report)
        if kind == "dgram" and self.out.get("max_connections") == 0:
            del self.out["max_connections"]  # superd bounds how many senders have a process
        if "max_connections" in self.out:
            self.out["on_limit"] = "reject"
        cps, place = self.get("cps")
        if cps:
            if len(cps) != 2 or not all(re.fullmatch("[0-9]+", c) for c in cps):
                self.report.error(place, f"'{' '.join(cps)}' are not two numbers")
            elif int(cps[0]):
                self.out["rate"] = f"{at_most(int(cps[0]), MOST, place, self.report)}/s"

    def rlimits(self):
        for name, key in RLIMITS.items():
            value = self.one(name, "[0-9]+[KM]?|UNLIMITED", "size or UNLIMITED")
            if value is None:
                continue
            value = value.upper()
            self.out.setdefault("rlimits", {})[key] = "unlimited" if value == "UNLIMITED" else \
                value if value[-1] in "KM" else int(value)

    # ---- who may connect

    def access(self, kind):
        if self.waits:
            self.access_of_waiting(kind)
            return
        self.reject_message(kind)
        allow, given, place = self.joined("only_from")
        rules = [rule for text in allow for rule in rules_of(text, place, self.report)]
        if rules:
            self.out["allow"] = one_or_all(rules)
        elif given:
            if allow:
                self.report.warning(place, "nothing is left of the list, so nobody may connect")
            self.out["deny"] = "all"
            return
        deny, _, place = self.joined("no_access")
        rules = [rule for text in deny for rule in rules_of(text, place, self.report)]
        if rules:
            self.out["deny"] = one_or_all(rules)

    def access_of_waiting(self, kind):
        """xinetd looked at the first datagram; at connections only with INTERCEPT."""
        for name in ("only_from", "no_access"):
            values, given, place = self.joined(name)
            if not given or name == "no_access" and not values:
                continue
            if kind == "dgram" or "INTERCEPT" in self.flags:
                self.report.warning(self.of(place), SWITCHED_OFF)
                self.out["enabled"] = False
            else:
                self.report.note(self.of(place), "xinetd did not look at it without INTERCEPT either")
        for name in ("banner", "banner_fail"):
            if self.get(name)[0]:
                self.report.warning(self.of(self.get(name)[1]), f"{MEETS_NONE}; left out")
