"""What is read from the run table and the bucket is followed only to what is this run's."""

from __future__ import annotations

from typing import Any

import pytest

from steadyspot.contract import Status, checkpoint_prefix, output_prefix
from steadyspot.worker.errors import Denied
from steadyspot.worker.keeping.checkpoint import encode
from steadyspot.worker.keeping.own import OwnBucket
from steadyspot.worker.keeping.store import Bucket, Head, NoSuchUpload, Sink
from tests.unit.worker.fakes import FakeBucket, World
from tests.unit.worker.runs import attempt, new_world

CHECKPOINTS, OUTPUTS = checkpoint_prefix("job", "key"), output_prefix("job", "key")
ELSEWHERE = [
    "checkpoints/job/another/manifests/a.json",
    "checkpoints/job/key2/manifests/a.json",
    "checkpoints/job/key",
    "checkpoints/another/key/a",
    "outputs/job/another/a",
    "inputs/job/a",
    "templates/job.yaml",
    "/checkpoints/job/key/a",
    "",
]


class Unlisted(FakeBucket):
    """Answers as S3 does where the role may not list: a missing key is forbidden."""

    denied = False

    def get(self, key: str) -> bytes | None:
        self._look(super().get(key))
        return super().get(key)

    def read(self, key: str, start: int, size: int) -> bytes | None:
        self._look(super().get(key))
        return super().read(key, start, size)

    def fetch(self, key: str, file: Sink) -> None:
        self._look(super().get(key))
        super().fetch(key, file)

    def head(self, key: str) -> Head | None:
        self._look(super().head(key))
        return super().head(key)

    def _look(self, found: Any) -> None:
        if found is None or self.denied:
            raise Denied("The task role may not use the bucket.", "Give it the permission.")


def own(inner: Bucket) -> OwnBucket:
    return OwnBucket(inner, CHECKPOINTS, OUTPUTS)


@pytest.mark.parametrize("key", ELSEWHERE)
def test_what_lies_elsewhere_is_not_there(key: str) -> None:
    world = World()
    inner = FakeBucket(world)
    inner.put(key, b"planted")
    upload_id = inner.create(key, "token")
    bucket, file = own(inner), Written()
    assert bucket.get(key) is None
    assert bucket.read(key, 0, 1) is None
    assert bucket.head(key) is None
    bucket.fetch(key, file)
    assert not bucket.put_new(f"{key}-new", b"new", "token")
    assert f"{key}-new" not in world.objects
    bucket.delete([key])
    bucket.abort(key, upload_id)
    with pytest.raises(NoSuchUpload):
        bucket.complete(key, upload_id, [])
    assert file.data == b""
    assert world.objects[key][0] == b"planted"
    assert upload_id in world.uploads


class Written:
    """What takes the bytes of an object."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> None:
        self.data += data

    def restart(self) -> None:
        self.data = b""


def test_outputs_are_never_deleted() -> None:
    world = World()
    bucket = own(FakeBucket(world))
    bucket.put(OUTPUTS + "a", b"a")
    bucket.put(CHECKPOINTS + "a", b"a")
    bucket.delete([OUTPUTS + "a", CHECKPOINTS + "a"])
    assert world.objects.keys() == {OUTPUTS + "a"}


def test_a_key_that_is_missing_is_told_from_a_bucket_that_may_not_be_read() -> None:
    inner = Unlisted(World())
    bucket = own(inner)
    assert bucket.get(CHECKPOINTS + "gone") is None
    assert bucket.read(CHECKPOINTS + "gone", 0, 1) is None
    assert bucket.head(OUTPUTS + "gone") is None
    file = Written()
    bucket.fetch(CHECKPOINTS + "gone", file)
    assert file.data == b""
    inner.denied = True
    reads = (bucket.get, bucket.head, lambda key: bucket.read(key, 0, 1))
    for read in reads:
        with pytest.raises(Denied):
            read(CHECKPOINTS + "gone")


def test_planted_pointer_is_told_and_costs_the_work_but_nothing_else() -> None:
    """In the item of a run that is under way: the attempt begins anew, from no planted ledger."""
    world = new_world()
    body, sha256 = encode({"format": 99})
    planted = "checkpoints/job/another/manifests/x.json"
    inner = FakeBucket(world)
    inner.put(planted, body)
    pointer = {"key": planted, "sha256": sha256}
    world.item |= {"status": str(Status.RUNNING), "checkpoint": pointer, "commit": pointer}
    mine = attempt(world, 10_001)
    mine.bucket = own(inner)
    assert not mine.open()
    assert mine.ledger.units_done == 0
    assert world.item["status"] == "running"
    assert "commit" not in world.item
