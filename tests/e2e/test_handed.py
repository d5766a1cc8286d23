"""Sockets that superd's parent opened: LISTEN_FDS, and "fd:NAME" in a configuration."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

from superdlib import PATIENCE, SUPERD, connect, echo, eventually, needs_root, script, shell

# What systemd does between fork and exec: the sockets are 3 and up.
LAUNCH = """#!/usr/bin/python3
import fcntl, os, sys
given = [item.split("=") for item in sys.argv[1].split(",") if item]
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 400) for fd, _ in given]
for fd, _ in given:
    os.close(int(fd))
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)),
                  LISTEN_FDNAMES=":".join(name for _, name in given))
os.execv(sys.argv[2], sys.argv[2:])
"""


def stream(address="127.0.0.1", listening=True):
    s = socket.socket()
    s.bind((address, 0))
    if listening:
        s.listen(10)
    return s


def text_of(s):
    return "%s:%d" % s.getsockname()[:2]


class Parent:
    def __init__(self, superd, folder):
        self.superd, self.launch = superd, script(folder, "launch.py", LAUNCH)
        self.folder, self.sockets = folder, []

    def prefix(self, *given):
        """(socket, name) … as a command to put before superd's."""
        words = []
        for s, name in given:
            # Far from the numbers that they get.
            fd = os.dup(s.fileno()) if isinstance(s, socket.socket) else os.dup(s)
            os.set_inheritable(fd, True)
            self.sockets.append(fd)
            words.append(f"{fd}={name}")
        return [str(self.launch), ",".join(words)]

    def __call__(self, config, *given, **options):
        return self.superd(config, prefix=self.prefix(*given), ready_fd=350, **options)

    def run(self, *given, words):
        """superd as a command that ends."""
        done = subprocess.run([*self.prefix(*given), SUPERD, *words], capture_output=True,
                              text=True, timeout=PATIENCE, close_fds=False)
        return done.returncode, done.stdout, done.stderr

    def refused(self, listen, *given, **keys):
        config = self.folder / "refused.json"
        config.write_text('{ "services": { "a": { "listen": %s, "exec": "cat"%s } } }' % (
            listen, "".join(f', "{k}": {v}' for k, v in {"user": '"nobody"', **keys}.items())))
        code, out, err = self.run(*given, words=["-c", config])
        assert (code, out) == (1, ""), err
        return err.removeprefix(f"{config}:").removesuffix("\n")


@pytest.fixture
def parent(superd, folder):
    p = Parent(superd, folder)
    yield p
    for fd in p.sockets:
        os.close(fd)


def test_sockets_are_found_by_name_and_by_number(parent):
    one, two, three, four = (stream() for _ in range(4))
    d = parent({"services": {"a": echo("fd:www"), "b": echo(["fd:other", "fd:6", "127.0.0.1:0"])}},
               (one, "www"), (two, "other"), (three, "www"), (four, "x"))
    assert d.addrs["a"] == [text_of(one), text_of(three)]
    assert d.addrs["b"][:2] == [text_of(two), text_of(four)]
    for address in (*d.addrs["a"], *d.addrs["b"]):
        d.answers(address)
    assert not d.find("warning")


def test_more_than_fit_below_the_high_descriptors(parent):
    sockets = [stream() for _ in range(100)]
    names = [f"n{i}" for i in range(100)]
    d = parent({"services": {n: echo(f"fd:{n}") for n in names}}, *zip(sockets, names))
    for name, s in zip(names, sockets):
        assert d.addr[name] == text_of(s)
        d.answers(name)
    d.upgrade()
    d.answers("n0")
    d.answers("n99")
    for s in sockets:
        s.close()


def test_what_has_no_name_is_unknown(parent):
    s = stream()
    d = parent({"services": {"a": echo("fd:unknown")}}, (s, ""))
    d.answers("a")


def test_every_kind(parent, folder, probes):
    v6, unix, abstract, packets = (socket.socket(f, t) for f, t in (
        (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_SEQPACKET)))
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    v6.bind(("::", 0))
    unix.bind(str(folder / "x.sock"))
    abstract.bind(f"\0superd-handed-{os.getpid()}")
    packets.bind(str(folder / "p.sock"))
    for s in (v6, unix, abstract, packets):
        s.listen()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    answer = script(folder, "answer.py", "#!/usr/bin/python3\n"
                    "import socket\n"
                    "s = socket.socket(fileno=0)\n"
                    "data, who = s.recvfrom(100)\n"
                    "s.sendto(data.upper(), who)\n")
    d = parent({"services": {
        "v6": echo("fd:v6"), "unix": echo("fd:unix"), "abstract": echo("fd:abstract"),
        "packets": echo("fd:packets"), "udp": {"listen": "fd:udp", "exec": str(answer)}}},
        (v6, "v6"), (unix, "unix"), (abstract, "abstract"), (packets, "packets"), (udp, "udp"))
    assert d.addr == {"v6": f"*:{v6.getsockname()[1]}", "unix": f"unix:{folder}/x.sock",
                      "abstract": f"unix:@superd-handed-{os.getpid()}",
                      "packets": f"seqpacket:{folder}/p.sock", "udp": f"udp:{text_of(udp)}"}
    for service in ("v6", "unix", "abstract"):
        d.answers(service)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
        c.settimeout(PATIENCE)
        c.connect(str(folder / "p.sock"))
        c.send(b"x")
        assert c.recv(10) == b"x"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
        c.settimeout(PATIENCE)
        c.sendto(b"x", udp.getsockname())
        assert c.recv(10) == b"X"
    d.wait_idle()
    d.stop()
    assert (folder / "x.sock").exists() and (folder / "p.sock").exists()  # they are not superd's


@needs_root
def test_a_process_for_each_peer_of_udp(parent):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    d = parent({"services": {"a": echo("fd:x", mode="nowait", idle_timeout="1s")}}, (udp, "x"))
    for _ in range(2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.settimeout(PATIENCE)
            c.sendto(b"hello", udp.getsockname())
            assert c.recv(10) == b"hello"
    d.wait_idle()


def test_handlers_get_neither_the_sockets_nor_the_variables(parent):
    one, two = stream(), stream()
    d = parent({"services": {"a": shell("env; ls -l /proc/self/fd", listen="fd:www")}},
               (one, "www"), (two, "spare"))
    told = d.ask()
    assert b"LISTEN_" not in told
    assert told.count(b"socket:") == 2  # 0 and 1


def test_what_no_service_listens_on_is_told(parent):
    one, two = stream(), stream()
    d = parent({"services": {"a": echo("fd:www")}}, (one, "www"), (two, "spare"))
    assert d.wait_for("warning")["what"] == (
        f"'spare', descriptor 4, was handed over, and no service listens on it: {text_of(two)}")


# ---------------------------------------------------------------- reload and upgrade


def test_h48_a_reload_keeps_the_socket_and_one_that_it_drops_can_be_taken_again(parent):
    one, two = stream(), stream()
    both = {"services": {"a": echo("fd:one"), "b": echo("fd:two")}}
    only = {"services": {"b": echo("fd:two")}}
    d = parent(both, (one, "one"), (two, "two"))
    assert d.reload(both)["opened"] == 0
    d.reload(only)
    d.wait_for("warning", where=lambda e: "'one', descriptor 3" in e["what"])
    with connect(text_of(one)) as c:  # waits in the kernel
        c.send(b"x")
        assert c.silent(0.5)
        d.reload(both)
        assert c.read(1) == b"x"
    d.wait_idle()
    for service in ("a", "b"):
        d.answers(service)


def test_a_name_that_is_not_there_leaves_all_as_it_is(parent):
    s = stream()
    d = parent({"services": {"a": echo("fd:www")}}, (s, "www"))
    failed = d.reload({"services": {"b": echo("fd:smtp")}}, event="reload-failed")
    assert "service 'b': listen: no socket 'smtp' was handed over; there is 'www'" in failed["what"]
    d.answers("a")


def test_what_was_handed_over_cannot_be_bound_beside_it(parent):
    s = stream()
    d = parent({"services": {"a": echo("fd:www")}}, (s, "www"))
    failed = d.reload({"services": {"a": echo(text_of(s))}}, event="reload-failed")
    assert "Address already in use" in failed["what"]
    d.answers("a")


def test_h50_an_upgrade_keeps_the_sockets_their_names_and_what_waits(parent):
    one, two, spare = stream(), stream(), stream()
    before = {"services": {"a": echo("fd:one"), "b": echo("fd:two")}}
    d = parent(before, (one, "one"), (two, "two"), (spare, "spare"))
    with d.connect("a") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
        for _ in range(2):
            d.upgrade()
            c.send(b"y")
            assert c.read(1) == b"y"
    d.answers("a")
    d.reload({"services": {"a": echo("fd:one"), "c": echo("fd:spare")}})
    d.answers("a")
    d.answers("c")
    d.reload(before)
    d.answers("b")
    assert "fd:nobody" not in d.stderr()
    d.rewrite({"services": {"a": echo("fd:nobody")}})
    d.kill(signal.SIGUSR2)
    d.wait_for("upgrade-failed", where=lambda e: "no socket 'nobody' was handed over" in e["what"])
    d.answers("a")


# ---------------------------------------------------------------- what is refused


def test_what_cannot_be_listened_on_is_refused_with_its_place(parent, folder):
    s, bare, file = stream(), stream(listening=False), os.open(folder, os.O_RDONLY)
    dgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dgram.bind(str(folder / "d.sock"))
    at = "1:34: service 'a': listen: "
    assert parent.refused('"fd:x"') == at + \
        "no socket was handed over to superd: LISTEN_FDS is 0 or no number"
    assert parent.refused('"fd:x"', (s, "www"), (s, "y"), (s, "www")) == at + \
        "no socket 'x' was handed over; there is 'www', 'y'"
    assert parent.refused('"fd:x"', (bare, "x")) == at + \
        "fd:x, descriptor 3, cannot be listened on: it does not listen, so it is a connection, " \
        "as Accept=yes gives it"
    assert parent.refused('"fd:4"', (s, "www"), (file, "x")) == at + \
        "fd:4, descriptor 4, cannot be listened on: it is not a socket"
    assert "a service has either streams or datagrams" in \
        parent.refused('["fd:s", "fd:d"]', (s, "s"), (dgram, "d"))
    assert 'only "wait" can serve' in parent.refused('"fd:d"', (dgram, "d"), mode='"nowait"')
    assert parent.refused('"fd:"') == at + "the name is missing; write fd:NAME"
    assert "'a:b' is no name" in parent.refused('"fd:a:b"')
    assert "clashes with" in parent.refused('["fd:s", "fd:3"]', (s, "s"))
    os.close(file)


def test_sockets_for_another_process_are_left_alone(folder):
    config = folder / "c.json"
    config.write_text('{ "services": { "a": { "listen": "fd:x", "exec": "cat", "user": "nobody" } } }')
    done = subprocess.run([SUPERD, "-c", config], capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert done.returncode == 1
    assert "LISTEN_PID says that LISTEN_FDS is for another process" in done.stderr


def test_a_descriptor_that_is_not_there_is_told(parent):
    done = subprocess.run(["sh", "-c", f"LISTEN_FDS=1 LISTEN_PID=$$ exec {SUPERD} -l fd:3 -- cat 3>&-"],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 111 and "LISTEN_FDS: descriptor 3: Bad file descriptor" in done.stderr


def test_a_check_says_what_it_cannot_know(parent, folder):
    config = folder / "c.json"
    config.write_text('{ "services": { "a": { "listen": "fd:x", "exec": "cat", "user": "nobody" } } }')
    done = subprocess.run([SUPERD, "-t", "-c", config], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Not checked, because it is handed over at the start: service 'a': listen: fd:x\n" \
        in done.stdout
    s = stream()
    code, out, err = parent.run((s, "x"), words=["-t", "-c", config])
    assert (code, err) == (0, "") and text_of(s) in out and "Not checked" not in out


# ---------------------------------------------------------------- by systemd's own program


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"),
                    reason="needs systemd-socket-activate")
def test_systemd_socket_activate(superd, folder):
    superd({"services": {"x": echo()}})  # whoever is left behind is found
    with stream() as s:
        port = s.getsockname()[1]
    user = ["-o", "user=root"] if os.geteuid() == 0 else []
    d = subprocess.Popen(["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=www",
                          SUPERD, *user, "-l", "fd:www", "--", "cat"], stderr=subprocess.DEVNULL)

    def try_it():
        try:
            return connect(f"127.0.0.1:{port}")
        except ConnectionRefusedError:
            return None
    try:
        with eventually(try_it, "it listens") as c:
            c.send(b"hello")
            assert c.read(5) == b"hello"
    finally:
        d.send_signal(signal.SIGTERM)
        assert d.wait(PATIENCE) == 0
