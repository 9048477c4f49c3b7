"""What holds for every test: property-based ones are repeatable and never fail for being slow.

A run of the tests has a temporary folder of its own, which must be empty at the end: what the
product or a test leaves behind fails the run. The folders that pytest keeps lie elsewhere.

Where SIGINT, SIGQUIT or SIGHUP is ignored from the start, as in the background of a script, the
tests go on ignoring them, but the processes that they start do not inherit that.
"""

from __future__ import annotations

import gc
import os
import signal
import tempfile
import time
from collections.abc import Generator, Iterator
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.loaders import JSONFileLoader, create_loader
from hypothesis import HealthCheck, settings

from steadyspot.deploy.collecting import collect_seldom
from tests.names_of_events import know_names_of_events
from tests.order import dealt

settings.register_profile(
    "steadyspot", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steadyspot")

left_behind = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how long what a test killed may still take to put its things away."""
    parser.addini(
        "tidying_seconds", "how long what is left at the end may take to go", default="30"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the temporary folder of this run; the processes that run its tests inherit it."""
    collect_seldom()
    know_names_of_events()
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    own = tempfile.TemporaryDirectory(prefix="steadyspot-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(own.cleanup)
    os.environ["TMPDIR"] = tempfile.tempdir = own.name


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with what may take longest, which is marked with its time."""
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        usual = float(config.getini("timeout") or 0)
        marks = [(one, one.get_closest_marker("timeout")) for one in items]
        tests = [(one, one.path.name, mark.args[0] if mark else usual) for one, mark in marks]
        items[:] = dealt(tests, workers, usual)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let one worker compile the tests first, which each of them would at the same time."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with Path(__file__).open("rb") as held:
        try:
            flock(held, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            flock(held, LOCK_SH)
        return (yield)


def pytest_collection_finish() -> None:
    """Look through what tests make alone, not each time through all that was loaded for them."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that has left something behind."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    end = time.monotonic() + float(session.config.getini("tidying_seconds"))
    own = Path(tempfile.gettempdir())
    while (left := sorted(path.name for path in own.iterdir())) and time.monotonic() < end:
        time.sleep(0.1)
    session.config.stash[left_behind] = left
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left."""
    for name in config.stash.get(left_behind, []):
        terminalreporter.write_line(f"ERROR left in the temporary folder: {name}", red=True)


@pytest.fixture(scope="session", autouse=True)
def _keys_are_not_ignored_by_children() -> Iterator[None]:
    """A new program inherits what is ignored; what has a handler is the default in it again."""
    ignored = [
        number
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, lambda _number, _frame: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _descriptions_of_services_are_read_once() -> Iterator[None]:
    """Each session of boto3 would look for them and read them anew: half the time of many tests.

    botocore changes what it has read only by merging the same additions into it again. SQS is read
    anew: moto serves it by a description whose errors it has renamed.
    """
    finder, loader = create_loader(), JSONFileLoader()
    load, kept = loader.load_file, cache(loader.load_file)

    def read(_: JSONFileLoader, path: str) -> Any:
        return load(path) if f"{os.sep}sqs{os.sep}" in path else kept(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _: finder)
        patch.setattr(JSONFileLoader, "load_file", read)
        yield
