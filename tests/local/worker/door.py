"""A door to the embedded AWS that lets all through until a service is forbidden, or S3 is slow.

So it looks to a task whose role has a policy withdrawn in the middle of a run, and to one whose
outputs are so large that S3 takes long to complete them.
"""

from __future__ import annotations

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

REFUSALS = {
    "s3": (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
    "dynamodb": (
        400,
        b'{"__type": "com.amazon.coral.service#AccessDeniedException",'
        b' "message": "User is not authorized to perform this action"}',
    ),
}


class Door:
    """Passes requests to ``endpoint`` from an ``address`` of its own.

    Connections for a service that is ``unreachable`` are closed without an answer. ``refused`` and
    ``completions`` count; each completion of an upload takes
    ``completion_seconds`` longer.
    """

    def __init__(self, endpoint: str) -> None:
        self.forbidden: set[str] = set()
        self.unreachable: set[str] = set()
        self.refused = 0
        self.completions = 0
        self.completion_seconds = 0.0
        self.waiting = 0
        self._open = threading.Event()
        self._open.set()
        self.to = urlsplit(endpoint).netloc
        door = self

        class Handler(_Handler):
            of = door

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def forbid(self, service: str) -> None:
        """From now on the role may not use ``s3`` or ``dynamodb``."""
        self.forbidden.add(service)

    def hold(self) -> None:
        """From now on requests wait at the door."""
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    def pass_through(self) -> None:
        """Wait until the door is open; ``waiting`` counts who does."""
        self.waiting += not self._open.is_set()
        self._open.wait()

    def close(self) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: Door

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.of.pass_through()
        authorization = self.headers.get("Authorization", "")
        for service in self.of.forbidden:
            if f"/{service}/aws4_request" in authorization:
                self.of.refused += 1
                self._answer(*REFUSALS[service], [("x-amzn-RequestId", "refused")])
                return
        if any(f"/{service}/aws4_request" in authorization for service in self.of.unreachable):
            self.close_connection = True
            return
        if self.command == "POST" and "uploadId=" in self.path:
            self.of.completions += 1
            time.sleep(self.of.completion_seconds)
        inner = http.client.HTTPConnection(self.of.to)
        inner.request(self.command, self.path, body, dict(self.headers.items()))
        reply = inner.getresponse()
        self._answer(reply.status, reply.read(), reply.getheaders())
        inner.close()

    def _answer(self, status: int, body: bytes, headers: list[tuple[str, Any]]) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
