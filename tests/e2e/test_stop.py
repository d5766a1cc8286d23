"""Stopping: drain, TERM, KILL, and nobody is left."""

import os
import signal
import subprocess
import time

import pytest

from superdlib import (PATIENCE, SOON, connect, descendants, echo, eventually, living, port_of, shell)

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def started(d, service="sh"):
    """A connection whose handler has said `ready`."""
    c = d.connect(service)
    assert c.read_line() == "ready"
    return c


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_with_nothing_to_wait_for(superd, number):
    d = superd({"stop_timeout": "1h", "services": {"echo": echo()}})
    d.answers("echo")
    d.wait_idle()
    d.stop(number)
    assert d.find("stop")[0]["signal"] == signal.Signals(number).name[3:]
    assert d.find("stop")[-1]["what"] == "bye"


def test_a_stop_lets_handlers_finish(superd):
    d = superd({"stop_timeout": "1h", "services": {"echo": echo()}})
    with d.connect("echo") as c:
        c.send(b"one")
        assert c.read(3) == b"one"
        d.kill(signal.SIGTERM)
        assert d.wait_for("stop", phase="drain")["live"] == 1
        with pytest.raises(ConnectionRefusedError):
            connect(d.addr["echo"])
        c.send(b"two")
        assert c.read(3) == b"two"
    assert d.wait() == 0
    assert d.find("close")[0]["exit"] == 0
    assert not d.find("stop", phase="terminate")


def test_h31_after_stop_timeout_handlers_are_told_to_stop(superd):
    d = superd({"stop_timeout": "200ms", "services": {
        "sh": shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done")}})
    with started(d) as c:
        d.kill(signal.SIGTERM)
        assert c.read_all() == b"bye\n"
    assert d.wait() == 0
    assert d.find("close")[0]["exit"] == 3


def test_h29_after_the_grace_they_are_killed(superd):
    d = superd({"stop_timeout": 0, "services": {"sh": shell(STUBBORN, kill_grace="300ms")}})
    c = started(d)
    start = time.monotonic()
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    assert 0.25 < time.monotonic() - start < PATIENCE
    assert d.find("close")[0]["signal"] == "KILL"
    c.close()


def test_a_second_term_ends_the_drain(superd):
    d = superd({"stop_timeout": "1h", "services": {"sh": shell("echo ready; exec sleep 3600")}})
    with started(d) as c:
        d.kill(signal.SIGTERM)
        d.wait_for("stop", phase="drain")
        d.kill(signal.SIGTERM)
        assert c.read_all() == b""
    assert d.wait() == 0
    assert d.find("close")[0]["signal"] == "TERM"
    assert d.find("stop", phase="terminate")[0]["signal"] == "TERM"


def test_h29_a_whole_group_is_ended(superd):
    """The handler, its children and grandchildren, some deaf to TERM."""
    d = superd({"stop_timeout": 0, "services": {"sh": shell(
        "sleep 3601 & (trap '' TERM; sleep 3602; sleep 3602) & (sleep 3603; sleep 3603) & echo ready; wait",
        kill_grace="500ms")}})
    c = started(d)
    eventually(lambda: len(descendants(d.pid)) >= 6, "all of them run")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    d.check_nobody_left()
    c.close()


def test_h29_h31_what_a_handler_left_in_the_background_ends_with_superd(superd):
    d = superd({"stop_timeout": "1h", "services": {
        "bg": shell("sleep 3604 </dev/null >/dev/null 2>&1 & echo ready"),
        "deaf": shell("(trap '' TERM; while :; do sleep 0.2; done) </dev/null >/dev/null 2>&1 & echo ready")}})
    for service in d.addr:
        with d.connect(service) as c:
            assert c.read_line() == "ready"
    d.wait_for("close", count=2)
    assert len(descendants(d.pid)) >= 2, "as long as superd runs, they may"
    start = time.monotonic()
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    assert time.monotonic() - start < PATIENCE
    d.check_nobody_left()


def test_a_background_process_that_ends_by_itself_holds_up_nothing(superd):
    d = superd({"stop_timeout": "1h", "services": {
        "bg": shell("sleep 0.2 </dev/null >/dev/null 2>&1 & echo ready")}})
    assert d.ask("bg") == b"ready\n"
    d.wait_for("close")
    eventually(lambda: not descendants(d.pid), "the background process is gone and reaped")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    assert not d.find("stop", phase="terminate")


def test_h29_a_stopped_handler_is_ended_too(superd):
    d = superd({"stop_timeout": "100ms", "services": {"echo": echo(kill_grace="1s"), "b": echo()}})
    c = d.connect("echo")
    c.send(b"x")
    c.read(1)
    os.kill(d.find("accept")[0]["pid"], signal.SIGSTOP)
    d.answers("b")
    c.send(b"y")
    assert c.silent(0.2)
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    c.close()


def test_a_signal_to_superds_group_does_not_reach_the_handlers(superd):
    """As Ctrl-C in a terminal: superd drains, the handler goes on."""
    d = superd({"stop_timeout": "1h", "services": {"echo": echo()}}, start_new_session=True)
    with d.connect("echo") as c:
        c.send(b"x")
        c.read(1)
        os.killpg(d.pid, signal.SIGINT)
        d.wait_for("stop", phase="drain")
        c.send(b"y")
        assert c.read(1) == b"y"
    assert d.wait() == 0


def test_many_handlers_are_ended_together(superd):
    d = superd({"stop_timeout": 0, "services": {
        "sh": shell("echo ready; exec sleep 3605", max_connections=0)}})
    clients = [started(d) for _ in range(60)]
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    assert len(d.find("close", signal="TERM")) == 60
    for c in clients:
        c.close()


def test_clients_that_wait_for_room_are_let_go_at_a_stop(superd):
    d = superd({"stop_timeout": "1h", "services": {"echo": echo(max_connections=1)}})
    first, second = d.connect("echo"), d.connect("echo")
    first.send(b"x")
    first.read(1)
    d.wait_for("suspend")
    d.kill(signal.SIGTERM)
    try:
        assert second.read_all(SOON + 3) == b""
    except ConnectionResetError:
        pass
    first.close()
    assert d.wait() == 0


def test_a_stop_while_connections_pour_in(superd, probes):
    d = superd({"services": {"echo": echo(max_connections=0)}})
    storm = subprocess.Popen([probes / "storm", str(port_of(d.addr["echo"])), "1000000", "100", "3", "x"],
                             stdout=subprocess.PIPE, text=True)
    d.wait_for("close", count=300)
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    storm.terminate()
    storm.wait()
    storm.stdout.close()


def test_superd_that_is_killed_leaves_connections_to_their_handlers(superd):
    """KILL is not a stop: nobody can clean up, and a connection is the handler's anyway."""
    d = superd({"services": {"echo": echo()}})
    with d.connect("echo") as c:
        c.send(b"x")
        c.read(1)
        pid = d.wait_for("accept")["pid"]
        d.process.kill()
        d.process.wait()
        c.send(b"y")
        assert c.read(1) == b"y"
    eventually(lambda: not living(pid), "the handler ends")
    d.poll_log()
    d.events = [e for e in d.events if e["event"] != "accept"]
    d.status = 0
