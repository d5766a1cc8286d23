"""The fixtures.  `superd(config)` is the one that nearly every test uses; see superdlib.py."""

import shutil

import pytest

import superdlib
from superdlib import Superd, new_folder


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
