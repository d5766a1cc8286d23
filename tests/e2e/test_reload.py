"""Another configuration for a running superd: nothing that stays is touched, and an error changes
nothing at all."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from superdlib import (PATIENCE, SUPERD, connect, echo, eventually, free_port, needs_root, port_of,
                       scaled, script, shell)


def sockets(pid):
    """The inodes of all sockets of a process."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def test_a_service_is_added_changed_and_removed(superd):
    d = superd({"services": {"stays": echo(), "changes": shell("echo old"), "goes": echo()}})
    goes = d.addr["goes"]
    said = d.reload({"services": {"stays": echo(), "changes": shell("echo new"), "comes": echo()}})
    assert (said["added"], said["removed"], said["opened"], said["closed"]) == (1, 1, 1, 1)
    d.answers("stays")
    d.answers("comes")
    assert d.ask("changes") == b"new\n"
    with pytest.raises(ConnectionRefusedError):
        connect(goes)


def test_h48_an_unchanged_listener_keeps_its_socket(superd):
    config = {"services": {"a": echo(), "b": echo(listen=["127.0.0.1:0", "127.0.0.1:0"])}}
    d = superd(config)
    before = sockets(d.pid)
    assert len(before) == 3
    said = d.reload()
    assert (said["opened"], said["closed"]) == (0, 0)
    assert sockets(d.pid) == before
    d.answers("a")


def test_h48_a_client_in_the_backlog_is_served_by_whoever_gets_the_address(superd):
    port = free_port()
    d = superd({"services": {"old": shell("read x; echo old", f"127.0.0.1:{port}",
                                          max_connections=1, queue=0)}})
    with d.connect() as first:
        d.wait_for("accept")
        with d.connect() as second:
            d.wait_for("suspend")
            d.reload({"services": {"new": shell("echo new", f"127.0.0.1:{port}")}})
            assert second.read_all() == b"new\n"
        first.send(b"\n")
        assert first.read_all() == b"old\n"


def test_h49_a_live_connection_keeps_its_handler_and_its_limits(superd):
    """It is not killed, it still counts, and what ends it is what was in force when it came."""
    d = superd({"services": {"a": shell("trap 'echo told; exit' TERM; echo hi; while :; do "
                                        "sleep 0.05; done", max_connections=1)}})
    with d.connect() as c:
        assert c.read_line() == "hi"
        d.reload({"services": {"a": echo(max_connections=2, timeout="1h")}})
        d.answers("a")
        d.reload({"services": {"a": echo(max_connections=1)}})
        with d.connect("a") as waits:
            waits.send(b"x")
            d.wait_for("suspend")
            d.kill(signal.SIGTERM)
            d.kill(signal.SIGTERM)
            assert c.read_all() == b"told\n"


def test_h27_counters_survive(superd):
    config = {"services": {"a": echo()}}
    d = superd(config)
    for _ in range(3):
        d.answers("a")
    d.reload()
    for _ in range(2):
        d.answers("a")
    d.wait_idle()
    d.stop()
    assert d.find("ledger", service="a")[0]["accepted"] == 5


def test_a_removed_service_ends_with_its_last_connection(superd):
    d = superd({"services": {"a": echo(), "b": echo()}})
    with d.connect("a") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
        d.reload({"services": {"b": echo()}})
        c.send(b"y")
        assert c.read(1) == b"y"
        assert not d.find("ledger")
    ledger = d.wait_for("ledger", service="a")
    assert ledger["accepted"] == ledger["closed"] == 1


def test_a_service_that_comes_back_has_its_counters_again(superd):
    both = {"services": {"a": echo(max_connections=1), "b": echo()}}
    d = superd(both)
    with d.connect("a") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
        d.reload({"services": {"b": echo()}})
        d.reload(both)
        with d.connect("a") as waits:
            d.wait_for("suspend", service="a")
            c.close()
            waits.send(b"x")
            assert waits.read(1) == b"x"
    d.wait_idle()
    d.stop()
    assert [e["accepted"] for e in d.find("ledger", service="a")] == [2]


def test_those_who_wait_go_on_under_what_they_came_for(superd):
    """They have a place in the queue of a service whose environment and stderr change."""
    one = shell("read x; echo old $V", max_connections=1, queue=5, stderr="null")
    d = superd({"services": {"a": one}})
    first, second = d.connect(), d.connect()
    d.wait_for("suspend")
    eventually(lambda: len([s for s in sockets(d.pid)]) >= 2, "it waits in superd")
    many = {f"LONG_NAME_{i}": "v" * 200 for i in range(100)}
    d.reload({"services": {"a": shell("read x; echo new $V", max_connections=1, queue=5,
                                      env={"V": "v", **many})}})
    for c in (first, second):
        c.send(b"\n")
        assert c.read_all() == b"old\n"
    with d.connect() as c:
        c.send(b"\n")
        assert c.read_all() == b"new v\n"


def test_those_who_wait_in_a_service_that_goes_are_served(superd):
    d = superd({"services": {"a": shell("read x; echo $x", max_connections=1, queue=5),
                             "b": echo()}})
    clients = [d.connect("a") for _ in range(3)]
    d.wait_for("suspend")
    d.reload({"services": {"b": echo()}})
    for i, c in enumerate(clients):
        c.send(b"%d\n" % i)
        assert c.read_all() == b"%d\n" % i
    d.wait_for("ledger", service="a")


def test_more_room_lets_those_in_who_wait_for_it(superd):
    d = superd({"services": {"a": echo(max_connections=1)}})
    with d.connect() as first, d.connect() as second:
        first.send(b"x")
        second.send(b"y")
        d.wait_for("suspend")
        d.reload({"services": {"a": echo(max_connections=2)}})
        assert second.read(1) == b"y"


# ---------------------------------------------------------------- all or nothing


def test_h47_an_error_changes_nothing_and_has_its_place(superd):
    d = superd({"services": {"a": echo()}})
    before = sockets(d.pid)
    d.config.write_text('{ "services": {\n  "a": { "listen": "127.0.0.1:0", "exec": "cat" },\n'
                        '  "b": { "lisen": "127.0.0.1:0", "exec": "cat" } } }\n')
    d.reload(event="reload-failed")
    d.wait_for("reload-failed", where=lambda e: e["what"].startswith(
        f"{d.config}:3:10: service 'b': unknown key 'lisen'"))
    assert sockets(d.pid) == before
    d.answers("a")


def test_h47_every_complaint_comes_back(superd):
    d = superd({"services": {"a": echo()}})
    d.reload({"services": {"a": {"listen": "70000"}, "b": {"exec": "/nowhere"}}},
             event="reload-failed")
    d.wait_for("reload-failed", count=3)
    d.answers("a")


def test_h47_a_file_that_is_gone_changes_nothing(superd):
    d = superd({"services": {"a": echo()}})
    d.config.unlink()
    assert "no such file" in d.reload(event="reload-failed")["what"]
    d.answers("a")


def test_h47_an_address_that_is_taken_changes_nothing(superd):
    d = superd({"services": {"a": echo()}})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = d.folder / "new.sock"
        said = d.reload({"services": {"a": shell("echo new"), "s": echo(listen=f"unix:{path}"),
                                      "b": echo(listen=f"127.0.0.1:{port}")}},
                        event="reload-failed")
        assert f"service 'b': listen: 127.0.0.1:{port}: bind: Address already in use" in said["what"]
        assert said["what"].startswith(f"{d.config}:")
    assert not path.exists()
    d.answers("a")


def test_h47_a_log_that_cannot_be_opened_changes_nothing(superd):
    d = superd({"services": {"a": echo()}})
    said = d.reload({"log": {"target": {"file": "/proc/none/log"}}, "services": {"a": echo()}},
                    event="reload-failed")
    assert "/proc/none/log: the log cannot be opened" in said["what"]
    d.answers("a")


def test_a_one_liner_has_nothing_to_read_again(superd):
    d = superd(None, command=[str(SUPERD), "-l", "127.0.0.1:0"],
               args=("-v", "-o", "user=root", "--", "cat") if os.geteuid() == 0 else ("-v", "--", "cat"),
               log="text")
    d.kill(signal.SIGHUP)
    eventually(lambda: "reload-failed" in d.stderr(), "it says so")
    assert d.ask(data=b"x") == b"x"


def test_while_it_stops_nothing_is_reloaded(superd):
    d = superd({"stop_timeout": "1h", "services": {"a": echo()}})
    with d.draining():
        assert "stopping" in d.reload(event="reload-failed")["what"]


# ---------------------------------------------------------------- what changes with it


def answers_at(address):
    """Not so where it is closed, or just being closed."""
    try:
        with connect(address) as c:
            c.send(b"x")
            return c.read(1) == b"x"
    except (ConnectionRefusedError, ConnectionResetError):
        return False


def test_an_address_grows_and_shrinks(superd):
    """127.0.0.1 and all addresses of one port cannot be open at the same time."""
    port = free_port()
    narrow = {"services": {"a": echo(listen=f"127.0.0.1:{port}")}}
    broad = {"services": {"a": echo(listen=f"{port}")}}
    d = superd(narrow)
    for config, where in ((broad, "::1"), (narrow, "127.0.0.1"), (broad, "::1")):
        d.reload(config)
        address = f"[{where}]:{port}" if ":" in where else f"{where}:{port}"
        if ":" in where and not socket.has_ipv6:
            continue
        # Somebody else's connection may have the port for a moment; superd tries again (H10).
        eventually(lambda: answers_at(address), f"{address} answers")


def test_a_unix_socket_stays_and_gets_another_mode(superd, folder):
    path = folder / "s"
    d = superd({"services": {"a": echo(listen=f"unix:{path}", socket_mode="600")}})
    inode = path.stat().st_ino
    d.reload({"services": {"a": echo(listen=f"unix:{path}", socket_mode="640")}})
    assert path.stat().st_ino == inode
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    d.answers("a")
    d.reload({"services": {"b": echo()}})
    assert not path.exists()


# Puts a link to another file where the socket was, and back, as fast as it can.
SWAP = """import ctypes, os, sys
a, b = (os.fsencode(x) for x in sys.argv[1:])
swap = ctypes.CDLL(None).renameat2
print("go", flush=True)
while True:
    swap(-100, a, -100, b, 2)
"""


def test_the_mode_of_a_socket_is_never_another_files(superd, folder):
    """Its folder may be its user's, who could otherwise have the mode of any file changed."""
    victim, path = folder / "victim", folder / "s"
    victim.write_text("secret")
    victim.chmod(0o600)
    (folder / "link").symlink_to(victim)
    d = superd({"services": {"a": echo(listen=f"unix:{path}", socket_mode="666")}})
    with subprocess.Popen([sys.executable, "-c", SWAP, path, folder / "link"],
                          stdout=subprocess.PIPE) as swap:
        assert swap.stdout.readline()
        for i in range(200):
            d.reload({"services": {"a": echo(listen=f"unix:{path}",
                                             socket_mode="660" if i % 2 else "666")}})
        swap.kill()
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    if path.is_symlink():  # as superd left it, for its end
        os.rename(folder / "link", path)


def test_socket_options_follow(superd, folder):
    tell = script(folder, "tell", f"#!{sys.executable}\nimport socket\n"
                  "s = socket.socket(fileno=0)\n"
                  "print(s.getsockopt(6, socket.TCP_NODELAY), s.getsockopt(1, socket.SO_KEEPALIVE),"
                  " s.getsockopt(6, 18), flush=True)\n")
    service = {"listen": "127.0.0.1:0", "exec": [str(tell)]}
    d = superd({"services": {"a": {**service, "nodelay": True, "keepalive": True,
                                   "user_timeout": "7s"}}})
    assert d.ask("a") == b"1 1 7000\n"
    d.reload({"services": {"a": {**service, "nodelay": False, "keepalive": False,
                                 "user_timeout": 0}}})
    assert d.ask("a") == b"0 0 0\n"


def test_the_lists_are_read_again(superd, folder):
    blocked = folder / "blocked"
    blocked.write_text("")
    d = superd({"services": {"a": echo(deny={"file": str(blocked)})}})
    d.answers("a")
    blocked.write_text("127.0.0.0/8\n")
    d.reload()
    with d.connect() as c:
        assert c.read_all() == b""
    assert d.wait_for("reject")["reason"] == "deny"


def test_the_log_may_move(superd, folder):
    d = superd({"services": {"a": echo()}})
    other = folder / "other.log"
    d.rewrite({"log": {"target": {"file": str(other)}}, "services": {"a": echo()}})
    d.kill(signal.SIGHUP)
    eventually(lambda: other.exists() and "reload-ok" in other.read_text(), "the new log")
    d.log_path, d._offset = other, 0
    d.answers("a")


def test_relative_names_mean_what_they_meant(superd, folder):
    (folder / "bin").mkdir()
    script(folder, "bin/tell", "#!/bin/sh\necho $V\n")
    service = {"listen": "127.0.0.1:0", "exec": "./bin/tell"}
    d = superd({"services": {"a": {**service, "env": {"V": "1"}}}}, cwd=folder,
               command=[str(SUPERD), "-c", "superd.json"])
    assert d.ask("a") == b"1\n"
    d.reload({"services": {"a": {**service, "env": {"V": "2"}}}})
    assert d.ask("a") == b"2\n"
    d.config.write_text("{")
    assert d.reload(event="reload-failed")["what"].startswith("superd.json:1:")


def test_settings_of_the_command_line_stay(superd):
    d = superd({"services": {"a": shell("echo $V")}}, args=("-v", "-o", 'env={"V": "set"}'))
    d.reload({"services": {"a": shell("echo $V"), "b": shell("echo $V")}})
    assert d.ask("a") == d.ask("b") == b"set\n"


def test_a_service_is_switched_off_and_on(superd):
    port = free_port()
    d = superd({"services": {"a": echo(), "b": echo(listen=f"127.0.0.1:{port}", enabled=False)}})
    with pytest.raises(ConnectionRefusedError):
        connect(f"127.0.0.1:{port}")
    d.reload({"services": {"a": echo(), "b": echo(listen=f"127.0.0.1:{port}")}})
    d.answers("b")
    d.reload({"services": {"a": echo(), "b": echo(listen=f"127.0.0.1:{port}", enabled=False)}})
    with pytest.raises(ConnectionRefusedError):
        connect(f"127.0.0.1:{port}")


def test_bans_stay(superd):
    config = {"services": {"a": echo(), "trap": {"listen": "127.0.0.1:0", "trap": "1h"}}}
    d = superd(config)
    d.connect("trap").close()
    d.wait_for("ban")
    d.reload()
    with d.connect("a") as c:
        assert c.read_all() == b""
    assert d.wait_for("reject", service="a")["reason"] == "ban"


def test_ten_thousand_ports_are_reloaded_at_once(superd):
    config = {"services": {"many": echo(listen="127.0.0.1:20000-24999"),
                           **{f"s{i}": echo() for i in range(500)}}}
    d = superd(config, args=())
    before = sockets(d.pid)
    said = d.reload({"services": {**config["services"], "one-more": echo()}})
    assert (said["opened"], said["closed"]) == (1, 0)
    assert len(sockets(d.pid) - before) == 1 and before <= sockets(d.pid)


# ---------------------------------------------------------------- under load


def test_h48_fifty_reloads_under_load_lose_nothing(superd, probes):
    """Services come, change and go all the time; those that stay refuse and reset nobody."""
    def config(i):
        services = {"stays": echo(backlog=4096), f"comes-and-goes-{i % 3}": echo(),
                    "changes": echo(max_connections=50 + i, env={"I": str(i)})}
        if i % 2:
            services["odd"] = echo(listen=["127.0.0.1:0", "127.0.0.1:0"])
        return {"services": services}

    d = superd(config(0), args=())
    loads = [subprocess.Popen([probes / "storm", str(port_of(d.addr[name])), "1000000", "20", "300",
                               "x"], stdout=subprocess.PIPE, text=True)
             for name in ("stays", "changes")]
    for i in range(1, scaled(50) + 1):
        d.reload(config(i))
        time.sleep(0.05)  # so that connections come between two of them as well
    served = 0
    for load in loads:
        load.send_signal(signal.SIGTERM)
        ok, *bad = map(int, load.communicate(timeout=PATIENCE)[0].split())
        assert not any(bad), (ok, bad)
        served += ok
    assert served > scaled(1000)


@needs_root
def test_a_failing_reload_frees_what_it_had_opened(superd):
    d = superd({"services": {"a": echo()}})
    before = sockets(d.pid)
    for _ in range(20):
        d.reload({"services": {"a": echo(), "b": echo(listen="127.0.0.1:0"),
                               "c": echo(listen="192.0.2.1:7")}}, event="reload-failed")
    assert sockets(d.pid) == before
    assert "Cannot assign requested address" in d.find("reload-failed")[-1]["what"]
