"""superctl as a person uses it, and as a script does."""

import json
import os
import pty
import re
import select
import subprocess
import time

import pyte
import pytest

from superdlib import BUILD, PATIENCE, TOP, Superd, echo, eventually, shell

SUPERCTL = BUILD / "superctl"


@pytest.fixture
def ctl(superd, folder):
    """ctl(config) starts superd and returns it with a function that runs superctl."""
    def start(config, **options):
        path = folder / "control"
        d = superd({"control": str(path), **config}, **options)

        def run(*args, code=0, **more):
            done = subprocess.run([str(SUPERCTL), "-s", str(path), *map(str, args)], text=True,
                                  capture_output=True, timeout=PATIENCE, **more)
            assert done.returncode == code, done
            return done.stdout if code in (0, 2) else done.stderr
        return d, run
    return start


def rows(text):
    return [line.split() for line in text.splitlines()]


# ---------------------------------------------------------------- looking


def test_list_is_a_table(ctl):
    d, run = ctl({"services": {"a": echo(), "off": echo(enabled=False)}})
    d.answers("a")
    d.wait_idle()
    heading, a, off = rows(run("list"))
    assert heading == "SERVICE STATE LIVE MAX WAIT ACCEPTED REFUSED LISTEN".split()
    assert a == ["a", "open", "0", "100", "0", "1", "0", d.addr["a"]]
    assert off[:2] == ["off", "closed"]


def test_ps_shows_the_process(ctl):
    d, run = ctl({"services": {"a": shell("read x"), "b": echo()}})
    with d.connect("a") as c:
        pid = d.wait_for("accept")["pid"]

        def sleeps():
            seen = dict(zip(*rows(run("ps"))))
            return seen["S"] == "S" and seen["PROGRAM"] == "sh" and seen
        seen = eventually(sleeps, "it waits for input")
        assert (seen["SERVICE"], seen["STATE"], seen["PID"]) == ("a", "running", str(pid))
        assert int(seen["KB"]) > 0
        assert len(rows(run("ps", "b"))) == 1
        c.send(b"\n")


def test_show_and_version_are_keys_and_values(ctl):
    d, run = ctl({"services": {"a": echo(description="says it again")}})
    d.answers("a")
    d.wait_idle()
    shown = run("show", "a")
    assert re.search(r"^description +says it again$", shown, re.M)
    assert re.search(r"^life +1, mean .*ms, half within .*, 99% within ", shown, re.M)
    assert re.search(r"^protocol +1$", run("version"), re.M)


def test_explain_says_why_by_its_exit_code_too(ctl):
    d, run = ctl({"services": {"a": echo(deny=["10.0.0.0/8"])}})
    assert "admitted" in run("explain", "192.0.2.1")
    assert re.search(r"a +refused +deny +10.0.0.0/8", run("explain", "10.1.2.3", code=2))
    run("explain", "10.1.2.3", "zz", code=1)


def test_json_is_the_answer_itself(ctl):
    d, run = ctl({"services": {"a": echo()}})
    assert json.loads(run("--json", "list"))["services"][0]["name"] == "a"
    answer = subprocess.run([SUPERCTL, "-s", d.folder / "control", "-j", "show", "b"], text=True,
                            capture_output=True, timeout=PATIENCE)
    assert answer.returncode == 1 and json.loads(answer.stdout)["ok"] is False


def test_the_environment_names_the_socket(ctl):
    d, _ = ctl({"services": {"a": echo()}})
    out = subprocess.run([SUPERCTL, "list"], env={"SUPERD_CONTROL": str(d.folder / "control")},
                         capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert rows(out)[1][0] == "a"


# ---------------------------------------------------------------- changing


def test_what_a_person_changes(ctl):
    d, run = ctl({"services": {"a": echo()}})
    run("set", "a", "max_connections=7")
    assert rows(run("list"))[1][3] == "7"
    run("pause", "a")
    assert rows(run("list"))[1][1] == "paused"
    run("resume", "a")
    run("disable", "a")
    assert rows(run("list"))[1][1] == "closed"
    run("enable", "a")
    run("drain", "a")
    assert rows(run("list"))[1][1] == "closed"
    run("reload")
    assert rows(run("list"))[1][:4] == ["a", "open", "0", "100"]
    run("ban", "192.0.2.0/24", "5m")
    assert rows(run("bans"))[1][0] == "192.0.2.0/24"
    assert "no ban" in run("unban", "192.0.2.1", code=1)
    run("unban", "192.0.2.0/24")
    run("upgrade")
    d.fds_before = None
    assert d.ask(rows(run("list"))[1][7], b"x") == b"x"
    run("stop")
    assert d.wait() == 0


def test_kill_tells_a_number_from_a_name_from_an_address(ctl):
    d, run = ctl({"services": {"a": echo(), "b2": echo()}})
    clients = [d.connect(n) for n in ("a", "a", "b2", "b2")]
    d.wait_for("accept", count=4)
    run("kill", d.find("accept")[0]["conn"])
    d.wait_for("close", count=1)
    run("kill", "b2")
    d.wait_for("close", count=3)
    run("kill", "127.0.0.1")
    d.wait_for("close", count=4)
    assert {e["signal"] for e in d.find("close")} == {"TERM"}
    assert "no live connection" in run("kill", "4711", code=1)
    for c in clients:
        c.close()


def test_a_reload_that_fails_prints_the_complaints(ctl):
    d, run = ctl({"services": {"a": echo()}})
    d.config.write_text("{\n nonsense")
    said = run("reload", code=1)
    assert said.startswith(f"{d.config}:2:") and "superctl: nothing has changed" in said


# ---------------------------------------------------------------- events


def test_log_tells_what_was_and_follows(ctl):
    d, run = ctl({"services": {"a": shell("exit 3"), "b": echo()}})
    d.ask("a")
    d.wait_idle()
    assert re.search(r" close service=\"a\" .*exit=3", run("log"))
    assert "close" not in run("log", "b")
    follower = subprocess.Popen([SUPERCTL, "-s", d.folder / "control", "log", "-f", "-n", "0", "b"],
                                stdout=subprocess.PIPE, text=True)

    def followed():
        d.answers("b")
        return select.select([follower.stdout], [], [], 0.1)[0]

    eventually(followed, "an event comes")
    assert re.search(r" (accept|close) service=\"b\"", follower.stdout.readline())
    follower.terminate()
    follower.wait()
    follower.stdout.close()


def test_a_level_that_is_none_is_refused(ctl):
    _, run = ctl({"services": {"a": echo()}})
    assert "level: 'loud' is none" in run("log", "-l", "loud", code=1)


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize("args, said", [
    ([], "usage: superctl"), (["dance"], "there is no command 'dance'"), (["show"], "superctl show"),
    (["show", "a", "b"], "superctl show"), (["list", "a"], "superctl list"),
    (["set", "a", "b"], "superctl set"), (["top", "soon"], "superctl top"), (["-x"], "usage"),
])
def test_wrong_usage_is_told(args, said):
    done = subprocess.run([SUPERCTL, "-s", "/nowhere", *args], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 100 and said in done.stderr


@pytest.mark.parametrize("path", ["/nowhere/control", "/" + "x" * 200, "/"])
def test_where_no_superd_answers(path):
    done = subprocess.run([SUPERCTL, "-s", path, "list"], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 111 and done.stderr.startswith(f"superctl: {path}: ")


def test_help_names_every_command_of_the_page():
    helped = subprocess.run([SUPERCTL, "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  (\w+)", helped, re.M)
    page = (TOP / "daemon" / "superctl.8").read_text()
    described = re.findall(r"Cm (\w+) ?(?:Ar|Op|Oo|$|,)", "\n".join(
        line for line in page.splitlines() if line.startswith(".It Cm")), re.M)
    assert set(commands) == set(described), set(commands) ^ set(described)
    for name in ("superctl.bash", "_superctl"):
        text = (TOP / "contrib" / "completion" / name).read_text()
        assert all(re.search(rf"\b{c}\b", text) for c in commands)


def test_completion_knows_commands_and_services(ctl):
    d, _ = ctl({"services": {"alpha": echo(), "beta": echo()}})

    def complete(*words):
        text = ". contrib/completion/superctl.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($#-1)); " \
               "_superctl; printf '%s\\n' \"${COMPREPLY[@]}\""
        env = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}",
               "SUPERD_CONTROL": str(d.folder / "control")}
        return subprocess.run(["bash", "-c", text, "bash", *words], cwd=TOP, env=env, text=True,
                              capture_output=True, timeout=PATIENCE, check=True).stdout.split()
    assert complete("superctl", "re") == ["resume", "reload"]
    assert complete("superctl", "show", "") == ["alpha", "beta"]
    assert complete("superctl", "set", "beta", "max_c") == ["max_connections="]


# ---------------------------------------------------------------- top


class Terminal:
    """A program on a terminal of its own, and what stands on the screen."""

    def __init__(self, argv, lines=24, columns=100):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LINES=str(lines), COLUMNS=str(columns))
            os.execv(argv[0], [str(a) for a in argv])
        Superd.ours.add(self.pid)  # no handler's leftover

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def see(self, text, timeout=PATIENCE):
        """Reads until the text is on the screen."""
        end = time.monotonic() + timeout
        while text not in self.text():
            assert time.monotonic() < end, f"not there: {text!r} in\n{self.text()}"
            if not self.update():
                end = time.monotonic()

    def update(self):
        """Takes in what has been drawn.  False: the program has ended."""
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                self.stream.feed(os.read(self.fd, 65536))
            except OSError:
                return False
        return True

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def end(self):
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_top_shows_services_connections_and_bans(ctl):
    d, run = ctl({"services": {"alpha": echo(), "beta": echo()}})
    run("ban", "192.0.2.0/24")
    t = Terminal([SUPERCTL, "-s", d.folder / "control", "top", "0.2"])
    t.see("alpha")
    t.see("q: quit")
    with d.connect("beta") as c:
        c.send(b"x")
        c.read(1)
        t.see("live 1")
        t.press("\t")
        t.see("CONN")
        t.see("running")
    t.press("\t")
    t.see("192.0.2.0/24")
    t.press("q")
    assert t.end() == 0


def test_top_scrolls_through_more_than_the_screen_has(ctl):
    d, _ = ctl({"services": {f"s{i:03}": echo() for i in range(60)}})
    t = Terminal([SUPERCTL, "-s", d.folder / "control", "top", "0.2"], lines=12)
    t.see("s005")
    assert "s050" not in t.text()
    for _ in range(100):
        if "s059" in t.text():
            break
        t.press("\x1b[6~")  # PgDn
        t.update()
    t.see("s059")
    assert "s005" not in t.text()
    t.press("q")
    assert t.end() == 0


def test_top_ends_with_superd(ctl):
    d, _ = ctl({"services": {"alpha": echo()}})
    t = Terminal([SUPERCTL, "-s", d.folder / "control", "top", "0.2"])
    t.see("alpha")
    d.fds_before = None  # top is connected
    d.stop()
    t.see("closed the connection")
    assert t.end() == 111
