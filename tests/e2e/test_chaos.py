"""Chance: random configurations, one after the other, with clients, upgrades and an administrator
in between.  What superd says of itself must follow from the file each time, and at the end the
fixture looks at all the rest: sums, descriptors, processes, sanitizers.

CHAOS_SEED and CHAOS_STEPS try others: `CHAOS_STEPS=2000 CHAOS_SEED=7 pytest tests/e2e/test_chaos.py`."""

import contextlib
import json
import os
import random
import signal
import socket

import pytest

from superdlib import (HANDLERS, ROOT, Client, connect, descriptors, echo, eventually, parse_address,
                       socket_type)
from test_control import Control

STEPS = int(os.environ.get("CHAOS_STEPS", "80"))
SEEDS = [int(s) for s in os.environ.get("CHAOS_SEED", "1 2 3").split()]
NAMES = [f"s{i}" for i in range(8)]
STUBBORN = "trap '' TERM; exec cat"
PROGRAMS = ["exec cat", "read x; echo $x >&2; echo $x", "sleep 0.2", "echo no >&2; exit 3", STUBBORN,
            "sleep 1 & exec cat", "printf part >&2; exec cat", "kill -9 $$"]
WAITERS = ["exec sleep 20", "exit 0", "sleep 0.3", "trap '' TERM; exec sleep 2"]


class Chaos:
    def __init__(self, superd, folder, seed):
        self.chance = random.Random(seed)
        self.held = []
        self.tcp = [self.free(socket.SOCK_STREAM) for _ in range(5)]
        self.udp = [self.free(socket.SOCK_DGRAM) for _ in range(3)]
        self.paths = [folder / f"path{i}" for i in range(3)]
        self.folder = folder
        self.names = []
        self.rest = {"control": str(folder / "control"), "handler_path": [str(HANDLERS)],
                     "services": {"rest": echo(listen=f"unix:{folder}/rest")}}
        self.d = superd(self.rest)
        self.control = Control(folder / "control")
        self.config = self.rest

    def free(self, kind):
        with socket.socket(type=kind) as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    # ---- configurations

    def addresses(self):
        """Of one kind each; none twice in a configuration."""
        c = self.chance
        streams = [c.choice(["127.0.0.1:{0}", "{0}", "[::1]:{0}", "0.0.0.0:{0}"]).format(p)
                   for p in self.tcp]
        streams += ["127.0.0.1:0", "127.0.0.1:0", "unix:@chaos-%d-a" % os.getpid()]
        datagrams = [c.choice(["udp:127.0.0.1:{0}", "udp:{0}"]).format(p) for p in self.udp]
        others = []
        for path in self.paths:
            kind = c.choice(["unix", "seqpacket", "dgram"])
            {"unix": streams, "seqpacket": others, "dgram": others}[kind].append(f"{kind}:{path}")
        for pool in (streams, datagrams, others):
            c.shuffle(pool)
        return streams, datagrams, others

    def limits(self):
        c, keys = self.chance, {}
        for key, values in {"max_connections": [1, 2, 50], "queue": [0, 1, 10, 200], "rate": ["3/s", "1000/s"],
                            "on_limit": ["queue", "reject"], "max_per_source": [1, 40],
                            "rate_per_source": ["2/s", "1000/s"], "source_prefix": [{"ipv4": 24}],
                            "timeout": ["300ms", "1h"], "idle_timeout": ["300ms", "1h"],
                            "close": ["linger", "handler"], "reject_message": ["no\n"],
                            "ban": [{"after": 20, "within": "1s", "for": "1s"}],
                            "deny": ["10.0.0.0/8"], "allow": ["127.0.0.0/8"]}.items():
            if c.random() < 0.2:
                keys[key] = c.choice(values)
        if keys.get("on_limit") == "reject":
            keys.pop("queue", None)
        return keys

    def stream(self, listen):
        c = self.chance
        kind = c.random()
        if kind < 0.25:
            return {"listen": listen, "mode": "wait", "shell": c.choice(WAITERS),
                    **self.some({"instances": 2, "idle_exit": "200ms", "timeout": "400ms"})}
        if kind < 0.3:
            return {"listen": listen, "trap": "1s"}
        service = {"listen": listen, "shell": c.choice(PROGRAMS), **self.limits()}
        if any(a[0] in "us" for a in listen):  # unix, seqpacket: they have no address
            for key in ("allow", "deny", "source_prefix", "idle_timeout"):
                service.pop(key, None)
        elif c.random() < 0.15:
            service["proxy_protocol"] = {"from": ["127.0.0.0/8", "::1"], "timeout": "1s"}
        return service

    def some(self, keys):
        return {k: v for k, v in keys.items() if self.chance.random() < 0.3}

    def datagram(self, listen):
        if ROOT and listen[0].startswith("udp:") and self.chance.random() < 0.5:
            return {"listen": listen, "mode": "nowait", "shell": self.chance.choice(PROGRAMS[:5]),
                    "max_connections": 5, "idle_timeout": self.chance.choice(["300ms", "1h"])}
        return {"listen": listen, "shell": self.chance.choice(WAITERS),
                **self.some({"idle_exit": "200ms", "timeout": "400ms"})}

    def random_config(self):
        c = self.chance
        pools = self.addresses()
        services = {"rest": self.rest["services"]["rest"]}
        for name in c.sample(NAMES, c.randint(1, len(NAMES))):
            pool = c.choice([p for p in pools if p])
            listen = [pool.pop() for _ in range(min(len(pool), c.choice([1, 1, 2, 3])))]
            kinds = {a.split(":")[0] for a in listen if pool is pools[2]}
            if len(kinds) > 1:
                listen = listen[:1]
            is_datagram = listen[0].startswith(("udp:", "dgram:"))
            s = self.datagram(listen) if is_datagram else self.stream(listen)
            s.update(self.some({"kill_grace": "200ms", "description": "x"}))
            if "trap" not in s:
                s["stderr"] = c.choice(["log", "log", "null", {"file": str(self.folder / "err")}])
            s.setdefault("kill_grace", "400ms")
            services[name] = s
            if not any(pools):
                break
        for s in services.values():
            if s is not services["rest"] and c.random() < 0.1:
                s["enabled"] = False
        top = {**self.rest, "services": services}
        if c.random() < 0.3:
            top["max_connections"] = c.choice([1, 3, 100])
        top["log"] = {"bytes": c.random() < 0.3}
        return top

    # ---- what happens

    def apply(self, config):
        self.d.rewrite(config)
        answer = self.control.ask("reload")
        if answer["ok"]:
            self.config = config
        else:
            # A program that was handed the socket before may still have it, until its grace ends.
            assert all("Address already in use" in c for c in answer["complaints"]), answer
            self.d.rewrite(self.config)
        self.compare(paused=not answer["ok"])

    def reload(self):
        self.apply(self.random_config())

    def reload_wrong(self):
        wrong = self.random_config()
        wrong["services"]["wrong"] = {"listen": "unix:/no/such/folder/x", "shell": "exit"}
        self.d.rewrite(wrong)
        assert not self.control.ask("reload")["ok"]
        self.d.rewrite(self.config)

    def upgrade(self):
        if self.chance.random() < 0.5:
            self.config = self.random_config()
            self.d.rewrite(self.config)
        answer = self.control.ask("upgrade")
        assert answer["ok"], answer
        self.compare()

    def compare(self, paused=False):
        """The addresses that are open are those of the file, or what the administrator made it."""
        said = {s["name"]: s for s in self.control.good("list")["services"]}
        services = self.config["services"]
        present = {n for n, s in said.items() if s["state"] != "removed"}
        assert present == set(services)
        for name, service in () if paused else services.items():
            enabled = service.get("enabled", True)
            assert said[name]["state"] == ("open" if enabled else "closed"), said[name]
            wanted = service["listen"] if isinstance(service["listen"], list) else [service["listen"]]
            # "localhost" and the like are not among them: one socket each.
            assert said[name]["listeners"] == (len(wanted) if enabled else 0), said[name]
        for s in said.values():
            assert s["name"] in present or s["listeners"] == 0, s
            refused = sum(s["refused"].values())
            assert s["arrived"] == s["accepted"] + refused + s["waiting"], s
            assert s["accepted"] == s["closed"] + s["live"] + s["lingering"], s
        self.open = [a["addr"] for s in said.values() for a in s["listen"] if a["open"]]

    def come(self):
        self.compare_addresses()
        for _ in range(self.chance.randint(1, 6)):
            if not self.open:
                return
            with contextlib.suppress(OSError):
                self.held.append(connect(self.chance.choice(self.open), timeout=1))
                self.held[-1].sock.setblocking(False)

    def compare_addresses(self):
        """The administrator may have opened and closed some since."""
        said = self.control.good("list")["services"]
        self.open = [a["addr"] for s in said for a in s["listen"] if a["open"]]

    def crowd(self):
        """Many at once at one address, who do not wait to be let in."""
        self.compare_addresses()
        if not self.open:
            return
        family, address = parse_address(text := self.chance.choice(self.open))
        for _ in range(self.chance.randint(20, 60)):
            self.held.append(Client(socket.socket(family, socket_type(text))))
            self.held[-1].sock.setblocking(False)
            with contextlib.suppress(OSError):
                self.held[-1].sock.connect(address)

    def scatter(self):
        for c in self.held[len(self.held) // 2:]:
            if self.chance.random() < 0.5 and c.sock.family != socket.AF_UNIX:
                c.reset()
            else:
                c.close()
        del self.held[len(self.held) // 2:]

    def watch(self):
        """Nobody waits for a place that there is."""
        def served():
            said = self.control.good("list")["services"]
            total = self.config.get("max_connections", 0)
            if total and sum(s["live"] for s in said) >= total:
                return True
            return not [s for s in said if s["waiting"] and not 0 < s["max_connections"] <= s["live"]]
        eventually(served, "those who wait are served")

    def talk(self):
        for c in self.chance.sample(self.held, min(4, len(self.held))):
            with contextlib.suppress(OSError):
                c.sock.send(self.chance.choice([b"x\n", b"y" * 3000, b"PROXY TCP4 127.0.0.1 127.0.0.2 1 2\r\n"]))
            with contextlib.suppress(OSError):
                c.sock.recv(65536)

    def go(self):
        self.chance.shuffle(self.held)
        for _ in range(self.chance.randint(1, 5)):
            if not self.held:
                return
            c = self.held.pop()
            how = self.chance.random()
            with contextlib.suppress(OSError):
                if how < 0.3 and c.sock.family != socket.AF_UNIX:
                    c.reset()
                elif how < 0.5:
                    c.half_close()
            c.close()

    def administer(self):
        c = self.chance
        verb, keys = c.choice([
            ("pause", {}), ("resume", {}), ("disable", {}), ("enable", {}), ("kill", {}), ("show", {}),
            ("explain", {"address": "127.0.0.1"}), ("explain", {"address": "uid:0"}), ("ps", {}),
            ("set", {"key": "max_connections", "value": c.choice(["0", "1", "40", "-1"])}),
            ("set", {"key": "timeout", "value": "200ms"}),
            ("set", {"key": "idle_timeout", "value": c.choice(["200ms", "0", "1h"])}),
            ("set", {"key": "rate", "value": "5/s"}), ("set", {"key": "queue", "value": "2"})])
        self.control.ask(verb, service=c.choice(NAMES), **keys)
        if c.random() < 0.1:
            self.control.ask("kill", source="127.0.0.0/8")
        if c.random() < 0.1:
            self.control.good("ban", source="127.0.0.9", **{"for": "1s"})

    def drain(self):
        """By somebody who does not wait for the answer."""
        with Control(self.folder / "control") as other:
            other.send(json.dumps({"verb": "drain", "service": self.chance.choice(NAMES)}))
            other.send('{"verb":"log","follow":true,"level":"info"}')
            assert other.read()

    def signal(self):
        self.d.kill(self.chance.choice([signal.SIGUSR1, signal.SIGHUP, signal.SIGCHLD]))

    def datagrams(self):
        for port in self.udp:
            with socket.socket(type=socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
                s.connect(("127.0.0.1", port))
                for _ in range(self.chance.randint(1, 3)):
                    s.send(b"x")

    def step(self):
        what = {self.reload: 6, self.reload_wrong: 1, self.upgrade: 1.5, self.come: 8, self.talk: 6,
                self.go: 4, self.crowd: 2, self.scatter: 3, self.watch: 3, self.administer: 8,
                self.drain: 1, self.signal: 1, self.datagrams: 3}
        self.chance.choices(list(what), what.values())[0]()

    def end(self):
        for c in self.held:
            c.close()
        self.apply(self.rest)
        self.control.good("kill", source="0.0.0.0/0")

        def quiet():
            self.d.end_handlers()
            return [s["name"] for s in self.control.good("list")["services"]] == ["rest"]
        eventually(quiet, "all that was removed has ended")
        # A trap has banned us, too.
        eventually(lambda: not self.control.good("bans")["bans"], "bans end")


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_superd_is_what_its_configuration_says(superd, folder, seed):
    chaos = Chaos(superd, folder, seed)
    chaos.compare()
    before = descriptors(chaos.d.pid)
    for _ in range(STEPS):
        chaos.step()
    chaos.end()
    chaos.d.answers("rest")
    # What it opened for itself stays: for datagrams, for idle_timeout, and the next stderr.
    eventually(lambda: descriptors(chaos.d.pid).total() <= before.total() + 8, "no descriptor leaks")
    chaos.d.fds_before = None
