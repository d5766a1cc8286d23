"""hello: always the same answer, and never a reset."""

import subprocess

import pytest

from handlerlib import PATIENCE, Session, command, curl, exchange, served

HELLO = command("hello")
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
          b"Content-Length: 14\r\nConnection: close\r\n\r\nHello, world!\n")


@pytest.mark.parametrize("request_", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0\xff junk"])
def test_whatever_is_asked_it_says_the_same(request_):
    assert exchange(HELLO, request_) == ANSWER


def test_it_does_not_wait_for_a_request():
    with Session(HELLO) as s:
        assert s.read_all() == ANSWER


def test_a_client_that_never_leaves_does_not_keep_the_process():
    with Session(HELLO) as s:
        assert s.read_all() == ANSWER
        assert s.finish() == 0


def test_a_megabyte_of_unread_input_does_not_reset_the_connection():
    with Session(HELLO) as s:
        s.send(b"x" * 1000000)
        assert s.read_all() == ANSWER


def test_input_that_comes_after_the_answer_does_not_reset_the_connection():
    with Session(HELLO) as s:
        answer = s.client.recv(len(ANSWER))
        for _ in range(20):
            s.send(b"x" * 10000)
        assert answer + s.read_all() == ANSWER


def test_curl_is_content():
    with served(HELLO) as port:
        assert curl(f"http://127.0.0.1:{port}/any") == b"Hello, world!\n"
        assert curl("-d", "x" * 100000, f"http://127.0.0.1:{port}/") == b"Hello, world!\n"


def test_nc_is_content():
    with served(HELLO) as port:
        nc = subprocess.run(["nc", "-N", "127.0.0.1", str(port)], input=b"hello?\n",
                            capture_output=True, timeout=PATIENCE)
    assert nc.stdout == ANSWER


def test_a_client_that_has_gone_is_no_error():
    with Session(HELLO) as s:
        s.client.close()
        assert s.finish() == 0
        assert s.log == ""


def test_it_runs_by_hand():
    run = subprocess.run(HELLO, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    assert (run.returncode, run.stdout) == (0, ANSWER)
