"""When the folders are saved, on a real clock with short intervals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from steadyspot.worker.supervising.rhythm import Rhythm

NEVER_SECONDS = 3600.0


class Saves:
    """Counts what is asked for; each save ends at once, well or not."""

    def __init__(self, failing: bool = False) -> None:
        self.asked = threading.Semaphore(0)
        self._failing = failing

    def __call__(self) -> Future[Any]:
        future: Future[Any] = Future()
        if self._failing:
            future.set_exception(OSError("no bucket"))
        else:
            future.set_result(None)
        self.asked.release()
        return future

    def came(self, seconds: float = 5.0) -> bool:
        return self.asked.acquire(timeout=seconds)


@pytest.fixture
def begun() -> Any:
    running: list[Rhythm] = []

    def begin(save: Callable[[], Future[Any]], every: float, marker: Path | None = None) -> None:
        running.append(Rhythm(save, every, str(marker or "")))

    yield begin
    for rhythm in running:
        rhythm.stop()


def test_folders_are_saved_again_and_again(begun: Any) -> None:
    saves = Saves()
    begun(saves, 0.02)
    assert all(saves.came() for _ in range(3))


def test_a_touched_marker_asks_once_and_is_gone_afterwards(begun: Any, tmp_path: Path) -> None:
    saves, marker = Saves(), tmp_path / "save"
    begun(saves, NEVER_SECONDS, marker)
    marker.touch()
    assert saves.came()
    assert not saves.came(0.6)
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
