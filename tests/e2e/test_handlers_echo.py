"""echo: copies its input until that ends."""

import socket
import subprocess
import threading

import pytest

from handlerlib import PATIENCE, Session, command, exchange

ECHO = command("echo")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_it_gives_back_what_it_gets(kind):
    assert exchange(ECHO, b"hello\n\0\xff", kind=kind) == b"hello\n\0\xff"


def test_it_answers_before_the_input_ends():
    with Session(ECHO) as s:
        for line in b"one\n", b"two\n":
            s.send(line)
            assert s.client.recv(100) == line


def test_a_megabyte_comes_back_whole():
    data = bytes(range(256)) * 4096
    with Session(ECHO) as s:
        sender = threading.Thread(target=lambda: (s.send(data), s.half_close()))
        sender.start()
        assert s.read_all() == data
        sender.join()


def test_no_input_is_no_output():
    assert exchange(ECHO) == b""


def test_a_client_that_leaves_is_no_error():
    with Session(ECHO) as s:
        s.send(b"x" * 100000)
        s.client.close()
        assert s.finish() == 0
        assert s.log == ""


def test_it_runs_by_hand_between_pipes():
    run = subprocess.run(ECHO, input=b"hi\n", capture_output=True, timeout=PATIENCE)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"hi\n", b"")


def test_it_runs_by_hand_from_file_to_file(tmp_path):
    (tmp_path / "in").write_bytes(b"hi\n")
    with open(tmp_path / "in") as stdin, open(tmp_path / "out", "w") as stdout:
        subprocess.run(ECHO, stdin=stdin, stdout=stdout, check=True, timeout=PATIENCE)
    assert (tmp_path / "out").read_bytes() == b"hi\n"


def test_it_waits_on_descriptors_that_do_not_block():
    data = bytes(range(256)) * 4096
    client, theirs = socket.socketpair()
    client.settimeout(PATIENCE)
    theirs.setblocking(False)
    with client, theirs, subprocess.Popen(ECHO, stdin=theirs, stdout=theirs) as echo:
        theirs.close()
        sender = threading.Thread(
            target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert b"".join(iter(lambda: client.recv(65536), b"")) == data
        sender.join()
        assert echo.wait(PATIENCE) == 0


def test_a_full_disk_is_an_error():
    with open("/dev/full", "w") as full:
        run = subprocess.run(ECHO, input=b"hi", stdout=full, stderr=subprocess.PIPE,
                             timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (111, b"echo: No space left on device\n")
