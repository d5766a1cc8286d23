"""discard, daytime, time, chargen, and echo over UDP: the little services, on both transports."""

import contextlib
import socket
import struct
import subprocess
import time

import pytest

from handlerlib import PATIENCE, Session, command, exchange
from superdlib import HANDLERS, needs_root

SINCE_1900 = 2208988800
EVERY = ["echo", "discard", "daytime", "time", "chargen"]
ANSWERING = ["echo", "daytime", "time", "chargen"]


class Datagrams:
    """A handler with a datagram socket on 0, as superd starts it in mode wait."""

    def __init__(self, name, *args, host="127.0.0.1", first=(), family=socket.AF_INET,
                 connected=False):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.clients = []
        self.first = self.client()
        for data, address in first:
            self.first.sendto(data, (address, self.port))
        if connected:
            self.socket.connect(self.first.getsockname())
        self.process = subprocess.Popen(command(name, *args), stdin=self.socket,
                                        stdout=self.socket, stderr=subprocess.PIPE)

    def client(self, host="127.0.0.1", port=0, family=socket.AF_INET):
        c = socket.socket(family, socket.SOCK_DGRAM)
        c.bind((host, port))
        c.settimeout(PATIENCE)
        self.clients.append(c)
        return c

    def ask(self, data, host="127.0.0.1"):
        self.first.sendto(data, (host, self.port))
        return self.first.recv(65536)

    def answers(self):
        """Whatever was sent before this has been dealt with."""
        c = self.client()
        c.sendto(b"x", ("127.0.0.1", self.port))
        c.recv(65536)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        log = self.process.communicate(timeout=PATIENCE)[1].decode()
        for s in (self.socket, *self.clients):
            s.close()
        assert log == ""


def silent(client):
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.recv(65536)
        return False
    return True


# ---------------------------------------------------------------- TCP


def test_discard_takes_everything_and_says_nothing():
    assert exchange(command("discard"), b"x" * 1000000) == b""


def test_a_client_that_leaves_discard_is_no_error():
    with Session(command("discard")) as s:
        s.send(b"x")
        s.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.client.close()
        assert (s.finish(), s.log) == (0, "")


def test_daytime_says_it_in_one_line():
    before = int(time.time())
    line = exchange(command("daytime"), b"ignored").decode()
    assert line.endswith("\r\n")
    said = time.mktime(time.strptime(line[:-2], "%a %b %d %H:%M:%S %Y"))
    assert before <= said <= time.time()


def test_time_says_it_in_four_bytes():
    before = int(time.time())
    seconds, = struct.unpack("!I", exchange(command("time")))
    assert before <= seconds - SINCE_1900 <= time.time()


def test_chargen_goes_on_until_the_client_leaves():
    with Session(command("chargen")) as s:
        s.send(b"thrown away" * 10000)
        s.half_close()
        data = b""
        while len(data) < 1000000:
            data += s.client.recv(65536)
        s.client.close()
        assert (s.finish(), s.log) == (0, "")
    lines = data.split(b"\r\n")[:-1]
    ring = bytes(range(32, 127)) * 2
    for i, line in enumerate(lines):
        assert line == ring[i % 95:i % 95 + 72]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("args", [["x"], ["-x"], ["-n", "65536"], ["-n", "x"], ["-n", ""],
                                  ["-i", "2h"], ["-n", "1"] * 17])
def test_a_wrong_call_is_told(name, args):
    run = subprocess.run(command(name, *args), stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=PATIENCE)
    assert run.returncode == 100
    assert run.stderr.decode().endswith(f"usage: {name} [-i IDLE] [-n PORT] ...\n")


# ---------------------------------------------------------------- UDP


@pytest.mark.parametrize("data", [b"hello\n\0\xff", b"", b"x" * 60000])
def test_echo_gives_back_each_datagram(data):
    with Datagrams("echo") as d:
        assert d.ask(data) == data
        assert d.ask(b"again") == b"again"


def test_time_and_daytime_answer_even_an_empty_datagram():
    with Datagrams("time") as d:
        assert abs(struct.unpack("!I", d.ask(b""))[0] - SINCE_1900 - time.time()) < 60
    with Datagrams("daytime") as d:
        assert time.strptime(d.ask(b"").decode()[:-2], "%a %b %d %H:%M:%S %Y")


def test_h40_chargen_answers_with_no_more_than_it_got():
    with Datagrams("chargen") as d:
        for size in (1, 10, 74, 75, 512, 513, 60000):
            answer = d.ask(b"x" * size)
            assert len(answer) == min(size, 512)
        d.first.sendto(b"", ("127.0.0.1", d.port))
        d.answers()
        assert silent(d.first)


def test_discard_answers_nothing():
    with Datagrams("discard", "-i", "300ms") as d:
        d.first.sendto(b"x", ("127.0.0.1", d.port))
        assert d.process.wait(PATIENCE) == 0
        assert silent(d.first)


@pytest.mark.parametrize("name", EVERY)
def test_it_ends_when_it_is_idle(name):
    with Datagrams(name, "-i", "200ms", first=[(b"x", "127.0.0.1")]) as d:
        if name != "discard":
            assert d.first.recv(65536)
        assert d.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("name", ANSWERING)
def test_a_connected_socket_has_one_peer_and_its_first_datagram(name):
    with Datagrams(name, "-i", "200ms", first=[(b"x", "127.0.0.1")], connected=True) as d:
        assert d.first.recv(65536)
        d.first.sendto(b"y", ("127.0.0.1", d.port))
        assert d.first.recv(65536)
        assert d.process.wait(PATIENCE) == 0


def test_a_peer_that_has_gone_is_no_error():
    with Datagrams("echo", "-i", "300ms", first=[(b"x", "127.0.0.1")], connected=True) as d:
        assert d.first.recv(65536)
        gone = d.client()
        port = gone.getsockname()[1]
        gone.sendto(b"x", ("127.0.0.1", d.port))
        d.first.sendto(b"x", ("127.0.0.1", d.port))
        d.first.close()
        gone.close()
        assert port and d.process.wait(PATIENCE) == 0


@needs_root
@pytest.mark.parametrize("name", ANSWERING)
def test_h40_ports_below_1024_are_never_answered(name):
    with Datagrams(name) as d:
        low = d.client("127.0.0.9", 1023)
        low.sendto(b"x" * 100, ("127.0.0.1", d.port))
        high = d.client("127.0.0.9", 1024)
        high.sendto(b"x" * 100, ("127.0.0.1", d.port))
        assert high.recv(65536)
        assert silent(low)


@pytest.mark.parametrize("name", ANSWERING)
def test_h40_our_own_port_is_never_answered(name):
    with Datagrams(name) as d:
        same = d.client("127.0.0.9", d.port)
        same.sendto(b"x" * 100, ("127.0.0.1", d.port))
        d.answers()
        assert silent(same)


def test_h40_named_ports_are_never_answered():
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.bind(("127.0.0.9", 0))
    with probe, Datagrams("echo", "-n", 7777, "-n", probe.getsockname()[1]) as d:
        probe.sendto(b"x", ("127.0.0.1", d.port))
        d.answers()
        assert silent(probe)


@pytest.mark.parametrize("early", [True, False])
def test_h40_what_came_to_everybody_is_not_answered(early):
    with Datagrams("echo", host="0.0.0.0") as d:
        if not early:
            d.answers()
        for to in "127.255.255.255", "224.0.0.1":
            c = d.client()
            c.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            c.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            c.sendto(b"x", (to, d.port))
            d.answers()
            assert silent(c)


@pytest.mark.parametrize("host, family", [("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)])
def test_h41_the_answer_leaves_from_the_address_that_was_asked(host, family):
    """Also that to the first, which came before we were there."""
    with Datagrams("echo", host=host, family=family, first=[(b"x", "127.0.0.5")]) as d:
        assert d.first.recvfrom(100) == (b"x", ("127.0.0.5", d.port))
        d.first.sendto(b"y", ("127.0.0.6", d.port))
        assert d.first.recvfrom(100) == (b"y", ("127.0.0.6", d.port))
        if family == socket.AF_INET6:
            six = d.client("::1", family=family)
            six.sendto(b"z", ("::1", d.port))
            assert six.recvfrom(100)[:2] == (b"z", ("::1", d.port, 0, 0))


def test_a_unix_socket_answers_who_has_a_name(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        s.bind(str(tmp_path / "s"))
        named.bind(str(tmp_path / "c"))
        named.settimeout(PATIENCE)
        nameless.sendto(b"x", str(tmp_path / "s"))
        named.sendto(b"y", str(tmp_path / "s"))
        run = subprocess.Popen(command("echo", "-i", "200ms"), stdin=s)
        assert named.recv(100) == b"y"
        assert run.wait(PATIENCE) == 0


# ---------------------------------------------------------------- under superd


def test_under_superd_over_tcp(superd):
    d = superd({"services": {name: {"listen": "127.0.0.1:0", "exec": [str(HANDLERS / name)]}
                             for name in ("discard", "daytime", "time")}})
    assert d.ask("discard", b"x" * 100) == b""
    assert d.ask("daytime").endswith(b"\r\n")
    assert len(d.ask("time")) == 4
    d.wait_idle()
    assert [e["exit"] for e in d.find("close")] == [0, 0, 0]
