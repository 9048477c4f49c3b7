"""An endpoint that answers as AWS does, errors first: for verbs whose account is in trouble.

A verb reaches it as a user's command would (``AWS_ENDPOINT_URL``), so that real clients sign, send,
retry and read. What a service answers comes from an object with the client's methods; a service
that is not given answers as ``refuse`` says.
"""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore import xform_name
from botocore.exceptions import ClientError

JSON_SERVICES = {
    "ecs", "states", "dynamodb", "sqs", "logs", "ecr", "servicequotas", "scheduler",
}  # fmt: skip


class Refuse:
    """A service that refuses every call with the same error."""

    def __init__(self, code: str, message: str = "") -> None:
        self._code, self._message = code, message

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": self._code, "Message": self._message}}, name)

        return call


class _Handler(BaseHTTPRequestHandler):
    services: Mapping[str, Any]
    other: Any

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service = self._service()
        operation, request = self._operation(body)
        try:
            method = getattr(self.services.get(service, self.other), xform_name(operation))
            self._send(200, service, operation, method(**request) or {})
        except ClientError as error:
            self._send_error(service, error.response["Error"])

    def _service(self) -> str:
        signed = self.headers.get("Authorization", "").partition("Credential=")[2]
        return signed.split("/")[3] if signed.count("/") > 3 else ""

    def _operation(self, body: bytes) -> tuple[str, dict[str, Any]]:
        if "X-Amz-Target" in self.headers:
            return self.headers["X-Amz-Target"].partition(".")[2], json.loads(body)
        form = {
            name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()
        }
        if "Action" in form:
            operation = form.pop("Action")
            return operation, {n: v for n, v in form.items() if n == "StackName"}
        return f"{self.command.title()}{'Bucket' if self.path.count('/') == 1 else 'Object'}", {}

    def _send(self, code: int, service: str, operation: str, answer: Mapping[str, Any]) -> None:
        if service in JSON_SERVICES:
            self._write(code, "application/x-amz-json-1.1", json.dumps(answer, default=str))
        else:
            inner = f"<{operation}Result>{_xml(answer)}</{operation}Result>"
            self._write(code, "text/xml", f"<{operation}Response>{inner}</{operation}Response>")

    def _send_error(self, service: str, error: Any) -> None:
        code, message = error["Code"], error.get("Message", "")
        if service in JSON_SERVICES:
            text = json.dumps({"__type": code, "message": message})
            self._write(400, "application/x-amz-json-1.1", text)
            return
        inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        wrapped = inner if service == "s3" else f"<Error>{inner}</Error>"
        root = {"s3": "Error", "ec2": "Response"}.get(service, "ErrorResponse")
        wrapped = f"<Errors>{wrapped}</Errors>" if service == "ec2" else wrapped
        self._write(400, "text/xml", f"<{root}>{wrapped}</{root}>")

    def _write(self, code: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(item)}</{name}>" for name, item in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(item)}</member>" for item in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


class _Throttling(_Handler):
    """Hands so many calls on to another endpoint, and throttles every later one."""

    protocol_version = "HTTP/1.1"  # S3 waits a second for an answer to Expect that 1.0 lacks
    behind: str
    left: Iterator[int]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if next(self.left, None) is None:
            self._send_error(self._service(), {"Code": "Throttling", "Message": "Rate exceeded"})
            return
        headers = {k: v for k, v in self.headers.items() if k not in ("Host", "Expect")}
        headers.setdefault("Content-Type", "application/octet-stream")  # else it becomes a form
        url = self.behind + self.path
        asked = urllib.request.Request(url, body or None, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(asked)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self._write(answer.status, answer.headers["Content-Type"], answer.read().decode())


def throttling(behind: str, after: int) -> AbstractContextManager[str]:
    """Serve what another endpoint answers, and throttle every call after so many."""
    return _serving(
        type("Throttling", (_Throttling,), {"behind": behind, "left": iter(range(after))})
    )


class _Page(_Handler):
    """Answers everything with a web page, as a proxy or the sign-in of a network does."""

    status: int

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._write(self.status, "text/html", "<!DOCTYPE html><html><title>Sign in</title></html>")


def page(status: int) -> AbstractContextManager[str]:
    """Serve a web page with this status, whatever is asked."""
    return _serving(type("Page", (_Page,), {"status": status}))


@contextmanager
def silence() -> Iterator[tuple[str, Callable[[], int]]]:
    """Take connections, and never answer; the address, and what counts the connections."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as open_ones:

        def count() -> int:
            server.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    taken.append(open_ones.enter_context(server.accept()[0]))
            return len(taken)

        yield f"http://127.0.0.1:{server.getsockname()[1]}", count


def answering(other: Any, **services: Any) -> AbstractContextManager[str]:
    """Serve on a free port; services are named as their signatures do (``states``, ``ecs``)."""
    return _serving(type("Handler", (_Handler,), {"services": services, "other": other}))


@contextmanager
def _serving(handler: type[_Handler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
