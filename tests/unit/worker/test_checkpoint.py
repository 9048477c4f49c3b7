"""A manifest brings back what was saved, and refuses to be read when it is not that."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadyspot.contract import Reason
from steadyspot.worker.errors import SetupError
from steadyspot.worker.keeping.aws import from_dynamo, to_dynamo
from steadyspot.worker.keeping.checkpoint import (
    Damaged,
    Ledger,
    encode,
    load,
    load_history,
    manifest,
    seal,
)
from steadyspot.worker.keeping.history import LARGE, SEAL_AT, Output
from steadyspot.worker.keeping.listing import Block, File, Listing, Piece
from steadyspot.worker.keeping.store import Part
from steadyspot.worker.keeping.uploads import expected_etag, part_ranges
from tests.unit.worker.fakes import FakeBucket, Inline, World
from tests.unit.worker.runs import attempt, new_world

UNITS = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=600)


def output(name: str) -> Output:
    part = Part(1, '"0cc175b9c0f1b6a831c399e269772661"', "AAAAAA==")
    return Output(name, f"outputs/{name}", f"id-{name}", f"token-{name}", 1, "0" * 64, "", (part,))


def save(ledger: Ledger, bucket: FakeBucket) -> dict[str, str]:
    saved = ledger.snapshot()
    seal(saved, bucket, "p/")
    body, sha256 = encode(manifest(saved, {}))
    bucket.put("manifest", body)
    ledger.settle(saved)
    return {"key": "manifest", "sha256": sha256}


def told(ledger: Ledger) -> tuple[dict[str, list[str]], dict[str, Output]]:
    """The units done with the names of their outputs, and the outputs that count."""
    history = ledger.history
    units = dict(itertools.chain.from_iterable(s.all_units().items() for s in history.segments))
    units |= history.tail.units
    done = {unit: names for unit, names in units.items() if names is not None}
    assert ledger.units_done == len(done)
    return done, {output.name: output for output in history.outputs()}


@given(UNITS, st.integers(1, 4))
def test_what_is_saved_comes_back_however_often_it_was_sealed(units: list[str], saves: int) -> None:
    bucket = FakeBucket(World())
    block = Block("key", "0" * 64, 5)
    files = Listing(
        [
            File("a", "folder", 0o755, mtime_ns=7, attributes=(("user.of", "bWU="),)),
            File("a/b", "file", 0o644, 3, pieces=(Piece(block, 2, 3),)),
            File("a/c", "hard link", 0o644, target="a/b"),
            File("a/d", "file", 0o644, 1, data="eA=="),
            File("\udcff", "file", 0o644),
        ]
    )
    ledger = Ledger(files=files, unpublished={"x": "why"}, started_at="then")
    pointer = save(ledger, bucket)
    for start in range(saves):
        for unit in units[start::saves]:
            ledger.mark(unit, [output(f"out-{unit}")], [{"last": unit}])
        pointer = save(ledger, bucket)

    loaded = load(bucket, pointer, Inline())
    assert told(loaded) == told(ledger)
    assert sorted(loaded.history.units()) == sorted(units)
    assert (loaded.state, loaded.unpublished) == (ledger.state, ledger.unpublished)
    assert loaded.files
    assert loaded.files.files == files.files
    assert loaded.files.keys == {"key"}


def test_output_made_again_replaces_the_one_in_a_sealed_segment() -> None:
    bucket = FakeBucket(World())
    ledger = Ledger()
    for unit in range(300):
        ledger.mark(str(unit), [output(str(unit))], [])
    save(ledger, bucket)
    newer = replace(output("7"), upload_id="new", token="new")
    replaced = ledger.mark("other", [newer], [])

    assert [old.upload_id for old in replaced] == ["id-7"]
    counted = load(bucket, save(ledger, bucket), Inline()).history.output("7")
    assert counted
    assert counted.upload_id == "new"


def test_a_mark_costs_the_same_however_many_units_came_before() -> None:
    bucket = FakeBucket(World())
    ledger = Ledger()
    sizes = []
    for unit in range(1024):
        ledger.mark(str(unit), [output(str(unit))], [])
        save(ledger, bucket)
        sizes.append(len(bucket.get("manifest") or b""))
    assert max(sizes[512:]) < 1.1 * max(sizes[:512])


def test_many_segments_become_one_and_bring_back_the_same() -> None:
    bucket = FakeBucket(World())
    ledger = Ledger()
    for unit in range(20 * SEAL_AT):
        ledger.mark(str(unit), [output(str(unit % 5000))], [])
        if unit % SEAL_AT == SEAL_AT - 1:
            pointer = save(ledger, bucket)
    ledger.mark("7", [replace(output("7"), token="again")], [])
    pointer = save(ledger, bucket)

    loaded = load(bucket, pointer, Inline())
    assert [segment.size for segment in ledger.history.segments] == [
        LARGE,
        LARGE,
        *[2 * SEAL_AT] * 4,
    ]
    assert told(loaded) == told(ledger)
    assert [s.key for s in loaded.history.segments] == [s.key for s in ledger.history.segments]


def test_of_segments_that_become_one_the_latest_says_which_output_counts() -> None:
    bucket = FakeBucket(World())
    ledger, latest = Ledger(), {}
    for unit in range(LARGE):
        name = str(unit % 300)
        latest[name] = str(unit)
        ledger.mark(str(unit), [replace(output(name), token=latest[name])], [])
        if unit % SEAL_AT == SEAL_AT - 1:
            pointer = save(ledger, bucket)

    assert max(segment.size for segment in ledger.history.segments) >= LARGE
    counted = load(bucket, pointer, Inline()).history.outputs()
    assert {one.name: one.token for one in counted} == latest


def test_a_segment_that_has_become_large_is_not_written_again() -> None:
    bucket = FakeBucket(World())
    ledger = Ledger()

    def mark(units: int) -> list[int]:
        for unit in range(units):
            ledger.mark(str(ledger.units_done + unit), [], [])
        save(ledger, bucket)
        return [segment.size for segment in ledger.history.segments]

    some = LARGE // 3
    assert [mark(some), mark(some), mark(some + 3)] == [[some], [some, some], [3 * some + 3]]
    (large,) = ledger.history.segments
    assert large.size > LARGE
    assert mark(SEAL_AT) == [large.size, SEAL_AT]
    assert ledger.history.segments[0].key == large.key


@pytest.mark.parametrize("change", ["made again", "taken away", "undone", "undone by a segment"])
def test_what_changes_while_it_is_being_sealed_is_as_it_was_changed(change: str) -> None:
    bucket = FakeBucket(World())
    ledger = Ledger()
    for unit in range(SEAL_AT):
        ledger.mark(str(unit), [output(str(unit))], [])
    if change == "undone by a segment":
        save(ledger, bucket)
        for unit in range(SEAL_AT, 2 * SEAL_AT):
            ledger.mark(str(unit), [output(str(unit))], [])
    saved = ledger.snapshot()
    seal(saved, bucket, "p/")
    if change == "made again":
        ledger.mark("7", [replace(output("7"), token="again")], [])
    elif change == "taken away":
        ledger.mark("7", [], [])
    else:
        ledger.undo({"7"})
    ledger.settle(saved)

    loaded = load(bucket, save(ledger, bucket), Inline())
    assert told(loaded) == told(ledger)


def test_what_was_sealed_is_not_written_again_unless_it_was_made_again_meanwhile() -> None:
    ledger = Ledger()
    for unit in range(SEAL_AT):
        ledger.mark(str(unit), [output(str(unit))], [])
    saved = ledger.snapshot()
    seal(saved, FakeBucket(World()), "p/")
    ledger.mark("7", [replace(output("7"), token="again")], [])
    ledger.settle(saved)
    assert list(ledger.history.tail.units) == ["7"]
    assert list(ledger.history.tail.outputs) == ["7"]


def saves(number: int, state: Any) -> list[int]:
    """Save a state so often; after each save, how many manifests lie in the bucket."""
    world = new_world()
    one = attempt(world, 10_001)
    one.open()
    lying = []
    for _ in range(number):
        one.ledger.state = state
        saved = one.ledger.snapshot()
        one.save(saved)
        one.ledger.settle(saved)
        one.drop_old()
        lying.append(sum("/manifests/" in key for key in world.objects))
    return lying


def test_old_checkpoints_are_deleted_twenty_at_once_so_that_few_lie_about() -> None:
    assert saves(43, "small") == [*range(1, 22), *range(2, 22), 2, 3]


def test_of_large_checkpoints_only_the_last_two_lie_about() -> None:
    assert saves(4, "x" * (1 << 20)) == [1, 2, 2, 2]
    assert saves(4, "x" * ((1 << 20) - 4000)) == [1, 2, 3, 4]


@pytest.mark.parametrize(("seconds", "lost"), [(0.0, 0.0), (0.25, 0.25), (-5.0, 0.0)])
def test_an_attempt_that_leaves_lost_what_came_after_its_last_checkpoint(
    seconds: float, lost: float
) -> None:
    """The clock may have been set back meanwhile."""
    now = 100.0
    one = attempt(new_world(), 10_001, clock=lambda: now)
    one.open()
    one.save(one.ledger.snapshot())
    now += seconds
    assert one.leave(Reason.INTERRUPTED, 143, "It was told to stop.") == lost


@pytest.mark.parametrize("body", [None, b"", b'{"format":1'])
def test_checkpoint_that_is_gone_or_cut_is_refused(body: bytes | None) -> None:
    bucket = FakeBucket(World())
    pointer = save(Ledger(), bucket)
    if body is None:
        bucket.delete(["manifest"])
    else:
        bucket.put("manifest", body)
    with pytest.raises(SetupError):
        load(bucket, pointer, Inline())


@pytest.mark.parametrize(
    "value",
    [5, {}, {"outputs": []}, {"outputs": {}, "segments": [5]}, {"outputs": {}, "segments": [{}]}],
    ids=str,
)
def test_a_history_of_another_form_is_damaged_and_no_fault_of_the_worker(value: Any) -> None:
    with pytest.raises(Damaged):
        load_history(FakeBucket(World()), value, Inline())


@given(st.integers(0, 1 << 44))
def test_parts_cover_the_file_and_are_at_most_ten_thousand(size: int) -> None:
    ranges = part_ranges(size)

    assert 1 <= len(ranges) <= 10_000
    assert sum(length for _, length in ranges) == size
    assert all(
        start + length == after for (start, length), (after, _) in itertools.pairwise(ranges)
    )


def test_etag_of_parts_is_the_one_s3_gives_and_unknown_with_kms() -> None:
    part = Part(1, '"0cc175b9c0f1b6a831c399e269772661"', "")
    digest = hashlib.md5(hashlib.md5(b"a").digest()).hexdigest()
    assert expected_etag([part]) == f'"{digest}-1"'
    assert expected_etag([Part(1, '"not-an-md5"', "")]) == ""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_values_survive_dynamodb(value: object) -> None:
    assert from_dynamo(to_dynamo(value)) == value
