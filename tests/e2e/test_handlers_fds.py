"""fds: says what a handler was given."""

import re
import subprocess
import sys

from handlerlib import PATIENCE, Session, command

FDS = command("fds")
ENV = {
    "SUPERD_SERVICE": "lesson", "SUPERD_CONN": "7", "PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1",
    "TCPREMOTEPORT": "4711", "REMOTE_ADDR": "192.0.2.1", "SECRET": "hush",
}


def report(**session):
    with Session(FDS, **session) as s:
        text = s.read_all().decode()
        s.client.close()
        assert s.finish() == 0
        assert s.log == ""
    return text


def test_it_waits_for_no_input_and_ends():
    with Session(FDS) as s:
        assert s.read_all().startswith(b"Descriptors")
        assert s.finish() == 0


def test_0_and_1_are_the_connection():
    with Session(FDS) as s:
        text = s.read_all().decode()
        local, peer = (":".join(map(str, a)) for a in
                       (s.client.getpeername(), s.client.getsockname()))
    for fd in 0, 1:
        line = re.search(rf"^ +{fd} .*$", text, re.M).group()
        assert line.split()[1:4] == ["both", "yes", "stays"]
        assert f"TCP, local {local}, peer {peer}" in line
    assert "0 and 1 are the same socket" in text


def test_nothing_but_0_1_and_2_is_open_and_its_own_folder_is_not_shown():
    fds = re.findall(r"^ +(\d+)  (?:read|write|both) ", report(), re.M)
    assert fds == ["0", "1", "2"]


def test_a_descriptor_too_many_is_shown(tmp_path):
    with open(tmp_path / "file", "w") as f:
        text = report(pass_fds=[f.fileno()])
        assert re.search(rf"^ +{f.fileno()}  write .*{tmp_path}/file$", text, re.M)


def test_the_peer_is_told_from_the_environment_and_no_secret_is():
    text = report(env=ENV)
    assert re.search(r"^  TCPREMOTEIP=192\.0\.2\.1 +you$", text, re.M)
    assert re.search(r"^  SUPERD_SERVICE=lesson ", text, re.M)
    assert "hush" not in text


def test_control_characters_of_the_environment_do_not_reach_the_terminal():
    assert "PROTO=a\\x1b[31mb\\x0a" in report(env={"PROTO": "a\x1b[31mb\n"})


def test_a_unix_socket_is_named():
    assert re.search(r"unix stream, local \(unnamed\), peer \(unnamed\)", report(kind="unix"))


def test_identity_and_place_are_told():
    text = report(start_new_session=True, cwd="/", umask=0o027)
    pid = re.search(r"pid (\d+),", text).group(1)
    assert f"process group {pid}, session {pid}: both its own" in text
    assert "umask 027, folder /\n" in text


def test_blocked_and_ignored_signals_are_told():
    assert "  blocked: none\n  ignored: none\n" in report()
    script = "import signal, os, sys\n" \
             "signal.signal(signal.SIGINT, signal.SIG_IGN)\n" \
             "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n" \
             "os.execv(sys.argv[1], sys.argv[1:])"
    run = subprocess.run([sys.executable, "-c", script, *FDS], capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=PATIENCE, check=True)
    assert "  blocked: 15 (Terminated)\n" in run.stdout
    assert re.search(r"  ignored: 2 \(Interrupt\)", run.stdout)


def test_limits_are_told():
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 60))

    assert "open descriptors: 50 (at most 60)\n" in report(preexec_fn=limit)


def test_by_hand_it_says_so():
    run = subprocess.run(FDS, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env={"PATH": "/bin"}, timeout=PATIENCE, check=True)
    assert "this was started by hand" in run.stdout
    assert "nothing of superd's" in run.stdout
