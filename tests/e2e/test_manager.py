"""What a service manager sees: readiness, reload, stop and watchdog by sd_notify(3)'s protocol; the
background and the pid file; and the capabilities that superd keeps."""

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from superdlib import (PATIENCE, SUPERD, account, connect, descriptors, echo, eventually, needs_root,
                       shell)


class Manager:
    """The socket in NOTIFY_SOCKET."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.settimeout(PATIENCE)

    def hear(self):
        """One message as a dict."""
        text = self.sock.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def hear_until(self, key):
        while True:
            said = self.hear()
            if key in said:
                return said


@pytest.fixture
def manager(folder):
    m = Manager(str(folder / "notify"))
    yield m
    m.sock.close()


def test_the_manager_hears_of_start_reload_and_stop(superd, manager, folder):
    d = superd({"services": {"a": echo()}}, env={"NOTIFY_SOCKET": str(folder / "notify")})
    said = manager.hear()
    assert said["READY"] == "1" and "1 services on 1 addresses" in said["STATUS"]
    before = time.monotonic_ns() // 1000
    d.reload()
    said = manager.hear()
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.hear()["READY"] == "1"
    d.config.write_text("{")
    d.reload(event="reload-failed")
    assert "RELOADING" in manager.hear()
    said = manager.hear()
    assert said["READY"] == "1" and said["STATUS"].endswith("the last reload was refused, see the log")
    d.rewrite({"services": {"a": echo(), "b": echo()}})
    d.upgrade()
    assert "RELOADING" in manager.hear()
    assert manager.hear()["STATUS"] == "2 services on 2 addresses"
    d.stop()
    assert manager.hear()["STOPPING"] == "1"


def test_an_abstract_notify_socket(superd):
    name = f"superd-notify-{os.getpid()}"
    m = Manager("\0" + name)
    superd({"services": {"a": echo()}}, env={"NOTIFY_SOCKET": "@" + name})
    assert m.hear()["READY"] == "1"
    m.sock.close()


def test_handlers_do_not_see_the_manager(superd, manager, folder):
    d = superd({"services": {"a": shell("env; ls -l /proc/self/fd")}},
               env={"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "60000000"})
    told = d.ask()
    assert b"NOTIFY" not in told and b"WATCHDOG" not in told


def test_the_watchdog_is_fed_also_after_an_upgrade(superd, manager, folder):
    d = superd({"services": {"a": echo()}}, env={"NOTIFY_SOCKET": str(folder / "notify"),
                                                 "WATCHDOG_USEC": "200000"})
    for _ in range(3):
        manager.hear_until("WATCHDOG")
    d.upgrade()
    manager.hear_until("READY")
    manager.hear_until("WATCHDOG")


def test_a_manager_that_does_not_listen_holds_up_nothing(superd, folder):
    d = superd({"services": {"a": echo()}}, env={"NOTIFY_SOCKET": str(folder / "nobody")})
    d.reload()
    d.answers("a")


# ---------------------------------------------------------------- background and pid file


def run(*args, prefix=(), **options):
    return subprocess.run([*prefix, str(SUPERD), *map(str, args)], capture_output=True, text=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL, **options)


def one_liner(port=0):
    user = ["-o", "user=root"] if os.geteuid() == 0 else []
    return [*user, "-l", f"127.0.0.1:{port}", "--", "cat"]


def read_pid(path):
    return int(path.read_text())


def stop(pid):
    """A daemon in the background is adopted by the test."""
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, "superd ends")


def test_in_the_background_it_serves_when_the_parent_is_back(superd, folder):
    superd({"services": {"a": echo()}})  # makes this process adopt what is left behind
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = folder / "background.json"
    user = ', "user": "root"' if os.geteuid() == 0 else ""
    log = folder / "log"
    config.write_text(f'{{ "log": {{ "target": {{ "file": "{log}" }} }}, "services": {{ "a": {{ '
                      f'"listen": "127.0.0.1:{port}", "exec": "cat"{user} }} }} }}')
    done = run("-d", "-p", "pid", "-c", config.name, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pid = read_pid(folder / "pid")
    with connect(f"127.0.0.1:{port}") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/2") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/cwd") == "/"

    again = run("-d", "-p", folder / "pid", "-c", config)
    assert again.returncode == 111
    os.kill(pid, signal.SIGUSR2)
    eventually(lambda: " upgrade " in log.read_text(), "it is upgraded")
    third = run("-p", folder / "pid", "-c", config)
    assert third.returncode == 111 and f"superd runs already, as process {pid}" in third.stderr
    with connect(f"127.0.0.1:{port}") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
    stop(pid)
    assert not (folder / "pid").exists()


@pytest.mark.parametrize("most", [24, 64, 100])
def test_to_the_background_with_few_descriptors(superd, folder, most):
    """What the parent waits for is none of the numbers that superd takes for itself."""
    superd({"services": {"a": echo()}})  # makes this process adopt what is left behind
    done = run("-d", "-p", folder / "pid", *one_liner(),
               prefix=["prlimit", f"--nofile={most}"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pid = read_pid(folder / "pid")
    assert os.readlink(f"/proc/{pid}/fd/4") == "anon_inode:[eventfd]"
    assert descriptors(pid)["anon_inode:[eventfd]"] == 1
    stop(pid)


def test_a_start_that_fails_in_the_background_is_told(folder):
    config = folder / "c.json"
    config.write_text('{ "services": { "a": { "lisen": 1 } } }')
    assert run("-d", "-c", config).returncode == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("-d", *one_liner(port=taken.getsockname()[1]))
        assert done.returncode == 111


def test_a_pid_file_that_is_left_over_is_taken(superd, folder):
    (folder / "pid").write_text("1\n")
    d = superd({"services": {"a": echo()}}, args=("-p", str(folder / "pid")))
    assert read_pid(folder / "pid") == d.pid
    d.stop()
    assert not (folder / "pid").exists()


def test_a_pid_file_of_somebody_else_is_left_alone(superd, folder):
    d = superd({"services": {"a": echo()}}, args=("-p", str(folder / "pid")))
    (folder / "pid").unlink()
    (folder / "pid").write_text("4711\n")
    d.stop()
    assert (folder / "pid").read_text() == "4711\n"


def test_a_pid_file_that_cannot_be_written_is_told(folder):
    done = run("-p", folder / "no" / "pid", *one_liner())
    assert done.returncode == 111 and "No such file" in done.stderr


# ---------------------------------------------------------------- capabilities

READ, KILL, SETGID, SETUID, BIND, RESOURCE = (1 << n for n in (2, 5, 6, 7, 10, 24))


def sets_of(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines()
            if line.startswith("Cap")}


def held(pid):
    sets = sets_of(pid)
    assert sets["CapEff"] == sets["CapPrm"]
    assert sets["CapInh"] == sets["CapAmb"] == 0
    return sets["CapEff"]


@needs_root
def test_what_superd_puts_into_another_users_folder_it_can_remove(superd, folder):
    other = folder / "other"
    other.mkdir()
    os.chown(other, account().pw_uid, -1)
    config = {"control": str(other / "control"), "services": {"a": echo(user="nobody")}}
    d = superd(config, args=("-v", "-p", str(other / "pid")))
    d.reload({**config, "control": str(other / "moved")})
    assert sorted(os.listdir(other)) == ["moved", "pid"]
    d.stop()
    assert os.listdir(other) == []


@needs_root
def test_a_reload_says_which_capability_a_folder_takes(superd, folder):
    other = folder / "other"
    other.mkdir()
    os.chown(other, account().pw_uid, -1)
    config = {"services": {"a": echo(user="nobody")}}
    d = superd(config)
    d.reload({**config, "control": str(other / "control")}, event="reload-failed")
    assert "CAP_DAC_OVERRIDE" in d.find("reload-failed")[0]["what"]
    d.upgrade()
    assert os.listdir(other) == ["control"]


@needs_root
def test_superd_keeps_the_capabilities_that_its_configuration_calls_for(superd, folder):
    plain = echo(user="nobody")
    d = superd({"services": {"a": plain}}, preset=False)
    assert held(d.pid) == READ | KILL | SETGID | SETUID
    d.answers("a")
    d.upgrade()
    assert held(d.pid) == READ | KILL | SETGID | SETUID
    d.answers("a")
    e = superd({"services": {"a": plain, "low": echo(listen="127.0.0.1:1019", user="nobody"),
                             "small": echo(user="nobody", rlimits={"nofile": 50})}}, preset=False)
    wanted = READ | KILL | SETGID | SETUID | BIND | RESOURCE
    assert held(e.pid) == wanted & sets_of("self")["CapEff"]  # a container may have fewer
    e.answers("low")


@needs_root
def test_a_handler_that_runs_as_root_has_what_superd_had(superd, probes):
    d = superd({"services": {"a": shell("grep CapEff /proc/self/status")}})
    assert int(d.ask().split()[1], 16) == sets_of("self")["CapEff"] == held(d.pid)


@needs_root
def test_a_handler_of_another_user_has_none(superd):
    d = superd({"services": {"a": shell("grep Cap /proc/self/status", user="nobody")}},
               preset=False)
    sets = dict(line.split() for line in d.ask().decode().splitlines())
    assert {int(sets[k + ":"], 16) for k in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}


@needs_root
def test_what_was_given_up_comes_back_with_an_upgrade_only(superd):
    def config(**more):
        return {"defaults": {"user": "nobody"}, "services": {"a": echo(), **more}}

    low = config(low=echo(listen="127.0.0.1:1018"))
    d = superd(config())
    assert "CAP_NET_BIND_SERVICE" in d.reload(low, event="reload-failed")["what"]
    d.answers("a")
    d.upgrade()
    d.fds_before = None
    assert held(d.pid) & BIND
    with connect("127.0.0.1:1018") as c:
        c.send(b"x")
        assert c.read(1) == b"x"


@needs_root
def test_a_superd_that_is_not_root_gives_handlers_none_of_its_own(superd):
    """As systemd's AmbientCapabilities= has it; superd keeps what it needs, also over an upgrade."""
    nobody = account()
    d = superd({"services": {"a": shell("grep Cap /proc/self/status", listen="127.0.0.1:1017")}},
               preset=False, args=("-v",),
               prefix=["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}",
                       "--clear-groups", "--inh-caps=+net_bind_service,+chown",
                       "--ambient-caps=+net_bind_service,+chown"])
    for _ in range(2):
        sets = dict(line.split() for line in d.ask().decode().splitlines())
        assert {int(sets[k + ":"], 16) for k in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
        assert held(d.pid) == BIND
        d.upgrade()
