"""How seldom Python looks for garbage where moto and the descriptions of AWS are loaded.

They are a large heap that stays: by Python's own threshold of 700 the collector goes through it so
often that this is a fifth of all the time.
"""

from __future__ import annotations

import gc

_THRESHOLD = 50_000


def collect_seldom() -> None:
    """Let the collector of this process run only after that many new objects."""
    gc.set_threshold(_THRESHOLD)
