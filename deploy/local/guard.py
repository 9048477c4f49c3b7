"""Who may use the embedded AWS: its owner, who alone can read the token; no page, no other user.

Whatever runs a command here runs it in the owner's name, so each request must bear the token, as
the access key or, to the endpoints beside AWS, as a bearer or in the path. A page in the owner's
browser can send requests to 127.0.0.1, also under a name of its own that resolves to it: so what a
page sends, and what is meant for another host, is refused first. What is not offered is said at
once, in the client's own protocol, with a status that no client tries again.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from steadyspot.deploy.aws.local_address import METADATA, PREFIX
from steadyspot.deploy.local.serving import NotOffered

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
StartResponse = Callable[..., Any]

_HOSTS = ("127.0.0.1", "localhost")
_PORT = re.compile(r":\d{1,5}\Z")
_SIGNATURE = re.compile(r"(?:Credential=|^AWS )([^/:,\s]+)(?:/\d+/[^/]*/([^/]+)/aws4_request)?")
_NO_PAGES = (
    "AccessDenied",
    "The embedded AWS answers programs at 127.0.0.1 only, and no page of a browser.",
)
_NO_KEY = (
    "InvalidClientTokenId",
    "The access key is not the token of this server, which stands in .steadyspot/local.json: "
    'eval "$(steadyspot local env)" sets what clients need.',
)
_REASONS = {403: "Forbidden", 501: "Not Implemented"}
_NO_SUCH_PATH = ("404", "405")


class Guard:
    """A WSGI application in front of `inner`, which gets only requests that bear `token`."""

    def __init__(self, inner: Wsgi, token: str) -> None:
        self._inner = inner
        self._token = token.encode()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        refuse = _Refusal(environ, start_response)
        if not _is_from_a_program(environ):
            return refuse(403, *_NO_PAGES)
        if not hmac.compare_digest(_key(environ).encode("utf-8", "replace"), self._token):
            return refuse(403, *_NO_KEY)
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._inner(environ, start_response)
        answer = _Answer()
        try:
            body = [*self._inner(environ, answer)]
        except Exception as error:
            logging.getLogger(__name__).debug("A request failed.", exc_info=True)
            return refuse(501, *_failed(refuse.service, error))
        if answer.is_of_no_api:
            return refuse(501, *_no_such_call(refuse.service, ""))
        start_response(answer.status, answer.headers)
        return [*answer.written, *body]


class _Answer:
    """Takes what an application answers with, without what would open it to a page."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self.status = status
        self.headers = [one for one in headers if not one[0].lower().startswith("access-control-")]
        return self.written.append

    @property
    def is_of_no_api(self) -> bool:
        """Whether no API of moto's knew the path, so that the answer is a page for people."""
        kind = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        return self.status.startswith(_NO_SUCH_PATH) and kind.startswith("text/html")


class _Refusal:
    """Answers a request with an error in the form that the client's protocol has for it."""

    def __init__(self, environ: dict[str, Any], start_response: StartResponse) -> None:
        self._environ = environ
        self._start_response = start_response
        self.service = _signed_with(environ)[1]

    def __call__(self, status: int, code: str, said: str) -> list[bytes]:
        kind, body = self._as_told(code, said)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        self._start_response(f"{status} {_REASONS[status]}", [*headers, ("x-amzn-ErrorType", code)])
        return [body]

    def _as_told(self, code: str, said: str) -> tuple[str, bytes]:
        if self._environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
            return "application/cbor", _cbor({"__type": code, "message": said})
        error = f"<Code>{code}</Code><Message>{escape(said)}</Message>"
        kind = self._environ.get("CONTENT_TYPE", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            around = "Response><Errors" if self.service == "ec2" else "ErrorResponse"
            return "text/xml", _in_xml(around, f"<Error>{error}</Error>")
        if self.service == "s3":
            return "application/xml", f"<Error>{error}</Error>".encode()
        if self.service in ("route53", "cloudfront", "s3-control"):
            return "text/xml", _in_xml("ErrorResponse", f"<Error>{error}</Error>")
        return "application/json", json.dumps({"__type": code, "message": said}).encode()


def _is_from_a_program(environ: dict[str, Any]) -> bool:
    """Whether a request names this machine as its host, and is none that a page sends."""
    return (
        _PORT.sub("", environ.get("HTTP_HOST", "").lower()) in _HOSTS
        and "HTTP_ORIGIN" not in environ
        and environ.get("HTTP_UPGRADE", "").lower() != "websocket"
        and environ.get("HTTP_SEC_FETCH_SITE", "none") == "none"
    )


def _key(environ: dict[str, Any]) -> str:
    path: str = environ.get("PATH_INFO", "")
    if path.startswith(METADATA):
        token, _, rest = path.removeprefix(METADATA).partition("/")
        environ["PATH_INFO"] = METADATA + rest
        return token
    if path.startswith(PREFIX):
        return str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ")
    return _signed_with(environ)[0]


def _signed_with(environ: dict[str, Any]) -> tuple[str, str]:
    """The access key of a request and the service it is signed for; S3 where that is not said."""
    text = environ.get("HTTP_AUTHORIZATION", "")
    query = parse_qs(environ.get("QUERY_STRING", "")) if not text else {}
    for name, begin in (("X-Amz-Credential", "Credential="), ("AWSAccessKeyId", "AWS ")):
        if name in query:
            text = begin + query[name][0]
    found = _SIGNATURE.search(text)
    return (found[1], (found[2] or "s3").lower()) if found else ("", "s3")


def _failed(service: str, error: Exception) -> tuple[str, str]:
    if isinstance(error, NotOffered):
        said = f"The embedded AWS does not offer {service}: it has what Steadyspot uses."
        return "NotImplemented", said
    if isinstance(error, NotImplementedError):
        return _no_such_call(service, f" ({error})".rstrip("."))
    said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
    return "NotImplemented", f"The embedded AWS cannot answer that call of {service} ({said})."


def _no_such_call(service: str, why: str) -> tuple[str, str]:
    return "NotImplemented", f"The embedded AWS does not offer that call of {service}{why}."


def _in_xml(around: str, inner: str) -> bytes:
    names = around.split("><")
    ends = "".join(f"</{name}>" for name in reversed(names))
    return f"<{around}>{inner}{ends}".encode()


def _cbor(texts: dict[str, str]) -> bytes:
    """A map of texts, each shorter than 64 KiB."""
    parts = [bytes([0xA0 | len(texts)])]
    for text in (text for pair in texts.items() for text in pair):
        data = text.encode()
        parts.append(b"\x79" + len(data).to_bytes(2, "big") + data)
    return b"".join(parts)
