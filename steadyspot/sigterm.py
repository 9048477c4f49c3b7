"""The handler by which SIGTERM ends the loop of a run after the unit in hand."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


class Sigterm:
    """``told`` is called by the handler, in this process and not in its forks."""

    def __init__(self, told: Callable[[], None]) -> None:
        # No method: to look up who handles a signal asks for its repr, and so for that of the run.
        self._on_signal = lambda number, frame: told()

    def is_caught(self) -> bool:
        """Whether it is handled here, and by nobody else since."""
        return signal.getsignal(signal.SIGTERM) == self._on_signal

    def catch(self) -> None:
        """Handle it, where the program does not by itself.

        It waits while a fork is made, so that none is lost before the fork ends by it again.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return
        signal.signal(signal.SIGTERM, self._on_signal)
        masks = threading.local()

        def hold() -> None:
            masks.old = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

        def release() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masks.old)

        def forget() -> None:
            if self.is_caught():
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
            release()

        os.register_at_fork(before=hold, after_in_parent=release, after_in_child=forget)
