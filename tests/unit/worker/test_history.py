"""A history, sealed and merged, says what plain dictionaries would, and costs far less memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadyspot.worker.keeping.checkpoint import Ledger, encode, load, manifest, seal
from steadyspot.worker.keeping.commit import CompletionBody, Plan, begin, recorded
from steadyspot.worker.keeping.history import LARGE, SEAL_AT, History, Output, Segment
from steadyspot.worker.keeping.store import Part
from tests.unit.worker.fakes import FakeBucket, Inline, World
from tests.unit.worker.runs import attempt, new_world


def output(name: str, upload_id: str) -> Output:
    part = Part(1, '"0cc175b9c0f1b6a831c399e269772661"', "AAAAAA==")
    return Output(name, f"outputs/{name}", upload_id, "token", 1, "0" * 64, "", (part,))


class Twice:
    """A ledger, and what it must say by plain dictionaries; ``save`` reads it back each time."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.units: dict[str, set[str]] = {}
        self.outputs: dict[str, tuple[str, str]] = {}
        self.bucket = FakeBucket(World())
        self.uploads = 0

    def mark(self, unit: str, names: set[str]) -> None:
        self.uploads += 1
        upload_id = str(self.uploads)
        replaced = self.ledger.mark(unit, [output(name, upload_id) for name in sorted(names)], [])
        gone = {
            name
            for name in self.units.get(unit, set()) - names
            if self.outputs.get(name, ("", ""))[0] == unit
        }
        old = {self.outputs.pop(name)[1] for name in gone}
        old |= {self.outputs[name][1] for name in names if name in self.outputs}
        assert {one.upload_id for one in replaced} == old
        self.units[unit] = names
        self.outputs |= dict.fromkeys(names, (unit, upload_id))

    def take_away(self, name: str) -> None:
        old = [upload_id for _, upload_id in [self.outputs.pop(name, ("", ""))] if upload_id]
        assert [one.upload_id for one in self.ledger.take_away(name)] == old

    def undo(self, names: set[str]) -> None:
        units = {self.outputs[name][0] for name in names if name in self.outputs}
        self.ledger.undo(names)
        self.units = {unit: made for unit, made in self.units.items() if unit not in units}
        self.outputs = {
            name: one
            for name, one in self.outputs.items()
            if name not in names and one[0] not in units
        }

    def save(self) -> None:
        saved = self.ledger.snapshot()
        seal(saved, self.bucket, "p/")
        body, sha256 = encode(manifest(saved, {}))
        self.bucket.put("manifest", body)
        self.ledger.settle(saved)
        self.check(self.ledger)
        self.check(load(self.bucket, {"key": "manifest", "sha256": sha256}, Inline()))

    def check(self, ledger: Ledger) -> None:
        history = ledger.history
        assert sorted(history.units()) == sorted(self.units)
        assert ledger.units_done == len(self.units)
        assert {o.name: (o.unit, o.upload_id) for o in history.outputs()} == self.outputs
        for unit in list(self.units)[:3]:
            assert history.unit(unit) == sorted(self.units[unit])
        for name, (_, upload_id) in list(self.outputs.items())[:3]:
            assert ledger.counts(upload_id, name)
            assert not ledger.counts("another", name)
        assert history.unit("of nobody") is None
        assert history.output("of nobody") is None


NUMBERS = st.integers(0, 7)
STEPS = st.lists(
    st.tuples(st.sampled_from(["mark", "mark", "mark", "take away", "undo", "save"]), NUMBERS),
    max_size=24,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_it_says_what_plain_dictionaries_would(steps: list[tuple[str, int]]) -> None:
    """Steps are of 200 units at once, so that segments are sealed and merged."""
    twice = Twice()
    for step, (what, number) in enumerate(steps):
        first = number * 100
        if what == "mark":
            for unit in range(first, first + 200):
                twice.mark(
                    f"u{unit}", {f"o{unit % 500}", f"p{unit * step % 7}"} if step % 3 else set()
                )
        elif what == "take away":
            for name in range(first, first + 200):
                twice.take_away(f"o{name}")
        elif what == "undo":
            twice.undo({f"o{name}" for name in range(first, first + 20)})
        else:
            twice.save()
    twice.save()


class Counting(Inline):
    """Counts how many were given to be done side by side."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: Any = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        lists = list(map(list, iterables))
        self.given.append(len(lists[0]))
        return super().map(fn, *lists)


@dataclass
class LongRun:
    """A run with many units done, and an output of each."""

    world: World
    ledger: Ledger
    bucket: FakeBucket
    pointer: dict[str, str]


UNITS = 2 * LARGE
CALLS: Counter[str] = Counter()


def counting(name: str, call: Callable[[], Any]) -> Any:
    CALLS[name] += 1
    return call()


@pytest.fixture(scope="module")
def long_run() -> LongRun:
    world = new_world()
    ledger, bucket, pointer = Ledger(), FakeBucket(world, counting), {}
    for start in range(0, UNITS, SEAL_AT):
        for unit in range(start, start + SEAL_AT):
            ledger.mark(str(unit), [output(f"part-{unit}", os.urandom(64).hex())], [])
        saved = ledger.snapshot()
        seal(saved, bucket, "p/")
        body, sha256 = encode(manifest(saved, {}))
        bucket.put(sha256, body)
        ledger.settle(saved)
        pointer = {"key": sha256, "sha256": sha256}
    return LongRun(world, ledger, bucket, pointer)


@contextlib.contextmanager
def traced() -> Iterator[Callable[[], tuple[int, int]]]:
    """Bytes that are in use of what was allocated meanwhile, and the most that were."""
    tracemalloc.start()
    try:
        yield tracemalloc.get_traced_memory
    finally:
        tracemalloc.stop()


def test_a_long_run_is_opened_by_few_calls_side_by_side_in_little_memory(
    long_run: LongRun,
) -> None:
    pool = Counting()
    CALLS.clear()
    with traced() as memory:
        ledger = load(long_run.bucket, long_run.pointer, pool)
        kept, most = memory()

    assert ledger.units_done == UNITS
    segments = len(ledger.history.segments)
    assert {"get": 1 + segments} == CALLS
    assert pool.given == [segments]
    assert segments <= 2 * UNITS / LARGE + 1
    stored = sum(len(segment.body) for segment in ledger.history.segments)
    assert stored / UNITS < 200
    assert kept / UNITS < 24, "more than two hashes of a unit and its output"
    assert most < 2_500_000, "more than the keys of a segment at once"


def test_a_commit_of_a_long_run_holds_few_of_its_outputs_at_once(long_run: LongRun) -> None:
    plan = Plan({"units": UNITS}, long_run.ledger.history)
    with traced() as memory:
        listed = sum(1 for _ in plan.history.outputs())
        body = CompletionBody(plan)
        while body.read(1 << 14):
            pass
        _, most = memory()

    assert listed == UNITS
    assert len(body) > 100 * UNITS
    assert most < 4_000_000


@pytest.mark.parametrize("first", [0, 1, 7, 50])
def test_a_completion_record_is_read_in_any_pieces_and_anew(first: int) -> None:
    body = CompletionBody(Plan({"units": 3, "job": "nightly"}, History()))
    assert body.tell() == 0
    whole = body.read()
    assert (len(whole), body.tell(), body.read()) == (len(body), len(body), b"")
    body.seek(0)
    assert body.tell() == 0
    piece = body.read(first)
    assert (piece, body.tell()) == (whole[:first], first)
    assert piece + body.read() == whole


def test_a_mark_looks_at_no_more_of_a_long_run_than_at_hashes(long_run: LongRun) -> None:
    """What it looks into would be unpacked first."""
    history = long_run.ledger.history
    closed = [Closed(segment.key, segment.sha256, segment.body) for segment in history.segments]
    for segment in closed:
        segment.closed = True
    ledger = Ledger(History(list(closed)), units_done=UNITS)

    assert ledger.mark("new", [output("new", "new")], []) == []
    with pytest.raises(AssertionError, match="looked into"):
        ledger.mark("7", [output("part-7", "new")], [])


class Closed(Segment):
    """Says so when it is looked into."""

    closed = False

    def _read(self) -> tuple[dict[str, Any], bytes]:
        assert not self.closed, "a segment was looked into"
        return super()._read()


def test_another_attempt_writes_the_same_completion_record(long_run: LongRun) -> None:
    ledger = load(long_run.bucket, long_run.pointer, Inline())
    for name in ("z", "a", "part-7"):
        ledger.take([output(name, f"again-{name}")])
    record = {
        **dict.fromkeys(("job", "request_sha256", "worker_version", "completed_at"), "text"),
        **{"units": UNITS, "seconds": 1.5, "lost_seconds": 0},
    }
    plan = Plan(record, ledger.history)
    one = attempt(long_run.world, 10_001)
    one.open()
    begin(one.fence, long_run.bucket, "p/", plan, {})
    found = recorded(long_run.bucket, long_run.world.item["commit"], Inline(), [])

    body, again = CompletionBody(plan), CompletionBody(found)
    assert body.sha256 == again.sha256 == hashlib.sha256(again.read()).hexdigest()
    outputs = json.loads(body.read())["outputs"]
    assert len(outputs) == UNITS + 2
    assert len({one["name"] for one in outputs}) == UNITS + 2
