"""status: superd over HTTP, with a real superd behind it; what a browser and Prometheus make of it
is in test_status_outside.py."""

import contextlib
import html
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from handlerlib import command
from superdlib import PATIENCE, echo, eventually, parse_address, shell

HOSTILE = "<script>document.title='owned'</script>\"'&"


class Status:
    """The handler with a listener on 0, as superd starts it in mode wait."""

    def __init__(self, *args, env=None):
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
            self.address = listener.getsockname()
            self.process = subprocess.Popen(command("status", *args), stdin=listener, env=env,
                                            stderr=subprocess.PIPE)
        self.url = "http://127.0.0.1:%d" % self.address[1]
        self.log = None

    def get(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        with contextlib.closing(connection) as c:
            c.request(method, path, body, headers)
            answer = c.getresponse()
            answer.text = answer.read().decode()
            return answer

    def json(self, path):
        answer = self.get(path)
        assert answer.status == 200, answer.text
        return json.loads(answer.text)

    def raw(self, data):
        with socket.create_connection(self.address, PATIENCE) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(65536), b""))

    def wait(self):
        self.log = self.process.communicate(timeout=PATIENCE)[1].decode()
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.wait() == 0, self.log
        assert "Sanitizer" not in self.log, self.log


@pytest.fixture
def status():
    started = []

    def start(*args, **options):
        started.append(Status(*args, **options))
        return started[-1]

    yield start
    for s in started:
        try:
            s.close()
        finally:
            if s.process.poll() is None:
                s.process.kill()


@pytest.fixture
def watched(superd, status, folder):
    """superd, and status that looks at it."""
    def start(services, **config):
        d = superd({"observe": str(folder / "observe"), "services": services, **config})
        s = status(folder / "observe")
        eventually(lambda: s.get("/healthz").status == 200, "status sees superd")
        return d, s

    return start


def samples(text):
    """name{labels} -> value."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found, f"twice: {name}"
            found[name] = float(value)
    return found


def metrics(s):
    return samples(s.get("/metrics").text)


# ---------------------------------------------------------------- metrics


def test_what_happens_to_a_service_is_in_the_metrics(watched):
    d, s = watched({"a": echo(), "deny": echo(deny=["127.0.0.0/8"]), "fails": shell("exit 3"),
                    "dies": shell("kill -SEGV $$")})
    d.answers("a")
    for name in ("deny", "fails", "fails", "dies"):
        d.ask(name)
    held = d.connect("a")
    held.send(b"x")
    held.read(1)
    d.wait_for("close", count=4)
    m = eventually(lambda: (m := metrics(s))['superd_service_live{service="a"}'] == 1 and m, "live")
    assert m['superd_service_accepted_total{service="a"}'] == 2
    assert m['superd_service_closed_total{service="a"}'] == 1
    assert m['superd_service_refused_total{service="deny",reason="deny"}'] == 1
    assert m['superd_service_refused_total{service="deny",reason="ban"}'] == 0
    assert m['superd_service_exits_total{service="a",status="0"}'] == 1
    assert m['superd_service_exits_total{service="fails",status="3"}'] == 2
    assert m['superd_service_exits_total{service="dies",status="SIGSEGV"}'] == 1
    assert m['superd_service_cpu_seconds_total{service="fails"}'] > 0
    assert m['superd_service_memory_peak_bytes{service="fails"}'] > 100000
    assert m['superd_service_start_seconds_bucket{service="a",le="+Inf"}'] == 2
    assert m['superd_service_duration_seconds_count{service="fails"}'] == 2
    assert m['superd_service_state{service="a",state="open"}'] == 1
    assert m["superd_live"] == 1 and m["superd_serving"] == 1 and m["superd_services"] == 4
    held.close()


def test_those_who_wait_are_in_the_metrics(watched):
    d, s = watched({"one": shell("read x", max_connections=1)})
    clients = [d.connect() for _ in range(3)]
    eventually(lambda: metrics(s)['superd_service_queued{service="one"}'] == 2, "two wait")
    for c in clients:
        c.send(b"\n")
        c.read_all()


def test_histograms_are_cumulative_and_in_seconds(watched):
    d, s = watched({"a": echo(), "slow": shell("sleep 0.3")})
    for name in ("a", "slow"):
        d.ask(name)
    d.wait_idle()
    text = s.get("/metrics").text
    for name in ("a", "slow"):
        found = re.findall(r'duration_seconds_bucket\{service="%s",le="([^"]+)"\} (\d+)' % name, text)
        bounds = [float(le) for le, _ in found]
        counts = [int(n) for _, n in found]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf") and len(bounds) == 17
        assert counts == sorted(counts) and counts[-1] == 1
    m = samples(text)
    assert m['superd_service_duration_seconds_bucket{service="slow",le="0.25"}'] == 0
    assert m['superd_service_duration_seconds_bucket{service="slow",le="1800.0"}'] == 1
    assert 0.3 <= m['superd_service_duration_seconds_sum{service="slow"}'] < PATIENCE


@pytest.mark.parametrize("accept, is_open", [
    (None, False), ("*/*", False), ("text/plain", False),
    ("application/openmetrics-text", True),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8, text/plain;q=0.5", True),
    ("text/plain;q=0.5,application/openmetrics-text;version=1.0.0;q=0.8", True),
    ("application/openmetrics-text;q=0, text/plain", False),
    ("application/openmetrics-textual", False),
])
def test_the_form_is_the_one_that_is_asked_for(watched, accept, is_open):
    _, s = watched({"a": echo()})
    answer = s.get("/metrics", **({"Accept": accept} if accept else {}))
    kind = answer.headers["Content-Type"]
    assert answer.headers["Vary"] == "Accept"
    if is_open:
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert answer.text.endswith("\n# EOF\n")
        assert "# TYPE superd_service_accepted counter\n" in answer.text
        assert "# UNIT superd_service_start_seconds seconds\n" in answer.text
    else:
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        assert "EOF" not in answer.text and "# UNIT" not in answer.text
        assert "# TYPE superd_service_accepted_total counter\n" in answer.text


HISTOGRAM = {"in": [1, 2] + [0] * 15, "sum_us": 1500}
SERVICE = {"name": HOSTILE + "\\\n", "description": HOSTILE, "state": HOSTILE, "listen": [],
           "accepted": 1, "refused": {HOSTILE: 1}, "start": HISTOGRAM, "life": HISTOGRAM,
           "endings": [{"exit": 0, "count": 1}, {"signal": 99, "count": 1}]}


@pytest.fixture
def hostile(status, folder):
    """status that looks at a superd as there is none: every text of it means harm."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "hostile"))
    listener.listen()
    answer = {"ok": True, "bounds_us": [10 ** i for i in range(16)], "services": [SERVICE],
              "daemon": {"version": HOSTILE, "state": HOSTILE}}

    def serve():
        with contextlib.suppress(OSError):
            while True:
                c, _ = listener.accept()
                for _ in c.makefile():
                    c.sendall(json.dumps(answer).encode() + b"\n")
    threading.Thread(target=serve, daemon=True).start()
    yield status(folder / "hostile")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_openmetrics_is_valid_by_its_own_parser(watched, hostile):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser",
                                 reason="python3-prometheus-client: make deps")
    d, s = watched({"a": echo(), "b": shell("exit 1")})
    for name in "ab":
        d.ask(name)
    d.wait_idle()
    for who, names in ((s, {"a", "b"}), (hostile, {SERVICE["name"]})):
        text = who.get("/metrics", Accept="application/openmetrics-text").text
        families = {f.name: f for f in parser.text_string_to_metric_families(text)}
        assert families["superd_service_accepted"].type == "counter"
        assert families["superd_service_start_seconds"].unit == "seconds"
        assert {x.labels["service"] for x in families["superd_service_live"].samples} == names
        for f in families.values():
            assert f.documentation and f.samples, f


def test_the_older_form_is_valid_by_its_own_parser(watched, hostile):
    parser = pytest.importorskip("prometheus_client.parser",
                                 reason="python3-prometheus-client: make deps")
    d, s = watched({"a": echo()})
    d.answers("a")
    for who in (s, hostile):
        families = parser.text_string_to_metric_families(who.get("/metrics").text)
        assert "superd_service_accepted" in {f.name for f in families}


# ---------------------------------------------------------------- JSON


def test_the_api_says_what_the_control_socket_says(watched):
    d, s = watched({"a": echo(description=HOSTILE)})
    with d.connect() as c:
        c.send(b"x")
        c.read(1)
        for path in ("/api", "/api/list"):
            service, = s.json(path)["services"]
            assert service["name"] == "a" and service["description"] == HOSTILE
        conn, = s.json("/api/ps")["connections"]
        assert conn["service"] == "a" and conn["pid"] == d.wait_for("accept")["pid"]
    assert s.json("/api/ps?service=a")["ok"]
    assert s.json("/api/version")["pid"] == d.pid
    assert s.json("/api/bans")["bans"] == []
    assert s.json("/api/show?service=a")["service"]["argv"]
    explained, = s.json("/api/explain?address=10.0.0.1&service=a")["services"]
    assert explained["admitted"]
    answer = s.get("/api/list")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_the_log_is_an_array_of_events(watched):
    d, s = watched({"a": shell("echo '<b>loud</b>' >&2; exit 4")})
    d.ask()
    d.wait_for("close")
    events = eventually(lambda: (e := s.json("/api/log")["events"])[-1]["event"] == "close" and e,
                        "the end is in the log")
    assert any(e.get("line") == "<b>loud</b>" for e in events)
    assert [e["event"] for e in s.json("/api/log?last=2&level=notice")["events"]] == \
        ["stderr", "close"]
    assert s.json("/api/log?last=0")["events"] == []


@pytest.mark.parametrize("path, status_code, word", [
    ("/api/show?service=no", 400, "there is no service 'no'"),
    ("/api/show", 400, "service: is missing"),
    ("/api/log?level=loud", 400, "level: 'loud' is none"),
    ("/api/log?follow=true", 400, "the query is not understood"),
    ("/api/ps?verb=stop", 400, "the query is not understood"),
    ("/api/ps?service", 400, "the query is not understood"),
    ("/api/ps?service=%ff", 400, "the query is not understood"),
    ("/api/stop", 404, "there is no such page"),
    ("/api/", 404, "there is no such page"),
    ("/..%2f", 404, "there is no such page"),
    ("//metrics", 404, "there is no such page"),
])
def test_what_is_not_there_is_told_so(watched, path, status_code, word):
    d, s = watched({"a": echo()})
    answer = s.get(path)
    assert answer.status == status_code and word in answer.text
    d.answers("a")


# ---------------------------------------------------------------- the page


def test_the_page_is_filled_with_text_only(hostile):
    text = hostile.get("/").text
    assert HOSTILE not in text and text.count("<script") == 1
    assert html.unescape(text).count(HOSTILE) == 4  # state of superd; name, description and state


def test_the_page_has_the_services_without_a_script(watched):
    d, s = watched({"a": echo(description=HOSTILE), "b": echo(enabled=False)})
    d.answers("a")
    time.sleep(0.3)  # an answer is as good as new for a moment
    answer = s.get("/")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    body = answer.text.split("<tbody", 1)[1].split("</tbody>", 1)[0]
    assert HOSTILE not in answer.text and "<script" not in body
    words = html.unescape(re.sub("<[^>]*>", "|", body))
    assert HOSTILE in words and "|b|" in words
    assert re.search(r"\|a\|.*\|open\|\|0\|\|1\|\|0\|\|0\|", words)
    assert "@" not in re.sub("@media", "", answer.text)


def test_the_page_runs_its_own_script_and_no_other(watched):
    _, s = watched({"a": echo()})
    nonces = set()
    for _ in range(3):
        answer = s.get("/")
        policy = answer.headers["Content-Security-Policy"]
        nonce, = set(re.findall("'nonce-([0-9a-f]{32})'", policy))
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy and "http" not in policy
        assert set(re.findall(r'<(?:script|style)([^>]*)>', answer.text)) == {f' nonce="{nonce}"'}
        nonces.add(nonce)
    assert len(nonces) == 3
    assert not re.findall(r'(?:src|href)="(?!data:|metrics|healthz|api)', answer.text)
    assert " style=" not in answer.text and not re.search(r"\son\w+=", answer.text)


def test_every_answer_has_the_headers_of_caution(watched):
    _, s = watched({"a": echo()})
    for path in ("/", "/metrics", "/healthz", "/api", "/api/ps", "/no", "/api/show?service=no"):
        h = s.get(path).headers
        assert h["X-Content-Type-Options"] == "nosniff", path
        assert h["Cache-Control"] == "no-store"
        assert h["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in h["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in h["Content-Security-Policy"]


# ---------------------------------------------------------------- HTTP


def test_head_has_the_head_of_get_and_no_body(watched):
    _, s = watched({"a": echo()})
    got = s.get("/healthz")
    raw = s.raw(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, body = raw.split(b"\r\n\r\n", 1)
    assert body == b"" and b"200 OK" in head
    assert b"Content-Length: " + got.headers["Content-Length"].encode() in head


def test_only_looking_is_allowed(watched):
    d, s = watched({"a": echo()})
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = s.get("/api", method, body="x" if method == "POST" else None)
        assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", method
    assert b" 501 " in s.raw(b"DANCE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    d.answers("a")


def test_nothing_that_the_client_says_comes_back(watched):
    _, s = watched({"a": echo()})
    for path in ("/", "/nothing-%3Cxyzzy%3E", "/api/show?service=no", "/metrics?xyzzy", "/?xyzzy"):
        answer = s.get(path, Host="xyzzy", Referer="http://xyzzy/", Origin="http://xyzzy",
                       Accept="xyzzy", **{"X-Forwarded-Host": "xyzzy"})
        assert "xyzzy" not in answer.text + str(answer.headers), path


@pytest.mark.parametrize("data", [
    b"\r\n" * 40000, b"x" * 100000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20000,
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100000,
    b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00\xff" * 100, b"GET\0/ HTTP/1.1\r\n\r\n",
], ids=["lines", "letters", "fields", "path", "body", "version", "tls", "nul"])
def test_nonsense_is_refused_and_harms_nobody(watched, data):
    _, s = watched({"a": echo()})
    with contextlib.suppress(OSError):  # a reset may come before the end of what is sent
        assert b" 200 " not in s.raw(data).split(b"\r\n")[0]
    assert s.get("/healthz").status == 200


def test_a_connection_is_kept_for_more_requests(watched):
    _, s = watched({"a": echo()})
    c = http.client.HTTPConnection(*s.address, timeout=PATIENCE)
    for _ in range(5):
        c.request("GET", "/healthz")
        assert c.getresponse().read() == b"ok\n"
    c.close()


def open_sockets(pid):
    found = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
    return found


def sockets_of_nobody(s):
    """How many it has without any client."""
    assert s.get("/healthz").status == 200  # superd is connected to
    counts = []
    for _ in range(10):
        counts.append(open_sockets(s.process.pid))
        time.sleep(0.05)
    return min(counts)


def test_connections_are_limited_and_the_others_wait(watched):
    _, s = watched({"a": echo()})
    before = sockets_of_nobody(s)
    crowd = [socket.create_connection(s.address, PATIENCE) for _ in range(100)]
    eventually(lambda: open_sockets(s.process.pid) >= 60, "they are accepted")
    time.sleep(0.3)
    assert open_sockets(s.process.pid) <= 64 + before
    for c in crowd:
        c.close()
    assert s.get("/healthz").status == 200
    eventually(lambda: open_sockets(s.process.pid) <= before, "all are gone again")


def test_a_request_that_never_ends_is_left(superd, status, folder):
    """However little by little it comes; and so is who asks and does not read."""
    superd({"observe": str(folder / "observe"), "services": {"a": echo()}})
    s = status("-T", "1s", folder / "observe")
    before = sockets_of_nobody(s)
    with socket.create_connection(s.address, PATIENCE) as c:
        c.settimeout(0.2)
        c.sendall(b"GET / HTTP/1.1\r\n")
        end = time.monotonic() + PATIENCE
        with contextlib.suppress(ConnectionError):
            while True:
                assert time.monotonic() < end, "it is still listened to"
                c.sendall(b"a: b\r\n")
                with contextlib.suppress(TimeoutError):
                    if c.recv(1000) == b"":
                        break
    with socket.create_connection(s.address, PATIENCE) as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.settimeout(0.2)
        with contextlib.suppress(ConnectionError, TimeoutError):
            for _ in range(1000):
                c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        eventually(lambda: open_sockets(s.process.pid) <= before, "it is left, too")
    assert s.get("/healthz").status == 200


def test_descriptors_that_run_out_are_waited_for(superd, status, folder):
    d = superd({"observe": str(folder / "observe"), "services": {"a": echo()}})
    s = status(folder / "observe")
    assert s.get("/healthz").status == 200
    limit = open_sockets(s.process.pid) + 8
    subprocess.run(["prlimit", f"--pid={s.process.pid}", f"--nofile={limit}:{limit}"], check=True)
    crowd = [socket.create_connection(s.address, PATIENCE) for _ in range(30)]
    for c in crowd:
        c.close()
    assert s.get("/healthz").status == 200
    d.answers("a")


# ---------------------------------------------------------------- superd is not there


def test_without_superd_it_says_so_and_waits_for_nobody(status, folder):
    s = status(folder / "nowhere")
    for path in ("/", "/metrics", "/healthz", "/api", "/api/log"):
        answer = s.get(path)
        assert answer.status == 503, path
        assert "superd does not answer" in answer.text or not json.loads(answer.text)["ok"], path
    s.close()
    assert s.log == f"status: {folder}/nowhere: No such file or directory\n"  # once


def test_a_superd_that_hangs_is_given_up(superd, status, folder):
    d = superd({"observe": str(folder / "observe"), "services": {"a": echo()}})
    s = status(folder / "observe")
    assert s.get("/healthz").status == 200
    d.kill(signal.SIGSTOP)
    try:
        answers = []
        threads = [threading.Thread(target=lambda p=p: answers.append(s.get(p)))
                   for p in ("/metrics", "/", "/api/ps", "/api/log")]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        d.kill(signal.SIGCONT)
    assert [a.status for a in answers] == [503] * 4
    eventually(lambda: s.get("/healthz").status == 200, "it answers again")


def test_a_superd_that_is_upgraded_is_asked_again(watched):
    d, s = watched({"a": echo()})
    d.upgrade()
    assert s.get("/metrics").status == 200
    eventually(lambda: s.json("/api/version")["generation"] == 2, "the new one answers")


def test_a_superd_that_stops_is_not_healthy(watched):
    d, s = watched({"a": echo()})
    with d.connect() as c:
        c.send(b"x")
        c.read(1)
        d.kill(signal.SIGTERM)
        eventually(lambda: s.get("/healthz").status == 503, "it stops")
    d.wait()
    assert s.get("/healthz").status == 503


@pytest.mark.parametrize("says, why", [
    (b"", "superd closed the connection"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "superd"),
    (b"{}\n{}\n", "superd"), (b"[1]\n", "superd"), (b"\n", "superd"),
], ids=["nothing", "http", "more", "array", "empty"])
def test_whatever_else_answers_there_is_not_believed(status, folder, says, why):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    listener.listen()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                c, _ = listener.accept()
                c.recv(4096)
                c.sendall(says)
                c.close()
    threading.Thread(target=serve, daemon=True).start()
    s = status(folder / "s")
    for path in ("/metrics", "/healthz"):
        answer = s.get(path)
        assert answer.status == 503 and why in answer.text
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_many_who_look_cost_superd_one(watched):
    """The same question within a moment has the same answer."""
    _, s = watched({"a": echo()})
    trace = [json.loads(s.get("/api/version").text)["uptime_ms"] for _ in range(50)]
    assert len(set(trace)) < len(trace) / 2
    time.sleep(0.3)
    assert s.json("/api/version")["uptime_ms"] > trace[-1]


# ---------------------------------------------------------------- as a service


def ask(address, path="/healthz"):
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=PATIENCE)) as c:
        c.request("GET", path)
        return c.getresponse().read().decode()


@pytest.mark.parametrize("handed", ["one", "two"])
def test_superd_starts_it_on_demand_and_it_leaves_when_idle(superd, folder, handed):
    listen = ["127.0.0.1:0", "127.0.0.1:0"] if handed == "two" else "127.0.0.1:0"
    user = {"user": "nobody"} if os.geteuid() == 0 else {}
    d = superd({"observe": str(folder / "observe"), "observe_mode": "0666", "services": {
        "status": {"listen": listen, "mode": "wait", **user,
                   "exec": command("status", "--idle", "1s", folder / "observe")}}})
    addresses = [parse_address(a)[1] for a in d.addrs["status"]]
    for turn in (1, 2):
        for address in addresses:
            assert ask(address) == "ok\n"
        m = samples(ask(addresses[-1], "/metrics"))
        assert m['superd_service_accepted_total{service="status"}'] == turn
        assert m['superd_service_live{service="status"}'] == 1
        conn, = json.loads(ask(addresses[0], "/api/ps"))["connections"]
        assert conn["service"] == "status" and conn["peer"] is None
        ended = d.wait_for("close", count=turn) and d.find("close")[-1]
        assert ended["exit"] == 0 and "signal" not in ended
    assert len(d.find("accept")) == 2


def test_it_ends_with_superd(superd, folder):
    d = superd({"observe": str(folder / "observe"), "services": {
        "status": {"listen": "127.0.0.1:0", "mode": "wait",
                   "exec": command("status", folder / "observe")}}})
    address = parse_address(d.addr["status"])[1]
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=PATIENCE)) as c:
        c.request("GET", "/healthz")
        assert c.getresponse().read() == b"ok\n"
        d.kill(signal.SIGTERM)
        assert d.wait() == 0
    assert d.find("close")[-1]["exit"] == 0


# ---------------------------------------------------------------- coming and going


def test_it_leaves_when_nobody_looks(superd, status, folder):
    superd({"observe": str(folder / "observe"), "services": {"a": echo()}})
    s = status("--idle", "1s", folder / "observe")
    c = http.client.HTTPConnection(*s.address, timeout=PATIENCE)
    c.request("GET", "/healthz")
    assert c.getresponse().read() == b"ok\n"
    with pytest.raises(subprocess.TimeoutExpired):
        s.process.wait(2)  # somebody is still connected
    c.close()
    assert s.wait() == 0


def test_without_that_option_it_stays(status, folder):
    s = status(folder / "nowhere")
    with pytest.raises(subprocess.TimeoutExpired):
        s.process.wait(1.5)


def test_an_answer_on_its_way_is_finished_on_term(superd, status, folder):
    d = superd({"observe": str(folder / "observe"), "services": {"a": echo()}})
    s = status(folder / "observe")
    assert s.get("/healthz").status == 200
    d.kill(signal.SIGSTOP)
    with socket.create_connection(s.address, PATIENCE) as c:
        c.sendall(b"GET /api/ps HTTP/1.0\r\n\r\n")
        time.sleep(0.2)
        s.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        d.kill(signal.SIGCONT)
        assert b" 200 OK" in c.recv(65536)
    assert s.wait() == 0


@pytest.mark.parametrize("args", [(), ("a", "b"), ("-i", "soon", "x"), ("-T", "0", "x"), ("--no", "x")])
def test_wrong_usage(args):
    run = subprocess.run(command("status", *args), capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert run.returncode == 100 and "usage: status" in run.stderr


def test_without_a_listening_socket_it_says_what_it_needs():
    run = subprocess.run(command("status", "/nowhere"), capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert run.returncode == 111 and "mode wait" in run.stderr


def test_a_path_that_is_too_long_is_told_so():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run = subprocess.run(command("status", "/" + "x" * 200), capture_output=True, text=True,
                             stdin=listener, timeout=PATIENCE)
    assert run.returncode == 100 and "File name too long" in run.stderr
