"""superd -t over tests/data: one bad file, one .err, one case; and what the schema binds together.

The data is copied, and @USER@ becomes who runs the tests, so that root and others see the same.
`UPDATE_DATA=1 pytest tests/e2e/test_config.py` writes the expected texts anew; read the diff.
"""
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
SUPERD = ROOT / "build" / os.environ.get("FLAVOR", "release") / "superd"
ME = pwd.getpwuid(os.geteuid()).pw_name
UPDATE = os.environ.get("UPDATE_DATA") == "1"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def cases(folder):
    return sorted(p.stem for p in (DATA / folder).glob("*.json"))


def superd(*args, cwd=None, stdin=None, as_nobody=False, env=None, limit=None):
    def drop():
        if limit:
            resource.setrlimit(*limit)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    e = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(env or {})}
    if "ASAN_OPTIONS" in os.environ:
        e["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
    r = subprocess.run([SUPERD, *args], cwd=cwd, input=stdin, env=e, text=True, timeout=60,
                       capture_output=True, preexec_fn=drop if as_nobody else None)
    # In a build for coverage, nobody may not write the counts: no complaint of superd's.
    r.stderr = re.sub(r"^profiling:.*\n", "", r.stderr, flags=re.M)
    return r


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
    text = re.sub(r".* needs root \(CAP_NET_RAW\).*\n", "", text)  # has its own test
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


# ---- the command line ----

ANY = ("-o", f"user={ME}")
SH = ("--", "/bin/sh")


@pytest.mark.parametrize("args", [
    (), ("-x",), ("-c",), ("-t",), ("-c", "a", "-c", "b"), ("-c", "a", "-l", "7000"),
    ("-c", "a", "--", "cat"), ("--ready-fd", "x", "-l", "7000", *SH), ("cat",), ("-o", "a=b"),
])
def test_misuse_prints_the_usage_and_exits_100(args):
    r = superd(*args)
    assert (r.returncode, r.stdout) == (100, "")
    assert "superd: usage: superd -c FILE" in r.stderr


def test_help_and_version_are_answers_not_errors():
    for args in (("-h",), ("--help",)):
        r = superd(*args)
        assert (r.returncode, r.stderr) == (0, "")
        assert "--ready-fd N" in r.stdout
    for args in (("-V",), ("--version",)):
        r = superd(*args)
        assert (r.returncode, r.stderr) == (0, "")
        assert re.fullmatch(r"superd \S+ \(\w+ build, handlers in /.*\)\n", r.stdout)


def test_a_oneliner_is_checked_like_a_file():
    r = superd("-t", "-l", "7000", "-l", "localhost:7001-7003", *ANY, "-o", "max_connections=5", *SH)
    assert (r.returncode, r.stderr) == (0, "")
    assert re.sub(" +", " ", r.stdout).splitlines()[1] == \
        f"sh 7000 127.0.0.1:7001-7003 [::1]:7001-7003 /bin/sh {ME} 5 - -"


def test_options_are_set_in_every_service_of_a_file(data):
    r = superd("-t", "-c", "defaults.json", "-o", "max_connections=9", "-o", "rlimits={}",
               cwd=data / "good")
    assert [line.split()[-3:] for line in r.stdout.splitlines()[1:]] == [["9", "-", "-"]] * 2


def test_a_file_may_come_from_the_standard_input():
    r = superd("-t", "-c", "-", *ANY,
               stdin='{ "services": { "a": { "listen": "7000", "exec": "/bin/sh" } } }')
    assert (r.returncode, r.stderr) == (0, "")
    r = superd("-t", "-c", "-", stdin="{")
    assert r.stderr == "-:1:1: JSON: string or '}' expected near end of file\n"


@pytest.mark.parametrize("path,what", [
    ("no/such/file.json", "there is no such file"),
    (".", "is a directory, not a file"),
    ("loop", "Too many levels of symbolic links"),
])
def test_a_file_that_cannot_be_read_is_named(tmp_path, path, what):
    (tmp_path / "loop").symlink_to("loop")
    r = superd("-t", "-c", path, cwd=tmp_path)
    assert (r.returncode, r.stderr) == (1, f"{path}: {what}\n")


# ---- who runs superd ----

@needs_root
def test_a_process_for_each_peer_of_udp_needs_a_capability():
    args = ("-t", "-l", "udp:7000", "-o", "mode=nowait")
    r = superd(*args, *SH, as_nobody=True)
    assert r.stderr == "-o: mode: a process for each peer of UDP needs root (CAP_NET_RAW), which puts " \
        "the first datagram before it; mode \"wait\" does not\n"
    assert r.returncode == 1
    assert superd(*args, *ANY, *SH).returncode == 0


def write(path, services, **top):
    path.write_text(json.dumps({"services": services, **top}))
    path.chmod(0o644)
    return path


@pytest.fixture
def open_tmp(folder):
    """A folder that nobody may enter; pytest's own are closed again by each pytest that starts."""
    return folder


SERVICE = {"listen": "7000", "exec": "/bin/sh"}


@needs_root
def test_root_must_say_whom_handlers_run_as(tmp_path):
    f = write(tmp_path / "x.json", {"a": SERVICE})
    r = superd("-t", "-c", "x.json", cwd=tmp_path)
    assert (r.returncode, r.stderr) == (1, "x.json:1:15: service 'a': user: is missing, and superd "
                                        'runs as root; name a user, or say "user": "root"\n')
    write(f, {"a": {**SERVICE, "user": "root"}})
    assert superd("-t", "-c", "x.json", cwd=tmp_path).returncode == 0
    r = superd("-t", "-l", "7000", *SH)
    assert r.stderr == ("-o: user: is missing, and superd runs as root; name a user, as in "
                        "-o user=nobody, or say -o user=root\n")


@needs_root
def test_h60_without_root_no_user_is_needed(open_tmp):
    f = write(open_tmp / "x.json", {"a": SERVICE})
    r = superd("-t", "-c", f, as_nobody=True)
    assert (r.returncode, r.stderr) == (0, "")
    write(f, {"a": {**SERVICE, "user": "nobody"}})
    r = superd("-t", "-c", f, as_nobody=True)
    assert (r.returncode, r.stderr) == (0, "")


@needs_root
@pytest.mark.parametrize("keys,complaints", [
    ({"user": "root"}, ["user: only root can run handlers as 'root'"]),
    ({"group": 0}, ["group: only root can run handlers with the group '0'"]),
    ({"groups": []}, ["groups: only root can set the groups of handlers"]),
    ({"chroot": "/"}, ["chroot: only root can do this"]),
    ({"nice": -1}, ["nice: only root can go below 0"]),
    ({"listen": "unix:/tmp/x", "socket_user": 0}, ["socket_user: only root can give a socket to '0'"]),
])
def test_h17_what_needs_root_is_refused_without(open_tmp, keys, complaints):
    f = write(open_tmp / "x.json", {"a": {**SERVICE, **keys}})
    r = superd("-t", "-c", f, as_nobody=True)
    assert r.returncode == 1
    assert [re.sub(r"^\S+ service 'a': ", "", line) for line in r.stderr.splitlines()] == complaints
    write(f, {"a": SERVICE, "off": {**SERVICE, **keys, "enabled": False}})
    assert superd("-t", "-c", f, as_nobody=True).returncode == 0


@needs_root
def test_limits_above_ones_own_are_refused_without_root(open_tmp):
    f = write(open_tmp / "x.json", {"a": {**SERVICE, "rlimits": {"core": 4096, "cpu": 5}}})
    r = superd("-t", "-c", f, as_nobody=True, limit=(resource.RLIMIT_CORE, (0, 0)))
    assert "rlimits: core: superd may not go above its own hard limit, 0\n" in r.stderr
    assert len(r.stderr.splitlines()) == 1


@needs_root
def test_a_file_that_may_not_be_read_is_named(open_tmp):
    f = write(open_tmp / "x.json", {"a": SERVICE})
    f.chmod(0)
    r = superd("-t", "-c", f, as_nobody=True)
    assert (r.returncode, r.stderr) == (1, f"{f}: may not be read: permission denied\n")


@needs_root
def test_a_folder_of_a_pattern_that_may_not_be_read_is_not_an_empty_one(open_tmp):
    (open_tmp / "closed").mkdir(mode=0o700)
    f = write(open_tmp / "x.json", {"a": SERVICE}, include=["closed/*.json"])
    r = superd("-t", "-c", f, as_nobody=True)
    assert r.returncode == 1
    assert re.search(r": include: the folder of '.*' may not be read: permission denied\n$",
                     r.stderr)


@needs_root
def test_h18_a_program_in_a_chroot_is_looked_for_inside(tmp_path):
    inside = tmp_path / "jail"
    (inside / "bin").mkdir(parents=True)
    (inside / "bin" / "script").write_text("#!/bin/interpreter\n")
    (inside / "bin" / "script").chmod(0o755)
    (inside / "bin" / "link").symlink_to("/bin/script")
    (inside / "bin" / "outside").symlink_to("/bin/sh")
    keys = {"listen": "7000", "user": "root", "chroot": "jail"}
    f = tmp_path / "x.json"

    def check(program):
        write(f, {"a": {**keys, "exec": program}})
        r = superd("-t", "-c", "x.json", cwd=tmp_path)
        return re.sub(r"^\S+ service 'a': exec: ", "", r.stderr).strip() or r.stdout.split()[9]

    missing = "needs the interpreter '/bin/interpreter' of its #! line, which does not exist"
    assert check("/bin/script") == f"'/bin/script' {missing}"
    assert check("/bin/link") == f"'/bin/link' {missing}"
    assert check("script") == f"'/bin/script' {missing}"
    assert check("/bin/outside") == f"'/bin/outside' does not exist inside {inside}"
    assert check("sh") == f"there is no program 'sh' in handler_path or PATH, inside {inside}"
    (inside / "bin" / "interpreter").write_text("#!/bin/interpreter\n")
    for program in ("/bin/script", "bin/script", "./bin/link", "script"):
        assert check(program).startswith("/bin/")


# ---- size ----

def spent():
    """Seconds of the processor, by programs that have ended: a busy machine changes little there."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_ten_thousand_services_load_quickly_on_many_lines_or_one(tmp_path):
    services = {f"s{i}": {"listen": f"127.{i // 250 + 1}.{i % 250}.1:80", "exec": "/bin/sh"}
                for i in range(10000)}
    f = tmp_path / "x.json"
    for indent in (None, 1):
        f.write_text(json.dumps({"services": services, "defaults": {"user": ME}}, indent=indent))
        start = spent()
        r = superd("-t", "-c", f)
        took = spent() - start
        assert r.returncode == 0
        assert len(r.stdout.splitlines()) == 10001
        # A release build takes a tenth of a second; quadratic time would be many.
        assert took < 3


def test_a_hundred_thousand_prefixes_load_quickly(tmp_path):
    lines = [f"{i >> 16}.{i >> 8 & 255}.{i & 255}.0/24" for i in range(0x10000, 0x10000 + 100000)]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    f = tmp_path / "x.json"
    f.write_text(json.dumps({"defaults": {"user": ME, "deny": {"file": "list.txt"}},
                             "services": {f"s{i}": {"listen": f"{7000 + i}", "exec": "/bin/sh"}
                                          for i in range(100)}}))
    start = spent()
    r = superd("-t", "-c", f)
    took = spent() - start
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout.count("rules=100000") == 100
    # A release build takes 40 ms; a list for each service would be seconds.
    assert took < 1


def test_a_pipe_in_place_of_a_list_does_not_stop_superd(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    f = write(tmp_path / "x.json", {"a": {**SERVICE, "user": ME, "deny": {"file": "pipe"}}})
    r = superd("-t", "-c", f)
    assert r.returncode == 1
    assert r.stderr.endswith(f"deny: '{tmp_path}/pipe': is no regular file\n")


@needs_root
def test_a_trap_needs_no_user(tmp_path):
    f = write(tmp_path / "x.json", {"a": {"listen": "7000", "trap": "1d"}})
    r = superd("-t", "-c", f)
    assert (r.returncode, r.stderr) == (0, "")
    r = superd("-t", "-l", "7000", "-o", "trap=1d")
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout.split("\n")[1].split() == ["trap", "7000", "-", "-", "100", "-", "trap=1d"]


# ---- one table ----

def test_the_json_schema_in_etc_is_what_superd_prints():
    r = superd("--schema")
    assert r.returncode == 0
    if UPDATE:
        (ROOT / "etc" / "services.schema.json").write_text(r.stdout)
    assert r.stdout == (ROOT / "etc" / "services.schema.json").read_text()


def schema_tables():
    top = json.loads(superd("--schema").stdout)["properties"]
    service = top["services"]["patternProperties"]["^[A-Za-z0-9_.-]{1,64}$"]["properties"]
    within = {f"{name}.{k}": v for name in ("source_prefix", "ban", "proxy_protocol")
              for k, v in service[name]["properties"].items()}
    return {"TOP LEVEL": top, "LOG": top["log"]["properties"], "SERVICES": {**service, **within},
            "RESOURCE LIMITS": service["rlimits"]["properties"]}


def page_tables():
    """The keys by section; one in a list inside the paragraph of another is OUTER.INNER."""
    tables, section, outer = {}, None, []
    for line in (ROOT / "daemon" / "services.json.5").read_text().splitlines():
        if line.startswith(".Sh "):
            section = line[4:]
        if line.startswith(".Bl "):
            outer.append(None)
        if line == ".El":
            outer.pop()
        m = re.fullmatch(r"\.It Cm (\S+)(?: Pq default (.*))?", line)
        if m:
            outer[-1] = m[1]
            key = ".".join(outer)
            default = m[2] and m[2].replace("\\(dq", '"')
            assert key not in tables.setdefault(section, {}), f"{key} is there twice"
            tables[section][key] = default
    return tables


def test_every_key_has_its_paragraph_with_its_default():
    schema, page = schema_tables(), page_tables()
    assert set(page) == set(schema)
    for section, keys in schema.items():
        expected = {k: json.dumps(v["default"]) if "default" in v else None
                    for k, v in keys.items()}
        assert page[section] == expected


def test_the_samples_are_valid(data):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "etc" / "services.schema.json").read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    files = [*(ROOT / "etc").glob("services.d/*.json"), ROOT / "etc" / "services.json",
             *(data / "good").glob("**/*.json")]
    for f in files:
        validator(schema).validate(json.loads(f.read_text()))
    # What is wrong by itself is wrong to editors too.
    for name in ("wrong-types", "unknown-key", "out-of-range", "log-keys", "defaults-keys",
                 "access-values", "rates", "limits-of-admission"):
        with pytest.raises(jsonschema.ValidationError):
            validator(schema).validate(json.loads((data / "bad" / (name + ".json")).read_text()))


def test_the_sample_configuration_passes():
    handlers = SUPERD.parent / "handlers"
    r = superd("-t", "-c", ROOT / "etc" / "services.json", *ANY,
               env={"PATH": f"{handlers}:/usr/bin:/bin"})
    assert (r.returncode, r.stderr) == (0, "")
    assert [line.split()[0] for line in r.stdout.splitlines() if "(disabled)" not in line] == \
        ["SERVICE", "echo", "fds", "date", "static", "flag", "hello", "status"]


def test_the_pages_examples_are_configurations():
    text = (ROOT / "daemon" / "services.json.5").read_text()
    blocks = re.findall(r"\.Bd -literal -offset indent\n(\{.*?)\.Ed", text, re.S)
    assert len(blocks) == 2
    for block in blocks:
        json.loads(block)
