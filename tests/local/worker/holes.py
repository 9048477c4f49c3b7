"""Networks that swallow what is sent: connections are taken, and nothing is ever answered.

A ``Tunnel`` behaves until it is told to stall, so that AWS can vanish in the middle of a run, or is
narrow, so that a large file takes long; a ``black_hole`` was never anything else.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """The address of something that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


class Tunnel:
    """Passes bytes to and fro between its own ``address`` and an endpoint, until ``stall``.

    ``pause_seconds`` is waited after each 64 KiB, or less, of a connection.
    """

    def __init__(self, endpoint: str, pause_seconds: float = 0.0) -> None:
        self._pause = pause_seconds
        self._to = urlsplit(endpoint)
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """From now on nothing passes, and nothing is refused."""
        self._open.clear()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._to.hostname, self._to.port))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                if self._open.is_set():
                    other.sendall(data)
                time.sleep(self._pause)
            other.shutdown(socket.SHUT_WR)
