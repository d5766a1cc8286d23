"""Datagrams: one process for the socket (mode "wait", as in inetd), or one for each sender."""

import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from superdlib import (ASAN, HANDLERS, PATIENCE, connect, cpu_seconds, ending_handlers, needs,
                       needs_root, port_of, script)

UDP = "udp:127.0.0.1:0"


@pytest.fixture
def superd(superd):
    """Nobody says goodbye by UDP: at the end those that still live are told, by superd's fixture
    all else is checked."""
    yield from ending_handlers(superd)


def perl(text, listen=UDP, **keys):
    return {"listen": listen, "exec": ["perl", "-e", text], **keys}


# One datagram in, one out, until nothing comes for ten seconds: with and without a peer's address.
ANSWER = """
use Socket;
$SIG{ALRM} = sub { exit 0 };
for (;;) {
    alarm 10;
    my $from = recv(STDIN, my $data, 65536, 0);
    last unless defined $from;
    send(STDOUT, "$$ $data", 0, $from);
}
"""
ECHO = """
$SIG{ALRM} = sub { exit 0 };
for (;;) {
    alarm 60;
    my $n = sysread(STDIN, my $data, 65536);
    last unless defined $n;
    syswrite(STDOUT, "$$ $data");
}
"""


def udp(d, service=None, timeout=PATIENCE):
    c = connect(d.addr[service or next(iter(d.addr))], timeout)
    d.clients.append(c)
    return c.sock


def ask(sock, data=b"hello"):
    sock.send(data)
    pid, answer = sock.recv(65536).split(b" ", 1)
    assert answer == data
    return int(pid)


def nowait(text=ECHO, listen=UDP, **keys):
    return perl(text, listen, mode="nowait", **keys)


# ---------------------------------------------------------------- mode "wait"


def test_one_process_has_the_socket_and_answers_all(superd):
    d = superd({"services": {"a": perl(ANSWER)}})
    pids = {ask(udp(d)) for _ in range(5)}
    assert len(pids) == 1
    assert len(d.find("accept")) == 1
    assert d.find("accept")[0]["local"] == d.addr["a"]
    assert "peer" not in d.find("accept")[0]


def test_the_next_datagram_after_its_exit_starts_another(superd):
    d = superd({"services": {"a": perl(ANSWER.replace("for (;;)", "for (1)"))}})
    pids = [ask(udp(d)) for _ in range(5)]
    assert len(set(pids)) == 5
    d.wait_for("close", count=5)
    assert not d.find("suspend")


def test_nothing_is_lost_while_processes_come_and_go(superd):
    # Each reads one and leaves, as the old tftpd does; the others wait in the kernel.
    d = superd({"services": {"a": perl(ANSWER.replace("for (;;)", "for (1)"))}})
    socks = [udp(d) for _ in range(50)]
    for n, s in enumerate(socks):
        s.send(b"%d" % n)
    assert len({s.recv(100).split()[0] for s in socks}) == 50
    d.wait_for("close", count=50)


def test_it_finds_the_socket_as_socket_made_it(superd, folder):
    # Blocking, and without what superd asks for in the other mode.
    out = folder / "out"
    look = script(folder, "look.py", f"""#!/usr/bin/env python3
import os, socket
s = socket.socket(fileno=os.dup(0))
os.set_blocking(0, os.get_blocking(0))
text = [os.get_blocking(0), s.type == socket.SOCK_DGRAM,
        s.getsockopt(socket.IPPROTO_IP, 8), s.getsockopt(socket.SOL_SOCKET, 35),
        s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT),
        os.fstat(0).st_ino == os.fstat(1).st_ino,
        os.fstat(0).st_ino == os.fstat(3).st_ino, os.environ["LISTEN_FDS"],
        int(os.environ["LISTEN_PID"]) == os.getpid(), os.environ["LISTEN_FDNAMES"],
        sorted(os.listdir("/proc/self/fd"))[:5]]
s.recv(100)
open({str(out)!r}, "w").write(repr(text))
""")
    d = superd({"services": {"a": {"listen": UDP, "exec": str(look)}}})
    udp(d).send(b"x")
    d.wait_for("close", exit=0)
    *rest, fds = eval(out.read_text())
    assert rest == [True, True, 0, 0, 0, True, True, "1", True, "a"]
    assert fds[:4] == ["0", "1", "2", "3"]


def test_h38_an_exit_without_reading_costs_one_datagram_and_a_pause(superd):
    d = superd({"services": {"a": {"listen": UDP, "exec": "true"}}})
    udp(d).send(b"x")
    d.wait_for("close")
    assert d.wait_for("suspend")["reason"] == "unread"
    d.wait_for("resume")
    time.sleep(0.3)
    assert len(d.find("accept")) == 1  # one packet: one start
    udp(d).send(b"x")
    d.wait_for("suspend", count=2)
    assert [e["retry_ms"] for e in d.find("suspend")] == [250, 500]


def test_h38_a_flood_on_a_handler_that_never_reads_does_not_spin(superd):
    d = superd({"services": {"a": {"listen": UDP, "exec": "true"}}})
    s = udp(d)
    for _ in range(2000):
        s.send(b"x")
    before = cpu_seconds(d.pid)
    time.sleep(2)
    assert len(d.find("accept")) <= 4
    assert cpu_seconds(d.pid) - before < 1


def test_h38_also_of_unix_datagrams(superd, folder):
    d = superd({"services": {"a": {"listen": f"dgram:{folder}/x.sock", "exec": "true"}}})
    s = udp(d)
    s.send(b"same")
    s.send(b"same")
    d.wait_for("suspend", count=2)
    d.wait_for("resume", count=2)
    assert len(d.find("accept")) == 2


def test_h39_a_failed_start_drains_one_datagram(superd, folder):
    gone = script(folder, "gone", "#!/bin/sh\n")
    d = superd({"services": {"a": {"listen": UDP, "exec": str(gone)}}})
    gone.unlink()
    udp(d).send(b"x")
    d.wait_for("exec-failed")
    assert d.wait_for("suspend")["reason"] == "unread"
    d.wait_for("resume")
    time.sleep(0.3)
    assert len(d.find("exec-failed")) == 1


def test_unix_datagrams_have_one_process(superd, folder):
    d = superd({"services": {"a": {
        "listen": [f"dgram:{folder}/x.sock", "dgram:@superd-test-dgram"],
        "shell": f"dd bs=100 count=1 status=none >> {folder}/got"}}})
    for n, address in enumerate(d.addrs["a"]):
        connect(address).sock.send(b"%d\n" % n)
        d.wait_for("close", count=n + 1)
    assert (folder / "got").read_text() == "0\n1\n"
    assert not d.find("suspend")


def test_each_socket_has_its_own_process(superd):
    d = superd({"services": {"a": perl(ANSWER, ["udp:127.0.0.1:0", "udp:[::1]:0"])}})
    first, second = (ask(connect(a).sock) for a in d.addrs["a"])
    assert first != second
    assert ask(connect(d.addrs["a"][0]).sock) == first


def test_a_stop_ends_it_at_once(superd):
    d = superd({"stop_timeout": "30s", "services": {"a": perl(ANSWER)}})
    ask(udp(d))
    begin = time.monotonic()
    d.stop(check_fds=False)
    assert time.monotonic() - begin < 20
    assert d.find("close")[0]["signal"] == "TERM"


def test_timeout_ends_it_and_the_next_datagram_starts_another(superd):
    d = superd({"services": {"a": perl(ANSWER, timeout="1s")}})
    first = ask(udp(d))
    d.wait_for("timeout", reason="timeout")
    d.wait_for("close")
    assert ask(udp(d)) != first


def test_idle_exit_ends_it_when_nothing_comes(superd):
    d = superd({"services": {"a": perl(ANSWER.replace("10", "600"), idle_exit="1s")}})
    s = udp(d)
    first = ask(s)
    for _ in range(8):  # two seconds in which something comes
        time.sleep(0.25)
        assert ask(s) == first
    d.wait_for("timeout", reason="idle_exit")
    d.wait_for("close")
    assert ask(s) != first


@needs("in.tftpd", "tftp")
@needs_root
def test_tftpd_as_inetd_would_run_it(superd, folder):
    content = os.urandom(300_000)
    (folder / "pub").mkdir(mode=0o755)
    (folder / "pub" / "file").write_bytes(content)
    d = superd({"services": {"tftp": {"listen": "udp:127.0.0.1:0",
                                      "exec": ["/usr/sbin/in.tftpd", "-t", "1", "-s",
                                               str(folder / "pub")]}}})
    port = port_of(d.addr["tftp"])
    clients = [subprocess.Popen(["tftp", "-m", "binary", "127.0.0.1", str(port), "-c", "get",
                                 "file", str(folder / f"got{n}")], stdin=subprocess.DEVNULL)
               for n in range(5)]
    for n, c in enumerate(clients):
        assert c.wait(60) == 0
        assert (folder / f"got{n}").read_bytes() == content
    # It waits for a second for more, then leaves; the socket is polled again.
    d.wait_for("close")
    again = subprocess.run(["tftp", "-m", "binary", "127.0.0.1", str(port), "-c", "get", "file",
                            str(folder / "again")], stdin=subprocess.DEVNULL, timeout=60)
    assert again.returncode == 0 and (folder / "again").read_bytes() == content
    assert len(d.find("accept")) >= 2


@pytest.mark.parametrize("mode", ["wait", pytest.param("nowait", marks=needs_root)])
def test_the_little_services_of_inetd_in_both_modes(superd, mode):
    d = superd({"services": {name: {"listen": ["udp:127.0.0.1:0", "udp:[::1]:0"], "mode": mode,
                                    "exec": [str(HANDLERS / name), "-i", "500ms"]}
                             for name in ("echo", "time", "daytime")}})
    for _ in range(2):  # started, and started again
        for i in range(2):
            s = connect(d.addrs["echo"][i]).sock
            s.send(b"hello")
            assert s.recv(100) == b"hello"
            s = connect(d.addrs["time"][i]).sock
            s.send(b"")
            assert abs(struct.unpack("!I", s.recv(100))[0] - 2208988800 - time.time()) < 60
            s = connect(d.addrs["daytime"][i]).sock
            s.send(b"")
            assert s.recv(100).endswith(b"\r\n")
        d.wait_idle()
    assert not d.find("suspend")


@needs_root
def test_sockets_are_handed_over_where_close_range_is_missing(superd, probes):
    d = superd({"services": {"a": perl(ANSWER, ["udp:127.0.0.1:0", "udp:[::1]:0"]),
                             "b": nowait()}}, prefix=[probes / "without_close_range"])
    for service in "ab":
        pid = ask(udp(d, service))
        fds = os.listdir(f"/proc/{pid}/fd")
        assert sorted(fds) == (["0", "1", "2", "3"] if service == "a" else ["0", "1", "2"])


# ---------------------------------------------------------------- mode "nowait"


@needs_root
def test_each_sender_has_a_process_and_a_connected_socket(superd):
    d = superd({"services": {"a": nowait()}})
    socks = [udp(d) for _ in range(5)]
    pids = [ask(s, b"one") for s in socks]
    assert len(set(pids)) == 5
    for _ in range(3):
        assert [ask(s, b"more") for s in socks] == pids
    assert len(d.find("accept")) == 5
    peers = {e["peer"] for e in d.find("accept")}
    assert peers == {"udp:127.0.0.1:%d" % s.getsockname()[1] for s in socks}


@needs_root
def test_its_descriptors_and_variables(superd):
    d = superd({"services": {"a": {"listen": "udp:127.0.0.1:0", "mode": "nowait", "shell":
                                   "dd bs=9000 count=1 status=none; env | sort; "
                                   "ls /proc/self/fd | wc -l; sleep 60"}}})
    s = udp(d)
    s.send(b"first\n")
    text = ""
    while not re.search(r"^\d+$", text, re.M):
        text += s.recv(65536).decode()
    lines = text.splitlines()
    port = s.getsockname()[1]
    assert lines[0] == "first"
    for line in ("PROTO=UDP", "UDPREMOTEIP=127.0.0.1", f"UDPREMOTEPORT={port}",
                 "UDPLOCALIP=127.0.0.1", f"UDPLOCALPORT={port_of(d.addr['a'])}",
                 "REMOTE_ADDR=127.0.0.1", f"REMOTE_PORT={port}"):
        assert line in lines
    assert lines[-1] == "4"  # 0, 1, 2, and the folder that ls reads


@needs_root
def test_the_first_datagram_has_its_senders_address(superd):
    # recvfrom, and the answer by it, as programs do that know nothing of connected sockets.
    d = superd({"services": {"a": nowait(ANSWER, "udp:0")}})
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(PATIENCE)
            s.connect((host, port_of(d.addr["a"])))
            for data in (b"first", b"second"):
                s.send(data)
                assert s.recv(100).split(b" ", 1)[1] == data


@needs_root
@pytest.mark.parametrize("size", [0, 1, 1472, 8192, 65507])
def test_every_size_arrives_whole(superd, size):
    d = superd({"services": {"a": nowait("""
for (1..2) {
    sysread(STDIN, my $d, 70000);
    syswrite(STDOUT, length($d) . ' ' . unpack('%32C*', $d));
}
sleep 60;
""", receive_buffer="1M")}})
    data = random.Random(size).randbytes(size)
    s = udp(d)
    for _ in range(2):  # through superd, and not
        s.send(data)
        assert s.recv(100) == b"%d %d" % (size, sum(data))


@needs_root
@pytest.mark.parametrize("family,listen,hosts", [
    (socket.AF_INET, "udp:0", ["127.0.0.1", "127.0.0.5", "127.9.9.9"]),
    (socket.AF_INET, "udp:0.0.0.0:0", ["127.0.0.1", "127.0.0.5"]),
    (socket.AF_INET6, "udp:[::]:0", ["::1"]),
    (socket.AF_INET6, "udp:0", ["::1"]),
])
def test_h41_answers_leave_from_the_address_that_was_used(superd, family, listen, hosts):
    d = superd({"services": {"a": nowait(listen=listen)}})
    port = port_of(d.addr["a"])
    for host in hosts:
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(PATIENCE)
            for _ in range(3):
                s.sendto(b"x", (host, port))
                data, source = s.recvfrom(100)  # not connected: whoever answers
                assert source[:2] == (host, port) and data.endswith(b" x")


@needs_root
def test_one_sender_to_two_of_our_addresses_is_two_peers(superd):
    d = superd({"services": {"a": nowait(listen="udp:0")}})
    port = port_of(d.addr["a"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE)
        pids = []
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"):
            s.sendto(b"x", (host, port))
            pids.append(s.recv(100).split()[0])
    assert pids[:2] == pids[2:] and pids[0] != pids[1]


@needs_root
def test_bursts_of_many_senders_neither_mix_nor_get_lost(superd):
    peers, burst = 20, 50
    d = superd({"services": {"a": nowait(listen="udp:0", receive_buffer="8M")}})
    port = port_of(d.addr["a"])
    socks = []
    for n in range(peers):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.settimeout(PATIENCE)
        s.connect((f"127.0.{n % 3}.1", port))
        socks.append(s)

    def send(some):
        for b in range(burst):
            for n in some:
                socks[n].send(b"%d %d" % (n, b))

    threads = [threading.Thread(target=send, args=(range(k, peers, 4),)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    pids = set()
    for n, s in enumerate(socks):
        got = [s.recv(100).split() for _ in range(burst)]
        assert {g[1] for g in got} == {b"%d" % n}  # nobody else's
        assert {int(g[2]) for g in got} == set(range(burst))
        assert len({g[0] for g in got}) == 1
        pids.add(got[0][0])
        s.close()
    assert len(pids) == peers


@needs_root
def test_superd_never_reads_a_payload(superd, folder):
    if not shutil.which("strace"):
        pytest.skip("not installed: strace")
    d = superd({"services": {"a": nowait()}})
    trace = folder / "trace"
    tracer = subprocess.Popen(["strace", "-p", str(d.pid), "-o", trace, "-s", "200"],
                              stderr=subprocess.PIPE)
    tracer.stderr.readline()
    ask(udp(d), b"SECRET-PAYLOAD")
    tracer.terminate()
    tracer.wait()
    text = trace.read_text()
    assert "splice(" in text and "SECRET" not in text


@needs_root
def test_denied_senders_start_nothing_and_are_counted(superd):
    d = superd({"services": {"a": nowait(deny="127.0.0.9"), }})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.9", 0))
        for _ in range(10):
            s.sendto(b"x", ("127.0.0.1", port_of(d.addr["a"])))
    d.wait_for("reject", count=10, reason="deny")
    assert d.find("reject")[0]["peer"].startswith("udp:127.0.0.9:")
    ask(udp(d))
    d.end_handlers()
    d.stop()
    sums = d.find("ledger")[0]
    assert (sums["arrived"], sums["accepted"], sums["deny"]) == (11, 1, 10)


@needs_root
def test_max_per_source_is_of_senders(superd):
    d = superd({"services": {"a": nowait(max_per_source=2)}})
    socks = [udp(d) for _ in range(3)]
    for s in socks[:2]:
        ask(s)
    socks[2].send(b"x")
    d.wait_for("reject", reason="max_per_source")
    ask(socks[0])


@needs_root
def test_a_full_service_lets_datagrams_wait_in_the_kernel(superd):
    d = superd({"services": {"a": nowait("sysread(STDIN, my $d, 100); syswrite(STDOUT, \"$$ $d\");"
                                         "sysread(STDIN, $d, 100)", max_connections=2)}})
    socks = [udp(d) for _ in range(4)]
    for s in socks:
        s.send(b"x")
    for s in socks[:2]:
        assert s.recv(100)
    d.wait_for("suspend", reason="max_connections")
    before = cpu_seconds(d.pid)
    time.sleep(1)
    assert cpu_seconds(d.pid) - before < 0.3, "it is not polled"
    for s in socks[:2]:
        s.send(b"bye")
    for s in socks[2:]:
        assert s.recv(100).endswith(b" x")
        s.send(b"bye")
    d.wait_for("close", count=4)


@needs_root
def test_a_full_service_may_reject(superd):
    d = superd({"services": {"a": nowait(max_connections=1, on_limit="reject")}})
    first, second = udp(d), udp(d)
    ask(first)
    second.send(b"x")
    d.wait_for("reject", reason="max_connections")
    ask(first)


@needs_root
def test_idle_timeout_ends_a_silent_peer_and_no_other(superd):
    d = superd({"services": {"a": nowait(idle_timeout="2s")}})
    busy, silent = udp(d), udp(d)
    pid, gone = ask(busy), ask(silent)
    end = time.monotonic() + 60
    while not d.find("timeout") and time.monotonic() < end:
        assert ask(busy) == pid
        time.sleep(0.2)
    assert d.wait_for("timeout", reason="idle_timeout")["pid"] == gone
    assert ask(busy) == pid
    assert ask(silent) != gone  # who comes again has another process


@needs_root
def test_answers_alone_keep_a_peer(superd):
    d = superd({"services": {"a": {"listen": UDP, "mode": "nowait", "idle_timeout": "2s", "shell":
                                   "dd bs=9000 count=1 status=none >/dev/null; "
                                   "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.5; done"}}})
    s = udp(d)
    s.send(b"x\n")
    assert [int(s.recv(10)) for _ in range(10)] == list(range(1, 11))
    d.wait_for("close", exit=0)
    assert not d.find("timeout")


@needs_root
def test_a_handler_that_does_not_read_does_not_spin(superd):
    d = superd({"services": {"a": {"listen": UDP, "mode": "nowait", "shell":
                                   "exec 0<&- 1>&-; exec sleep 60"}}})
    s = udp(d)
    s.send(b"x")
    d.wait_for("accept")
    time.sleep(0.3)
    before = cpu_seconds(d.pid)
    for _ in range(5000):
        try:
            s.send(b"x")
        except ConnectionRefusedError:
            pass
    time.sleep(1)
    assert cpu_seconds(d.pid) - before < (2 if ASAN else 0.5)
    assert len(d.find("accept")) == 1


@needs_root
def test_what_cannot_be_answered_is_refused(superd):
    d = superd({"services": {"a": nowait(listen="udp:0")}})
    port = port_of(d.addr["a"])
    for source in (0, port):  # from no port; from ourselves
        header = struct.pack("!HHHH", source, port, 9, 0)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            raw.sendto(header + b"x", ("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(b"x", ("127.255.255.255", port))
    d.wait_for("reject", count=3, reason="address")
    assert not d.find("accept")


@needs_root
def test_h39_a_failed_start_for_a_peer_costs_its_first_datagram(superd, folder):
    gone = script(folder, "gone", "#!/bin/sh\n")
    d = superd({"services": {"a": {"listen": UDP, "mode": "nowait", "exec": str(gone)}}})
    gone.unlink()
    s = udp(d)
    s.send(b"x")
    d.wait_for("exec-failed")
    time.sleep(0.5)
    assert len(d.find("exec-failed")) == 1
    s.send(b"x")
    d.wait_for("exec-failed", count=2)


@needs_root
def test_a_second_superd_does_not_get_the_port(superd):
    d = superd({"services": {"a": nowait()}})
    port = port_of(d.addr["a"])
    for mode in ("wait", "nowait"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError):
                s.bind(("127.0.0.1", port))
        other = superd({"services": {"b": perl(ECHO, [f"udp:127.0.0.1:{port}", UDP], mode=mode)}})
        assert other.find("listen", error="Address already in use")


@needs_root
def test_a_reload_changes_the_mode_of_an_open_socket(superd):
    d = superd({"services": {"a": perl(ANSWER, UDP)}})
    first = ask(udp(d))
    d.config.write_text(d.config.read_text().replace('"services": {\n    "a": {',
                                                     '"services": {\n    "a": { "mode": "nowait",'))
    d.kill(1)
    d.wait_for("reload-ok")
    d.wait_for("close")  # the one that has the socket is told to stop
    pids = [ask(udp(d)) for _ in range(3)]
    assert len(set(pids) | {first}) == 4
    d.checked_fds = False  # the new mode has some of its own


# ---------------------------------------------------------------- multicast, broadcast


def test_a_group_is_joined(superd):
    d = superd({"services": {"a": perl(ANSWER, "udp:239.77.1.2:0", device="lo")}})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        s.sendto(b"x", ("239.77.1.2", port_of(d.addr["a"])))
        assert s.recv(100).endswith(b" x")
    assert "024D01EF" in pathlib.Path(f"/proc/{d.pid}/net/igmp").read_text().upper() or \
        "02014DEF" in pathlib.Path(f"/proc/{d.pid}/net/igmp").read_text().upper()


def test_a_group_of_ipv6_is_joined(superd):
    d = superd({"services": {"a": perl(ANSWER, "udp:[ff02::7711]:0", device="lo")}})
    joined = pathlib.Path(f"/proc/{d.pid}/net/igmp6").read_text()
    assert re.search(r" lo +ff020000000000000000000000007711 ", joined)
    lo = socket.if_nametoindex("lo")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.settimeout(PATIENCE)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, lo)
        try:
            s.sendto(b"x", ("ff02::7711", port_of(d.addr["a"]), 0, lo))
        except OSError as e:
            pytest.skip(f"joined, but this host sends nothing to a group on lo: {e}")
        assert s.recv(100).endswith(b" x")


def test_a_group_waits_for_its_interface(superd):
    d = superd({"services": {"a": perl(ANSWER, ["udp:239.77.1.3:0", UDP], device="superd-none0")}},
               ready=False)
    assert d.wait(PATIENCE) == 111
    assert "No such device" in d.stderr()
    d.status = 0  # that was the end it should have


# ---------------------------------------------------------------- capabilities, upgrade


@needs_root
def test_what_it_takes_to_serve_each_peer_is_kept_when_the_rest_is_given_up(superd):
    d = superd({"services": {"a": nowait(user="nobody")}}, preset=False)
    status = pathlib.Path(f"/proc/{d.pid}/status").read_text()
    held = int(re.search(r"CapEff:\s+(\w+)", status)[1], 16)
    assert held >> 13 & 1 and not held >> 21 & 1  # NET_RAW, and not SYS_ADMIN
    ask(udp(d), b"first")


@needs_root
def test_h50_peers_keep_their_processes_over_an_upgrade(superd):
    d = superd({"services": {"a": nowait(idle_timeout="3s")}})
    busy, silent = udp(d), udp(d)
    pids = [ask(busy), ask(silent)]
    d.upgrade()
    assert [ask(busy), ask(silent)] == pids
    ask(udp(d))
    end = time.monotonic() + 60
    while len(d.find("timeout")) < 2 and time.monotonic() < end:
        assert ask(busy) == pids[0]
        time.sleep(0.2)
    assert pids[1] in {e["pid"] for e in d.find("timeout")}
    assert ask(busy) == pids[0]
    d.checked_fds = False


def test_h50_a_program_in_mode_wait_lives_over_an_upgrade(superd):
    d = superd({"services": {"a": perl(ANSWER)}})
    pid = ask(udp(d))
    d.upgrade()
    assert ask(udp(d)) == pid
    assert len(d.find("accept")) == 1
    os.kill(pid, 9)
    d.wait_for("close", signal="KILL")
    assert ask(udp(d)) != pid
