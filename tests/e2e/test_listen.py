"""Listening: every kind of address, and what stands in the way of one."""

import grp
import os
import pathlib
import resource
import socket
import stat
import subprocess
import threading

import pytest

from superdlib import (ASAN, PATIENCE, ROOT, account, connect, echo, eventually, handler, hard_limit,
                       needs_root, port_of, shell)


def free_ports(n):
    """n consecutive free ports, away from those that the kernel gives to clients."""
    for first in range(20000, 32000, 50):
        sockets = []
        try:
            for port in range(first, first + n):
                s = socket.socket()
                sockets.append(s)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    pytest.skip("no free range of ports")


def test_a_service_listens_on_many_addresses(superd, folder):
    d = superd({"services": {"echo": {"exec": [handler("echo")], "listen": [
        "127.0.0.1:0", "[::1]:0", "127.0.0.2:0", f"unix:{folder}/x.sock", "unix:@superd-many"]}}})
    assert len(d.addrs["echo"]) == 5
    for address in d.addrs["echo"]:
        d.answers(address)
    assert {e["addr"] for e in d.find("listen")} == set(d.addrs["echo"])


def test_a_range_is_one_service(superd):
    first = free_ports(20)
    d = superd({"services": {"echo": echo(f"127.0.0.1:{first}-{first + 19}")}})
    assert d.addrs["echo"] == [f"127.0.0.1:{p}" for p in range(first, first + 20)]
    for address in d.addrs["echo"]:
        d.answers(address)


def test_port_0_is_chosen_by_the_kernel_and_told(superd):
    d = superd({"services": {"a": echo(), "b": echo()}})
    assert 0 < port_of(d.addr["a"]) != port_of(d.addr["b"]) > 0
    for name in "ab":
        assert d.find("listen", service=name)[0]["addr"] == d.addr[name]
        d.answers(name)


def test_ipv6_alone_is_ipv6_alone(superd):
    d = superd({"services": {"echo": {"listen": "[::]:0", "exec": [handler("echo")]}}})
    port = port_of(d.addr["echo"])
    d.answers(f"[::1]:{port}")
    with pytest.raises(ConnectionRefusedError):
        connect(f"127.0.0.1:{port}")


def test_h07_a_v4_peer_of_a_dual_listener_is_a_v4_peer(superd):
    """In the environment and in the log."""
    d = superd({"services": {"env": {"listen": "*:0", "shell": "env"}}})
    port = port_of(d.addr["env"])
    env = dict(line.split("=", 1) for line in
               d.ask(f"127.0.0.1:{port}").decode().splitlines())
    assert env["REMOTE_ADDR"] == env["TCPREMOTEIP"] == "127.0.0.1"
    assert env["SERVER_ADDR"] == env["TCPLOCALIP"] == "127.0.0.1"
    assert d.wait_for("accept")["peer"] == f"127.0.0.1:{env['REMOTE_PORT']}"
    assert d.wait_for("close")["peer"] == f"127.0.0.1:{env['REMOTE_PORT']}"
    env = dict(line.split("=", 1) for line in d.ask(f"[::1]:{port}").decode().splitlines())
    assert env["REMOTE_ADDR"] == env["SERVER_ADDR"] == "::1"


# ---------------------------------------------------------------- what stands in the way


def test_h10_a_busy_address_does_not_stop_the_others_and_is_tried_again(superd):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        d = superd({"services": {"busy": echo(f"127.0.0.1:{port}"), "free": echo()}})
        assert "busy" not in d.addr
        d.answers("free")
        told = d.wait_for("listen", service="busy", level="error")
        assert told["addr"] == f"127.0.0.1:{port}" and "in use" in told["error"]
        assert d.find("ready")[0]["missing"] == 1
    d.wait_for("listen", service="busy", level="notice")
    d.answers(f"127.0.0.1:{port}")
    d.wait_idle()
    d.checked_fds = False  # one listener more than at the start


def test_h10_an_address_that_is_not_there_does_not_stop_the_others(superd):
    port = free_ports(1)
    d = superd({"services": {"away": echo(f"192.0.2.1:{port}"), "here": echo()}})
    assert "assign" in d.wait_for("listen", service="away")["error"]
    d.answers("here")


def test_h10_freebind_listens_on_an_address_that_is_not_there(superd):
    port = free_ports(1)
    d = superd({"services": {"away": echo(f"192.0.2.1:{port}", freebind=True), "here": echo(),
                             "six": echo(f"[2001:db8::1]:{port}", freebind=True)}})
    assert d.addr["away"] == f"192.0.2.1:{port}"
    assert d.addr["six"] == f"[2001:db8::1]:{port}"


def test_h10_nothing_at_all_to_listen_on_is_an_error_at_start(superd, folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        d = superd({"services": {"busy": echo("127.0.0.1:%d" % other.getsockname()[1])}}, ready=False)
        assert d.wait(PATIENCE) == 111
        assert "no address" in d.stderr()
        d.status = 0


def test_two_superds_do_not_share_a_port(superd):
    first = superd({"services": {"echo": echo()}})
    second = superd({"services": {"echo": echo(first.addr["echo"]), "own": echo()}})
    assert "echo" not in second.addr
    second.answers("own")
    first.answers("echo")


# ---------------------------------------------------------------- unix sockets


def test_a_unix_socket_has_the_mode_that_is_configured(superd, folder):
    d = superd({"services": {
        "open": echo(f"unix:{folder}/open.sock"),
        "closed": echo(f"unix:{folder}/closed.sock", socket_mode="0600")}},
        preexec_fn=lambda: os.umask(0o077))
    mode = stat.S_IMODE((folder / "open.sock").lstat().st_mode)
    assert mode == 0o666, oct(mode)
    mode = stat.S_IMODE((folder / "closed.sock").lstat().st_mode)
    assert mode == 0o600, oct(mode)
    d.answers("open")
    d.answers("closed")


@needs_root
def test_a_unix_socket_has_the_owner_that_is_configured(superd, folder):
    d = superd({"services": {
        "a": echo(f"unix:{folder}/a.sock", socket_user="nobody", socket_group="daemon"),
        "b": echo(f"unix:{folder}/b.sock", socket_group="daemon")}})
    a, b = (folder / "a.sock").lstat(), (folder / "b.sock").lstat()
    assert (a.st_uid, a.st_gid) == (account().pw_uid, grp.getgrnam("daemon").gr_gid)
    assert (b.st_uid, b.st_gid) == (0, grp.getgrnam("daemon").gr_gid)
    d.answers("a")


def test_h51_a_stale_path_is_taken_over(superd, folder):
    path = folder / "x.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
    inode = path.lstat().st_ino
    d = superd({"services": {"echo": echo(f"unix:{path}")}})
    d.answers("echo")
    d.stop()
    assert not path.exists(), f"our own socket stays behind (was {inode})"


def test_h51_a_path_that_somebody_answers_on_is_not_stolen(superd, folder):
    path = folder / "x.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        inode = path.lstat().st_ino
        d = superd({"services": {"taken": echo(f"unix:{path}"), "free": echo()}})
        assert "in use" in d.wait_for("listen", service="taken")["error"]
        d.answers("free")
        d.stop()
        assert path.lstat().st_ino == inode
        with connect(f"unix:{path}"):
            s.accept()[0].close()


def test_h51_a_live_datagram_socket_is_not_stolen(superd, folder):
    path = folder / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        d = superd({"services": {"taken": echo(f"unix:{path}"), "free": echo()}})
        d.wait_for("listen", service="taken", level="error")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as c:
            c.sendto(b"still mine", str(path))
        assert s.recv(100) == b"still mine"


@pytest.mark.parametrize("what", ["file", "symlink", "folder"])
def test_h51_what_is_no_socket_is_not_removed(superd, folder, what):
    path = folder / "x.sock"
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(folder / "target.sock"))
        path.symlink_to(folder / "target.sock")
    d = superd({"services": {"taken": echo(f"unix:{path}"), "free": echo()}})
    d.wait_for("listen", service="taken", level="error")
    d.stop()
    assert os.path.lexists(path)
    if what == "symlink":
        assert path.is_symlink() and (folder / "target.sock").is_socket()


def test_h51_a_path_that_is_no_longer_ours_is_left_alone(superd, folder):
    path = folder / "x.sock"
    d = superd({"services": {"echo": echo(f"unix:{path}")}})
    path.unlink()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        inode = path.lstat().st_ino
        d.stop()
        assert path.lstat().st_ino == inode


def test_h51_a_superd_that_was_killed_leaves_a_path_that_the_next_one_takes(superd, folder):
    config = {"services": {"echo": echo(f"unix:{folder}/x.sock")}}
    first = superd(config)
    first.process.kill()
    first.process.wait()
    first.status = 0
    second = superd(config)
    second.answers("echo")


def test_an_abstract_socket_leaves_no_file(superd, folder):
    d = superd({"services": {"echo": echo("unix:@superd-e2e-abstract")}})
    assert d.addr["echo"] == "unix:@superd-e2e-abstract"
    d.answers("echo")
    assert not any("abstract" in p.name for p in pathlib.Path(folder).iterdir())


@needs_root
def test_a_socket_of_another_user_is_out_of_reach_when_the_mode_says_so(superd, folder):
    d = superd({"services": {"echo": echo(f"unix:{folder}/x.sock", socket_mode="0600")}})
    out = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "nc", "-N", "-U",
                          str(folder / "x.sock")], input=b"x", capture_output=True, check=False)
    assert out.stdout == b""
    d.answers("echo")


# ---------------------------------------------------------------- options


def test_socket_options_reach_the_handler(superd, probes):
    probe = [str(probes / "probe")]
    d = superd({"services": {
        "plain": {"listen": "127.0.0.1:0", "exec": probe},
        "set": {"listen": "127.0.0.1:0", "exec": probe, "nodelay": True, "keepalive": False},
        "six": {"listen": "[::1]:0", "exec": probe, "nodelay": True},
        "unix": {"listen": "unix:@superd-options", "exec": probe, "nodelay": True}}})
    plain, changed, six = d.probe("plain"), d.probe("set"), d.probe("six")
    assert (plain["keepalive"], plain["nodelay"]) == (1, 0)
    assert (changed["keepalive"], changed["nodelay"]) == (0, 1)
    assert (six["keepalive"], six["nodelay"], six["family"]) == (1, 1, socket.AF_INET6)
    assert d.probe("unix")["family"] == socket.AF_UNIX


def test_the_backlog_is_the_one_that_is_configured(superd):
    d = superd({"services": {"small": echo(backlog=7), "usual": echo()}})

    def backlog(service):
        out = subprocess.run(["ss", "-Hltn", f"sport = :{port_of(d.addr[service])}"],
                             capture_output=True, text=True, check=True).stdout
        return int(out.split()[2])
    most = int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text())
    assert backlog("small") == 7
    assert backlog("usual") == min(4096, most)


# ---------------------------------------------------------------- many


def test_thousands_of_ports_start_and_serve(superd):
    count = 2000 if ASAN else 10000
    if hard_limit() < count + 200:
        pytest.skip(f"the hard limit of descriptors is {hard_limit()}: too low for {count} ports")
    first = 20000
    resource_soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    d = superd({"services": {
        "many": {"listen": f"127.0.0.3:{first}-{first + count - 1}", "shell": "ulimit -n; cat"}}})
    assert len(d.addrs["many"]) == count
    for address in d.addrs["many"][::count // 50]:
        assert d.ask(address, b"x") == b"%d\nx" % resource_soft
    assert len(d.find("listen")) == count, "with -v each is told"


def test_thousands_of_ports_are_not_told_one_by_one(superd):
    d = superd({"services": {"many": echo("127.0.0.3:20000-20499")}}, args=())
    d.wait_for("ready", listeners=500)
    assert not d.find("listen")
    d.answers(d.addrs["many"][250])


def test_many_services(superd):
    d = superd({"services": {f"s{i}": echo() for i in range(300)}})
    threads = [threading.Thread(target=d.answers, args=(f"s{i}", PATIENCE)) for i in range(0, 300, 7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eventually(lambda: len(d.find("close")) == len(threads), "all closed")


def test_a_disabled_service_is_closed(superd):
    port = free_ports(1)
    d = superd({"services": {"off": echo(f"127.0.0.1:{port}", enabled=False), "on": echo()}})
    assert set(d.addr) == {"on"}
    with pytest.raises(ConnectionRefusedError):
        connect(f"127.0.0.1:{port}")


@pytest.mark.skipif(ROOT, reason="root may listen everywhere")
def test_a_port_that_is_not_allowed_is_told(superd):
    d = superd({"services": {"low": echo("127.0.0.1:7"), "high": echo()}})
    assert "ermission" in d.wait_for("listen", service="low", level="error")["error"]
    d.answers("high")


def test_a_host_without_ipv6_serves_a_port_on_ipv4(superd):
    """In a network of its own where IPv6 is switched off."""
    if not ROOT:
        pytest.skip("needs root: a network namespace")
    line = ("ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; "
            "echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6; exec \"$@\"")
    d = superd({"services": {"echo": {"listen": ["4711", "localhost:4712"], "exec": [handler("echo")]},
                             "sh": shell("echo hi", "unix:@superd-no6")}},
               prefix=["unshare", "--net", "sh", "-c", line, "sh"])
    out = subprocess.run(["nsenter", "--net", f"--target={d.pid}", "nc", "-N", "127.0.0.1", "4711"],
                         input=b"v4", capture_output=True, timeout=PATIENCE, check=False)
    assert out.stdout == b"v4", out.stderr
    d.wait_idle()
