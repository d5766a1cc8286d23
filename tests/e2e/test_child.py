"""What a handler gets: descriptors, signals, session, identity, limits, environment."""

import grp
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from platform import machine

import pytest

from superdlib import (ASAN, BUILD, FLAVOR, PATIENCE, ROOT, account, echo, handler, hard_limit,
                       needs_root, port_of, shell)

FIFO, CHARACTER, REGULAR, SOCKET = 1, 2, 8, 12  # st_mode >> 12


@pytest.fixture
def probe(probes):
    def service(listen="127.0.0.1:0", **keys):
        return {"listen": listen, "exec": [str(probes / "probe")], **keys}
    return service


def env_of(told):
    pairs = [entry.split("=", 1) for entry in told["env"]]
    assert len(dict(pairs)) == len(pairs), f"a variable is there twice: {pairs}"
    return dict(pairs)


# ---------------------------------------------------------------- descriptors


@pytest.mark.parametrize("stderr,kind", [("log", FIFO), ("null", CHARACTER), ("socket", SOCKET),
                                         ("file", REGULAR)])
def test_h13_a_handler_has_0_1_2_and_no_more(superd, probe, folder, stderr, kind):
    where = {"file": str(folder / "its.err")} if stderr == "file" else stderr
    others = {f"o{i}": echo() for i in range(20)}
    d = superd({"services": {"p": probe(stderr=where), **others}})
    held = [d.connect(f"o{i}") for i in range(20)]
    for c in held:
        c.send(b"x")
        c.read(1)
    fds = d.probe("p")["fds"]
    assert set(fds) == {"0", "1", "2"}
    assert [fds[n]["kind"] for n in "012"] == [SOCKET, SOCKET, kind]
    assert not any(fds[n]["cloexec"] or fds[n]["nonblock"] for n in "012")
    assert [fds[n]["access"] for n in "01"] == [os.O_RDWR, os.O_RDWR]
    if stderr == "socket":
        assert fds["2"]["ino"] == fds["0"]["ino"]
    if stderr == "file":
        assert fds["2"]["append"] and fds["2"]["ino"] == (folder / "its.err").stat().st_ino


def test_h13_what_superd_inherited_goes_no_further(superd, probe, folder):
    extra = [os.open(folder, os.O_RDONLY) for _ in range(80)]
    os.set_inheritable(extra[0], True)
    try:
        d = superd({"services": {"p": probe()}},
                   preexec_fn=lambda: [os.set_inheritable(fd, True) for fd in extra])
        assert set(d.probe("p")["fds"]) == {"0", "1", "2"}
    finally:
        for fd in extra:
            os.close(fd)


def test_h13_a_high_limit_of_descriptors_does_not_slow_a_start(superd, probe):
    most = 1048576
    if subprocess.run(["prlimit", f"--nofile={most}:{most}", "true"], capture_output=True,
                      check=False).returncode:
        most = min(hard_limit(), most)  # as high as we may
    start = time.monotonic()
    d = superd({"services": {"p": probe()}}, prefix=["prlimit", f"--nofile={most}:{most}"])
    for _ in range(20):
        assert d.probe("p")["limits"]["nofile"] == [most, most]
    assert time.monotonic() - start < 20


def test_h15_superd_without_0_1_2_serves_on_descriptors_that_are_right(superd, probe, folder):
    (folder / "log").touch()
    config = {"log": {"target": {"file": str(folder / "log")}, "format": "json"},
              "services": {"p": probe(), "echo": echo(), "s": probe(stderr="socket")}}
    d = superd(config, prefix=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    d.log_path = folder / "log"
    d.answers("echo")
    for service in "ps":
        told = d.probe(service)
        assert set(told["fds"]) == {"0", "1", "2"}
        assert [told["fds"][n]["kind"] for n in "01"] == [SOCKET, SOCKET]
    d.wait_for("close", count=3)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- 2>&-"])
def test_h15_any_of_0_1_2_may_be_missing(superd, probe, folder, closed):
    config = {"log": {"target": {"file": str(folder / "log")}, "format": "json"},
              "services": {"p": probe(), "echo": echo()}}
    d = superd(config, prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
    d.log_path = folder / "log"
    assert set(d.probe("p")["fds"]) == {"0", "1", "2"}
    d.answers("echo")


@pytest.mark.parametrize("number", [1, 3, 4, 5, 63, 64, 100])
def test_the_ready_descriptor_may_have_any_number(superd, probe, number):
    """3 and 4 are those that superd uses itself; 1 is what a shell script would use."""
    d = superd({"services": {"p": probe(), "echo": echo()}}, ready_fd=number)
    assert d.ready_text == f"p {d.addr['p']}\necho {d.addr['echo']}\n"
    d.answers("echo")
    fds = d.probe("p")["fds"]
    assert set(fds) == {"0", "1", "2"}
    assert [fds[n]["kind"] for n in "012"] == [SOCKET, SOCKET, FIFO]


def test_a_ready_descriptor_that_is_not_open_is_an_error(superd):
    d = superd({"services": {"echo": echo()}}, args=("--ready-fd", "77"), ready=False)
    assert d.wait(PATIENCE) in (100, 111)
    assert "ready-fd 77" in d.stderr()
    d.status = 0


# ---------------------------------------------------------------- signals, session


def ignore(*numbers):
    def before_exec():
        for n in numbers:
            signal.signal(n, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(numbers) | {signal.SIGTERM, signal.SIGUSR2})
    return before_exec


def test_h14_all_signals_default_whatever_the_parent_ignored_or_blocked(superd, probe):
    d = superd({"services": {"p": probe(), "echo": echo(),
                             "proc": shell("exec grep -E '^Sig(Ign|Blk)' /proc/self/status")}},
               restore_signals=False,
               preexec_fn=ignore(signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT))
    told = d.probe("p")
    assert told["ignored"] == [] and told["blocked"] == []
    for line in d.ask("proc").decode().splitlines():
        assert int(line.split()[1], 16) == 0, line
    d.answers("echo")
    d.wait_for("close", service="echo", exit=0)  # reaped though SIGCHLD was ignored


def test_h14_a_pipe_ends_as_in_a_login_shell(superd):
    d = superd({"services": {"yes": shell("yes | head -1; echo ${PIPESTATUS:-done}")}})
    assert d.ask("yes", timeout=PATIENCE) == b"y\ndone\n"


def test_h20_a_handler_has_its_own_session_and_no_terminal(superd, probe):
    d = superd({"services": {"p": probe()}})
    told = d.probe("p")
    assert told["pid"] == told["sid"] == told["pgid"]
    assert told["ppid"] == d.pid
    assert not told["tty"]
    assert d.wait_for("accept")["pid"] == told["pid"]


def test_h20_no_terminal_even_when_superd_has_one(superd, probe):
    if not shutil.which("script"):
        pytest.skip("script(1) is not installed")
    d = superd({"services": {"p": probe()}})  # the tty case differs in the controlling terminal only
    assert not d.probe("p")["tty"]


# ---------------------------------------------------------------- limits, umask, place


def test_h21_a_handler_gets_the_original_limit_of_descriptors(superd, probe):
    d = superd({"services": {"p": probe(), "own": probe(rlimits={"nofile": 50})}},
               prefix=["prlimit", "--nofile=200:3000"])
    with open(f"/proc/{d.pid}/limits") as f:
        assert any(line.split()[3:5] == ["3000", "3000"] for line in f if "open files" in line)
    assert d.probe("p")["limits"]["nofile"] == [200, 3000]
    assert d.probe("own")["limits"]["nofile"][0] == 50


def test_h21_the_umask_is_the_configured_one(superd, probe):
    d = superd({"services": {"p": probe(), "private": probe(umask="077"), "open": probe(umask="000")}},
               preexec_fn=lambda: os.umask(0o027))
    assert d.probe("p")["umask"] == 0o22
    assert d.probe("private")["umask"] == 0o77
    assert d.probe("open")["umask"] == 0


def test_rlimits_are_set(superd, probe):
    d = superd({"services": {"p": probe(rlimits={
        "as": "512M", "core": 0, "cpu": 30, "data": "256M", "fsize": "1M", "memlock": 0, "nofile": 64,
        "nproc": 4000, "stack": "1M"})}})
    got = d.probe("p")["limits"]
    wanted = {"as": 512 << 20, "core": 0, "cpu": 30, "data": 256 << 20, "fsize": 1 << 20, "memlock": 0,
              "nofile": 64, "nproc": 4000, "stack": 1 << 20}
    assert {name: soft for name, (soft, _) in got.items()} == wanted


def test_an_rlimit_that_superd_cannot_give_is_refused_at_load(superd, probe):
    without = ["setpriv", "--bounding-set=-sys_resource"] if ROOT else []
    d = superd({"services": {"p": probe(rlimits={"nofile": 1000})}}, ready=False,
               prefix=["prlimit", "--nofile=64:64", *without])
    assert d.wait(PATIENCE) == 1
    assert "rlimits: nofile" in d.stderr()
    d.status = 0


def test_nice_directory_and_argv0(superd, probe, folder, probes):
    d = superd({"services": {
        "p": probe(nice=7, directory=str(folder)),
        "plain": probe(),
        "named": {"listen": "127.0.0.1:0", "exec": [str(probes / "probe"), "-x", "a b", ""],
                  "argv0": "ftpd"}}})
    told = d.probe("p")
    assert (told["nice"], told["cwd"]) == (os.nice(0) + 7, str(folder))
    told = d.probe("plain")
    assert (told["nice"], told["cwd"]) == (os.nice(0), "/")
    assert d.probe("named")["argv"] == ["ftpd", "-x", "a b", ""]


def test_a_directory_that_is_gone_is_told_and_nothing_runs(superd, probe, folder):
    place = folder / "place"
    place.mkdir()
    d = superd({"services": {"p": probe(directory=str(place)), "echo": echo()}})
    d.probe("p")
    place.rmdir()
    assert d.ask("p") == b""
    told = d.wait_for("exec-failed")
    assert told["call"] == "chdir" and told["directory"] == str(place) and "No such" in told["error"]
    assert d.wait_for("close", service="p", where=lambda e: e["exit"])["exit"] == 127
    d.answers("echo")


def test_no_new_privs_unless_asked_otherwise(superd, probe):
    d = superd({"services": {"p": probe(), "may": probe(no_new_privs=False)}})
    assert d.probe("p")["no_new_privs"] == 1
    assert d.probe("may")["no_new_privs"] == 0


# ---------------------------------------------------------------- between clone and exec


def output(*argv):
    if not shutil.which(argv[0]):
        pytest.skip(f"not installed: {argv[0]}")
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def names_in(disassembly, function):
    """What the code of a function refers to by name; the compiler may have made parts of it."""
    parts = re.findall(rf"^[0-9a-f]+ <{function}(?:\.[\w.]+)?>:\n((?:.+\n)+)", disassembly, re.M)
    assert parts, f"there is no {function} any more"
    return {name for part in parts for name in re.findall(r"<([A-Za-z_]\w*)", part) +
            re.findall(r"\bR_\w+\s+([A-Za-z_]\w*)", part)}


@pytest.mark.skipif(FLAVOR == "cov", reason="a build that counts lines calls what counts them")
def test_h16_the_child_calls_nothing_of_libc():
    """It shares superd's memory: no malloc, no lock, no errno.  All of its steps are system calls
    made by hand, so steps.o needs nobody; and of start.o two functions are the child's."""
    steps, start = BUILD / "daemon/os/steps.o", BUILD / "daemon/os/start.o"
    if not steps.exists():
        pytest.skip("not built here: the object files")
    known = r"x86_64|aarch64|riscv64|i[3-6]86|armv\d\w*"
    assert re.fullmatch(known, machine()), "see raw.h: others go through syscall(2)"
    needed = {line.split()[-1] for line in output("nm", "-u", steps).splitlines() if line}
    # What registers a file's variables does so when superd starts; the check of the stack only
    # ends a process that is broken; i386 asks where it is to find its variables.
    harmless = {"__stack_chk_fail", "__stack_chk_fail_local", "__stack_chk_guard", "__asan_init",
                "__asan_register_globals", "__asan_unregister_globals",
                "_GLOBAL_OFFSET_TABLE_", "__x86"}
    assert {n for n in needed - harmless if "version_mismatch_check" not in n} == set()
    text = output("objdump", "-dr", "--no-show-raw-insn", start)
    names = names_in(text, "child") | names_in(text, "have_own_files")
    if "raw_call" in names:  # a sanitizer's build does not inline it
        names |= names_in(text, "raw_call")
    assert "steps_walk" in names
    assert names - harmless <= {"child", "have_own_files", "raw_call", "steps_walk"}


# ---------------------------------------------------------------- identity


@needs_root
def test_h17_user_and_groups_are_those_of_the_account(superd, probe):
    nobody = account()
    d = superd({"services": {
        "p": probe(user="nobody"),
        "number": probe(user="12345"),
        "group": probe(user="nobody", group="daemon"),
        "groups": probe(user="nobody", groups=["daemon", "bin"]),
        "none": probe(user="nobody", groups=[])}}, preexec_fn=lambda: os.setgroups([0, 4, 27]))
    daemon, binary = grp.getgrnam("daemon").gr_gid, grp.getgrnam("bin").gr_gid
    for service, uid, gid, groups in [
            ("p", nobody.pw_uid, nobody.pw_gid, None),
            ("number", 12345, 12345, set()),
            ("group", nobody.pw_uid, daemon, None),
            ("groups", nobody.pw_uid, nobody.pw_gid, {daemon, binary}),
            ("none", nobody.pw_uid, nobody.pw_gid, set())]:
        told = d.probe(service)
        assert told["uids"] == [uid] * 3, service
        assert told["gids"] == [gid] * 3, service
        assert not told["setuid0"] and not told["setgid0"], f"{service} can go back to root"
        got = set(told["groups"]) - {gid}
        if groups is None:
            groups = set(os.getgrouplist("nobody", gid)) - {gid}
        assert got == groups - {gid}, service
        assert 4 not in told["groups"] and 27 not in told["groups"], "superd's own groups"


@needs_root
def test_h17_root_keeps_root_only_when_it_says_so(superd, probe, folder):
    d = superd({"services": {"p": {**probe(), "user": "root"}}}, preset=False)
    assert d.probe("p")["uids"] == [0, 0, 0]
    refused = superd({"services": {"p": probe()}}, preset=False, ready=False)
    assert refused.wait(PATIENCE) == 1
    assert "user" in refused.stderr()
    refused.status = 0


def test_h17_an_unknown_user_is_refused_at_load(superd, probe):
    d = superd({"services": {"p": probe(user="nosuchuser")}}, ready=False)
    assert d.wait(PATIENCE) == 1
    assert "nosuchuser" in d.stderr()
    d.status = 0


@needs_root
def test_h17_a_step_that_fails_starts_nothing(superd, probe):
    """A setuid that cannot work (no such id in this user namespace) must not run the program."""
    d = superd({"services": {"p": probe(user="12345"), "echo": echo(user="root")}},
               prefix=["unshare", "--user", "--map-root-user"])
    assert d.ask("p") == b""
    told = d.wait_for("exec-failed")
    assert told["call"] in ("setgroups", "setresgid", "setresuid")
    assert d.wait_for("close", service="p")["exit"] == 126
    d.wait_idle()


def test_without_root_the_own_user_is_fine(superd, probe):
    if ROOT:
        pytest.skip("root is the other case")
    import pwd
    name = pwd.getpwuid(os.geteuid()).pw_name
    d = superd({"services": {"p": probe(user=name)}})
    assert d.probe("p")["uids"] == [os.geteuid()] * 3


@needs_root
def test_superd_as_an_ordinary_user_serves(superd, probe, folder):
    d = superd({"services": {"p": probe(), "echo": echo()}}, preset=False,
               prefix=["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])
    told = d.probe("p")
    assert told["uids"] == [account().pw_uid] * 3
    d.answers("echo")


@needs_root
def test_a_directory_is_entered_as_the_user(superd, probe, folder):
    place = folder / "secret"
    place.mkdir()
    place.chmod(0o700)
    d = superd({"services": {"p": probe(user="nobody", directory=str(place))}})
    assert d.ask("p") == b""
    told = d.wait_for("exec-failed")
    assert told["call"] == "chdir" and "ermission" in told["error"]


@needs_root
def test_chroot(superd, probes, folder):
    jail = folder / "jail"
    (jail / "bin").mkdir(parents=True)
    (jail / "data").mkdir()
    shutil.copy(probes / "probe", jail / "bin" / "probe")
    shutil.copy(handler("echo"), jail / "bin" / "echo")
    d = superd({"services": {
        "p": {"listen": "127.0.0.1:0", "exec": ["/bin/probe"], "chroot": str(jail),
              "directory": "/data", "user": "nobody"},
        "echo": {"listen": "127.0.0.1:0", "exec": "/bin/echo", "chroot": str(jail),
                 "user": "nobody"}}})
    told = d.probe("p")
    assert told["root"] == "empty" and told["cwd"] == "/data"
    assert told["uids"] == [account().pw_uid] * 3
    d.answers("echo")


# ---------------------------------------------------------------- environment


def test_h22_the_environment_of_a_tcp_handler(superd, probe):
    d = superd({"services": {"p": probe(env={"COLOUR": "blue sky", "EMPTY": ""})}},
               env={"LD_PRELOAD_X": "1", "SECRET": "x", "HOME": "/elsewhere"})
    with d.connect("p") as c:
        port = c.sock.getsockname()[1]
        env = env_of(json.loads(c.read_all()))
    conn = d.wait_for("accept")["conn"]
    ours = {k: env.pop(k) for k in list(env) if k in ("USER", "LOGNAME", "HOME", "SHELL")}
    assert ours.get("HOME") != "/elsewhere"
    assert "/bin" in env.pop("PATH").split(":")
    local = str(port_of(d.addr["p"]))
    assert env == {
        "SUPERD_SERVICE": "p", "SUPERD_CONN": str(conn), "PROTO": "TCP",
        "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": str(port),
        "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": local,
        "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": str(port),
        "SERVER_ADDR": "127.0.0.1", "SERVER_PORT": local,
        "COLOUR": "blue sky", "EMPTY": ""}


def test_h22_the_environment_of_an_ipv6_handler(superd, probe):
    d = superd({"services": {"p": probe("[::1]:0")}})
    env = env_of(d.probe("p"))
    assert env["REMOTE_ADDR"] == env["TCPREMOTEIP"] == "::1"
    assert env["SERVER_ADDR"] == env["TCPLOCALIP"] == "::1"
    assert env["PROTO"] == "TCP" and env["SERVER_PORT"] == str(port_of(d.addr["p"]))


def test_h22_the_environment_of_a_unix_handler(superd, probe, folder):
    d = superd({"services": {"p": probe(f"unix:{folder}/p.sock")}})
    env = env_of(d.probe("p"))
    assert env["PROTO"] == "IPC"
    assert env["IPCREMOTEEUID"] == str(os.geteuid())
    assert env["IPCREMOTEEGID"] == str(os.getegid())
    assert env["IPCREMOTEPID"] == str(os.getpid())
    assert not [k for k in env if k.startswith(("TCP", "REMOTE_", "SERVER_"))]


def test_h22_nothing_of_superds_own_environment_passes_unless_named(superd, probe):
    bad = {"HTTP_PROXY": "http://evil", "http_proxy": "x", "BASH_FUNC_ls%%": "() { echo evil; }",
           "LD_LIBRARY_PATH": "/nonexistent", "TERM": "dumb", "TZ": "Mars", "NOTIFY_SOCKET": "/x",
           "LISTEN_FDS": "3", "ENV": "/etc/evil", "IFS": "x", "PLAIN": "1"}
    d = superd({"services": {"p": probe(), "some": probe(pass_env=["TZ", "TERM", "NOT_THERE"])}}, env=bad)
    env = env_of(d.probe("p"))
    assert not set(bad) & set(env)
    env = env_of(d.probe("some"))
    assert (env["TZ"], env["TERM"]) == ("Mars", "dumb")
    assert not (set(bad) - {"TZ", "TERM"}) & set(env) and "NOT_THERE" not in env


@pytest.mark.skipif(ASAN, reason="a preloaded library comes before the sanitizer's")
def test_h22_ld_preload_does_not_pass(superd, probe, folder):
    source, library = folder / "x.c", folder / "x.so"
    source.write_text("int superd_e2e;\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    d = superd({"services": {"p": probe()}}, env={"LD_PRELOAD": str(library)})
    assert not [k for k in env_of(d.probe("p")) if k.startswith("LD_")]


@needs_root
def test_h22_the_account_is_in_the_environment(superd, probe):
    d = superd({"services": {"p": probe(user="nobody")}})
    env, nobody = env_of(d.probe("p")), account()
    assert env["USER"] == env["LOGNAME"] == "nobody"
    assert (env["HOME"], env["SHELL"]) == (nobody.pw_dir, nobody.pw_shell)


@pytest.mark.parametrize("listeners,how", [(1, "clone(CLONE_VM)"), (200, "clone(CLONE_VM|CLONE_FILES)")])
def test_h23_the_start_copies_no_memory(superd, listeners, how):
    """fork would: a start that grows with superd.  The tour says what is called; with many
    descriptors their table is shared as well."""
    d = superd({"services": {"echo": echo(["127.0.0.1:0"] * listeners)}}, args=("-vv",))
    for _ in range(3):
        d.answers("echo")
    told = d.wait_for("tour", where=lambda e: e["call"].startswith("fork() = "))
    assert told["call"].endswith(how)


def test_the_soft_limit_of_this_test_is_what_a_handler_sees(superd, probe):
    d = superd({"services": {"p": probe()}})
    assert d.probe("p")["limits"]["nofile"] == list(resource.getrlimit(resource.RLIMIT_NOFILE))
