"""What is published is locked for as long as the platform says, and what is saved never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steadyspot.worker.keeping.aws import S3Bucket
from steadyspot.worker.keeping.direct import DirectCalls
from steadyspot.worker.keeping.patience import Patience


class S3:
    """Takes every call, and keeps what it was given."""

    def __init__(self) -> None:
        self.given: dict[str, dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> dict[str, str]:
            self.given[name] = arguments
            return {"UploadId": "u"}

        return call


class NotYet(DirectCalls):
    """The bucket is not known yet."""

    def __init__(self) -> None:
        pass

    def create(self, *_: str) -> None:
        return None

    def put_new(self, *_: Any) -> None:
        return None


@pytest.mark.parametrize("days", [0, 1, 3650])
def test_outputs_and_their_record_are_locked_and_checkpoints_are_not(days: int) -> None:
    s3 = S3()
    bucket = S3Bucket(s3, lambda: s3, NotYet(), Patience(1, print), "b", days)
    bucket.create("outputs/a", "token")
    put = []
    writes = (bucket.put, bucket.put_new, lambda key, body: bucket.put_new(key, body, "token"))
    for write in writes:
        write("key", b"")
        put.append(s3.given["put_object"])
    assert not any(name.startswith("ObjectLock") for name in put[0])
    for given in (s3.given["create_multipart_upload"], *put[1:]):
        assert given.get("ObjectLockMode") == ("GOVERNANCE" if days else None)
        if days:
            assert given["ChecksumAlgorithm"] == "CRC32"
            left = given["ObjectLockRetainUntilDate"] - datetime.now(UTC)
            assert timedelta(days=days, hours=-1) < left < timedelta(days=days)
