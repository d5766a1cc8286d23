"""A real HAProxy in front of a service with proxy_protocol: lists, limits and the log are about the
client behind it, and its health checks are not errors."""

import socket

import pytest

from superdlib import HANDLERS, PATIENCE, echo, eventually
from test_handlers_proxy import Haproxy, needs_haproxy

pytestmark = needs_haproxy

VERSIONS = pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2"])
CHECKED = "  option tcp-check\n  tcp-check connect send-proxy\n"


def proxied(**keys):
    return {"handler_path": [str(HANDLERS)], "services": {"web": echo(
        proxy_protocol={"from": "127.0.0.1", "timeout": "2s"}, reject_message="not you\n", **keys)}}


def through(h, source):
    s = socket.socket()
    s.settimeout(PATIENCE)
    s.bind((source, 0))
    s.connect(h.address)
    return s


def ask(h, source):
    with through(h, source) as s:
        s.sendall(b"x\n")
        s.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: s.recv(100), b"")), s.getsockname()
        except ConnectionResetError:
            return b"", s.getsockname()


def up(h):
    return h.state() and h.state()["status"] == "UP"


@VERSIONS
def test_lists_and_the_log_are_about_the_client(superd, folder, options):
    d = superd(proxied(deny="127.7.0.0/16"))
    with Haproxy(folder, d.addr["web"], options, CHECKED) as h:
        eventually(lambda: up(h), "the server is up")
        answer, ours = ask(h, "127.5.5.5")
        assert answer == b"x\n"
        answer, theirs = ask(h, "127.7.7.7")
        assert answer == b"not you\n"
        told = d.wait_for("admit", peer="{}:{}".format(*ours))
        assert told["via"].startswith("127.0.0.1:")
        told = d.wait_for("reject")
        assert (told["peer"], told["reason"], told["rule"]) == ("{}:{}".format(*theirs), "deny", "127.7.0.0/16")
    # Nobody else's word counts, not even that of a client of the proxy.
    with d.connect("web", source=("127.0.0.2", 0)) as c:
        assert c.read_all() == b"not you\n"
    assert d.wait_for("reject", reason="proxy")


@VERSIONS
def test_limits_by_source_count_the_client(superd, folder, options):
    d = superd(proxied(max_per_source=1, rate_per_source="3/m burst 3"))
    with Haproxy(folder, d.addr["web"], options, CHECKED) as h:
        eventually(lambda: up(h), "the server is up")
        with through(h, "127.5.5.5") as first:
            first.sendall(b"y")
            assert first.recv(1) == b"y"
            assert ask(h, "127.5.5.5")[0] == b"not you\n"
            assert ask(h, "127.5.5.6")[0] == b"x\n"
        assert d.wait_for("reject")["reason"] == "max_per_source"
        answers = []
        for _ in range(5):
            d.wait_idle()  # the one before has its place until it is reaped
            answers.append(ask(h, "127.5.5.9")[0])
        assert answers == [b"x\n"] * 3 + [b"not you\n"] * 2
        assert d.wait_for("reject", reason="rate_per_source")["peer"].startswith("127.5.5.9:")


# Version 2 can say LOCAL; where version 1 is sent, HAProxy declares its own address as the client.
CHECKS = {
    "v2": ("send-proxy-v2", "", {"max_per_source": 1, "rate_per_source": "1/h burst 1", "deny": "127.0.0.0/8"}),
    "v1": ("send-proxy", "", {"max_per_source": 1, "deny": "127.7.0.0/16"}),
    "tcp-check": ("send-proxy-v2", CHECKED, {"max_per_source": 1, "deny": "127.7.0.0/16"}),
}


@pytest.mark.parametrize("options, check, keys", CHECKS.values(), ids=CHECKS)
def test_health_checks_do_not_look_like_errors(superd, folder, options, check, keys):
    d = superd(proxied(**keys))
    # Seldom enough that the one before has ended: in version 1 they count as clients.
    with Haproxy(folder, d.addr["web"], options, check, every_ms=300) as h:
        eventually(lambda: up(h) and len(d.find("close")) >= 10, "ten health checks")
        state = h.state()
        assert (state["status"], state["chkfail"], state["chkdown"]) == ("UP", "0", "0"), h.said()
    d.wait_idle()
    assert not d.find("reject") and not d.find("stderr")
    assert not [e for e in d.find("close") if e["level"] != "info"]
