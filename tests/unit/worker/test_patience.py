"""How long a call is tried again: as long as patience says, or all that a stop leaves."""

from __future__ import annotations

import threading
import time

import pytest

from steadyspot.worker.errors import SetupError, Short, Unreachable
from steadyspot.worker.keeping.patience import Patience


class Clock:
    """Stands still but for what calls take."""

    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


class Call:
    """Fails so often, each time ``after`` seconds of a clock, then answers."""

    def __init__(
        self,
        failures: int,
        error: Exception | None = None,
        *,
        clock: Clock | None = None,
        after: float = 0.0,
    ) -> None:
        self.made = 0
        self._failures = failures
        self._error = error or Unreachable("AWS did not answer.")
        self._clock = clock or Clock()
        self._after = after

    def __call__(self) -> str:
        self.made += 1
        self._clock.now += self._after
        if self.made <= self._failures:
            raise self._error
        return "answer"


def test_call_is_made_until_it_succeeds() -> None:
    call = Call(3)

    assert Patience(20, print).call(call) == "answer"
    assert call.made == 4


def test_what_lasts_is_not_tried_again() -> None:
    call = Call(3, SetupError("No."))

    with pytest.raises(SetupError):
        Patience(20, print).call(call)
    assert call.made == 1


def test_no_patience_is_one_try() -> None:
    call = Call(1)

    with pytest.raises(Unreachable):
        Patience(0, print).call(call)
    assert call.made == 1


def test_patience_ends_for_all_calls_of_one_outage() -> None:
    """What failed for so long already is not waited for once more, until anything succeeds."""
    clock = Clock()
    patience = Patience(20, print, clock)
    first, later = (Call(100, clock=clock, after=15) for _ in range(2))
    with pytest.raises(Unreachable):
        patience.call(first)
    with pytest.raises(Unreachable):
        patience.call(later)
    assert (first.made, later.made) == (3, 1)

    patience.call(Call(0))
    assert patience.call(Call(1, clock=clock, after=15)) == "answer"


def test_stop_cuts_a_pause_short_and_sets_the_end() -> None:
    patience, call = Patience(300, print), Call(1000)
    ended = threading.Event()

    def make() -> None:
        with pytest.raises(Unreachable):
            patience.call(call)
        ended.set()

    threading.Thread(target=make, daemon=True).start()
    while call.made < 5:
        time.sleep(0.01)
    begun = time.monotonic()
    patience.hurry(begun + 0.5)

    assert ended.wait(60)


def test_call_within_a_stop_is_tried_again_however_long_the_outage_lasted() -> None:
    patience = Patience(0.2, print)
    with pytest.raises(Unreachable):
        patience.call(Call(100))
    time.sleep(0.2)
    patience.hurry(time.monotonic() + 20)

    assert patience.call(Call(2)) == "answer"


def test_shortage_of_the_machine_is_waited_for_as_well() -> None:
    call = Call(3, Short("The machine is short."))

    assert Patience(20, print).call(call) == "answer"
    with pytest.raises(Short):
        Patience(0, print).call(Call(1, Short("The machine is short.")))
