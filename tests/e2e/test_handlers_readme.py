"""The handler in handlers/README.md, in each of its languages: as printed, it works."""

import re
import subprocess

import pytest

from handlerlib import PATIENCE, TOP, Session

README = (TOP / "handlers/README.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S))
LANGUAGES = ["c", "sh", "python", "perl"]


@pytest.fixture(scope="session", params=LANGUAGES)
def greet(request, tmp_path_factory):
    """The path of the program."""
    folder = tmp_path_factory.mktemp("readme")
    program = folder / "greet"
    if request.param == "c":
        (folder / "greet.c").write_text(BLOCKS["c"])
        command = re.search(r"`(cc [^`]*greet\.c)`", README).group(1).split()
        subprocess.run([*command, "-Wall", "-Wextra", "-Werror"], cwd=folder, check=True)
    else:
        program.write_text(BLOCKS[request.param])
        program.chmod(0o755)
    return program


def test_the_four_languages_are_there_and_short():
    assert sorted(BLOCKS) == sorted(LANGUAGES)
    for language, text in BLOCKS.items():
        assert text.count("\n") < 15, language


def test_it_greets_each_line_at_once_and_ends_with_the_input(greet):
    with Session([str(greet)], kind="unix", env={"TCPREMOTEIP": "192.0.2.1"}) as s:
        for line in b"one\n", b"a\\b  %s 'x'\n", b"last\n":
            s.send(line)
            assert s.client.recv(1000) == b"Hello, 192.0.2.1, you said: " + line
        s.half_close()
        assert s.read_all() == b""
        assert (s.finish(), s.log) == (0, "")


def test_bytes_that_are_no_text_pass(greet):
    with Session([str(greet)], kind="unix", env={"TCPREMOTEIP": "::1"}) as s:
        s.send(b"\xff\xfe\n")
        assert s.client.recv(1000) == b"Hello, ::1, you said: \xff\xfe\n"


def test_without_a_peer_it_still_greets(greet):
    run = subprocess.run([str(greet)], input=b"hi\n", capture_output=True, timeout=PATIENCE,
                         env={"PATH": "/usr/local/bin:/usr/bin:/bin"}, check=True)
    assert run.stdout == b"Hello, whoever you are, you said: hi\n"


def test_silence_is_answered_with_silence(greet):
    run = subprocess.run([str(greet)], input=b"", capture_output=True, timeout=PATIENCE, check=True)
    assert (run.stdout, run.stderr) == (b"", b"")
