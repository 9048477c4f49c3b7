"""The thin edge to S3 and DynamoDB: what ``store`` promises, spoken through botocore.

Botocore is what boto3 wraps, at two thirds of its memory. ``AWS_ENDPOINT_URL`` is honoured. Each
call is made again while it fails in a way that passes, as ``patience`` says. Errors come out as
``WorkerError`` with a sentence, so no botocore exception travels further.
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    IncompleteReadError,
    NoRegionError,
)
from botocore.utils import determine_content_length

from steadyspot.contract import CLOCKS_DIFFER_SECONDS, columns
from steadyspot.worker.errors import SetupError, Unreachable, WorkerError
from steadyspot.worker.keeping.below import Below
from steadyspot.worker.keeping.direct import DirectCalls, connections
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.keeping.refusals import AWS_ERRORS, code_of, refusal
from steadyspot.worker.keeping.store import (
    SMALL_BYTES,
    Bucket,
    Condition,
    ConditionFailed,
    Head,
    Item,
    NoSuchUpload,
    Part,
    Sink,
)
from steadyspot.worker.keeping.uploads import crc32_of

COMPLETION_SECONDS = 60.0
"""How long S3 may say nothing while it completes an upload.

It can take minutes; white space that it sends meanwhile counts as an answer, but how often it does
is not documented (S3 API reference, CompleteMultipartUpload). The grace of a stop bounds the wait
anyway.
"""

RACES = 5
"""How often a conditional write that met another is sent again."""


@runtime_checkable
class Rewindable(Protocol):
    """A body that is read like a file."""

    def seek(self, offset: int, /) -> int: ...


class Aws:
    """Clients of one session; creating it costs about 0.3 s of importing and reading models.

    ``grace_seconds`` is the task's: calls that nobody answers are given up well before it is over.
    """

    def __init__(
        self,
        connections: int,
        grace_seconds: float,
        patience: Patience,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._patience = patience
        self._session = botocore.session.get_session()
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        self._connections = connections
        self._timeout_seconds = max(1.0, grace_seconds / 8)

    def table(self, table: str, job: str, run_key: str) -> DynamoTable:
        client = self.client("dynamodb")
        client.meta.events.register("after-call.dynamodb", _check_whole)
        return DynamoTable(client, self._patience, table, job, run_key)

    def bucket(self, place: str, lock_days: int = 0) -> Bucket:
        """What lies in a place: a bucket's name, and behind a slash the prefix of all keys."""
        bucket, _, prefix = place.partition("/")
        client = self.client("s3")
        client.meta.events.register_last("before-call.s3", _send_small_at_once)
        patient_seconds = max(COMPLETION_SECONDS, self._timeout_seconds)
        quickly, slowly = (
            connections(self._session, client, seconds)
            for seconds in (self._timeout_seconds, patient_seconds)
        )
        direct = DirectCalls(self._session, client, bucket, quickly, slowly)
        slow = once(lambda: self.client("s3", patient_seconds))
        whole = S3Bucket(client, slow, direct, self._patience, bucket, lock_days)
        return Below(whole, f"{prefix}/") if prefix else whole

    def client(self, service: str, timeout_seconds: float = 0) -> Any:
        """A client whose calls are given up when nothing comes for so many seconds."""
        timeout_seconds = timeout_seconds or self._timeout_seconds
        config = Config(
            connect_timeout=min(3, timeout_seconds),
            read_timeout=timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": 1},  # See ``patience``.
            max_pool_connections=self._connections,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            parameter_validation=False,  # A sixth of a call's work; all calls are known.
            s3={"payload_signing_enabled": False},  # TLS and the parts' CRC32 vouch for the bytes.
        )
        try:
            return self._session.create_client(service, region_name=self._region, config=config)
        except NoRegionError:
            raise SetupError(
                "No AWS region is known.", "Set AWS_REGION in the environment."
            ) from None
        except ValueError as error:  # An AWS_ENDPOINT_URL that is none.
            raise SetupError(
                f"AWS cannot be spoken to: {error}.", "Mend the environment."
            ) from None
        except BotoCoreError as error:
            raise _refused(error, f"the service {service}", self._patience) from None


def once(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return what gives the same client always, and makes it when it is first asked for."""
    lock = threading.Lock()
    made: list[Any] = []

    def get() -> Any:
        with lock:  # A session makes clients for one thread at a time.
            if not made:
                made.append(make())
            return made[0]

    return get


class DynamoTable:
    """The worker's item of one run in DynamoDB."""

    def __init__(self, client: Any, patience: Patience, table: str, job: str, run_key: str) -> None:
        self._client = client
        self._patience = patience
        self._table = table
        self._key = {
            columns.JOB: {"S": columns.worker_partition(job)},
            columns.RUN_KEY: {"S": run_key},
        }

    def update(self, values: Mapping[str, Any], remove: list[str], condition: Condition) -> Item:
        text, names, filled = condition.expression()
        names |= {f"#{name}": name for name in [*values, *remove]}
        filled |= {f":{name}": value for name, value in values.items()}
        change = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if remove:
            change += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        reply = self._call(
            "update_item",
            UpdateExpression=change,
            ConditionExpression=text,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={k: to_dynamo(v) for k, v in filled.items()},
            ReturnValues="ALL_NEW" if condition.taking else "NONE",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return {k: from_dynamo(v) for k, v in reply.get("Attributes", {}).items()}

    def read(self) -> Item:
        reply = self._call("get_item", ConsistentRead=True)
        return {k: from_dynamo(v) for k, v in reply.get("Item", {}).items()}

    def _call(self, operation: str, **arguments: Any) -> Any:
        method: Callable[..., Any] = getattr(self._client, operation)

        def make() -> Any:
            try:
                reply = method(TableName=self._table, Key=self._key, **arguments)
                self._patience.proven = True
                return reply
            except AWS_ERRORS as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    old = getattr(error, "response", {}).get("Item", {})
                    raise ConditionFailed({k: from_dynamo(v) for k, v in old.items()}) from None
                raise _refused(error, f"the run table '{self._table}'", self._patience) from None

        return self._patience.call(make)


class S3Bucket:
    """One bucket in S3. Uploads are completed with a client that waits longer, from ``slow``.

    ``direct`` is asked first where it knows the call, so that most attempts never need that client.

    ``lock_days``: what is put for ever, which is all that is published, cannot be deleted for so
    long; 0 is no lock.
    """

    def __init__(
        self,
        client: Any,
        slow: Callable[[], Any],
        direct: DirectCalls,
        patience: Patience,
        bucket: str,
        lock_days: int = 0,
    ) -> None:
        self._client = client
        self._slow = slow
        self._direct = direct
        self._patience = patience
        self._bucket = bucket
        self._lock_days = lock_days

    def get(self, key: str) -> bytes | None:
        """The whole object, or none. For small objects of the worker's own."""
        return self._bytes(Key=key)

    def read(self, key: str, start: int, size: int) -> bytes | None:
        """So many bytes of an object, at least one, from where they ``start``; none without it."""
        return self._bytes(Key=key, Range=f"bytes={start}-{start + size - 1}")

    def _bytes(self, **what: Any) -> bytes | None:
        try:
            body: bytes = self._call("get_object", lambda reply: reply["Body"].read(), **what)
        except _Missing:
            return None
        return body

    def fetch(self, key: str, file: Sink) -> None:
        """Write an object into an open file, a mebibyte at a time; nothing when it is not there."""

        def write(reply: Any) -> None:
            file.restart()
            for block in reply["Body"].iter_chunks(1 << 20):
                file.write(block)

        try:
            self._call("get_object", write, Key=key)
        except _Missing:
            pass

    def put(self, key: str, body: Any) -> None:
        """Put bytes, or what can be read like a file, as one object of at most 5 GB."""
        self._call("put_object", Key=key, Body=body)

    def put_new(self, key: str, body: Any, token: str = "") -> bool:
        """Put an object unless there is one already; whether it was put.

        With a token, which it will carry, the body is some bytes.
        """
        more = self._lock()
        if token:
            more |= {"Metadata": {"steadyspot-token": token}, "ChecksumCRC32": crc32_of(body)}

        def direct() -> str | None:
            if self._lock_days or not token:
                return None
            return self._direct.put_new(key, token, body, more["ChecksumCRC32"])

        for _ in range(RACES):
            try:
                self._call(
                    "put_object",
                    direct=direct,
                    Key=key,
                    Body=body,
                    IfNoneMatch="*",
                    **more,
                )
                return True
            except _Exists:
                return False
            except _Raced:
                pass
        raise Unreachable(f"The object {key} is fought over.", "Try again.")

    def delete(self, keys: list[str]) -> None:
        for start in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[start : start + 1000]]
            self._call("delete_objects", Delete={"Objects": objects, "Quiet": True})

    def head(self, key: str) -> Head | None:
        """What S3 says of an object, asked for as if to read it.

        A refusal of HEAD has no body, so what is wrong would not be known.
        """

        def close(reply: Any) -> Any:
            reply["Body"].close()
            return reply

        try:
            reply = self._call("get_object", close, Key=key)
        except _Missing:
            return None
        token = reply.get("Metadata", {}).get("steadyspot-token", "")
        return Head(reply["ContentLength"], reply["ETag"], token)

    def create(self, key: str, token: str) -> str:
        """Open a multipart upload whose object will carry the token; its id.

        Of a reply that is lost stays an upload that nobody knows: without parts it costs nothing,
        and the bucket's lifecycle rule ends it.
        """
        upload_id: str = self._call(
            "create_multipart_upload",
            lambda reply: reply["UploadId"],
            lambda: None if self._lock_days else self._direct.create(key, token),
            Key=key,
            Metadata={"steadyspot-token": token},
            **{"ChecksumAlgorithm": "CRC32", **self._lock()},
        )
        return upload_id

    def part(self, key: str, upload_id: str, number: int, body: Any, crc32: str) -> Part:
        """Upload a part; S3 refuses it when its CRC32 (base64) differs."""

        def direct() -> str | None:
            small = isinstance(body, bytes)
            return self._direct.part(key, upload_id, number, body, crc32) if small else None

        etag: str = self._call(
            "upload_part",
            lambda reply: reply["ETag"],
            direct,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            ChecksumCRC32=crc32,
        )
        return Part(number, etag, crc32)

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> None:
        listed = [{"PartNumber": p.number, "ETag": p.etag, "ChecksumCRC32": p.crc32} for p in parts]
        self._call(
            "complete_multipart_upload",
            direct=lambda: self._direct.complete(key, upload_id, parts),
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": listed},
        )

    def abort(self, key: str, upload_id: str) -> None:
        try:
            self._call("abort_multipart_upload", Key=key, UploadId=upload_id)
        except NoSuchUpload:
            pass

    def _lock(self) -> dict[str, Any]:
        """What locks a new object, which has to come with a checksum then.

        The role allows no more days than there are by AWS's clock.
        """
        if not self._lock_days:
            return {}
        until = datetime.now(UTC) + timedelta(days=self._lock_days, seconds=-CLOCKS_DIFFER_SECONDS)
        return {
            "ChecksumAlgorithm": "CRC32",
            "ObjectLockMode": "GOVERNANCE",
            "ObjectLockRetainUntilDate": until,
        }

    def _call(
        self,
        operation: str,
        use: Callable[[Any], Any] = lambda reply: reply,
        direct: Callable[[], Any] = lambda: None,
        **arguments: Any,
    ) -> Any:
        """What ``direct`` gives, or else what ``use`` makes of the reply.

        It is called again where reading that broke off.
        """
        body, place = arguments.get("Body"), f"the bucket '{self._bucket}'"

        def make() -> Any:
            if isinstance(body, Rewindable):
                body.seek(0)
            try:
                done = direct()
                reply = done or self._asked(operation)(Bucket=self._bucket, **arguments)
                self._patience.proven = True
                return done or use(reply)
            except AWS_ERRORS as error:
                special = _SPECIAL.get(code_of(error))
                raise special or _refused(error, place, self._patience) from None

        return self._patience.call(make)

    def _asked(self, operation: str) -> Callable[..., Any]:
        completes = operation == "complete_multipart_upload"
        method: Callable[..., Any] = getattr(self._slow() if completes else self._client, operation)
        return method


def _refused(error: Exception, place: str, patience: Patience) -> WorkerError:
    return refusal(error, place, proven=patience.proven, now=time.time())


def _send_small_at_once(params: dict[str, Any], **_: Any) -> None:
    """Botocore asks before it sends any body, which costs a small one another round trip."""
    size = determine_content_length(params.get("body"))
    if size is not None and size <= SMALL_BYTES:
        params["headers"].pop("Expect", None)


def _check_whole(http_response: Any, **_: Any) -> None:
    """Botocore takes an answer that broke off for an empty one: a row without a checkpoint."""
    body, headers = http_response.content, http_response.headers
    size = headers.get("Content-Length")
    crc32 = headers.get("x-amz-crc32")
    if size is not None and int(size) != len(body):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(size))
    if crc32 is not None and int(crc32) != zlib.crc32(body):
        raise ChecksumError(
            checksum_type="crc32", expected_checksum=crc32, actual_checksum=str(zlib.crc32(body))
        )


class _Missing(Exception):
    """The object is not there, or not so much of it."""


class _Exists(Exception):
    """The object is there already."""


class _Raced(Exception):
    """Two conditional writes met, S3's 409: to be sent again."""


_SPECIAL: dict[str, type[Exception]] = {
    "NoSuchUpload": NoSuchUpload,
    "NoSuchKey": _Missing,
    "InvalidRange": _Missing,
    "PreconditionFailed": _Exists,
    "ConditionalRequestConflict": _Raced,
}
"""Refusals that are no trouble but an answer."""


def to_dynamo(value: Any) -> dict[str, Any]:
    """A plain value as DynamoDB's attribute value."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case int() | float():
            return {"N": repr(value) if type(value) is float else str(int(value))}
        case list() | tuple():
            return {"L": [to_dynamo(v) for v in value]}
        case Mapping():
            return {"M": {k: to_dynamo(v) for k, v in value.items()}}
    raise TypeError(f"no DynamoDB value: {value!r}")


def from_dynamo(value: Mapping[str, Any]) -> Any:
    """DynamoDB's attribute value as a plain one; numbers become int where they are whole."""
    ((kind, inner),) = value.items()
    match kind:
        case "N":
            return int(inner) if inner.lstrip("-").isdigit() else float(inner)
        case "L":
            return [from_dynamo(v) for v in inner]
        case "M":
            return {k: from_dynamo(v) for k, v in inner.items()}
        case "NULL":
            return None
    return inner
