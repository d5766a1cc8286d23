"""Mode "wait" for streams: a program is handed the listening sockets and accepts itself."""

import os
import subprocess
import time

import pytest

from superdlib import (SUPERD, connect, cpu_seconds, descendants, echo, ending_handlers, eventually,
                       free_port,
                       needs, needs_root, script, shell)

# Accepts on the first of LISTEN_FDS, as programs do that know sd_listen_fds(3), on all of them,
# and answers with its pid and the number of the descriptor.
SERVER = """#!/usr/bin/env python3
import os, select, signal, socket, sys, threading
assert os.environ["LISTEN_PID"] == str(os.getpid())
n = int(os.environ["LISTEN_FDS"])
names = os.environ["LISTEN_FDNAMES"].split(":")
assert len(names) == n
listeners = [socket.socket(fileno=3 + i) for i in range(n)]
for l in listeners:
    l.setblocking(False)
while True:
    for l in select.select(listeners, [], [])[0]:
        try:
            c, _ = l.accept()
        except BlockingIOError:
            continue
        c.setblocking(True)
        c.sendall(f"{os.getpid()} {l.fileno()} {os.environ['PROTO']}\\n".encode())
        if "hold" in sys.argv:  # until the client goes
            threading.Thread(target=lambda c: (c.recv(1), c.close()), args=(c,)).start()
        else:
            c.close()
"""
ACCEPT_0 = """#!/usr/bin/env python3
import os, socket
l = socket.socket(fileno=0)
c, _ = l.accept()
c.sendall(b"%d\\n" % os.getpid())
c.close()
l.detach()
"""


@pytest.fixture
def server(folder):
    return str(script(folder, "server.py", SERVER))


@pytest.fixture
def superd(superd):
    """A server lives on when its clients have gone; at the end it is told."""
    yield from ending_handlers(superd)


def who(d, address=None):
    """(pid, descriptor) of who answers there."""
    with connect(address or d.addr["a"]) as c:
        pid, fd, _ = c.read_line().split()
    return int(pid), int(fd)


def test_one_process_accepts_for_all_its_clients(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server}}})
    assert not d.find("accept") and not descendants(d.pid)  # nobody came yet
    assert len({who(d) for _ in range(10)}) == 1
    assert len(d.find("accept")) == 1 and "peer" not in d.find("accept")[0]


def test_all_sockets_of_a_service_are_handed_over(superd, folder, server):
    listen = ["127.0.0.1:0", "[::1]:0", f"unix:{folder}/x.sock", "unix:@superd-wait"]
    d = superd({"services": {"a": {"listen": listen, "mode": "wait", "exec": server}}})
    answers = [who(d, address) for address in d.addrs["a"]]
    assert len({pid for pid, _ in answers}) == 1
    assert [fd for _, fd in answers] == [3, 4, 5, 6]


def test_the_descriptors_of_many_sockets_are_these_and_no_others(superd, folder):
    out = folder / "out"
    look = script(folder, "look.py", f"""#!/usr/bin/env python3
import os, socket
fds = sorted(int(f) for f in os.listdir("/proc/self/fd"))
open({str(out)!r}, "w").write(repr((fds, os.environ["LISTEN_FDNAMES"], os.get_blocking(3),
    [os.fstat(f).st_ino for f in fds[:-1]])))
for i in range(32):
    s = socket.socket(fileno=3 + i)
    s.setblocking(False)
    try:
        s.accept()[0].close()
    except BlockingIOError:
        pass
""")
    d = superd({"services": {"a": {"listen": [f"unix:{folder}/{n}.sock" for n in range(32)],
                                   "mode": "wait", "exec": str(look)}}})
    connect(d.addrs["a"][17]).close()
    d.wait_for("close", exit=0)
    fds, names, blocking, inodes = eval(out.read_text())
    assert fds == list(range(36))  # 0 to 2, 32 of them, and the folder that is read
    assert names == ":".join(["a"] * 32) and blocking
    assert inodes[0] == inodes[1] == inodes[3] and len(set(inodes[3:35])) == 32


LOOK = """#!/usr/bin/env python3
import os, socket
fds = sorted(int(f) for f in os.listdir("/proc/self/fd"))
sockets = [socket.socket(fileno=3 + i) for i in range(20)]
open(%r, "w").write(repr((fds, [s.getsockname() for s in sockets])))
sockets[7].accept()[0].close()
"""


def test_h03_many_sockets_where_others_have_taken_all_descriptors(superd, folder):
    out = folder / "out"
    paths = [f"{folder}/{n}.sock" for n in range(20)]
    d = superd({"services": {
        "a": {"listen": [f"unix:{p}" for p in paths], "mode": "wait",
              "exec": str(script(folder, "look.py", LOOK % str(out)))},
        "b": echo(max_connections=0, backlog=512)}}, prefix=["prlimit", "--nofile=90:90"])
    held = [d.connect("b") for _ in range(100)]
    d.wait_for("suspend", service="b", reason="EMFILE")
    connect(d.addrs["a"][7]).close()
    d.wait_for("close", service="a", exit=0)
    assert held and eval(out.read_text()) == (list(range(24)), paths)


@pytest.mark.parametrize("close_range", [True, False])
def test_many_sockets_where_descriptors_are_few(superd, probes, folder, close_range):
    """They stand on the very numbers that they are handed over at."""
    out = folder / "out"
    look = script(folder, "look.py", LOOK % str(out))
    paths = [f"{folder}/{n}.sock" for n in range(20)]
    d = superd({"services": {"a": {"listen": [f"unix:{p}" for p in paths], "mode": "wait",
                                   "exec": str(look)}}},
               prefix=["prlimit", "--nofile=60:60",
                       *([] if close_range else [probes / "without_close_range"])])
    connect(d.addrs["a"][7]).close()
    d.wait_for("close", exit=0)
    assert eval(out.read_text()) == (list(range(24)), paths)


def test_the_first_socket_is_also_0_as_in_inetd(superd, folder):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait",
                                   "exec": str(script(folder, "x.py", ACCEPT_0))}}})
    first = connect(d.addr["a"]).read_all()
    d.wait_for("close", exit=0)
    second = connect(d.addr["a"]).read_all()
    assert first != second


def test_listen_pid_is_right_however_it_is_started(superd, folder, server):
    # Under a set of identities and limits the steps are others, and with the tour they are told.
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server,
                                   "umask": "077", "rlimits": {"nofile": 100}}}}, args=("-vv",))
    pid, _ = who(d)
    assert d.find("accept")[0]["pid"] == pid
    calls = " ".join(e["call"] for e in d.find("tour"))
    assert "1 listening sockets, 3 to 3" in calls and "dup3(3, 4, O_CLOEXEC)" in calls
    assert "execve(" in calls


def test_a_failed_step_behind_the_sockets_is_told(superd, folder, server):
    (folder / "gone").mkdir()
    d = superd({"services": {"a": {"listen": ["127.0.0.1:0", "[::1]:0"], "mode": "wait",
                                   "exec": server, "directory": str(folder / "gone")}}})
    (folder / "gone").rmdir()
    with connect(d.addr["a"]):
        failed = d.wait_for("exec-failed")
        assert failed["call"] == "chdir"
        d.wait_for("suspend", reason="ended at once")


def test_whichever_socket_has_a_client_waits_for_a_place(superd, server):
    d = superd({"max_connections": 1, "services": {
        "b": echo(), "a": {"listen": ["127.0.0.1:0"] * 3, "mode": "wait", "exec": server}}})
    with d.connect("b") as held:
        held.send(b"x")
        assert held.read(1) == b"x"
        waiting = [connect(address) for address in d.addrs["a"][1:]]
        d.wait_for("suspend", service="a")
        before = cpu_seconds(d.pid)
        time.sleep(1)
        assert cpu_seconds(d.pid) - before < 0.3, "what waits is not polled"
    for c in waiting:
        assert c.read_line()
        c.close()


def test_one_that_dies_at_once_is_started_again_after_pauses(superd):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": "true"}}})
    with connect(d.addr["a"]):
        before = cpu_seconds(d.pid)
        d.wait_for("suspend", count=4)
        assert [e["retry_ms"] for e in d.find("suspend")] == [250, 500, 1000, 2000]
        assert cpu_seconds(d.pid) - before < 1
        assert len(d.find("accept")) == 4


def test_it_is_served_again_after_a_crash(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server}}})
    first, _ = who(d)
    os.kill(first, 9)
    d.wait_for("close", signal="KILL")
    assert who(d)[0] != first


def test_instances_share_the_socket(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server,
                                   "instances": 4}}})
    first, _ = who(d)
    d.wait_for("accept", count=4)
    pids = {e["pid"] for e in d.find("accept")}
    os.kill(first, 9)
    d.wait_for("close", signal="KILL")
    assert who(d)[0] != first  # one of the others, or a new one
    d.wait_for("accept", count=5)
    assert len(d.find("accept")) == 5 and first in pids


def test_instances_come_back_after_all_have_gone(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server,
                                   "instances": 3}}})
    who(d)
    d.wait_for("accept", count=3)
    for e in d.find("accept"):
        os.kill(e["pid"], 9)
    d.wait_for("close", count=3)
    who(d)
    d.wait_for("accept", count=6)


def test_idle_exit_scales_to_zero_and_the_next_client_starts_it_again(superd, server):
    d = superd({"services": {"a": {"listen": ["127.0.0.1:0", "[::1]:0"], "mode": "wait",
                                   "exec": server, "idle_exit": "1s"}}})
    first, _ = who(d)
    for n in range(8):  # two seconds in which somebody comes, to the one or to the other
        time.sleep(0.25)
        assert who(d, d.addrs["a"][n % 2])[0] == first
    assert d.wait_for("timeout", reason="idle_exit")["pid"] == first
    d.wait_for("close", signal="TERM")
    assert not descendants(d.pid)
    assert who(d)[0] != first


def test_idle_exit_waits_for_connections_that_are_open(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait",
                                   "exec": [server, "hold"], "idle_exit": "1s"}}})
    client = connect(d.addr["a"])
    client.read_line()
    time.sleep(3)
    assert not d.find("timeout")
    client.close()
    d.wait_for("timeout", reason="idle_exit")


def test_timeout_is_of_the_process(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server,
                                   "timeout": "1s"}}})
    first, _ = who(d)
    d.wait_for("timeout", reason="timeout")
    d.wait_for("close", signal="TERM")
    assert who(d)[0] != first


def test_a_stop_ends_it_without_waiting_for_what_will_not_happen(superd, server):
    d = superd({"stop_timeout": "60s", "services": {
        "a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server, "instances": 2}}})
    who(d)
    d.wait_for("accept", count=2)
    begin = time.monotonic()
    d.stop(check_fds=False)
    assert time.monotonic() - begin < 30
    assert [e["signal"] for e in d.find("close")] == ["TERM", "TERM"]


def test_the_ledger_counts_starts(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server}}})
    for _ in range(3):
        pid, _ = who(d)
        who(d)
        os.kill(pid, 15)
        d.wait_for("close", pid=pid)
    d.stop()
    sums = d.find("ledger")[0]
    assert (sums["arrived"], sums["accepted"], sums["closed"], sums["live"]) == (3, 3, 3, 0)


def test_its_stderr_is_in_the_log(superd, folder):
    noisy = script(folder, "noisy.sh", "#!/bin/sh\necho here I am >&2\nsleep 60\n")
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": str(noisy)}}})
    with connect(d.addr["a"]):
        d.wait_for("stderr", line="here I am", conn=1)


def test_sockets_that_were_open_before_can_be_handed_on_after_a_reload(superd, folder):
    out = folder / "out"
    look = script(folder, "look.py", f"""#!/usr/bin/env python3
import socket
sockets = [socket.socket(fileno=3 + i) for i in range(20)]
open({str(out)!r}, "w").write(repr([s.getsockname() for s in sockets]))
sockets[0].accept()[0].close()
""")
    paths = [f"{folder}/{n}.sock" for n in range(20)]
    service = {"listen": [f"unix:{p}" for p in paths], "exec": "cat"}
    d = superd({"services": {"a": service}})
    d.reload({"services": {"a": {**service, "mode": "wait", "exec": str(look)}}})
    connect(d.addrs["a"][0]).close()
    d.wait_for("close", exit=0)
    assert eval(out.read_text()) == paths


def rewrite(d, old, new):
    d.config.write_text(d.config.read_text().replace(old, new))
    d.kill(1)


def test_a_reload_leaves_it_alone(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server,
                                   "description": "one"}}})
    first, _ = who(d)
    rewrite(d, "one", "two")
    d.wait_for("reload-ok")
    assert who(d)[0] == first and len(d.find("accept")) == 1


def test_a_reload_that_takes_its_socket_away_ends_it(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server},
                             "b": {"listen": "127.0.0.1:0", "exec": "true"}}})
    who(d)
    rewrite(d, '"a": {', '"a": { "enabled": false,')
    d.wait_for("reload-ok")
    d.wait_for("close", signal="TERM")
    with pytest.raises(OSError):
        connect(d.addr["a"])


@pytest.mark.parametrize("upgraded", [False, True])
def test_h01_who_was_handed_a_socket_cannot_make_superd_wait_on_it(superd, folder, upgraded):
    """Its grandchild has the socket after the reload, and with it the flag that all share."""
    holder = script(folder, "holder.py", f"""#!/usr/bin/env python3
import os, pathlib, time
folder = pathlib.Path({str(folder)!r})
if os.fork() == 0:
    os.setsid()
    (folder / "holds").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    os.set_blocking(3, True)
    (folder / "went").touch()
    os._exit(0)
time.sleep(60)
""")
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": str(holder)},
                             "b": echo()}})
    with connect(d.addr["a"]):
        eventually((folder / "holds").exists, "it has the socket")
    d.reload({"services": {"a": echo(), "b": echo()}})
    if upgraded:
        d.upgrade()
    (folder / "go").touch()
    eventually((folder / "went").exists, "it blocks")
    d.answers("a")
    d.answers("b")


def test_a_reload_to_nowait_ends_it_and_serves(superd, server):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server}}})
    who(d)
    rewrite(d, '"mode": "wait"', '"description": "now"')
    d.wait_for("reload-ok")
    d.wait_for("close", signal="TERM")
    connect(d.addr["a"]).close()
    d.wait_for("accept", where=lambda e: "peer" in e)


@needs_root
def test_a_socket_that_is_renamed_takes_its_pause_along(superd):
    """And leaves it behind where the program does not get the socket any more."""
    udp = f"udp:127.0.0.1:{free_port()}"

    def config(name, **keys):
        return {"services": {name: {"listen": udp, **keys}, "other": shell("echo hi")}}

    d = superd(config("a", exec="true"))
    connect(udp).send(b"x")
    d.wait_for("suspend", service="a")
    d.reload(config("b", exec="true"))
    d.wait_for("resume", service="b")
    for n in range(2):  # the second pause is longer
        connect(udp).send(b"x")
        d.wait_for("suspend", service="b", count=n + 1)
    d.reload(config("c", exec="true", mode="nowait"))
    d.reload(config("d", exec="true", mode="nowait"))
    time.sleep(1.2)
    assert d.ask("other") == b"hi\n"
    assert len(d.find("resume")) == 2


def test_h50_it_lives_over_an_upgrade(superd, server):
    d = superd({"services": {"a": {"listen": ["127.0.0.1:0", "[::1]:0"], "mode": "wait",
                                   "exec": server, "instances": 2, "idle_exit": "3s"}}})
    who(d)
    d.wait_for("accept", count=2)
    pids = {e["pid"] for e in d.find("accept")}
    d.upgrade()
    assert {who(d, a)[0] for a in d.addrs["a"] * 3} <= pids
    assert len(d.find("accept")) == 2
    d.wait_for("timeout", reason="idle_exit", count=2)
    d.wait_for("close", count=2)
    assert who(d)[0] not in pids
    d.checked_fds = False


def test_a_service_that_is_closed_by_hand_ends_it(superd, server, folder):
    control = folder / "control"
    d = superd({"control": str(control), "services": {
        "a": {"listen": "127.0.0.1:0", "mode": "wait", "exec": server},
        "b": {"listen": "127.0.0.1:0", "exec": "true"}}})
    first, _ = who(d)

    def superctl(*words, code=0):
        r = subprocess.run([SUPERD.parent / "superctl", "-s", control, *words], timeout=60,
                           capture_output=True, text=True)
        assert r.returncode == code, r
        return r.stdout + r.stderr

    superctl("pause", "a")
    assert who(d)[0] == first  # who is there goes on
    superctl("disable", "a")
    d.wait_for("close", signal="TERM", pid=first)
    superctl("enable", "a")
    pid, _ = who(d, d.find("listen", service="a")[-1]["addr"])
    superctl("set", "a", "timeout=10m")
    assert "meets its clients itself" in superctl("set", "a", "max_per_source=3", code=1)
    superctl("kill", "a")
    d.wait_for("close", signal="TERM", pid=pid)
    d.checked_fds = False


def test_a_oneliner(superd, server, folder):
    d = superd(None, command=[str(SUPERD), "-l", "127.0.0.1:0", "-o", "mode=wait",
                              *(["-o", "user=root"] if os.geteuid() == 0 else [])],
               args=("-v", "--", server), log="text")
    service = next(iter(d.addr))
    with connect(d.addr[service]) as c:
        assert c.read_line().split()[1] == "3"
    d.checked_fds = False


@needs("fcgiwrap", "cgi-fcgi")
def test_fcgiwrap_scales_to_zero(superd, folder):
    cgi = script(folder, "hello.cgi", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
                                      "echo \"hello from $PPID\"\n")
    d = superd({"services": {"a": {"listen": f"unix:{folder}/fcgi.sock", "mode": "wait",
                                   "exec": "/usr/sbin/fcgiwrap", "idle_exit": "1s"}}})

    def ask():
        r = subprocess.run(["cgi-fcgi", "-bind", "-connect", str(folder / "fcgi.sock")],
                           env={**os.environ, "SCRIPT_FILENAME": str(cgi), "REQUEST_METHOD": "GET"},
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return r.stdout

    answer = ask()
    assert "hello from" in answer
    assert ask() == answer  # the same process
    d.wait_for("timeout", reason="idle_exit")
    d.wait_for("close")
    assert not descendants(d.pid)
    assert "hello from" in ask()
    assert len(d.find("accept")) == 2
