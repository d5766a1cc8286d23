"""Kinds of sockets beside TCP and unix streams, and the options of all."""

import os
import pathlib
import re
import socket

import pytest

from superdlib import echo, needs_root, port_of, script, shell

# Read before a worker enters its own network, where older kernels do not show it.
RMEM_MAX = int(pathlib.Path("/proc/sys/net/core/rmem_max").read_text())

# Asks its own connection, as the handler has it.
OPTION = """#!/usr/bin/env python3
import socket, sys
s = socket.socket(fileno=0)
level, option = map(int, sys.argv[1:3])
value = s.getsockopt(level, option, 16)
print(int.from_bytes(value[:4], "little") if len(sys.argv) < 4 else value.decode().strip("\\0"))
"""


@pytest.fixture
def option(folder):
    """A service that tells an option of its connection."""
    program = str(script(folder, "option.py", OPTION))

    def service(level, number, *text, listen="127.0.0.1:0", **keys):
        return {"listen": listen, "exec": [program, str(level), str(number), *text], **keys}

    return service


def ask(d, service=None):
    return d.ask(service).decode().strip()


@pytest.mark.parametrize("where", ["path", "abstract"])
def test_seqpacket_keeps_the_bounds_of_messages(superd, folder, where):
    name = f"{folder}/x.sock" if where == "path" else "@superd-seqpacket"
    d = superd({"services": {"a": echo(f"seqpacket:{name}")}})
    assert d.addr["a"] == f"seqpacket:{name}"
    with d.connect("a") as c:
        for data in (b"one", b"two and more", b"3"):
            c.send(data)
            assert c.sock.recv(100) == data
    assert d.wait_for("accept")["local"] == f"seqpacket:{name}"


def test_a_peer_of_seqpacket_is_known(superd, folder):
    d = superd({"services": {"a": shell("env", f"seqpacket:{folder}/x.sock",
                                        allow=f"uid:{os.geteuid()}")}})
    lines = d.ask("a").decode().splitlines()
    for line in ("PROTO=IPC", f"IPCREMOTEEUID={os.geteuid()}", f"IPCREMOTEPID={os.getpid()}"):
        assert line in lines


def test_the_files_of_these_sockets_are_made_and_removed_as_of_streams(superd, folder):
    paths = {kind: folder / f"{kind}.sock" for kind in ("seqpacket", "dgram")}
    # Left over from a crash: nobody answers.
    for kind, number in (("seqpacket", socket.SOCK_SEQPACKET), ("dgram", socket.SOCK_DGRAM)):
        s = socket.socket(socket.AF_UNIX, number)
        s.bind(str(paths[kind]))
        s.close()
    d = superd({"defaults": {"socket_mode": "0640"}, "services": {
        kind: {"listen": f"{kind}:{path}", "exec": "true"} for kind, path in paths.items()}})
    for path in paths.values():
        assert path.is_socket() and path.stat().st_mode & 0o777 == 0o640
    d.stop()
    assert not any(path.exists() for path in paths.values())


def test_a_socket_of_somebody_is_not_taken_whatever_its_kind(superd, folder):
    path = folder / "x.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        for kind in ("unix", "seqpacket", "dgram"):
            d = superd({"services": {"a": {"listen": f"{kind}:{path}", "exec": "true"},
                                     "b": echo()}})
            assert d.find("listen", service="a", error="Address already in use"), kind
            d.stop()  # it tries again, and may have it once nobody does
    assert path.is_socket()


def vsock_or_skip():
    try:
        s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        s.close()
    except (OSError, AttributeError) as e:
        pytest.skip(f"this machine has no vsock: {e}")


def test_vsock_listens(superd):
    vsock_or_skip()
    d = superd({"services": {"a": echo("vsock:0"), "b": echo("vsock:70001")}})
    assert re.fullmatch(r"vsock:[1-9]\d*", d.addr["a"])
    assert d.addr["b"] == "vsock:70001"


def test_vsock_is_served(superd):
    vsock_or_skip()
    d = superd({"services": {"a": shell("env", "vsock:0")}})
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as s:
        s.settimeout(3)
        try:
            s.connect((1, port_of(d.addr["a"])))  # ourselves
        except OSError as e:
            pytest.skip(f"this machine has no loopback of vsock (module vsock_loopback): {e}")
        s.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: s.recv(4096), b"")).decode()
    assert "PROTO=VSOCK" in text and "VSOCKREMOTECID=1" in text
    assert f"VSOCKLOCALPORT={port_of(d.addr['a'])}" in text


# ---------------------------------------------------------------- options


def test_a_device_is_where_it_is_found(superd, option):
    d = superd({"services": {"a": option(socket.SOL_SOCKET, 25, "text", device="lo"),
                             "b": echo(["127.0.0.1:0"], device="superd-none0"),
                             "c": echo()}})
    assert ask(d, "a") == "lo"
    failed = d.find("listen", service="b")[0]
    assert (failed["call"], failed["error"]) == ("setsockopt", "No such device")
    assert "b" not in d.addr


def test_freebind_listens_on_an_address_that_is_not_here(superd):
    d = superd({"services": {"a": echo("192.0.2.77:0", freebind=True),
                             "b": echo("udp:192.0.2.77:0", mode="wait", freebind=True),
                             "c": echo("192.0.2.77:0")}})
    assert d.addr["a"].startswith("192.0.2.77:") and d.addr["b"].startswith("udp:192.0.2.77:")
    assert d.find("listen", service="c")[0]["error"] == "Cannot assign requested address"


def test_defer_accept_waits_for_the_clients_first_words(superd):
    d = superd({"services": {"a": echo(defer_accept="60s")}})
    with d.connect("a") as c:
        assert c.silent(0.5)
        assert not d.find("accept")
        c.send(b"now\n")
        assert c.read(4) == b"now\n"


def test_buffers_are_set(superd, option):
    d = superd({"services": {
        "rcv": option(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer="32K"),
        "snd": option(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer="32K"),
        "un": option(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer="16K",
                     listen="unix:@superd-buffers")}})
    # The kernel doubles what it is told, for its own accounts.
    assert ask(d, "rcv") == ask(d, "snd") == str(2 * 32768)


@needs_root
def test_root_goes_beyond_the_systems_buffers(superd, option):
    d = superd({"services": {"a": option(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                         receive_buffer=2 * RMEM_MAX)}})
    assert ask(d) == str(4 * RMEM_MAX)


def test_a_reload_changes_the_options_of_an_open_socket(superd, option):
    d = superd({"services": {"a": option(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                         receive_buffer="32K")}})
    assert ask(d) == str(2 * 32768)
    d.config.write_text(d.config.read_text().replace("32K", "64K"))
    d.kill(1)
    d.wait_for("reload-ok")
    assert ask(d) == str(2 * 65536)
