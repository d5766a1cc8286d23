"""A program that cannot be run: what the log says, and that nothing else suffers."""

import os
import shutil

import pytest

from superdlib import echo, handler, needs_root, script, shell


def break_after_start(superd, folder, text, how):
    """A program that was fine when superd looked at it, and then was not."""
    path = script(folder, "prog", text)
    d = superd({"services": {"p": {"listen": "127.0.0.1:0", "exec": [str(path)]}, "echo": echo()}})
    assert d.ask("p") == b"fine\n"
    how(path)
    assert d.ask("p") == b"", "the client sees the end of the connection"
    told = d.wait_for("exec-failed")
    close = d.wait_for("close", service="p", where=lambda e: e.get("exit") != 0)
    accept = d.find("accept", service="p")[1]
    assert told["conn"] == close["conn"] == accept["conn"] and told["pid"] == accept["pid"]
    assert (told["service"], told["call"], told["program"]) == ("p", "execve", str(path))
    assert told["level"] == "error"
    d.answers("echo")
    return told, close


SCRIPT = "#!/bin/sh\necho fine\n"


def test_h18_a_program_that_is_removed_after_the_start(superd, folder):
    told, close = break_after_start(superd, folder, SCRIPT, os.unlink)
    assert "No such file" in told["error"] and close["exit"] == 127


def test_h18_a_program_that_is_no_longer_executable(superd, folder):
    told, close = break_after_start(superd, folder, SCRIPT, lambda p: p.chmod(0o644))
    assert "ermission" in told["error"] and "chmod +x" in told["hint"] and close["exit"] == 126


def test_h18_a_script_whose_interpreter_is_missing(superd, folder):
    told, close = break_after_start(superd, folder, SCRIPT,
                                    lambda p: p.write_text("#!/opt/no/such/python -u\n"))
    assert "/opt/no/such/python" in told["hint"] and "interpreter" in told["hint"]
    assert close["exit"] == 127


def test_h18_a_script_with_carriage_returns(superd, folder):
    told, close = break_after_start(superd, folder, SCRIPT,
                                    lambda p: p.write_bytes(b"#!/bin/sh\r\necho fine\r\n"))
    assert "CR LF" in told["hint"] and close["exit"] == 127


def test_h18_a_script_without_an_interpreter_line(superd, folder):
    told, close = break_after_start(superd, folder, SCRIPT, lambda p: p.write_text("echo fine\n"))
    assert "#!" in told["hint"] and close["exit"] == 126


def test_h18_an_empty_program(superd, folder):
    told, close = break_after_start(superd, folder, SCRIPT, lambda p: p.write_text(""))
    assert "empty" in told["hint"] and close["exit"] == 126


def test_h18_a_program_of_another_architecture(superd, folder):
    def other(path):
        data = bytearray(open("/bin/true", "rb").read())
        data[18:20] = (0xF3 if data[18] != 0xF3 else 0x3E).to_bytes(2, "little")  # e_machine: RISC-V
        path.write_bytes(data)
    told, close = break_after_start(superd, folder, SCRIPT, other)
    assert "is built for" in told["hint"] and close["exit"] == 126


def test_h18_a_folder_in_place_of_the_program(superd, folder):
    def replace(path):
        path.unlink()
        path.mkdir()
    told, close = break_after_start(superd, folder, SCRIPT, replace)
    assert "directory" in told["hint"] and close["exit"] == 126


@needs_root
def test_h18_a_program_that_the_user_may_not_run(superd, folder):
    path = script(folder, "prog", SCRIPT)
    path.chmod(0o700)
    d = superd({"services": {"p": {"listen": "127.0.0.1:0", "exec": [str(path)], "user": "nobody"}}})
    assert d.ask("p") == b""
    assert "ermission" in d.wait_for("exec-failed")["error"]
    assert d.wait_for("close")["exit"] == 126


@pytest.fixture
def jail(folder):
    jail = folder / "jail"
    jail.mkdir()
    shutil.copy(handler("echo"), jail / "echo")
    return jail


def jailed(jail):
    return {"services": {
        "p": {"listen": "127.0.0.1:0", "exec": "/echo", "chroot": str(jail), "user": "nobody"}}}


@needs_root
def test_h18_inside_a_chroot(superd, jail):
    d = superd(jailed(jail))
    d.answers("p")
    (jail / "echo").unlink()
    assert d.ask("p") == b""
    told = d.wait_for("exec-failed")
    assert told["program"] == "/echo" and "does not exist" in told["hint"]


@needs_root
def test_a_chroot_that_is_gone(superd, jail):
    d = superd(jailed(jail))
    shutil.rmtree(jail)
    assert d.ask("p") == b""
    assert d.wait_for("exec-failed")["call"] == "chroot"


@pytest.mark.parametrize("status", [126, 127])
def test_a_handler_may_exit_126_or_127_by_itself(superd, status):
    d = superd({"services": {"sh": shell(f"exit {status}")}})
    d.ask("sh")
    assert d.wait_for("close")["exit"] == status
    assert not d.find("exec-failed")


def test_many_failures_are_each_told_once(superd, folder):
    path = script(folder, "prog", SCRIPT)
    d = superd({"services": {
        "p": {"listen": "127.0.0.1:0", "exec": [str(path)], "max_connections": 0}}})
    path.unlink()
    clients = [d.connect("p") for _ in range(300)]
    for c in clients:
        assert c.read_all() == b""
    d.wait_for("close", count=300)
    told = d.find("exec-failed")
    assert len(told) == 300 and len({e["conn"] for e in told}) == 300


def test_a_service_that_cannot_run_works_again_when_it_can(superd, folder):
    path = script(folder, "prog", SCRIPT)
    d = superd({"services": {"p": {"listen": "127.0.0.1:0", "exec": [str(path)]}}})
    path.chmod(0)
    assert d.ask("p") == b""
    path.chmod(0o755)
    assert d.ask("p") == b"fine\n"
