"""flag FILE: GET /flag gives the file, and nothing else gives anything."""

import os
import subprocess

import pytest

from handlerlib import PATIENCE, Session, command, curl, exchange, read_answer, served

FLAG = b"flag{test}\n"


@pytest.fixture
def flag(tmp_path):
    (tmp_path / "flag.txt").write_bytes(FLAG)
    return command("flag", tmp_path / "flag.txt")


def ask(argv, request, to_head=False):
    with Session(argv) as s:
        s.send(request)
        answer = read_answer(s.client, to_head)
        assert s.read_all() == b"", "something behind the answer"
        s.client.close()
        assert s.finish() == 0
        answer.log = s.log
    return answer


def get(argv, path="/flag", method="GET"):
    request = f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    return ask(argv, request, method == "HEAD")


def test_get_flag_gives_the_file(flag):
    answer = get(flag)
    assert answer.status == 200
    assert answer.body == FLAG
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Connection"] == "close"


def test_head_gives_the_head_alone(flag):
    answer = get(flag, method="HEAD")
    assert (answer.status, answer["Content-Length"], answer.body) == (200, str(len(FLAG)), b"")


@pytest.mark.parametrize("path", ["/", "/flag/", "/flag.txt", "/FLAG", "//flag", "/flag/../flag"])
def test_other_paths_are_not_found(flag, path):
    assert get(flag, path).status == 404


def test_a_query_makes_no_difference(flag):
    assert get(flag, "/flag?x").body == FLAG


def test_an_absolute_target_is_understood(flag):
    assert get(flag, "http://b/flag").body == FLAG


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_told_which_are_allowed(flag, method):
    answer = get(flag, method=method)
    assert (answer.status, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("request_, status", [
    (b"BREW /flag HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    (b"GET /flag HTTP/2.0\r\n", 505),
    (b"GET /flag\n", 400),
    (b"GET /flag HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"x" * 9000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000, 431),
])
def test_what_is_no_good_request_is_refused(flag, request_, status):
    assert ask(flag, request_).status == status


def silent_500(argv):
    answer = get(argv)
    assert answer.status == 500
    assert argv[1].encode() not in answer.body
    assert answer.log.count("\n") == 1
    return answer.log


def test_a_missing_file_is_an_error_that_only_the_log_explains(tmp_path):
    path = tmp_path / "none"
    assert silent_500(command("flag", path)) == f"flag: {path}: No such file or directory\n"


def test_a_fifo_is_an_error_and_no_hang(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "Not a regular file" in silent_500(command("flag", tmp_path / "fifo"))


def test_a_folder_is_an_error(tmp_path):
    assert "Not a regular file" in silent_500(command("flag", tmp_path))


def test_a_file_that_is_no_flag_any_more_is_an_error(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 65537)
    assert "too large" in silent_500(command("flag", tmp_path / "big"))


@pytest.mark.parametrize("size", [0, 1, 65536])
def test_any_size_up_to_the_limit_is_served(tmp_path, size):
    (tmp_path / "file").write_bytes(b"x" * size)
    assert get(command("flag", tmp_path / "file")).body == b"x" * size


def test_a_body_that_nobody_reads_does_not_reset_the_connection(flag):
    with Session(flag) as s:
        s.send(b"POST /flag HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        s.send(b"x" * 1000000)
        assert s.read_answer().status == 405
        assert s.read_all() == b""


def test_curl_is_content(flag):
    with served(flag) as port:
        assert curl(f"http://127.0.0.1:{port}/flag") == FLAG
        assert b"200 OK" in curl("-I", f"http://127.0.0.1:{port}/flag")


def test_a_client_that_says_nothing_is_told_nothing(flag):
    assert exchange(flag) == b""


def test_half_a_request_is_refused(flag):
    assert exchange(flag, b"GET /flag HTTP/1.1\r\n").startswith(b"HTTP/1.1 400 ")


def test_it_runs_by_hand(flag):
    run = subprocess.run(flag, input=b"GET /flag HTTP/1.0\r\n\r\n", capture_output=True,
                         timeout=PATIENCE)
    assert run.returncode == 0
    assert run.stdout.endswith(b"\r\n\r\n" + FLAG)


@pytest.mark.parametrize("args", [[], ["a", "b"]])
def test_a_wrong_call_is_told_the_right_one(args):
    run = subprocess.run(command("flag", *args), capture_output=True, timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (100, b"usage: flag FILE\n")
