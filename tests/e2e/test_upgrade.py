"""Another program for a running superd: the same process goes on with all that it had."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from superdlib import (PATIENCE, SUPERD, children, connect, echo, eventually, needs_root, port_of, scaled,
                       shell)
from test_reload import sockets


def start(superd, folder, config, **options):
    """From a copy of the program, which a test may replace."""
    program = folder / "superd"
    shutil.copy(SUPERD, program)
    d = superd(config, command=[str(program), "-c", str(folder / "superd.json")], **options)
    d.program = program
    return d


def replace(d, text):
    """As a package manager does it: another file under the same name."""
    new = d.program.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o755)
    new.rename(d.program)


def test_h50_the_process_goes_on_as_another_program(superd):
    d = superd({"services": {"a": echo(), "b": echo(listen=f"unix:@superd-upgrade-{os.getpid()}")}})
    before = sockets(d.pid)
    said = d.upgrade()
    assert (said["listeners"], said["live"]) == (2, 0)
    assert sockets(d.pid) == before
    assert "--inherit" in pathlib.Path(f"/proc/{d.pid}/cmdline").read_text()
    for _ in range(3):
        d.answers("a")
        d.answers("b")
    d.upgrade()
    d.answers("a")


def test_h50_a_live_connection_is_accounted_to_its_end(superd):
    d = superd({"services": {"a": shell("echo hi; read x; echo $x; echo word >&2; exit 3")}})
    with d.connect() as c:
        assert c.read_line() == "hi"
        pid = d.wait_for("accept")["pid"]
        assert d.upgrade()["live"] == 1
        c.send(b"still there\n")
        assert c.read_all() == b"still there\n"
    closed = d.wait_for("close", conn=1)
    assert (closed["exit"], closed["pid"]) == (3, pid) and closed["memory_kb"] > 0
    assert d.wait_for("stderr", conn=1)["line"] == "word"


def test_h50_half_a_line_of_stderr_is_not_lost(superd):
    d = superd({"services": {"a": shell("printf half >&2; echo hi; read x; echo ' a line' >&2")}})
    with d.connect() as c:
        assert c.read_line() == "hi"
        time.sleep(0.1)  # so that superd has read the half
        d.upgrade()
        c.send(b"\n")
        c.read_all()
    assert d.wait_for("stderr")["line"] == "half a line"


def test_h50_counters_and_limits_survive(superd):
    d = superd({"services": {"a": echo(max_connections=1, queue=0), "b": echo(max_per_source=1)}})
    d.answers("b")
    d.wait_idle()
    with d.connect("a") as c, d.connect("b") as e:
        for client in (c, e):
            client.send(b"x")
            assert client.read(1) == b"x"
        d.upgrade()
        with d.connect("b") as too_many:
            assert too_many.read_all() == b""
        assert d.wait_for("reject")["reason"] == "max_per_source"
        with d.connect("a") as waits:
            waits.send(b"y")
            d.wait_for("suspend", service="a")
            c.close()
            assert waits.read(1) == b"y"
        e.close()
    d.wait_idle()
    d.stop()
    sums = {e["service"]: e for e in d.find("ledger")}
    assert sums["a"]["accepted"] == 2
    assert (sums["b"]["arrived"], sums["b"]["max_per_source"]) == (3, 1)


def test_h50_those_who_wait_are_served(superd):
    d = superd({"services": {"a": shell("read x; echo $x", max_connections=1, queue=5)}})
    clients = [d.connect() for _ in range(4)]
    d.wait_for("suspend")
    d.upgrade()
    for i, c in enumerate(clients):
        c.send(b"%d\n" % i)
    for i, c in enumerate(clients):
        assert c.read_all() == b"%d\n" % i


@pytest.mark.parametrize("now", [{"trap": "1h"}, {"shell": "sleep 1", "mode": "wait"},
                                 {"exec": ["/no/such/program"], "enabled": False}],
                         ids=["trap", "wait", "disabled"])
def test_h50_those_who_wait_for_what_is_no_more_are_refused(superd, now):
    d = superd({"services": {"a": shell("read x; echo $x", max_connections=1, queue=5),
                             "b": echo()}})
    first, second = d.connect("a"), d.connect("a")
    d.wait_for("suspend")
    listen = d.addr["a"]
    d.rewrite({"services": {"a": {"listen": listen, **now}, "b": echo(listen=d.addr["b"])}})
    d.upgrade()
    assert second.read_all() == b""
    first.send(b"x\n")
    assert first.read_all() == b"x\n"
    d.answers("b")


def test_h50_bans_and_buckets_survive(superd):
    d = superd({"services": {"a": echo(), "slow": echo(rate="1/h burst 1"),
                             "each": echo(rate_per_source="1/h burst 1"),
                             "trap": {"listen": "127.0.0.1:0", "trap": "1h"}}})
    d.answers("slow")
    d.answers("each")
    d.upgrade()
    for service, reason in (("slow", "rate"), ("each", "rate_per_source")):
        with d.connect(service) as c:
            assert c.read_all() == b""
        d.wait_for("reject", service=service, reason=reason)
    d.connect("trap").close()
    d.wait_for("ban")
    d.upgrade()
    with d.connect("a") as c:
        assert c.read_all() == b""
    d.wait_for("reject", service="a", reason="ban")


def test_h50_deadlines_go_on(superd):
    d = superd({"services": {"a": shell("echo hi; sleep 1000", timeout="2s"),
                             "idle": shell("echo hi; sleep 1000", idle_timeout="2s"),
                             "deaf": shell("trap '' TERM; echo hi; while :; do sleep 0.1; done",
                                           timeout="1s", kill_grace="1s")}})
    for name in ("a", "idle", "deaf"):
        assert d.connect(name).read_line() == "hi"
    d.upgrade()
    d.wait_for("timeout", service="deaf")
    d.upgrade()
    assert d.wait_for("close", service="a")["signal"] == "TERM"
    assert d.wait_for("close", service="idle")["signal"] == "TERM"
    assert d.wait_for("close", service="deaf")["signal"] == "KILL"


def test_h50_who_moves_bytes_is_not_idle_afterwards(superd):
    """Also where the new configuration asks of nobody any more whether bytes move."""
    d = superd({"services": {"a": echo(idle_timeout="1s")}})
    with d.connect() as c:
        c.send(b"x")
        assert c.read(1) == b"x"
        d.rewrite({"services": {"a": echo()}})
        d.upgrade()
        for _ in range(12):
            c.send(b"x")
            assert c.read(1) == b"x"
            time.sleep(0.2)
    d.fds_before = None


def test_h50_a_lingering_close_goes_on(superd):
    """All bytes arrive, although input is unread (H44)."""
    d = superd({"services": {"a": shell("head -c 1000000 /dev/zero", close="linger")}})
    with d.connect() as c:
        c.send(b"unread")
        d.wait_for("accept")
        time.sleep(0.2)
        d.upgrade()
        assert len(c.read_all()) == 1000000
    assert d.wait_for("close")["bytes_out"] >= 1000000


def test_it_is_a_reload_too(superd):
    d = superd({"services": {"stays": echo(), "goes": shell("read x; echo $x"),
                             "changes": shell("echo old")}})
    with d.connect("goes") as c:
        d.wait_for("accept")
        d.rewrite({"services": {"stays": echo(), "comes": echo(), "changes": shell("echo new")}})
        d.upgrade()
        d.addr["comes"] = d.wait_for("listen", service="comes")["addr"]
        d.fds_before = None
        d.answers("stays")
        d.answers("comes")
        assert d.ask("changes") == b"new\n"
        with pytest.raises(ConnectionRefusedError):
            connect(d.addr["goes"])
        c.send(b"x\n")
        assert c.read_all() == b"x\n"
    assert d.wait_for("ledger", service="goes")["accepted"] == 1


def test_the_original_limits_still_reach_the_handlers(superd, probes):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "exec": ["sh", "-c", "ulimit -n"]}}},
               prefix=["prlimit", "--nofile=700:5000"])
    assert d.ask("a") == b"700\n"
    d.upgrade()
    assert d.ask("a") == b"700\n"


def test_a_one_liner_is_upgraded(superd):
    user = ["-o", "user=root"] if os.geteuid() == 0 else []
    d = superd(None, command=[str(SUPERD), "-v", "-l", "127.0.0.1:0", *user],
               args=("--", "sh", "-c", "echo $0 and $1", "a b", "c"), log="text")
    assert d.ask() == b"a b and c\n"
    d.kill(signal.SIGUSR2)
    eventually(lambda: " upgrade " in d.stderr(), "it says so")
    d.fds_before = None
    assert d.ask() == b"a b and c\n"


# ---------------------------------------------------------------- what goes wrong


def serves_on(d):
    assert "--inherit" not in pathlib.Path(f"/proc/{d.pid}/cmdline").read_text()
    d.answers("a")


def test_h50_a_program_that_fails_leaves_the_old_one_serving(superd, folder):
    d = start(superd, folder, {"services": {"a": echo()}})
    with d.connect() as c:
        replace(d, "#!/bin/sh\necho 'superd: I do not feel well' >&2\nexit 1\n")
        d.upgrade("upgrade-failed")
        d.wait_for("upgrade-failed", what="superd: I do not feel well")
        serves_on(d)
        c.send(b"x")
        assert c.read(1) == b"x"


def test_h50_a_program_that_crashes_leaves_the_old_one_serving(superd, folder):
    d = start(superd, folder, {"services": {"a": echo()}})
    replace(d, "#!/bin/sh\nkill -SEGV $$\n")
    d.upgrade("upgrade-failed")
    d.wait_for("upgrade-failed", what="the new program was ended by signal SEGV")
    serves_on(d)


@pytest.mark.parametrize("what", ["not a program at all", ""])
def test_h50_what_is_no_program_leaves_the_old_one_serving(superd, folder, what):
    d = start(superd, folder, {"services": {"a": echo()}})
    replace(d, what)
    d.upgrade("upgrade-failed")
    serves_on(d)


def test_h50_no_program_leaves_the_old_one_serving(superd, folder):
    d = start(superd, folder, {"services": {"a": echo()}})
    d.program.unlink()
    assert "No such file" in d.upgrade("upgrade-failed")["what"]
    serves_on(d)


def test_h50_a_program_that_says_yes_and_is_gone_then_leaves_the_old_one_serving(superd, folder):
    """The exec itself fails."""
    d = start(superd, folder, {"services": {"a": echo()}})
    with d.connect() as c:
        replace(d, f"#!/bin/sh\nrm {d.program}\nexit 0\n")
        assert "No such file" in d.upgrade("upgrade-failed")["what"]
        serves_on(d)
        c.send(b"x")
        assert c.read(1) == b"x"


def test_h50_a_state_that_is_not_understood_leaves_the_old_one_serving(superd, folder):
    """The new program is shown the state, as is every one that is upgraded to."""
    d = start(superd, folder, {"services": {"a": echo()}})
    shutil.copy(SUPERD, folder / "real")
    (folder / "state").write_text('{"handover": 9999}')
    replace(d, f"#!/bin/sh\nexec {folder}/real \"$@\" 3<{folder}/state\n")
    d.upgrade("upgrade-failed")
    d.wait_for("upgrade-failed",
               what="superd: the state of the running superd has a form that this one does not know")
    serves_on(d)


def test_h50_a_configuration_that_is_wrong_leaves_the_old_one_serving(superd):
    d = superd({"services": {"a": echo()}})
    d.config.write_text("{")
    assert d.upgrade("upgrade-failed")["what"].startswith(f"{d.config}:1:")
    serves_on(d)


def test_h50_a_log_that_cannot_be_opened_leaves_the_old_one_serving(superd, folder):
    d = superd({"services": {"a": echo()}})
    d.rewrite({"log": {"target": {"file": str(folder / "no" / "log")}}, "services": {"a": echo()}})
    what = d.upgrade("upgrade-failed")["what"]
    assert what == f"superd: cannot open the log {folder}/no/log: No such file or directory"
    serves_on(d)


def break_after_yes(d, folder):
    """Somebody writes to the configuration just after the new program has read it."""
    shutil.copy(SUPERD, folder / "real")
    replace(d, f'''#!/bin/sh
case " $* " in *" -t "*) {folder}/real "$@" && echo "{{" >{d.config}; exit;; esac
exec {folder}/real "$@"
''')


def test_h50_a_configuration_that_is_broken_meanwhile_ends_nothing(superd, folder):
    config = {"services": {"a": echo()}}
    d = start(superd, folder, config)
    with d.connect() as before:
        before.send(b"x")
        assert before.read(1) == b"x"
        break_after_yes(d, folder)
        d.kill(signal.SIGUSR2)
        eventually(lambda: f"{d.config}:" in d.stderr(), "the new program complains")
        with d.connect() as waiting:
            waiting.send(b"y")
            before.send(b"x")
            assert before.read(1) == b"x"
            d.rewrite(config)
            assert waiting.read(1) == b"y"
    d.wait_for("upgrade")
    d.answers("a")
    d.fds_before = None


def test_a_broken_configuration_can_be_stopped(superd, folder):
    d = start(superd, folder, {"services": {"a": echo()}})
    break_after_yes(d, folder)
    d.kill(signal.SIGUSR2)
    eventually(lambda: f"{d.config}:" in d.stderr(), "the new program complains")
    d.kill(signal.SIGTERM)
    assert d.wait() == 1
    d.status = 0


def test_while_it_stops_it_is_not_upgraded(superd):
    d = superd({"stop_timeout": "1h", "services": {"a": echo()}})
    with d.draining():
        assert "stopping" in d.upgrade("upgrade-failed")["what"]


def test_a_stop_goes_before_an_upgrade_that_is_due(superd, folder):
    d = start(superd, folder, {"control": str(folder / "control"), "services": {"a": echo()}})
    replace(d, f"""#!/bin/sh
case "$*" in *" -t "*) sleep 0.5; exit 0;; esac
exec {SUPERD} "$@"
""")
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(folder / "control"))
        d.kill(signal.SIGUSR2)
        asked, = eventually(lambda: children(d.pid), "the new program is asked")
        # Both in one turn of the loop: it says yes, and somebody says stop.
        d.kill(signal.SIGSTOP)
        eventually(lambda: children(d.pid)[asked][3] == "Z", "it has answered")
        control.sendall(b'{"verb":"stop"}\n')
        d.kill(signal.SIGCONT)
        assert d.wait() == 0
    assert d.find("upgrade-failed") and not d.find("upgrade")


def test_h03_a_full_table_stops_neither_a_reload_nor_an_upgrade(superd):
    """Of all times now the administrator wants to change something."""
    d = superd({"services": {"a": shell("read x; echo $x"), "b": echo()}},
               prefix=("prlimit", "--nofile=40:40"))
    clients = [d.connect("a") for _ in range(60)]
    d.wait_for("suspend", reason="EMFILE")
    d.upgrade()
    d.wait_for("suspend", reason="EMFILE", count=2)
    config = json.loads(d.config.read_text())
    config["services"]["c"] = echo()
    config["services"]["a"]["max_connections"] = 3
    d.reload(config)
    d.upgrade()
    for c in clients:
        c.send(b"x\n")
    for c in clients:
        assert c.read_all() == b"x\n"
    d.answers("c")
    d.fds_before = None


def test_what_came_from_the_standard_input_cannot_be_read_again(superd, folder):
    config = {"log": {"format": "json"}, "services": {"a": echo()}}
    if os.geteuid() == 0:
        config["defaults"] = {"user": "root"}
    (folder / "in.json").write_text(json.dumps(config))
    with open(folder / "in.json") as stdin:
        d = superd(None, command=[str(SUPERD), "-c", "-"], stdin=stdin)
    assert "standard input" in d.upgrade("upgrade-failed")["what"]
    serves_on(d)


# ---------------------------------------------------------------- under load


def test_h50_twenty_upgrades_under_load_lose_nothing(superd, probes):
    d = superd({"services": {"a": echo(backlog=4096), "b": echo(backlog=4096)}}, args=())
    loads = [subprocess.Popen([probes / "storm", str(port_of(d.addr[name])), "1000000", "20", "300",
                               "x"], stdout=subprocess.PIPE, text=True) for name in ("a", "b")]
    for _ in range(scaled(20) + 1):
        d.upgrade()
        time.sleep(0.05)
    served = 0
    for load in loads:
        load.send_signal(signal.SIGTERM)
        ok, *bad = map(int, load.communicate(timeout=PATIENCE)[0].split())
        assert not any(bad), (ok, bad)
        served += ok
    assert served > scaled(1000)
    d.stop()
    assert sum(e["accepted"] for e in d.find("ledger")) == served


@needs_root
def test_it_is_upgraded_as_the_first_process_of_a_container(superd):
    d = superd({"services": {"a": echo()}},
               prefix=["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    inner = int(pathlib.Path(f"/proc/{d.pid}/task/{d.pid}/children").read_text())
    with d.connect() as c:
        os.kill(inner, signal.SIGUSR2)
        assert d.wait_for("upgrade")["live"] <= 1
        c.send(b"x")
        assert c.read(1) == b"x"
    d.answers("a")
    d.wait_idle()
    d.checked_fds = False
    os.kill(inner, signal.SIGTERM)
    d.wait()
