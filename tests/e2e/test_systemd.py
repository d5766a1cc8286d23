"""superd under a real systemd: the unit that is shipped, as `make install` installs it."""

import shutil
import subprocess
import time

import pytest

from superdlib import BUILD, PATIENCE, TOP, connect, echo, eventually, free_port, shell
from systemdlib import SHIPPED, install_unit, missing, systemd, version  # noqa: F401 (a fixture)

SYS_MODULE, SYS_ADMIN, SYS_TIME, SYSLOG = (1 << n for n in (16, 21, 25, 34))

pytestmark = pytest.mark.skipif(bool(missing()), reason=str(missing()))


def start(s, config):
    s.configure(config)
    s.ctl("start", "superd")


def test_start_waits_until_it_listens_and_reload_until_it_is_done(systemd):
    start(systemd, {"services": {"a": echo()}})
    assert systemd.ask("a", b"hello") == b"hello"
    assert systemd.show("StatusText") == "1 services on 1 addresses"
    assert systemd.show("WatchdogUSec") == "30s"
    pid = systemd.show("MainPID")
    systemd.configure({"services": {"a": echo(), "b": echo()}})
    systemd.ctl("reload", "superd")
    assert systemd.ask("b", b"hello") == b"hello"
    assert systemd.show("StatusText") == "2 services on 2 addresses"
    assert (systemd.show("MainPID"), systemd.show("ActiveState")) == (pid, "active")


def test_a_reload_that_is_refused_says_so_and_the_old_one_serves_on(systemd):
    start(systemd, {"services": {"a": echo()}})
    (systemd.folder / "services.json").write_text('{ "services": { "a": { "lisen": 1 } } }')
    systemd.ctl("reload", "superd", good=False)
    assert "lisen" in systemd.wait_for("reload-failed")["what"]
    assert "did you mean" in systemd.log.read_text()
    assert systemd.show("ActiveState") == "active"
    assert systemd.ask("a", b"hello") == b"hello"
    systemd.signal("HUP")
    systemd.wait_for("reload-failed", count=2)
    eventually(lambda: systemd.show("ActiveState") == "active", "it is active again")
    assert "refused" in systemd.show("StatusText")
    systemd.configure({"services": {"a": echo(), "b": echo()}})
    systemd.ctl("reload", "superd")
    assert systemd.ask("b", b"hello") == b"hello"
    assert systemd.show("StatusText") == "2 services on 2 addresses"


def test_notify_reload(systemd):
    if version() < 253:
        pytest.skip("needs systemd 253: Type=notify-reload")
    systemd.drop_in("reload", (SHIPPED / "superd-notify-reload.conf").read_text())
    start(systemd, {"services": {"a": echo()}})
    assert systemd.show("Type") == "notify-reload"
    for count in range(2, 5):
        systemd.configure({"services": {f"a{i}": echo() for i in range(count)}})
        systemd.ctl("reload", "superd")
        assert systemd.show("StatusText") == f"{count} services on {count} addresses"
    (systemd.folder / "services.json").write_text("{")
    systemd.ctl("reload", "superd")
    assert "the last reload was refused" in systemd.show("StatusText")
    assert systemd.show("ActiveState") == "active"
    assert systemd.ask("a2", b"hello") == b"hello"
    systemd.configure({"services": {"a": echo()}})
    systemd.signal("USR2")
    systemd.wait_for("upgrade")
    systemd.ctl("reload", "superd")
    assert systemd.show("StatusText") == "1 services on 1 addresses"


def test_a_configuration_that_is_refused_is_not_tried_again(systemd):
    (systemd.folder / "services.json").write_text("{")
    systemd.ctl("start", "superd", good=False)
    assert systemd.show("ActiveState") == "failed"
    assert (systemd.show("ExecMainStatus"), systemd.show("NRestarts")) == ("1", "0")


def test_an_upgrade_keeps_the_process_the_unit_and_the_connections(systemd):
    start(systemd, {"services": {"a": echo()}})
    pid = systemd.show("MainPID")
    with systemd.connect("a") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
        systemd.signal("USR2")
        systemd.wait_for("upgrade")
        eventually(lambda: systemd.show("ActiveState") == "active", "it is active again")
        c.send(b"y")
        assert c.read(1) == b"y"
    assert systemd.show("MainPID") == pid
    assert systemd.show("NRestarts") == "0"
    assert systemd.ask("a", b"hello") == b"hello"


def test_a_superd_that_hangs_is_started_again_and_one_that_was_upgraded_does_not(systemd):
    systemd.drop_in("watchdog", "[Service]\nWatchdogSec=3s\n")
    start(systemd, {"services": {"a": echo()}})
    pid = systemd.show("MainPID")
    systemd.signal("USR2")
    systemd.wait_for("upgrade")
    fed = systemd.show("WatchdogTimestampMonotonic")
    time.sleep(7)  # two of them
    assert (systemd.show("MainPID"), systemd.show("NRestarts")) == (pid, "0")
    assert systemd.show("WatchdogTimestampMonotonic") != fed
    systemd.signal("STOP")
    eventually(lambda: systemd.show("NRestarts") == "1", "it is started again")
    eventually(lambda: systemd.show("ActiveState") == "active", "it serves again")
    assert systemd.show("MainPID") != pid
    assert systemd.ask("a", b"hello") == b"hello"


def test_a_superd_that_is_killed_is_started_again_without_its_old_handlers(systemd):
    systemd.configure({"services": {"a": shell("echo $$; exec sleep 1000")}})
    systemd.ctl("start", "superd")
    with systemd.connect("a") as c:
        handler = int(c.read_line())
        systemd.signal("KILL")
        eventually(lambda: systemd.show("NRestarts") == "1", "it is started again")
        eventually(lambda: systemd.show("ActiveState") == "active", "it serves again")
    assert not systemd.alive(handler)


def test_a_stop_leaves_nothing_not_even_what_made_a_session_of_its_own(systemd):
    start(systemd, {"services": {"a": shell("setsid sleep 1000 >/dev/null 2>&1 & echo $!")}})
    left = int(systemd.ask("a"))
    assert systemd.alive(left)
    systemd.ctl("stop", "superd")
    assert not systemd.alive(left)
    assert systemd.show("Result") == "success"
    assert not (systemd.folder / "cgroup" / "superd.service").exists()


def test_a_stop_may_take_as_long_as_the_configuration_says(systemd):
    systemd.drop_in("patience", "[Service]\nTimeoutStopSec=1s\n")
    start(systemd, {"stop_timeout": "60s", "services": {"a": echo()}})
    with systemd.connect("a") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
        systemd.ctl("stop", "--no-block", "superd")
        assert c.silent(4)
        c.send(b"y")
        assert c.read(1) == b"y"
    eventually(lambda: systemd.show("ActiveState") == "inactive", "it has stopped")
    assert systemd.show("Result") == "success"


# ---------------------------------------------------------------- what handlers can do


def test_handlers_can_be_anybody_anywhere(systemd, probes):
    home, jail = systemd.folder / "home", systemd.folder / "jail"
    for folder in (home, jail):
        folder.mkdir()
    shutil.chown(home, "nobody")
    shutil.copy(probes / "echo", jail / "echo")
    start(systemd, {"services": {
        "user": shell("id -un; pwd; echo x > file && cat file", user="nobody", directory=home),
        "root": shell("id -un; readlink /proc/self/ns/mnt /proc/1/ns/mnt", user="root"),
        "jail": {"listen": "127.0.0.1:0", "exec": "/echo", "chroot": jail},
        "rises": shell("grep NoNewPrivs /proc/self/status; setpriv --reuid nobody id -un",
                       user="root", no_new_privs=False),
        "limits": shell("ulimit -Sn", user="nobody"),
        "kernel": shell("grep CapBnd /proc/self/status; chrt -f 1 true || echo no", user="root"),
        "low": echo(listen="127.0.0.1:1016"),
    }})
    assert systemd.ask("user").decode().split() == ["nobody", str(home), "x"]
    who, mounts, first = systemd.ask("root").decode().split()
    assert who == "root" and mounts == first  # what a session mounts is there for all
    assert systemd.ask("jail", b"hello") == b"hello"
    assert systemd.ask("rises").decode().split() == ["NoNewPrivs:", "0", "nobody"]
    assert systemd.ask("limits").strip() == b"1024"
    _, bounds, realtime = systemd.ask("kernel").decode().split()
    assert not int(bounds, 16) & (SYS_MODULE | SYS_TIME | SYSLOG) and realtime == "no"
    assert int(bounds, 16) & SYS_ADMIN
    assert systemd.ask("low", b"hello") == b"hello"
    code, out, err = systemd.run(systemd.ctl_path, "-s", "/run/superd/control", "list")
    assert code == 0 and "jail" in out, err


def test_the_strict_drop_in_serves_too(systemd, probes):
    systemd.drop_in("strict", (SHIPPED / "superd-strict.conf").read_text())
    # It hides where this test has its files.
    systemd.drop_in("here", f"[Service]\nBindReadOnlyPaths={TOP} {systemd.folder} {probes}\n")
    jail = systemd.folder / "jail"
    jail.mkdir()
    shutil.copy(probes / "echo", jail / "echo")
    jail.chmod(0o777)
    writes = shell(f"id -un; (echo x > {jail}/x) 2>/dev/null || echo no; echo y > /tmp/y; cat /tmp/y")
    start(systemd, {"services": {
        "user": writes,
        "jail": {"listen": "127.0.0.1:0", "exec": "/echo", "chroot": jail},
        "nice": shell("nice; ulimit -n", nice=-5, rlimits={"nofile": 50}),
        "low": echo(listen="127.0.0.1:1015"),
        "unix": echo(listen="unix:/run/superd/echo", socket_mode="0666"),
    }})
    def serves():
        assert systemd.ask("user").decode().split() == ["nobody", "no", "y"]
        assert systemd.ask("jail", b"hello") == b"hello"
        assert systemd.ask("nice").split() == [b"-5", b"50"]
        assert systemd.ask("low", b"hello") == b"hello"
        assert systemd.run("test", "-S", "/run/superd/echo")[0] == 0

    serves()
    systemd.ctl("reload", "superd")
    serves()
    systemd.signal("USR2")
    systemd.wait_for("upgrade")
    eventually(lambda: systemd.show("ActiveState") == "active", "it is active again")
    serves()
    systemd.ctl("stop", "superd")
    assert systemd.show("Result") == "success"


# ---------------------------------------------------------------- sockets that systemd opens


def socket_unit(port, name="www"):
    text = (SHIPPED / "superd.socket").read_text()
    assert "ListenStream=80\n" in text and "FileDescriptorName=www\n" in text
    return text.replace("ListenStream=80", f"ListenStream=127.0.0.1:{port}") \
        .replace("FileDescriptorName=www", f"FileDescriptorName={name}")


def test_a_socket_of_systemd_starts_superd_and_stays_open_while_it_restarts(systemd):
    port = free_port()
    systemd.unit("superd.socket", socket_unit(port))
    systemd.configure({"services": {"a": echo("fd:www")}})
    systemd.ctl("daemon-reload")
    systemd.ctl("start", "superd.socket")
    assert systemd.show("ActiveState") == "inactive"

    def ask():
        with connect(f"127.0.0.1:{port}") as c:
            c.send(b"hello")
            assert c.read(5) == b"hello"
    ask()  # which starts superd
    assert systemd.show("ActiveState") == "active"
    assert systemd.show("StatusText") == "1 services on 1 addresses"
    for _ in range(3):  # systemd itself stops at five starts in ten seconds
        done = systemd.begin("systemctl", "restart", "superd")
        while done.poll() is None:
            ask()
        assert done.wait() == 0
    systemd.ctl("reload", "superd")
    systemd.signal("USR2")
    systemd.wait_for("upgrade")
    ask()
    assert systemd.show("NRestarts") == "0"


def test_sockets_of_two_names(systemd):
    ports = free_port(), free_port()
    systemd.unit("superd.socket", socket_unit(ports[0]))
    systemd.unit("superd-second.socket", socket_unit(ports[1], "second"))
    systemd.drop_in("sockets", "[Service]\nSockets=superd.socket superd-second.socket\n")
    systemd.configure({"services": {"a": echo("fd:www"), "b": shell("echo b", listen="fd:second")}})
    systemd.ctl("daemon-reload")
    systemd.ctl("start", "superd.socket", "superd-second.socket", "superd")
    with connect(f"127.0.0.1:{ports[0]}") as c:
        c.send(b"hello")
        assert c.read(5) == b"hello"
    with connect(f"127.0.0.1:{ports[1]}") as c:
        assert c.read_all() == b"b\n"


# ---------------------------------------------------------------- without running it


def analyze(*words):
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True,
                          timeout=PATIENCE)


def test_systemd_finds_nothing_wrong_with_the_unit(folder):
    install_unit(folder, folder)
    done = analyze("verify", "--man=no", folder / "superd.service")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = (folder / "superd.service").read_text()
    assert f"ExecStart={BUILD}/superd -c {folder}/services.json " in text and "@" not in text
