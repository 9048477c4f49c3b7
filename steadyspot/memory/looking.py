"""A look at a program that ends no job, whatever it meets there."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator

from steadyspot.errors import RunError

UNKNOWN = ["variables"]
"""Names of what a program may hold that could not be looked at."""


@contextlib.contextmanager
def looking(otherwise: Callable[[], None]) -> Iterator[None]:
    """Do ``otherwise`` where the block meets what nobody has thought of, and tell of it."""
    try:
        yield
    except RunError:
        raise
    except Exception:
        traceback.print_exc()
        sys.stderr.write(
            "What this program holds could not be looked at: this is a fault of Steadyspot's own."
            " All units are done again, so that nothing is lacking.\n"
        )
        otherwise()
