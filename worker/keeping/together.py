"""Many calls at once, of which none is still under way when their caller goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from typing import TypeVar

T = TypeVar("T")


def together(pool: Executor, tasks: Iterable[Callable[[], T]]) -> list[T]:
    """What each task returns; where one fails, those that have not begun are not done any more."""
    futures = [pool.submit(task) for task in tasks]
    wait(futures, return_when=FIRST_EXCEPTION)
    for future in futures:
        future.cancel()
    wait(futures)
    failed = [future for future in futures if not future.cancelled() and future.exception()]
    return [future.result() for future in failed[:1] or futures]
