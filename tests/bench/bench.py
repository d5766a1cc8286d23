#!/usr/bin/python3
"""superd beside the bare loop and beside whatever peers are installed, in one run.

Absolute figures of a shared machine say little, so everything is a ratio: each slice of a server
stands between two slices of one reference loop (`bare clonevm`), the servers take turns in an
order shuffled anew each round, and the median of the rounds is shown.  Loopback only; what is
started here is ended here, by its pid.

    bench.py [--rounds N] [--seconds S] [--clients N] [--only REGEX] [TABLE…]

    main      connections per second with the cheapest handler, superd, bare loops, peers
    ports     superd with 1 to 10,000 ports, and with a descriptor for each
    memory    superd with 2 to 500 MB of resident memory
    held      superd and the bare loop while thousands of other connections are live
    idle      resident memory with one service, and for each further port
    startup   the shipped handlers beside the cheapest
    admission superd with 100,000 rules and limits by source, and how fast it refuses
    watched   superd while status is scraped every second and `superctl top` is open
"""
import argparse
import contextlib
import glob
import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "bench")
PEERS = os.environ.get("PEERS", os.path.join(TOP, "build", "peers"))
SUPERD = os.environ.get("SUPERD", os.path.join(TOP, "build", "release", "superd"))
SUPERCTL = os.path.join(os.path.dirname(SUPERD), "superctl")
HANDLERS = os.path.join(TOP, "build", "release", "handlers")
CHEAP = os.path.join(BUILD, "cheap")
FIRST_PORT = 14000
BACKLOG = 4096
MANY = 100000


# ---------------------------------------------------------------- servers

class Server:
    """A server that is started for one port and one handler; ended with everything it started."""

    bare = False
    half_close = True
    refuses = False

    def __init__(self, name, command, program=None, env=None):
        self.name, self.command, self.env = name, command, env or {}
        self.program = program or name
        self.process = None

    def available(self):
        return shutil.which(self.program) is not None

    def start(self, port, folder):
        self.port = port
        folder = os.path.join(folder, self.name.replace(" ", "_"))
        os.makedirs(folder, exist_ok=True)
        argv = self.command(port, folder)
        self.log = open(os.path.join(folder, "log"), "wb")
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.env}, start_new_session=True)
        begin = time.monotonic()
        while not ping(port, self.refuses):
            if time.monotonic() - begin > 60 or self.process.poll() is not None:
                self.stop()
                raise RuntimeError(f"{self.name} does not serve: {argv}")
            time.sleep(0.002)
        self.ready_s = time.monotonic() - begin
        return self

    def cpu_us(self):
        """Run time of the daemon itself, without its handlers."""
        with open(f"/proc/{self.process.pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1000

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def during(self):
        """What goes on beside the load of a slice."""
        return contextlib.nullcontext()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            # Orphans of servers that leave some behind; the session is ours.
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.log.close()


def ping(port, refuses=False):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            if refuses:
                return s.recv(64) == b""
            s.sendall(b"ping\n")
            return s.recv(64) == b"ping\n"
    except OSError:
        return False


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def superd_config(folder, listen, **keys):
    service = {"listen": listen, "exec": [CHEAP], "backlog": BACKLOG, "max_connections": 0}
    if os.geteuid() == 0:
        # As the peers, who leave the groups alone.
        service.update(user="root", groups=[])
    service.update(keys)
    return write(folder, "superd.json", json.dumps({"services": {"bench": service}}))


def superd(name="superd", env=None, listen=lambda port: f"127.0.0.1:{port}", **keys):
    return Server(name, lambda port, folder: [SUPERD, "-c", superd_config(folder, listen(port), **keys)],
                  SUPERD, env)


def bare(how, name=None):
    server = Server(f"bare {name or how}", lambda port, folder: [f"{BUILD}/bare", how, str(port), CHEAP],
                    f"{BUILD}/bare")
    server.bare = True
    return server


def inetd_conf(port, folder, wait):
    return write(folder, "conf", f"127.0.0.1:{port} stream tcp {wait} root {CHEAP} cheap\n")


def xinetd_conf(port, folder):
    return write(folder, "conf", f"""
defaults
{{
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 1000000 1
    log_on_success =
    log_on_failure =
}}
service bench
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    wait = no
    user = root
    bind = 127.0.0.1
    port = {port}
    flags = NOLIBWRAP
    server = {CHEAP}
}}
""")


def rlinetd_conf(port, folder):
    return write(folder, "conf", f"""
service "bench" {{
    enabled yes; protocol tcp; port {port}; interface 127.0.0.1; backlog {BACKLOG};
    instances {MANY}; wait no; user "root"; exec "{CHEAP}";
}}
""")


def peers():
    """Each with its cheapest settings: no log, no lookups, no limit that is reached."""
    def in_peers(path):
        return os.path.join(PEERS, path)

    parser = next(iter(glob.glob(in_peers("rlinetd/usr/lib/**/libparse.so"), recursive=True)), "")
    ncat = Server("ncat", lambda p, d: ["ncat", "-n", "-l", "127.0.0.1", str(p), "-k", "-m", "10000", "-e", CHEAP])
    ncat.half_close = False
    return [
        Server("busybox tcpsvd", lambda p, d: [in_peers("busybox/tcpsvd"), "-c", "10000", "-b", str(BACKLOG), "-E",
               "-l", "localhost", "127.0.0.1", str(p), CHEAP], in_peers("busybox/tcpsvd")),
        Server("busybox inetd", lambda p, d: [in_peers("busybox/inetd"), "-f", "-q", str(BACKLOG), "-R", "0",
               inetd_conf(p, d, "nowait")], in_peers("busybox/inetd")),
        Server("tcpserver", lambda p, d: ["tcpserver", "-c", "10000", "-b", str(BACKLOG), "-H", "-R", "-o", "-q",
               "-l", "0", "127.0.0.1", str(p), CHEAP]),
        Server("tcpsvd", lambda p, d: ["tcpsvd", "-c", "10000", "-b", str(BACKLOG), "-E", "-l", "localhost",
               "127.0.0.1", str(p), CHEAP]),
        Server("s6-tcpserver", lambda p, d: ["s6-tcpserver", "-q", "-c", "10000", "-C", "10000", "-b", str(BACKLOG),
               "127.0.0.1", str(p), CHEAP]),
        Server("inetutils-inetd", lambda p, d: [in_peers("inetutils-inetd/usr/sbin/inetutils-inetd"), "-d", "-R",
               "2000000000", inetd_conf(p, d, "nowait")], in_peers("inetutils-inetd/usr/sbin/inetutils-inetd")),
        Server("openbsd-inetd", lambda p, d: [in_peers("openbsd-inetd/usr/sbin/inetd"), "-i", "-q", str(BACKLOG),
               "-R", "0", inetd_conf(p, d, "nowait.1000000")], in_peers("openbsd-inetd/usr/sbin/inetd")),
        Server("rlinetd", lambda p, d: [in_peers("rlinetd/usr/sbin/rlinetd"), "-d", "-p", parser, "-f",
               rlinetd_conf(p, d)], in_peers("rlinetd/usr/sbin/rlinetd")),
        Server("xinetd", lambda p, d: [in_peers("xinetd/usr/sbin/xinetd"), "-dontfork", "-f", xinetd_conf(p, d),
               "-pidfile", os.path.join(d, "pid")], in_peers("xinetd/usr/sbin/xinetd")),
        Server("systemd-socket-activate", lambda p, d: ["systemd-socket-activate", "-l", f"127.0.0.1:{p}", "-a",
               "--inetd", CHEAP], env={"SYSTEMD_LOG_LEVEL": "emerg"}),
        Server("socat", lambda p, d: ["socat", f"TCP-LISTEN:{p},bind=127.0.0.1,fork,reuseaddr,backlog={BACKLOG}",
               f"EXEC:{CHEAP},nofork"]),
        ncat,
    ]


# ---------------------------------------------------------------- measuring

def build():
    os.makedirs(BUILD, exist_ok=True)
    cc = os.environ.get("CC", "gcc")
    for name, flags in (("load", []), ("bare", []), ("startup", []), ("ballast.so", ["-shared", "-fPIC"]),
                        ("cheap", ["-static", "-nostdlib", "-fno-stack-protector"])):
        source = os.path.join(HERE, name.replace(".so", "") + ".c")
        out = os.path.join(BUILD, name)
        if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(source):
            subprocess.check_call([cc, "-O2", "-D_GNU_SOURCE", "-o", out, source, *flags])


def load(server, clients, seconds):
    """Who is refused costs superd less than the one who asks: then one process of clients is too few."""
    processes = os.cpu_count() if server.refuses else 1
    argv = [f"{BUILD}/load", "-w", "0.3", *([] if server.half_close else ["-k"]),
            *(["-r"] if server.refuses else []), str(server.port), str(clients // processes), str(seconds)]
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(processes)]
    parts = [json.loads(p.communicate(timeout=seconds + 60)[0]) for p in running]
    whole = dict(parts[0])
    for key in ("rate", "ok", "errors"):
        whole[key] = sum(p[key] for p in parts)
    for key in ("p50_ms", "p99_ms"):
        whole[key] = max(p[key] for p in parts)
    return whole


def take_turns(servers, options):
    """Name to a list of slices; a slice has its ratio to the reference slices on both sides."""
    slices = {s.name: [] for s in servers}
    reference = bare("clonevm")
    running = []
    with tempfile.TemporaryDirectory(prefix="superd-bench-") as folder:
        try:
            reference.name = "reference"
            running.append(reference.start(FIRST_PORT, folder))
            for i, server in enumerate(servers):
                try:
                    running.append(server.start(FIRST_PORT + 1 + i, folder))
                except RuntimeError as e:
                    print("#", e, file=sys.stderr)
            shuffle = random.Random(1)
            before = load(reference, options.clients, 0.5)["rate"]
            for _ in range(options.rounds):
                order = running[1:]
                shuffle.shuffle(order)
                for server in order:
                    cpu = server.cpu_us()
                    with server.during():
                        s = load(server, options.clients, options.seconds)
                    # The warm-up and the end are in the CPU time and not in the count.
                    s["cpu_us"] = (server.cpu_us() - cpu) / max(1, s["ok"] * (s["seconds"] + 0.3) / s["seconds"])
                    after = load(reference, options.clients, 0.5)["rate"]
                    s["ratio"] = s["rate"] * 2 / (before + after)
                    before = after
                    slices[server.name].append(s)
        finally:
            for server in running:
                server.stop()
    return {name: s for name, s in slices.items() if s}


def median(slices, key):
    return statistics.median(s[key] for s in slices)


def print_table(slices):
    print("| server | conn/s | to the reference loop | p50 ms | p99 ms | daemon CPU µs/conn | errors |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, s in sorted(slices.items(), key=lambda x: -median(x[1], "ratio")):
        print(f"| {name} | {median(s, 'rate'):.0f} | {median(s, 'ratio'):.2f} | {median(s, 'p50_ms'):.1f} | "
              f"{median(s, 'p99_ms'):.1f} | {median(s, 'cpu_us'):.0f} | {sum(x['errors'] for x in s)} |")
    print(flush=True)


# ---------------------------------------------------------------- tables

def table_main(options):
    servers = [superd()] + [bare(how) for how in ("clonevm", "clonevf", "vfork", "fork", "spawn")] + [
        bare("session", "clonevm + setsid")] + peers()
    servers = [s for s in servers if s.available() and re.search(options.only, s.name)]
    slices = take_turns(servers, options)
    print(f"### Connections per second: cheapest handler, {options.clients} clients, "
          f"{options.rounds} rounds of {options.seconds:g} s, medians\n")
    print_table(slices)
    best_bare = max((median(s, "ratio") for n, s in slices.items() if n.startswith("bare")), default=0)
    best_peer = max(((median(s, "ratio"), n) for n, s in slices.items()
                     if n != "superd" and not n.startswith("bare")), default=(0, "none"))
    ours = median(slices["superd"], "ratio") if "superd" in slices else 0
    if ours and best_bare:
        print(f"superd: {ours / best_bare:.2f} of the best bare loop", end="")
        print(f", {ours / best_peer[0]:.2f} times the best peer ({best_peer[1]})\n" if best_peer[0] else "\n")


def table_ports(options):
    def ports(count):
        # The connections go to the last port of the range.
        return superd(f"{count} ports", listen=lambda port: [f"127.0.0.1:{port}"] + (
            [f"127.0.0.1:{30001 - count}-29999"] if count > 1 else []))
    print("### Ports\n")
    for count in (100, 1000, 10000):
        print_table(take_turns([ports(1), ports(count)], options))


def table_memory(options):
    def with_memory(mb):
        return superd(f"{mb} MB more", {"LD_PRELOAD": f"{BUILD}/ballast.so", "BALLAST_MB": str(mb)})
    print("### Memory of the daemon\n")
    print_table(take_turns([with_memory(mb) for mb in (0, 20, 200, 500)], options))


def held(server, count):
    """The same server, and so many clients that stay and say nothing."""
    server.name += f", {count} held"
    begin, end = server.start, server.stop
    clients = []

    def start(port, folder):
        begin(port, folder)
        for _ in range(count):
            clients.append(socket.create_connection(("127.0.0.1", port), 10))
        return server

    def stop():
        for client in clients:
            client.close()
        end()

    server.start, server.stop = start, stop
    return server


def table_held(options):
    print("### Connections that stay beside those that come and go\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print_table(take_turns([held(make(), count) for make in (superd, lambda: bare("clonevm"))
                            for count in (0, 1000, 4000)], options))


def table_idle(options):
    print("### Idle, resident memory\n\n| server | KB |\n|---|---:|")
    xinetd = [p for p in peers() if p.name == "xinetd" and p.available()]
    sizes = {}
    with tempfile.TemporaryDirectory(prefix="superd-bench-") as folder:
        servers = xinetd + [superd("superd, 1 port")] + [
            superd(f"superd, {n} ports", listen=lambda port, n=n: f"127.0.0.1:{port}-{port + n - 1}")
            for n in (1000, 10000)]
        for server in servers:
            server.start(FIRST_PORT + 100, folder)
            time.sleep(0.2)
            sizes[server.name] = server.rss_kb()
            print(f"| {server.name} (ready after {server.ready_s * 1000:.0f} ms) | {sizes[server.name]} |")
            server.stop()
    each = (sizes["superd, 10000 ports"] - sizes["superd, 1 port"]) * 1024 / 9999
    print(f"\neach further port: {each:.0f} bytes\n", flush=True)


def table_startup(options):
    print("### Start and end of a handler, median µs, and the ratio to the cheapest\n")
    programs = [CHEAP] + [f"{HANDLERS}/{name}" for name in ("echo", "hello", "fds")]
    programs += [f"{HANDLERS}/flag,/dev/null", f"{HANDLERS}/static,{TOP}/etc/www", "/bin/cat"]
    out = subprocess.run([f"{BUILD}/startup", "2000", *programs], stdout=subprocess.PIPE, check=True, text=True)
    print("| program | µs | ratio |\n|---|---:|---:|")
    for line in out.stdout.splitlines():
        name, us, ratio = line.split()
        print(f"| {os.path.basename(name)} | {us} | {ratio} |")
    print(flush=True)


def rules(folder, count=100000):
    """A file with so many prefixes, a ninth of them in 127.0.0.0/8 but of none of our clients."""
    prefixes = [f"{10 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24" for i in range(count - count // 9)]
    prefixes += [f"127.{200 + (i >> 16)}.{i >> 8 & 255}.{i & 255}" for i in range(count // 9)]
    return write(folder, "rules.txt", "\n".join(prefixes) + "\n")


def table_admission(options):
    with tempfile.TemporaryDirectory(prefix="superd-bench-") as folder:
        many = {"file": rules(folder)}
        limits = {"max_per_source": 1000, "rate_per_source": "100000/s", "rate": "1000000/s"}
        print("### Admission: what lists and limits cost\n")
        slices = take_turns([
            superd("without"),
            superd("100,000 deny rules", deny=[many]),
            superd("100,000 allow rules", allow=[many, "127.0.0.0/16"]),
            superd("limits by source", **limits),
            superd("100,000 deny rules and limits", deny=[many], **limits)], options)
        print_table(slices)
        plain = median(slices["without"], "ratio")
        for name in slices:
            if name != "without":
                print(f"{name}: {median(slices[name], 'ratio') / plain:.3f} of the same without")
        print("\n### Admission: refusals a second beside connections served\n")
        deny = superd("refused by deny", deny=["127.0.0.0/8"])
        among = superd("refused by one of 100,000 rules", deny=[many, "127.0.0.0/8"])
        deny.refuses = among.refuses = True
        print_table(take_turns([
            deny, among, superd("served, the cheap handler"), superd("served, /bin/cat", exec=["/bin/cat"]),
            superd("served, sh", exec=["/bin/sh", "-c", "read x; echo $x"])], options))


class Watched(Server):
    """superd, and all who look at it: status, asked every second, and superctl's top."""

    def start(self, port, folder):
        super().start(port, folder)
        self.observe = os.path.join(folder, self.name, "observe")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = "http://127.0.0.1:%d/metrics" % listener.getsockname()[1]
            self.status = subprocess.Popen([f"{HANDLERS}/status", self.observe], stdin=listener)
        return self

    def stop(self):
        if hasattr(self, "status"):
            self.status.terminate()
            self.status.wait()
        super().stop()

    def scrape(self, end):
        while True:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                assert b"superd_service_accepted_total" in answer.read()
            if end.wait(1):
                return

    @contextlib.contextmanager
    def during(self):
        end = threading.Event()
        scraper = threading.Thread(target=self.scrape, args=(end,))
        top, screen = pty.fork()
        if top == 0:
            os.execve(SUPERCTL, [SUPERCTL, "-s", self.observe, "top"],
                      {"TERM": "xterm", "LINES": "40", "COLUMNS": "120"})
        reader = threading.Thread(target=drain, args=(screen,))
        scraper.start()
        reader.start()
        try:
            yield
        finally:
            assert os.waitpid(top, os.WNOHANG) == (0, 0), "top has ended"
            os.write(screen, b"q")
            os.waitpid(top, 0)
            end.set()
            scraper.join()
            reader.join()
            os.close(screen)


def drain(fd):
    with contextlib.suppress(OSError):
        while os.read(fd, 65536):
            pass


def table_watched(options):
    def command(port, folder):
        path = superd_config(folder, f"127.0.0.1:{port}")
        with open(path) as f:
            config = json.load(f)
        return [SUPERD, "-c", write(folder, "superd.json", json.dumps(
            {"observe": os.path.join(folder, "observe"), **config}))]

    print("### Being looked at: status scraped every second, and superctl top\n")
    slices = take_turns([Server("alone", command, SUPERD), Watched("watched", command, SUPERD)], options)
    print_table(slices)
    pairs = [w["ratio"] / a["ratio"] for a, w in zip(slices["alone"], slices["watched"])]
    print(f"watched: {statistics.median(pairs):.3f} of alone (rounds: "
          f"{', '.join(f'{p:.3f}' for p in sorted(pairs))})\n")


def main():
    tables = {"main": table_main, "ports": table_ports, "memory": table_memory, "held": table_held, "idle": table_idle,
              "startup": table_startup, "admission": table_admission, "watched": table_watched}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(tables))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--only", default="", help="servers of the main table whose name matches")
    options = parser.parse_args()
    build()
    for name in options.tables or tables:
        if name not in tables:
            parser.error(f"no table {name}; there are {', '.join(tables)}")
        tables[name](options)


if __name__ == "__main__":
    main()
