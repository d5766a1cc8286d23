"""What administrators run from inetd, under superd, each with its real client."""

import os
import pwd
import shutil
import subprocess

import pytest

from superdlib import port_of


def needs(*programs):
    missing = [p for p in programs if not (shutil.which(p) or shutil.which(f"/usr/sbin/{p}"))]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}; make deps")


def run(*argv, **kw):
    return subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, **kw)


def me():
    return pwd.getpwuid(os.geteuid()).pw_name


@needs("git")
def test_git_daemon_serves_a_clone(superd, folder):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    repo = folder / "srv" / "project"
    repo.mkdir(parents=True)
    for argv in (["init", "-q", "-b", "main"], ["config", "user.email", "a@example.org"],
                 ["config", "user.name", "A"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        assert run("git", "-C", repo, *argv, env=env).returncode == 0
    (repo / ".git" / "git-daemon-export-ok").touch()
    d = superd({"services": {"git": {
        "listen": "127.0.0.1:0",
        "exec": ["git", "daemon", "--inetd", f"--base-path={folder / 'srv'}", str(folder / "srv")],
        "env": {"HOME": str(folder)}}}})
    clone = run("git", "clone", "-q", f"git://127.0.0.1:{port_of(d.addr['git'])}/project",
                folder / "clone", env=env)
    assert clone.returncode == 0, clone.stdout
    assert "first" in run("git", "-C", folder / "clone", "log", "--oneline", env=env).stdout
    d.wait_for("close", exit=0)


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


@needs("sshd", "ssh", "ssh-keygen")
def test_sshd_runs_a_command(superd, folder):
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
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
    d = superd({"services": {"ssh": {"listen": "127.0.0.1:0", "exec": [sshd, "-i", "-f", str(conf)],
                                     "no_new_privs": False}}})
    done = run("ssh", "-p", port_of(d.addr["ssh"]), "-i", folder / "user", "-F", "none",
               "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder}/known",
               "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", f"{me()}@127.0.0.1",
               "echo it works; echo $SSH_CONNECTION")
    assert done.returncode == 0 and done.stdout.startswith("it works\n127.0.0.1 "), done.stdout + d.stderr()
    # A shell that lives and is fed.
    fed = run("ssh", "-p", port_of(d.addr["ssh"]), "-i", folder / "user", "-F", "none",
              "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder}/known",
              "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", f"{me()}@127.0.0.1", "cat | tr a-z A-Z",
              input="hello\n" * 1000)
    assert fed.stdout == "HELLO\n" * 1000
