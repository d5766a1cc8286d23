"""Who may connect, as xinetd writes it: addresses, wildcards, networks and names -> prefixes."""

import ipaddress
import re

from common import ANY, addresses_of


def rules_of(text, place, report):
    """One address of xinetd's -> prefixes."""
    match = re.fullmatch(r"((?:[0-9]+\.){0,3})\{([0-9,]+)\}", text)
    if match:
        rules = [ipv4(match[1] + last, place, report, exact=True) for last in match[2].split(",") if last]
        return [rule for rule in rules if rule]
    if re.fullmatch(r"[0-9.]+", text):
        rule = ipv4(text, place, report)
        return [rule] if rule else []
    if re.fullmatch(r"[0-9.]+/[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/[0-9]+)?", text):
        try:
            return [plain(ipaddress.ip_network(text, strict=False))]
        except ValueError:
            report.error(place, f"'{text}' is no address")
            return []
    if text == "localhost":
        return ["localhost"]
    if text.startswith("."):
        report.warning(place, f"'{text}': superd looks no names up; left out")
        return []
    network = network_named(text)
    if network:
        return [network]
    return addresses_of(text, ANY, place, report)


def ipv4(text, place, report, exact=False):
    """Numbers at the right that are 0, or missing, are wildcards."""
    parts = [p for p in text.split(".") if p]
    if len(parts) > 4 or any(int(p) > 255 or p != str(int(p)) for p in parts):
        report.error(place, f"'{text}' is no address")
        return None
    if len(parts) < 4 and not exact:
        report.note(place, f"'{text}' is taken as {'.'.join(parts)}.*; xinetd would not")
    bits = 8 * len(parts)
    while not exact and parts and len(parts) * 8 == bits and parts[-1] == "0":
        parts.pop()
        bits -= 8
    parts += ["0"] * (4 - len(parts))
    return plain(ipaddress.ip_network(f"{'.'.join(parts)}/{bits}"))


def plain(network):
    """A prefix as text; one address without its length."""
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def network_named(name):
    """A network of /etc/networks, by the class that its number has; None without."""
    try:
        with open("/etc/networks", encoding="utf-8", errors="replace") as f:
            rows = [line.split("#")[0].split() for line in f]
    except OSError:
        return None
    for row in rows:
        if len(row) > 1 and name in (row[0], *row[2:]) and re.fullmatch(r"[0-9.]+", row[1]):
            parts = [p for p in row[1].split(".") if p]
            while len(parts) > 1 and parts[-1] == "0":
                parts.pop()
            return f"{'.'.join(parts + ['0'] * (4 - len(parts)))}/{8 * len(parts)}"
    return None
