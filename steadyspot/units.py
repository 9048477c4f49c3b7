"""Units: what tells one from another, and to which of those in hand an output belongs.

A unit's key is a text that is the same in every attempt and differs for units of different types.
An output that does not say whose it is belongs to the unit that the nearest process has in hand,
going up from the one that makes it. Who keeps the list of units in hand is decided elsewhere.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, TypeVar


class NoKey(ValueError):
    """A unit of which no stable key can be made."""


def key_of(unit: Any) -> str:
    """The key of a unit: the same text in every attempt, another one for another type.

    ``1``, ``1.0``, ``True`` and ``"1"`` are four units. A list and a tuple of the same are one, and
    so are a scalar of numpy and the plain value it stands for. Raises ``NoKey``.
    """
    kind = type(unit)
    if isinstance(unit, Enum):
        return f"{kind.__qualname__}.{unit.name or key_of(unit.value)}"  # Flags may have no name.
    if kind.__module__.partition(".")[0] in ("numpy", "pandas"):
        return _key_of_scalar(unit)
    if unit is None or isinstance(unit, bool | int | str):
        return json.dumps(unit)
    if isinstance(unit, float):
        return _key_of_float(unit)
    if isinstance(unit, list | tuple):
        return f"[{','.join(map(key_of, unit))}]"
    if isinstance(unit, set | frozenset):
        return f"set[{','.join(sorted(map(key_of, unit)))}]"
    if isinstance(unit, Mapping):
        pairs = sorted((key_of(name), key_of(value)) for name, value in unit.items())
        return f"{{{','.join(f'{name}:{value}' for name, value in pairs)}}}"
    for base, text in _texts().items():
        if isinstance(unit, base):
            return f"{base.__name__}({text(unit)})"
    raise NoKey(f"The unit {unit!r} has no stable key.")


def _key_of_float(unit: float) -> str:
    if math.isnan(unit):
        raise NoKey("NaN is no unit: it does not equal itself.")
    return float.__repr__(unit)


def _key_of_scalar(unit: Any) -> str:
    """Times keep their own resolution; the rest is the plain value it stands for."""
    name = type(unit).__name__
    if str(unit) in ("NaT", "<NA>"):
        raise NoKey(f"{unit} is no unit: it does not equal itself.")
    if isinstance(unit, datetime):
        return f"datetime({unit.isoformat()})"
    if name in ("datetime64", "timedelta64", "Timedelta", "Period", "Interval"):
        return f"{name}({unit})"
    plain = unit.item() if hasattr(unit, "item") and getattr(unit, "ndim", 0) == 0 else unit
    if type(plain).__module__.partition(".")[0] in ("numpy", "pandas"):
        raise NoKey(f"The unit {unit!r} has no stable key.")
    return key_of(plain)


@cache
def _texts() -> dict[type, Callable[[Any], str]]:
    """What makes a text of the types that few units have: most jobs need not wait for them."""
    from decimal import Decimal
    from fractions import Fraction
    from uuid import UUID

    return {  # A datetime is a date, too.
        datetime: datetime.isoformat,
        date: date.isoformat,
        time: time.isoformat,
        timedelta: lambda value: f"{value.days},{value.seconds},{value.microseconds}",
        UUID: str,
        PurePath: lambda value: json.dumps(value.as_posix()),
        Decimal: str,
        Fraction: str,
        bytes: bytes.hex,
        complex: complex.__repr__,
    }


class Process(NamedTuple):
    """A process; ``started`` tells it from a later one with its number, empty where unknown."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process:
        stat = _stat(pid)
        return cls(pid, stat[19] if stat else "")

    @classmethod
    def named(cls, name: str) -> Process:
        """The process with whose text a name begins."""
        pid, started, *_ = [*name.split("-"), ""]
        return cls(int(pid) if pid.isdigit() else 0, started)

    def __str__(self) -> str:
        return f"{self.pid}-{self.started}"

    def lives(self) -> bool:
        """Whether it is there and, as far as that can be seen, no zombie and no later one."""
        stat = _stat(self.pid)
        if self.started and stat:
            return stat[0] != "Z" and stat[19] == self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


class InHand(Protocol):
    """A unit in hand: its key and the process that has it."""

    @property
    def key(self) -> str: ...
    @property
    def process(self) -> Process: ...


U = TypeVar("U", bound=InHand)


class Ambiguous(Exception):
    """Several units are in hand, and which is meant cannot be told."""

    def __init__(self, units: Sequence[InHand]) -> None:
        self.units = units
        keys = " and ".join(unit.key for unit in units[:2])
        super().__init__(
            f"Several units are in hand ({keys}), and whose output this is cannot be told."
        )


def owner(in_hand: Sequence[U], pid: int) -> U | None:
    """The unit that an output made by this process belongs to, or none.

    That is the one unit of the nearest process, from ``pid`` up through its parents, that has any
    in hand. Where none of them has, units in processes below ``pid`` do not count, since it only
    waits for these, and of all others there must be one at most. Raises ``Ambiguous``.
    """
    for process in ancestry(pid):
        own = [unit for unit in in_hand if unit.process.pid == process]
        if len(own) > 1:
            raise Ambiguous(own)
        if own:
            return own[0]
    others = [unit for unit in in_hand if pid not in ancestry(unit.process.pid)]
    if len(others) > 1:
        raise Ambiguous(others)
    return others[0] if others else None


def beside(in_hand: Iterable[U], pid: int) -> list[U]:
    """Units of processes that are neither ``pid`` nor above it."""
    above = set(ancestry(pid))
    return [unit for unit in in_hand if unit.process.pid not in above]


def ancestry(pid: int) -> Iterator[int]:
    """The process, its parent, and so on, as far as they can be seen."""
    while pid > 0:
        yield pid
        stat = _stat(pid)
        parent = os.getppid() if pid == os.getpid() else 0
        pid = int(stat[1]) if stat else parent


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state, parent, …); empty where unknown."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []
