"""Ctrl-C while something is put back waits; then it does what it would have done."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from steadyspot.deploy.drills.undisturbed import undisturbed


@pytest.fixture
def usual() -> Iterator[None]:
    """Puts back what SIGINT does, whatever a test made of it."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


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
