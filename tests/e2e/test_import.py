"""superd-import: each input in tests/data/{inetd,xinetd,systemd} gives exactly one configuration and
one report; superd takes what comes out; and configurations that Debian ships are served with it.

`UPDATE_DATA=1 pytest tests/e2e/test_import.py` writes the expected texts anew; read the diff.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from superdlib import HANDLERS, PATIENCE, SUPERD, TOP, needs_root

DATA = TOP / "tests" / "data"
IMPORTER = TOP / "contrib" / "import" / "superd-import"
UPDATE = os.environ.get("UPDATE_DATA") == "1"
NAMESPACE = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]


def cases():
    found = []
    for kind, pattern in (("inetd", "*.conf"), ("xinetd", "*.conf"), ("systemd", "*.socket")):
        found += [(kind, path.stem) for path in sorted((DATA / kind).glob(pattern))
                  if path.is_file()]
    return found


def run_import(*argv, cwd=None):
    return subprocess.run([sys.executable, str(IMPORTER), *map(str, argv)], cwd=cwd, text=True,
                          capture_output=True, timeout=PATIENCE, env={"PATH": os.environ["PATH"]})


def convert(kind, stem):
    suffix = "socket" if kind == "systemd" else "conf"
    dialect = []
    if kind == "inetd":
        dialect = ["-d", "netbsd" if stem == "bad" else stem]
    return run_import(kind, *dialect, f"{stem}.{suffix}", cwd=DATA / kind)


def imported(*argv, cwd=None):
    """The configuration that comes of it, as a dict."""
    done = run_import(*argv, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(config):
    return subprocess.run([SUPERD, "-t", "-c", "-"], input=json.dumps(config), text=True,
                          capture_output=True, timeout=PATIENCE,
                          env={**os.environ, "PATH": f"{HANDLERS}:{os.environ['PATH']}"})


# ---------------------------------------------------------------- what comes out


@pytest.mark.parametrize("kind, stem", cases())
def test_one_input_gives_one_configuration_and_one_report(kind, stem):
    done = convert(kind, stem)
    for text, suffix in ((done.stdout, "json"), (done.stderr, "err")):
        expected = DATA / kind / f"{stem}.{suffix}"
        if UPDATE:
            expected.write_text(text)
        assert text == expected.read_text()
    assert done.returncode == (1 if re.search(r"\berror: ", done.stderr) else 0)


@needs_root
@pytest.mark.parametrize("kind, stem", cases())
def test_superd_takes_what_comes_out(kind, stem):
    text = (DATA / kind / f"{stem}.json").read_text()
    if not text:
        pytest.skip("nothing comes out of this one")
    config = json.loads(text)
    if not any(s.get("enabled", True) for s in config["services"].values()):
        config["services"]["one"] = {"listen": "9999", "exec": "/bin/cat", "user": "nobody"}
    done = check(config)
    assert (done.returncode, done.stderr) == (0, "")


def test_lines_in_the_report_have_places_that_are_right():
    for kind, stem in cases():
        for line in (DATA / kind / f"{stem}.err").read_text().splitlines():
            match = re.match(r"([^ :]+):(\d+): (error|warning|note): (?:service '[^']*': )?([\w@#.]+): ", line)
            if match and "is missing" not in line:
                source = (DATA / kind / match[1]).read_text().split("\n")
                near = "\n".join(source[int(match[2]) - 1:int(match[2]) + 2])
                assert match[4].lower() in near.lower(), line


XINETD = {
    "id": "other", "type": "UNLISTED", "flags": "NODELAY", "disable": "yes", "socket_type": "dgram",
    "protocol": "udp", "wait": "yes", "user": "root", "group": "daemon", "instances": "5", "nice": "3",
    "server": "/bin/echo", "server_args": "-u", "libwrap": "cat", "log_type": "SYSLOG auth", "port": "4711",
    "redirect": "192.0.2.1 80", "bind": "127.0.0.1", "interface": "127.0.0.1", "banner": "banner.txt",
    "banner_success": "banner.txt", "banner_fail": "fail.txt", "per_source": "3", "cps": "5 10",
    "max_load": "2", "groups": "yes", "mdns": "yes", "umask": "077", "rlimit_as": "1M",
    "rlimit_files": "10", "rlimit_cpu": "10", "rlimit_data": "1M", "rlimit_rss": "1M",
    "rlimit_stack": "1M", "v6only": "yes", "access_times": "1:00-2:00", "log_on_success": "HOST",
    "log_on_failure": "USERID", "only_from": "127.0.0.1", "no_access": "127.0.0.1", "env": "A=B",
    "passenv": "TZ", "rpc_version": "1", "rpc_number": "7"}


@pytest.mark.parametrize("name", XINETD)
def test_no_attribute_of_xinetd_is_dropped_silently(folder, name):
    plain = {"type": "UNLISTED", "port": "9001", "socket_type": "stream", "wait": "no", "user": "nobody",
             "server": "/bin/cat"}

    def result(attributes):
        lines = [f"\t{key}\t= {value}" for key, value in attributes.items()]
        (folder / "x").write_text("service x\n{\n" + "\n".join(lines) + "\n}\n")
        for file in ("banner.txt", "fail.txt"):
            shutil.copy(DATA / "xinetd" / file, folder)
        done = run_import("xinetd", "x", cwd=folder)
        return done.stdout, done.stderr

    if name == "type":
        plain.pop("type")
        plain["port"], value = "7", "INTERNAL"
    else:
        value = XINETD[name]
    without, with_it = result(plain), result({**plain, name: value})
    assert without != with_it


def test_a_setting_of_systemd_that_nobody_knows_is_an_error_and_the_rest_is_converted(folder):
    (folder / "a.socket").write_text("[Socket]\nListenStream=9001\nAccept=yes\nNoSuchThing=1\n")
    (folder / "a@.service").write_text("[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
    done = run_import("systemd", "a.socket", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "a.socket:4: error: NoSuchThing: is unknown in [Socket]\n"
    assert json.loads(done.stdout)["services"]["a"]["listen"] == "9001"


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00" * 100, b"\n" * 1000, b"{" * 5000,
                                  b"a on " + b"'" * 99, b"service x\n{", b"[Socket]\n=\n\\\n\\", b"#@",
                                  "ſtream\u2028on = ;".encode()])
def test_input_of_any_kind_is_refused_and_never_crashes(folder, data):
    for kind, name in (("inetd", "x"), ("xinetd", "x"), ("systemd", "x.socket")):
        (folder / name).write_bytes(data)
        done = run_import(kind, name, cwd=folder)
        assert done.returncode == 1 and done.stdout == ""
        assert "Traceback" not in done.stderr and "error: " in done.stderr


DAMAGE = r"""
import argparse, pathlib, random, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import common, inetd, systemd, xinetd

random.seed(4711)
data = pathlib.Path(sys.argv[2])
seeds = [("inetd", inetd, f.read_bytes()) for f in sorted(data.glob("inetd/*.conf"))]
seeds += [("xinetd", xinetd, f.read_bytes()) for f in sorted(data.glob("xinetd/*.conf"))]
seeds += [("systemd", systemd, f.read_bytes()) for f in sorted(data.glob("systemd/*.s[eo]*")) if f.is_file()]
pieces = [bytes([c]) for c in b" \t\n'\"\\{}=+-,;:#@%$/.0129[]azAZ\x00\xff"]
for n in range(int(sys.argv[3])):
    kind, module, text = random.choice(seeds)
    text = bytearray(text)
    for _ in range(random.randint(1, 6)):
        i = random.randrange(len(text) + 1)
        text[i:i + random.choice((0, 0, 1, 20))] = random.choice(pieces + [bytes(text[i // 2:i // 2 + 30])])
    pathlib.Path("x").write_bytes(text)
    pathlib.Path("x.socket").write_bytes(text + b"\n[Socket]\nListenStream=1\nAccept=yes\n")
    pathlib.Path("x@.service").write_bytes(text + b"\n[Service]\nExecStart=/bin/cat\n")
    report = common.Report()
    config = common.Config(report)
    try:
        module.convert(argparse.Namespace(files=["x"], units=["x.socket"], dialect="netbsd",
                                          tcpmux=random.choice(("table", None))), config, report)
        config.text().encode()
    except BaseException:
        print(kind, bytes(text))
        raise
"""


def test_a_damaged_file_never_crashes_an_importer(folder):
    (folder / "damage.py").write_text(DAMAGE)
    done = subprocess.run([sys.executable, "damage.py", IMPORTER.parent, DATA, "1500"], cwd=folder, text=True,
                          capture_output=True, timeout=10 * PATIENCE)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_usage_and_output_file(folder):
    assert run_import().returncode == 2
    assert run_import("inetd", folder / "nowhere").returncode == 1
    (folder / "inetd.conf").write_text("9001 stream tcp nowait nobody /bin/cat cat\n")
    done = run_import("inetd", "-o", "out.json", "inetd.conf", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((folder / "out.json").read_text())["services"]["9001"]["exec"] == "/bin/cat"
    done = run_import("inetd", "-o", "nowhere/out.json", "inetd.conf", cwd=folder)
    assert done.returncode == 1 and "nowhere/out.json: error: cannot be written" in done.stderr


def test_the_command_runs_through_a_link_and_leaves_nothing_behind(folder):
    """As make install makes one."""
    place, link = folder / "libexec", folder / "superd-import"
    shutil.copytree(IMPORTER.parent, place, ignore=shutil.ignore_patterns("__pycache__"))
    link.symlink_to(place / "superd-import")
    done = subprocess.run([link, "inetd", "gnu.conf", "-d", "gnu"], cwd=DATA / "inetd", text=True,
                          capture_output=True, timeout=PATIENCE)
    assert done.stdout == (DATA / "inetd" / "gnu.json").read_text(), done.stderr
    assert not list(place.rglob("__pycache__"))


# ---------------------------------------------------------------- served


def nc(daemon, *argv, data=b""):
    """A client in the network of its superd."""
    done = subprocess.run(["nsenter", "--net", f"--target={daemon.pid}", "nc", "-N", *argv], input=data,
                          capture_output=True, timeout=PATIENCE)
    return done.stdout


@needs_root
def test_lines_of_inetd_are_served_on_their_ports(superd, folder):
    """With port names, an address of its own, tcpd, and an argv[0]."""
    (folder / "inetd.conf").write_text(
        "echo stream tcp nowait nobody /bin/cat cat\n"
        "127.0.0.1:finger stream tcp nowait nobody:daemon /usr/sbin/tcpd /usr/bin/id\n"
        "8080 stream tcp6 nowait root /bin/sh greeter -c echo${IFS}$0\n"
        "#<off># daytime stream tcp nowait root /bin/date date\n")
    d = superd(imported("inetd", folder / "inetd.conf"), prefix=NAMESPACE)
    assert nc(d, "127.0.0.1", "7", data=b"hello") == b"hello"
    assert nc(d, "::1", "7", data=b"hello") == b"hello"
    assert b"uid=65534(nobody) gid=1(daemon)" in nc(d, "127.0.0.1", "79")
    assert nc(d, "::1", "8080") == b"greeter\n"
    assert nc(d, "127.0.0.1", "8080") == b"" == nc(d, "127.0.0.1", "13")


@needs_root
def test_xinetd_is_served_with_lists_banners_environment_and_limits(superd, folder):
    (folder / "banner").write_text("Welcome.\n")
    (folder / "fail").write_text("Not you.\n")
    (folder / "xinetd.conf").write_text(f"""
defaults
{{
	only_from = 127.0.0.0
	banner_fail = {folder}/fail
}}
service one
{{
	type = UNLISTED
	port = 9001
	socket_type = stream
	wait = no
	user = nobody
	group = daemon
	server = /bin/sh
	server_args = -c umask;echo${{IFS}}$COLOR;ulimit${{IFS}}-n;id${{IFS}}-G
	banner_success = {folder}/banner
	umask = 027
	env = COLOR=blue
	rlimit_files = 77
	no_access = 127.0.0.{{5,6}}
}}
service trap
{{
	type = UNLISTED
	flags = SENSOR
	deny_time = 5
	port = 9002
	socket_type = stream
	wait = no
	user = nobody
	only_from += 127.0.0.9
}}
""")
    d = superd(imported("xinetd", folder / "xinetd.conf"), prefix=NAMESPACE)
    assert nc(d, "127.0.0.1", "9001") == b"Welcome.\n0027\nblue\n77\n1\n"
    assert nc(d, "-s", "127.0.0.5", "127.0.0.1", "9001") == b"Not you.\n"
    assert nc(d, "::1", "9001") == b"Not you.\n"
    nc(d, "-s", "127.0.0.9", "127.0.0.1", "9002")
    d.wait_for("ban", service="trap")
    assert nc(d, "-s", "127.0.0.9", "127.0.0.1", "9001") == b"Not you.\n"


HOLDER = """#!/usr/bin/python3
import os, socket, sys
assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ
assert os.environ["LISTEN_FDS"] == "1"
peer = socket.socket(fileno=3)
print("to the journal", flush=True)
assert sys.stdin.read() == ""
peer.sendall(b"over 3: " + peer.recv(100))
"""


def test_a_service_that_takes_its_connection_as_descriptor_3_gets_it_there(superd, folder):
    """systemd without StandardInput=socket."""
    program = folder / "holder"
    program.write_text(HOLDER)
    program.chmod(0o755)
    (folder / "holder.socket").write_text("[Socket]\nListenStream=9001\nAccept=yes\n")
    (folder / "holder@.service").write_text(f"[Service]\nExecStart={program}\n")
    config = imported("systemd", folder / "holder.socket")
    config["services"]["holder"]["listen"] = "127.0.0.1:0"
    if os.geteuid():
        del config["services"]["holder"]["user"]
    d = superd(config)
    assert d.ask("holder", b"hi") == b"over 3: hi"
    d.wait_for("stderr", line="to the journal")
    d.wait_for("close", exit=0)


@pytest.mark.skipif(not pathlib.Path("/lib/systemd/system/ssh.socket").exists(),
                    reason="not installed: openssh-server; make deps")
def test_the_socket_unit_of_openssh_is_converted():
    done = run_import("systemd", "ssh.socket")
    ssh = json.loads(done.stdout)["services"]["ssh"]
    assert ssh["listen"] == "22" and ssh["mode"] == "wait" and ssh["user"] == "root"
    assert ssh["exec"][:2] == ["/usr/sbin/sshd", "-D"]
    assert "ExecReload" in done.stderr


def with_handlers():
    return {"PATH": f"{HANDLERS}:{os.environ['PATH']}"}


@needs_root
@pytest.mark.parametrize("kind", ["inetd", "xinetd"])
def test_services_behind_tcpmux_are_asked_for_by_name(superd, folder, kind):
    """Which comes out as a table beside the configuration."""
    if kind == "inetd":
        (folder / "conf").write_text(
            "tcpmux stream tcp nowait root internal\n"
            "tcpmux/+words stream tcp nowait nobody:daemon /bin/echo echo 'two words' \"it's\"\n"
            "tcpmux/whoami stream tcp nowait nobody:daemon /usr/bin/id id\n"
            "tcpmux/+other stream tcp nowait root /bin/echo echo\n")
        dialect = ["-d", "gnu"]
    else:
        entry = "service {}\n{{\n\ttype = {} UNLISTED\n\tsocket_type = stream\n\tprotocol = tcp\n\twait = no\n"
        end = "\tuser = {}\n\tgroup = daemon\n\tserver = {}\n\tserver_args = {}\n}}\n"
        (folder / "conf").write_text(
            "service tcpmux\n{\n\ttype = INTERNAL\n\tsocket_type = stream\n\twait = no\n}\n"
            + (entry + end).format("words", "TCPMUXPLUS", "nobody", "/bin/echo", "two words it's")
            + (entry + end).format("whoami", "TCPMUX", "nobody", "/usr/bin/id", "")
            + (entry + end).format("other", "TCPMUX", "root", "/bin/echo", ""))
        dialect = []
    done = run_import(kind, *dialect, "--tcpmux", "table", "conf", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "all behind tcpmux run as nobody, this one as root; left out" in done.stderr
    config = json.loads(done.stdout)
    assert config["services"]["tcpmux"]["exec"] == ["tcpmux", str(folder / "table")]
    d = superd(config, prefix=NAMESPACE, env=with_handlers())
    said = nc(d, "127.0.0.1", "1", data=b"WORDS\r\n")
    assert said.startswith(b"+") and said.endswith(b"\r\ntwo words it's\n"), said
    assert b"uid=65534(nobody) gid=1(daemon)" in nc(d, "127.0.0.1", "1", data=b"whoami\r\n")
    assert nc(d, "127.0.0.1", "1", data=b"nothing\r\n").startswith(b"-")
    assert b"words" in nc(d, "127.0.0.1", "1", data=b"help\r\n").lower()


@needs_root
def test_a_redirect_of_xinetd_relays(superd, folder):
    entry = "service {}\n{{\n\ttype = UNLISTED\n\tport = {}\n\tsocket_type = stream\n\twait = no\n{}}}\n"
    (folder / "conf").write_text(
        entry.format("front", 9001, "\tredirect = 127.0.0.1 9002\n\tuser = nobody\n") +
        entry.format("back", 9002, "\tserver = /bin/cat\n\tuser = nobody\n\tbind = 127.0.0.1\n"))
    config = imported("xinetd", folder / "conf")
    d = superd(config, prefix=NAMESPACE, env=with_handlers())
    assert nc(d, "127.0.0.1", "9001", data=b"there and back") == b"there and back"


@needs_root
def test_one_process_accepts_where_a_line_of_inetd_says_wait(superd, folder):
    """nc -l, which takes the listening socket that inetd has, is not there: a few lines of Python are."""
    program = folder / "accepts"
    program.write_text("#!/usr/bin/python3\nimport os, socket\ns = socket.socket(fileno=0)\n"
                       "for n in range(3):\n    c, _ = s.accept()\n"
                       "    c.sendall(b'%d for %s' % (os.getpid(), c.recv(100)))\n    c.close()\n")
    program.chmod(0o755)
    (folder / "inetd.conf").write_text(f"9001 stream tcp wait nobody {program} accepts\n")
    config = imported("inetd", folder / "inetd.conf")
    d = superd(config, prefix=NAMESPACE)
    pids = [nc(d, "127.0.0.1", "9001", data=b"%d" % n).split(b" for ") for n in range(6)]
    assert [n for _, n in pids] == [b"%d" % n for n in range(6)]
    assert len({pid for pid, _ in pids[:3]}) == 1 == len({pid for pid, _ in pids[3:]})
    assert pids[0][0] != pids[5][0]


@needs_root
def test_internal_services_answer_datagrams(superd, folder):
    """Those of xinetd with a list: a process for each sender, so that the list holds."""
    entry = ("service {0}\n{{\n\ttype = INTERNAL\n\tid = {0}-dgram\n\tsocket_type = dgram\n\twait = yes\n"
             "{1}}}\n")
    (folder / "conf").write_text(entry.format("echo", "") +
                                 entry.format("time", "\tonly_from = 127.0.0.1\n"))
    config = imported("xinetd", folder / "conf")
    d = superd(config, prefix=NAMESPACE, env=with_handlers())
    assert nc(d, "-u", "-w", "1", "127.0.0.1", "7", data=b"hello") == b"hello"
    assert len(nc(d, "-u", "-w", "1", "127.0.0.1", "37", data=b"?")) == 4
    assert nc(d, "-u", "-w", "1", "-s", "127.0.0.2", "127.0.0.1", "37", data=b"?") == b""
