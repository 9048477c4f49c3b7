"""Whatever crashes or wakes between two calls: one commit, and nothing done is lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadyspot.contract import COMPLETION
from steadyspot.worker.keeping.attempt import Attempt
from steadyspot.worker.keeping.history import Output
from steadyspot.worker.keeping.store import Head
from tests.unit.worker.fakes import Crash, CrashAt, Gate, Turns, World
from tests.unit.worker.runs import (
    PREFIX,
    attempt,
    content,
    new_world,
    stage,
    stage_in_pack,
    visible,
    work,
)

UNITS = ["a", "b", "c"]
Stage = Callable[[Attempt, str], Output]
ways = pytest.mark.parametrize("way", [stage, stage_in_pack])


def check_complete(world: World) -> None:
    assert world.item["status"] == "complete"
    assert world.completed == 1
    seen = visible(world)
    body = seen.pop(COMPLETION)
    assert seen == {f"{unit}.txt": content(unit) for unit in UNITS}
    assert world.item["completion"]["sha256"] == hashlib.sha256(body).hexdigest()
    listed = {o["name"]: o["sha256"] for o in json.loads(body)["outputs"]}
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in seen.items()}


def check_nothing_half(world: World) -> None:
    """Objects are visible only once the commit was decided."""
    seen = visible(world)
    assert not seen or world.item["status"] in ("committing", "complete")
    if COMPLETION in seen:
        assert len(seen) == len(UNITS) + 1


@ways
def test_undisturbed_attempt_is_complete_with_no_upload_left(way: Stage) -> None:
    world = new_world()
    assert work(attempt(world, 10001), UNITS, stage=way) == "complete"
    check_complete(world)
    assert world.uploads == {}


@ways
@settings(max_examples=300)
@given(crashes=st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=5))
def test_crash_at_any_call_costs_the_unit_in_hand_and_the_next_attempt_finishes(
    way: Stage, crashes: list[tuple[int, bool]]
) -> None:
    world = new_world()
    durable: list[str] = []
    fence = 10_000
    for number, after in crashes:
        fence += 1
        one = attempt(world, fence, CrashAt(number, after))
        try:
            work(one, UNITS, durable.append, way)
        except Crash:
            check_nothing_half(world)
    fence += 1
    last = attempt(world, fence)
    again: list[str] = []
    work(last, UNITS, again.append, way)

    check_complete(world)
    assert not set(durable) & set(again), "a unit that was durable was done again"
    assert len(durable) == len(set(durable))


@ways
@settings(max_examples=400)
@given(
    order=st.lists(st.sampled_from(["zombie", "newer"]), max_size=80),
    head_start=st.integers(0, 30),
    newer_ends=st.sampled_from(["finish", "crash"]),
)
def test_zombie_waking_between_any_two_calls_neither_publishes_nor_destroys(
    way: Stage, order: list[str], head_start: int, newer_ends: str
) -> None:
    world = new_world()
    turns = Turns()
    ends: dict[str, str] = {}

    def actor(name: str, fence: int) -> None:
        def run(gate: Gate) -> None:
            ends[name] = work(attempt(world, fence, gate), UNITS, stage=way)

        turns.actor(name, run)

    actor("zombie", 10001)
    for _ in range(head_start):
        turns.step("zombie")
    actor("newer", 10002)
    for name in order:
        turns.step(name)
        check_nothing_half(world)
    if newer_ends == "crash":
        turns.kill("newer")
    while turns.step("newer"):
        check_nothing_half(world)
    while turns.step("zombie"):
        check_nothing_half(world)
    turns.kill("zombie")
    if world.item["status"] != "complete":
        work(attempt(world, 10003), UNITS, stage=way)

    check_complete(world)
    assert (
        list(ends.values()).count("complete") + list(ends.values()).count("finished a commit") <= 1
    )


def test_same_number_handed_out_twice_is_held_by_one_task() -> None:
    world = new_world()
    first, second = attempt(world, 10001, holder="one"), attempt(world, 10001, holder="two")
    first.open()

    assert work(second, UNITS) == "FenceLost"
    assert work(first, UNITS) == "complete"
    check_complete(world)


def test_attempt_of_an_execution_that_was_taken_over_is_refused() -> None:
    world = new_world()
    old = attempt(world, 10001)
    old.open()
    world.item["execution"] = "arn:another"

    assert work(old, UNITS) == "FenceLost"
    assert world.completed == 0


@pytest.mark.parametrize("lost", ["a", "c"])
def test_upload_lost_before_the_commit_undoes_its_unit_only(lost: str) -> None:
    world = new_world()
    with pytest.raises(Crash):
        # Crash right after `committing` was taken.
        work(attempt(world, 10001, CrashAt(calls_until_committing(), after=True)), UNITS)
    assert world.item["status"] == "committing"
    gone = [i for i, (key, _, _) in world.uploads.items() if key == f"{PREFIX}{lost}.txt"]
    del world.uploads[gone[0]]

    again: list[str] = []
    assert work(attempt(world, 10002), UNITS, again.append) == "complete"

    assert again == [lost]
    check_complete(world)


def test_completed_upload_counts_as_done_only_if_the_object_is_the_recorded_one() -> None:
    world = new_world()
    with pytest.raises(Crash):
        work(attempt(world, 10001, CrashAt(calls_until_committing() + 1, after=True)), UNITS)
    key = f"{PREFIX}a.txt"
    _, head = world.objects[key]
    other = b"x" * head.size
    world.objects[key] = (other, head.__class__(head.size, '"other"', "other"))

    again: list[str] = []
    assert work(attempt(world, 10002), UNITS, again.append) == "complete"
    assert again == ["a"]
    check_complete(world)


@pytest.mark.parametrize("becomes", [None, b"", b"before", b"before" + b"x" * 99])
def test_pack_lost_or_altered_before_the_commit_undoes_its_units_only(
    becomes: bytes | None,
) -> None:
    world = broken_off_in_the_commit(0)
    pack = next(key for key in world.objects if "packs/c-" in key)
    _, head = world.objects.pop(pack)
    if becomes is not None:
        world.objects[pack] = (becomes, head)

    again: list[str] = []
    assert work(attempt(world, 10002), UNITS, again.append, stage_in_pack) == "complete"

    assert again == ["c"]
    check_complete(world)


def test_what_was_published_from_a_pack_is_there_whatever_became_of_the_pack() -> None:
    world = broken_off_in_the_commit(3 * len(UNITS))
    for key in [key for key in world.objects if "packs/" in key]:
        del world.objects[key]

    assert attempt(world, 10002).open()
    check_complete(world)


def test_an_object_of_a_commit_that_was_undone_is_replaced() -> None:
    world = broken_off_in_the_commit(0)
    head = Head(len(content("a")), '"other"', "other")
    world.objects[f"{PREFIX}a.txt"] = (b"x" * head.size, head)

    assert attempt(world, 10002).open()
    check_complete(world)
    assert world.uploads == {}


def test_a_zombie_puts_nothing_of_a_run_that_is_complete_and_was_taken_away() -> None:
    world, turns = new_world(), Turns()

    def zombie(gate: Gate) -> None:
        work(attempt(world, 10001, gate), UNITS, stage=stage_in_pack)

    turns.actor("zombie", zombie)
    while world.item["status"] != "committing":
        turns.step("zombie")
    attempt(world, 10002).open()
    check_complete(world)
    for unit in UNITS:
        del world.objects[f"{PREFIX}{unit}.txt"]

    while turns.step("zombie"):
        pass
    assert visible(world).keys() == {COMPLETION}


def broken_off_in_the_commit(after: int) -> World:
    """A run with packs, broken off so many calls after ``committing`` was taken."""
    world = new_world()
    number = calls_until_committing(stage_in_pack) + after
    with pytest.raises(Crash):
        work(attempt(world, 10001, CrashAt(number, after=True)), UNITS, stage=stage_in_pack)
    assert world.item["status"] == "committing"
    return world


def test_upload_written_down_as_open_is_aborted_by_the_next_attempt_and_no_other() -> None:
    world = new_world()
    first = attempt(world, 10001)
    first.open()
    counted = stage(first, "a")
    first.ledger.mark("a", [counted], [])
    half_made = first.bucket.create(f"{PREFIX}b.txt", "token")
    first.ledger.open_uploads = {half_made: f"{PREFIX}b.txt", counted.upload_id: counted.key}
    first.save(first.ledger.snapshot())

    attempt(world, 10002).open()

    assert list(world.uploads) == [counted.upload_id]


def test_what_counts_no_more_is_aborted_before_the_run_is_complete_whoever_completes_it() -> None:
    world = new_world()
    first = attempt(world, 10001)
    first.open()
    before, half_made = stage(first, "a"), first.bucket.create(f"{PREFIX}b.txt", "token")
    first.ledger.mark("a", [before], [])
    first.ledger.open_uploads = {half_made: f"{PREFIX}b.txt"}
    first.save(first.ledger.snapshot())
    first.ledger.mark("a", [stage(first, "a")], [])

    def crash() -> None:
        assert world.item["status"] == "committing"
        raise Crash

    with pytest.raises(Crash):
        first.commit(withdraw=crash)
    assert {before.upload_id, half_made} < set(world.uploads)

    assert attempt(world, 10002).open()
    assert (world.item["status"], world.uploads) == ("complete", {})


def calls_until_committing(way: Stage = stage) -> int:
    """How many calls an undisturbed attempt makes up to and with the write of ``committing``."""
    world = new_world()
    count = 0

    def gate(name: str, call: object) -> object:
        nonlocal count
        if world.item["status"] == "running":
            count += 1
        return call()  # type: ignore[operator]

    work(attempt(world, 10001, gate), UNITS, stage=way)
    return count
