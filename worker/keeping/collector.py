"""Keeps Python's collector of cycles away from work that makes very many objects and no cycle.

It looks at all of them again and again, which takes as long as the work itself.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Collect nothing meanwhile, in no thread."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
