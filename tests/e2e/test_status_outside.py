"""What a real browser and a real Prometheus make of status.  `make check-status` installs both;
elsewhere what is missing is skipped."""

import json
import os
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request

import pytest

from browserlib import MISSING, Browser
from superdlib import PATIENCE, TOP, echo, eventually, free_port, shell
from test_handlers_status import HOSTILE, hostile, status, watched  # noqa: F401 (fixtures)

COMPLETE = os.environ.get("STATUS") == "complete"  # nothing may be missing



def found(program):
    """Installed, or unpacked in build/world; None without."""
    unpacked = (TOP / "build" / "world").glob(f"*/usr/bin/{program}")
    return shutil.which(program) or next(map(str, unpacked), None)


needs_browser = pytest.mark.skipif(bool(MISSING) and not COMPLETE,
                                   reason="needs a browser: make check-status")
needs_prometheus = pytest.mark.skipif(not found("prometheus") and not COMPLETE,
                                      reason="needs prometheus: make check-status")


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory):
    b = Browser(tmp_path_factory.mktemp("browser"))
    yield b
    b.close()


@pytest.fixture
def browser(one_browser):
    """With nothing in its log.  It was started before this test's superd, whose end finds no
    process of it."""
    one_browser.open("about:blank")
    one_browser.screen(1200, 900)
    one_browser.console()
    one_browser.requests()
    return one_browser


def until(browser, script, what):
    return eventually(lambda: browser.run("return " + script), what)


def outside(browser, *servers):
    """Whatever was asked for that is not on the servers."""
    ours = tuple(s.url + "/" for s in servers)
    return [r for r in browser.requests() if not r.startswith((*ours, "data:", "about:", "chrome:"))]


# ---------------------------------------------------------------- the browser


@needs_browser
def test_the_page_shows_what_goes_on_as_it_happens(browser, watched):
    d, s = watched({"a": echo(description="says it again"), "no": echo(deny=["127.0.0.0/8"]),
                    "off": echo(enabled=False)})
    browser.open(s.url + "/")
    until(browser, "document.querySelectorAll('#services tr').length === 2", "the services")
    assert browser.text("#state") == "serving"
    assert "Nobody is connected" in browser.text("main")
    assert "says it again" in browser.text("#services tr") and d.addr["a"] in \
        browser.text("#services tr")
    browser.click("#closed")
    assert browser.run("return document.querySelectorAll('#services tr').length") == 3
    with d.connect("a") as c:
        c.send(b"x")
        c.read(1)
        host, port = c.sock.getsockname()
        until(browser, f"document.querySelector('#connections').innerText.includes('{host}:{port}')",
              "the connection appears")
        until(browser, "document.title.includes('1 live')", "it is counted")
    until(browser, "document.querySelector('#connections-table').hidden", "it disappears")
    d.ask("no")
    until(browser, "document.querySelector('#refusals').innerText.includes('deny')", "the refusal")
    until(browser, "document.querySelector('#log').innerText.includes('reject')", "it is in the log")
    assert browser.run("return document.querySelectorAll('svg.spark path.edge').length") >= 8
    assert browser.console() == []
    assert outside(browser, s) == []


@needs_browser
def test_hostile_text_is_text(browser, watched, hostile):
    line = "</ol><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    d, s = watched({"a": shell(f"cat >&2 <<'E'\n{line}\nE\nexit 1", description=HOSTILE)})
    d.ask("a")
    browser.open(s.url + "/")
    until(browser, "document.querySelector('#log').innerText.includes('<script>')", "the line")
    assert line in browser.text("#log") and HOSTILE in browser.text("#services")
    assert browser.run("return document.querySelectorAll('main img, main script').length") == 0
    assert "owned" not in browser.run("return document.title")
    assert browser.console() == []
    # One whose every word is hostile, before and after the script has taken over.
    browser.open(hostile.url + "/")
    until(browser, "document.documentElement.classList.contains('live')", "the script runs")
    until(browser, "document.querySelector('#services').innerText.includes('<script>')", "its name")
    assert browser.run("return document.querySelectorAll('main img, main script').length") == 0
    assert "owned" not in browser.run("return document.title")
    assert outside(browser, s, hostile) == []


@needs_browser
def test_a_script_of_somebody_else_does_not_run(browser, watched):
    """If a text were markup after all, the policy would be the second wall."""
    _, s = watched({"a": echo()})
    browser.open(s.url + "/")
    until(browser, "document.title.includes('live')", "the page works")
    browser.run("document.querySelector('main').insertAdjacentHTML('beforeend', arguments[0]);"
                "const e = document.createElement('script'); e.textContent = 'window.owned = 1';"
                "document.body.append(e)",
                '<img src=x onerror="window.owned = 1"><b style="color: red" id=styled>x</b>')
    until(browser, "document.querySelector('#styled')", "it is there")
    assert browser.run("return window.owned") is None
    assert browser.run("return document.querySelector('#styled').getAttribute('style') && "
                       "getComputedStyle(document.querySelector('#styled')).color") != "rgb(255, 0, 0)"
    assert "Content Security Policy" in json.dumps(browser.console())


@needs_browser
def test_it_fits_a_phone_and_follows_light_and_dark(browser, watched, folder):
    d, s = watched({f"service-with-a-long-name-{i}": echo(description="words " * 20)
                    for i in range(3)})
    with d.connect() as c:
        c.send(b"x")
        c.read(1)
        browser.screen(360, 740)
        browser.open(s.url + "/")
        until(browser, "document.querySelectorAll('#connections tr').length === 1", "all is there")
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        light = browser.run("return getComputedStyle(document.body).backgroundColor")
        browser.screen(360, 740, dark=True)
        dark = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert light != dark
        browser.picture(folder / "phone.png")
        assert (folder / "phone.png").stat().st_size > 10000
        # What a card shows beside each number, and what a screen reader hears.
        assert browser.run("return [...document.querySelectorAll('#services td')]"
                           ".every(e => e.dataset.label && e.getAttribute('role') === 'cell')")


@needs_browser
def test_it_says_that_superd_is_gone_and_goes_on_when_it_is_back(browser, superd, status, folder):
    s = status(folder / "observe")  # before superd, whose end finds no process of it
    config = {"observe": str(folder / "observe"), "services": {"a": echo()}}
    d = superd(config)
    browser.open(s.url + "/")
    until(browser, "document.querySelector('#state').innerText === 'serving'", "it serves")
    d.stop(check_fds=False)  # status is connected
    until(browser, "document.querySelector('#alarm').innerText.includes('does not answer')", "gone")
    assert browser.text("#state") == "not reachable"
    assert browser.text("#services tr")  # what was last known
    superd(config)
    until(browser, "document.querySelector('#alarm').hidden", "back")
    assert browser.text("#state") == "serving"


@needs_browser
def test_without_superd_the_page_comes_nonetheless(browser, status, folder):
    s = status(folder / "nowhere")
    browser.open(s.url + "/")
    until(browser, "!document.querySelector('#alarm').hidden", "the alarm")
    assert "does not answer" in browser.text("#alarm")


# ---------------------------------------------------------------- Prometheus


class Prometheus:
    def __init__(self, folder, target):
        port = free_port()
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "superd", "static_configs": [{"targets": [target]}]}]}))
        self.url = f"http://127.0.0.1:{port}"
        with open(folder / "prometheus.log", "wb") as log:
            self.process = subprocess.Popen(
                [found("prometheus"), f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{port}"],
                stdout=log, stderr=log, cwd=folder)

    def call(self, path, **query):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with opener.open(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except OSError:
            assert self.process.poll() is None, "Prometheus has ended"
            return None

    def value(self, query):
        found = self.call("query", query=query)
        return float(found["result"][0]["value"][1]) if found and found["result"] else None

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def prometheus(folder):
    started = []

    def start(s):
        started.append(Prometheus(folder, "%s:%d" % s.address))
        return started[-1]

    yield start
    for p in started:
        p.close()


@needs_prometheus
def test_prometheus_takes_what_it_is_told(watched, prometheus):
    d, s = watched({"a": echo(), "fails": shell("exit 3"), "no": echo(deny=["127.0.0.0/8"])})
    for name in ("a", "a", "fails", "no"):
        d.ask(name)
    d.wait_idle()
    p = prometheus(s)
    eventually(lambda: p.value('superd_service_accepted_total{service="a"}') == 2, "it scrapes")
    target, = p.call("targets")["activeTargets"]
    assert target["health"] == "up" and target["lastError"] == ""
    assert p.value('superd_service_refused_total{service="no",reason="deny"}') == 1
    assert p.value('superd_service_exits_total{status="3"}') == 1
    assert p.value('superd_service_duration_seconds_count{service="a"}') == 2
    assert p.value('histogram_quantile(0.9, superd_service_duration_seconds_bucket{service="a"})') \
        > 0
    about = p.call("metadata", metric="superd_service_start_seconds")
    said, = about["superd_service_start_seconds"]
    assert said["type"] == "histogram" and said["unit"] == "seconds" and said["help"]
    d.kill(signal.SIGSTOP)
    eventually(lambda: p.value("up") == 0, "a superd that hangs is down")
    d.kill(signal.SIGCONT)
    eventually(lambda: p.value("up") == 1, "and up again")


@needs_prometheus
def test_promtool_has_nothing_to_say(watched, hostile):
    d, s = watched({"a": echo(), "fails": shell("exit 3")})
    d.ask("fails")
    for who in (s, hostile):
        text = who.get("/metrics").text
        run = subprocess.run([found("promtool"), "check", "metrics"], input=text, capture_output=True,
                             text=True, timeout=PATIENCE)
        assert (run.returncode, run.stdout + run.stderr) == (0, "")
