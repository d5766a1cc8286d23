"""How long: timeout, idle_timeout, dead peers, bandwidth; how it closes; what the ledger says."""

import contextlib
import socket
import struct
import sys
import time

import pytest

from superdlib import REASONS, echo, eventually, script, shell

PYTHON = sys.executable


def test_h25_a_handler_lives_no_longer_than_its_timeout(superd):
    d = superd({"services": {"a": shell("while :; do echo alive; sleep 0.1; done", timeout="1s")}})
    with d.connect("a") as c:
        data = c.read_all()
    assert data.startswith(b"alive\n") and len(data) < 600
    told = d.wait_for("timeout")
    assert told["reason"] == "timeout" and told["age_ms"] >= 900
    assert d.wait_for("close")["signal"] == "TERM"


def test_a_handler_that_takes_its_time_to_end_is_told_once(superd):
    """What else runs out while it has its grace is no news."""
    d = superd({"services": {"a": shell("trap '' TERM; while :; do sleep 0.1; done", timeout="1500ms",
                                        idle_timeout="1s", kill_grace="2s")}})
    d.connect("a")
    assert d.wait_for("close")["signal"] == "KILL"
    assert [e["reason"] for e in d.find("timeout")] == ["idle_timeout"]


def test_h29_a_timeout_ends_the_whole_process_group(superd):
    d = superd({"services": {"a": shell("sleep 1000 & trap '' TERM; sleep 1000", timeout="300ms",
                                        kill_grace="200ms")}})
    with d.connect("a") as c:
        assert c.read_all() == b""
    assert d.wait_for("close")["signal"] == "KILL"
    eventually(lambda: not d.left(), "nothing is left", 5)


def test_h29_who_outlives_its_leader_is_killed_after_the_grace_too(superd):
    d = superd({"services": {"a": shell("(trap '' TERM; sleep 1000; sleep 1000) & wait", timeout="300ms",
                                        kill_grace="300ms")}})
    with d.connect("a") as c:
        assert c.read_all(5) == b"", "the one that is left holds the connection"
    assert d.wait_for("close")["signal"] == "TERM"
    eventually(lambda: not d.left(), "nothing is left", 5)


IDLERS = {
    "reads": "exec cat",
    "neither": "exec sleep 1000",
    "polls": f"exec {PYTHON} -c 'import select; select.select([0],[],[])'",
    "has written": "echo hello; exec cat",
    "computes": "while :; do :; done",
    "has a child that reads": "cat; true",
}


@pytest.mark.parametrize("kind", IDLERS)
def test_an_idle_connection_is_ended_whatever_its_handler_does(superd, kind):
    d = superd({"services": {"a": shell(IDLERS[kind], idle_timeout="600ms")}})
    begin = time.monotonic()
    with d.connect("a") as c:
        c.read_all()
    assert time.monotonic() - begin >= 0.6
    assert d.wait_for("timeout")["reason"] == "idle_timeout"


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0", "0"])
def test_a_connection_on_which_bytes_move_is_not_idle(superd, listen):
    d = superd({"services": {"in": shell("cat > /dev/null", listen, idle_timeout="600ms"),
                             "out": shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo x; sleep 0.2; done",
                                          listen, idle_timeout="600ms")}})
    with d.connect("in") as sender, d.connect("out") as receiver:
        for _ in range(10):
            sender.send(b"x")
            time.sleep(0.2)
        assert receiver.read_all() == b"x\n" * 10
    assert not d.find("timeout")


def test_an_idle_client_that_does_not_read_is_idle(superd):
    """The handler writes until nothing moves any more."""
    d = superd({"services": {"a": shell("exec yes", idle_timeout="1s")}})
    c = d.connect("a")
    assert d.wait_for("timeout")["reason"] == "idle_timeout"
    c.close()
    d.wait_for("close")


def test_h42_an_idle_timeout_does_not_delay_the_fin(superd):
    d = superd({"services": {"a": shell("echo bye; exec < /dev/null > /dev/null; sleep 3",
                                        idle_timeout="1m")}})
    begin = time.monotonic()
    with d.connect("a") as c:
        assert c.read_all() == b"bye\n"
    assert time.monotonic() - begin < 2.5


def options(superd, folder, **keys):
    """What getsockopt says inside the handler."""
    path = script(folder, "options", f"""#!{PYTHON}
import socket
s = socket.socket(fileno=0)
t = socket.IPPROTO_TCP
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), s.getsockopt(t, socket.TCP_KEEPIDLE),
      s.getsockopt(t, socket.TCP_KEEPINTVL), s.getsockopt(t, socket.TCP_KEEPCNT),
      s.getsockopt(t, socket.TCP_USER_TIMEOUT), s.getsockopt(socket.SOL_SOCKET, 47), flush=True)
""")
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "exec": str(path), **keys}}})
    with d.connect("a") as c:
        return [int(n) for n in c.read_all().split()]


def test_h46_dead_peers_are_noticed_by_default(superd, folder):
    alive, idle, interval, count, user_timeout, pace = options(superd, folder)
    assert alive == 1 and idle + interval * count <= 180 and user_timeout == 600000
    assert pace in (-1, 0xffffffff)


def test_h46_and_as_configured(superd, folder):
    alive, _, _, _, user_timeout, pace = options(
        superd, folder, keepalive=False, user_timeout="7s", bandwidth="64K")
    assert alive == 0 and user_timeout == 7000 and pace == 65536


# ---------------------------------------------------------------- closing


BIG = 1000000


def test_h44_unread_input_does_not_reset_the_answer_where_superd_lingers(superd):
    line = f"head -c {BIG} /dev/zero"
    d = superd({"services": {"a": shell(line, close="linger")}})
    for _ in range(5):
        with d.connect("a") as c:
            with contextlib.suppress(OSError):
                c.send(b"GET / HTTP/1.0\r\n" * 20000)
            time.sleep(0.05)
            assert len(c.read_all()) == BIG
    told = d.wait_for("close", count=5) and d.find("close")
    assert all(e["bytes_out"] >= BIG for e in told)


def test_h44_a_lingering_connection_gives_its_place_back(superd):
    d = superd({"services": {"a": shell("echo done", close="linger", max_connections=1)}})
    first = d.connect("a")
    assert first.read_all() == b"done\n"
    with d.connect("a") as second:  # the first has not closed yet
        assert second.read_all() == b"done\n"
    first.close()
    d.wait_for("close", count=2)


# ---------------------------------------------------------------- the ledger


def ledger(d, service="a"):
    d.stop()
    return d.find("ledger", service=service)[0]


def test_the_ledger_accounts_for_bytes_and_who_closed_first(superd):
    d = superd({"log": {"bytes": True}, "services": {"a": echo(), "b": shell("echo hello")}})
    with d.connect("a") as c:
        c.send(b"x" * 5000)
        c.half_close()
        assert len(c.read_all()) == 5000
    told = d.wait_for("close", service="a")
    assert told["bytes_in"] >= 5000 and told["bytes_out"] >= 5000
    assert told["closed_by"] == "peer" and told["rtt_ms"] >= 0 and told["retransmits"] == 0
    with d.connect("b") as c:
        c.read_all()
    told = d.wait_for("close", service="b")
    assert told["closed_by"] == "handler" and told["bytes_out"] >= 6


def test_the_ledger_tells_how_long_a_connection_waited(superd):
    d = superd({"services": {"a": shell("sleep 0.3", max_connections=1)}})
    clients = [d.connect("a") for _ in range(3)]
    for c in clients:
        c.read_all()
    d.wait_for("close", count=3)
    waits = sorted(e.get("queue_ms", 0) for e in d.find("close"))
    assert waits[0] < 200 and waits[1] >= 200 and waits[2] >= 500


def test_the_sums_hold_over_everything_that_can_happen(superd):
    d = superd({"services": {"a": echo(max_connections=3, queue=2, max_per_source=4,
                                       deny="127.0.0.9", rate="200/s burst 30")}})
    held = []
    for i in range(60):
        source = ("127.0.0.9" if i % 10 == 0 else f"127.0.0.{2 + i % 3}", 0)
        with contextlib.suppress(OSError):
            c = d.connect("a", source=source)
            if i % 4 == 0:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.close()
            elif i % 4 == 1:
                c.close()
            else:
                held.append(c)
    for c in held:
        c.close()
    d.wait_idle()
    sums = ledger(d)
    refusals = sum(sums.get(reason, 0) for reason in REASONS)
    assert sums["arrived"] == sums["accepted"] + refusals
    assert sums["accepted"] == sums["closed"] and sums["live"] == sums["waiting"] == 0
    assert sums["accepted"] == len(d.find("accept")) and refusals == len(d.find("reject"))
