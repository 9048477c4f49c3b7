"""How seldom Python looks for garbage where clients of AWS, their descriptions or moto are loaded.

They are a large heap that stays: by Python's own threshold of 700 the collector goes through it so
often that this is a fifth of all the time, and at the end of the process once more, where nothing
of it has to be found any longer. With both a command is done in half the processor time.
"""

from __future__ import annotations

import atexit
import gc
from functools import cache

_THRESHOLD = 50_000


@cache
def collect_seldom() -> None:
    """Let the collector of this process run only after that many new objects, not at the end."""
    gc.set_threshold(_THRESHOLD)
    atexit.register(gc.freeze)
