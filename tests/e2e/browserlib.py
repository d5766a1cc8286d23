"""A real browser: Chromium without a screen, told what to do over WebDriver (no library needed)."""

import base64
import contextlib
import json
import pathlib
import shutil
import signal
import subprocess
import urllib.request

from superdlib import PATIENCE, eventually, free_port

MISSING = [p for p in ("chromium", "chromedriver") if not shutil.which(p)]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
             # nothing but this machine can be reached, whatever a page asks for
             "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--proxy-server=direct://"]


class Browser:
    def __init__(self, folder):
        """Its profile is in the folder."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(pathlib.Path(folder) / "chromedriver.log", "wb")
        self.process = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=self.log,
                                        stderr=self.log, start_new_session=True)
        self.session = None
        eventually(self._ready, "chromedriver answers")
        options = {"args": [*ARGUMENTS, f"--user-data-dir={folder}/profile"],
                   "binary": shutil.which("chromium")}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = f"/session/{made['sessionId']}"

    def _ready(self):
        assert self.process.poll() is None, "chromedriver has ended"
        try:
            return self._call("GET", "/status")["ready"]
        except OSError:
            return False

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=2 * PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{method} {path}: {e.read().decode()}") from None

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            if self.session:
                self._call("DELETE", self.session)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.log.close()

    # ---- what a person does

    def open(self, url):
        self._call("POST", self.session + "/url", {"url": url})

    def run(self, script, *args):
        return self._call("POST", self.session + "/execute/sync",
                          {"script": script, "args": list(args)})

    def text(self, selector):
        return self.run("const e = document.querySelector(arguments[0]);"
                        "return e && e.innerText", selector)

    def click(self, selector):
        self.run("document.querySelector(arguments[0]).click()", selector)

    def devtools(self, command, **params):
        return self._call("POST", self.session + "/goog/cdp/execute",
                          {"cmd": command, "params": params})

    def screen(self, width, height, dark=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=width < 500)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, path):
        """All of the page, not only what fits the screen."""
        data = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    # ---- what it did

    def console(self):
        return self._call("POST", self.session + "/se/log", {"type": "browser"})

    def requests(self):
        """The addresses that were asked for since the last time."""
        events = [json.loads(e["message"])["message"] for e in
                  self._call("POST", self.session + "/se/log", {"type": "performance"})]
        return [e["params"]["request"]["url"] for e in events
                if e["method"] == "Network.requestWillBeSent"]
