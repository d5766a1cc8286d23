"""The files of xinetd as they stand: entries, attribute by attribute with its place, and what
includes what.  What an attribute means is not asked here, only whether there is one of that name."""

import os
import re

from common import Place, read_lines

# Attributes that may be given more than once and know += and -=.
LISTS = ("log_on_success", "log_on_failure", "only_from", "no_access", "env", "passenv", "access_times",
         "disabled", "enabled")
SINGLE = """id type flags disable socket_type protocol wait user group instances nice server server_args
libwrap log_type rpc_version rpc_number port redirect bind interface banner banner_success banner_fail
per_source cps max_load groups mdns umask rlimit_as rlimit_files rlimit_cpu rlimit_data rlimit_rss
rlimit_stack deny_time v6only""".split()
IN_DEFAULTS = """log_type bind interface per_source umask log_on_success log_on_failure only_from
no_access passenv instances disabled enabled banner banner_success banner_fail groups cps max_load
v6only access_times""".split()


class Entry:
    """What stands between two braces: attribute -> [(operator, values, place)]."""

    def __init__(self, place, name):
        self.place, self.name, self.attributes = place, name, {}

    def first(self, attribute):
        """(values, place) of an attribute that is given once; (None, None) without."""
        given = self.attributes.get(attribute)
        return given[0][1:] if given else (None, None)


class Files:
    """Reads the files that include each other: the services, and the defaults of all."""

    def __init__(self, report):
        self.report = report
        self.defaults = Entry(Place("defaults"), "defaults")
        self.services = []
        self.reading = []
        self.seen_defaults = False

    def read(self, path, place=None):
        if os.path.isdir(path):
            self.read_folder(path)
            return
        real = os.path.realpath(path)
        if real in self.reading:
            self.report.error(place or Place(path), f"{path} includes itself")
            return
        lines = read_lines(path, self.report, place)
        if lines is None:
            return
        self.reading.append(real)
        rows = [(Place(path, n), line.split()) for n, line in enumerate(lines, 1)
                if line.strip() and not line.lstrip().startswith("#")]
        while rows:
            self.entry(path, rows)
        self.reading.pop()

    def read_folder(self, path):
        """All files but those with a dot in their name or a tilde at its end, as xinetd does."""
        for name in sorted(os.listdir(path)):
            if "." not in name and not name.endswith("~"):
                self.read(os.path.join(path, name))

    def entry(self, path, rows):
        """Takes the next entry, or include, off the rows."""
        place, words = rows.pop(0)
        if words[0] in ("include", "includedir") and len(words) == 2:
            target = os.path.join(os.path.dirname(path), words[1])
            if words[0] == "include":
                self.read(target, place)
            elif os.path.isdir(target):
                self.read_folder(target)
            else:
                self.report.error(place, f"{words[1]} is no folder")
            return
        brace = words[-1] == "{"
        words = words[:-1] if brace else words
        entry = None
        if len(words) == 2 and words[0] == "service":
            entry = Entry(place._replace(service=words[1]), words[1])
            self.services.append(entry)
        elif words == ["defaults"]:
            entry = self.defaults
            entry.place = place
            if self.seen_defaults:
                self.report.error(place, "there are defaults already; these are not used")
                entry = Entry(place, "defaults")
            self.seen_defaults = True
        else:
            self.report.error(place, f"'{' '.join(words)}' is neither service NAME nor defaults, include "
                              "or includedir")
        if not brace:
            if not rows or rows[0][1] != ["{"]:
                if entry:
                    self.report.error(entry.place, "'{' is missing in the next line")
                    if entry in self.services:
                        self.services.remove(entry)
                return
            rows.pop(0)
        self.body(entry or Entry(place, ""), rows)

    def body(self, entry, rows):
        while rows:
            place, words = rows.pop(0)
            if words == ["}"]:
                return
            match = re.fullmatch(r"([A-Za-z0-9_]+)\s*([+-]?=)\s*(.*)", " ".join(words))
            place = place._replace(service=entry.place.service)
            if not match:
                self.report.error(place, f"'{' '.join(words)}' is no ATTRIBUTE = VALUE")
                continue
            self.attribute(entry, match[1], match[2], match[3].split(), place.at(match[1]))
        self.report.error(entry.place, "'}' is missing at its end")

    def attribute(self, entry, name, operator, values, place):
        known = IN_DEFAULTS if entry is self.defaults else [*SINGLE, *LISTS[:-2]]
        if name == "interface":
            name = "bind"
        if name not in known:
            self.report.error(place, "is unknown" if name not in (*SINGLE, *LISTS) else
                              "is not for this kind of entry")
        elif name not in LISTS and operator != "=":
            self.report.error(place, f"{operator} is not for this attribute")
        elif name not in LISTS and name in entry.attributes:
            self.report.error(place, "is given twice")
        elif not values and name not in (*LISTS, "server_args"):
            self.report.error(place, "has no value")
        else:
            entry.attributes.setdefault(name, []).append((operator, values, place))
