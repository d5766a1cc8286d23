"""Children by the ten thousand, strange children, and children under attack."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import pytest

from superdlib import (PATIENCE, children, descendants, echo, eventually, handler, needs_root,
                       port_of, scaled, shell)

# The attacked user: nobody else's processes are to be hit.
VICTIM = str(20000 + os.getpid() % 30000)

# Few descriptors are copied for a child, many are shared with it until it has its own: two paths.
TABLES = pytest.mark.parametrize("listeners", [1, 200], ids=["few", "many"])


def storm(probes, address, count, at_once, seconds=4 * PATIENCE):
    out = subprocess.run([probes / "storm", str(port_of(address)), str(count), str(at_once),
                          str(seconds), "x"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(zip(("ok", "refused", "reset", "empty", "timeout", "other"), map(int, out.split())))


def unusual(d):
    """What the log says beyond connections that went well."""
    return [e for e in d.find() if not (e["event"] in ("accept", "listen") or e.get("exit") == 0)][:20]


@TABLES
def test_h26_twenty_thousand_short_connections(superd, probes, listeners):
    """20,000, 200 at a time: every one answered, no zombie, no descriptor, the books are even."""
    count = scaled(20000) // (2 if listeners > 1 else 1)
    d = superd({"services": {"echo": echo(["127.0.0.1:0"] * listeners, max_connections=0)}})
    got = storm(probes, d.addr["echo"], count, 200)
    assert got["ok"] == count, (got, unusual(d))
    d.wait_for("close", count=count)
    eventually(lambda: not children(d.pid), "no child, dead or alive")
    assert d.ledger() == (count, count)
    assert all(e["exit"] == 0 for e in d.find("close"))
    d.check_descriptors()


def test_h26_a_queue_of_many_is_served_in_full(superd, probes):
    count = scaled(5000)
    d = superd({"services": {"echo": echo(max_connections=10)}})
    got = storm(probes, d.addr["echo"], count, 200)
    assert got["ok"] == count, got
    d.wait_for("close", count=count)


def test_h26_ends_among_many_that_live(superd, probes, folder):
    """Where many live, the dead are asked for by number: none is missed, whoever they are."""
    (folder / "strange.py").write_text(STRANGERS)
    d = superd({"services": {
        "echo": echo(max_connections=0),
        "strange": {"listen": "127.0.0.1:0", "exec": ["python3", str(folder / "strange.py")]},
    }})
    held = [d.connect("echo") for _ in range(150)]
    for c in held:
        c.send(b"here\n")
        assert c.read_line() == "here"
    count = scaled(3000)
    got = storm(probes, d.addr["echo"], count, 50)
    assert got["ok"] == count, (got, unusual(d))
    assert d.ask("strange") == b"born\n"
    d.wait_for("close", count=count + 1)
    eventually(lambda: len(children(d.pid)) == len(held), "the held ones alone are children")
    # All at once, and none of them young: one signal stands for many.
    for c in held:
        c.half_close()
    d.wait_for("close", count=count + 1 + len(held))
    eventually(lambda: not children(d.pid), "no child, dead or alive")
    d.check_descriptors()


@needs_root
@pytest.mark.parametrize("places", [20, 100])
def test_h24_a_long_queue_of_short_handlers_does_not_hold_the_loop(superd, probes, folder, places):
    """Each end starts one that waited, which may have ended before superd looks for another end:
    however many wait, superd turns to its other events after a bounded number of them."""
    if not shutil.which("strace"):
        pytest.skip("not installed: strace")
    count, trace = 1000, folder / "trace"
    d = superd({"services": {
        "a": {"listen": "127.0.0.1:0", "exec": [probes / "echo"], "max_connections": places,
              "queue": count},
        "b": echo()}})
    held = [d.connect("a") for _ in range(places)]
    d.wait_for("accept", service="a", count=places)
    for _ in range(count):
        d.connect("a").half_close()
    d.answers("b")  # it comes behind them: all are in the queue
    tracer = subprocess.Popen(["strace", "-p", str(d.pid), "-o", trace, "-e", "trace=clone,epoll_wait"],
                              stderr=subprocess.PIPE)
    tracer.stderr.readline()
    for c in held:
        c.close()
    d.wait_for("close", service="a", count=count + places, timeout=2 * PATIENCE)
    tracer.terminate()
    tracer.wait()
    between = [turn.count("clone(") for turn in trace.read_text().split("epoll_wait(")]
    assert sum(between) == count
    assert max(between) <= 256, f"{max(between)} started in one turn of the loop"


STRANGERS = """
import os, sys, time
# Orphans of every kind: dead at once, later, with a session of their own, twice removed.
for i in range(30):
    if os.fork() == 0:
        if i % 3 == 0:
            os.setsid()
        if i % 2 and os.fork() == 0:
            time.sleep(0.05 * (i % 5))
        os._exit(i)
sys.stdout.write("born\\n")
"""


def test_h26_orphans_of_handlers_are_reaped(superd, folder):
    (folder / "strange.py").write_text(STRANGERS)
    d = superd({"services": {
        "strange": {"listen": "127.0.0.1:0", "exec": ["python3", str(folder / "strange.py")]},
        "echo": echo()}})
    for _ in range(5):
        d.ask("strange")
        d.answers("echo")
    d.wait_idle()
    eventually(lambda: not descendants(d.pid), "all orphans are gone and reaped")


@needs_root
def test_h03_who_handlers_leave_behind_takes_no_descriptors_from_others(superd):
    """Each keeps its handler's stderr, so superd has to keep the other end, but not without end."""
    d = superd({"services": {"a": shell("sleep 1000 >&2 & echo born", kill_grace="1s"), "b": echo()}},
               prefix=["prlimit", "--nofile=64:64"])
    for _ in range(80):
        assert d.ask("a") == b"born\n"
    d.answers("b")
    d.wait_idle()
    assert not d.find("suspend")
    d.stop(check_fds=False)


def test_h26_as_pid_1_of_a_container(superd, probes, folder):
    """init of a PID namespace: it reaps what it never started, and TERM still stops it."""
    (folder / "strange.py").write_text(STRANGERS)
    init = "for i in 1 2 3; do (sleep 0.$i & exit) & done; exec \"$@\""
    d = superd({"stop_timeout": "1s", "services": {
        "strange": {"listen": "127.0.0.1:0", "exec": ["python3", str(folder / "strange.py")]},
        "self": shell("echo $$ $PPID"),
        "bg": shell("sleep 3606 </dev/null >/dev/null 2>&1 & echo ready"),
        "echo": echo(max_connections=0)}},
        prefix=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", init, "sh"])
    assert d.find("start")[0]["pid"] == 1
    outer = d.pid
    inside = next(p for p, row in children(outer).items())
    for _ in range(3):
        d.ask("strange")
    assert d.ask("self").split()[1] == b"1"
    count = scaled(2000)
    assert storm(probes, d.addr["echo"], count, 100)["ok"] == count
    d.wait_idle()
    eventually(lambda: not children(inside), "no child, dead or alive")
    d.ask("bg")
    os.kill(inside, signal.SIGTERM)
    assert d.wait() == 0
    assert d.find("stop")[0]["signal"] == "TERM"
    # Their pids are those of another namespace.
    for e in d.events:
        if e["event"] == "accept":
            e.pop("pid", None)
    assert len(d.find("accept")) == len(d.find("close"))
    d.ledger = lambda: (0, 0)


REUSED = """
import os, signal, sys, time
# One of the group of the handler has a parent outside of its session.  When it has been reaped
# there, the number of the group is free, and somebody who has nothing to do with it gets it.
group, end = os.getpid(), time.monotonic() + 20
def wait_for(path):
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.01)
if os.fork():
    wait_for("outside")
    signal.pause()
member = os.fork()
if member == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for("go")
    os._exit(0)
os.setsid()
open("outside", "w").close()
os.waitpid(member, 0)
while time.monotonic() < end:
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(group - 1))
    other = os.fork()
    if other == 0:
        if os.getpid() != group:
            os._exit(0)
        os.setsid()
        open("reused", "w").close()
        time.sleep(1000)
    if other == group:
        break
    os.waitpid(other, 0)
os.waitpid(other, 0)
open("ended", "w").close()
"""


@needs_root
def test_h29_a_group_whose_number_belongs_to_somebody_else_is_not_killed(superd, folder):
    (folder / "reused.py").write_text(REUSED)
    d = superd({"services": {"a": {
        "listen": "127.0.0.1:0", "exec": ["python3", str(folder / "reused.py")],
        "directory": str(folder), "timeout": "1s", "kill_grace": "2s"}}},
        prefix=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    inside = next(iter(children(d.pid)))
    d.connect("a")
    assert d.wait_for("close")["signal"] == "TERM"
    (folder / "go").touch()
    eventually((folder / "reused").exists, "somebody has got the number")
    time.sleep(2.5)
    assert not (folder / "ended").exists(), "and was killed for it"
    os.kill(inside, signal.SIGTERM)
    assert d.wait() == 0
    assert not (folder / "ended").exists(), "and was killed for it at superd's end"
    for e in d.events:
        e.pop("pid", None)
    d.ledger = lambda: (0, 0)


@needs_root
def test_h26_children_that_superd_was_born_with(superd, folder):
    """A shell that execs superd leaves its background jobs to it."""
    d = superd({"services": {"echo": echo()}},
               prefix=["sh", "-c", 'sleep 0.1 & sleep 0.3 & true & exec "$@"', "sh"])
    for _ in range(20):
        d.answers("echo")
    eventually(lambda: not children(d.pid), "strange children are reaped")


def test_a_flood_of_forks_in_a_handler_is_reaped(superd):
    d = superd({"services": {"sh": shell("for i in $(seq 100); do (:) & done; echo done")}})
    for _ in range(3):
        assert d.ask("sh") == b"done\n"
    d.wait_idle()
    eventually(lambda: not descendants(d.pid), "all are reaped")


# ---------------------------------------------------------------- attacks


def slow_directory(folder):
    """A folder that takes a millisecond to enter: a dozen links, each a long way round.  The child
    enters it as the user, so that this is time between setuid and exec.  (Forty are allowed, and
    the kernel may have to begin anew twice.)"""
    (folder / "d").mkdir()
    for i in range(12):
        (folder / f"l{i}").symlink_to("d/../" * 800 + (f"l{i + 1}" if i < 11 else "d"))
    return str(folder / "l0")


@needs_root
@TABLES
def test_handlers_that_are_killed_while_they_start(superd, probes, folder, listeners):
    """Their own user stops, kills and signals fresh children at random: superd neither hangs nor
    loses count."""
    listen = ["127.0.0.1:0"] * listeners
    d = superd({"stop_timeout": "100ms", "services": {
        "a": {"listen": listen, "exec": [handler("echo")], "user": VICTIM, "max_connections": 50,
              "kill_grace": "500ms", "directory": slow_directory(folder)},
        "b": echo()}})
    seconds = 4
    attacker = subprocess.Popen(
        ["setpriv", f"--reuid={VICTIM}", f"--regid={VICTIM}", "--clear-groups", probes / "attacker", "kill",
         str(seconds), *(str(int(s)) for s in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP,
                                               signal.SIGQUIT, signal.SIGSEGV, signal.SIGHUP))],
        stdout=subprocess.PIPE, text=True)
    load = subprocess.Popen([probes / "storm", str(port_of(d.addr["a"])), "1000000", "20", str(seconds), "x"],
                            stdout=subprocess.PIPE, text=True)
    while attacker.poll() is None:
        d.answers("b")
        # Those that are left stopped hold their place: let them go, as their user would.
        for pid, row in children(d.pid).items():
            if row[3] == "T" and random.random() < 0.5:
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
    hits = int(attacker.communicate()[0].split()[0])
    load.communicate()
    for pid, row in children(d.pid).items():
        if row[3] == "T":
            os.kill(pid, signal.SIGCONT)
    d.wait_idle()
    d.answers("a", PATIENCE)
    d.answers("b")
    d.wait_idle()
    d.check_descriptors()
    signals = [e for e in d.find("close", service="a") if "signal" in e]
    assert hits and signals, "the attacker never hit anything"
    assert not d.find("exec-failed")


def addresses_of(pid):
    """Places in superd's memory that mean nothing in a handler's: its text, data and heap.  Not its
    stack, or the kernel's pages: among ten thousand handlers one has its own at that address."""
    return [line.split("-")[0] for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
            if line.split()[1].startswith("r") and line.endswith(("/superd", "[heap]"))]


@needs_root
@TABLES
def test_superds_memory_is_closed_to_a_handlers_user(superd, probes, folder, listeners):
    """Between setuid and exec a child is the user's, and its memory is superd's.  The user stops
    it there and tries to read it, to trace it, and to take its descriptors: never."""
    listen = ["127.0.0.1:0"] * listeners
    d = superd({"services": {
        "a": {"listen": listen, "exec": [handler("echo")], "user": VICTIM, "max_connections": 200,
              "directory": slow_directory(folder)}}})
    seconds = 4
    places = addresses_of(d.pid)
    assert len(places) >= 3
    attacker = subprocess.Popen(
        ["setpriv", f"--reuid={VICTIM}", f"--regid={VICTIM}", "--clear-groups", probes / "attacker", "peek",
         str(seconds), *places], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    load = subprocess.Popen([probes / "storm", str(port_of(d.addr["a"])), "1000000", "20", str(seconds), "x"],
                            stdout=subprocess.PIPE, text=True)
    out, err = attacker.communicate(timeout=4 * PATIENCE)
    load.communicate()
    windows, successes = map(int, out.split())
    assert not successes, err
    assert windows, "no child was ever caught between setuid and exec"
    print(f"{windows} children were caught between setuid and exec")
    for pid, row in children(d.pid).items():
        if row[3] == "T":
            os.kill(pid, signal.SIGCONT)
    d.wait_idle()


@needs_root
@pytest.mark.alone("the setting is the whole machine's")
def test_a_dumpable_kernel_setting_makes_superd_copy(superd):
    """With fs.suid_dumpable=1 a user may trace what becomes his: then nothing is shared."""
    path = pathlib.Path("/proc/sys/fs/suid_dumpable")
    before = path.read_text()
    try:
        try:
            path.write_text("1")
        except OSError:
            pytest.skip("fs.suid_dumpable cannot be set here")
        d = superd({"services": {"echo": echo()}}, args=("-vv",))
    finally:
        path.write_text(before)
    for _ in range(5):
        d.answers("echo")
    told = d.wait_for("tour", where=lambda e: e["call"].startswith("fork() = "))
    assert "which is fork" in told["call"]
    d.wait_idle()


def test_a_handler_cannot_stop_superd_through_its_group(superd):
    d = superd({"services": {"sh": shell("kill -TERM 0"), "echo": echo()}})
    d.ask("sh")
    assert d.wait_for("close", service="sh")["signal"] == "TERM"
    d.answers("echo")


def test_a_stopped_handler_stops_nobody_else(superd):
    d = superd({"services": {"a": echo(max_connections=3), "b": echo()}})
    held = [d.connect("a") for _ in range(3)]
    for c in held:
        c.send(b"x")
        c.read(1)
    for e in d.find("accept", service="a"):
        os.kill(e["pid"], signal.SIGSTOP)
    for _ in range(10):
        d.answers("b")
    for e in d.find("accept", service="a"):
        os.kill(e["pid"], signal.SIGCONT)
    for c in held:
        c.send(b"y")
        assert c.read(1) == b"y"
        c.close()
    d.wait_idle()
