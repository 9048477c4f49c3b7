"""Manifests, ledgers and columns that another container has written into a run's own place.

Each is one that a worker never writes. None may end the attempt, count as work, or be carried on.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from steadyspot.contract import Status, checkpoint_prefix, output_prefix
from steadyspot.worker.keeping.checkpoint import FORMAT, encode
from steadyspot.worker.keeping.own import OwnBucket
from tests.unit.worker.fakes import FakeBucket, World
from tests.unit.worker.runs import attempt, new_world

CHECKPOINTS, OUTPUTS = checkpoint_prefix("job", "key"), output_prefix("job", "key")
WRITTEN: dict[str, Any] = {
    "format": FORMAT,
    "worker_version": "1",
    "sequence": 1,
    "history": {"segments": [], "units": {"a": []}, "outputs": {}},
    "units_done": 1,
    "files": None,
    "unpublished": {},
    "open_uploads": {},
    "state": [],
    "fraction": None,
    "total": None,
    "seconds": 1.5,
    "lost_seconds": 0,
    "started_at": "2026-11-24T02:00:00.000Z",
}


def history(**changed: Any) -> dict[str, Any]:
    return {"history": {**WRITTEN["history"], **changed}}


def point(world: World, column: str, body: bytes) -> None:
    """Plant an object in the run's own place, and a column that points to it."""
    key = f"{CHECKPOINTS}manifests/planted.json"
    FakeBucket(world).put(key, body)
    world.item[column] = {"key": key, "sha256": hashlib.sha256(body).hexdigest()}


def finished(world: World) -> int:
    """Run an attempt to its end; how many units it took for done."""
    mine = attempt(world, 10_001)
    mine.bucket = OwnBucket(FakeBucket(world), CHECKPOINTS, OUTPUTS)
    assert not mine.open()
    found = mine.ledger.units_done
    mine.save(mine.ledger.snapshot())
    mine.commit()
    assert world.item["status"] == Status.COMPLETE
    return found


def test_what_a_worker_writes_counts() -> None:
    world = new_world()
    point(world, "checkpoint", encode(WRITTEN)[0])
    assert finished(world) == 1
    assert "warnings" not in world.item


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "5"},
        {"format": None},
        {"units_done": "9"},
        {"units_done": -1},
        {"units_done": 1 << 60},
        {"units_done": True},
        {"fraction": "a"},
        {"fraction": float("nan")},
        {"seconds": float("inf")},
        {"seconds": "x"},
        {"lost_seconds": -5},
        {"total": {}},
        {"sequence": "x"},
        {"state": "x"},
        {"started_at": 5},
        {"open_uploads": [1]},
        {"open_uploads": {"u": 5}},
        {"unpublished": 5},
        {"files": 5},
        {"files": {}},
        {"files": {"inline": 5}},
        {"files": {"inline": "[[], [[1, 2]]]"}},
        {"files": {"key": "../elsewhere", "sha256": "0"}},
        {"history": []},
        history(segments="x"),
        history(segments=[{"key": "k"}]),
        history(segments=[{"key": "checkpoints/job/another/s", "sha256": "0"}]),
        history(units=[]),
        history(units={"a": 5}),
        history(outputs={"a": 5}),
        history(outputs={"a": {"name": "a"}}),
    ],
    ids=str,
)
def test_a_planted_manifest_of_another_form_counts_for_nothing(changed: dict[str, Any]) -> None:
    world = new_world()
    point(world, "checkpoint", encode({**WRITTEN, **changed})[0])
    assert finished(world) == 0
    assert world.item["warnings"]


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"5", b"{}", b"\xff", b"[" * 100_000, encode(WRITTEN)[0][:-3]],
    ids=lambda body: repr(body[:9]),
)
@pytest.mark.parametrize("column", ["checkpoint", "commit"])
def test_a_planted_object_that_is_no_object_counts_for_nothing(column: str, body: bytes) -> None:
    world = new_world()
    point(world, column, body)
    assert finished(world) == 0
    assert world.item["warnings"]


@pytest.mark.parametrize(
    "plan",
    [
        {"record": {}, "history": WRITTEN["history"]},
        {"record": 5, "history": 5},
        {"record": {"units": 9}, "history": WRITTEN["history"]},
        {"history": WRITTEN["history"]},
    ],
    ids=str,
)
def test_a_planted_list_of_uploads_completes_nothing(plan: dict[str, Any]) -> None:
    world = new_world()
    point(world, "commit", encode(plan)[0])
    assert finished(world) == 0
    assert json.loads(world.objects[f"{OUTPUTS}completion.json"][0])["units"] == 0


@pytest.mark.parametrize(
    "planted",
    [
        {"checkpoint": "x"},
        {"checkpoint": []},
        {"checkpoint": {}},
        {"checkpoint": {"key": 5, "sha256": 5}},
        {"checkpoint": {"key": CHECKPOINTS, "sha256": "x", "previous": "y"}},
        {"stop_report": "x"},
        {"stop_report": {}},
        {"stop_report": {"fence": 1, "total_lost_seconds": "x"}},
        {"stop_report": {"fence": 1, "total_lost_seconds": -1e9}},
        {"warnings": 5},
        {"warnings": [5, {}]},
        {"commit": "x"},
        {"commit": {"key": 5}},
        {"status": "committing"},
        {"status": "committing", "commit": {"key": 5, "sha256": 6}},
        {"status": "committing", "commit": {"key": "elsewhere", "sha256": "0"}},
    ],
    ids=str,
)
def test_planted_columns_of_another_form_count_for_nothing(planted: dict[str, Any]) -> None:
    world = new_world()
    world.item |= planted
    assert finished(world) == 0
    assert world.item["warnings"]
