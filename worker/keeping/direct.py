"""The calls that each output takes, without what botocore does anew for every one of them.

Where the bucket is and how a request looks is the same each time: taken from the first call that
botocore makes, it halves what the others cost. The signature, the connections and their errors stay
botocore's. Only S3's yes is understood here; where it says anything else, the call is botocore's to
make and to explain.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import get_environ_proxies

if TYPE_CHECKING:
    from steadyspot.worker.keeping.store import Part

TOKEN_HEADER = "x-amz-meta-steadyspot-token"


class Connections(Protocol):
    """What sends a prepared request, and raises botocore's errors where nothing comes."""

    def send(self, request: AWSPreparedRequest) -> AWSResponse: ...


class DirectCalls:
    """Calls on one bucket in place of ``client``'s, whose endpoint, region and options hold.

    Each gives none where S3 did not say yes, or where the bucket is not known yet. Uploads are
    completed through ``slow``, on which S3 may say nothing for longer than on ``quick``.
    """

    def __init__(
        self, session: Session, client: Any, bucket: str, quick: Connections, slow: Connections
    ) -> None:
        self._session = session
        self._config = client.meta.config
        self._region: str = client.meta.region_name
        self._bucket = bucket
        self._place = ""
        self._quick = quick
        self._slow = slow
        client.meta.events.register("before-send.s3", self._learn)

    def create(self, key: str, token: str) -> str | None:
        """Open a multipart upload whose object will carry the token; its id."""
        headers = {TOKEN_HEADER: token, "x-amz-checksum-algorithm": "CRC32"}
        answer = self._send(self._quick, "POST", key, "uploads=", headers)
        return _text(answer, "InitiateMultipartUploadResult", "UploadId")

    def part(self, key: str, upload_id: str, number: int, data: bytes, crc32: str) -> str | None:
        """Upload a part; its ETag."""
        query = f"partNumber={number}&uploadId={quote(upload_id, safe='-_.~')}"
        headers = {"x-amz-checksum-crc32": crc32}
        answer = self._send(self._quick, "PUT", key, query, headers, data)
        return answer.headers.get("ETag") if answer and answer.status_code == 200 else None

    def put_new(self, key: str, token: str, data: bytes, crc32: str) -> str | None:
        """Put a new object that carries the token; its ETag."""
        headers = {TOKEN_HEADER: token, "x-amz-checksum-crc32": crc32, "If-None-Match": "*"}
        answer = self._send(self._quick, "PUT", key, "", headers, data)
        return answer.headers.get("ETag") if answer and answer.status_code == 200 else None

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> str | None:
        """Complete an upload; the object's ETag.

        S3 answers 200 before it is done, and may say in the body that it could not.
        """
        query = f"uploadId={quote(upload_id, safe='-_.~')}"
        listed = "".join(
            f"<Part><ChecksumCRC32>{escape(part.crc32)}</ChecksumCRC32>"
            f"<ETag>{escape(part.etag)}</ETag><PartNumber>{part.number}</PartNumber></Part>"
            for part in parts
        )
        body = (
            '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{listed}</CompleteMultipartUpload>"
        )
        answer = self._send(self._slow, "POST", key, query, {}, body.encode())
        return _text(answer, "CompleteMultipartUploadResult", "ETag")

    def _send(
        self,
        through: Connections,
        method: str,
        key: str,
        query: str,
        headers: dict[str, str],
        body: bytes = b"",
    ) -> AWSResponse | None:
        """What S3 answers. Raises what botocore does where nothing comes."""
        credentials = self._session.get_credentials()
        if not self._place or credentials is None:
            return None
        url = f"{self._place}{quote(key, safe='/~')}{query and '?'}{query}"
        request = AWSRequest(method=method, url=url, headers=headers, data=body)
        request.context["client_config"] = self._config  # It says whether the body is signed.
        frozen = credentials.get_frozen_credentials()
        S3SigV4Auth(frozen, "s3", self._region).add_auth(request)
        return through.send(request.prepare())

    def _learn(self, request: AWSPreparedRequest, **_: Any) -> None:
        """Take from a request of botocore's where the bucket is."""
        if self._place:
            return
        url = urlsplit(request.url)
        below = "" if url.netloc.startswith(f"{self._bucket}.") else f"{self._bucket}/"
        self._place = f"{url.scheme}://{url.netloc}/{below}"


def connections(session: Session, client: Any, read_seconds: float) -> Connections:
    """Connections as the client makes them, but for how long S3 may say nothing."""
    config = client.meta.config
    options: dict[str, Any] = {
        "verify": session.get_config_variable("ca_bundle") or True,
        "proxies": get_environ_proxies(client.meta.endpoint_url),
        "timeout": (config.connect_timeout, read_seconds),
        "max_pool_connections": config.max_pool_connections,
        "socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    }
    return URLLib3Session(**options)


def _text(answer: AWSResponse | None, root: str, name: str) -> str | None:
    """What an answer that is a yes says under a name."""
    if answer is None or answer.status_code != 200:
        return None
    try:
        found = ElementTree.fromstring(answer.content.strip())
    except ElementTree.ParseError:
        return None
    return found.findtext("{*}" + name) if found.tag.rpartition("}")[2] == root else None
