"""What each output takes of S3, asked for directly: the requests are the same as botocore's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from steadyspot.worker.errors import Unreachable, WorkerError
from steadyspot.worker.keeping.aws import Aws, S3Bucket, once
from steadyspot.worker.keeping.direct import DirectCalls
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.keeping.store import NoSuchUpload, Part

OPENED = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
ODD_KEYS = ["outputs/a b+c%2F&=~.csv", "outputs/Größe (1)/😀?#'!*.csv", "outputs/a//b/…;,@:$"]
PARTS = [Part(1, '"<&>"', "AAAAAA=="), Part(2, '"e2"', "BBBBBB==")]

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Body:
    """The body of an answer, as it comes over a connection."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: Any) -> list[bytes]:
        return [self._data]


class Answers:
    """A connection on which the requests are kept, and each gets the next of the answers."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = itertools.cycle(answers)
        self.requests: list[AWSPreparedRequest] = []

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        status, headers, body = next(self._answers)
        answer: Callable[..., AWSResponse] = AWSResponse
        return answer(request.url, status, headers, Body(body))


class World:
    """A bucket whose direct calls get one kind of answers, and all others another."""

    def __init__(
        self, direct: Answers, others: Answers, *, region: str = "eu-central-1", endpoint: str = ""
    ) -> None:
        session = botocore.session.Session()
        session.set_credentials("id", "secret", "token")
        config = Config(
            s3={"payload_signing_enabled": False},
            request_checksum_calculation="when_required",
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        client = session.create_client(
            "s3", region_name=region, config=config, endpoint_url=endpoint or None
        )
        self.calls = DirectCalls(session, client, "bucket", direct, direct)
        answer: Any = others.send
        client.meta.events.register("before-send.s3", answer)
        self.bucket = S3Bucket(client, lambda: client, self.calls, Patience(0, print), "bucket")


def create(bucket: S3Bucket, key: str) -> Any:
    return bucket.create(key, "token")


def part(bucket: S3Bucket, key: str) -> Any:
    return bucket.part(key, "u-._~1/", 7, b"data", "AAAAAA==")


def complete(bucket: S3Bucket, key: str) -> Any:
    return bucket.complete(key, "u-._~1/", PARTS)


def put_new(bucket: S3Bucket, key: str) -> Any:
    return bucket.put_new(key, b"data", "token")


CALLS: list[tuple[Callable[[S3Bucket, str], Any], Answer]] = [
    (create, (200, {}, OPENED)),
    (part, (200, {"ETag": "e"}, b"")),
    (complete, (200, {}, COMPLETED)),
    (put_new, (200, {"ETag": "e"}, b"")),
]


def told(request: AWSPreparedRequest) -> dict[str, Any]:
    """What S3 reads out of a request."""
    url, body = urlsplit(request.url), request.body
    data = body if isinstance(body, bytes) else getattr(body, "getvalue", bytes)()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in dict[str, Any](request.headers).items()
    }
    dated = ("x-amz-date", "amz-sdk-invocation-id")
    return {
        "method": request.method,
        "place": f"{url.scheme}://{url.netloc}{url.path}",
        "query": sorted(parse_qsl(url.query, keep_blank_values=True)),
        "headers": {
            k: v for k, v in headers.items() if k.startswith(("x-amz-", "if-")) and k not in dated
        },
        "scope": headers["authorization"].split("Credential=")[1].split(",")[0],
        "body": _elements(data) if data.startswith(b"<") else data,
    }


def _elements(xml: bytes) -> list[Any]:
    found = ElementTree.fromstring(xml)
    return sorted((e.tag, e.text or "") for part in found for e in part)


@pytest.mark.parametrize(("call", "yes"), CALLS)
@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-central-1", ""),
        ("us-east-1", ""),
        ("cn-north-1", ""),
        ("us-east-1", "http://127.0.0.1:5000"),
    ],
)
def test_a_direct_call_is_the_same_request_as_botocores(
    call: Callable[[S3Bucket, str], Any],
    yes: Answer,
    region: str,
    endpoint: str,
) -> None:
    direct, others = Answers(yes), Answers(yes)
    world = World(direct, others, region=region, endpoint=endpoint)
    call(world.bucket, "outputs/first")
    assert (len(direct.requests), len(others.requests)) == (0, 1), "known before it was learned"
    for key in ODD_KEYS:
        call(world.bucket, key)
    assert (len(direct.requests), len(others.requests)) == (3, 1)
    asked_of_botocore = World(Answers((500, {}, b"")), others, region=region, endpoint=endpoint)
    for key in ODD_KEYS:
        call(asked_of_botocore.bucket, key)
    assert [told(one) for one in direct.requests] == [told(one) for one in others.requests[1:]]


@pytest.mark.parametrize(("call", "yes"), CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        (503, {}, b"<Error><Code>SlowDown</Code></Error>"),
        (301, {}, b"<Error><Code>PermanentRedirect</Code></Error>"),
        (200, {}, b"<Error><Code>InternalError</Code></Error>"),
        (200, {}, OPENED[:-5]),
        (200, {}, COMPLETED[:-5]),
        (200, {}, b""),
        (200, {}, b"\n\n"),
    ],
)
def test_whatever_is_no_yes_is_asked_of_botocore(
    call: Callable[[S3Bucket, str], Any],
    yes: Answer,
    answer: Answer,
) -> None:
    direct, others = Answers(answer), Answers(yes)
    world = World(direct, others)
    first = call(world.bucket, "outputs/first")
    assert call(world.bucket, "outputs/second") == first
    assert (len(direct.requests), len(others.requests)) == (1, 2)


def test_completion_that_took_its_time_is_a_yes() -> None:
    direct = Answers((200, {}, b"\n  \n" + COMPLETED))
    others = Answers((200, {}, COMPLETED))
    world = World(direct, others)
    for key in ("outputs/first", "outputs/second"):
        complete(world.bucket, key)
    assert len(others.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [(404, "NoSuchUpload", NoSuchUpload), (503, "SlowDown", Unreachable)],
)
@pytest.mark.parametrize(("call", "yes"), CALLS)
def test_a_refusal_means_what_it_means_to_botocore(
    call: Callable[[S3Bucket, str], Any],
    yes: Answer,
    status: int,
    code: str,
    raised: type[WorkerError],
) -> None:
    no: Answer = (status, {}, f"<Error><Code>{code}</Code></Error>".encode())
    others = Answers(yes, no)
    world = World(Answers(no), others)
    call(world.bucket, "outputs/first")
    with pytest.raises(raised):
        call(world.bucket, "outputs/second")


def test_an_object_that_is_there_already_is_no_trouble() -> None:
    no: Answer = (412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
    world = World(Answers(no), Answers((200, {"ETag": "e"}, b""), no))
    assert put_new(world.bucket, "outputs/first")
    assert not put_new(world.bucket, "outputs/first")


class Counted(Aws):
    """Knows which clients were made, and how long each waits."""

    def __init__(self) -> None:
        super().__init__(4, 30.0, Patience(0, print), {"AWS_REGION": "eu-west-1"})
        self.made: list[tuple[str, float]] = []

    def client(self, service: str, timeout_seconds: float = 0) -> Any:
        self.made.append((service, timeout_seconds))
        return super().client(service, timeout_seconds)


def test_the_client_that_waits_longer_is_made_once_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    aws = Counted()
    aws.bucket("b")
    assert aws.made == [("s3", 0)]

    numbers = itertools.count()
    slow = once(lambda: next(numbers))
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda _: slow(), range(64))} == {0}
