"""A real systemd for a test: process 1 of its own namespaces of processes, mounts and cgroups, with
the unit that `make install` installs.  The network is the test's, the files are this machine's."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from superdlib import ASAN, BUILD, FLAVOR, PATIENCE, ROOT, TOP, connect, children, eventually

SYSTEMD = os.environ.get("SYSTEMD", "/lib/systemd/systemd")  # another version may be tried
START = TOP / "tests" / "e2e" / "systemd" / "start.sh"
SHIPPED = TOP / "contrib" / "systemd"
# What units refer to without saying so; of the real ones nothing is wanted here.
DUMMIES = ("sysinit", "basic", "shutdown", "sockets", "timers", "paths", "slices", "network",
           "nss-user-lookup", "umount", "final", "exit", "multi-user", "test")
CLEAN_CGROUPS = """mount -t cgroup2 cgroup "$1" || exit 0  # then it had none
[ ! -e "$1/$2" ] || find "$1/$2" -depth -type d -exec rmdir {} +"""


def install_unit(folder, config_folder):
    """By the Makefile, with the paths of this build."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-s", "-C", TOP, "install-units", f"FLAVOR={FLAVOR}",
                    f"UNITDIR={folder}", f"SBINDIR={BUILD}", f"CONFDIR={config_folder}"],
                   check=True, env=env, timeout=PATIENCE)


class Systemd:
    """folder/units has its units, folder/services.json is what superd.service serves."""

    broken = None  # why it does not start here; tried once

    def __init__(self, folder):
        self.folder, self.units = folder, folder / "units"
        self.name = f"superd-e2e-{os.getpid()}"
        self.log = folder / "log"
        self.ctl_path = BUILD / "superctl"
        for sub in (self.units, folder / "cgroup"):
            sub.mkdir()
        for dummy in DUMMIES:
            self.unit(f"{dummy}.target", "[Unit]\nDefaultDependencies=no\n")
        install_unit(self.units, folder)
        options = "detect_leaks=0:exitcode=99"
        self.drop_in("log", f"[Service]\nStandardError=append:{self.log}\n"
                     f"Environment=ASAN_OPTIONS={options}\n")
        with open(folder / "systemd.log", "wb") as out:
            self.process = subprocess.Popen(
                ["unshare", "-m", "-p", "-u", "-f", "--kill-child", "sh", START, folder, self.name],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, "SYSTEMD": SYSTEMD})

    def wait(self):
        """True once it answers; else it says why not."""
        def answers():
            return self.process.poll() is not None or \
                children(self.process.pid) and self.run("systemctl", "show-environment")[0] == 0
        try:
            eventually(answers, "systemd answers")
        except AssertionError:  # superd has no part in it yet
            return False
        return self.process.poll() is None

    def said(self):
        return (self.folder / "systemd.log").read_text(errors="replace")

    # ---- units

    def unit(self, name, text):
        (self.units / name).write_text(text)

    def drop_in(self, name, text):
        folder = self.units / "superd.service.d"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.conf").write_text(text)

    def configure(self, config):
        config = json.loads(json.dumps(config, default=str))
        config.setdefault("log", {}).setdefault("format", "json")
        config.setdefault("defaults", {}).setdefault("user", "nobody")
        (self.folder / "services.json").write_text(json.dumps(config))

    # ---- inside

    def inside(self, command):
        pid = next(iter(children(self.process.pid)))
        return ["nsenter", "-t", str(pid), "-m", "-p", "-C", *map(str, command)]

    def begin(self, *command):
        return subprocess.Popen(self.inside(command), stdin=subprocess.DEVNULL)

    def run(self, *command):
        """(exit status, output, complaints) of a command among its processes."""
        done = subprocess.run(self.inside(command), capture_output=True, text=True,
                              timeout=2 * PATIENCE, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def ctl(self, *words, good=True):
        code, out, err = self.run("systemctl", *words)
        assert (code == 0) == good, f"systemctl {words}: exit {code}\n{out}{err}\n{self.said()}"
        return out

    def show(self, name, unit="superd.service"):
        return self.ctl("show", "--value", "-p", name, unit).strip()

    def signal(self, name):
        """To superd itself."""
        self.ctl("kill", "--kill-who=main", "-s", name, "superd")

    def alive(self, pid):
        return self.run("sh", "-c", f"kill -0 {pid}")[0] == 0

    # ---- superd

    def find(self, event, **fields):
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [e for e in events if e["event"] == event
                and all(e.get(k) == v for k, v in fields.items())]

    def wait_for(self, event, count=1, **fields):
        return eventually(lambda: len(self.find(event, **fields)) >= count
                          and self.find(event, **fields)[-1], f"log event {event} {fields}")

    def connect(self, service):
        return connect(self.find("listen", service=service)[-1]["addr"])

    def ask(self, service, data=b""):
        with self.connect(service) as c:
            if data:
                c.send(data)
            c.half_close()
            return c.read_all()

    # ---- its end

    def end(self):
        self.process.send_signal(signal.SIGKILL)  # and with it process 1, and all of its own
        self.process.wait()
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            return
        eventually(lambda: subprocess.run(
            ["unshare", "-m", "sh", "-c", CLEAN_CGROUPS, "sh", self.folder / "cgroup", self.name],
            capture_output=True, timeout=PATIENCE).returncode == 0, "its cgroups are gone")


def version():
    out = subprocess.run([SYSTEMD, "--version"], capture_output=True, text=True).stdout
    return int(re.match(r"systemd (\d+)", out)[1])


def missing():
    """Why there can be no systemd here, or None."""
    if not ROOT:
        return "needs root: makes namespaces"
    for program in (SYSTEMD, "systemctl", "nsenter", "unshare", "make"):
        if not shutil.which(program):
            return f"needs {program}"
    return None


@pytest.fixture
def systemd(folder, request):
    if missing() or Systemd.broken:
        pytest.skip(missing() or Systemd.broken)
    s = Systemd(folder)
    try:
        if not s.wait():
            Systemd.broken = f"systemd does not start in a namespace here: {s.said()[-500:]}"
            pytest.skip(Systemd.broken)
        yield s
        assert not [line for line in s.said().splitlines() if "Sanitizer" in line]
        assert not ASAN or "Sanitizer" not in (s.log.read_text() if s.log.exists() else "")
    finally:
        if getattr(request.node, "failed", False):
            print(f"--- systemd ---\n{s.said()[-4000:]}")
            print(f"--- superd ---\n{s.log.read_text()[-4000:] if s.log.exists() else ''}")
        s.end()
