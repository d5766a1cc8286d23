"""pty: a program on a terminal of its own, and the client at the other end."""

import hashlib
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from handlerlib import PATIENCE, Session, command, exchange
from superdlib import HANDLERS, eventually, living


def pty(*argv):
    return command("pty", *argv)


def python(text, *options):
    return pty(*options, sys.executable, "-c", text)


def read_until(client, end):
    data = b""
    while not data.endswith(end):
        part = client.recv(1)
        assert part, f"the connection ended after {data!r}"
        data += part
    return data


def test_it_is_a_terminal():
    text = "import os; print([os.isatty(fd) for fd in range(3)], os.tcgetpgrp(0) == os.getpgrp(), " \
           "os.get_terminal_size(), os.environ['TERM'])"
    assert exchange(python(text)) == \
        b"[True, True, True] True os.terminal_size(columns=80, lines=24) dumb\n"


def test_it_is_the_controlling_terminal():
    assert exchange(pty("sh", "-c", "echo hi >/dev/tty")) == b"hi\n"


def test_output_comes_line_by_line():
    """The first line arrives while the program still runs, without a flush."""
    text = "import time; print('name?'); input(); print('bye')"
    with Session(python(text)) as s:
        assert read_until(s.client, b"\n") == b"name?\n"
        s.send(b"me\n")
        assert s.read_all() == b"bye\n"
        assert (s.finish(), s.log) == (0, "")


def test_nothing_is_echoed_and_no_byte_changed():
    assert exchange(pty("cat"), b"one\ntwo\r\n") == b"one\ntwo\r\n"


def test_every_byte_arrives():
    data = bytes(range(256)) + b"\n" + random.Random(1).randbytes(100000)
    assert exchange(pty("cat"), data) == data


@pytest.mark.parametrize("data", [b"no line feed", b"a\nb", b"x" * 3999, b"x" * 4095, b"x" * 4096,
                                  b"x" * 100000, b"x" * 100000 + b"\nlast\n", b"\x04\x03\x00\x7f"])
def test_the_end_of_the_input_is_told(data):
    assert exchange(pty("cat"), data) == data


def test_the_end_of_the_input_is_told_to_whoever_reads_next():
    line = "cat; echo next; cat; echo last"
    assert exchange(pty("sh", "-c", line), b"hello\n") == b"hello\nnext\nlast\n"


def test_the_end_is_told_to_who_waits_already_byte_by_byte():
    with Session(pty("-r", "sh", "-c", "cat; echo done")) as s:
        s.send(b"hello")
        assert s.client.recv(100) == b"hello"
        time.sleep(0.1)
        s.half_close()
        assert s.read_all() == b"done\n"


def test_h30_a_program_may_answer_long_after_the_end():
    assert exchange(pty("sh", "-c", "cat >/dev/null; sleep 1; echo late"), b"x") == b"late\n"


@pytest.mark.parametrize("argv", [
    ["bash", "--norc", "--noprofile", "-i"], ["sh", "-i"], [sys.executable, "-i", "-q"]])
def test_interactive_programs_prompt_and_end(argv):
    line = b"print(6 * 7)" if argv[0] == sys.executable else b"echo $((6 * 7))"
    with Session(pty(*argv), env={"PS1": "> "}) as s:
        assert s.client.recv(1)
        s.send(line + b"\n")
        assert b"42" in read_until(s.client, b"42\n")
        s.half_close()
        rest = s.read_all()
        assert b"6 * 7" not in rest
        assert (s.finish(), s.log) == (0, "")


def test_as_a_login_terminal_it_echoes_and_interrupts():
    text = "import time\ntry:\n print('ready', flush=True); time.sleep(60)\nexcept KeyboardInterrupt: print('stopped')"
    with Session(python(text, "-t")) as s:
        assert read_until(s.client, b"\n") == b"ready\r\n"
        s.send(b"hi\n")
        assert read_until(s.client, b"\n") == b"hi\r\n"
        s.send(b"\x03")
        assert s.read_all() == b"^Cstopped\r\n"


def test_echo_can_be_had():
    with Session(pty("-e", "sh", "-c", "read a; echo got $a")) as s:
        s.send(b"x\n")
        assert s.read_all() == b"x\ngot x\n"


def test_the_size_can_be_said():
    assert exchange(pty("-s", "50x132", "stty", "size")) == b"50 132\n"


@pytest.mark.parametrize("line, status", [
    ("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM), ("kill -SEGV $$", -signal.SIGSEGV)])
def test_the_end_of_the_program_is_ours(line, status):
    with Session(pty("sh", "-c", line)) as s:
        assert s.read_all() == b""
        assert s.finish() == status


@pytest.mark.parametrize("argv, status, said", [
    (["/nonexistent"], 127, "pty: /nonexistent: No such file"),
    (["/etc/passwd"], 126, "pty: /etc/passwd: Permission denied"),
    ([], 100, "usage:"), (["-x", "cat"], 100, "usage:"), (["-s", "0x80", "cat"], 100, "usage:"),
    (["-s", "24x80x", "cat"], 100, "usage:"), (["-g", "-1", "cat"], 100, "usage:")])
def test_what_cannot_be_run_is_told(argv, status, said):
    with Session(pty(*argv)) as s:
        assert s.read_all() == b""
        assert s.finish() == status
        assert said in s.log


def test_stderr_goes_to_the_terminal_or_to_the_log():
    assert exchange(pty("sh", "-c", "echo oops >&2")) == b"oops\n"
    with Session(pty("-E", "sh", "-c", "echo oops >&2")) as s:
        assert s.read_all() == b""
        s.finish()
        assert s.log == "oops\n"


def test_megabytes_of_output_arrive_also_after_the_exit():
    with Session(pty("seq", "1", "1000000")) as s:
        time.sleep(0.3)  # it waits for us, with what it has printed
        want = hashlib.sha256("".join(f"{i}\n" for i in range(1, 1000001)).encode()).hexdigest()
        assert hashlib.sha256(s.read_all()).hexdigest() == want
        assert (s.finish(), s.log) == (0, "")


def test_the_last_words_arrive_though_somebody_stays_behind():
    """A leader of the session that exits would make the kernel drop them."""
    line = "sleep 1000 & head -c 60000 /dev/zero | tr '\\0' x; echo end"
    with Session(pty("sh", "-c", line)) as s:
        time.sleep(0.3)
        assert s.read_all() == b"x" * 60000 + b"end\n"
        assert s.finish() == 0


def test_megabytes_go_both_ways_at_once():
    data = b"".join(b"%d\n" % i for i in range(200000))
    with Session(pty("cat")) as s:
        sender = threading.Thread(target=lambda: (s.send(data), s.half_close()))
        sender.start()
        assert s.read_all() == data
        sender.join()


def leave(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_a_client_that_leaves_hangs_up():
    with Session(pty("sh", "-c", "echo $$; exec sleep 1000")) as s:
        pid = int(read_until(s.client, b"\n"))
        leave(s.client)
        assert (s.finish(), s.log) == (0, "")
        assert not living(pid)


def test_a_client_that_leaves_in_the_middle_of_output_hangs_up():
    with Session(pty("yes")) as s:
        assert s.client.recv(100)
        s.client.close()
        assert (s.finish(), s.log) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_h29_a_stop_reaches_the_whole_session(number):
    """Jobs of a shell are groups of their own; one does not listen."""
    line = "set -m; sleep 1000 & echo $!; (trap '' TERM HUP; sleep 1001; sleep 1002) & echo $!; " \
           "echo $$; wait; wait"
    with Session(pty("-g", "300ms", "sh", "-c", line)) as s:
        pids = [int(read_until(s.client, b"\n")) for _ in range(3)]
        s.process.send_signal(number)
        s.finish()
        assert not living(*pids)


def test_nobody_is_left_when_the_program_exits():
    line = "set -m; (trap '' HUP; sleep 1000; sleep 1001) & echo $!"
    with Session(pty("-g", "200ms", "sh", "-c", line)) as s:
        pid = int(read_until(s.client, b"\n"))
        assert s.finish() == 0
        assert not living(pid)


def test_killed_it_takes_the_program_along():
    with Session(pty("sh", "-c", "trap '' HUP; echo $$; while :; do sleep 0.1; done")) as s:
        pid = int(read_until(s.client, b"\n"))
        s.process.kill()
        s.finish()
        eventually(lambda: not living(pid), "it is gone")


def test_it_runs_by_hand_between_pipes():
    run = subprocess.run(pty("cat"), input=b"hi\n", capture_output=True, timeout=PATIENCE)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"hi\n", b"")


def test_by_hand_as_the_leader_of_a_session():
    run = subprocess.run(["setsid", "-w", *pty("sh", "-c", "cat; exit 3")], input=b"hi\n",
                         capture_output=True, timeout=PATIENCE)
    assert (run.returncode, run.stdout, run.stderr) == (3, b"hi\n", b"")


def test_under_superd_it_prompts(superd):
    d = superd({"services": {"quiz": {
        "listen": "127.0.0.1:0",
        "exec": [str(HANDLERS / "pty"), sys.executable, "-c",
                 "print('name?'); print('hi', input())"]}}})
    with d.connect("quiz") as c:
        assert c.read_line() == "name?"
        c.send(b"me\n")
        assert c.read_all() == b"hi me\n"
    d.wait_idle()
    assert d.find("close")[0]["exit"] == 0
