"""Who gets in, how many, how fast: access lists, limits, rates, the fair queue, bans."""

import contextlib
import pathlib
import socket
import subprocess
import sys
import threading
import time


from superdlib import (HANDLERS, PATIENCE, SOON, TOP, echo, eventually, needs_root, parse_address,
                       rss_kb, scaled, shell)


def refused(daemon, service, source=None, data=b""):
    """True if superd closes the connection without a byte."""
    try:
        with daemon.connect(service, source=source and (source, 0)) as c:
            with contextlib.suppress(OSError):
                c.send(data)
                c.half_close()
            return c.read_all() == b""
    except ConnectionResetError:
        return True


def served(daemon, service, source=None):
    with daemon.connect(service, source=source and (source, 0)) as c:
        try:
            c.send(b"x\n")
            return c.read(2, SOON) == b"x\n"
        except (OSError, AssertionError):
            return False


# ---------------------------------------------------------------- access lists


def test_the_longest_match_decides(superd):
    d = superd({"services": {"a": echo(allow=["127.0.0.0/8"], deny=["127.1.0.0/16", "127.0.0.9"]),
                             "b": echo(deny="127.0.0.3"),
                             "c": echo(deny=["127.0.0.0/8"], allow="127.0.0.5")}})
    assert served(d, "a", "127.0.0.1") and served(d, "a", "127.2.3.4")
    assert refused(d, "a", "127.1.2.3") and refused(d, "a", "127.0.0.9")
    assert served(d, "b", "127.0.0.1") and refused(d, "b", "127.0.0.3")
    assert served(d, "c", "127.0.0.5") and refused(d, "c", "127.0.0.6")
    told = d.find("reject", service="a")
    assert [e["rule"] for e in told] == ["127.1.0.0/16", "127.0.0.9/32"]
    assert {e["reason"] for e in told} == {"deny"}


def test_h07_a_mapped_address_is_judged_as_ipv4(superd):
    d = superd({"services": {"a": echo(listen="0", deny="127.0.0.1/32")}})
    port = d.addr["a"].rsplit(":", 1)[1]
    assert refused(d, f"127.0.0.1:{port}")
    with d.connect(f"[::1]:{port}") as c:
        c.send(b"x")
        assert c.read(1) == b"x"
    family, _ = parse_address("[::1]:1")
    with socket.socket(family) as s:
        s.settimeout(30)
        s.connect(("::ffff:127.0.0.1", int(port)))
        assert s.recv(1) == b""


def test_a_list_may_stand_in_a_file(superd, folder):
    (folder / "bad.txt").write_text("# neighbours\n127.0.0.3\n\n127.0.1.0/24 # a whole net\n")
    d = superd({"services": {"a": echo(deny=[{"file": str(folder / "bad.txt")}])}})
    assert served(d, "a", "127.0.0.4")
    assert refused(d, "a", "127.0.0.3") and refused(d, "a", "127.0.1.77")


@needs_root
def test_unix_peers_are_judged_by_uid_and_gid(superd, folder):
    path = folder / "s"
    d = superd({"services": {"a": echo(listen=f"unix:{path}", allow=["uid:4711", "gid:4712"])}})
    ask = ("import socket,os,sys\nos.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))\n"
           "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[3])\n"
           "try:\n s.send(b'x'); print(s.recv(1) == b'x')\nexcept OSError: print(False)\n")

    def as_user(uid, gid):
        return subprocess.run([sys.executable, "-c", ask, str(uid), str(gid), str(path)],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.strip() == "True"
    assert as_user(4711, 1) and as_user(1, 4712)
    assert not as_user(4713, 1)
    assert d.wait_for("reject")["reason"] == "deny"


def test_h33_refusals_start_no_process_and_take_no_memory(superd):
    d = superd({"services": {"a": echo(deny="127.0.0.0/8"), "b": echo()}}, args=())
    _, address = parse_address(d.addr["a"])

    def knock(n):
        for _ in range(n):
            with socket.socket() as s:
                s.settimeout(30)
                s.connect(address)
                with contextlib.suppress(OSError):
                    s.recv(1)
    knock(500)
    before = rss_kb(d.pid)
    count = scaled(50000)
    threads = [threading.Thread(target=knock, args=(count // 4,)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    d.answers("b")
    assert rss_kb(d.pid) - before < 512
    assert not d.find("accept", service="a") and not d.find("exec-failed")
    d.stop()
    sums = d.find("ledger", service="a")[0]
    assert sums["arrived"] == sums["deny"] == 500 + count // 4 * 4 and sums["accepted"] == 0


def test_h37_repeated_refusals_are_one_line_with_a_count(superd):
    d = superd({"services": {"a": echo(deny="127.0.0.0/8")}}, args=())
    for _ in range(300):
        assert refused(d, "a")
    time.sleep(1.1)
    assert refused(d, "a")
    told = d.wait_for("reject", count=2) and d.find("reject")
    assert len(told) < 20
    assert sum(1 + e.get("repeated", 0) for e in told) == 301


# ---------------------------------------------------------------- limits


def test_h35_a_full_service_rejects_with_its_message_where_it_shall(superd):
    d = superd({"services": {"a": echo(max_connections=1, on_limit="reject",
                                       reject_message="come back later\n")}})
    first = d.connect("a")
    first.send(b"x")
    first.read(1)
    with d.connect("a") as second:
        assert second.read_all() == b"come back later\n"
    assert d.wait_for("reject")["reason"] == "max_connections"
    first.close()
    d.wait_idle()
    assert served(d, "a")


def test_h36_the_message_is_not_lost_to_a_reset(superd):
    d = superd({"services": {"a": echo(deny="127.0.0.0/8", reject_message="no\n" * 200)}})
    for _ in range(50):
        with d.connect("a") as c:
            with contextlib.suppress(OSError):
                c.send(b"GET / HTTP/1.0\r\n\r\n" * 500)
            assert c.read_all() == b"no\n" * 200


def test_h36_a_client_that_takes_no_message_holds_up_nobody(superd):
    d = superd({"services": {"a": echo(deny="127.0.0.0/8", reject_message="no\n"), "b": echo()}})
    deaf = [d.connect("a") for _ in range(50)]
    for _ in range(20):
        d.answers("b")
    assert len(deaf) == 50


def test_h36_clients_that_keep_their_refusal_open_take_no_descriptors_from_others(superd):
    d = superd({"services": {"a": echo(deny="127.0.0.0/8", reject_message="no\n"), "b": echo()}},
               prefix=["prlimit", "--nofile=64:64"])
    for _ in range(100):
        assert d.connect("a").read(3) == b"no\n"
    d.answers("b")
    assert not d.find("suspend")


def test_a_source_has_its_share_and_others_theirs(superd):
    d = superd({"services": {"a": echo(max_per_source=2)}})
    held = [d.connect("a", source=("127.0.0.2", 0)) for _ in range(2)]
    for c in held:
        c.send(b"x")
        c.read(1)
    assert refused(d, "a", "127.0.0.2")
    assert served(d, "a", "127.0.0.3")
    assert d.wait_for("reject")["reason"] == "max_per_source"
    held[0].close()
    d.wait_for("close", count=2)
    assert served(d, "a", "127.0.0.2")


def test_h08_a_source_may_be_a_whole_net(superd):
    d = superd({"services": {"a": echo(max_per_source=1, source_prefix={"ipv4": 24})}})
    with d.connect("a", source=("127.0.5.1", 0)) as c:
        c.send(b"x")
        c.read(1)
        assert refused(d, "a", "127.0.5.200")
        assert served(d, "a", "127.0.6.1")


def test_h32_a_rate_hits_the_offender_only_and_decays(superd):
    d = superd({"services": {"a": echo(rate_per_source="5/s burst 5")}})
    results = [served(d, "a", "127.0.0.2") for _ in range(30)]
    assert results[:5] == [True] * 5 and results.count(False) >= 15
    assert all(served(d, "a", f"127.0.1.{i}") for i in range(1, 100)), "others do not notice"
    eventually(lambda: served(d, "a", "127.0.0.2"), "the offender is served again", 5)
    assert {e["reason"] for e in d.find("reject")} == {"rate_per_source"}


def test_a_rate_of_the_service(superd):
    d = superd({"services": {"a": echo(rate="10/m burst 3")}})
    assert [served(d, "a", f"127.0.0.{i}") for i in range(2, 8)] == [True] * 3 + [False] * 3
    assert d.wait_for("reject")["reason"] == "rate"


def test_h34_a_sweep_of_addresses_leaves_memory_flat(superd):
    d = superd({"services": {"a": echo(rate_per_source="1/s", rate="1/h burst 1")}}, args=())
    _, address = parse_address(d.addr["a"])

    def sweep(net, n):
        for i in range(n):
            with socket.socket() as s:
                s.settimeout(30)
                s.bind((f"127.{net}.{i >> 8 & 255}.{i & 255}", 0))
                s.connect(address)
                s.shutdown(socket.SHUT_WR)
                with contextlib.suppress(OSError):
                    s.recv(1)
    sweep(1, 2000)
    before = rss_kb(d.pid)
    sweep(2, scaled(20000))
    # 65,536 sources are remembered at most, in some 130 bytes each.
    assert rss_kb(d.pid) - before < 20000 * 200 // 1024 + 512


# ---------------------------------------------------------------- the fair queue


def test_a_greedy_source_delays_a_polite_one_by_one_handler(superd):
    """500 wait for a service whose handlers take 0.2 s; FIFO would take 100 s."""
    d = superd({"services": {"a": shell("sleep 0.2; echo done", max_connections=1, queue=600)}},
               args=())
    greedy = [d.connect("a", source=("127.0.0.2", 0)) for _ in range(500)]
    time.sleep(0.3)
    for i in range(3, 8):
        begin = time.monotonic()
        with d.connect("a", source=(f"127.0.0.{i}", 0)) as polite:
            assert polite.read_all(10) == b"done\n"
        # Its own 0.2 s, what is left of the one before it, and a slow machine.
        assert time.monotonic() - begin < 5
    for c in greedy:
        c.close()
    d.stop(check_fds=False)
    sums = d.find("ledger")[0]
    assert sums["arrived"] == 505
    assert sums["arrived"] == sums["accepted"] + sums.get("gone", 0) + sums.get("stop", 0)


def established(address):
    """Connections at a port of 127.0.0.1, those in the listener's queue too."""
    local = f"0100007F:{int(address.rsplit(':', 1)[1]):04X}"
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()
    return sum(line.split()[1] == local and line.split()[3] == "01" for line in lines[1:])


def test_whoever_gave_up_waiting_starts_no_handler(superd):
    d = superd({"services": {"a": echo(max_connections=1)}})
    first = d.connect("a")
    first.send(b"x")
    first.read(1)
    for _ in range(20):
        d.connect("a").reset()
    last = d.connect("a")
    # A busy machine takes its time to bring the resets over.
    eventually(lambda: established(d.addr["a"]) == 2, "those who gave up are gone")
    first.close()
    last.send(b"y")
    assert last.read(1) == b"y"
    eventually(lambda: len(d.find("reject", reason="gone")) == 20, "20 gone")
    assert len(d.find("accept")) == 2


def test_h30_a_half_close_while_waiting_is_not_giving_up(superd):
    d = superd({"services": {"a": shell("sleep 0.3; cat", max_connections=1)}})
    d.connect("a")
    with d.connect("a") as c:
        c.send(b"still here\n")
        c.half_close()
        time.sleep(0.1)
        d.clients[0].close()
        assert c.read_all() == b"still here\n"


def test_h11_no_limit_closes_a_listener(superd):
    d = superd({"services": {"a": echo(max_connections=2, queue=0)}})
    held = [d.connect("a") for _ in range(2)]
    for c in held:
        c.send(b"x")
        c.read(1)
    waiting = d.connect("a")
    waiting.send(b"z")
    assert waiting.silent(0.3), "it waits in the kernel"
    held[0].close()
    assert waiting.read(1) == b"z"


def test_the_limit_of_all_services_is_shared_fairly(superd):
    d = superd({"max_connections": 1, "services": {"a": echo(), "b": echo()}})
    first = d.connect("a")
    first.send(b"x")
    first.read(1)
    other = d.connect("b")
    other.send(b"y")
    assert other.silent(0.2)
    first.close()
    assert other.read(1) == b"y"


def test_where_all_share_a_limit_a_busy_service_does_not_keep_the_places(superd):
    d = superd({"max_connections": 1, "services": {
        "busy": shell("sleep 0.1; echo done", queue=200), "calm": echo()}})
    for _ in range(100):
        d.connect("busy")
    begin = time.monotonic()
    d.answers("calm", within=8)
    assert time.monotonic() - begin < 5, "100 of the other would take 10 s"
    for c in d.clients:
        c.close()


def test_who_waits_in_the_kernel_has_turns_among_the_queues_of_others(superd):
    """A service without a queue has clients in the kernel only; the places of all are its, too."""
    d = superd({"max_connections": 1, "services": {
        "busy": shell("sleep 0.1; echo done", queue=200), "calm": echo(queue=0), "quiet": echo(queue=0)}})
    busy = [d.connect("busy") for _ in range(60)]
    d.wait_for("suspend", service="busy")
    for service in ("calm", "quiet"):
        d.answers(service, PATIENCE)
    served_before = len(d.find("close", service="busy"))
    assert served_before < 20, "it waited for the whole queue"
    for c in busy:
        c.close()


def test_a_place_of_all_is_not_lost_to_a_client_that_may_not_come_in(superd):
    d = superd({"max_connections": 2, "services": {
        "held": echo(), "a": echo(queue=0, deny="127.0.0.2"), "b": echo(queue=0)}})
    held = [d.connect("held") for _ in range(2)]
    for c in held:
        c.send(b"x")
        c.read(1)
    d.connect("a", source=("127.0.0.2", 0))
    d.wait_for("suspend", service="a")
    late = d.connect("b")
    late.send(b"y")
    d.wait_for("suspend", service="b")
    held[0].close()
    assert late.read(1, SOON) == b"y"


def test_sources_that_are_always_fresh_do_not_starve_one_with_two_waiting(superd):
    """Each of six comes again as soon as it has been served, so that one of them is always fresh."""
    d = superd({"services": {"a": shell("sleep 0.05; echo done", max_connections=1)}})
    over = threading.Event()

    def come_again(i):
        while not over.is_set():
            with d.connect("a", source=(f"127.0.1.{i}", 0)) as c:
                c.read_all()
    threads = [threading.Thread(target=come_again, args=(i,)) for i in range(1, 7)]
    for t in threads:
        t.start()
    two = [d.connect("a", source=("127.0.0.2", 0)) for _ in range(2)]
    begin = time.monotonic()
    try:
        assert [c.read_all(10) for c in two] == [b"done\n"] * 2
        assert time.monotonic() - begin < 5
    finally:
        over.set()
        for t in threads:
            t.join()


# ---------------------------------------------------------------- bans


def test_too_many_refusals_are_a_ban_from_all_services_for_a_while(superd):
    d = superd({"services": {
        "a": echo(deny="127.0.0.2", ban={"after": 3, "within": "1m", "for": "1s"}), "b": echo()}})
    assert served(d, "b", "127.0.0.2")
    for _ in range(3):
        assert refused(d, "a", "127.0.0.2")
    told = d.wait_for("ban")
    assert told["source"] == "127.0.0.2/32" and told["service"] == "a" and told["for_ms"] == 1000
    assert refused(d, "b", "127.0.0.2")
    assert d.wait_for("reject", service="b")["reason"] == "ban"
    assert served(d, "b", "127.0.0.3")
    d.wait_for("unban")
    assert served(d, "b", "127.0.0.2")


def test_a_trap_bans_whoever_connects(superd):
    d = superd({"services": {"trap": {"listen": "127.0.0.1:0", "trap": "1s"}, "b": echo()}})
    assert served(d, "b", "127.0.0.7")
    assert refused(d, "trap", "127.0.0.7")
    assert refused(d, "b", "127.0.0.7")
    assert served(d, "b", "127.0.0.8")
    d.wait_for("unban", source="127.0.0.7/32")
    assert served(d, "b", "127.0.0.7")


# ---------------------------------------------------------------- behind a proxy


def v1(source, port=1234):
    return f"PROXY TCP4 {source} 192.0.2.1 {port} 80\r\n".encode()


def behind(**keys):
    return echo(proxy_protocol={"from": ["127.0.0.1"], "timeout": "2s"}, **keys)


PROXY = {"handler_path": [str(HANDLERS)]}


def through(d, service, source, data=b"x\n"):
    with d.connect(service) as c:
        try:
            c.send(v1(source) + data)
            c.half_close()
            return c.read_all()
        except ConnectionResetError:
            return b""


def test_behind_a_proxy_lists_and_the_log_are_about_the_declared_client(superd):
    d = superd({**PROXY, "services": {
        "a": behind(deny="198.51.100.0/24", reject_message="not you\n"),
        "env": {**shell("echo $TCPREMOTEIP $TCPREMOTEPORT $REMOTE_ADDR $SUPERD_ADMIT"),
                "proxy_protocol": {"from": "localhost"}}}})
    assert through(d, "a", "203.0.113.7") == b"x\n"
    assert through(d, "a", "198.51.100.9") == b"not you\n"
    assert through(d, "env", "203.0.113.7", b"") == b"203.0.113.7 1234 203.0.113.7\n"
    told = d.wait_for("admit", service="a")
    assert told["peer"] == "203.0.113.7:1234" and told["via"].startswith("127.0.0.1:")
    told = d.wait_for("reject", service="a")
    assert told["peer"] == "198.51.100.9:1234" and told["rule"] == "198.51.100.0/24"
    assert d.wait_for("close", service="a", refused="deny")["exit"] == 0


def test_behind_a_proxy_limits_by_source_count_the_declared_client(superd):
    d = superd({**PROXY, "services": {"a": behind(max_per_source=1)}})
    with d.connect("a") as first:
        first.send(v1("203.0.113.7") + b"x")
        assert first.read(1) == b"x"
        assert through(d, "a", "203.0.113.7") == b""
        assert through(d, "a", "203.0.113.8") == b"x\n"
    d.wait_idle()
    assert through(d, "a", "203.0.113.7") == b"x\n"


def test_behind_a_proxy_a_ban_is_of_the_declared_client(superd):
    d = superd({**PROXY, "services": {
        "a": behind(deny="203.0.113.7", ban={"after": 2, "within": "1m", "for": "1m"}), "b": echo()}})
    for _ in range(2):
        assert through(d, "a", "203.0.113.7") == b""
    assert d.wait_for("ban")["source"] == "203.0.113.7/32"
    assert through(d, "a", "203.0.113.8") == b"x\n"
    assert served(d, "b"), "the proxy itself is not banned"


def test_h34_one_who_has_a_whole_net_does_not_fill_the_list_of_bans(superd):
    d = superd({**PROXY, "services": {"a": behind(
        deny="2001:db8::/32", ban={"after": 1, "within": "1m", "for": "1h"})}})

    def come(source):
        with d.connect("a") as c:
            c.send(f"PROXY TCP6 {source} 2001:db8::1 1 80\r\n".encode())
            assert c.read_all() == b""
    for i in range(1050):
        come(f"2001:db8:1:{i:x}::1")
    come("2001:db8:2:1::1")
    d.wait_for("ban", source="2001:db8:2:1::/64")
    assert len(d.find("ban")) == 1024 + 1
    assert "2001:db8:1::/48" in d.wait_for("error")["what"]


def test_h57_a_header_is_believed_from_listed_sources_only(superd):
    d = superd({**PROXY, "services": {"a": behind()}})
    with d.connect("a", source=("127.0.0.2", 0)) as c:
        with contextlib.suppress(OSError):
            c.send(v1("203.0.113.7") + b"x\n")
        with contextlib.suppress(ConnectionResetError):
            assert c.read_all() == b""
    assert d.wait_for("reject")["reason"] == "proxy"
    assert not d.find("accept")


def test_h57_a_header_has_a_deadline(superd):
    d = superd({**PROXY, "services": {"a": echo(proxy_protocol={"from": "127.0.0.1", "timeout": "1s"})}})
    with d.connect("a") as c:
        c.send(b"PROXY TCP4 ")
        assert c.read_all() == b""
    assert d.wait_for("close")["exit"] == 1


def test_behind_a_proxy_its_own_health_check_is_served(superd):
    d = superd({**PROXY, "services": {"a": behind(max_per_source=1, deny="203.0.113.0/24")}})
    local = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20, 0, 0, 0])
    for _ in range(3):
        with d.connect("a") as c:
            c.send(local + b"x")
            assert c.read(1) == b"x"


# ---------------------------------------------------------------- the sample


def test_the_sample_of_a_public_service_is_accepted():
    path = TOP / "etc" / "services.d" / "public.json"
    assert path.exists()
