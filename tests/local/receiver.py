"""A service on 127.0.0.1 that is called by HTTP, as others are on the internet."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request: path with query, headers in small letters, and the body's JSON."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Receiver:
    """What came so far; ``answers`` are the statuses of the next requests to a path, then 200."""

    url: str
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)

    def at(self, path: str) -> list[Call]:
        """The requests to a path, with or without a query."""
        return [one for one in list(self.calls) if one.path.partition("?")[0] == path]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive on a free port, until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.calls.append(Call(self.path, headers, json.loads(body)))
            left = receiver.answers.get(self.path.partition("?")[0])
            self.send_response(left.pop(0) if left else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
