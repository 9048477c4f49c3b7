"""S3 and DynamoDB as far as the worker calls them, quick enough to measure the worker beside them.

The embedded AWS takes milliseconds for a call, which would be most of what is measured. Here a call
takes a fraction of one, and as much longer as asked for, to stand for a network. Nothing is
checked: conditions always hold, and one run has the only item.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.local.worker.kit import served

_OPENED = "InitiateMultipartUploadResult"
_COMPLETED = "CompleteMultipartUploadResult"


class Aws:
    """What is kept: objects, open uploads, and the run's item."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.item: dict[str, Any] = {}
        self.ids = itertools.count(1)
        self.calls = self.received = 0

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to one call."""
        self.calls += 1
        self.received += len(body)
        if "x-amz-target" in headers:
            return 200, {"Content-Type": "application/x-amz-json-1.0"}, self._table(headers, body)
        address = urlsplit(target)
        key, query = unquote(address.path), parse_qs(address.query, keep_blank_values=True)
        if key == "/numbers":
            numbers = {"calls": self.calls, "received": self.received}
            return 200, {}, json.dumps(numbers).encode()
        if "uploadId" in query or "uploads" in query:
            return self._upload(method, key, query, headers, body)
        if method == "POST":
            for gone in re.findall(rb"<Key>([^<]*)</Key>", body):
                self.objects.pop(f"{key}/{gone.decode()}", None)
            return 200, {}, b"<DeleteResult/>"
        if method == "PUT":
            self.objects[key] = body
            return 200, {"ETag": _etag(body)}, b""
        if key not in self.objects:
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>" if method == "GET" else b""
        found = self.objects[key]
        if wanted := re.match(r"bytes=(\d+)-(\d+)", headers.get("range", "")):
            return 206, {"ETag": _etag(b"")}, found[int(wanted[1]) : int(wanted[2]) + 1]
        return 200, {"ETag": _etag(b"")}, found

    def _upload(
        self,
        method: str,
        key: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        body: bytes,
    ) -> tuple[int, dict[str, str], bytes]:
        if "uploads" in query:
            upload = hashlib.sha512(str(next(self.ids)).encode()).hexdigest()
            self.uploads[upload] = {}
            text = f"<{_OPENED}><UploadId>{upload}</UploadId></{_OPENED}>"
            return 200, {}, text.encode()
        upload = query["uploadId"][0]
        if method == "PUT":
            self.uploads[upload][int(query["partNumber"][0])] = body
            return 200, {"ETag": _etag(body)}, b""
        parts = self.uploads.pop(upload, {})
        if method == "POST":
            self.objects[key] = b"".join(parts[number] for number in sorted(parts))
            return 200, {}, f"<{_COMPLETED}><ETag>x</ETag></{_COMPLETED}>".encode()
        return 204, {}, b""

    def _table(self, headers: dict[str, str], body: bytes) -> bytes:
        request = json.loads(body)
        if headers["x-amz-target"].endswith("GetItem"):
            return json.dumps({"Item": self.item} if self.item else {}).encode()
        values = request["ExpressionAttributeValues"]
        for name, value in re.findall(r"#(\w+) = (:\w+)", request["UpdateExpression"]):
            self.item[name] = values[value]
        whole = request.get("ReturnValues") == "ALL_NEW"
        return json.dumps({"Attributes": self.item} if whole else {}).encode()


def _etag(body: bytes) -> str:
    digest = hashlib.md5(body, usedforsecurity=False) if len(body) < 1 << 20 else None
    return f'"{digest.hexdigest() if digest else "0" * 32}"'


async def _serve(delay_seconds: float) -> None:
    aws = Aws()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                if headers.get("expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if delay_seconds:
                    await asyncio.sleep(delay_seconds)
                status, more, answer = aws.answer(method, target, headers, body)
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(answer)}"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                text = "\r\n".join([*lines, "\r\n"]).encode()
                writer.write(text + (b"" if method == "HEAD" else answer))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@contextlib.contextmanager
def serve(delay_seconds: float = 0.0) -> Iterator[str]:
    """Run it in a process of its own, each call so much longer; its address."""
    with served("-m", "tests.bench.loopback", str(delay_seconds)) as port:
        yield f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
