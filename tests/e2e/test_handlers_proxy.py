"""proxy: takes the PROXY header off a connection, then is the handler behind it."""

import csv
import io
import os
import shutil
import socket
import struct
import subprocess
import time

import pytest

from handlerlib import PATIENCE, Session, command
from superdlib import eventually, handler

# Says who its client is, then gives back what was sent behind the header.
SHOW = ["sh", "-c", "env | LC_ALL=C sort; echo; exec cat"]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\n"
HERE = {
    "PROTO": "TCP", "TCPREMOTEIP": "10.0.0.1", "TCPREMOTEPORT": "99", "TCPLOCALIP": "10.0.0.2",
    "TCPLOCALPORT": "25", "REMOTE_ADDR": "10.0.0.1", "REMOTE_PORT": "99",
    "SERVER_ADDR": "10.0.0.2", "SERVER_PORT": "25", "SUPERD_CONN": "7",
}
NOISE = {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}


def element(kind, value):
    return bytes([kind]) + struct.pack("!H", len(value)) + value


def v2(family, block=b"", elements=b"", command=1):
    block += elements
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(block)) + block


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def ends(remote, local, remote_port, local_port):
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    return socket.inet_pton(family, remote) + socket.inet_pton(family, local) + \
        struct.pack("!HH", remote_port, local_port)


def declared(remote, local, remote_port, local_port):
    """What the environment has to say then, over HERE."""
    return {
        **HERE, "TCPREMOTEIP": remote, "TCPREMOTEPORT": remote_port, "TCPLOCALIP": local,
        "TCPLOCALPORT": local_port, "REMOTE_ADDR": remote, "REMOTE_PORT": remote_port,
        "SERVER_ADDR": local, "SERVER_PORT": local_port, "PROXY_ADDR": "10.0.0.1",
        "PROXY_PORT": "99",
    }


V4_BLOCK = ends("192.0.2.1", "198.51.100.2", 4711, 80)
V2 = v2(0x11, V4_BLOCK)
V4_ENV = declared("192.0.2.1", "198.51.100.2", "4711", "80")
V6_ENV = declared("2001:db8::1", "2001:db8::2", "4711", "80")
UNIX_ENV = {"PROTO": "IPC", "SUPERD_CONN": "7", "PROXY_ADDR": "10.0.0.1", "PROXY_PORT": "99"}


def read_shown(data):
    """The environment and the input, out of what SHOW says."""
    text, _, rest = data.partition(b"\n\n")
    env = dict(line.split("=", 1) for line in text.decode().splitlines())
    return {k: v for k, v in env.items() if k not in NOISE}, rest


def show(header, data=b"", env=HERE, kind="tcp", args=()):
    with Session(command("proxy", *args, *SHOW), env=env, kind=kind) as s:
        s.send(header + data)
        s.half_close()
        shown = read_shown(s.read_all())
        assert s.finish() == 0, s.log
        assert s.log == ""
    return shown


CASES = {
    "v1-ipv4": (V1, V4_ENV),
    "v1-ipv6": (b"PROXY TCP6 2001:db8::1 2001:db8:0::2 4711 80\r\n", V6_ENV),
    "v1-mapped": (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4711 80\r\n", V4_ENV),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", HERE),
    "v1-unknown-more": (b"PROXY UNKNOWN 1.2.3.4 1.2.3.4 1 2\r\n", HERE),
    "v2-ipv4": (V2, V4_ENV),
    "v2-ipv6": (v2(0x21, ends("2001:db8::1", "2001:db8::2", 4711, 80)), V6_ENV),
    "v2-mapped": (v2(0x21, ends("::ffff:192.0.2.1", "::ffff:198.51.100.2", 4711, 80)), V4_ENV),
    "v2-unix": (v2(0x31, b"/run/client".ljust(108, b"\0") * 2), UNIX_ENV),
    "v2-local": (v2(0, command=0), HERE),
    "v2-local-more": (v2(0x11, V4_BLOCK, command=0), HERE),
    "v2-unspecified": (v2(0, b"abc"), HERE),
}


@pytest.mark.parametrize("header, env", CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_environment_is_what_the_header_declares(header, env, kind):
    assert show(header, kind=kind) == (env, b"")


@pytest.mark.parametrize("header, env", CASES.values(), ids=CASES)
def test_what_follows_the_header_reaches_the_handler_untouched(header, env):
    data = b"\r\n\r\n\0PROXY \xff" + bytes(range(256)) * 40
    assert show(header, data) == (env, data)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_header_that_comes_byte_by_byte_is_one(header):
    with Session(command("proxy", *SHOW), env=HERE) as s:
        s.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(header)):
            s.send(header[i:i + 1])
            time.sleep(0.001)
        s.send(b"hello")
        s.half_close()
        assert read_shown(s.read_all()) == (V4_ENV, b"hello")


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_pipe_is_read_to_the_byte_too(header):
    run = subprocess.run(command("proxy", *SHOW), input=header + b"hello", capture_output=True,
                         env={"PATH": os.environ["PATH"], **HERE}, timeout=PATIENCE, check=True)
    assert (read_shown(run.stdout), run.stderr) == ((V4_ENV, b"hello"), b"")


def test_two_headers_are_for_two_of_it():
    with Session(command("proxy", *command("proxy", *SHOW)), env=HERE) as s:
        s.send(V1 + v2(0x11, ends("203.0.113.9", "203.0.113.10", 1, 2)) + b"hello")
        s.half_close()
        env, data = read_shown(s.read_all())
    assert (env["TCPREMOTEIP"], env["PROXY_ADDR"], data) == ("203.0.113.9", "192.0.2.1", b"hello")


def test_by_hand_the_kernel_knows_who_the_proxy_is():
    with Session(command("proxy", *SHOW)) as s:
        s.send(V1)
        s.half_close()
        env, _ = read_shown(s.read_all())
        ours = s.client.getsockname()
    assert (env["PROXY_ADDR"], env["PROXY_PORT"]) == (ours[0], str(ours[1]))
    assert env["TCPREMOTEIP"] == "192.0.2.1"


def test_what_was_true_of_the_proxy_is_not_left_for_the_client():
    ipc = {"PROTO": "IPC", "IPCREMOTEEUID": "0", "IPCREMOTEEGID": "0", "IPCREMOTEPID": "1",
           "TCPREMOTEHOST": "proxy.example", "PROXY_TLS_CN": "old", "PROXY_AUTHORITY": "old"}
    env, _ = show(V1, env=ipc, kind="unix")
    assert env == {k: v for k, v in V4_ENV.items() if k not in
                   ("SUPERD_CONN", "PROXY_ADDR", "PROXY_PORT")}


def test_what_the_proxy_adds_is_in_the_environment():
    tls = element(0x20, b"\7\0\0\0\0" + element(0x21, b"TLSv1.3") + element(0x22, b"Jo Doe") +
                  element(0x23, b"TLS_AES_128_GCM_SHA256") + element(0x25, b"RSA2048"))
    header = v2(0x11, V4_BLOCK, element(4, b"") + element(1, b"h2") + element(2, b"a.example") +
                element(5, b"\0\n\xff") + tls + element(0xea, b"vpce\n"))
    assert show(header) == ({
        **V4_ENV, "PROXY_ALPN": "h2", "PROXY_AUTHORITY": "a.example", "PROXY_UNIQUE_ID": "000aff",
        "PROXY_TLS": "1", "PROXY_TLS_VERIFIED": "1", "PROXY_TLS_VERSION": "TLSv1.3",
        "PROXY_TLS_CIPHER": "TLS_AES_128_GCM_SHA256", "PROXY_TLS_CN": "Jo Doe"}, b"")


def test_a_client_without_tls_and_a_name_that_was_not_verified():
    env, _ = show(v2(0x11, V4_BLOCK, element(0x20, b"\0\0\0\0\0")))
    assert env == {**V4_ENV, "PROXY_TLS": "0", "PROXY_TLS_VERIFIED": "0"}
    env, _ = show(v2(0x11, V4_BLOCK, element(0x20, b"\3\0\0\0\1" + element(0x22, b"root"))))
    assert env == {**V4_ENV, "PROXY_TLS": "1", "PROXY_TLS_VERIFIED": "0"}


@pytest.mark.parametrize("byte", [b"\0", b"\n", b"\x1b", b"\x7f", b"\xff"])
def test_text_with_control_bytes_never_becomes_a_variable(byte):
    bad = b"a" + byte + b"LD_PRELOAD=x"
    header = v2(0x11, V4_BLOCK, element(1, bad) + element(2, bad) + element(
        0x20, b"\7\0\0\0\0" + element(0x21, bad) + element(0x22, bad) + element(0x23, bad)))
    assert show(header)[0] == {**V4_ENV, "PROXY_TLS": "1", "PROXY_TLS_VERIFIED": "1"}


def summed(change=0):
    header = v2(0x11, V4_BLOCK, element(3, bytes(4)) + element(2, b"a.example"))
    at = 16 + 12 + 3
    return header[:at] + struct.pack("!I", crc32c(header) ^ change) + header[at + 4:]


def test_a_checksum_is_verified():
    assert show(summed(), b"hello") == ({**V4_ENV, "PROXY_AUTHORITY": "a.example"}, b"hello")


def refused(header, *args, half_close=False):
    """The line in the log; the client got nothing, the handler never ran."""
    with Session(command("proxy", *args, "sh", "-c", "echo ran; echo ran >&2"), env=HERE) as s:
        s.send(header)
        if half_close:
            s.half_close()
        try:
            assert s.read_all() == b""
        except ConnectionResetError:
            pass  # there was input that nobody read
        assert s.finish() == 1
        assert s.log.startswith("proxy: ") and s.log.count("\n") == 1, s.log
    return s.log[len("proxy: "):-1]


BAD = {
    "http": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "not a PROXY header"),
    "tls": (b"\x16\x03\x01\x02\0\1", "not a PROXY header"),
    "garbage": (bytes(range(255, 0, -1)), "not a PROXY header"),
    "zeros": (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "not a port"),
    "name": (b"PROXY TCP4 a.example 1.2.3.4 1 2\r\n", "not an address of the family it names"),
    "bare": (b"PROXY UNKNOWN\n", "a line feed without a carriage return"),
    "v1-long": (b"PROXY UNKNOWN " + b"x" * 200, "longer than 107 bytes"),
    "v2-long": (v2(0x11, V4_BLOCK, bytes(5000)), "longer than 4096 bytes"),
    "sum": (summed(1), "a wrong checksum"),
    "overrun": (v2(0x11, V4_BLOCK, element(2, b"abc")[:-1]), "an element that overruns"),
    "udp": (v2(0x12, V4_BLOCK), "a datagram"),
    "family": (v2(0x41, V4_BLOCK), "an unknown family or protocol"),
}


@pytest.mark.parametrize("header, why", BAD.values(), ids=BAD)
def test_what_is_no_header_is_refused_at_once(header, why):
    assert refused(header) == f"bad header: {why}"


@pytest.mark.parametrize("header", [b"P", V1[:-1], V2[:5], V2[:-1]])
def test_a_header_that_ends_early_is_refused(header):
    assert refused(header, half_close=True) == "no whole header: the connection ended"


@pytest.mark.parametrize("header", [b"", V1[:-1], V2[:-1]])
def test_a_header_that_does_not_come_in_time_is_refused(header):
    start = time.monotonic()
    assert refused(header, "-T", "0.5") == "no whole header: not in time"
    assert 0.45 < time.monotonic() - start < 5


def test_a_byte_now_and_then_does_not_move_the_deadline():
    with Session(command("proxy", "-T", "0.5", "true"), env=HERE) as s:
        start = time.monotonic()
        for byte in b"PROXY UNKNOWN " + b"x" * 60:
            if s.process.poll() is not None:
                break
            s.client.send(bytes([byte]))
            time.sleep(0.1)
        assert time.monotonic() - start < 5
        assert (s.finish(), s.log) == (1, "proxy: no whole header: not in time\n")


@pytest.mark.parametrize("reset", [False, True])
def test_a_probe_of_the_port_is_no_error(reset):
    with Session(command("proxy", "sh", "-c", "echo ran >&2"), env=HERE) as s:
        if reset:
            s.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.client.close()
        assert (s.finish(), s.log) == (0, "")


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize("args", [(), ("-T",), ("-T", "1"), ("-T", "0", "cat"), ("-T", "-1", "cat"),
                                  ("-T", "x", "cat"), ("-T", "1.", "-x"), ("-T", ".5", "cat"),
                                  ("-T", "1.2.3", "cat"), ("-T", "3601", "cat"), ("-x", "cat")])
def test_a_wrong_command_line_is_told(args):
    run = subprocess.run(command("proxy", *args), stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=PATIENCE)
    assert run.returncode == 100
    assert run.stderr.endswith("usage: proxy [-T SECONDS] PROG [ARG ...]\n")


def test_the_options_of_the_program_are_its_own():
    with Session(command("proxy", "-T", "30.125", "printf", "%s", "-T"), env=HERE) as s:
        s.send(V1)
        assert s.read_all() == b"-T"


@pytest.mark.parametrize("program, status", [("no-such-program", 127), ("/", 126)])
def test_a_program_that_cannot_be_started_is_told(program, status):
    with Session(command("proxy", program), env=HERE) as s:
        s.send(V1)
        assert s.read_all() == b""
        assert s.finish() == status
        assert s.log.startswith(f"proxy: {program}: ")


def test_signals_and_descriptors_are_as_they_were():
    with Session(command("proxy", *command("fds")), env=HERE) as s:
        s.send(V1)
        text = s.read_all().decode()
    assert "  blocked: none\n  ignored: none\n" in text
    assert sum(line.split()[1:2] in (["read"], ["write"], ["both"])
               for line in text.splitlines()) == 3


# ---------------------------------------------------------------- admission


class Admission(Session):
    """A proxy that has to ask us."""

    def __init__(self, *args, kind=socket.SOCK_SEQPACKET, program=SHOW, number=None):
        self.superd, theirs = socket.socketpair(socket.AF_UNIX, kind)
        self.superd.settimeout(PATIENCE)
        with theirs:
            fd = theirs.fileno()
            super().__init__(command("proxy", *args, *program), pass_fds=[fd],
                             env={**HERE, "SUPERD_ADMIT": str(fd) if number is None else number})

    def __exit__(self, *args):
        self.superd.close()
        super().__exit__(*args)


@pytest.mark.parametrize("header, request_line", [
    (V1, b"TCP 192.0.2.1 4711 198.51.100.2 80\n"),
    (CASES["v1-mapped"][0], b"TCP 192.0.2.1 4711 198.51.100.2 80\n"),
    (CASES["v2-ipv6"][0], b"TCP 2001:db8::1 4711 2001:db8::2 80\n"),
    (CASES["v2-unix"][0], b"UNIX\n"),
    (CASES["v2-local"][0], b"LOCAL\n"),
    (CASES["v1-unknown"][0], b"LOCAL\n"),
])
def test_it_asks_and_goes_on_when_it_may(header, request_line):
    with Admission() as s:
        s.send(header + b"hello")
        assert s.superd.recv(1000) == request_line
        s.superd.send(b"ok\n")
        assert s.superd.recv(1000) == b"", "the handler must not keep it"
        s.half_close()
        env, data = read_shown(s.read_all())
        assert "SUPERD_ADMIT" not in env
        assert (data, s.finish(), s.log) == (b"hello", 0, "")


def test_the_handler_does_not_run_before_the_answer():
    with Admission() as s:
        s.send(V1)
        assert s.superd.recv(1000)
        s.client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            s.client.recv(1)
        s.client.settimeout(PATIENCE)
        s.superd.send(b"ok\n")
        assert s.client.recv(1)
        s.half_close()


@pytest.mark.parametrize("answer", [b"no\n", b"no "])
def test_a_refusal_ends_it_without_a_word(answer):
    with Admission() as s:
        s.send(V1)
        assert s.superd.recv(1000)
        s.superd.send(answer)
        assert s.read_all() == b""
        assert (s.finish(), s.log) == (0, "")


@pytest.mark.parametrize("text", [b"421 too many\r\n", b"no\n", b"x" * 60000])
def test_the_text_of_a_refusal_reaches_a_client_that_was_still_sending(text):
    with Admission() as s:
        s.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.send(V1 + b"unread" * 10000)
        assert s.superd.recv(1000)
        s.superd.send(b"no " + text)
        s.send(b"more" * 1000)
        assert s.read_all() == text, "no reset, either"
        s.client.close()
        assert (s.finish(), s.log) == (0, "")


@pytest.mark.parametrize("answer", [b"", b"ok", b"OK\n", b"ok\nok\n", b"okay\n", b"no", b"yes\n",
                                    b"nobody\n", b"\0", b"no " + b"x" * 70000],
                         ids=lambda a: repr(a[:8]))
def test_any_other_answer_is_an_error(answer):
    with Admission() as s:
        s.superd.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200000)
        s.send(V1)
        assert s.superd.recv(1000)
        s.superd.send(answer)
        assert s.read_all() == b""
        assert s.finish() == 111
        assert s.log.startswith("proxy: SUPERD_ADMIT: ") and s.log.count("\n") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_superd_that_leaves_is_an_error(when):
    with Admission() as s:
        if when == "before":
            s.superd.close()
        s.send(V1)
        if when == "after":
            assert s.superd.recv(1000)
            s.superd.close()
        assert s.read_all() == b""
        assert s.finish() == 111
        assert s.log.startswith("proxy: SUPERD_ADMIT: ")


def test_a_superd_that_is_silent_is_an_error():
    with Admission("-T", "0.5") as s:
        s.send(V1)
        assert s.superd.recv(1000)
        assert s.read_all() == b""
        assert s.finish() == 111


def test_nothing_is_asked_of_what_is_no_header():
    with Admission() as s:
        s.send(b"GET / HTTP/1.0\r\n\r\n")
        assert s.superd.recv(1000) == b""
        assert s.finish() == 1


@pytest.mark.parametrize("number", ["", "x", "-1", "0", "2", " 3", "3x", "99", "99999999999"])
def test_a_number_that_is_no_such_socket_is_an_error(number):
    with Admission(number=number) as s:
        assert (s.finish(), s.log) == (111, "proxy: SUPERD_ADMIT is no packet socket\n")


def test_a_stream_is_no_such_socket():
    with Admission(kind=socket.SOCK_STREAM) as s:
        assert s.finish() == 111


# ---------------------------------------------------------------- the real one

HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
needs_haproxy = pytest.mark.skipif(not HAPROXY, reason="HAProxy is not installed (package haproxy)")


class Haproxy:
    """One listener before one server, which it checks so often."""

    def __init__(self, folder, server, server_options, backend="", listen="127.0.0.1", every_ms=100):
        family = socket.AF_INET6 if ":" in listen else socket.AF_INET
        self.control = folder / "haproxy.sock"
        with socket.create_server((listen, 0), family=family) as listener:
            self.address = listener.getsockname()[:2]
            (folder / "haproxy.cfg").write_text(
                "global\n"
                "  nbthread 1\n"
                f"  stats socket {self.control}\n"
                "defaults\n"
                "  mode tcp\n"
                "  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n"
                "  timeout check 5s\n"
                "frontend in\n"
                f"  bind fd@{listener.fileno()}\n"
                "  unique-id-format id-%ci-%cp\n"
                "  default_backend out\n"
                "backend out\n"
                f"{backend}"
                f"  server s {server} check inter {every_ms}ms {server_options}\n")
            self.log = open(folder / "haproxy.log", "w+")
            self.process = subprocess.Popen(
                [HAPROXY, "-db", "-f", str(folder / "haproxy.cfg")], stdin=subprocess.DEVNULL,
                stdout=self.log, stderr=self.log, pass_fds=[listener.fileno()])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.log.close()

    def state(self):
        """The server, as haproxy's statistics see it."""
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(str(self.control))
            except OSError:
                assert self.process.poll() is None, self.said()
                return None
            s.sendall(b"show stat\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
        return next(row for row in rows if row["svname"] == "s")

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def ask(self):
        """Our own address, and what the handler says of it."""
        with socket.create_connection(self.address, PATIENCE) as s:
            return s.getsockname()[:2], \
                b"".join(iter(lambda: s.recv(65536), b"")).decode()


OPTIONS = {
    "v1": ("send-proxy", ""),
    "v2": ("send-proxy-v2", ""),
    "v2-elements": ("send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl,cert-cn", ""),
    "v2-ssl": ("send-proxy-v2-ssl-cn", ""),
    "tcp-check-v1": ("send-proxy", "  option tcp-check\n  tcp-check connect send-proxy\n"
                                   "  tcp-check expect string Descriptors\n"),
    "tcp-check-v2": ("send-proxy-v2", "  option tcp-check\n  tcp-check connect send-proxy\n"
                                      "  tcp-check expect string Descriptors\n"),
    "check-send-proxy": ("send-proxy-v2 check-send-proxy", ""),
}


@needs_haproxy
@pytest.mark.parametrize("options, backend", OPTIONS.values(), ids=OPTIONS)
def test_haproxy_tells_the_client_and_sees_the_server_up(superd, folder, options, backend):
    d = superd({"services": {"web": {
        "listen": "127.0.0.1:0", "exec": [handler("proxy"), handler("fds")]}}})
    with Haproxy(folder, d.addr["web"], options, backend) as h:
        eventually(lambda: h.state() and len(d.find("close")) >= 5, "five health checks")
        ours, text = h.ask()
        words = text.split()
        assert f"TCPREMOTEIP={ours[0]}" in words and f"TCPREMOTEPORT={ours[1]}" in words
        assert f"SERVER_ADDR={h.address[0]}" in words
        assert f"SERVER_PORT={h.address[1]}" in words
        state = h.state()
        assert (state["status"], state["chkfail"], state["chkdown"]) == ("UP", "0", "0"), h.said()
        assert state["check_status"] in ("L4OK", "L7OK", "* L4OK", "* L7OK")
        assert state["econ"] == state["eresp"] == "0"
    d.wait_idle()
    assert not d.find("stderr")
    assert [e for e in d.find("close") if e.get("exit") != 0] == []


@needs_haproxy
def test_haproxy_sends_an_ipv6_client(superd, folder):
    d = superd({"services": {"web": {
        "listen": "127.0.0.1:0", "exec": [handler("proxy"), handler("fds")]}}})
    with Haproxy(folder, d.addr["web"], "send-proxy-v2", listen="::1") as h:
        eventually(lambda: h.state() and h.state()["status"] == "UP", "the server is up")
        ours, text = h.ask()
        assert "TCPREMOTEIP=::1" in text.split()
        assert f"TCPREMOTEPORT={ours[1]}" in text.split()


@needs_haproxy
def test_the_checksum_and_the_unique_id_of_haproxy(superd, folder):
    d = superd({"services": {"web": {
        "listen": "127.0.0.1:0", "exec": [handler("proxy"), "/usr/bin/env"]}}})
    with Haproxy(folder, d.addr["web"],
                 "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl") as h:
        eventually(lambda: h.state() and h.state()["status"] == "UP", "the server is up")
        ours, text = h.ask()
        env = dict(line.split("=", 1) for line in text.splitlines())
    assert bytes.fromhex(env["PROXY_UNIQUE_ID"]).decode() == f"id-{ours[0]}-{ours[1]}"
    assert env["TCPREMOTEPORT"] == str(ours[1])
    assert env["PROXY_ADDR"] == "127.0.0.1" and env["PROXY_PORT"] != env["TCPREMOTEPORT"]


@needs_haproxy
def test_haproxy_that_sends_no_header_is_told_so_in_the_log(superd, folder):
    d = superd({"services": {"web": {
        "listen": "127.0.0.1:0", "exec": [handler("proxy"), handler("fds")]}}})
    with Haproxy(folder, d.addr["web"], "") as h:
        eventually(lambda: h.state() is not None, "haproxy runs")
        with socket.create_connection(h.address, PATIENCE) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert s.recv(100) == b""
    d.wait_for("stderr", where=lambda e: "not a PROXY header" in str(e))
