"""How many at once: who waits, who does not, and what a lack of processes does."""

import os
import threading
import time

import pytest

from superdlib import PATIENCE, cpu_seconds, descriptors, echo, needs_root, shell


def test_the_third_of_two_waits_and_is_served_afterwards(superd):
    d = superd({"services": {"a": echo(max_connections=2), "b": echo()}})
    first, second, third = (d.connect("a") for _ in range(3))
    for c in (first, second, third):
        c.send(b"x")
    assert first.read(1) == second.read(1) == b"x"
    assert third.silent(0.5)
    assert len(d.find("accept", service="a")) == 2
    d.answers("b")
    first.close()
    assert third.read(1) == b"x"
    assert d.wait_for("suspend")["reason"] == "max_connections"
    second.close()
    third.close()
    d.wait_idle()
    d.answers("a")
    assert d.find("resume", service="a")


def test_a_queue_is_served_in_full(superd):
    """Many more than there is room for; over several listeners of one service."""
    d = superd({"services": {"a": echo(["127.0.0.1:0"] * 5, max_connections=3)}})
    clients = [d.connect(address) for address in d.addrs["a"] for _ in range(20)]
    for c in clients:
        c.send(b"x")
        c.half_close()
    most = 0
    for c in clients:
        assert c.read_all() == b"x"
        most = max(most, d.live())
    assert most <= 3
    d.wait_idle()
    assert len(d.find("close")) == 100


def test_max_connections_of_all_services(superd):
    d = superd({"max_connections": 2, "services": {"a": echo(), "b": echo(), "c": echo()}})
    a, b, c = d.connect("a"), d.connect("b"), d.connect("c")
    for x in (a, b):
        x.send(b"x")
        assert x.read(1) == b"x"
    c.send(b"x")
    assert c.silent(0.5)
    late = d.connect("a")
    late.send(b"x")
    a.close()
    b.close()
    assert c.read(1) == late.read(1) == b"x"
    assert "all services" in d.wait_for("suspend")["reason"]


def test_a_program_in_mode_wait_has_its_turn_at_a_place_of_all(superd):
    d = superd({"max_connections": 1, "services": {
        "busy": shell("sleep 0.1; echo done", queue=200),
        "w": {"listen": "127.0.0.1:0", "mode": "wait", "shell": "sleep 0.2"}}})
    held = d.connect("w")
    d.wait_for("accept", service="w")
    again = d.connect("w")
    busy = [d.connect("busy") for _ in range(40)]
    d.wait_for("accept", service="w", count=2)
    assert held and again and len(d.find("close", service="busy")) < 20
    before = cpu_seconds(d.pid)
    time.sleep(1)
    assert cpu_seconds(d.pid) - before < 0.3, "what waits is not polled"
    for c in busy:
        c.close()
    d.clients.remove(held)
    held.close()
    again.close()


def test_total_and_service_limits_together_lose_nobody(superd):
    """Services with room wait for the whole, services without wait for themselves."""
    d = superd({"max_connections": 3, "services": {
        "a": echo(["127.0.0.1:0"] * 2, max_connections=1), "b": echo(max_connections=2),
        "c": echo(max_connections=0)}})
    served, errors = [], []

    def ask(address):
        try:
            for _ in range(15):
                assert d.ask(address, b"x") == b"x"
                served.append(address)
        except BaseException as e:  # pylint: disable=broad-except
            errors.append(e)
    addresses = [a for service in "abc" for a in d.addrs[service]] * 3
    threads = [threading.Thread(target=ask, args=(a,)) for a in addresses]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and len(served) == 15 * len(threads)


def test_clients_that_gave_up_waiting_do_not_hold_the_queue(superd):
    d = superd({"services": {"a": echo(max_connections=1)}})
    first = d.connect("a")
    first.send(b"x")
    first.read(1)
    for i in range(50):
        waiting = d.connect("a")
        waiting.send(b"x")
        waiting.reset() if i % 2 else waiting.close()
    first.close()
    d.answers("a", PATIENCE)


@pytest.mark.parametrize("of_all", [False, True])
def test_a_long_queue_is_served_when_there_is_room_for_all(superd, of_all):
    """Some in each turn of the loop (H24), and the last one, too."""
    def config(n):
        return {"max_connections": n if of_all else 0,
                "services": {"a": echo(queue=200, max_connections=0 if of_all else n)}}
    d = superd(config(1))
    clients = [d.connect("a") for _ in range(200)]
    for c in clients:
        c.send(b"x")
    d.wait_for("suspend")
    gone = [d.connect("a") for _ in range(20)]
    for c in gone:
        c.reset()
    d.reload(config(0))
    assert [c.read(1) for c in clients] == [b"x"] * 200


def test_no_limit_is_no_limit(superd):
    d = superd({"services": {"a": echo(max_connections=0)}})
    clients = [d.connect("a") for _ in range(150)]
    for c in clients:
        c.send(b"x")
    for c in clients:
        assert c.read(1) == b"x"
    assert not d.find("suspend")


def test_a_hundred_is_the_limit_unless_said_otherwise(superd):
    d = superd({"services": {"a": echo()}})
    clients = [d.connect("a") for _ in range(101)]
    for c in clients:
        c.send(b"x")
    for c in clients[:100]:
        assert c.read(1) == b"x"
    assert clients[100].silent(0.3)
    clients[0].close()
    assert clients[100].read(1) == b"x"


def test_suspend_is_told_once_a_second_at_most(superd):
    d = superd({"services": {"a": shell("sleep 0.02", max_connections=1)}})
    clients = [d.connect("a") for _ in range(40)]
    for c in clients:
        c.read_all()
    assert len(d.find("suspend")) <= 3 + PATIENCE
    seconds = [e["time"][:19] for e in d.find("suspend")]
    assert all(seconds.count(s) <= 2 for s in seconds)


@needs_root
def test_h24_a_user_without_processes_left_delays_only_his_own_service(superd):
    """RLIMIT_NPROC is exhausted for the user of A: its exec fails, B does not notice."""
    d = superd({"services": {
        "a": echo(user="4711", rlimits={"nproc": 1}), "b": echo()}})
    for _ in range(5):
        d.connect("a").send(b"x")
        d.answers("b")
    assert "unavailable" in d.wait_for("exec-failed", service="a")["error"]
    d.answers("b")


@needs_root
@pytest.mark.parametrize("queue, on_limit", [(2, "queue"), (0, "queue"), (2, "reject")])
def test_h24_without_processes_left_clients_wait_and_none_is_lost(superd, queue, on_limit):
    """superd itself is an ordinary user who may have three processes: one that is nobody else's."""
    user = 50000 + os.getpid() % 10000
    d = superd({"services": {"a": echo(["127.0.0.1:0"] * 2, queue=queue, on_limit=on_limit),
                             "b": echo(stderr="null")}}, preset=False,
               prefix=["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                       "prlimit", "--nproc=3:3"])

    def sockets():
        return sum(n for k, n in descriptors(d.pid).items() if k.startswith("socket:"))
    held, before = [d.connect("a") for _ in range(2)], sockets()
    for c in held:
        c.send(b"x")
        c.read(1)
    waiting = [d.connect(address) for address in d.addrs["a"] * 10 + d.addrs["b"]]
    for c in waiting:
        c.send(b"y")
        c.half_close()
    d.wait_for("suspend", reason="EAGAIN")
    assert all(c.silent(0.05) for c in waiting)
    assert sockets() <= before + max(queue, 1) + 1, "more are taken than may wait"
    for c in held:
        c.close()
    for c in waiting:
        assert c.read_all() == b"y"
    d.answers("a")
    d.answers("b")
    assert not d.find("exec-failed") and not d.find("reject")


def test_a_handler_out_of_memory_harms_itself_alone(superd):
    d = superd({"services": {"a": echo(rlimits={"as": "8K"}), "b": echo()}})
    d.ask("a")
    d.wait_for("close", service="a", where=lambda e: e.get("signal") or e.get("exit"))
    d.answers("b")
