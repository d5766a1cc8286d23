"""superd -t over tests/data: one bad file, one .err, one case; and what the schema binds together.

The data is copied, and @USER@ becomes who runs the tests, so that root and others see the same.
`UPDATE_DATA=1 pytest tests/e2e/test_config.py` writes the expected texts anew; read the diff.
"""
import getpass
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
SUPERD = ROOT / "build" / os.environ.get("FLAVOR", "release") / "superd"
ME = pwd.getpwuid(os.geteuid()).pw_name
UPDATE = os.environ.get("UPDATE_DATA") == "1"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def cases(folder):
    return sorted(p.stem for p in (DATA / folder).glob("*.json"))


def superd(*args, cwd=None, stdin=None, as_nobody=False, env=None):
    def drop():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    e = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(env or {})}
    if "ASAN_OPTIONS" in os.environ:
        e["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
    return subprocess.run([SUPERD, *args], cwd=cwd, input=stdin, env=e, text=True, timeout=60,
                          capture_output=True, preexec_fn=drop if as_nobody else None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    copy = tmp_path_factory.mktemp("data") / "data"
    shutil.copytree(DATA, copy)
    for p in copy.glob("*/**/*.json"):
        p.write_bytes(p.read_bytes().replace(b"@USER@", ME.encode()))
    return copy


def compare(text, expected):
    if UPDATE:
        expected.write_text(text)
    assert text == expected.read_text()


@pytest.mark.parametrize("name", cases("bad"))
def test_h58_a_bad_file_is_refused_with_every_complaint(data, name):
    r = superd("-t", "-c", name + ".json", cwd=data / "bad")
    text = r.stderr.replace(str(data), "DATA")
    text = re.sub(r"(no process may have more than) \d+", r"\1 N", text)
    text = re.sub(r"; this is .*", "; this is THIS MACHINE", text)
    compare(text, DATA / "bad" / (name + ".err"))
    assert (r.returncode, r.stdout) == (1, "")


@pytest.mark.parametrize("name", cases("good"))
def test_a_good_file_is_shown_as_a_table(data, name):
    r = superd("-t", "-c", name + ".json", cwd=data / "good")
    assert (r.returncode, r.stderr) == (0, "")
    text = r.stdout
    if str(data) in text or ME != "root":
        # Their lengths move the columns.
        text = re.sub(rf"(?<= ){ME}(?= )", "root", text.replace(str(data), "DATA"))
        text = re.sub(r" {2,}", "  ", text)
        expected = (DATA / "good" / (name + ".out")).read_text() if not UPDATE else ""
        if not UPDATE:
            assert text == re.sub(r" {2,}", "  ", expected)
            return
    compare(text, DATA / "good" / (name + ".out"))
