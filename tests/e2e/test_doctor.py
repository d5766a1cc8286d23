"""superd --doctor: what goes wrong in practice, each with its remedy."""

import json
import os
import socket
import subprocess


from superdlib import PATIENCE, ROOT, SUPERD, echo, free_port, needs_root, script


def examine(folder, config, *args):
    """Exit code, and what it says."""
    config.setdefault("defaults", {}).setdefault("user", "nobody" if ROOT else account_name())
    path = folder / "doctor.json"
    path.write_text(json.dumps(config))
    path.chmod(0o644)
    done = subprocess.run([str(SUPERD), "--doctor", "-c", str(path), *args], text=True,
                          capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    assert done.stderr == "" or done.returncode == 1, done.stderr
    return done.returncode, done.stdout + done.stderr


def account_name():
    import pwd
    return pwd.getpwuid(os.geteuid()).pw_name


def test_a_configuration_that_is_well(folder):
    code, said = examine(folder, {"services": {"a": echo()}})
    assert code == 0 and "services looked at: 1, problems: 0," in said


def test_a_configuration_that_is_wrong(folder):
    code, said = examine(folder, {"services": {"a": {"listen": "70000", "exec": "cat"}}})
    assert code == 1 and "70000" in said


def test_who_has_the_port_is_named(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = examine(folder, {"services": {"a": echo(listen=f"127.0.0.1:{port}")}})
    assert code == 1
    assert f"service 'a': 127.0.0.1:{port} is taken by process {os.getpid()} (" in said
    assert "stop whoever has it, or listen elsewhere" in said


def test_who_has_the_path_is_named(folder):
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(folder / "s"))
        taken.listen()
        code, said = examine(folder, {"services": {"a": echo(listen=f"unix:{folder}/s")}})
    assert code == 1 and f"is taken by process {os.getpid()} (" in said
    assert (folder / "s").exists()


def test_a_superd_that_runs_is_no_problem(superd, folder):
    port = free_port()
    d = superd({"services": {"a": echo(listen=f"127.0.0.1:{port}")}})
    code, said = examine(folder, {"services": {"a": echo(listen=f"127.0.0.1:{port}")}})
    assert code == 0 and f"another superd, process {d.pid}" in said


@needs_root
def test_a_program_that_its_user_cannot_reach(folder):
    (folder / "secret").mkdir(mode=0o700)
    prog = script(folder / "secret", "prog", "#!/bin/sh\n")
    code, said = examine(folder, {"services": {"a": echo(exec=[str(prog)])}})
    assert code == 1
    assert f"service 'a': nobody cannot start {prog}: access: Permission denied" in said
    assert "chmod, setfacl, namei -l" in said


@needs_root
def test_a_directory_that_its_user_cannot_enter(folder):
    (folder / "secret").mkdir(mode=0o700)
    code, said = examine(folder, {"services": {"a": echo(directory=str(folder / "secret"))}})
    assert code == 1 and "chdir: Permission denied" in said


def test_an_address_that_is_not_there(folder):
    code, said = examine(folder, {"services": {"a": echo(listen="192.0.2.1:7777")}})
    assert code == 1 and "bind: Cannot assign requested address" in said and "freebind" in said


def test_a_folder_that_is_not_there(folder):
    code, said = examine(folder, {"control": f"{folder}/no/control",
                                  "log": {"target": {"file": f"{folder}/none/log"}},
                                  "services": {"a": echo(listen=f"unix:{folder}/gone/s")}})
    assert code == 1
    assert "service 'a': unix:" in said and "make the folder that the socket shall be in" in said
    assert f"control: {folder}/no: No such file" in said
    assert f"log: {folder}/none: No such file" in said


def test_more_connections_than_descriptors_and_processes(folder):
    many = {name: echo(max_connections=1000000) for name in "abcde"}  # pid_max is 4194304 at most
    code, said = examine(folder, {"services": many})
    assert code == 0
    assert "the hard limit is" in said or "descriptors" not in said
    assert "more than the processes there can be" in said and "kernel.pid_max" in said


def test_a_limit_of_processes_below_the_connections(folder):
    code, said = examine(folder, {"services": {"a": echo(rlimits={"nproc": 5})}})
    assert "rlimits: nproc is 5, and max_connections is 100" in said


def test_a_program_that_everybody_can_write(folder):
    prog = script(folder, "prog", "#!/bin/sh\n", 0o777)
    code, said = examine(folder, {"services": {"a": echo(exec=[str(prog)])}})
    assert code == 1 and "can be written by everybody" in said


@needs_root
def test_root_for_everybody_is_doubtful(folder):
    code, said = examine(folder, {"services": {
        "open": echo(listen=str(free_port()), user="root"),
        "local": echo(user="root"),
        "listed": echo(listen=str(free_port()), user="root", allow=["10.0.0.0/8"])}})
    assert code == 0
    assert "service 'open': runs as root, and everybody can connect" in said
    assert "'local'" not in said and "'listed'" not in said


def test_what_is_not_enabled_is_not_looked_at(folder):
    code, said = examine(folder, {"services": {
        "a": echo(), "off": {"listen": "192.0.2.1:7", "exec": "/nowhere", "enabled": False}}})
    assert code == 0 and "services looked at: 1," in said
