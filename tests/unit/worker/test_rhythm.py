"""When the folders are saved, on a real clock with short intervals."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from steadyspot.worker.keeping.pace import Forecast
from steadyspot.worker.supervising.rhythm import Rhythm

NEVER_SECONDS = 3600.0
MOST_SECONDS = 0.4


class Saves:
    """Counts what is asked for; each save ends at once, well or not."""

    def __init__(self, failing: bool = False) -> None:
        self.asked = threading.Semaphore(0)
        self.by_job: list[bool] = []
        self._failing = failing

    def __call__(self, by_job: bool) -> Future[Any]:
        future: Future[Any] = Future()
        if self._failing:
            future.set_exception(OSError("no bucket"))
        else:
            future.set_result(None)
        self.by_job.append(by_job)
        self.asked.release()
        return future

    def came(self, seconds: float = 5.0) -> bool:
        return self.asked.acquire(timeout=seconds)


@pytest.fixture
def begun() -> Any:
    running: list[Rhythm] = []

    def begin(
        save: Callable[[bool], Future[Any]],
        every: float,
        marker: Path | None = None,
        forecast: Callable[[], Forecast] = lambda: Forecast(0, True),
        warn: Callable[[float], None] = print,
    ) -> None:
        running.append(Rhythm(save, every, str(marker or ""), forecast, MOST_SECONDS, warn))
        running[-1].start()

    yield begin
    for rhythm in running:
        rhythm.stop()


def test_folders_are_saved_again_and_again(begun: Any) -> None:
    saves = Saves()
    begun(saves, 0.02)
    assert all(saves.came() for _ in range(3))
    assert not any(saves.by_job)


def test_a_touched_marker_asks_once_and_is_gone_afterwards(begun: Any, tmp_path: Path) -> None:
    saves, marker = Saves(), tmp_path / "save"
    begun(saves, NEVER_SECONDS, marker)
    marker.touch()
    assert saves.came()
    assert not saves.came(0.6)
    assert saves.by_job == [True]
    assert not marker.exists()


def test_a_marker_stays_until_a_save_is_durable(begun: Any, tmp_path: Path) -> None:
    saves, marker = Saves(failing=True), tmp_path / "save"
    marker.touch()
    begun(saves, NEVER_SECONDS, marker)
    assert all(saves.came() for _ in range(2))
    assert marker.exists()


def test_a_marker_that_cannot_be_removed_asks_once_and_stops_nothing(
    begun: Any, tmp_path: Path
) -> None:
    saves, marker = Saves(), tmp_path / "save"
    marker.mkdir()
    begun(saves, 1.0, marker)
    assert saves.came()
    assert not saves.came(0.6)
    assert saves.came()


def test_folders_are_saved_before_their_time_once_a_stop_might_be_too_short(begun: Any) -> None:
    saves = Saves()
    begun(saves, NEVER_SECONDS, forecast=lambda: Forecast(0.9 * MOST_SECONDS, False))
    assert saves.came()


def test_it_is_said_before_a_stop_comes_that_its_save_would_not_fit(begun: Any) -> None:
    warned: list[float] = []
    saves = Saves()
    begun(saves, NEVER_SECONDS, forecast=lambda: Forecast(60, True), warn=warned.append)
    assert saves.came()
    assert warned == [60]


def test_a_forecast_that_follows_from_no_save_is_no_warning(begun: Any) -> None:
    warned: list[float] = []
    saves = Saves()
    begun(saves, NEVER_SECONDS, forecast=lambda: Forecast(60, False), warn=warned.append)
    assert saves.came()
    assert warned == []


def test_a_save_that_takes_longer_than_a_stop_leaves_is_said_while_it_does(begun: Any) -> None:
    warned: queue.SimpleQueue[float] = queue.SimpleQueue()
    under_way: Future[Any] = Future()
    begun(lambda _: under_way, 0.01, warn=warned.put)
    assert MOST_SECONDS <= warned.get(timeout=60) < 60
    under_way.set_result(None)
