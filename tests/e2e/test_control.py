"""The control socket: one JSON request a line, one answer a line."""

import json
import os
import socket
import stat
import subprocess

import pytest

from superdlib import PATIENCE, account, connect, echo, eventually, needs_root, scaled, shell


class Control:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(path))
        self.lines = self.sock.makefile("r")

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def close(self):
        self.lines.close()
        self.sock.close()

    def send(self, text):
        self.sock.sendall(text.encode() + b"\n")

    def read(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def ask(self, verb, **members):
        self.send(json.dumps({"verb": verb, **members}))
        return self.read()

    def good(self, verb, **members):
        answer = self.ask(verb, **members)
        assert answer["ok"], answer
        return answer


@pytest.fixture
def controlled(superd, folder):
    """superd with a control socket, and a client of it."""
    clients = []

    def start(config, **options):
        d = superd({"control": str(folder / "control"), **config}, **options)
        clients.append(Control(folder / "control"))
        return d, clients[-1]

    yield start
    for c in clients:
        c.close()


def service(c, name):
    return next(s for s in c.good("list")["services"] if s["name"] == name)


def test_h03_those_who_wait_do_not_shut_out_the_administrator(superd, folder):
    """The reserve is for the first client of a service, not for all that wait for its first place."""
    d = superd({"control": str(folder / "control"), "max_connections": 1, "services": {
        "a": echo(), "b": echo(queue=500, max_connections=0, backlog=512)}},
        prefix=["prlimit", "--nofile=64:64"])
    with d.connect("a") as held:
        held.send(b"x")
        assert held.read(1) == b"x"
        waiting = [d.connect("b") for _ in range(100)]
        d.wait_for("suspend", reason="EMFILE")
        with Control(folder / "control") as c:
            assert 0 < service(c, "b")["waiting"] < 100
    for client in waiting:
        client.close()
    d.wait_for("close", service="a")


# ---------------------------------------------------------------- the protocol


@pytest.mark.parametrize("line, error", [
    ("", "the request is not JSON"),
    ("nonsense", "the request is not JSON"),
    ("[]", "the request is not an object"),
    ("{}", "verb: is missing"),
    ('{"verb": 1}', "verb: is missing"),
    ('{"verb": "dance"}', "verb: there is no 'dance'"),
    ('{"verb": "list", "verb": "stop"}', "the request is not JSON"),
    ('{"verb": "show"}', "service: is missing"),
    ('{"verb": "show", "service": "b"}', "there is no service 'b'"),
    ('{"verb": "explain", "address": "1.2.3"}', "address: '1.2.3' "),
    ('{"verb": "ban", "source": "10.0.0.1/8"}', "source: '10.0.0.1/8' "),
    ('{"verb": "ban", "source": "10.0.0.1", "for": "soon"}', "for: 'soon' "),
    ('{"verb": "unban", "source": "10.0.0.1"}', "there is no ban"),
    ('{"verb": "kill"}', "what is to be killed"),
    ('{"verb": "kill", "conn": 4711}', "there is no live connection 4711"),
    ('{"verb": "log", "level": "loud"}', "level: 'loud' is none"),
    ('{"verb": "set", "service": "a", "key": "queue"}', "value: is missing"),
])
def test_a_request_that_is_wrong_is_told_so(controlled, line, error):
    _, c = controlled({"services": {"a": echo()}})
    c.send(line)
    answer = c.read()
    assert answer["ok"] is False and answer["error"].startswith(error), answer
    assert c.good("version")["protocol"] == 1


def test_many_requests_at_once_are_answered_in_order(controlled):
    _, c = controlled({"services": {"a": echo(), "b": echo()}})
    c.sock.sendall(b"".join(b'{"verb":"show","service":"%s"}\n' % n for n in (b"a", b"b", b"a")))
    assert [c.read()["service"]["name"] for _ in range(3)] == ["a", "b", "a"]


def test_a_line_without_an_end_is_refused(controlled):
    d, c = controlled({"services": {"a": echo()}})
    c.sock.sendall(b"x" * 65536)
    assert "longer than" in c.read()["error"]
    d.answers("a")


def test_h30_a_client_that_asks_no_more_gets_its_answers(controlled, folder):
    """As `nc -N` does it: also an answer that does not go out at once."""
    d, _ = controlled({"services": {f"s{i}": echo() for i in range(300)}})
    with Control(folder / "control") as c:
        c.send('{"verb":"list"}')
        c.sock.shutdown(socket.SHUT_WR)
        assert len(c.read()["services"]) == 300
        assert c.read() is None
    with d.connect("s0") as client, Control(folder / "control") as c:
        d.wait_for("accept")
        c.send('{"verb":"drain","service":"s0"}')
        c.sock.shutdown(socket.SHUT_WR)
        d.wait_for("control")
        client.close()
        assert c.read() == {"ok": True} and c.read() is None


def test_what_was_asked_is_done_for_who_has_gone(controlled, folder):
    d, c = controlled({"services": {"a": echo(), "b": echo()}})
    with Control(folder / "control") as other:
        other.send('{"verb":"list"}\n' * 20 + '{"verb":"disable","service":"a"}')
    d.wait_for("control", verb="disable")
    assert c.good("show", service="a")["service"]["state"] == "closed"


def test_observers_cannot_shut_the_administrator_out(superd, folder):
    d = superd({"control": str(folder / "control"), "observe": str(folder / "observe"),
                "services": {"a": echo()}})
    observers = []
    for _ in range(64):
        observers.append(Control(folder / "observe"))
        assert observers[-1].good("version")
    with Control(folder / "observe") as one_more:
        assert one_more.read() is None
    with Control(folder / "control") as c:
        assert c.good("version")
    for o in observers:
        o.close()
    d.fds_before = None


def test_an_error_is_cut_between_characters(controlled):
    _, c = controlled({"services": {"a": echo()}})
    for before in ("", "x", "xx"):
        assert "there is no service" in c.ask("show", service=before + "\u00e9\u4e16" * 300)["error"]


def test_a_client_that_does_not_read_is_dropped(controlled):
    """Its answers are kept up to a bound."""
    d, c = controlled({"services": {f"s{i}": echo() for i in range(200)}})
    c.sock.settimeout(1)
    with pytest.raises(OSError):
        for _ in range(100000):
            c.sock.sendall(b'{"verb":"list"}\n' * 100)
            d.answers("s0")
    d.answers("s0")


@needs_root
def test_the_control_socket_is_its_owners(controlled, folder):
    controlled({"services": {"a": echo()}})
    path = folder / "control"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o666)  # as if somebody had been careless
    text = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);" \
           "print(s.recv(999).decode())"
    out = subprocess.run(["/usr/bin/python3", "-c", text, path], user=account().pw_uid,
                         capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert "you are not who runs superd" in out


@needs_root
def test_observers_look_and_change_nothing(superd, folder):
    d = superd({"observe": str(folder / "observe"), "observe_mode": "0666",
                "services": {"a": echo()}})
    assert stat.S_IMODE((folder / "observe").stat().st_mode) == 0o666
    with Control(folder / "observe") as c:
        assert c.good("list")["services"][0]["name"] == "a"
        for verb in ("stop", "reload", "upgrade", "pause", "resume", "enable", "disable", "drain",
                     "set", "kill", "ban", "unban"):
            assert "can only be looked at" in c.ask(verb, service="a")["error"]
    d.answers("a")


def test_the_sockets_come_and_go_with_the_configuration(superd, folder):
    one, two = folder / "one", folder / "two"
    d = superd({"control": str(one), "services": {"a": echo()}})
    with Control(one) as c:
        d.rewrite({"control": str(two), "services": {"a": echo()}})
        assert c.good("reload")["generation"] == 2  # who asked is answered
        assert not one.exists()
        assert c.good("version")["generation"] == 2
    with Control(two) as c:
        inode = two.stat().st_ino
        c.good("reload")
        assert two.stat().st_ino == inode
        d.rewrite({"control": str(folder / "no" / "where"), "services": {"a": echo()}})
        answer = c.ask("reload")
        assert "bind: No such file" in answer["complaints"][0]
        assert two.stat().st_ino == inode
        d.rewrite({"services": {"a": echo()}})
        c.good("reload")
    assert not two.exists()


def test_the_command_line_goes_before_the_file(superd, folder):
    superd({"control": str(folder / "file"), "services": {"a": echo()}}, cwd=folder,
           args=("--control", "line"))
    with Control(folder / "line") as c:
        c.good("version")
    assert not (folder / "file").exists()


# ---------------------------------------------------------------- looking


def test_list_show_and_ps(controlled):
    d, c = controlled({"services": {"a": echo(description="says it again", max_connections=3),
                                    "off": echo(enabled=False)}})
    with d.connect("a") as client:
        client.send(b"x")
        client.read(1)
        a = service(c, "a")
        assert (a["state"], a["live"], a["accepted"], a["max_connections"]) == ("open", 1, 1, 3)
        assert a["listen"] == [{"addr": d.addr["a"], "open": True}]
        assert service(c, "off")["state"] == "closed"
        conn, = c.good("ps")["connections"]
        assert conn["service"] == "a" and conn["state"] == "running"
        assert conn["pid"] == d.wait_for("accept")["pid"]
        assert c.good("ps", service="off")["connections"] == []
        assert c.good("version")["live"] == 1
    d.wait_idle()
    shown = c.good("show", service="a")
    assert sum(shown["service"]["life"]["in"]) == 1
    assert shown["service"]["endings"] == [{"exit": 0, "count": 1}]
    assert len(shown["bounds_us"]) + 1 == len(shown["service"]["start"]["in"])


def test_those_who_wait_are_listed(controlled):
    d, c = controlled({"services": {"a": shell("read x", max_connections=1)}})
    clients = [d.connect() for _ in range(3)]
    eventually(lambda: service(c, "a")["waiting"] == 2, "two wait")
    assert [x["state"] for x in c.good("ps")["connections"]] == ["running", "waiting", "waiting"]
    for client in clients:
        client.send(b"\n")
        client.read_all()


def test_why_somebody_is_refused(controlled):
    d, c = controlled({"services": {
        "open": echo(), "deny": echo(deny=["10.0.0.0/8"]), "allow": echo(allow=["192.0.2.0/24"]),
        "slow": echo(rate="1/h burst 1"), "each": echo(rate_per_source="1/h burst 1"),
        "one": echo(max_per_source=1), "full": echo(max_connections=1, on_limit="reject"),
        "waits": echo(max_connections=1), "trap": {"listen": "127.0.0.1:0", "trap": "1h"}}})
    held = [d.connect(name) for name in ("one", "full", "waits")]
    for h in held:
        h.send(b"x")
        h.read(1)
    d.answers("slow")
    d.answers("each")

    def why(address):
        return {s["service"]: s for s in c.good("explain", address=address)["services"]}

    local, other = why("127.0.0.1"), why("10.1.2.3")
    assert local["open"]["admitted"] and local["deny"]["admitted"]
    assert (other["deny"]["reason"], other["deny"]["rule"]) == ("deny", "10.0.0.0/8")
    assert local["allow"]["reason"] == "deny" and "rule" not in local["allow"]
    assert local["slow"]["reason"] == other["slow"]["reason"] == "rate"
    assert 3500000 < local["slow"]["again_ms"] <= 3600001
    assert local["each"]["reason"] == "rate_per_source" and other["each"]["admitted"]
    assert local["one"]["reason"] == "max_per_source" and other["one"]["admitted"]
    assert local["full"]["reason"] == other["full"]["reason"] == "max_connections"
    assert local["waits"]["admitted"] and local["waits"]["waits"]
    assert local["trap"]["reason"] == "trap"
    c.good("ban", source="10.0.0.0/8", **{"for": "1h"})
    other = why("10.1.2.3")
    assert {s["reason"] for s in other.values()} == {"ban"}
    assert other["open"]["rule"] == "10.0.0.0/8" and other["open"]["again_ms"] > 3500000
    # Asking took no token.
    assert c.good("list")["services"][0]["refused"] == {}


def test_events_are_followed_as_they_happen(controlled):
    d, c = controlled({"services": {"a": shell("true")}}, args=())
    assert c.good("log", follow=True, level="info", last=0)["ok"]
    d.ask("a")
    seen = [c.read() for _ in range(2)]
    assert [e["event"] for e in seen] == ["accept", "close"]
    assert seen[1]["exit"] == 0
    assert d.find("accept") == []  # superd's own log says no more than before


def test_the_last_events_can_be_told_afterwards(controlled):
    d, c = controlled({"services": {"a": shell("exit 3")}})
    for _ in range(300):
        c.good("pause", service="a")
    c.good("log", last=5)
    seen = []
    while (e := c.read())["event"] != "end":
        seen.append(e)
    assert [e["verb"] for e in seen] == ["pause"] * 5


def test_who_follows_and_does_not_read_misses_some(controlled):
    d, c = controlled({"services": {"a": shell("for i in 1 2 3 4 5 6 7 8 9 0; do head -c 20000 "
                                               "/dev/zero | tr '\\0' x >&2; echo >&2; done")}},
                      args=())
    c.good("log", follow=True, last=0)
    for _ in range(scaled(60)):
        d.ask("a")
    d.wait_idle()
    d.reload()
    while (e := c.read())["event"] != "missed":
        assert e["event"] in ("accept", "stderr", "close")
    assert e["lines"] > 10
    d.reload()
    while c.read()["event"] != "reload-ok":
        pass


# ---------------------------------------------------------------- changing


def test_pause_lets_clients_wait_and_resume_serves_them(controlled):
    d, c = controlled({"services": {"a": echo(), "b": echo()}})
    c.good("pause", service="a")
    assert service(c, "a")["state"] == "paused"
    with d.connect("a") as client:
        client.send(b"x")
        d.answers("b")
        assert client.silent(0.2)
        c.good("resume", service="a")
        assert client.read(1) == b"x"
    assert [e["verb"] for e in d.find("control")] == ["pause", "resume"]
    assert d.find("control")[0]["service"] == "a" and d.find("control")[0]["uid"] == os.geteuid()


def test_a_pause_ends_with_a_reload(controlled):
    d, c = controlled({"services": {"a": echo()}})
    c.good("pause", service="a")
    c.good("reload")
    d.answers("a")


def test_disable_closes_and_enable_opens(controlled):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{s.getsockname()[1]}"
    d, c = controlled({"services": {"a": echo(listen=address), "off": echo(enabled=False)}})
    with d.connect("a") as client:
        client.send(b"x")
        assert client.read(1) == b"x"
        c.good("disable", service="a")
        with pytest.raises(ConnectionRefusedError):
            connect(address)
        client.send(b"y")
        assert client.read(1) == b"y"
    assert "is closed" in c.ask("pause", service="a")["error"]
    assert c.good("enable", service="a")["missing"] == 0
    d.fds_before = None
    d.answers("a")
    assert "not enabled in the configuration" in c.ask("enable", service="off")["error"]


def test_drain_answers_when_the_last_one_is_gone(controlled, folder):
    d, c = controlled({"services": {"a": shell("read x; echo $x")}})
    client = d.connect("a")
    d.wait_for("accept")
    c.send('{"verb": "drain", "service": "a"}')
    c.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        c.sock.recv(1)
    client.send(b"bye\n")
    assert client.read_all() == b"bye\n"
    c.sock.settimeout(PATIENCE)
    assert json.loads(c.sock.recv(4096))["ok"]


def test_a_limit_is_set_until_the_next_reload(controlled):
    d, c = controlled({"services": {"a": echo(max_connections=1, queue=0), "b": echo()}})
    with d.connect("a") as first, d.connect("a") as second:
        first.send(b"x")
        first.read(1)
        d.wait_for("suspend")
        c.good("set", service="a", key="max_connections", value="2")
        second.send(b"y")
        assert second.read(1) == b"y"
    assert service(c, "a")["max_connections"] == 2
    c.good("set", service="a", key="rate", value="1/h burst 1")
    c.good("set", service="b", key="timeout", value="1s")
    d.answers("a")
    with d.connect("a") as client:
        assert client.read_all() == b""
    with d.connect("b") as client:
        assert client.read_all() == b""
    d.wait_for("timeout", service="b")
    c.good("reload")
    d.answers("a")
    shown = c.good("show", service="a")["service"]
    assert (shown["max_connections"], shown["rate"]) == (1, None)


@pytest.mark.parametrize("key, value, complaint", [
    ("max_connections", "-1", "set: max_connections: -1 is outside 0..1000000"),
    ("max_connections", "many", "set: max_connections: "),
    ("rate", "fast", "set: rate: "),
    ("user", "root", "set: user: only a limit can be set"),
    ("max_conections", "1", "set: unknown key 'max_conections'; did you mean 'max_connections'?"),
])
def test_a_limit_that_is_wrong_changes_nothing(controlled, key, value, complaint):
    d, c = controlled({"services": {"a": echo()}})
    answer = c.ask("set", service="a", key=key, value=value)
    assert not answer["ok"] and answer["complaints"][0].startswith(complaint), answer
    d.answers("a")


def test_a_hundred_settings_leave_nothing_behind(controlled):
    """Connections keep what was in force, and what nobody refers to is freed (asan looks)."""
    d, c = controlled({"services": {"a": echo(), "b": echo()}})
    clients = []
    for i in range(100):
        c.good("set", service="ab"[i % 2], key="max_connections", value=str(i + 10))
        if i % 10 == 0:
            clients.append(d.connect("a"))
    for client in clients:
        client.send(b"x")
        assert client.read(1) == b"x"
        client.close()


def test_kill_by_number_by_service_and_by_source(controlled):
    d, c = controlled({"services": {"a": echo(), "b": echo()}})
    clients = [d.connect(n) for n in "aabb"]
    d.wait_for("accept", count=4)
    first = d.find("accept", service="a")[0]["conn"]
    assert c.good("kill", conn=first)["killed"] == 1
    assert d.wait_for("close", conn=first)["signal"] == "TERM"
    assert c.good("kill", service="b")["killed"] == 2
    d.wait_for("close", service="b", count=2)
    assert c.good("kill", source="10.0.0.0/8")["killed"] == 0
    assert c.good("kill", source="127.0.0.0/8")["killed"] == 1
    d.wait_for("close", count=4)
    for client in clients:
        client.close()


def test_kill_by_source_spares_what_serves_many(controlled):
    d, c = controlled({"services": {"a": {"listen": "127.0.0.1:0", "mode": "wait",
                                          "shell": "exec sleep 30"}}})
    with d.connect("a"):
        d.wait_for("accept")
        assert c.good("kill", source="uid:0")["killed"] == 0
        c.good("disable", service="a")  # or another would be started for the client
        d.wait_for("close")


def test_ban_and_unban(controlled):
    d, c = controlled({"services": {"a": echo()}})
    c.good("ban", source="127.0.0.1", **{"for": "1h"})
    with d.connect() as client:
        assert client.read_all() == b""
    ban, = c.good("bans")["bans"]
    assert ban["source"] == "127.0.0.1/32" or ban["source"] == "127.0.0.1"
    c.good("unban", source="127.0.0.1")
    assert c.good("bans")["bans"] == []
    d.answers("a")


def test_reload_brings_the_complaints_back(controlled):
    d, c = controlled({"services": {"a": echo()}})
    d.config.write_text('{ "services": {\n "a": { "listen": "127.0.0.1:0",\n "exec": "/no" } } }')
    answer = c.ask("reload")
    assert any(f"{d.config}:3:" in line for line in answer["complaints"])
    d.answers("a")


def test_h50_an_upgrade_keeps_the_sockets_where_a_new_one_cannot_be_opened(superd, folder):
    control = folder / "control"
    d = superd({"control": str(control), "services": {"a": echo()}})
    d.rewrite({"control": str(control), "observe": str(folder / "no" / "where"), "services": {"a": echo()}})
    d.upgrade()
    assert "No such file" in d.wait_for("warning")["what"]
    with Control(control) as c:
        c.good("version")
        d.rewrite({"control": str(control), "services": {"a": echo()}})
        c.good("reload")
    d.answers("a")


def test_upgrade_is_answered_by_the_new_program(controlled):
    d, c = controlled({"services": {"a": echo()}})
    with d.connect() as client:
        client.send(b"x")
        client.read(1)
        assert c.good("upgrade")["version"]
        assert c.good("version")["generation"] == 2
        client.send(b"y")
        assert client.read(1) == b"y"
    d.fds_before = None


def test_stop_is_a_stop(controlled):
    d, c = controlled({"services": {"a": echo()}})
    c.good("stop")
    assert c.read() is None
    assert d.wait() == 0
