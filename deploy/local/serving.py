"""The HTTP server of the embedded AWS, made to answer fast: a call costs what moto does for it.

werkzeug's own server closes the connection after every answer and first waits there for more, so a
call pays for a new connection and a new thread; moto's dispatcher reads its folders anew for every
call. Here a request is read whole before it is answered, so that the next one can follow on the
same connection. What is answered is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import socket
from typing import Any

from flask import Flask
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

SERVED = frozenset(
    {
        "cloudformation",
        "cloudwatch",
        "dynamodb",
        "ec2",
        "ecr",
        "ecs",
        "events",
        "iam",
        "kms",
        "logs",
        "s3",
        "scheduler",
        "secretsmanager",
        "ses",
        "sesv2",
        "sns",
        "sqs",
        "ssm",
        "stepfunctions",
        "sts",
        "xray",
    }
)
"""What the templates, the command line and the worker use, as moto names it."""
_WITHOUT_BODY = (204, 304)
_LOG = logging.getLogger(__name__)


class NotOffered(Exception):
    """The embedded AWS has no such service."""


class Dispatcher(DomainDispatcherApplication):
    """moto's application for the services that are served; it finds the one for a host once."""

    def __init__(self) -> None:
        super().__init__(_application)
        self._backend_for_host = functools.cache(self._find)

    def get_backend_for_host(self, host: str | None) -> Any:
        """The name of moto's backend that answers for a host, if it is served."""
        return self._backend_for_host(host)

    def _find(self, host: str | None) -> str | None:
        if host is None or host in SERVED:
            return host
        address = f"http://{host}"
        found = (name for name, pattern in self.backend_url_patterns if pattern.match(address))
        return next((name for name in found if name in SERVED), None)


def _application(service: Any) -> Flask:
    if service is None:
        raise NotOffered
    return create_backend_app(service)


class Server(ThreadedWSGIServer):
    """Serves `app`, a WSGI application, in a thread for each connection.

    Raises
    ------
    OSError
        The port is taken. Bound by itself, werkzeug would end the process there.
    """

    def __init__(self, host: str, port: int, app: Any) -> None:
        self._connections: set[socket.socket] = set()
        with socket.create_server((host, port), backlog=self.request_queue_size) as bound:
            super().__init__(host, port, app, _Handler, fd=bound.fileno())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection failed; that is the client's affair, and nothing for the terminal."""
        _LOG.debug("A connection failed.", exc_info=True)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to serve a connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """The end of a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Serve nobody any more: clients keep connections, and would go on being answered."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(MotoRequestHandler):
    """Serves one connection, request by request; each answer leaves in as few writes as can be."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # Buffered; what calls `run_wsgi` flushes.

    def handle_expect_100(self) -> bool:
        """The client waits for this before it sends the body."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def run_wsgi(self) -> None:
        """Answer one request. One that broke off in its body reaches no application."""
        environ = self.make_environ()
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self.send_error(400, "The Content-Length is no number of bytes")
            self.wfile.flush()
            return
        try:
            environ["wsgi.input"] = io.BytesIO(self._body(environ))
        except OSError:
            self.close_connection = True
            return
        status, headers, body = self._answer(environ)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        bare = self.command == "HEAD" or int(code) in _WITHOUT_BODY
        for name, value in headers:
            if bare or name.lower() != "content-length":
                self.send_header(name, value)
        if not bare:
            self.send_header("Content-Length", str(sum(map(len, body))))
        self.end_headers()
        if not bare:
            self.wfile.writelines(body)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: neither of a request nor of a client's mistake."""

    def _body(self, environ: dict[str, Any]) -> bytes:
        if environ.get("wsgi.input_terminated"):
            chunks: bytes = environ["wsgi.input"].read()
            return chunks
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("The request broke off.")
        return body

    def _answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], list[bytes]]:
        status, headers = "", list[tuple[str, str]]()
        body: list[bytes] = []

        def start_response(line: str, more: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status, headers
            status, headers = line, more
            return body.append

        try:
            answer = self.server.app(environ, start_response)
            try:
                body.extend(answer)
            finally:
                if hasattr(answer, "close"):
                    answer.close()
        except Exception:
            _LOG.debug("A request failed.", exc_info=True)
            said = b"The embedded AWS could not answer that."
            return "500 Internal Server Error", [("Content-Type", "text/plain")], [said]
        return status, headers, body
