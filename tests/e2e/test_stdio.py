"""stdio: "line": what a handler prints is sent at each end of a line."""

import os
import pwd
import shutil
import subprocess
import sys

import pytest

from superdlib import SUPERD, handler, shell

# Each prints a line, and then waits for input before it exits: without help, the line waits too.
TALKERS = {
    "python": [sys.executable, "-c", "import sys; print('name?'); sys.stdin.readline()"],
    "C": ["cut", "-c1-"],
    "sh -c": ["/bin/sh", "-c", "exec cut -c1-"],
}


@pytest.mark.parametrize("who", TALKERS)
def test_the_first_line_arrives_before_the_exit(superd, who):
    d = superd({"services": {
        "line": {"listen": "127.0.0.1:0", "exec": TALKERS[who], "stdio": "line"},
        "program": {"listen": "127.0.0.1:0", "exec": TALKERS[who]}}})
    for service in "line", "program":
        with d.connect(service) as c:
            if who != "python":
                c.send(b"name?\n")
            if service == "line":
                assert c.read_line() == "name?"
            else:
                assert c.silent(0.5)  # what it is good for
                c.half_close()
                assert c.read_line() == "name?"


def test_a_line_of_shell_passes_it_on(superd):
    d = superd({"services": {"a": shell("cut -c1-; echo end", stdio="line")}})
    with d.connect() as c:
        c.send(b"one\n")
        assert c.read_line() == "one"
        c.half_close()
        assert c.read_all() == b"end\n"


def test_behind_a_proxy_too(superd):
    d = superd({"handler_path": [str(SUPERD.parent / "handlers")], "services": {"a": {
        "listen": "127.0.0.1:0", "exec": TALKERS["C"], "stdio": "line",
        "proxy_protocol": {"from": "127.0.0.1"}}}})
    with d.connect() as c:
        c.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\nname?\n")
        assert c.read_line() == "name?"


def test_env_may_say_otherwise_to_python(superd):
    show = [sys.executable, "-c", "import os; print(os.environ.get('PYTHONUNBUFFERED'))"]
    d = superd({"services": {
        "set": {"listen": "127.0.0.1:0", "exec": show, "stdio": "line"},
        "own": {"listen": "127.0.0.1:0", "exec": show, "stdio": "line",
                "env": {"PYTHONUNBUFFERED": ""}},
        "off": {"listen": "127.0.0.1:0", "exec": show}}})
    assert d.ask("set") == b"1\n"
    assert d.ask("own") == b"\n"
    assert d.ask("off") == b"None\n"


def test_a_program_that_is_linked_statically_runs_all_the_same(superd):
    d = superd({"services": {"a": {"listen": "127.0.0.1:0", "exec": [handler("echo")],
                                   "stdio": "line"}}})
    d.answers("a")


def test_without_stdbuf_it_is_refused_with_its_place(folder):
    config = folder / "c.json"
    account = pwd.getpwuid(os.geteuid()).pw_name
    config.write_text('{ "handler_path": [], "services": {\n'
                      '  "a": { "listen": "7000", "exec": "/bin/sh",\n'
                      '         "stdio": "line", "user": "%s" } } }' % account)
    run = subprocess.run([SUPERD, "-t", "-c", config], env={"PATH": str(folder)}, text=True,
                         capture_output=True)
    assert run.returncode == 1
    assert run.stderr == f"{config}:3:19: service 'a': stdio: " \
                         "there is no program 'stdbuf' in handler_path or PATH\n"
    assert shutil.which("stdbuf")  # otherwise the tests above say little
