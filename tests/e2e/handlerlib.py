"""Runs handlers without the daemon: a connection on 0 and 1, and a client that may be rude."""

import contextlib
import os
import pathlib
import socket
import subprocess
import threading

TOP = pathlib.Path(__file__).resolve().parents[2]
HANDLERS = TOP / "build" / os.environ.get("FLAVOR", "release") / "handlers"
PATIENCE = 30  # seconds for what should take none: a bound for hangs, not a measure


def command(name, *args):
    return [str(HANDLERS / name), *map(str, args)]


class Session:
    """A handler on one side of a connection, us on the other."""

    def __init__(self, argv, kind="tcp", env=None, **popen):
        self.client, theirs = tcp_pair() if kind == "tcp" else socket.socketpair()
        self.client.settimeout(PATIENCE)
        env = {"PATH": os.environ["PATH"], **(env or {})}
        with theirs:
            self.process = subprocess.Popen(
                argv, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=env, **popen)
        self.status = None
        self.log = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.finish()

    def send(self, data):
        self.client.sendall(data)

    def half_close(self):
        self.client.shutdown(socket.SHUT_WR)

    def read_all(self):
        """All up to the end of the connection; a reset raises."""
        return b"".join(iter(lambda: self.client.recv(65536), b""))

    def read_answer(self, to_head=False):
        """One HTTP answer, no byte of the next one."""
        return read_answer(self.client, to_head)

    def finish(self):
        """Exit status, once it has exited by itself."""
        if self.status is None:
            try:
                self.log = self.process.communicate(timeout=PATIENCE)[1].decode()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.log = self.process.communicate()[1].decode()
                raise
            self.status = self.process.returncode
        return self.status


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return client, theirs


class Answer:
    def __init__(self, head, body=b""):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, self.reason = lines[0].split(" ", 2)
        self.status = int(status)
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in self.fields, f"{name} twice"
            self.fields[name.lower()] = value
        self.body = body

    def __getitem__(self, name):
        return self.fields.get(name.lower())


def read_answer(client, to_head=False):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"the connection ended within a head: {head!r}"
        head += byte
    answer = Answer(head[:-4])
    if not to_head and answer.status != 304:
        left = int(answer["Content-Length"])
        while left:
            part = client.recv(left)
            assert part, f"the body ended {left} bytes early"
            answer.body += part
            left -= len(part)
    return answer


def exchange(argv, data=b"", **session):
    """Sends data, says that no more will come, returns all that comes back."""
    with Session(argv, **session) as s:
        s.send(data)
        s.half_close()
        answer = s.read_all()
        assert s.finish() == 0, s.log
    return answer


@contextlib.contextmanager
def served(argv):
    """A port that runs argv for each connection: for real clients.  Yields the port."""
    children = []

    def accept():
        while True:
            try:
                theirs, _ = listener.accept()
            except OSError:
                return
            with theirs:
                children.append(subprocess.Popen(argv, stdin=theirs, stdout=theirs))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    for child in children:
        assert child.wait(PATIENCE) == 0


def curl(*args):
    return subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *map(str, args)],
                          capture_output=True, check=True).stdout
