"""What ``run.stopping`` is: whether the run is to stop, which a job asks or waits for.

Who finds that out, a signal's handler or a thread that listens, is the run's business.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Stopping:
    """Whether the run is to stop: true or false, or waited for.

    A job that has seen it true may end early, so its end no longer says that all is done.
    """

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._event = threading.Event()
        self._pid = os.getpid()
        self.flag = False
        self.seen = False

    def __bool__(self) -> bool:
        self.seen = self.seen or self.came()
        return self.seen

    def came(self) -> bool:
        """Whether the run is to stop, for those that go on as they would. A fork has to ask."""
        return self.flag or (os.getpid() != self._pid and self._ask())

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the run is to stop, at most so long; whether it is."""
        self._event.wait(timeout_seconds)
        return bool(self)

    def begin(self) -> None:
        """Called in the watching thread; a signal handler may set only ``flag``."""
        self.flag = True
        self._event.set()
