"""forward: relays a connection, or accepts and relays many, and starts what is behind on demand."""

import contextlib
import fcntl
import hashlib
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from handlerlib import PATIENCE, Session, command
from superdlib import HANDLERS, eventually, free_port, living, processes

# Tells that it was started, waits, then serves as many as come: gives back what it gets, in upper
# case, a chunk at a time.
BACKEND = """
import os, socket, sys, threading, time
log, address, delay = sys.argv[1:4]
with open(log, "a") as f:
    print(os.getpid(), file=f)
time.sleep(float(delay))
if address.startswith("/"):
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(address):
        os.unlink(address)
    listener.bind(address)
    listener.listen(128)
else:
    listener = socket.create_server(("127.0.0.1", int(address)), backlog=128)
def serve(c):
    with c:
        while data := c.recv(65536):
            c.sendall(data.upper())
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


@contextlib.contextmanager
def server(handle, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """One connection after the other is given to handle(); yields what forward is to be told."""
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()

    over = threading.Event()
    listener.settimeout(0.05)

    def accept():
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                c, _ = listener.accept()
                c.settimeout(PATIENCE)
                with c, contextlib.suppress(ConnectionError):
                    handle(c)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"unix:{address}" if family == socket.AF_UNIX else \
            f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join(PATIENCE)
        listener.close()


def read_all(c):
    return b"".join(iter(lambda: c.recv(65536), b""))


def shout(c):
    """Answers when the input has ended: with all of it, in upper case."""
    c.sendall(read_all(c).upper())


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


class Listening:
    """forward with a listener on 0, as superd starts it in mode wait."""

    def __init__(self, *args, **popen):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = self.listener.getsockname()
        env = {"PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(command("forward", *args), stdin=self.listener, env=env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **popen)
        self.log = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(ValueError):
            self.finish()
        self.listener.close()

    def connect(self):
        return socket.create_connection(self.address, PATIENCE)

    def ask(self, data):
        with self.connect() as c:
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
            return read_all(c)

    def finish(self):
        if self.log is None:
            self.log = self.process.communicate(timeout=PATIENCE)[1].decode()
            assert "Sanitizer" not in self.log and "runtime error" not in self.log, self.log
        return self.process.returncode


@pytest.fixture
def backend(tmp_path):
    """Builds the command line of a backend, and knows how often it was started."""
    class Backend:
        def __init__(self):
            self.log = tmp_path / "starts"
            self.port = free_port()
            self.target = f"127.0.0.1:{self.port}"

        def argv(self, delay=0, address=None):
            return ["--", sys.executable, "-c", BACKEND, self.log, address or self.port, delay]

        def starts(self):
            return list(map(int, self.log.read_text().split())) if self.log.exists() else []

    def is_gone(pid):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # an orphan is ours, after a test that made us a subreaper
        return pid not in processes()

    b = Backend()
    yield b
    for pid in b.starts():
        eventually(lambda: is_gone(pid), f"backend {pid} is gone")


# ---------------------------------------------------------------- one connection


def test_a_client_that_has_said_all_gets_its_answer():
    with server(shout) as target, Session(command("forward", target)) as s:
        s.send(b"hello")
        s.half_close()
        assert s.read_all() == b"HELLO"
        assert (s.finish(), s.log) == (0, "")


def test_a_server_that_has_said_all_still_hears():
    heard = []

    def handle(c):
        c.sendall(b"that is all")
        c.shutdown(socket.SHUT_WR)
        heard.append(read_all(c))

    with server(handle) as target, Session(command("forward", target)) as s:
        assert s.read_all() == b"that is all"
        s.send(b"but")
        s.send(b" I am not done")
        s.half_close()
        assert (s.finish(), s.log) == (0, "")
    assert heard == [b"but I am not done"]


@pytest.mark.parametrize("name", ["path", "abstract"])
def test_a_unix_socket_is_a_target(tmp_path, name):
    path = str(tmp_path / "s") if name == "path" else "\0superd-test-forward-%d" % os.getpid()
    with server(shout, socket.AF_UNIX, path) as _:
        with Session(command("forward", "unix:" + path.replace("\0", "@"))) as s:
            s.send(b"hello")
            s.half_close()
            assert s.read_all() == b"HELLO"
            assert (s.finish(), s.log) == (0, "")


def test_localhost_is_whichever_answers():
    with server(shout) as target:
        with Session(command("forward", target.replace("127.0.0.1", "localhost"))) as s:
            s.send(b"hello")
            s.half_close()
            assert s.read_all() == b"HELLO"


def test_megabytes_go_both_ways_at_once():
    up, down = (random.Random(n).randbytes(8 << 20) for n in (1, 2))
    heard = []

    def handle(c):
        sender = threading.Thread(target=lambda: (c.sendall(down), c.shutdown(socket.SHUT_WR)))
        sender.start()
        heard.append(hashlib.sha256(read_all(c)).hexdigest())
        sender.join()

    with server(handle) as target, Session(command("forward", target)) as s:
        sender = threading.Thread(target=lambda: (s.send(up), s.half_close()))
        sender.start()
        answer = s.read_all()
        sender.join()
        assert (s.finish(), s.log) == (0, "")
    assert answer == down
    assert heard == [hashlib.sha256(up).hexdigest()]


def test_a_slow_reader_gets_everything():
    data = random.Random(3).randbytes(16 << 20)

    with server(lambda c: c.sendall(data)) as target, Session(command("forward", target)) as s:
        got = bytearray()
        while part := s.client.recv(3000):
            got += part
            if len(got) < 100000:
                time.sleep(0.01)
        assert bytes(got) == data
        s.half_close()
        assert (s.finish(), s.log) == (0, "")


def test_many_small_writes_arrive_whole():
    """Each segment takes a slot of the pipe, of which there are few."""
    def handle(c):
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(3000):
            c.sendall(b"%d\n" % i)

    with server(handle) as target, Session(command("forward", target)) as s:
        assert s.read_all() == b"".join(b"%d\n" % i for i in range(3000))


def test_nobody_there_is_an_error_with_its_address():
    target = f"127.0.0.1:{free_port()}"
    with Session(command("forward", target)) as s:
        with pytest.raises(ConnectionResetError):
            s.read_all()
        assert s.finish() == 1
    assert s.log == f"forward: {target}: Connection refused\n"


def test_a_unix_socket_that_is_not_there_is_an_error(tmp_path):
    with Session(command("forward", f"unix:{tmp_path}/s")) as s:
        with pytest.raises(ConnectionResetError):
            s.read_all()
        assert s.finish() == 1
    assert s.log == f"forward: unix:{tmp_path}/s: No such file or directory\n"


def test_who_does_not_answer_is_not_waited_for_for_ever(tmp_path):
    path = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(path)
        full.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(path)
            with Session(command("forward", "-w", "300ms", f"unix:{path}")) as s:
                with pytest.raises(ConnectionResetError):
                    s.read_all()
                assert s.finish() == 1
    assert s.log.startswith(f"forward: unix:{path}: ") and s.log.endswith(" timed out\n")


def test_a_reset_by_the_server_is_one_for_the_client():
    def handle(c):
        assert c.recv(100) == b"hello"
        reset(c)

    with server(handle) as target, Session(command("forward", target)) as s:
        s.send(b"hello")
        with pytest.raises(ConnectionResetError):
            s.read_all()
        assert s.finish() == 1
        assert s.log == f"forward: {target}: Connection reset by peer\n"


def test_a_reset_by_the_client_is_one_for_the_server_and_no_error():
    outcome = []

    def handle(c):
        c.sendall(b"hello")
        try:
            outcome.append(read_all(c))
        except ConnectionResetError:
            outcome.append("reset")

    with server(handle) as target, Session(command("forward", target)) as s:
        assert s.client.recv(100) == b"hello"
        reset(s.client)
        assert (s.finish(), s.log) == (0, "")
    assert outcome == ["reset"]


def test_a_client_that_leaves_in_the_middle_ends_the_relay():
    done = threading.Event()

    def handle(c):
        with contextlib.suppress(ConnectionError):
            while True:
                c.sendall(b"x" * 65536)
        done.set()

    with server(handle) as target, Session(command("forward", target)) as s:
        assert s.client.recv(100)
        s.client.close()
        assert (s.finish(), s.log) == (0, "")
        assert done.wait(PATIENCE)


def test_the_answer_of_a_server_that_does_not_read_survives():
    """It answers and closes while the client still sends (H44, once more behind us)."""
    answer = b"413 too much\n" * 1000

    def handle(c):
        assert c.recv(1)
        c.sendall(answer)
        c.shutdown(socket.SHUT_WR)
        time.sleep(0.2)

    with server(handle) as target, Session(command("forward", target)) as s:
        def send():
            with contextlib.suppress(ConnectionError):
                s.send(b"x" * (16 << 20))
                s.half_close()

        sender = threading.Thread(target=send)
        sender.start()
        assert s.read_all() == answer
        sender.join()
        assert s.finish() == 0, s.log


def test_it_runs_by_hand_between_pipes_and_files(tmp_path):
    (tmp_path / "in").write_bytes(b"from a file")
    with server(shout) as target:
        run = subprocess.run(command("forward", target), input=b"hi", capture_output=True,
                             timeout=PATIENCE)
        assert (run.returncode, run.stdout, run.stderr) == (0, b"HI", b"")
        with open(tmp_path / "in") as stdin, open(tmp_path / "out", "a") as stdout:
            subprocess.run(command("forward", target), stdin=stdin, stdout=stdout, check=True,
                           timeout=PATIENCE)
    assert (tmp_path / "out").read_bytes() == b"FROM A FILE"


@pytest.mark.parametrize("args, said", [
    ([], "usage:"),
    (["-x", "localhost:1"], "usage:"),
    (["-w", "1 s", "localhost:1"], "usage:"),
    (["-c", "0", "localhost:1"], "usage:"),
    (["localhost:1", "PROG"], "usage:"),
    (["localhost:1", "--"], "usage:"),
    (["localhost"], "is not HOST:PORT"),
    (["localhost:0"], "the port is not 1 to 65535"),
    (["localhost:65536"], "the port is not 1 to 65535"),
    (["localhost:80x"], "the port is not 1 to 65535"),
    ([":80"], "is not HOST:PORT"),
    (["::1:80"], "in brackets"),
    (["unix:"], "the path is empty"),
    (["unix:@"], "the path is empty"),
    (["unix:/" + 107 * "x"], "longer than 107 bytes"),
    (["localhost:1", "--", "PROG"], "need a listening socket"),
    (["-i", "1s", "localhost:1"], "need a listening socket"),
])
def test_a_wrong_call_is_told_why(args, said):
    run = subprocess.run(command("forward", *args), stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=PATIENCE)
    assert run.returncode == 100
    assert said in run.stderr.decode()


def test_datagrams_are_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        run = subprocess.run(command("forward", "localhost:1"), stdin=udp, capture_output=True,
                             timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (111, b"forward: 0 is no stream\n")


# ---------------------------------------------------------------- a listener


def test_it_relays_all_clients_in_one_process():
    def handle(c):
        threading.Thread(target=lambda c=c.dup(): (c.settimeout(PATIENCE), shout(c), c.close())).start()

    with server(handle) as target, Listening(target) as f:
        clients = [f.connect() for _ in range(100)]
        for i, c in enumerate(clients):
            c.sendall(b"client %d" % i)
        for i, c in reversed(list(enumerate(clients))):
            c.shutdown(socket.SHUT_WR)
            assert read_all(c) == b"CLIENT %d" % i
            c.close()
        assert not [p for p, row in processes().items() if row[0] == f.process.pid]


def test_a_refused_client_is_reset_and_the_next_is_served():
    port = free_port()
    with Listening(f"127.0.0.1:{port}") as f:
        with pytest.raises(ConnectionResetError), f.connect() as c:
            read_all(c)
        with server(shout, address=("127.0.0.1", port)):
            assert f.ask(b"hello") == b"HELLO"
        f.process.terminate()
        assert f.finish() == 0
    assert f.log == f"forward: 127.0.0.1:{port}: Connection refused\n"


def test_systemd_may_hand_over_several():
    with server(shout) as target, socket.create_server(("127.0.0.1", 0)) as one, \
            socket.create_server(("127.0.0.1", 0)) as two:
        def place():
            high = [fcntl.fcntl(s, fcntl.F_DUPFD_CLOEXEC, 100) for s in (one, two)]
            for fd, copy in enumerate(high, 3):
                os.dup2(copy, fd)

        line = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\" </dev/null"
        process = subprocess.Popen(
            ["sh", "-c", line, "sh", *command("forward", "-i", "200ms", target)],
            preexec_fn=place, close_fds=False, stderr=subprocess.PIPE)
        for listener in one, two:
            with socket.create_connection(listener.getsockname(), PATIENCE) as c:
                c.sendall(b"hello")
                c.shutdown(socket.SHUT_WR)
                assert read_all(c) == b"HELLO"
        assert process.communicate(timeout=PATIENCE)[1] == b""
        assert process.returncode == 0


def test_more_than_it_may_wait_in_the_kernel():
    with server(lambda c: c.sendall(c.recv(100).upper())) as target, Listening("-c", 1, target) as f:
        with f.connect() as first, f.connect() as second:
            first.sendall(b"first")
            assert first.recv(100) == b"FIRST"
            second.sendall(b"second")
            first.shutdown(socket.SHUT_WR)
            assert first.recv(100) == b""
            assert second.recv(100) == b"SECOND"


def test_h03_too_few_descriptors_are_fewer_connections():
    """With 50 descriptors there is room for three; the others have their turn."""
    with server(lambda c: threading.Thread(
            target=lambda c=c.dup(): (shout(c), c.close())).start()) as target:
        with Listening(target, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (50, 50))) as f:
            clients = [f.connect() for _ in range(20)]
            for c in clients:
                c.sendall(b"hello")
                c.shutdown(socket.SHUT_WR)
            for c in clients:
                assert read_all(c) == b"HELLO"
                c.close()
            f.process.terminate()
            assert (f.finish(), f.log) == (0, "")


def test_a_silent_connection_ends_after_its_timeout():
    with server(shout) as target, Listening("--timeout", "200ms", target) as f:
        with pytest.raises(ConnectionResetError), f.connect() as c:
            read_all(c)


def test_it_ends_when_it_is_idle():
    with server(shout) as target, Listening("--idle", "100ms", target) as f:
        assert f.ask(b"hello") == b"HELLO"
        assert f.finish() == 0
    assert f.log == ""


# ---------------------------------------------------------------- the program behind it


def test_the_first_client_starts_the_program(backend):
    with Listening("-i", "10m", backend.target, *backend.argv()) as f:
        time.sleep(0.2)
        assert backend.starts() == []
        assert f.ask(b"hello") == b"HELLO"
        assert f.ask(b"again") == b"AGAIN"
        assert len(backend.starts()) == 1


def test_fifty_clients_at_once_start_it_once(backend):
    with Listening(backend.target, *backend.argv(delay=0.5)) as f:
        clients = [f.connect() for _ in range(50)]
        for i, c in enumerate(clients):
            c.sendall(b"client %d" % i)
        for i, c in enumerate(clients):
            c.shutdown(socket.SHUT_WR)
            assert read_all(c) == b"CLIENT %d" % i
            c.close()
        assert len(backend.starts()) == 1


def test_it_may_serve_a_unix_socket(backend, tmp_path):
    path = str(tmp_path / "s")
    with Listening(f"unix:{path}", *backend.argv(delay=0.2, address=path)) as f:
        assert f.ask(b"hello") == b"HELLO"


def test_it_is_stopped_when_idle_and_so_are_we(backend):
    with Listening("-i", "200ms", backend.target, *backend.argv()) as f:
        assert f.ask(b"hello") == b"HELLO"
        pid, = backend.starts()
        assert f.finish() == 0
        assert not living(pid)
    assert "started, process" in f.log


def test_who_is_connected_keeps_it(backend):
    with Listening("-i", "100ms", backend.target, *backend.argv()) as f:
        with f.connect() as c:
            c.sendall(b"hello")
            assert c.recv(100) == b"HELLO"
            time.sleep(0.5)
            c.sendall(b"again")
            assert c.recv(100) == b"AGAIN"
        assert f.finish() == 0


def test_a_program_that_ends_at_once_is_told_and_its_clients_are_reset(backend):
    with Listening(backend.target, "--", "sh", "-c", "sleep 0.3; exit 7") as f:
        clients = [f.connect() for _ in range(10)]
        for c in clients:
            with c, pytest.raises(ConnectionResetError):
                read_all(c)
        f.process.terminate()
        assert f.finish() == 0
    assert f.log.count("started") == 1
    assert "forward: sh ended with status 7 before it answered\n" in f.log


def test_a_program_that_does_not_exist_is_told(backend):
    with Listening(backend.target, "--", "/nonexistent") as f:
        with pytest.raises(ConnectionResetError), f.connect() as c:
            read_all(c)
        f.process.terminate()
        f.finish()
    assert "/nonexistent: No such file or directory\n" in f.log
    assert "ended with status 127 before it answered\n" in f.log


def test_a_program_that_never_answers_is_stopped(backend):
    argv = ["--", "sh", "-c", f"echo $$ >> {backend.log}; trap '' TERM; while :; do sleep 0.1; done"]
    with Listening("-w", "500ms", "-g", "200ms", backend.target, *argv) as f:
        clients = [f.connect() for _ in range(3)]
        for c in clients:
            with c, pytest.raises(ConnectionResetError):
                read_all(c)
        pid, = backend.starts()
        eventually(lambda: not living(pid), "it is gone")
        f.process.terminate()
        f.finish()
    assert f"forward: sh does not answer on {backend.target}\n" in f.log


def test_a_program_that_dies_is_started_for_the_next(backend):
    with Listening(backend.target, *backend.argv()) as f:
        with f.connect() as c:
            c.sendall(b"hello")
            assert c.recv(100) == b"HELLO"
            os.kill(backend.starts()[0], signal.SIGKILL)
            with contextlib.suppress(ConnectionResetError):
                assert c.recv(100) == b""
        # Its children have its listening socket, too, as long as they are there.
        first = backend.starts()[0]
        eventually(lambda: all(row[1] != first for row in processes().values()), "its group is gone")
        assert f.ask(b"again") == b"AGAIN"
        assert len(backend.starts()) == 2
        f.process.terminate()
        f.finish()
    assert "was ended by signal 9\n" in f.log


def test_a_program_that_always_dies_is_not_started_in_a_loop(backend):
    """H38: a second apart, however many come."""
    argv = ["--", "sh", "-c", f"echo $$ >> {backend.log}; exit 1"]
    with Listening(backend.target, *argv) as f:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            with pytest.raises(ConnectionResetError), f.connect() as c:
                read_all(c)
        assert 1 <= len(backend.starts()) <= 3


def test_h29_its_whole_group_is_stopped(backend):
    line = f"sleep 1000 & echo $! >> {backend.log}; sh -c 'trap \"\" TERM; sleep 1001' & " \
           f"echo $! >> {backend.log}; exec \"$@\""
    argv = ["--", "sh", "-c", line, "sh", *backend.argv()[1:]]
    with Listening("-i", "100ms", "-g", "300ms", backend.target, *argv) as f:
        assert f.ask(b"hello") == b"HELLO"
        pids = backend.starts()
        assert len(pids) == 3
        assert f.finish() == 0
        assert not living(*pids)


def test_a_stop_in_the_middle_leaves_nothing(backend):
    with Listening(backend.target, *backend.argv()) as f:
        with f.connect() as c:
            c.sendall(b"hello")
            assert c.recv(100) == b"HELLO"
            f.process.terminate()
            assert f.finish() == 0
            with pytest.raises(ConnectionResetError):
                c.recv(100)
    assert not living(*backend.starts())


def test_killed_it_takes_the_program_along(backend):
    with Listening(backend.target, *backend.argv()) as f:
        assert f.ask(b"hello") == b"HELLO"
        f.process.kill()
        f.finish()
        pid, = backend.starts()
        eventually(lambda: not living(pid), "it is gone")


def test_clients_that_leave_while_it_starts_are_forgotten(backend):
    with Listening("-i", "5m", backend.target, *backend.argv(delay=0.5)) as f:
        gone = [f.connect() for _ in range(5)]
        eventually(backend.starts, "it is started")
        for c in gone:
            reset(c)
        assert f.ask(b"hello") == b"HELLO"
        assert len(backend.starts()) == 1


def test_the_program_gets_neither_listener_nor_its_variables(backend):
    line = "ls -l /proc/self/fd >&2; env >&2; exit 3"
    with Listening(backend.target, "--", "sh", "-c", line) as f:
        with pytest.raises(ConnectionResetError), f.connect() as c:
            read_all(c)
        f.process.terminate()
        f.finish()
    assert "0 -> /dev/null" in f.log
    assert "socket:" not in f.log and "LISTEN_" not in f.log


# ---------------------------------------------------------------- under superd


def test_under_superd_each_connection_is_relayed(superd):
    with server(shout) as target:
        d = superd({"services": {"front": {
            "listen": "127.0.0.1:0", "exec": [str(HANDLERS / "forward"), target]}}})
        assert d.ask("front", b"hello") == b"HELLO"
        d.wait_idle()
        assert d.find("close")[0]["exit"] == 0
