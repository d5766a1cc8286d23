"""The tour (-vv): each call of a connection's life, with the numbers that are true."""

import json
import os
import re

import pytest

from superdlib import account, echo, handler, needs_root, port_of, shell


@pytest.fixture
def tour(superd, probes):
    def take(how=None, **keys):
        d = superd({"services": {"p": {"listen": "127.0.0.1:0", "exec": [str(probes / "probe"), "-x"],
                                       **keys}}}, args=("-vv",), **(how or {}))
        with d.connect("p") as c:
            port = c.sock.getsockname()[1]
            told = json.loads(c.read_all())
        close = d.wait_for("close")
        calls = [e["call"] for e in d.find("tour", conn=close["conn"])]
        return d, told, port, close, calls
    return take


def one(calls, pattern):
    found = [m for m in (re.match(pattern, c) for c in calls) if m]
    assert len(found) == 1, f"{pattern} is there {len(found)} times in {calls}"
    return found[0]


def test_the_tour_shows_the_calls_in_their_order(tour):
    d, told, port, close, calls = tour()
    pid = told["pid"]
    accept = one(calls, r"accept4\((\d+)\) = (\d+) from 127\.0\.0\.1:(\d+): the connection is descriptor (\d+)")
    listener, fd, peer_port, again = map(int, accept.groups())
    assert peer_port == port and fd == again
    with open(f"/proc/{d.pid}/net/tcp") as f:
        inodes = {line.split()[9] for line in f
                  if line.split()[1].endswith(":%04X" % port_of(d.addr["p"]))}
    assert os.readlink(f"/proc/{d.pid}/fd/{listener}")[8:-1] in inodes
    assert int(one(calls, r"fork\(\) = (\d+), done as clone\(").group(1)) == pid == close["pid"]
    assert one(calls, r"pipe2\(\) = (\d+)")
    one(calls, rf"\[{pid}\] setsid\(\) = {pid}")
    one(calls, rf"\[{pid}\] dup2\({fd}, 0\) = 0")
    one(calls, rf"\[{pid}\] dup2\({fd}, 1\) = 1")
    one(calls, rf"\[{pid}\] dup2\(\d+, 2\) = 2")
    program = d.config.parent and json.loads(d.config.read_text())["services"]["p"]["exec"][0]
    exe = one(calls, rf"\[{pid}\] execve\(\"{re.escape(program)}\", \[\"(.*)\", \"-x\"\], (\d+) variables\)")
    assert exe.group(1) == told["argv"][0] and int(exe.group(2)) == len(told["env"])
    one(calls, rf"wait4\(\) = {pid}: exit 0")
    order = [next(i for i, c in enumerate(calls) if what in c)
             for what in ("accept4", "fork()", "setsid", "dup2", "execve", "wait4")]
    assert order == sorted(order), calls


@needs_root
def test_the_tour_shows_the_identity(tour):
    _, told, _, _, calls = tour(user="nobody", nice=3, umask="077")
    nobody, pid = account(), told["pid"]
    one(calls, rf"\[{pid}\] setgroups\(\d+ groups\) = 0")
    one(calls, rf"\[{pid}\] setresgid\({nobody.pw_gid}\) = 0")
    one(calls, rf"\[{pid}\] setresuid\({nobody.pw_uid}\) = 0")
    one(calls, rf"\[{pid}\] umask\(077\)")
    one(calls, rf"\[{pid}\] setpriority\(3\) = 0")
    order = [next(i for i, c in enumerate(calls) if what in c)
             for what in ("setgroups", "setresgid", "setresuid", "prctl", "execve")]
    assert order == sorted(order)


def test_the_tour_shows_a_failure(superd, folder):
    path = folder / "prog"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    d = superd({"services": {"p": {"listen": "127.0.0.1:0", "exec": [str(path)]}}}, args=("-vv",))
    path.unlink()
    d.ask("p")
    pid = d.wait_for("close")["pid"]
    calls = [e["call"] for e in d.find("tour")]
    one(calls, rf"\[{pid}\] execve\(.*\) = ENOENT")
    one(calls, rf"wait4\(\) = {pid}: exit 127")


def test_the_tour_in_text_reads_like_strace(superd):
    d = superd({"services": {"echo": echo()}}, args=("-vv",), log="text")
    d.answers("echo")
    d.kill(15)
    d.wait()
    text = d.stderr()
    assert re.search(r"^\S+Z tour conn=1 accept4\(\d+\) = \d+ from 127\.0\.0\.1:\d+", text, re.M)
    assert re.search(r'^\S+Z tour conn=1 \[\d+\] execve\("\S+echo", \["\S+"\], \d+ variables\)$', text, re.M)


def test_a_signal_is_shown_by_name(superd):
    d = superd({"services": {"sh": shell("kill -USR1 $$")}}, args=("-vv",))
    d.ask("sh")
    pid = d.wait_for("close")["pid"]
    one([e["call"] for e in d.find("tour")], rf"wait4\(\) = {pid}: signal USR1")


def test_a_tour_through_many_descriptors(superd):
    """With a shared descriptor table the numbers are as true."""
    d = superd({"services": {"many": {"listen": ["127.0.0.1:0"] * 200, "exec": [handler("echo")]}}},
               args=("-vv",))
    d.answers("many")
    d.wait_for("close")
    calls = [e["call"] for e in d.find("tour")]
    fd = one(calls, r"accept4\(\d+\) = (\d+)").group(1)
    one(calls, r"\[\d+\] close_range\(CLOSE_RANGE_UNSHARE")
    one(calls, rf"\[\d+\] dup2\({fd}, 0\) = 0")
    assert int(fd) < 64, "a connection's number is low however many listeners there are"
