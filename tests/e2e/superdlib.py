"""Starts superd for a test, talks to it, reads its log, and asks at the end whether all is well.

What every test gets without asking, when its superd stops:
  it exits 0, no sanitizer has anything to say, no process of a handler is left, no descriptor has
  leaked, accept = close + live in its log, and in its ledger arrived = accepted + refused.
"""

import atexit
import collections
import contextlib
import ctypes
import functools
import json
import os
import pathlib
import pwd
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
FLAVOR = os.environ.get("FLAVOR", "release")
BUILD = TOP / "build" / FLAVOR
SUPERD = BUILD / "superd"
HANDLERS = BUILD / "handlers"
PROBES = pathlib.Path(__file__).parent / "probes"
ASAN = FLAVOR == "asan"
ROOT = os.geteuid() == 0
PATIENCE = 30  # seconds for what should take none: a bound for hangs, not a measure
REASONS = ("ban", "trap", "deny", "proxy", "address", "max_connections", "max_per_source", "rate_per_source",
           "rate", "gone", "stop")  # why a connection is refused, as in superd(8)
SOON = 5 if ASAN else 2  # "within 50 ms" of a hazard: generous, and still catches a hang

needs_root = pytest.mark.skipif(not ROOT, reason="needs root: changes identities or namespaces")


def account(name="nobody"):
    return pwd.getpwnam(name)


def scaled(n):
    """A count for a flood: sanitizers take their time."""
    return n // 5 if ASAN else n


def eventually(predicate, what, timeout=PATIENCE):
    """Waits until predicate() is true and returns what it returned."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.01)


# ---------------------------------------------------------------- processes


def become_subreaper():
    """Whoever a superd leaves behind becomes our child, and is found."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def processes():
    """pid -> (parent, group, session, state, name), of all processes there are."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:
            continue
        name = stat[stat.index("(") + 1:stat.rindex(")")]
        state, parent, group, session = stat[stat.rindex(")") + 2:].split()[:4]
        found[int(entry)] = (int(parent), int(group), int(session), state, name)
    return found


def living(*pids):
    """Those of them that still run.  One that has ended may be there until it is waited for, by us
    if it was an orphan."""
    table = processes()
    return [p for p in pids if p in table and table[p][3] not in "ZX"]


def descendants(pid):
    table = processes()
    found, front = {}, {pid}
    while front:
        front = {p for p, row in table.items() if row[0] in front and p not in found}
        found.update((p, table[p]) for p in front)
    return found


def children(pid):
    return {p: row for p, row in processes().items() if row[0] == pid}


def cpu_seconds(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    user, system = stat[stat.rindex(")") + 2:].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    """What the descriptors of a process are, as a bag."""
    bag = collections.Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            bag[os.readlink(f"/proc/{pid}/fd/{fd}")] += 1
    return bag


# ---------------------------------------------------------------- clients


class Client:
    """One connection, with blocking calls that give up after PATIENCE."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def read_all(self, timeout=PATIENCE):
        """All up to the end of the connection; a reset raises."""
        self.sock.settimeout(timeout)
        return b"".join(iter(lambda: self.sock.recv(65536), b""))

    def read(self, n, timeout=PATIENCE):
        self.sock.settimeout(timeout)
        data = b""
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            assert part, f"the connection ended after {data!r}"
            data += part
        return data

    def read_line(self, timeout=PATIENCE):
        self.sock.settimeout(timeout)
        data = b""
        while not data.endswith(b"\n"):
            byte = self.sock.recv(1)
            assert byte, f"the connection ended after {data!r}"
            data += byte
        return data[:-1].decode()

    def silent(self, seconds):
        """True if nothing comes and nothing ends for so long."""
        self.sock.settimeout(seconds)
        try:
            self.sock.recv(1, socket.MSG_PEEK)
            return False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with a reset instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def socket_type(text):
    """Of an address as superd writes it."""
    kinds = {"udp": socket.SOCK_DGRAM, "dgram": socket.SOCK_DGRAM,
             "seqpacket": socket.SOCK_SEQPACKET}
    return kinds.get(text.split(":", 1)[0], socket.SOCK_STREAM)


def parse_address(text):
    """As superd writes it -> (family, address to connect to)."""
    kind, _, path = text.partition(":")
    if kind in ("unix", "seqpacket", "dgram"):
        return socket.AF_UNIX, "\0" + path[1:] if path.startswith("@") else path
    if kind == "udp":
        text = path
    host, port = text.rsplit(":", 1)
    if host.startswith("["):
        return socket.AF_INET6, (host[1:-1], int(port))
    return socket.AF_INET, ("127.0.0.1" if host in ("*", "0.0.0.0") else host, int(port))


def connect(text, timeout=PATIENCE, source=None):
    family, address = parse_address(text)
    sock = socket.socket(family, socket_type(text))
    sock.settimeout(timeout)
    try:
        if source is not None:
            sock.bind(source)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return Client(sock)


def free_port():
    """One that is free on all addresses, and not of those that the kernel gives to clients: what is
    left of a connection of 127.5.5.5 keeps its port from whoever wants it on all."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("", port))
            return port
    raise AssertionError("no port is free")


def port_of(text):
    return int(text.rsplit(":", 1)[1])


# ---------------------------------------------------------------- the daemon


class Superd:
    """A running superd.

    addr        service -> its first address, as text; addrs has all of them
    pid         of superd itself
    events      what has been logged so far, as dicts, oldest first
    """

    ours = set()  # the pids of all that were started

    def __init__(self, folder, config, args=("-v",), prefix=(), env=None, log="json", ready=True,
                 ready_fd=None, command=None, preset=True, leaks=True, **popen):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "superd.json"
        if config is not None:
            config = json.loads(json.dumps(config, default=str))
            if log == "json":
                config.setdefault("log", {}).setdefault("format", "json")
            if ROOT and preset:
                config.setdefault("defaults", {}).setdefault("user", "root")
            self.config.write_text(json.dumps(config, indent=2))
        self.err_path = self.folder / "stderr.log"
        self.log_path = self.err_path
        self.events, self.other, self._offset, self._rest = [], [], 0, b""
        self.addr, self.addrs = {}, collections.defaultdict(list)
        self.clients = []
        self.status = None
        self.checked_fds = True  # a test that leaves handlers behind on purpose says no
        self.ready_text, self.fds_before = "", None
        become_subreaper()
        self.before = set(children(os.getpid()))
        self._start(args, prefix, env, ready, ready_fd, command, leaks, popen)

    def _start(self, args, prefix, env, ready, ready_fd, command, leaks, popen):
        read_end, write_end = os.pipe()
        if ready_fd is None:
            number = os.dup(write_end)
        else:
            number = None
        if command is None:
            command = [str(SUPERD), "-c", str(self.config)]
        argv = [*map(str, prefix), *command, *args]
        fd_text = str(ready_fd if ready_fd is not None else number)
        if ready:
            argv[len(prefix) + 1:len(prefix) + 1] = ["--ready-fd", fd_text]
        full_env = dict(os.environ)
        # What ends at once by fatal() frees nothing; and without /proc leaks cannot be looked for.
        full_env["ASAN_OPTIONS"] = "exitcode=99:abort_on_error=0:detect_leaks=" + \
            ("1" if ready and leaks else "0")
        full_env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        for key, value in (env or {}).items():
            if value is None:
                full_env.pop(key, None)
            else:
                full_env[key] = value
        if ready_fd is not None:
            inner = popen.pop("preexec_fn", None)

            def place():
                os.dup2(write_end, ready_fd)
                os.set_inheritable(ready_fd, True)
                if inner:
                    inner()
            popen["preexec_fn"] = place
        else:
            os.set_inheritable(number, True)
        popen.setdefault("close_fds", False)  # what Python opens is close-on-exec anyway
        with open(self.err_path, "ab") as err:
            popen.setdefault("stderr", err)
            popen.setdefault("stdin", subprocess.DEVNULL)
            self.process = subprocess.Popen(argv, env=full_env, **popen)
        self.pid = self.process.pid
        Superd.ours.add(self.pid)
        if number is not None:
            os.close(number)
        os.close(write_end)
        with open(read_end, "rb") as pipe:
            if not ready:
                return
            os.set_blocking(read_end, False)
            self._read_ready(pipe)

    def _read_ready(self, pipe):
        """Reads the ready lines until superd closes the pipe; its death closes it too."""
        import select
        data, end = b"", time.monotonic() + 2 * PATIENCE
        while True:
            left = end - time.monotonic()
            assert left > 0, f"superd is not ready:\n{self.stderr()}"
            if not select.select([pipe], [], [], 0.1)[0]:
                # A program before superd may hold the pipe open: then the log says how many come.
                if any(e["listeners"] == data.count(b"\n") for e in self.find("ready")):
                    break
                continue
            part = os.read(pipe.fileno(), 1 << 20)
            if not part:
                break
            data += part
        self.ready_text = data.decode()
        for line in self.ready_text.splitlines():
            service, address = line.split(" ", 1)
            self.addr.setdefault(service, address)
            self.addrs[service].append(address)
        if not self.addr:
            self.process.wait(PATIENCE)
            self.status = self.process.returncode
            raise AssertionError(f"superd did not start, exit {self.status}:\n{self.stderr()}")
        self.fds_before = self._descriptors()

    def _descriptors(self):
        try:
            return descriptors(self.pid)
        except OSError:
            return None

    # ---- its log

    def stderr(self):
        return self.err_path.read_text(errors="replace")

    def poll_log(self):
        """Takes in what has been logged since the last call."""
        try:
            with open(self.log_path, "rb") as f:
                f.seek(self._offset)
                data = f.read()
        except FileNotFoundError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self.events.append(json.loads(line.decode("utf-8")))
            else:
                self.other.append(line.decode(errors="replace"))

    def find(self, event=None, **fields):
        """All logged events of that name with those values."""
        self.poll_log()
        return [e for e in self.events if (event is None or e["event"] == event)
                and all(e.get(k) == v for k, v in fields.items())]

    def wait_for(self, event, timeout=PATIENCE, count=1, where=lambda e: True, **fields):
        """The first such event, once there are `count` of them."""
        def there():
            found = [e for e in self.find(event, **fields) if where(e)]
            return found if len(found) >= count else None
        return eventually(there, f"log event {event} {fields}; the log:\n{self.tail()}", timeout)[0]

    def tail(self, n=30):
        return "\n".join(map(str, (self.events[-n:] + self.other[-n:])))

    def ledger(self):
        """How many were accepted and closed; an accept is logged when its handler has started,
        and a close without pid is of one that could not be."""
        accepted = len(self.find("accept"))
        closed = len([e for e in self.find("close") if "pid" in e])
        return accepted, closed

    def live(self):
        accepted, closed = self.ledger()
        return accepted - closed

    def end_handlers(self):
        """Tells those that live to end; by what runs, since the log may be a moment behind."""
        for pid in children(self.pid) if self.process.poll() is None else ():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)

    def wait_idle(self, timeout=PATIENCE):
        eventually(lambda: self.live() == 0, f"no live handler; the log:\n{self.tail()}", timeout)

    # ---- talking to it

    def connect(self, service=None, timeout=PATIENCE, source=None):
        address = service if service and (":" in service) else \
            self.addr[service or next(iter(self.addr))]
        client = connect(address, timeout, source)
        self.clients.append(client)
        return client

    def ask(self, service=None, data=b"", timeout=PATIENCE):
        """Sends, says that no more will come, returns all that comes back."""
        with self.connect(service, timeout) as c:
            if data:
                c.send(data)
            c.half_close()
            return c.read_all(timeout)

    def answers(self, service, within=SOON):
        """An echo service gives back what it gets, soon."""
        assert self.ask(service, b"are you there?\n", within) == b"are you there?\n"

    def probe(self, service=None):
        """What the probe handler tells of itself."""
        with self.connect(service) as c:
            return json.loads(c.read_all().decode())

    # ---- another configuration

    def rewrite(self, config):
        """The file changes; superd has not been told yet."""
        config = json.loads(json.dumps(config, default=str))
        config.setdefault("log", {}).setdefault("format", "json")
        if ROOT:
            config.setdefault("defaults", {}).setdefault("user", "root")
        self.config.write_text(json.dumps(config, indent=2))

    def reload(self, config=None, event="reload-ok"):
        """Writes it, sends HUP, and returns the event once superd has said it."""
        if config is not None:
            self.rewrite(config)
        before = len(self.find(event))
        idle = self.live() == 0
        self.kill(signal.SIGHUP)
        self.wait_for(event, count=before + 1)
        if event == "reload-ok":
            for e in self.find("listen"):
                if "error" not in e and e["addr"] not in self.addrs[e["service"]]:
                    self.addrs[e["service"]].append(e["addr"])
                    self.addr[e["service"]] = e["addr"]
            self.fds_before = self._descriptors() if idle else None
        return self.find(event)[before]

    def upgrade(self, event="upgrade"):
        """Sends USR2, and returns the event once superd has said it."""
        before, idle = len(self.find(event)), self.live() == 0
        self.kill(signal.SIGUSR2)
        self.wait_for(event, count=before + 1, timeout=2 * PATIENCE)
        if event == "upgrade":  # its own pipes are new ones
            self.fds_before = self._descriptors() if idle else None
        return self.find(event)[before]

    # ---- its end

    def kill(self, number):
        os.kill(self.pid, number)

    @contextlib.contextmanager
    def draining(self):
        """It stops, and waits for one client's handler, which is that of a service "a"."""
        with self.connect("a") as c:
            c.send(b"x")
            assert c.read(1) == b"x"
            self.kill(signal.SIGTERM)
            self.wait_for("stop", phase="drain")
            yield c

    def wait(self, timeout=2 * PATIENCE):
        try:
            self.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"superd does not end; the log:\n{self.tail()}") from None
        self.poll_log()
        return self.status

    def stop(self, number=signal.SIGTERM, check_fds=None):
        """Stops it and checks that all is well."""
        check_fds = self.checked_fds if check_fds is None else check_fds
        for c in self.clients:
            c.close()
        if self.status is None:
            if check_fds and self.process.poll() is None:
                self.wait_idle()
                self.check_descriptors()
            with contextlib.suppress(ProcessLookupError):
                self.kill(number)
            self.wait()
        self.check_end()

    def check_descriptors(self):
        """As many as before the first connection, but for the one pipe that lies ready for the
        next connection's stderr, and the log."""
        if self.fds_before is None:
            return

        def extra():
            now = self._descriptors() or collections.Counter()
            return now - self.fds_before

        def settled():
            more = {k: n for k, n in extra().items() if not k.startswith(str(self.folder))}
            pipes = [n for k, n in more.items() if k.startswith("pipe:")]
            return len(pipes) == len(more) and pipes in ([], [2])
        end = time.monotonic() + 10
        while not settled():
            assert time.monotonic() < end, f"descriptors have leaked: {extra()}"
            time.sleep(0.02)

    def sanitizer_reports(self):
        text = self.stderr()
        return text if "Sanitizer" in text or "runtime error:" in text else ""

    def check_end(self):
        self.poll_log()
        assert not self.sanitizer_reports(), self.sanitizer_reports()
        assert self.status == 0, f"exit {self.status}; the log:\n{self.tail()}"
        self.check_nobody_left()
        accepted, closed = self.ledger()
        assert accepted == closed, f"{accepted} accepted, {closed} closed"
        for sums in self.find("ledger"):
            refused = sum(sums.get(reason, 0) for reason in REASONS)
            assert sums["arrived"] == sums["accepted"] + refused + sums["waiting"], sums
            assert sums["accepted"] == sums["closed"] + sums["live"], sums
        ids = [e["conn"] for e in self.find("close")]
        assert len(ids) == len(set(ids)), "a connection was closed twice"

    def left(self):
        """Processes of handlers that are still there.  superd adopts its handlers' orphans and we
        adopt superd's, so all of them descend from us: by parent and never by a number from the
        log, which may belong to somebody else by now."""
        table, found = processes(), {}
        front = {os.getpid()}
        known = self.before | Superd.ours
        while front:
            front = {p for p, row in table.items() if row[0] in front and p not in known}
            for pid in front:
                if table[pid][3] != "Z":
                    found[pid] = table[pid]
                elif table[pid][0] == os.getpid():
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
        return found

    def check_nobody_left(self):
        end = time.monotonic() + 5
        while self.left():
            assert time.monotonic() < end, f"superd is gone, its handlers are not: {self.left()}"
            time.sleep(0.02)

    def abandon(self):
        """After a failure: nothing of ours stays."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.left()


# ---------------------------------------------------------------- for configurations


def handler(name):
    """One of superd's own.  Those that a sanitizer slows down have their own tests; here they
    are a load on superd, and stand in jails without a library, so echo is small and static."""
    small = FLAVOR in ("asan", "cov") and name == "echo"
    return str(probe_folder() / name if small else HANDLERS / name)


def echo(listen="127.0.0.1:0", **keys):
    return {"listen": listen, "exec": [handler("echo")], **keys}


def shell(line, listen="127.0.0.1:0", **keys):
    return {"listen": listen, "shell": line, **keys}


def script(folder, name, text, mode=0o755):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    path.chmod(mode)
    return path


@functools.lru_cache(maxsize=None)
def compiler():
    """Static, so that a probe runs in an empty chroot; musl where it is there."""
    return shutil.which("musl-gcc") or shutil.which("gcc") or shutil.which("cc")


@functools.lru_cache(maxsize=None)
def probe_folder():
    """The small helper programs, compiled once a run."""
    folder = new_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for source in PROBES.glob("*.c"):
        subprocess.run([compiler(), "-O1", "-static", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                        "-o", folder / source.stem, source], check=True)
    return folder


def hard_limit(which=resource.RLIMIT_NOFILE):
    return resource.getrlimit(which)[1]


def new_folder():
    """A folder that other users may enter, unlike pytest's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="superd-e2e-"))
    folder.chmod(0o755)
    return folder


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


@functools.cache
def can_unshare(*options):
    """Not in every container, and a user namespace not inside a chroot."""
    return subprocess.run(["unshare", *options, "true"], capture_output=True).returncode == 0


def needs(*programs):
    missing = [p for p in programs if not (shutil.which(p) or shutil.which(f"/usr/sbin/{p}"))]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}; make deps")


def ending_handlers(superd):
    """A fixture `superd` once more, which at the end tells those handlers that still live."""
    started = []

    def start(config, **options):
        started.append(superd(config, **options))
        return started[-1]

    yield start
    for d in started:
        d.end_handlers()
