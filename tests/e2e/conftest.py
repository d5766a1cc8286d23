"""The fixtures.  `superd(config)` is the one that nearly every test uses; see superdlib.py.

With pytest-xdist several tests run at once, each worker in a network of its own: ports, abstract
names and counters are nobody else's.  A test that touches what is the whole machine's, or that is
about time, says @pytest.mark.alone(why), and nothing else runs meanwhile.
"""

import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import subprocess

import pytest

import superdlib
from superdlib import Superd, can_unshare, new_folder


WORKER = os.environ.get("PYTEST_XDIST_WORKER")
CLONE_NEWNET = 0x40000000


def pytest_configure(config):
    config.addinivalue_line("markers", "alone(why): no other test runs meanwhile")


def pytest_collection_modifyitems(items):
    """Those that are to be alone go first, when nobody has to be waited for."""
    items.sort(key=lambda item: not item.get_closest_marker("alone"))


@pytest.fixture(scope="session", autouse=True)
def own_network():
    """Of a worker: a new one that has nothing but loopback.  run.sh has tried that it can be."""
    if WORKER:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            pytest.exit(f"no network for a worker: {os.strerror(ctypes.get_errno())}", 1)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def locked(name, how):
    with open(superdlib.BUILD / name, "w") as f:
        fcntl.flock(f, how)
        try:
            yield
        finally:  # and not by closing it alone: a process that was forked may have it, too
            fcntl.flock(f, fcntl.LOCK_UN)


@pytest.fixture(autouse=True)
def turn(request):
    """Tests share the lock; one that is to be alone has it to itself.  All go through the gate, so
    that who waits for the others to end is not overtaken by new ones for ever."""
    if not WORKER:
        yield
        return
    how = fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH
    with contextlib.ExitStack() as stack:
        with locked("gate.lock", fcntl.LOCK_EX):
            stack.enter_context(locked("turn.lock", how))
        yield


@pytest.fixture(scope="session")
def probes():
    """Folder of the compiled helper programs."""
    return superdlib.probe_folder()


@pytest.fixture
def folder():
    """A folder for one test that other users may enter too."""
    path = new_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def superd(folder, request):
    """Starts superd with a configuration; at the end each is stopped and checked."""
    started = []

    def start(config, **options):
        if not superdlib.SUPERD.exists():
            pytest.fail(f"{superdlib.SUPERD} is not built: run make FLAVOR={superdlib.FLAVOR}")
        if "unshare" in options.get("prefix", ())[:1]:
            wanted = tuple(itertools.takewhile(lambda o: o.startswith("-"), options["prefix"][1:]))
            if not can_unshare(*wanted):
                pytest.skip(f"needs a namespace of its own: unshare {' '.join(wanted)}")
        place = folder / f"superd{len(started) + 1}" if started else folder
        place.mkdir(exist_ok=True)
        daemon = Superd.__new__(Superd)
        started.append(daemon)
        daemon.__init__(place, config, **options)
        return daemon

    yield start
    failed = getattr(request.node, "failed", False)
    try:
        if not failed:
            for daemon in reversed(started):
                if hasattr(daemon, "process"):
                    daemon.stop()
    finally:
        for daemon in started:
            if hasattr(daemon, "process"):
                if failed:
                    print(f"--- log of superd ---\n{daemon.stderr()[-8000:]}")
                daemon.abandon()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True
