"""What holds for every test: property-based ones are repeatable and never fail for being slow.

Where Ctrl-C is ignored from the start, as in what a script runs in the background, the tests go on
ignoring it, but the processes that they start do not inherit that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "steadyspot", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steadyspot")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_not_ignored_by_children() -> Iterator[None]:
    """A new program inherits what is ignored; what has a handler is the default in it again."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
    yield
    signal.signal(signal.SIGINT, before)
