"""Scale to zero for servers that know nothing of it: superd hands the socket to forward, and
forward starts the server for the first client and stops it when nobody is there."""

import sys
import threading

from superdlib import HANDLERS, PATIENCE, eventually, free_port, living, script

SERVER = f"""#!{sys.executable}
import os, socket, sys
open(sys.argv[2], "a").write(f"{{os.getpid()}}\\n")
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(100)
while True:
    c = s.accept()[0]
    if os.fork() == 0:
        while data := c.recv(65536):
            c.sendall(data.upper())
        os._exit(0)
    c.close()
"""


def start(superd, folder, idle):
    server = script(folder, "server", SERVER)
    starts = folder / "starts"
    port = free_port()
    d = superd({"services": {"web": {
        "listen": "127.0.0.1:0", "mode": "wait",
        "exec": [str(HANDLERS / "forward"), "--idle", idle, f"127.0.0.1:{port}", "--",
                 str(server), str(port), str(starts)]}}})
    return d, starts


def pids(starts):
    return [int(line) for line in starts.read_text().split()] if starts.exists() else []


def test_the_server_runs_only_while_it_has_clients(superd, folder):
    d, starts = start(superd, folder, "500ms")
    assert not starts.exists() and d.find("accept") == []
    assert d.ask(data=b"first") == b"FIRST"
    first, = pids(starts)
    d.wait_for("close", count=1)
    assert not living(first)
    assert d.ask(data=b"second") == b"SECOND"
    assert len(pids(starts)) == 2
    d.wait_for("close", count=2)
    assert d.find("close")[0]["exit"] == 0


def test_fifty_clients_at_once_start_one_server(superd, folder):
    d, starts = start(superd, folder, "1s")
    answers = []

    def one(i):
        answers.append(d.ask(data=b"c%d" % i) == b"C%d" % i)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert answers == [True] * 50
    assert len(pids(starts)) == 1 and len(d.find("accept")) == 1
    d.wait_for("close")


def test_a_stop_ends_the_server_too(superd, folder):
    d, starts = start(superd, folder, "1h")
    with d.connect() as c:
        c.send(b"x")
        assert c.read(1) == b"X"
        server, = pids(starts)
        d.checked_fds = False
        d.stop()
    eventually(lambda: not living(server), "the server is gone")


def test_reload_and_upgrade_cut_nobody_off(superd, folder):
    d, starts = start(superd, folder, "1s")
    with d.connect() as c:
        c.send(b"x")
        assert c.read(1) == b"X"
        d.reload()  # both leave alone what forward made of the socket
        d.upgrade()
        c.send(b"y")
        assert c.read(1) == b"Y"
        assert d.ask(data=b"z") == b"Z"
    assert len(pids(starts)) == 1
    d.wait_for("close")
