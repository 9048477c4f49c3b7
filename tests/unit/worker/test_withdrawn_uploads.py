"""Uploads are withdrawn only where no checkpoint that counts names them."""

from __future__ import annotations

from collections.abc import Iterable

from steadyspot.worker.keeping.attempt import Attempt
from steadyspot.worker.keeping.checkpoint import Damaged
from steadyspot.worker.keeping.history import LARGE, SEAL_AT
from tests.unit.worker.fakes import World
from tests.unit.worker.runs import attempt, new_world, stage

SEALED = [f"sealed-{number}" for number in range(SEAL_AT)]


def do(one: Attempt, units: Iterable[str]) -> None:
    """Mark units, each with an output, and save that."""
    for unit in units:
        one.ledger.mark(unit, [stage(one, unit)], [])
    saved = one.ledger.snapshot()
    one.save(saved)
    one.ledger.settle(saved)


def names(world: World, upload_ids: Iterable[str]) -> list[str]:
    """The units that these uploads are of, each of an output that is still open."""
    keys = [world.uploads[upload_id][0] for upload_id in upload_ids]
    return sorted(key.rpartition("/")[2].removesuffix(".txt") for key in keys)


def test_of_a_checkpoint_that_cannot_be_read_only_what_the_one_before_it_lacks() -> None:
    world = new_world()
    one = attempt(world, 10_001)
    one.open()
    do(one, ["first"])
    do(one, SEALED)
    do(one, ["last", "first"])
    later = attempt(world, 10_002)
    later.open()

    left = later.fall_back(Damaged("It is gone."))

    assert names(world, [output.upload_id for output in left]) == ["first", "last"]
    assert later.ledger.units_done == 1 + SEAL_AT
    counted = later.ledger.history.output("first.txt")
    assert counted
    assert counted.upload_id not in {output.upload_id for output in left}


def test_that_is_so_where_segments_were_merged_meanwhile() -> None:
    """What both count lies in small segments for one, and in a large one for the other."""
    world = new_world()
    one = attempt(world, 10_001)
    one.open()
    batches = LARGE // (2 * SEAL_AT)
    for batch in range(batches):
        do(one, [f"{batch}-{number}" for number in range(SEAL_AT)])
    later = attempt(world, 10_002)
    later.open()
    assert len(later.ledger.history.segments) == 1

    left = later.fall_back(Damaged("It is gone."))

    assert len(later.ledger.history.segments) == batches - 1
    assert names(world, [output.upload_id for output in left]) == sorted(
        f"{batches - 1}-{number}" for number in range(SEAL_AT)
    )


def test_an_attempt_that_lost_the_fence_leaves_what_the_winner_counts() -> None:
    world = new_world()
    loser = attempt(world, 10_001)
    loser.open()
    do(loser, ["counted"])
    do(loser, SEALED)
    winner = attempt(world, 10_002)
    winner.open()
    do(winner, ["the winner's"])
    for unit in ("in vain", "counted"):
        loser.ledger.mark(unit, [stage(loser, unit)], [])
    half_made = loser.bucket.create("outputs/job/key/half-made.txt", "token")
    sealed = loser.ledger.history.output("sealed-7.txt")
    assert sealed
    open_uploads = {half_made: "half-made", sealed.upload_id: sealed.key}

    unwanted = loser.uploads_beyond_the_winner("10001-", open_uploads)

    assert names(world, unwanted) == ["counted", "half-made", "in vain"]
    counted = winner.ledger.history.output("counted.txt")
    assert counted
    assert counted.upload_id not in unwanted


def test_an_attempt_that_lost_the_fence_leaves_all_while_the_winner_commits() -> None:
    world = new_world()
    loser = attempt(world, 10_001)
    loser.open()
    do(loser, ["a"])
    loser.ledger.mark("b", [stage(loser, "b")], [])
    world.item["status"] = "committing"

    assert loser.uploads_beyond_the_winner("10001-", {}) == {}
