"""What administrators run from inetd, under superd, each with its real client; and the
configurations that Debian ships for such programs, converted by superd-import and served.

The servers that cannot be installed beside each other are unpacked in build/world, see
tests/world/fetch.sh.  `make check-world` brings all of it and lets no test be skipped.
"""

import json
import os
import pathlib
import pty
import pwd
import re
import select
import shutil
import subprocess
import time

import pytest

from superdlib import HANDLERS, PATIENCE, SUPERD, TOP, needs_root, port_of
from test_import import NAMESPACE, imported, run_import, with_handlers

WORLD = TOP / "build" / "world"
SAMPLES = TOP / "etc" / "services.d"
COMPLETE = os.environ.get("WORLD") == "complete"  # nothing may be missing
SBIN = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/games"]


def which(program):
    return shutil.which(program) or shutil.which(program, path=":".join(SBIN))


def unpacked(program):
    """The path of a server that is installed or in build/world; None without."""
    path = which(program)
    found = [p for p in WORLD.glob(f"*/usr/*bin/{program}") if ".new" not in str(p)]
    return path or (str(found[0]) if found else None)


def needs(*programs):
    missing = [p for p in programs if not unpacked(p)]
    assert not (missing and COMPLETE), f"make check-world has not brought {missing}"
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}; make deps-world")


@pytest.fixture
def server(folder):
    """The path of a server that any user can reach."""
    def place(program):
        path = unpacked(program)
        if not path.startswith(str(WORLD)):
            return path
        (folder / "sbin").mkdir(exist_ok=True)
        return shutil.copy(path, folder / "sbin" / program)
    return place


def run(*argv, **kw):
    return subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, **kw)


def inside(daemon, *argv, **kw):
    """A client in the network of its superd."""
    return run("nsenter", "--net", f"--target={daemon.pid}", *argv, **kw)


def me():
    return pwd.getpwuid(os.geteuid()).pw_name


def words_of(service):
    return [service["exec"]] if isinstance(service["exec"], str) else service["exec"]


# ---------------------------------------------------------------- git


@pytest.fixture
def repository(folder):
    """A repository below a folder, with one commit, and the environment for git."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    repo = folder / "srv" / "project"
    repo.mkdir(parents=True)
    for argv in (["init", "-q", "-b", "main"], ["config", "user.email", "a@example.org"],
                 ["config", "user.name", "A"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        assert run("git", "-C", repo, *argv, env=env).returncode == 0
    (repo / ".git" / "git-daemon-export-ok").touch()
    return folder / "srv", env


@needs("git")
def test_git_daemon_serves_a_clone_and_refuses_a_push(superd, folder, repository):
    base, env = repository
    d = superd({"services": {"git": {
        "listen": "127.0.0.1:0",
        "exec": ["git", "daemon", "--inetd", f"--base-path={base}", str(base)],
        "env": {"HOME": str(folder)}}}})
    url = f"git://127.0.0.1:{port_of(d.addr['git'])}/project"
    clone = run("git", "clone", "-q", url, folder / "clone", env=env)
    assert clone.returncode == 0, clone.stdout
    assert "first" in run("git", "-C", folder / "clone", "log", "--oneline", env=env).stdout
    d.wait_for("close", exit=0)
    for argv in (["config", "user.email", "b@example.org"], ["config", "user.name", "B"],
                 ["commit", "-q", "--allow-empty", "-m", "second"]):
        assert run("git", "-C", folder / "clone", *argv, env=env).returncode == 0
    push = run("git", "-C", folder / "clone", "push", "origin", "main", env=env)
    assert push.returncode != 0 and "access denied" in push.stdout, push.stdout
    assert "second" not in run("git", "-C", base / "project", "log", "--oneline", env=env).stdout


@needs("git")
@needs_root
def test_the_sample_of_git_serves_repositories_that_are_not_its_users(superd, folder, repository):
    base, env = repository
    sample = json.loads((SAMPLES / "git.json").read_text())["services"]["git"]
    sample["exec"] = [word.replace("/srv/git", str(base)) for word in sample["exec"]]
    d = superd({"services": {"git": {**sample, "enabled": True, "listen": "127.0.0.1:0"}}})
    url = f"git://127.0.0.1:{port_of(d.addr['git'])}/project"
    told = run("git", "ls-remote", url, env=env)
    assert told.returncode == 0 and "refs/heads/main" in told.stdout, told.stdout


# ---------------------------------------------------------------- rsync


@needs("rsync")
def test_rsync_copies_a_tree(superd, folder):
    (folder / "data").mkdir()
    content = os.urandom(3_000_000)
    (folder / "data" / "big").write_bytes(content)
    (folder / "data" / "small").write_text("hello\n")
    conf = folder / "rsyncd.conf"
    conf.write_text(f"use chroot = no\n[data]\npath = {folder / 'data'}\nread only = yes\n"
                    + (f"uid = {os.geteuid()}\ngid = {os.getegid()}\n" if os.geteuid() == 0 else ""))
    d = superd({"services": {"rsync": {
        "listen": "127.0.0.1:0", "exec": ["rsync", "--daemon", f"--config={conf}"]}}})
    port = port_of(d.addr["rsync"])
    assert "data" in run("rsync", f"rsync://127.0.0.1:{port}/").stdout
    copied = run("rsync", "-a", f"rsync://127.0.0.1:{port}/data/", folder / "copy")
    assert copied.returncode == 0, copied.stdout
    assert (folder / "copy" / "big").read_bytes() == content
    assert (folder / "copy" / "small").read_text() == "hello\n"
    written = run("rsync", "-a", folder / "copy" / "small", f"rsync://127.0.0.1:{port}/data/new")
    assert written.returncode != 0 and "read only" in written.stdout


# ---------------------------------------------------------------- ssh


@pytest.fixture
def keys(folder):
    """An sshd_config with keys that live as long as the test; returns the client's command line."""
    for name in ("host", "user"):
        assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name).returncode == 0
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    conf = folder / "sshd_config"
    conf.write_text(f"""HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PidFile none
""")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)

    def client(port):
        return ["ssh", "-p", port, "-i", folder / "user", "-F", "none", "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={folder}/known", "-o", "IdentitiesOnly=yes", "-o",
                "LogLevel=ERROR", f"{me()}@127.0.0.1"]
    return conf, client


@needs("sshd", "ssh", "ssh-keygen")
@pytest.mark.skipif(pwd.getpwuid(os.geteuid()).pw_shell.endswith(("nologin", "false")),
                    reason="this user has no shell to log in to")
def test_sshd_runs_a_command(superd, keys):
    conf, client = keys
    d = superd({"services": {"ssh": {"listen": "127.0.0.1:0", "exec": [which("sshd"), "-i", "-f", str(conf)],
                                     "no_new_privs": False}}})
    port = port_of(d.addr["ssh"])
    done = run(*client(port), "echo it works; echo $SSH_CONNECTION")
    assert done.returncode == 0 and done.stdout.startswith("it works\n127.0.0.1 "), done.stdout + d.stderr()
    # A shell that lives and is fed.
    fed = run(*client(port), "cat | tr a-z A-Z", input="hello\n" * 1000)
    assert fed.stdout == "HELLO\n" * 1000


@needs_root
@needs("sshd", "ssh", "ssh-keygen")
@pytest.mark.skipif(not pathlib.Path("/lib/systemd/system/ssh.socket").exists(), reason="make deps")
def test_the_socket_unit_of_openssh_is_served(superd, keys):
    """One sshd is handed the listening socket, as by systemd, and accepts itself."""
    conf, client = keys
    config = json.loads(run_import("systemd", "ssh.socket").stdout)
    service = config["services"]["ssh"]
    service["exec"] += ["-f", str(conf)]
    d = superd(config, prefix=NAMESPACE)
    d.checked_fds = False  # sshd stays until it is told to end
    for _ in range(3):
        done = inside(d, *client("22"), "echo it works")
        assert (done.returncode, done.stdout) == (0, "it works\n"), done.stdout + d.stderr()
    assert len(d.find("accept")) == 1, "the one process serves them all"


# ---------------------------------------------------------------- lines that packages bring


def line_of(package, name):
    """The line that a package adds to inetd.conf when it is installed, from its script."""
    text = (WORLD / package / "DEBIAN" / "postinst").read_text()
    match = re.search(rf"""["']((?:#<off># )?{name}(?:\\t|\s)[^"']*)["']""", text)
    return match[1].replace("\\t", "\t") + "\n"


def from_line(folder, package, name, path):
    """The configuration of that line, switched on, with the program where it is here."""
    (folder / "inetd.conf").write_text(line_of(package, name))
    config = imported("inetd", folder / "inetd.conf")
    service, = config["services"].values()
    program, *rest = words_of(service)
    assert os.path.basename(program) == os.path.basename(path)
    service["exec"] = [path, *rest]
    service.pop("enabled", None)
    return config


@needs_root
@needs("in.fingerd", "finger")
def test_fingerd_answers_finger(superd, folder, server):
    d = superd(from_line(folder, "fingerd", "finger", server("in.fingerd")), prefix=NAMESPACE)
    done = inside(d, "finger", "-l", "root@127.0.0.1")
    assert "Login: root" in done.stdout and "Directory: /root" in done.stdout, done.stdout
    d.wait_for("close", exit=0)


@needs_root
@needs("nullidentd", "nc")
def test_nullidentd_answers_a_question_about_a_connection(superd, folder, server):
    config = from_line(folder, "nullidentd", "ident", server("nullidentd"))
    d = superd(config, prefix=NAMESPACE)
    done = inside(d, "nc", "-N", "127.0.0.1", "113", input="22, 4711\r\n")
    assert "22, 4711 : USERID : UNIX : " in done.stdout, done.stdout


class Terminal:
    """A program on a terminal of its own, as a person uses it."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.seen = ""

    def expect(self, text):
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in {self.seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"it ended, without {text!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@needs_root
@needs("telnetd", "telnet", "openssl")
def test_telnetd_logs_a_user_in(superd, folder, server):
    """Through login(1), with a password, in a place where one more user is known."""
    secret = run("openssl", "passwd", "-6", "open sesame").stdout.strip()
    (folder / "passwd").write_text(pathlib.Path("/etc/passwd").read_text() +
                                   "visitor:x:4711:65534:A visitor:/tmp:/bin/sh\n")
    (folder / "shadow").write_text(pathlib.Path("/etc/shadow").read_text() +
                                   f"visitor:{secret}:20000:0:99999:7:::\n")
    (folder / "shadow").chmod(0o600)
    line = (f'mount --bind {folder}/passwd /etc/passwd; mount --bind {folder}/shadow /etc/shadow; '
            'ip link set lo up; exec "$@"')
    config = from_line(folder, "inetutils-telnetd", "telnet", server("telnetd"))
    d = superd(config, prefix=["unshare", "--net", "--mount", "sh", "-c", line, "sh"])
    terminal = Terminal(["nsenter", "--net", f"--target={d.pid}", "telnet", "127.0.0.1"])
    terminal.expect("login: ")
    terminal.type("visitor\n")
    terminal.expect("Password: ")
    terminal.type("open sesame\n")
    terminal.expect("$ ")
    terminal.type("id -un; tty; echo $((6 * 7))\n")
    said = terminal.expect("42")
    assert "visitor" in said and "/dev/pts/" in said, said
    terminal.type("exit\n")
    terminal.expect("onnection closed")
    terminal.close()


# ---------------------------------------------------------------- HTTP


@needs("busybox", "curl")
def test_busybox_serves_files_and_runs_a_cgi(superd, folder):
    """httpd -i, and a CGI of a few lines below it, which knows its client."""
    www = folder / "www"
    (www / "cgi-bin").mkdir(parents=True)
    (www / "index.html").write_text("<h1>here</h1>\n")
    (www / "big").write_bytes(os.urandom(1_000_000))
    script = www / "cgi-bin" / "ask"
    script.write_text("#!/bin/sh\necho 'Content-Type: text/plain'\necho\n"
                      "echo \"$REQUEST_METHOD $QUERY_STRING from $REMOTE_ADDR\"\ncat\n")
    script.chmod(0o755)
    d = superd({"services": {"www": {"listen": "127.0.0.1:0", "exec": ["busybox", "httpd", "-i", "-h", str(www)],
                                     "close": "linger"}}})
    url = f"http://127.0.0.1:{port_of(d.addr['www'])}"
    assert run("curl", "-sS", f"{url}/").stdout == "<h1>here</h1>\n"
    assert run("curl", "-sS", "-o", folder / "big", f"{url}/big").returncode == 0
    assert (folder / "big").read_bytes() == (www / "big").read_bytes()
    assert run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/nothing").stdout == "404"
    posted = run("curl", "-sS", "-d", "a body", f"{url}/cgi-bin/ask?n=1")
    assert posted.stdout == "POST n=1 from 127.0.0.1\na body", posted.stdout


@needs_root
@needs("micro-httpd", "curl")
def test_the_socket_unit_of_micro_httpd_is_served(superd, folder, server):
    units = WORLD / "micro-httpd" / "lib" / "systemd" / "system"
    units = units if units.exists() else pathlib.Path("/lib/systemd/system")
    config = imported("systemd", units / "micro-httpd.socket")
    service = config["services"]["micro-httpd"]
    (folder / "www").mkdir()
    (folder / "www" / "page.html").write_text("<p>a page</p>\n")
    service["exec"] = [server("micro-httpd"), str(folder / "www")]
    assert service["user"] == "www-data" and service["freebind"] is True
    d = superd(config, prefix=NAMESPACE)
    assert inside(d, "curl", "-sS", "http://127.0.0.1/page.html").stdout == "<p>a page</p>\n"
    assert inside(d, "curl", "-sS", "http://127.0.0.1/../page.html", "--path-as-is", "-o", "/dev/null", "-w",
                  "%{http_code}").stdout == "400"


# ---------------------------------------------------------------- CVS


@needs("cvs")
def test_cvs_checks_out_from_a_pserver(superd, folder):
    """Anonymous, with passwords of its own, as CVS servers were run from inetd."""
    env = {**os.environ, "HOME": str(folder), "CVS_PASSFILE": str(folder / "cvspass")}
    root, work = folder / "cvs", folder / "work"
    assert run("cvs", "-d", root, "init", env=env).returncode == 0
    work.mkdir()
    (work / "README").write_text("a file\n")
    done = run("cvs", "-Q", "-d", root, "import", "-m", "first", "project", "vendor", "start", cwd=work, env=env)
    assert done.returncode == 0, done.stdout
    account = "nobody" if os.geteuid() == 0 else me()  # root is not allowed
    (root / "CVSROOT" / "passwd").write_text(f"anonymous::{account}\n")
    (root / "CVSROOT" / "readers").write_text("anonymous\n")
    for path in [root, *root.rglob("*")]:
        shutil.chown(path, account)
    d = superd({"services": {"cvs": {
        "listen": "127.0.0.1:0", "exec": ["cvs", "-f", f"--allow-root={root}", "pserver"],
        "env": {"HOME": str(folder)}}}})
    url = f":pserver:anonymous:@127.0.0.1:{port_of(d.addr['cvs'])}{root}"
    (folder / "out").mkdir()
    done = run("cvs", "-Q", "-d", url, "checkout", "project", cwd=folder / "out", env=env)
    assert done.returncode == 0, done.stdout
    assert (folder / "out" / "project" / "README").read_text() == "a file\n"


# ---------------------------------------------------------------- TFTP


@needs_root
@needs("in.tftpd", "tftp", "curl")
def test_tftpd_is_handed_its_socket_and_sends_files(superd, folder, server):
    """A datagram service: superd waits, in.tftpd reads the first request itself."""
    tree = folder / "tftp"
    tree.mkdir()
    content = os.urandom(100_000)
    (tree / "kernel").write_bytes(content)
    (folder / "inetd.conf").write_text(
        f"tftp dgram udp wait root {server('in.tftpd')} in.tftpd -u nobody -s {tree}\n")
    config = imported("inetd", folder / "inetd.conf")
    d = superd(config, prefix=NAMESPACE)
    d.checked_fds = False  # in.tftpd stays for a quarter of an hour, or until it is told to end
    done = inside(d, "tftp", "127.0.0.1", "-m", "binary", "-c", "get", "kernel", folder / "got")
    assert done.returncode == 0 and (folder / "got").read_bytes() == content, done.stdout
    done = inside(d, "curl", "-sS", "-o", folder / "again", "tftp://127.0.0.1/kernel")
    assert done.returncode == 0 and (folder / "again").read_bytes() == content, done.stdout
    assert inside(d, "curl", "-sS", "tftp://127.0.0.1/nothing").returncode != 0
    assert len(d.find("accept")) == 1, "the one process serves them all"


# ---------------------------------------------------------------- xinetd's own files


@needs_root
@pytest.mark.skipif(not (WORLD / "xinetd").exists(), reason="not unpacked: xinetd; make deps-world")
def test_the_files_that_xinetd_ships_are_converted_and_served(superd, folder):
    """All of its services are disabled as it comes; echo is switched on as its owner would."""
    shutil.copytree(WORLD / "xinetd" / "etc", folder / "etc")
    conf = folder / "etc" / "xinetd.conf"
    conf.write_text(conf.read_text().replace("includedir /etc/", "includedir "))
    done = run_import("xinetd", conf)
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert {"echo-stream", "echo-dgram", "daytime-stream", "chargen-dgram", "time-stream"} <= set(services)
    assert not any(s.get("enabled", True) for s in services.values())
    assert "all services are disabled" in done.stderr
    assert "superd has no 'servers' of its own" in done.stderr
    echo = folder / "etc" / "xinetd.d" / "echo"
    echo.write_text(echo.read_text().replace("disable\t\t= yes", "disable\t\t= no", 1))
    config = imported("xinetd", echo)
    config["services"] = {"echo-stream": config["services"]["echo-stream"]}
    d = superd(config, prefix=NAMESPACE, env=with_handlers())
    assert inside(d, "nc", "-N", "127.0.0.1", "7", input="hello").stdout == "hello"


# ---------------------------------------------------------------- side by side with the others


@pytest.fixture
def peer():
    """Another super-server in a network of its own; what it returns is asked as superd is."""
    started = []

    class Peer:
        def __init__(self, *argv):
            line = 'ip link set lo up; exec "$@"'
            self.process = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", line, "sh", *map(str, argv)], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.pid = self.process.pid
            started.append(self.process)

    yield Peer
    for process in started:
        process.kill()
        process.wait()


def ask(server, source, host, port):
    """What a client hears; nothing is an answer, too."""
    family = ["-s", source] if source else []
    return inside(server, "nc", "-N", *family, host, str(port), stdin=subprocess.DEVNULL).stdout


def same_answers(other, superd, questions):
    """Asks both all questions, once the other one is there."""
    end = time.monotonic() + PATIENCE
    first = next(q for q in questions if ask(superd, *q))
    while not ask(other, *first):
        assert other.process.poll() is None, "it ended"
        assert time.monotonic() < end, "it does not answer"
        time.sleep(0.05)
    heard = 0
    for question in questions:
        theirs, ours = ask(other, *question), ask(superd, *question)
        assert theirs == ours, (question, theirs, ours)
        heard += bool(ours)
    assert 0 < heard < len(questions), "some are served, some are not"


INETD = """
9001 stream tcp nowait nobody /bin/sh greeter -c {script}
127.0.0.2:9002 stream tcp nowait nobody:daemon /usr/bin/id id
9003 stream tcp4 nowait daemon /usr/bin/id id
9004 stream tcp6 nowait nobody /bin/echo echo a b  c
127.0.0.1,127.0.0.3:9005 stream tcp nowait nobody /bin/echo echo two addresses
127.0.0.4:
9006 stream tcp nowait nobody /bin/echo echo one address
*:
9007 stream tcp nowait root /bin/echo
	echo goes on
"""


@needs_root
@needs("nc")
@pytest.mark.parametrize("dialect, command", [
    ("openbsd", ["openbsd-inetd/usr/sbin/inetd", "-i"]),
    ("gnu", ["inetutils-inetd/usr/sbin/inetutils-inetd", "-d"])])
def test_clients_hear_the_same_from_inetd_and_from_superd(superd, peer, folder, dialect, command):
    program = WORLD / command[0]
    if not program.exists():
        pytest.skip("not unpacked; make deps-world")
    conf = folder / "inetd.conf"
    script = 'echo "I am $0"; id; umask; ulimit -n'
    text = INETD.replace("{script}", f"'{script}'" if dialect == "gnu" else "id;echo${IFS}'$0';umask")
    if dialect == "gnu":  # it has no lines with an address only, and ends at the end of a line
        text = text.replace("127.0.0.4:\n", "").replace("*:\n", "").replace("echo\n\techo", "echo echo")
    conf.write_text(text)
    config = imported("inetd", "-d", dialect, conf)
    other = peer(program, *command[1:], conf)
    d = superd(config, prefix=NAMESPACE)
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1"]
    if dialect == "gnu":  # it takes a second for each
        hosts = ["127.0.0.1", "127.0.0.3", "::1"]
    questions = [(None, host, port) for port in range(9001, 9008) for host in hosts]
    questions.remove((None, "::1", 9007))  # the second half of the line is lost to it on IPv6
    same_answers(other, d, questions)


XINETD = """
defaults
{
	only_from	= 127.0.0.1 127.1.2.0 127.2.0.0
	no_access	= 127.2.3.4
	banner_fail	= {folder}/fail
	umask		= 037
	passenv		= TZ
}
service plain
{
	type		= UNLISTED
	port		= 9001
	socket_type	= stream
	wait		= no
	user		= nobody
	server		= /bin/sh
	server_args	= {folder}/tell
}
service more
{
	type		= UNLISTED
	flags		= NAMEINARGS IPv4
	port		= 9002
	socket_type	= stream
	wait		= no
	user		= daemon
	group		= tty
	groups		= yes
	nice		= 7
	umask		= 027
	env		= COLOR=blue
	only_from	+= 127.3.{4,5} 127.4.5.{6,7} 127.5.6.0/26 ::1
	only_from	-= 127.1.2.0
	no_access	= 127.5.6.8/29
	banner_success	= {folder}/success
	server		= /bin/sh
	server_args	= sh {folder}/tell
	rlimit_files	= 77
	rlimit_cpu	= 20
	rlimit_as	= 512M
}
service one-address
{
	type		= UNLISTED
	port		= 9003
	bind		= 127.0.0.9
	socket_type	= stream
	wait		= no
	user		= nobody
	only_from	= 0.0.0.0
	server		= /bin/echo
	server_args	= here
}
service nobody-may
{
	type		= UNLISTED
	port		= 9004
	socket_type	= stream
	wait		= no
	user		= nobody
	only_from	=
	server		= /bin/echo
}
service off
{
	type		= UNLISTED
	disable		= yes
	port		= 9005
	socket_type	= stream
	wait		= no
	user		= nobody
	server		= /bin/echo
}
"""
TELL = """id
umask
nice
ulimit -n; ulimit -t; ulimit -v
echo "$COLOR $TZ"
"""


@needs_root
@needs("nc", "xinetd")
def test_clients_hear_the_same_from_xinetd_and_from_superd(superd, peer, folder):
    """Lists in all their notations, identities, limits, environment, banners."""
    for name, text in (("fail", "Not you.\n"), ("success", "Welcome.\n"), ("tell", TELL)):
        (folder / name).write_text(text)
    conf = folder / "xinetd.conf"
    conf.write_text(XINETD.replace("{folder}", str(folder)))
    config = imported("xinetd", conf)
    other = peer(unpacked("xinetd"), "-dontfork", "-stayalive", "-f", conf, "-filelog", folder / "log",
                 "-pidfile", folder / "pid")
    d = superd(config, prefix=NAMESPACE)
    sources = ["127.0.0.1", "127.0.0.2", "127.1.2.9", "127.1.3.9", "127.2.9.9", "127.2.3.4", "127.3.4.1",
               "127.3.6.1", "127.4.5.6", "127.4.5.8", "127.5.6.1", "127.5.6.9", "127.5.6.16", "127.5.6.99"]
    questions = [(source, "127.0.0.1", port) for port in (9001, 9002, 9003, 9004, 9005) for source in sources]
    questions += [("127.0.0.1", "127.0.0.9", 9003), (None, "::1", 9001), (None, "::1", 9002),
                  (None, "::1", 9003)]
    same_answers(other, d, questions)


# ---------------------------------------------------------------- the samples


@needs_root
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda p: p.stem)
def test_a_sample_passes_when_it_is_enabled(path):
    """Where its programs are."""
    config = json.loads(path.read_text())
    missing = []
    for name, service in config["services"].items():
        assert service.pop("enabled") is False, f"{name} is a sample"
        if "exec" in service:
            program, *rest = words_of(service)
            ours = "/" not in program and (HANDLERS / program).exists()
            path = program if ours else unpacked(os.path.basename(program))
            missing += [] if path else [program]
            service["exec"] = [path, *rest]
    if missing and not COMPLETE:
        pytest.skip(f"not installed: {missing}; make deps-world")
    done = subprocess.run([SUPERD, "-t", "-c", "-"], input=json.dumps(config), text=True, capture_output=True,
                          timeout=PATIENCE, env={**os.environ, **with_handlers()})
    assert (done.returncode, done.stderr) == (0, "")
