"""Multipart uploads that are over, answered as S3 does: moto meets one with an error of its own.

An upload that was aborted or completed, by whoever it was, is *NoSuchUpload* to all who come later,
and so it is below another key than its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.s3.models import s3_backends

from steadyspot.deploy.local.atomic import signed_service

_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_ANSWER = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchUpload</Code>'
    b"<Message>The specified upload does not exist. The upload ID may be invalid, or the upload may"
    b" have been aborted or completed.</Message></Error>"
)


class KnownUploads:
    """A WSGI application in front of `inner` that lets only uploads in which are open."""

    def __init__(self, inner: _Wsgi) -> None:
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        upload_id = parse_qs(environ.get("QUERY_STRING", "")).get("uploadId", [""])[0]
        is_s3 = signed_service(environ.get("HTTP_AUTHORIZATION", "")) == "s3"
        path = environ["PATH_INFO"].encode("latin-1").decode()
        if not upload_id or not is_s3 or _is_open(path, upload_id):
            return self._inner(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "application/xml")])
        return [_ANSWER]


def _is_open(path: str, upload_id: str) -> bool:
    name, _, key = path.removeprefix("/").partition("/")
    buckets = (
        backend.buckets.get(name)
        for account in s3_backends.values()
        for backend in account.values()
    )
    uploads = (bucket.multiparts.get(upload_id) for bucket in buckets if bucket)
    return any(upload.key_name == key for upload in uploads if upload)
