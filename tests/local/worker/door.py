"""A door to the embedded AWS that lets all through until a service is forbidden, slow or ill.

So it looks to a task whose role has a policy withdrawn in the middle of a run, to one whose outputs
are so large that S3 takes long to complete them, and to one whose requests are delayed, cut,
doubled or refused on their way.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from steadyspot.contract import OUTPUTS

REFUSALS = {
    "s3": (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
    "dynamodb": (
        400,
        b'{"__type": "com.amazon.coral.service#AccessDeniedException",'
        b' "message": "User is not authorized to perform this action"}',
    ),
}


class Kind(StrEnum):
    """What can befall a request."""

    DELAY = "delay"
    CUT = "cut"
    """It never arrives, and its connection is closed."""
    LOSE = "lose"
    """It arrives, and the answer is lost."""
    HALVE = "halve"
    """It arrives, and the answer breaks off in its body."""
    DOUBLE = "double"
    """It arrives twice, and the second answer is given."""
    REFUSE = "refuse"


@dataclass(frozen=True)
class Fault:
    """One thing that befalls a request, with ``seconds`` of a delay or ``refusal`` as answer."""

    kind: Kind
    seconds: float = 0.0
    refusal: tuple[int, bytes] = (503, b"<Error><Code>SlowDown</Code></Error>")


@dataclass(frozen=True)
class Request:
    """A request at the door: ``service`` is ``s3`` or ``dynamodb``."""

    service: str
    method: str
    path: str

    @property
    def completes(self) -> bool:
        """Whether it completes an upload."""
        return self.method == "POST" and "uploadId=" in self.path

    @property
    def publishes(self) -> bool:
        """Whether it makes something that people see, by completing an upload or all at once."""
        puts = self.method == "PUT" and "uploadId=" not in self.path
        return self.completes or (puts and f"/{OUTPUTS}" in self.path)


Meddle = Callable[[Request], Fault | None]


def all_of(service: str, fault: Fault) -> Meddle:
    """Have it befall every request of a service."""
    return lambda request: fault if request.service == service else None


class Door:
    """Passes requests to ``endpoint`` from an ``address`` of its own.

    Connections for a service that is ``unreachable`` are closed without an answer. ``refused`` and
    ``completions`` count; each completion of an upload takes
    ``completion_seconds`` longer. ``meddle`` says what befalls a request; ``met`` counts these.
    """

    def __init__(self, endpoint: str) -> None:
        self.forbidden: set[str] = set()
        self.unreachable: set[str] = set()
        self.refused = 0
        self.completions = 0
        self.completion_seconds = 0.0
        self.meddle: Meddle = lambda request: None
        self.met = 0
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
        self.waiting = 0

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

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # Who asked may be killed before its answer.
            super().handle()

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
        request = self._request(authorization)
        if request.completes:
            self.of.completions += 1
            time.sleep(self.of.completion_seconds)
        fault = self.of.meddle(request)
        if fault is None:
            self._answer(*self._pass_on(body))
        else:
            self.of.met += 1
            self._befall(fault, body)

    def _befall(self, fault: Fault, body: bytes) -> None:
        self.close_connection = fault.kind in (Kind.CUT, Kind.LOSE, Kind.HALVE)
        time.sleep(fault.seconds)
        match fault.kind:
            case Kind.REFUSE:
                self._answer(*fault.refusal, [("Date", formatdate(usegmt=True))])
            case Kind.LOSE:
                self._pass_on(body)
            case Kind.HALVE:
                status, answer, headers = self._pass_on(body)
                self._answer(status, answer, headers, len(answer) // 2)
            case Kind.DOUBLE:
                self._pass_on(body)
                self._answer(*self._pass_on(body))
            case Kind.DELAY:
                self._answer(*self._pass_on(body))

    def _request(self, authorization: str) -> Request:
        service = "s3" if "/s3/aws4_request" in authorization else "dynamodb"
        return Request(service, self.command, self.path)

    def _pass_on(self, body: bytes) -> tuple[int, bytes, list[tuple[str, Any]]]:
        inner = http.client.HTTPConnection(self.of.to)
        inner.request(self.command, self.path, body, dict(self.headers.items()))
        reply = inner.getresponse()
        answer = reply.status, reply.read(), reply.getheaders()
        inner.close()
        return answer

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: list[tuple[str, Any]],
        sent_bytes: int | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent_bytes])
