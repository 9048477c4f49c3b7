"""What a ledger says of itself, and what a damaged checkpoint is called."""

from __future__ import annotations

import pytest

from steadyspot.worker.keeping.checkpoint import Damaged, Ledger, encode, load
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.listing import File, Listing
from tests.unit.worker.fakes import FakeBucket, Inline, World
from tests.unit.worker.runs import attempt, new_world, work

OUTPUT = Output("old.txt", "outputs/old.txt", "id", "token", 1, "0" * 64, "", ())


@pytest.mark.parametrize(
    ("ledger", "share"),
    [
        (Ledger(), 0.0),
        (Ledger(units_done=1), 0.0),
        (Ledger(units_done=1, total=4), 0.25),
        (Ledger(units_done=2, total=1), 1.0),
        (Ledger(units_done=1, total=4, fraction=0.5), 0.5),
    ],
)
def test_the_share_that_is_done(ledger: Ledger, share: float) -> None:
    assert ledger.share == share


@pytest.mark.parametrize(
    ("told", "restores", "goes_on"),
    [
        ({}, True, False),
        ({"units_done": 1}, False, True),
        ({"state": [1]}, False, True),
        ({"files": Listing([File("a", "file", 0o644)])}, True, True),
        ({"files": Listing([File("a", "file", 0o644)])}, False, False),
        ({"files": Listing([File("", "folder", 0o755)])}, True, False),
    ],
)
def test_outputs_of_the_folder_stay_only_where_something_tells_the_job_to_go_on(
    told: dict[str, object], restores: bool, goes_on: bool
) -> None:
    ledger = Ledger(**told)  # type: ignore[arg-type]
    ledger.take([OUTPUT], folder=True)

    assert [old.name for old in ledger.begin_anew(restores)] == ([] if goes_on else [OUTPUT.name])
    assert [o.name for o in ledger.history.outputs()] == ([OUTPUT.name] if goes_on else [])


def test_an_output_that_the_job_named_itself_stays() -> None:
    ledger = Ledger()
    ledger.take([OUTPUT])

    assert ledger.begin_anew(restores=False) == []
    assert [o.name for o in ledger.history.outputs()] == [OUTPUT.name]


@pytest.mark.parametrize(("body", "how"), [(None, "is gone from"), (b"{", "was changed or cut in")])
def test_a_damaged_checkpoint_says_how(body: bytes | None, how: str) -> None:
    bucket = FakeBucket(World())
    if body is not None:
        bucket.put("manifest", body)
    with pytest.raises(Damaged, match=f"manifest {how} the bucket"):
        load(bucket, {"key": "manifest", "sha256": "0" * 64}, Inline())


def test_checkpoints_are_counted_from_one_through_all_attempts() -> None:
    world = new_world()
    first = attempt(world, 10_001)
    first.open()
    first.save(first.ledger.snapshot())
    assert world.item["checkpoint"]["sequence"] == 1
    second = attempt(world, 10_002)
    second.open()
    second.save(second.ledger.snapshot())
    assert world.item["checkpoint"]["sequence"] == 2


def test_the_completion_record_adds_up_the_seconds_of_all_attempts() -> None:
    world = new_world()
    first = attempt(world, 10_001, clock=lambda: 30.0)
    first.open()
    first.save(first.ledger.snapshot())

    assert work(attempt(world, 10_002, clock=lambda: 12.0), ["a"]) == "complete"
    assert world.item["completion"]["seconds"] == 42.0
    assert world.item["completion"]["lost_seconds"] == 0.0


def test_what_is_equal_is_encoded_alike_whatever_came_first() -> None:
    assert encode({"a": 1, "b": 2}) == encode({"b": 2, "a": 1})
