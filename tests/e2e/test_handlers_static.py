"""static ROOT: the files below ROOT over HTTP, and nothing else."""

import ctypes
import email.utils
import errno
import os
import re
import resource
import socket
import struct
import subprocess
import threading
import time

import pytest

from handlerlib import PATIENCE, TOP, Session, command, curl, exchange, read_answer, served

INDEX = b"<!doctype html><title>index</title>\n"
TEXT = b"0123456789" * 10
SECRET = b"outside\n"
REST = b" HTTP/1.1\r\nHost: a\r\n\r\n"
FUTURE = 2_100_000_000  # as late as a time_t of 32 bits allows


@pytest.fixture
def root(tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    root = tmp_path / "root"
    for folder in "sub", "empty", "a b", ".git", ".well-known", "evil.example":
        (root / folder).mkdir(parents=True)
    (root / "index.html").write_bytes(INDEX)
    (root / "sub/index.html").write_bytes(b"sub\n")
    (root / "sub/page.html").write_bytes(b"page\n")
    (root / "text.txt").write_bytes(TEXT)
    (root / "nothing.txt").write_bytes(b"")
    (root / "a b/ü.txt").write_bytes(b"umlaut\n")
    (root / ".git/config").write_bytes(SECRET)
    (root / ".hidden").write_bytes(SECRET)
    (root / ".well-known/security.txt").write_bytes(b"well known\n")
    (root / "noending").write_bytes(b"x")
    return root


@pytest.fixture
def static(root):
    return command("static", "-t", TOP / "etc/mime.types", root)


def ask(argv, request):
    """One request and its answer; the connection stays or ends as the answer says."""
    with Session(argv) as s:
        s.send(request)
        answer = read_answer(s.client, request.startswith(b"HEAD "))
        if answer["Connection"] == "close":
            assert s.read_all() == b"", "something behind the answer"
        else:
            s.half_close()
            assert s.read_all() == b"", "something behind the answer"
        s.client.close()
        assert s.finish() == 0
        answer.log = s.log
    return answer


def get(argv, path="/", method="GET", **fields):
    lines = [f"{method} {path} HTTP/1.1", "Host: a"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ask(argv, "\r\n".join([*lines, "", ""]).encode())


# What is there

def test_a_file_is_served_with_all_that_belongs_to_it(static, root):
    answer = get(static, "/text.txt")
    assert (answer.version, answer.status, answer.reason) == ("HTTP/1.1", 200, "OK")
    assert answer.body == TEXT
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Length"] == str(len(TEXT))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Connection"] == "keep-alive"
    changed = email.utils.parsedate_to_datetime(answer["Last-Modified"]).timestamp()
    assert changed == int((root / "text.txt").stat().st_mtime)
    assert abs(email.utils.parsedate_to_datetime(answer["Date"]).timestamp() - time.time()) < 60


def test_an_empty_file_is_served(static):
    answer = get(static, "/nothing.txt")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path, body", [
    ("/", INDEX), ("/sub/", b"sub\n"), ("/sub/page.html", b"page\n"),
    ("//sub//page.html", b"page\n"),
    ("/%73ub/", b"sub\n"), ("/a%20b/%C3%BC.txt", b"umlaut\n"), ("/text.txt?query", TEXT),
    ("http://other:80/text.txt", TEXT), ("http://other", INDEX),
    ("/.well-known/security.txt", b"well known\n"),
])
def test_names_lead_to_files(static, path, body):
    answer = get(static, path)
    assert (answer.status, answer.body) == (200, body)


def test_head_gives_the_head_of_get(static):
    head, full = get(static, "/text.txt", "HEAD"), get(static, "/text.txt")
    del head.fields["date"], full.fields["date"]
    assert (head.status, head.fields, head.body) == (200, full.fields, b"")


def test_head_of_what_is_not_there_has_no_body(static):
    answer = get(static, "/none", "HEAD")
    assert answer.status == 404
    assert int(answer["Content-Length"]) > 0


@pytest.mark.parametrize("name, type_", [
    ("x.html", "text/html; charset=utf-8"), ("x.CSS", "text/css; charset=utf-8"),
    ("x.js", "text/javascript; charset=utf-8"), ("x.svg", "image/svg+xml"),
    ("x.tar.gz", "application/gzip"), ("x.woff2", "font/woff2"), ("x.wasm", "application/wasm"),
    ("x", "application/octet-stream"), ("x.unheard-of", "application/octet-stream"),
])
def test_types_follow_from_names(static, root, name, type_):
    (root / name).write_bytes(b"x")
    assert get(static, "/" + name)["Content-Type"] == type_


def test_without_a_table_of_types_the_common_ones_are_known(root):
    argv = command("static", "-t", "/nonexistent", root)
    assert get(argv, "/index.html")["Content-Type"] == "text/html; charset=utf-8"


def test_a_big_file_arrives_whole(static, root):
    data = os.urandom(1 << 20) * 5 + b"end"
    (root / "big").write_bytes(data)
    assert get(static, "/big").body == data


def test_the_table_of_types_names_each_ending_once():
    seen = set()
    for line in (TOP / "etc/mime.types").read_text().splitlines():
        if line and not line.startswith("#"):
            type_, *endings = line.split()
            assert re.fullmatch(r"[a-z]+/[-+.a-z0-9]+", type_)
            assert endings and not seen & set(endings), line
            seen |= set(endings)


# Folders

@pytest.mark.parametrize("path, location", [
    ("/sub", "/sub/"), ("/sub?a=b&c", "/sub/?a=b&c"), ("/a%20b", "/a%20b/"),
    ("//evil.example", "/evil.example/"), ("///evil.example?x", "/evil.example/?x"),
    ("http://other/sub", "/sub/"),
])
def test_a_folder_without_its_slash_is_redirected_within_the_site(static, path, location):
    answer = get(static, path)
    assert (answer.status, answer["Location"]) == (301, location)


def test_a_redirect_repeats_a_long_query(static):
    query = "x" * 8170
    assert get(static, "/sub?" + query)["Location"] == "/sub/?" + query


def test_a_redirect_that_would_be_too_long_is_refused(static, root):
    folder = root / "/".join(["|" * 250] * 15)
    folder.mkdir(parents=True)
    assert get(static, f"/{folder.relative_to(root)}?{'x' * 4000}").status == 414


def test_a_backslash_in_a_redirect_is_escaped(static, root):
    (root / "\\evil.example").mkdir()
    assert get(static, "/\\evil.example")["Location"] == "/%5Cevil.example/"
    assert get(static, "/%5cevil.example")["Location"] == "/%5Cevil.example/"


def test_a_folder_without_an_index_is_not_listed(static):
    assert get(static, "/empty/").status == 403


def test_an_index_that_is_a_folder_is_not_served(static, root):
    (root / "empty/index.html").mkdir()
    assert get(static, "/empty/").status == 403


# What is not there, or not to be read

@pytest.mark.parametrize("path", [
    "/none", "/none/", "/text.txt/", "/text.txt/x", "/sub/none", "/" + "x" * 300,
])
def test_what_is_not_there_is_not_found(static, path):
    assert get(static, path).status == 404


@pytest.mark.parametrize("path", [
    "/.git/config", "/.git/", "/.git", "/.hidden", "/%2ehidden", "/sub/../.hidden", "//.hidden",
    "/sub/.well-known/x",
])
def test_hidden_files_are_not_found(static, path):
    answer = get(static, path)
    assert answer.status == 404
    assert SECRET not in answer.body


@pytest.mark.parametrize("path", [
    "/../secret", "/../../../../../../etc/passwd", "/%2e%2e/secret", "/%2E%2E%2Fsecret",
    "/..%2fsecret", "/..%2Fsecret", "/sub/../../secret", "/sub/..%2f..%2fsecret", "/./../secret",
    "//../secret", "/%2fetc/passwd", "/%2e%2e%5csecret", "/..%5csecret",
    "/sub/%2e%2e/%2e%2e/secret", "/.%2e/secret", "/.well-known/../../secret", "http://a/../secret",
])
def test_h54_no_spelling_of_dots_and_slashes_leads_out(static, path):
    answer = get(static, path)
    assert answer.status == 404
    assert SECRET not in answer.body


def leads_to(root, target):
    (root / "link").symlink_to(target)
    return "/link"


@pytest.mark.parametrize("target", [
    "../secret", "/etc/passwd", "sub/../../secret", "/proc/self/environ", "/proc/self/cwd/secret",
])
def test_h54_a_symbolic_link_out_of_the_root_is_forbidden(static, root, target):
    assert get(static, leads_to(root, target)).status == 403


@pytest.mark.parametrize("target", ["..", "/", "/etc"])
def test_h54_a_folder_that_is_a_link_out_of_the_root_is_forbidden(static, root, target):
    path = leads_to(root, target)
    for rest in "", "/", "/passwd", "/secret", "/root/text.txt":
        assert get(static, path + rest).status == 403


def test_an_absolute_link_is_forbidden_even_if_it_leads_inside(static, root):
    assert get(static, leads_to(root, root / "text.txt")).status == 403


def test_a_link_that_stays_inside_works(static, root):
    (root / "sub/link").symlink_to("../text.txt")
    assert get(static, "/sub/link").body == TEXT


def test_a_link_in_a_circle_is_forbidden(static, root):
    assert get(static, leads_to(root, "link")).status == 403


def test_magic_links_of_proc_are_forbidden():
    argv = command("static", "/proc")
    for path in "/self/cwd", "/self/root/etc/passwd", "/self/exe", "/self/fd/0":
        assert get(argv, path).status == 403


def test_a_fifo_is_forbidden_and_no_hang(static, root):
    os.mkfifo(root / "fifo")
    assert get(static, "/fifo").status == 403


def test_a_socket_is_forbidden(static, root):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(root / "socket"))
        assert get(static, "/socket").status == 403


def test_a_device_is_forbidden():
    assert get(command("static", "/dev"), "/zero").status == 403


def test_what_the_user_may_not_read_is_forbidden(root):
    (root / "text.txt").chmod(0)
    # Root may read everything: then become somebody else, inside a folder that is already reached.
    who = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    with Session(command("static", "."), cwd=root, **who) as s:
        s.send(b"GET /text.txt" + REST)
        assert s.read_answer().status == 403


@pytest.mark.parametrize("path", ["/%", "/%4", "/%zz", "/%00", "/text.txt%00.html", "/%0d%0aX:y",
                                  "/%7f"])
def test_bad_escapes_and_control_characters_are_refused(static, path):
    assert get(static, path).status == 400


def test_nothing_that_the_client_sent_comes_back(static):
    for path in "/<script>alert(1)</script>", "/%3Cscript%3E", "/?<script>", "/sub?<script>":
        answer = get(static, path)
        assert b"script" not in answer.body


# Requests that are refused

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_told_which_are_allowed(static, method):
    answer = get(static, "/", method)
    assert (answer.status, answer["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("name, request_, status", [
    ("unknown method", b"BREW /" + REST, 501),
    ("small letters", b"get /" + REST, 501),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/0.9", b"GET /\r\n", 400),
    ("length and chunks",
     b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("two lengths",
     b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", 400),
    ("two different lengths",
     b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", 400),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("one bare LF", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
    ("space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("tab in the target", b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("method that is no token", b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("NUL", b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 400),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("unknown coding", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ("long target", b"GET /" + b"x" * 8200 + REST, 414),
    ("long name", b"GET /" + b"x" * 5000 + REST, 414),
    ("long field", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 8200 + b"\r\n\r\n", 431),
    ("long head", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"x" * 5000 +
     b"\r\nX: " + b"x" * 6000 + b"\r\nX: " + b"x" * 6000 + b"\r\n\r\n", 431),
    ("many fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
], ids=lambda value: value if isinstance(value, str) else "")
def test_h55_a_request_that_is_refused(static, name, request_, status):
    answer = ask(static, request_)
    assert answer.status == status
    if status != 501 or name == "unknown coding":
        assert answer["Connection"] == ("keep-alive" if name == "long name" else "close")


def test_a_page_explains_each_refusal(static):
    answer = get(static, "/none")
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.body.startswith(b"<!doctype html>")
    assert b"<h1>404 Not Found</h1>" in answer.body


# The connection

def test_what_goes_wrong_inside_is_told_to_the_log_alone(static):
    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))

    with Session(static, preexec_fn=few_descriptors) as s:
        s.send(b"GET /text.txt" + REST)
        answer = s.read_answer()
        s.client.close()
        s.finish()
    assert answer.status == 500
    # A sanitizer, too, has something to say of the lack of descriptors.
    assert re.match(r"static: text\.txt: .*descriptor.*\n|static: .*open files\n", s.log)
    assert b"text" not in answer.body


def test_a_connection_serves_many_requests(static):
    with Session(static) as s:
        for path, status in ("/", 200), ("/none", 404), ("/sub", 301), ("/text.txt", 200):
            s.send(f"GET {path}".encode() + REST)
            assert s.read_answer().status == status
        s.half_close()
        assert s.read_all() == b""
        assert s.finish() == 0


def test_pipelined_requests_are_answered_in_their_order(static):
    with Session(static) as s:
        s.send(b"".join(b"GET /" + path + REST for path in (b"text.txt", b"none", b"sub/", b"")))
        starts = [s.read_answer().body[:4] for _ in range(4)]
    assert starts == [TEXT[:4], b"<!do", b"sub\n", INDEX[:4]]


def test_a_request_may_come_byte_by_byte(static):
    with Session(static) as s:
        for byte in b"GET /text.txt" + REST:
            s.send(bytes([byte]))
        assert s.read_answer().body == TEXT


def test_an_empty_line_before_a_request_is_forgiven(static):
    with Session(static) as s:
        for _ in range(2):
            s.send(b"\r\nGET /sub/" + REST)
            assert s.read_answer().body == b"sub\n"


@pytest.mark.parametrize("head, connection", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close"),
    (b"GET / HTTP/1.0\r\n\r\n", "close"),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "keep-alive"),
])
def test_the_connection_is_kept_as_the_client_asks(static, head, connection):
    assert ask(static, head)["Connection"] == connection


def test_an_empty_line_behind_a_request_is_not_answered(static):
    assert exchange(static, b"GET /sub/" + REST + b"\r\n").count(b"HTTP/1.1") == 1


def test_the_hundredth_request_is_the_last(static):
    with Session(static) as s:
        for n in range(1, 101):
            s.send(b"GET /sub/" + REST)
            assert s.read_answer()["Connection"] == ("close" if n == 100 else "keep-alive")
        assert s.read_all() == b""


@pytest.mark.parametrize("coding", [b"Content-Length: 25", b"Transfer-Encoding: chunked"])
def test_the_body_of_a_get_is_not_taken_for_a_request(static, coding):
    with Session(static) as s:
        s.send(b"GET /text.txt HTTP/1.1\r\nHost: a\r\n" + coding + b"\r\n\r\n"
               b"GET /smuggled HTTP/1.1\r\n\r\n")
        answer = s.read_answer()
        assert (answer.status, answer["Connection"]) == (200, "close")
        assert s.read_all() == b""


def test_a_body_that_nobody_reads_does_not_cut_the_answer(static, root):
    data = os.urandom(1000000)
    (root / "big").write_bytes(data)
    with Session(static) as s:
        s.send(b"GET /big HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        sender = threading.Thread(target=s.send, args=[b"x" * 1000000])
        sender.start()
        assert s.read_answer().body == data
        assert s.read_all() == b""
        sender.join()


def test_what_comes_after_a_refusal_does_not_cut_it(static):
    with Session(static) as s:
        s.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000)
        assert s.read_answer().status == 405
        assert s.read_all() == b""


def test_a_client_that_says_nothing_is_left_without_an_answer(root):
    with Session(command("static", "-T", 1, root)) as s:
        assert s.read_all() == b""
        assert s.finish() == 0


def test_h54_a_head_that_does_not_end_in_time_is_refused(root):
    with Session(command("static", "-T", 1, root)) as s:
        s.send(b"GET / HTTP/1.1\r\n")
        assert s.read_answer().status == 408


def test_a_byte_now_and_then_does_not_extend_the_deadline(root):
    with Session(command("static", "-T", 1, root)) as s:
        stop = threading.Event()

        def drip():
            s.send(b"GET / HTTP/1.1\r\n")
            while not stop.wait(0.2):
                try:
                    s.send(b"X")
                except OSError:
                    return

        dripper = threading.Thread(target=drip)
        dripper.start()
        assert s.read_answer().status == 408
        stop.set()
        dripper.join()


def test_a_later_head_has_the_same_deadline(root):
    with Session(command("static", "-T", 1, root)) as s:
        s.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        assert s.read_answer().status == 200
        assert s.read_answer().status == 408


def test_a_kept_connection_that_falls_silent_is_closed(root):
    with Session(command("static", "-T", 1, root)) as s:
        s.send(b"GET /sub/" + REST)
        assert s.read_answer().status == 200
        assert s.read_all() == b""
        assert s.finish() == 0


def test_a_client_that_takes_nothing_does_not_keep_the_process(root):
    with open(root / "huge", "wb") as f:
        f.truncate(1 << 30)
    with Session(command("static", "-T", 1, root)) as s:
        s.send(b"GET /huge" + REST)
        assert s.finish() == 0


def test_a_client_that_leaves_in_the_middle_is_no_error(static, root):
    with open(root / "huge", "wb") as f:
        f.truncate(1 << 30)
    with Session(static) as s:
        s.send(b"GET /huge" + REST)
        s.client.recv(100000)
        s.client.close()
        assert s.finish() == 0
        assert s.log == ""


def test_half_a_request_is_refused(static):
    assert exchange(static, b"GET / HTTP/1.1\r\n").startswith(b"HTTP/1.1 400 ")


# Conditions and ranges

def test_what_the_client_has_is_not_sent_again(static):
    first = get(static, "/text.txt")
    for fields in (dict(If_None_Match=first["ETag"]), dict(If_None_Match="W/" + first["ETag"]),
                   dict(If_None_Match='"x", ' + first["ETag"]), dict(If_None_Match="*"),
                   dict(If_Modified_Since=first["Last-Modified"])):
        answer = get(static, "/text.txt", **fields)
        assert (answer.status, answer.body) == (304, b"")
        assert answer["ETag"] == first["ETag"]
        assert answer["Connection"] == "keep-alive"


def test_a_changed_file_is_sent_again(static, root):
    first = get(static, "/text.txt")
    (root / "text.txt").write_bytes(b"new")
    os.utime(root / "text.txt", (FUTURE, FUTURE))
    for fields in (dict(If_None_Match=first["ETag"]),
                   dict(If_Modified_Since=first["Last-Modified"])):
        assert get(static, "/text.txt", **fields).body == b"new"
    assert get(static, "/text.txt", If_Match=first["ETag"]).status == 412


def test_a_file_from_the_future_says_now(static, root):
    os.utime(root / "text.txt", (FUTURE, FUTURE))
    answer = get(static, "/text.txt")
    said = email.utils.parsedate_to_datetime(answer["Last-Modified"]).timestamp()
    assert said <= time.time()
    assert get(static, "/text.txt", If_Modified_Since=answer["Last-Modified"]).status == 200


def test_a_file_that_changed_within_the_second_has_another_tag(static, root):
    os.utime(root / "text.txt", ns=(10**18, 10**18))
    first = get(static, "/text.txt")
    os.utime(root / "text.txt", ns=(10**18, 10**18 + 1))
    assert get(static, "/text.txt", If_None_Match=first["ETag"]).status == 200


@pytest.mark.parametrize("range_, body, content_range", [
    ("bytes=0-0", TEXT[:1], "bytes 0-0/100"), ("bytes=10-14", TEXT[10:15], "bytes 10-14/100"),
    ("bytes=95-", TEXT[95:], "bytes 95-99/100"), ("bytes=-3", TEXT[-3:], "bytes 97-99/100"),
    ("bytes=90-1000", TEXT[90:], "bytes 90-99/100"), ("bytes=-1000", TEXT, "bytes 0-99/100"),
])
def test_a_part_is_served(static, range_, body, content_range):
    answer = get(static, "/text.txt", Range=range_)
    assert (answer.status, answer.body, answer["Content-Range"]) == (206, body, content_range)


def test_a_part_behind_4_gigabytes_is_served(static, root):
    with open(root / "huge", "wb") as f:
        f.seek(5 << 30)
        f.write(TEXT)
    answer = get(static, "/huge", Range=f"bytes={(5 << 30) + 10}-")
    assert (answer.status, answer.body) == (206, TEXT[10:])
    assert answer["Content-Range"] == f"bytes {(5 << 30) + 10}-{(5 << 30) + 99}/{(5 << 30) + 100}"


@pytest.mark.parametrize("range_", ["bytes=100-", "bytes=-0", "bytes=5000-6000"])
def test_a_part_that_is_not_there_is_refused(static, range_):
    answer = get(static, "/text.txt", Range=range_)
    assert (answer.status, answer["Content-Range"]) == (416, "bytes */100")


@pytest.mark.parametrize("range_", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1", "bytes=x-y"])
def test_a_range_that_it_does_not_know_is_the_whole_file(static, range_):
    answer = get(static, "/text.txt", Range=range_)
    assert (answer.status, answer.body) == (200, TEXT)


def test_a_part_of_another_version_is_the_whole_file(static):
    tag = get(static, "/text.txt")["ETag"]
    assert get(static, "/text.txt", Range="bytes=0-0", If_Range=tag).status == 206
    assert get(static, "/text.txt", Range="bytes=0-0", If_Range='"other"').status == 200


# Real clients, and by hand

def test_curl_is_content(static, root):
    (root / "big").write_bytes(b"x" * 300000)
    with served(static) as port:
        url = f"http://127.0.0.1:{port}"
        assert curl(f"{url}/") == INDEX
        assert curl("-L", f"{url}/sub") == b"sub\n"
        assert curl("-r", "5-9", f"{url}/text.txt") == TEXT[5:10]
        assert curl(f"{url}/text.txt", f"{url}/sub/", f"{url}/text.txt") == TEXT + b"sub\n" + TEXT
        assert curl("-d", f"@{root}/big", "-o", os.devnull, "-w", "%{http_code}", url) == b"405"
        assert curl("--path-as-is", "-o", os.devnull, "-w", "%{http_code}",
                    f"{url}/../secret") == b"404"


def by_hand(argv, request, **stdout):
    return subprocess.run(argv, input=request, timeout=PATIENCE, check=True, **stdout).stdout


def test_it_runs_by_hand_between_pipes(static):
    answer = by_hand(static, b"GET /text.txt HTTP/1.0\r\n\r\n", stdout=subprocess.PIPE)
    assert answer.endswith(b"\r\n\r\n" + TEXT)


def test_it_appends_to_a_file_where_sendfile_cannot(static, root, tmp_path):
    data = os.urandom(100000)
    (root / "big").write_bytes(data)
    with open(tmp_path / "out", "ab") as out:
        by_hand(static, b"GET /big HTTP/1.0\r\n\r\n", stdout=out)
    assert (tmp_path / "out").read_bytes().endswith(b"\r\n\r\n" + data)


def without_openat2():
    """In the child: makes openat2 fail as on a kernel that does not know it (by seccomp)."""
    load_nr, equal_else_1, allow, enosys = (0x20, 0, 0, 0), (0x15, 0, 1, 437), \
        (0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x50000 | errno.ENOSYS)
    code = b"".join(struct.pack("HBBI", *i) for i in (load_nr, equal_else_1, enosys, allow))
    code = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, program) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def test_without_openat2_it_serves_nothing(root):
    run = subprocess.run(command("static", root), input=b"GET /" + REST, capture_output=True,
                         timeout=PATIENCE, preexec_fn=without_openat2)
    assert (run.returncode, run.stdout) == (111, b"")
    assert b"this kernel has no openat2(2)" in run.stderr


def test_a_root_that_is_not_there_is_an_error_at_start(tmp_path):
    for path in tmp_path / "none", "/etc/passwd":
        run = subprocess.run(command("static", path), capture_output=True, timeout=PATIENCE,
                             stdin=subprocess.DEVNULL, text=True)
        assert (run.returncode, run.stdout) == (111, "")
        assert run.stderr.startswith(f"static: {path}: ")


@pytest.mark.parametrize("args", [[], ["a", "b"], ["-T", "0", "a"], ["-T", "x", "a"],
                                  ["-T", "-1", "a"], ["-x", "a"]])
def test_a_wrong_call_is_told_the_right_one(args):
    run = subprocess.run(command("static", *args), capture_output=True, timeout=PATIENCE, text=True)
    assert run.returncode == 100
    assert run.stderr.endswith("usage: static [-T SECONDS] [-t TYPES] ROOT\n")


def test_the_sample_site_has_no_broken_links():
    site = TOP / "etc/www"
    argv = command("static", "-t", TOP / "etc/mime.types", site)
    for page in "", "about/":
        text = (site / page / "index.html").read_text()
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            if link in ("nowhere", ".git/config"):
                continue
            path = os.path.normpath("/" + page + link) + ("/" if link.endswith("/") else "")
            assert get(argv, path.replace("//", "/")).status in (200, 301), link
