"""Starting: in places where there is next to nothing."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from superdlib import ASAN, PATIENCE, ROOT, SUPERD, echo, handler, needs_root


def libraries():
    out = subprocess.run(["ldd", SUPERD], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", out)


@pytest.fixture
def container(folder):
    """A root with superd, its libraries and one handler: no /etc, no /proc, no /dev, no shell."""
    if ASAN:
        pytest.skip("the sanitizer reads its options from /proc, and there is none")
    root = folder / "container"
    (root / "bin").mkdir(parents=True)
    shutil.copy(SUPERD, root / "bin" / "superd")
    shutil.copy(handler("echo"), root / "bin" / "cat")
    for library in libraries():
        place = root / library.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    return root


UNPRIVILEGED = "--userspec=65534:65534"


@needs_root
def test_h60_three_lines_unprivileged_in_an_empty_container(superd, container):
    (container / "superd.json").write_text('{ "services":\n  { "echo": { "listen": "0", "exec": "cat" } }\n}\n')
    d = superd(None, prefix=["chroot", UNPRIVILEGED, str(container)], command=["/bin/superd", "-c", "/superd.json"],
               ready=False, args=(), env={"PATH": "/bin:/usr/bin:/usr/sbin:/sbin"})
    port = eventually_port(d)
    out = subprocess.run(["nc", "-N", "localhost", str(port)], input=b"hello\n", capture_output=True,
                         timeout=PATIENCE, check=False)
    assert out.stdout == b"hello\n", d.stderr()
    assert os.stat(f"/proc/{d.pid}").st_uid == 65534


def eventually_port(d):
    from superdlib import eventually
    return int(eventually(lambda: re.search(r"listen service=echo addr=\*:(\d+)", d.stderr()),
                          lambda: d.stderr()).group(1))


@needs_root
def test_h59_no_services_protocols_hosts_or_resolver(superd, container):
    """Nothing of /etc, and a numeric user of whom no file knows."""
    (container / "superd.json").write_text(
        '{ "services": { "echo": { "listen": ["localhost:0", "127.0.0.1:0"], "exec": "/bin/cat", '
        '"user": 4711 } } }')
    d = superd(None, prefix=["chroot", str(container)], command=["/bin/superd", "-c", "/superd.json"],
               args=("-v",), leaks=False)
    assert len(d.addrs["echo"]) == 3
    for address in d.addrs["echo"]:
        d.answers(address)
    d.kill(signal.SIGTERM)
    assert d.wait() == 0


def test_the_one_liner(superd):
    extra = ["-o", "user=root"] if ROOT else []
    d = superd(None, command=[str(SUPERD), "-l", "127.0.0.1:0", "-l", "unix:@superd-one-liner", *extra,
                              "-o", "max_connections=1"], args=("-v", "--", handler("echo")))
    (name,) = d.addrs
    assert len(d.addrs[name]) == 2
    for address in d.addrs[name]:
        d.answers(address)


def test_a_shell_handler_by_hand(superd):
    extra = ["-o", "user=root"] if ROOT else []
    d = superd(None, command=[str(SUPERD), "-l", "127.0.0.1:0", *extra],
               args=("--", "sh", "-c", "read x; echo got $x"))
    assert d.ask(data=b"that\n") == b"got that\n"


@pytest.mark.parametrize("sink", ["file", "pipe", "null", "closed"])
def test_superd_starts_whatever_its_stderr_is(superd, folder, sink):
    if sink == "closed":
        d = superd({"services": {"echo": echo()}}, prefix=["sh", "-c", 'exec "$@" 2>&-', "sh"])
    else:
        read_end, write_end = os.pipe()
        target = {"file": None, "pipe": write_end, "null": subprocess.DEVNULL}[sink]
        d = superd({"services": {"echo": echo()}}, **({"stderr": target} if target is not None else {}))
        os.close(write_end)
    for _ in range(5):
        d.answers("echo")
    if sink == "pipe":
        os.close(read_end)
    elif sink != "closed":
        os.close(read_end)
    d.kill(signal.SIGTERM)
    assert d.wait() == 0


def test_a_terminal_as_stderr(superd):
    import pty
    primary, secondary = pty.openpty()
    d = superd({"services": {"echo": echo()}}, stderr=secondary, stdin=secondary, log="text",
               start_new_session=True)
    os.close(secondary)
    d.answers("echo")
    os.set_blocking(primary, False)
    data = b""
    from superdlib import eventually

    def close_is_told():
        nonlocal data
        try:
            data += os.read(primary, 65536)
        except (BlockingIOError, OSError):
            pass
        return b" close " in data
    eventually(close_is_told, "the log on the terminal")
    d.kill(signal.SIGTERM)
    assert d.wait() == 0
    os.close(primary)


def test_with_descriptors_for_next_to_nothing(superd):
    """32 descriptors in all."""
    d = superd({"services": {"echo": echo(), "unix": echo("unix:@superd-32")}},
               prefix=["prlimit", "--nofile=32:32"])
    for _ in range(50):
        d.answers("echo")
        d.answers("unix")


def test_too_few_descriptors_to_start_is_an_error_and_not_a_hang(superd):
    d = superd({"services": {f"s{i}": echo() for i in range(40)}}, ready=False,
               prefix=["prlimit", "--nofile=10:10"])
    assert d.wait() == 111
    assert "superd: " in d.stderr() and "Too many open files" in d.stderr()
    d.status = 0


@needs_root
def test_close_range_may_be_missing(superd, probes):
    """Linux before 5.9, or a container's filter: then nothing is shared but memory."""
    d = superd({"services": {"echo": echo(), "p": {"listen": "127.0.0.1:0", "exec": [str(probes / "probe")]},
                             "many": echo(["127.0.0.1:0"] * 200)}},
               prefix=[probes / "without_close_range"], args=("-vv",))
    for service in ("echo", "many"):
        for _ in range(5):
            d.answers(service)
    fds = d.probe("p")["fds"]
    assert set(fds) == {"0", "1", "2"}, "descriptors that were close-on-exec from birth"
    assert not d.find("exec-failed")
