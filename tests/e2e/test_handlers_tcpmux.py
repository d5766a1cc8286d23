"""tcpmux: services by name, on one port (RFC 1078)."""

import os
import socket
import subprocess

import pytest

from handlerlib import PATIENCE, Session, command, exchange
from superdlib import HANDLERS

TABLE = """
# a comment, and an empty line

+cat    /bin/cat
+quoted sh -c "echo 'two  words'; cat" "an arg"
 own    sh -c 'printf "+I greet myself\\r\\n"; cat'
+args   printf '<%s>' a "b c" '' d"e f"g
+env    sh -c 'echo $SUPERD_SERVICE; id -u'
+gone   /nonexistent/program
+lost   no-such-program-anywhere
+Upper  echo upper"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "tcpmux.conf"
    path.write_text(TABLE)
    return path


def ask(table, data, kind="tcp"):
    return exchange(command("tcpmux", table), data, kind=kind)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("name", [b"cat", b"CAT", b"cAt"])
def test_a_name_becomes_a_program(table, kind, name):
    assert ask(table, name + b"\r\nhello\r\nHELP\r\n", kind) == b"+Go\r\nhello\r\nHELP\r\n"


def test_a_line_feed_alone_is_enough_for_a_person(table):
    assert ask(table, b"cat\nhello\n") == b"+Go\r\nhello\n"


def test_a_program_may_greet_by_itself(table):
    assert ask(table, b"own\r\nhello") == b"+I greet myself\r\nhello"


def test_no_byte_behind_the_line_is_lost_however_it_comes(table):
    with Session(command("tcpmux", table)) as s:
        s.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"cat\r\nhel":
            s.send(bytes([byte]))
        s.send(b"lo" + b"x" * 1000000)
        s.half_close()
        assert s.read_all() == b"+Go\r\nhello" + b"x" * 1000000
        assert (s.finish(), s.log) == (0, "")


def test_by_hand_from_a_pipe_neither(table):
    run = subprocess.run(command("tcpmux", table), input=b"cat\r\nhello", capture_output=True,
                         timeout=PATIENCE)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"+Go\r\nhello", b"")


def test_words_are_split_and_quoted(table):
    assert ask(table, b"args\r\n") == b"+Go\r\n<a><b c><><de fg>"
    assert ask(table, b"quoted\r\nx") == b"+Go\r\ntwo  words\nx"


def test_help_lists_the_names(table):
    want = b"cat\r\nquoted\r\nown\r\nargs\r\nenv\r\ngone\r\nlost\r\nUpper\r\n"
    assert ask(table, b"help\r\n") == ask(table, b"HELP\r\nmore") == want


def test_the_last_line_needs_no_end(table):
    assert ask(table, b"upper\r\n") == b"+Go\r\nupper\n"


@pytest.mark.parametrize("line", [
    b"", b"ca", b"cats", b"/bin/cat", b"../cat", b"+cat", b" cat", b"cat ", b"cat\0", b"cat\0x",
    b"\xff\xfe", b"#", b"cat;id", b"$(id)", b"\r", b"cat\r"])
def test_any_other_name_is_refused(table, line):
    assert ask(table, line + b"\r\n") == b"-Service not available\r\n"


@pytest.mark.parametrize("name, said", [
    (b"gone", "tcpmux: {}:9: /nonexistent/program: No such file or directory\n"),
    (b"lost", "tcpmux: {}:10: no-such-program-anywhere: No such file or directory\n")])
def test_nothing_is_promised_that_cannot_be_run(table, name, said):
    with Session(command("tcpmux", table)) as s:
        s.send(name + b"\r\n")
        s.half_close()
        assert s.read_all() == b"-Service not available\r\n"
        assert s.finish() == 0
        assert s.log == said.format(table)


@pytest.mark.parametrize("size", [256, 257, 100000])
def test_a_long_line_is_refused(table, size):
    assert ask(table, b"x" * size) == b"-Line too long\r\n"


def test_the_longest_line_is_read(table):
    assert ask(table, b"x" * 254 + b"\r\n") == b"-Service not available\r\n"


@pytest.mark.parametrize("dribble", [b"", b"ca"])
def test_a_silent_client_is_not_waited_for_for_ever(table, dribble):
    with Session(command("tcpmux", "-T", "200ms", table)) as s:
        s.send(dribble)
        assert s.read_all() == b"-Timeout\r\n"
        assert (s.finish(), s.log) == (0, "")


def test_a_client_that_says_nothing_is_no_error(table):
    assert ask(table, b"") == b""
    assert ask(table, b"ca") == b""


def test_the_program_gets_the_socket_as_it_was(table):
    with Session(command("tcpmux", table)) as s:
        s.send(b"cat\r\n")
        assert s.client.recv(100) == b"+Go\r\n"
        fd = os.open(f"/proc/{s.process.pid}/fdinfo/0", os.O_RDONLY)
        with open(fd) as info:
            flags = int(next(line for line in info if line.startswith("flags")).split()[1], 8)
        assert not flags & os.O_NONBLOCK


@pytest.mark.parametrize("text, said", [
    ("+x\n", ":1: the program is missing"), ("x ''\n", ":1: the program is missing"),
    ("\n+a true\n+A false\n", ":3: the name is there twice"),
    ("+help true\n", ":1: this is no name"), ("+ true\n", ":1: this is no name"),
    ("b\xe4 true\n", ":1: this is no name"), ("x" * 65 + " true\n", ":1: this is no name"),
    ("x sh -c 'true\n", ":1: a quote is not closed"),
    ("'x true", ":1: this is no name"),
    ("x true\0\n", ":1: there is a NUL byte"),
    ("".join(f"s{i} true\n" for i in range(257)), ":257: too many services"),
    ("x " + "a " * 5000, ":1: too many arguments"),
    ("#" * 300000, ": File too large")], ids=range(13))
def test_a_wrong_table_is_told_where(tmp_path, text, said):
    path = tmp_path / "table"
    path.write_text(text, encoding="latin-1")
    with Session(command("tcpmux", path)) as s:
        s.send(b"x\r\n")
        s.half_close()
        assert s.read_all() == b"-Service not available\r\n"
        assert s.finish() == 111
        assert f"tcpmux: {path}{said}" in s.log


def test_a_table_that_everybody_may_change_is_none(table):
    table.chmod(0o666)
    with Session(command("tcpmux", table)) as s:
        assert s.read_all() == b"-Service not available\r\n"
        assert s.finish() == 111
        assert s.log == f"tcpmux: {table}: everybody may change it\n"


@pytest.mark.parametrize("args", [[], ["a", "b"], ["-T", "0", "a"], ["-T", "x", "a"], ["-x", "a"]])
def test_a_wrong_call_is_told(args):
    run = subprocess.run(command("tcpmux", *args), stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=PATIENCE)
    assert run.returncode == 100 and b"usage: tcpmux" in run.stderr


def test_under_superd_it_runs_with_the_rights_of_its_service(superd, table, folder):
    (folder / "table").write_text(TABLE)
    (folder / "table").chmod(0o644)
    keys = {"user": "nobody"} if os.geteuid() == 0 else {}
    d = superd({"services": {"mux": {"listen": "127.0.0.1:0", **keys,
                                     "exec": [str(HANDLERS / "tcpmux"), str(folder / "table")]}}})
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    assert d.ask("mux", b"env\r\n") == b"+Go\r\nmux\n%d\n" % uid
    d.wait_idle()
