"""The files of systemd units: where they are, drop-ins, words, specifiers, spans of time.

A unit remembers which of its settings were asked for; those that nobody asked for are reported.
"""

import os
import re
import socket

from common import Place, read_lines

FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
           "/usr/lib/systemd/system", "/lib/systemd/system")
TRUE, FALSE = ("1", "yes", "y", "true", "t", "on"), ("0", "no", "n", "false", "f", "off")
SPANS = {  # milliseconds
    1e-3: "us usec µs", 1: "ms msec", 1000: "s sec second seconds", 60e3: "m min minute minutes",
    3600e3: "h hr hour hours", 86400e3: "d day days", 604800e3: "w week weeks",
    2629800e3: "M month months", 31557600e3: "y year years",
}
SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50, "E": 2**60}
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


class Unit:
    """A unit file with its drop-ins."""

    def __init__(self, path, report):
        self.path, self.report = path, report
        self.name = os.path.basename(path)
        self.rows = []  # (section, key, value, place)
        self.asked = set()
        self.found = self.read(path)
        if self.found:
            for dropin in dropins(path):
                self.read(dropin)

    def read(self, path):
        lines = read_lines(path, self.report)
        if lines is None:
            return False
        section, whole, start = "", "", 0
        for n, line in enumerate(lines, 1):
            if line.strip()[:1] in ("#", ";") or not line.strip() and not whole:
                continue
            start = start if whole else n
            if line.endswith("\\"):
                whole += line[:-1] + " "
                continue
            section = self.line((whole + line).strip(), section, Place(path, start))
            whole = ""
        if whole:
            self.line(whole.strip(), section, Place(path, start))
        return True

    def line(self, line, section, place):
        header = re.fullmatch(r"\[(.+)\]", line)
        if header:
            return header[1]
        key, equals, value = line.partition("=")
        if not equals or not section:
            self.report.error(place, f"'{line}' is no KEY=VALUE in a section")
        else:
            self.rows.append((section, key.strip(), value.strip(), place.at(key.strip())))
        return section

    # ---- asking for settings

    def all(self, section, *keys):
        """All (key, value, place) of these keys; an empty value takes back what stands before."""
        self.asked |= {(section, key) for key in keys}
        found = []
        for row in self.rows:
            if row[0] == section and row[1] in keys:
                found = found + [row[1:]] if row[2] else []
        return found

    def last(self, section, key):
        """(value, place); (None, None) without."""
        found = self.all(section, key)
        return found[-1][1:] if found else (None, None)

    def boolean(self, section, key):
        """True, False, or None without or with an error."""
        value, place = self.last(section, key)
        if value is None:
            return None
        if value.lower() in TRUE or value.lower() in FALSE:
            return value.lower() in TRUE
        self.report.error(place, f"'{value}' is neither yes nor no")
        return None

    def _read(self, section, key, read, what):
        """What `read` makes of the text; None without, or, with an error, where it says None."""
        text, place = self.last(section, key)
        value = None if text is None else read(text)
        if text is not None and value is None:
            self.report.error(place, f"'{text}' is no {what}")
        return value

    def number(self, section, key):
        return self._read(section, key, number_of, "number")

    def size(self, section, key):
        return self._read(section, key, bytes_of, "size")

    def span(self, section, key):
        """Milliseconds; infinity is a float."""
        return self._read(section, key, span_of, "span of time")

    def unasked(self):
        """The rows of settings that nobody asked for."""
        return [row for row in self.rows if (row[0], row[1]) not in self.asked]


def find(name, near):
    """The path of a unit, beside another one first; None without."""
    for folder in (near, *FOLDERS):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return None


def dropins(path):
    """The drop-ins of a unit in the order of their names; the first folder that has a name wins."""
    name = os.path.basename(path)
    stem, suffix = os.path.splitext(name)
    names = [name]
    if "@" in stem:
        names.append(stem.split("@")[0] + "@" + suffix)
    prefix = stem.split("@")[0]
    while "-" in prefix:
        prefix = prefix[:prefix.rindex("-")]
        names.append(f"{prefix}-{suffix}")
    names.append(suffix[1:])
    found = {}
    for folder in (os.path.dirname(path), *FOLDERS):
        for unit in names:
            place = os.path.join(folder, unit + ".d")
            if os.path.isdir(place):
                for file in os.listdir(place):
                    if file.endswith(".conf"):
                        found.setdefault(file, os.path.join(place, file))
    return [found[file] for file in sorted(found)]


# ---------------------------------------------------------------- values

def number_of(text):
    """A whole number; None if it is none."""
    return int(text) if re.fullmatch("[+-]?[0-9]+", text) else None


def span_of(text):
    """A span of time in milliseconds; None if it is none."""
    if text == "infinity":
        return float("inf")
    total, rest = 0.0, text.strip()
    while rest:
        match = re.match(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµ]*)\s*", rest)
        if not match:
            return None
        unit = next((ms for ms, names in SPANS.items() if (match[2] or "s") in names.split()), None)
        if unit is None:
            return None
        total += float(match[1]) * unit
        rest = rest[match.end():]
    return int(total) if text.strip() else None


def duration(ms):
    """As superd writes it."""
    for unit, n in (("d", 86400000), ("h", 3600000), ("m", 60000), ("s", 1000)):
        if ms % n == 0 and ms:
            return f"{ms // n}{unit}"
    return f"{ms}ms"


def bytes_of(text):
    match = re.fullmatch(r"([0-9]+)([KMGTPE]?)B?", text)
    return int(match[1]) * SIZES[match[2]] if match else None


def size_text(size):
    """As superd writes it."""
    for suffix in "GMK":
        if size and size % SIZES[suffix] == 0:
            return f"{size // SIZES[suffix]}{suffix}"
    return size


def words_of(text, keep_escapes=""):
    """Words in quotes or not, with the escapes of C; ValueError if a quote is not closed."""
    words, word, quote, i = [], None, "", 0
    while i < len(text):
        c = text[i]
        i += 1
        escapes = "'\\" if quote == "'" else text[i:i + 1]  # what a backslash is for
        if c == "\\" and i < len(text) and text[i] in escapes:
            match = re.compile(r"x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})").match(text, i)
            if match:
                digits = next(g for g in match.groups() if g)
                c = chr(int(digits, 8 if match[2] else 16))
                i = match.end()
            elif text[i] in keep_escapes:
                c = "\\" + text[i]
                i += 1
            else:
                c = ESCAPES.get(text[i], text[i])
                i += 1
            word = (word or "") + c
        elif quote and c == quote:
            quote = ""
        elif quote:
            word = (word or "") + c
        elif c in "'\"" and word is None:
            quote, word = c, ""
        elif c.isspace():
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + c
    if quote:
        raise ValueError(f"the quote {quote} is not closed")
    return words + [word] if word is not None else words


def unescape(text):
    """The name that an instance stands for: - is /, \\xHH a byte."""
    text = text.replace("-", "/")
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)


def specifiers(name):
    """What % and a letter stand for in a unit of this name."""
    stem = os.path.splitext(name)[0]
    prefix, at, instance = stem.partition("@")
    last = prefix[prefix.rfind("-") + 1:]
    host = socket.gethostname()
    table = {"%": "%", "p": prefix, "P": unescape(prefix), "j": last,
             "J": unescape(last), "h": "/root", "u": "root", "U": "0", "g": "root", "G": "0",
             "H": host, "l": host.split(".")[0], "t": "/run", "S": "/var/lib", "C": "/var/cache",
             "L": "/var/log", "E": "/etc", "T": "/tmp", "V": "/var/tmp", "s": "/bin/sh",
             "v": os.uname().release}
    if instance or not at:
        table |= {"n": name, "N": stem, "i": instance, "I": unescape(instance)}
        table["f"] = "/" + unescape(instance or prefix).lstrip("/")
    return table


def environment_file(path, report, place):
    """The NAME=VALUE of a file, as a list of pairs."""
    lines = read_lines(path, report, place)
    pairs, n = [], 0
    while lines and n < len(lines):
        line = lines[n]
        n += 1
        if not line.strip() or line.strip()[0] in "#;" or "=" not in line:
            continue
        name, _, value = line.partition("=")
        value = value.strip()
        quote = value[:1] if value[:1] in ("'", '"') else ""
        while n < len(lines) and (quote and not closed(value, quote) or
                                  not quote and value.endswith("\\")):
            value = (value + "\n" if quote else value[:-1]) + lines[n]
            n += 1
        if quote:
            value = value[1:value.rindex(quote)] if closed(value, quote) else value[1:]
            if quote == '"':
                value = re.sub(r'\\(["\\`$])', r"\1", value).replace("\\\n", "")
        else:
            value = re.sub(r"\\(.)", r"\1", value)
        pairs.append((name.strip(), value))
    return pairs


def closed(value, quote):
    """True if the quote that a value begins with ends somewhere."""
    body = re.sub(r"\\.", "", value[1:], flags=re.S) if quote == '"' else value[1:]
    return quote in body
