"""Requests to DynamoDB and S3 one at a time, so that conditional writes are atomic as on AWS.

moto checks a condition and then writes, and its server answers each request in a thread of its own:
two claims at the same moment could both win.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_SERVICES = ("dynamodb", "s3")


class OneAtATime:
    """A WSGI application in front of `inner` that lets one request of these services in at a time.

    The body is read before, so that a client that stops in the middle holds up no one.
    """

    def __init__(self, inner: _Wsgi) -> None:
        self._inner = inner
        self._locks = {service: threading.Lock() for service in _SERVICES}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        lock = self._locks.get(signed_service(environ.get("HTTP_AUTHORIZATION", "")))
        if lock is None:
            return self._inner(environ, start_response)
        if environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
        elif environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
        with lock:
            return self._inner(environ, start_response)


def signed_service(authorization: str) -> str:
    """The service in the scope of a signature of version 4; empty for any other header."""
    _, _, credential = authorization.partition("Credential=")
    scope = credential.partition(",")[0].split("/")
    return scope[3] if len(scope) == 5 else ""
