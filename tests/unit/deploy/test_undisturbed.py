"""Signals that come while something is put back wait; then they do what they would have done."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from steadyspot.deploy.cli.stopping import ended_by_signals
from steadyspot.deploy.drills.undisturbed import undisturbed
from steadyspot.deploy.trouble import how_stopped

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def usual() -> Iterator[None]:
    """Puts back what the signals do, whatever a test made of it."""
    before = {number: signal.getsignal(number) for number in ENDING}
    # A script's & has the one ignored, nohup the other.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number in ENDING:
        signal.signal(number, before[number])


def put_back() -> list[str]:
    done = []
    with undisturbed():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    return done


@pytest.mark.usefixtures("usual")
def test_ctrl_c_comes_once_and_after_the_block() -> None:
    come: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: come.append(number))
    assert put_back() == ["all of it"]
    assert come == [signal.SIGINT]


@pytest.mark.usefixtures("usual")
def test_ctrl_c_ends_what_comes_after_the_block() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        put_back()


@pytest.mark.usefixtures("usual")
def test_ctrl_c_that_is_ignored_stays_ignored() -> None:
    """As in a job that a shell runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert put_back() == ["all of it"]


@pytest.mark.usefixtures("usual")
def test_without_ctrl_c_nothing_happens_and_a_failure_stays_one() -> None:
    with pytest.raises(ValueError, match="mine"), undisturbed():
        raise ValueError("mine")


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize(
    ("number", "name", "code"),
    [
        (signal.SIGINT, "Ctrl-C", 130),
        (signal.SIGTERM, "SIGTERM", 143),
        (signal.SIGHUP, "SIGHUP", 129),
    ],
)
def test_each_signal_that_ends_a_command_waits_for_the_block(
    number: int, name: str, code: int
) -> None:
    done: list[str] = []

    def put_back_meanwhile() -> None:
        with ended_by_signals(), undisturbed():
            signal.raise_signal(number)
            signal.raise_signal(signal.SIGHUP)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt) as ended:
        put_back_meanwhile()
    assert done == ["all of it"]
    assert how_stopped(ended.value) == (name, code)


@pytest.mark.usefixtures("usual")
def test_signal_that_is_ignored_ends_nothing() -> None:
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class Swallowing:
    """Meets a signal while it is cleared away, where Python drops whatever is raised."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("number", ENDING)
def test_signal_that_comes_in_a_finalizer_ends_the_command_all_the_same(number: int) -> None:
    def wait_for_what_was_dropped() -> None:
        with ended_by_signals():
            gone = Swallowing(number)
            del gone
            time.sleep(60)

    with pytest.raises(KeyboardInterrupt) as ended:
        wait_for_what_was_dropped()
    assert how_stopped(ended.value)[1] == 128 + number
