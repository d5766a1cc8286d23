"""The log: what is in it, what hostile bytes do to it, and what happens when nobody reads it."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from superdlib import ASAN, PATIENCE, can_unshare, echo, eventually, needs_root, script, shell


# ---------------------------------------------------------------- a handler's stderr


def test_h19_stderr_goes_to_the_log_and_not_to_the_client(superd):
    d = superd({"services": {"sh": shell("echo oops >&2; echo fine; echo again >&2")}})
    assert d.ask("sh") == b"fine\n"
    d.wait_for("close")
    lines = d.find("stderr")
    assert [e["line"] for e in lines] == ["oops", "again"]
    accept = d.find("accept")[0]
    assert all((e["service"], e["conn"], e["pid"]) == ("sh", accept["conn"], accept["pid"])
               for e in lines)


def test_h19_stderr_goes_to_the_client_when_asked(superd):
    d = superd({"services": {"sh": shell("echo oops >&2; echo fine", stderr="socket")}})
    assert d.ask("sh") == b"oops\nfine\n"
    d.wait_for("close")
    assert not d.find("stderr")


def test_stderr_null_and_file(superd, folder):
    path = folder / "its.err"
    d = superd({"services": {"null": shell("echo oops >&2; echo fine", stderr="null"),
                             "file": shell("echo $SUPERD_CONN >&2; echo fine",
                                           stderr={"file": str(path)})}})
    assert d.ask("null") == b"fine\n"
    assert d.ask("file") == d.ask("file") == b"fine\n"
    d.wait_for("close", count=3)
    assert path.read_text() == "2\n3\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert not d.find("stderr")


def test_a_stderr_file_that_cannot_be_opened_is_told(superd, folder):
    d = superd({"services": {"sh": shell("echo fine", stderr={"file": str(folder / "no" / "x")}),
                             "echo": echo()}})
    assert d.ask("sh") == b""
    assert "No such" in d.wait_for("exec-failed", service="sh")["error"]
    d.answers("echo")


def test_a_stderr_file_that_is_a_fifo_nobody_reads_stalls_nothing(superd, folder):
    os.mkfifo(folder / "fifo")
    d = superd({"services": {"sh": shell("echo fine", stderr={"file": str(folder / "fifo")}),
                             "echo": echo()}})
    d.ask("sh")
    d.answers("echo")


@needs_root
def test_a_stderr_file_does_not_follow_a_link(superd, folder):
    (folder / "victim").write_text("")
    (folder / "link").symlink_to(folder / "victim")
    d = superd({"services": {"sh": shell("echo evil >&2", stderr={"file": str(folder / "link")})}})
    assert d.ask("sh") == b""
    d.wait_for("exec-failed")
    assert (folder / "victim").read_text() == ""


def test_a_long_line_is_told_in_pieces(superd):
    d = superd({"services": {"sh": shell(
        "head -c 10000 /dev/zero | tr '\\0' x >&2; echo >&2; printf end >&2")}})
    d.ask("sh")
    d.wait_for("close")
    lines = [e["line"] for e in d.find("stderr")]
    assert lines[-1] == "end", "a last line without a newline is a line"
    assert "".join(lines[:-1]) == "x" * 10000


def test_a_background_process_still_has_its_connection_in_the_log(superd):
    d = superd({"services": {"sh": shell("(sleep 0.3; echo late >&2) </dev/null >/dev/null & echo now")}})
    assert d.ask("sh") == b"now\n"
    close = d.wait_for("close")
    late = d.wait_for("stderr", line="late")
    assert late["conn"] == close["conn"]
    d.check_descriptors()


def test_a_lot_of_stderr_does_not_starve_the_others(superd):
    d = superd({"services": {"sh": shell("yes 'a line of no interest' | head -c 3000000 >&2; echo done"),
                             "echo": echo()}})
    with d.connect("sh") as c:
        for _ in range(20):
            d.answers("echo")
        assert c.read_all() == b"done\n"
    d.wait_for("close", service="sh")
    assert len(d.find("stderr")) == -(-3000000 // len("a line of no interest\n"))


# ---------------------------------------------------------------- hostile bytes


NASTY = bytes(range(256)) + b"\xff\xfe \xc3\xa9 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xe2\x80"


@pytest.fixture
def nasty(folder):
    (folder / "nasty").write_bytes(NASTY + b"\n\x1b[2J\"}\\\n")
    return shell(f"cat {folder}/nasty >&2")


def test_h52_json_lines_are_json_whatever_a_handler_writes(superd, nasty):
    d = superd({"services": {"sh": nasty, "q": shell("echo 'é\"\\\\' >&2")}})
    d.ask("sh")
    d.ask("q")
    d.wait_for("close", count=2)  # the parser of the fixture refuses what is not JSON
    raw = d.err_path.read_bytes()
    assert all(byte >= 0x20 or byte == 0x0A for byte in raw) and 0x7F not in raw
    raw.decode("utf-8")
    text = "".join(e["line"] for e in d.find("stderr"))
    assert "é" in text and "\\xff" in text and "\x1b[2J" in text and '"}\\' in text
    assert d.find("stderr", service="q")[0]["line"] == 'é"\\'
    assert not d.other


def test_h52_text_lines_carry_no_control_byte(superd, nasty):
    d = superd({"services": {"sh": nasty}}, log="text")
    d.ask("sh")
    eventually(lambda: " close " in d.stderr(), "close in the log")
    raw = d.err_path.read_bytes()
    assert all(byte >= 0x20 or byte == 0x0A for byte in raw) and 0x7F not in raw
    raw.decode("utf-8")
    for line in raw.decode().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [a-z-]+( |$)", line), line


def test_h52_the_name_of_a_unix_peer_is_escaped(superd, folder):
    d = superd({"services": {"echo": echo(f"unix:{folder}/x.sock")}})
    name = b"\0evil\n{\"event\":\"close\"}\x1b[2J\xff\xc3\xa9"
    with d.connect("echo", source=name) as c:
        c.send(b"x")
        c.read(1)
    d.wait_for("close")
    assert len(d.find("close")) == 1 and not d.other
    peer = d.find("accept")[0]["peer"]
    assert peer.startswith("unix:@evil") and "\n" not in peer and "\x1b" not in peer


# ---------------------------------------------------------------- where it goes


def test_text_is_the_default(superd):
    d = superd({"services": {"echo": echo()}}, log="text", args=())
    d.answers("echo")
    assert re.search(r"^\S+Z listen service=echo addr=127\.0\.0\.1:\d+$", d.stderr(), re.M)
    assert " accept " not in d.stderr(), "without -v there is nothing about a connection that is fine"


def test_the_level_in_the_file_does_as_v_does(superd):
    d = superd({"log": {"level": "info"}, "services": {"echo": echo()}}, args=())
    d.answers("echo")
    d.wait_for("close")


def test_a_log_file_is_opened_again_on_usr1(superd, folder):
    path, moved = folder / "superd.log", folder / "superd.log.1"
    d = superd({"log": {"target": {"file": str(path)}}, "services": {"echo": echo()}})
    d.log_path = path
    d.answers("echo")
    d.wait_for("close")
    path.rename(moved)
    d.answers("echo")
    eventually(lambda: moved.read_text().count('"close"') == 2, "the moved file is still written")
    d.kill(signal.SIGUSR1)
    eventually(path.exists, "a new log file")
    size = moved.stat().st_size
    d.answers("echo")
    eventually(lambda: '"close"' in path.read_text(), "the new file is written")
    assert moved.stat().st_size == size
    assert d.stderr() == ""
    path.write_text(moved.read_text() + path.read_text())  # for the ledger


def test_paths_are_relative_to_the_file_even_after_superd_left_the_folder(superd, folder):
    script(folder, "prog", "#!/bin/sh\necho hi; echo err >&2\n")
    d = superd({"log": {"target": {"file": "my.log"}},
                "services": {"p": {"listen": "127.0.0.1:0", "exec": "./prog",
                                   "stderr": {"file": "prog.err"}}}},
               command=[str(parse_superd()), "-c", "superd.json"], cwd=folder)
    d.log_path = folder / "my.log"
    assert d.ask("p") == b"hi\n"
    assert (folder / "prog.err").read_text() == "err\n"
    d.wait_for("close")
    (folder / "my.log").rename(folder / "old.log")
    d.kill(signal.SIGUSR1)
    eventually((folder / "my.log").exists, "a new log file in the same place")
    (folder / "my.log").unlink()
    (folder / "old.log").rename(folder / "my.log")


def parse_superd():
    from superdlib import SUPERD
    return SUPERD


def test_a_log_file_that_cannot_be_reopened_is_told_in_the_old_one(superd, folder):
    place = folder / "logs"
    place.mkdir()
    path = place / "superd.log"
    d = superd({"log": {"target": {"file": str(path)}}, "services": {"echo": echo()}})
    place.rename(folder / "moved")
    d.log_path = folder / "moved" / "superd.log"
    d.kill(signal.SIGUSR1)
    assert "reopened" in d.wait_for("error")["what"]
    d.answers("echo")
    d.wait_for("close")


def test_a_log_that_cannot_be_opened_is_an_error_at_start(superd, folder):
    d = superd({"log": {"target": {"file": str(folder / "no" / "x.log")}}, "services": {"echo": echo()}},
               ready=False)
    assert d.wait(PATIENCE) == 111
    assert "x.log" in d.stderr()
    d.status = 0


def test_syslog_gets_datagrams(superd, folder):
    """In a mount namespace of its own, with our socket in place of /dev/log."""
    if not can_unshare("--mount"):
        pytest.skip("needs a mount namespace")
    (folder / "dev").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(folder / "dev" / "log"))
        s.settimeout(PATIENCE)
        line = (f"mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
                f"touch /run/l && mount --bind {folder}/dev /run/systemd/journal && "
                "ln -s log /run/systemd/journal/socket 2>/dev/null; "
                "cp -a /dev/null /run/null; mount --rbind /dev /mnt 2>/dev/null; exec \"$@\"")
        d = superd({"log": {"target": "journal", "format": "text"}, "services": {"echo": echo()}},
                   prefix=["unshare", "--mount", "sh", "-c", line, "sh"])
        d.answers("echo")
        got = []
        while not got or b"close" not in got[-1]:
            got.append(s.recv(65536))
        d.process.terminate()
        d.process.wait(PATIENCE)
        d.status = d.process.returncode
    assert all(m.startswith(b"PRIORITY=") and b"\nSYSLOG_IDENTIFIER=superd\nMESSAGE=" in m for m in got)
    assert any(b"MESSAGE=accept service=echo" in m for m in got)


# ---------------------------------------------------------------- when nobody reads it


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_h24_h52_a_stuck_log_never_stalls_the_loop_and_what_it_drops_is_counted(superd, kind):
    if kind == "pipe":
        read_end, write_end = os.pipe()
    else:
        a, b = socket.socketpair()
        read_end, write_end = a.detach(), b.detach()
    noise = shell("yes 'a line that nobody will ever read, and that is why it is so long' | "
                  "head -c 300000 >&2; echo done")
    d = superd({"services": {"noise": noise, "echo": echo()}}, stderr=write_end)
    os.close(write_end)
    for _ in range(3):
        assert d.ask("noise") == b"done\n"
        d.answers("echo")
    d.answers("echo")
    # Now it is read: whole lines, and the count of those that are missing.
    os.set_blocking(read_end, False)
    data = b""

    def read_some():
        nonlocal data
        try:
            data += os.read(read_end, 1 << 20)
        except BlockingIOError:
            pass
        return data
    eventually(lambda: b'"dropped"' in read_some(), "the count of dropped lines")
    d.kill(signal.SIGTERM)
    while d.process.poll() is None:
        read_some()
    read_some()
    os.close(read_end)
    d.wait()
    text = data.decode()
    for line in text.splitlines():
        json.loads(line)
    d.events = [json.loads(line) for line in text.splitlines()]
    dropped = sum(e["lines"] for e in d.events if e["event"] == "dropped")
    lines = len([e for e in d.events if e["event"] == "stderr"])
    assert d.status == 0
    # Every line is either there or counted: nine thousand of noise and a dozen of the rest.
    sent = 3 * -(-300000 // len("a line that nobody will ever read, and that is why it is so long\n"))
    assert dropped > 0 and lines + dropped >= sent
    d.find = lambda *a, **k: []  # no ledger: lines are missing, and that is the point


def test_h24_a_log_without_a_reader_does_not_end_superd(superd):
    read_end, write_end = os.pipe()
    d = superd({"services": {"echo": echo()}}, stderr=write_end)
    os.close(write_end)
    os.close(read_end)
    for _ in range(5):
        d.answers("echo")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0


def test_the_stderr_of_the_shell_that_started_us_stays_blocking(superd):
    read_end, write_end = os.pipe()
    d = superd({"services": {"echo": echo()}}, stderr=write_end)
    d.answers("echo")
    assert os.get_blocking(write_end)
    os.close(write_end)
    os.close(read_end)


# ---------------------------------------------------------------- close


def test_close_carries_the_exit_status_or_the_signal(superd):
    d = superd({"services": {"seven": shell("exit 7"), "killed": shell("kill -KILL $$"),
                             "fine": shell("exit 0")}})
    for service in d.addr:
        d.ask(service)
    assert d.wait_for("close", service="seven")["exit"] == 7
    told = d.wait_for("close", service="killed")
    assert told["signal"] == "KILL" and "exit" not in told
    assert d.wait_for("close", service="fine")["exit"] == 0
    assert d.find("close", service="seven")[0]["level"] == "notice"
    assert d.find("close", service="fine")[0]["level"] == "info"


def test_close_carries_duration_processor_time_and_memory(superd):
    d = superd({"services": {
        "sleep": shell("sleep 0.5"),
        "busy": shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"),
        "big": {"listen": "127.0.0.1:0", "exec": ["python3", "-c", "x = bytearray(90_000_000)"]}}})
    for service in d.addr:
        d.ask(service)
    sleep, busy, big = (d.wait_for("close", service=s) for s in ("sleep", "busy", "big"))
    assert 500 <= sleep["duration_ms"] < 500 + PATIENCE * 1000
    assert sleep["cpu_ms"] < busy["cpu_ms"] <= busy["duration_ms"] + 100
    assert big["memory_kb"] > 80_000
    if not ASAN:
        assert sleep["memory_kb"] < 20_000


@pytest.mark.skipif(ASAN, reason="a preloaded library comes before the sanitizer's")
def test_h25_a_clock_that_jumps_changes_no_timeout(superd, folder):
    """The time of day runs wild; a drain of a second still takes a second."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text("""
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static time_t wild(void) { static time_t t = 1000000000; return t += 86400 * 400; }
        time_t time(time_t *t) { time_t w = wild(); if (t) *t = w; return w; }
        int gettimeofday(struct timeval *restrict tv, void *restrict z)
        { (void)z; tv->tv_sec = wild(); tv->tv_usec = 0; return 0; }
        int clock_gettime(clockid_t c, struct timespec *t)
        {
            if (c == CLOCK_REALTIME || c == CLOCK_REALTIME_COARSE)
            { t->tv_sec = wild(); t->tv_nsec = 0; return 0; }
            return (int)syscall(SYS_clock_gettime, c, t);
        }
    """)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    d = superd({"stop_timeout": "1s", "services": {"sleep": shell("trap '' TERM; sleep 1000 & wait", kill_grace="1s"),
                                                   "echo": echo()}},
               env={"LD_PRELOAD": str(library)})
    with d.connect("sleep"):
        d.answers("echo")
        d.wait_for("accept", service="sleep")
        start = time.monotonic()
        d.kill(signal.SIGTERM)
        d.wait()
    assert 0.9 < time.monotonic() - start < 20
