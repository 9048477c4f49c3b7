"""Where a program's random numbers stand, so that it is seen whether some were drawn."""

from __future__ import annotations

import pickle
import sys
import zlib

from steadyspot.memory.gathering import Names, reached

_KINDS = (("random", "Random"), ("numpy.random", "Generator"), ("numpy.random", "RandomState"))


def standing() -> dict[Names, int]:
    """By all names, numbers for where they stand: those of all, and those that are reached."""
    found: dict[Names, int] = {}
    for module, ask in (("random", "getstate"), ("numpy.random", "get_state")):
        if module in sys.modules:
            found[module,] = _number(getattr(sys.modules[module], ask)())
    return found | {path: _number(value) for path, value, _ in reached(_is_random)}


def _is_random(value: object) -> int | None:
    for module, name in _KINDS:
        if type(value) is getattr(sys.modules.get(module), name, None):
            return 0
    return None


def _number(state: object) -> int:
    return zlib.crc32(pickle.dumps(state))
