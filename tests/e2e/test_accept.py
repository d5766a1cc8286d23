"""Accepting: clients that come, go, flood, and the lack of everything."""

import collections
import contextlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

from superdlib import (PATIENCE, SOON, connect, cpu_seconds, echo, handler, needs_root, port_of,
                       scaled, shell)


def test_an_echo_answers(superd):
    d = superd({"services": {"echo": echo()}})
    assert d.ask("echo", b"hello\n") == b"hello\n"
    assert d.wait_for("accept")["service"] == "echo"
    d.wait_for("close", exit=0)


def reset_clients(address, count):
    """connect, then a reset at once."""
    for _ in range(count):
        with contextlib.suppress(OSError):
            connect(address, SOON).reset()


def test_h01_resets_between_poll_and_accept_do_not_hang_the_others(superd):
    d = superd({"services": {"a": echo(max_connections=0), "b": echo()}})
    flood = threading.Thread(target=reset_clients, args=(d.addr["a"], scaled(1000)))
    flood.start()
    probes = 0
    while flood.is_alive() or not probes:
        d.answers("b")
        probes += 1
    flood.join()
    d.answers("a", PATIENCE)


def test_h01_a_listener_is_non_blocking(superd, probes):
    """A client that is gone from a unix listener's queue when superd comes to accept it."""
    d = superd({"services": {"a": echo(max_connections=1), "b": echo()}})
    with d.connect("a") as first:
        first.send(b"x")
        first.read(1)
        for _ in range(20):
            d.connect("a").reset()
    d.answers("b")
    d.answers("a")


def test_h02_the_connection_blocks_and_is_one_open_file(superd, probes):
    d = superd({"services": {"p": {"listen": "127.0.0.1:0", "exec": [str(probes / "probe")]}}})
    told = d.probe("p")
    assert not told["fds"]["0"]["nonblock"] and not told["fds"]["1"]["nonblock"]
    assert told["fds"]["0"]["ino"] == told["fds"]["1"]["ino"]
    assert told["same"] == 1
    assert not told["fds"]["2"]["nonblock"], "a handler's stderr blocks too"


@pytest.mark.parametrize("stderr", ["log", "null"])
def test_h03_emfile_pauses_the_listener(superd, stderr):
    """200 clients and 32 descriptors: no spin, few log lines, all are served in the end."""
    config = {"services": {
        "a": echo(max_connections=0, stderr=stderr, backlog=512),
        "b": echo(max_connections=0, stderr="log")}}
    d = superd(config, prefix=["prlimit", "--nofile=32:32"])
    clients = [d.connect("a") for _ in range(200)]
    for c in clients:
        c.send(b"x")
    time.sleep(0.5)  # let it run against the wall
    cpu, start = cpu_seconds(d.pid), time.monotonic()
    time.sleep(1.5)
    share = (cpu_seconds(d.pid) - cpu) / (time.monotonic() - start)
    assert share < 0.25, f"{share:.0%} of a processor while there is nothing to do"
    d.answers("b", PATIENCE)
    served = 0
    for c in clients:
        assert c.read(1) == b"x"
        c.half_close()
        assert c.read_all() == b""
        served += 1
    assert served == 200
    seconds = collections.Counter(e["time"][:19] for e in d.find("suspend"))
    assert all(n <= 2 for n in seconds.values()), f"more than a line a second: {seconds}"
    assert not d.find("exec-failed")


@pytest.mark.parametrize("stderr", ["log", "null", "socket"])
def test_h03_a_service_without_connections_is_served_from_the_reserve(superd, stderr):
    d = superd({"services": {"a": echo(max_connections=0, backlog=512), "b": echo(stderr=stderr)}},
               prefix=["prlimit", "--nofile=32:32"])
    held = [d.connect("a") for _ in range(100)]
    d.wait_for("suspend", service="a")
    d.answers("b", PATIENCE)
    assert held and not d.find("exec-failed")


def test_h03_a_program_in_mode_wait_is_started_from_the_reserve(superd):
    first = "import socket; c = socket.socket(fileno=0).accept()[0]; c.send(b'x'); c.close()"
    w = {"listen": "127.0.0.1:0", "mode": "wait", "exec": ["/usr/bin/python3", "-c", first]}
    d = superd({"services": {"a": echo(max_connections=0, backlog=512), "w": w}},
               prefix=["prlimit", "--nofile=32:32"])
    held = [d.connect("a") for _ in range(100)]
    d.wait_for("suspend", service="a")
    assert d.connect("w").read_all() == b"x"
    assert held and not d.find("exec-failed")


@needs_root
@pytest.mark.parametrize("most", [36, 37])  # one of them leaves one descriptor, the other none
@pytest.mark.parametrize("stderr", ["log", "null", "socket"])
def test_h03_a_peer_of_udp_is_served_from_the_reserve(superd, stderr, most):
    u = {"listen": "udp:127.0.0.1:0", "mode": "nowait", "exec": [handler("echo")], "stderr": stderr}
    a = echo(max_connections=0, backlog=512, close="linger")  # each takes two
    d = superd({"services": {"a": a, "u": u}}, prefix=["prlimit", f"--nofile={most}:{most}"])
    held = [d.connect("a") for _ in range(100)]
    d.wait_for("suspend", service="a")
    with d.connect("u") as peer:
        for n in range(3):
            peer.send(b"%d" % n)
            assert peer.read(1) == b"%d" % n
    assert held and not d.find("exec-failed")
    d.end_handlers()


def test_h03_the_refused_do_not_use_up_the_reserve(superd):
    """They may linger over their message, but not on the last descriptors."""
    d = superd({"services": {
        "a": echo(max_connections=0, backlog=512), "b": echo(),
        "no": echo(deny=["127.0.0.0/8"], reject_message="no\n", backlog=512)}},
        prefix=["prlimit", "--nofile=40:40"])
    held = [d.connect("a") for _ in range(100)]
    d.wait_for("suspend", service="a")
    refused = [d.connect("no") for _ in range(30)]
    for c in refused[:12]:
        assert c.read(3) == b"no\n"
    d.answers("b")
    assert held


@pytest.mark.parametrize("stderr", ["log", "null"])
def test_h03_a_lack_of_descriptors_breaks_no_promise_to_who_was_accepted(superd, stderr):
    """superd keeps a copy where it closes last; who cannot have one is not accepted yet."""
    d = superd({"services": {"a": echo(max_connections=0, stderr=stderr, close="linger")}},
               prefix=["prlimit", "--nofile=64:64"])
    clients = [d.connect("a") for _ in range(100)]
    for c in clients:
        c.send(b"x")
    d.wait_for("suspend", reason="EMFILE")
    for c in clients:
        assert c.read(1) == b"x"
        c.half_close()
        assert c.read_all() == b""
        c.close()
    d.wait_for("close", count=len(clients))
    assert not [e for e in d.find("close") if "closed_by" not in e]
    assert not d.find("exec-failed")


def test_h03_a_client_is_served_as_soon_as_a_descriptor_comes_free(superd):
    """Held connections fill the table (a pipe each for stderr); one leaves, the next comes in."""
    d = superd({"services": {"a": echo(max_connections=0)}}, prefix=["prlimit", "--nofile=32:32"])
    held = []
    while not d.find("suspend") and len(held) < 100:
        c = d.connect("a")
        c.send(b"x")
        held.append(c)
        with contextlib.suppress(TimeoutError):
            c.read(1, 0.3)
    assert d.find("suspend"), "32 descriptors were enough for 100 connections"
    waiting = held[-1]
    for c in held[:3]:
        c.close()
    waiting.send(b"y")
    assert waiting.read(1, SOON + 1) in b"xy"


def test_h04_a_flood_on_one_service_does_not_starve_another(superd, probes):
    d = superd({"services": {"a": echo(max_connections=0), "b": echo()}})
    storm = subprocess.Popen([probes / "storm", str(port_of(d.addr["a"])), str(scaled(4000)), "200",
                              str(2 * PATIENCE), "x"], stdout=subprocess.PIPE, text=True)
    answered = 0
    while storm.poll() is None:
        d.answers("b")
        answered += 1
    ok, *bad = map(int, storm.communicate()[0].split())
    assert answered and ok == scaled(4000) and not any(bad), (ok, bad)


@needs_root
@pytest.mark.parametrize("error", ["ECONNABORTED", "EPROTO", "EINTR", "ENETDOWN", "ENOPROTOOPT",
                                   "EHOSTDOWN", "ENONET", "EHOSTUNREACH", "EOPNOTSUPP",
                                   "ENETUNREACH", "EPERM", "ETIMEDOUT"])
def test_h05_an_accept_that_fails_for_one_client_is_tried_again_at_once(superd, folder, error):
    """More often than one wake-up accepts.  The kernel says what strace(1) tells it to."""
    if not shutil.which("strace"):
        pytest.skip("not installed: strace")
    d = superd({"services": {"a": echo(), "b": echo()}})
    trace = folder / "trace"
    tracer = subprocess.Popen(["strace", "-p", str(d.pid), "-o", trace, "-e", "trace=accept4",
                               "-e", f"inject=accept4:error={error}:when=1..40"],
                              stderr=subprocess.PIPE)
    tracer.stderr.readline()
    d.answers("a")
    d.answers("b")
    tracer.terminate()
    tracer.wait()
    assert trace.read_text().count(f"= -1 {error}") == 40
    assert not d.find("suspend") and not d.find("error")


def test_h06_a_peer_that_is_gone_is_no_error(superd, probes):
    """Thousands of connections are reset before their handler has even started."""
    d = superd({"services": {
        "a": {"listen": "*:0", "exec": [handler("echo")], "max_connections": 0}}})
    n = scaled(1500)
    out = subprocess.run([probes / "storm", str(port_of(d.addr["a"])), str(n), "50",
                          str(2 * PATIENCE), "-"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ok, *_, timeout, other = map(int, out.split())
    assert ok == n and not timeout and not other
    d.answers("a", PATIENCE)
    d.wait_for("close", count=n + 1)
    assert not d.find("exec-failed") and not d.find("error")


def test_h09_localhost_works_whichever_family_is_tried_first(superd):
    d = superd({"services": {"echo": {"listen": "localhost:0", "exec": [handler("echo")]}}})
    assert sorted(a.rsplit(":", 1)[0] for a in d.addrs["echo"]) == ["127.0.0.1", "[::1]"]
    for address in d.addrs["echo"]:
        d.answers(address)


def test_h09_nc_localhost_works(superd):
    """Both families on one port, as a person would try it."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    d = superd({"services": {"echo": {"listen": f"localhost:{port}", "exec": [handler("echo")]}}})
    assert len(d.addrs["echo"]) == 2
    out = subprocess.run(["nc", "-N", "localhost", str(port)], input=b"hi\n", capture_output=True,
                         timeout=PATIENCE, check=False)
    assert out.stdout == b"hi\n", out.stderr


def test_h09_a_port_alone_serves_both_families(superd):
    d = superd({"services": {"echo": {"listen": "0", "exec": [handler("echo")]}}})
    port = port_of(d.addr["echo"])
    d.answers(f"127.0.0.1:{port}")
    d.answers(f"[::1]:{port}")


def test_h30_half_close_is_not_a_disconnect(superd):
    d = superd({"services": {"late": shell("cat >/dev/null; sleep 2; echo answer")}})
    out = subprocess.run(["nc", "-N", "127.0.0.1", str(port_of(d.addr["late"]))], input=b"x",
                         capture_output=True, timeout=PATIENCE, check=False)
    assert out.stdout == b"answer\n"


def test_h42_the_end_of_a_handler_is_the_end_of_the_connection(superd):
    """superd keeps no copy: the client sees the FIN though nothing else happens after it."""
    d = superd({"services": {"once": shell("echo done"), "closes": shell("exec <&- >&-; sleep 600")}})
    with d.connect("once") as c:
        assert c.read_all(SOON + 1) == b"done\n"
    with d.connect("closes") as c:
        assert c.read_all(SOON + 1) == b"", "the handler closed its side and lives on"
    d.checked_fds = False


def test_h42_unread_input_of_a_live_handler_is_not_touched(superd):
    """superd never reads a byte that a client sent: all of it is there for the handler."""
    d = superd({"services": {"slow": shell("sleep 1; exec cat")}})
    data = bytes(range(256)) * 200
    assert d.ask("slow", data) == data


def test_short_connections_do_not_keep_descriptors_open(superd):
    d = superd({"services": {"echo": echo(max_connections=0)}})
    for _ in range(200):
        d.answers("echo", PATIENCE)
    d.wait_idle()
    d.check_descriptors()
