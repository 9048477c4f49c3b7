"""Which tests begin first: those that may take longest, or one worker ends with them alone.

`--dist worksteal` gives each worker a share of the tests in their order, and takes from its end
what others then do. So the long ones stand in front of each share, those of a file together: they
share what is made for the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, islice
from typing import TypeVar

T = TypeVar("T")


def dealt(tests: Sequence[tuple[T, str, float]], workers: int, usual: float) -> list[T]:
    """Order tests, each with its file and the seconds that it may take, for so many workers."""
    long = [one for one in tests if one[2] > usual]
    files = [list(group) for _, group in groupby(long, key=lambda one: one[1])]
    files.sort(key=lambda group: -max(seconds for *_, seconds in group))
    fronts = [[one for file in files[worker::workers] for one in file] for worker in range(workers)]
    others = iter([one for one in tests if one[2] <= usual])
    ordered: list[tuple[T, str, float]] = []
    for worker, front in enumerate(fronts):
        left = len(tests) - len(ordered)
        share = left // (workers - worker)
        ordered += [*front, *islice(others, max(0, share - len(front)))]
    return [test for test, *_ in [*ordered, *others]]
