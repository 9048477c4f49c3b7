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
import socket
import traceback
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

_WITHOUT_BODY = (204, 304)


class Dispatcher(DomainDispatcherApplication):
    """moto's application for all its services, which finds the one for a host only once."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backend_for_host = functools.cache(super().get_backend_for_host)

    def get_backend_for_host(self, host: str | None) -> Any:
        """The name of moto's backend that answers for a host, if there is one."""
        return self._backend_for_host(host)


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

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

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
            self.server.log("error", "%s", traceback.format_exc())
            return "500 Internal Server Error", [("Content-Type", "text/plain")], [b"See the log."]
        return status, headers, body
