"""Shards of a run as workers of their own: interrupted, gone on, and whole when put together."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest

from steadyspot.contract import COMPLETION, OUTPUTS
from steadyspot.examples.tpch_q1 import answer, data, merge, query
from tests.local.worker.kit import Bench, Worker, assert_said

PARTS = 12
LOOP = """
import sys, time
from steadyspot import current_run
run = current_run()
units = {f"2026/11/{day:02}.csv": day for day in range(1, 31)}
for unit in run.remaining({"held": units, "streamed": iter(units)}[sys.argv[1]]):
    with run.output(unit) as path:
        path.write_text(f"{run.shard} of {run.shards}")
    time.sleep(float(sys.argv[2]))
with run.output("sum.csv") as path:
    path.write_text(str(run.shard))
"""


def tpch(shard: Bench, pause: str) -> Worker:
    command = [sys.executable, "-m", "examples.tpch_q1", "--parts", str(PARTS), "--pause", pause]
    return shard.start(*command, TPCH_Q1_INPUT=str(shard.folder / "input"))


def published(shard: Bench) -> dict[str, bytes]:
    """What lies below the shard's own prefix, with names below that."""
    found = shard.objects()
    return {name: body for name, body in found.items() if not name.startswith(OUTPUTS)}


def test_four_shards_of_which_two_are_reclaimed_give_the_published_answer(bench: Bench) -> None:
    data.make(bench.folder / "input", parts=PARTS)
    shards = bench.shards(4)
    first = [tpch(shard, pause) for shard, pause in zip(shards, "2200", strict=True)]
    for worker in first[:2]:
        worker.wait_for("rows summed")
        worker.terminate()
    assert [worker.end() for worker in first] == [143, 143, 0, 0], first[0].said()

    done = [int(shard.item()["progress"]["units_done"]) for shard in shards]
    assert all(1 <= units < 3 for units in done[:2])
    assert done[2:] == [3, 3]
    assert [int(shard.item()["progress"]["units_total"]) for shard in shards] == [3] * 4
    assert not any(map(published, shards[:2])), "nothing is published before its shard's end"

    second = [tpch(shard, "0") for shard in shards[:2]]
    assert [worker.end() for worker in second] == [0, 0], second[0].said()
    parts = Counter(
        line.split(":")[0]
        for worker in first + second
        for line in worker.text
        if line.endswith("rows summed")
    )
    assert parts == Counter(f"part {number} of {PARTS}" for number in range(1, PARTS + 1))
    partials = [merge.read(published(shard)[merge.PARTIAL].decode()) for shard in shards]
    query.write(merge.merged(partials), bench.folder / "result.csv")
    assert answer.compare(answer.read(bench.folder / "result.csv"), answer.published()) == []


@pytest.mark.parametrize("units", ["held", "streamed"])
def test_shards_publish_each_unit_once_and_outputs_of_one_name_apart(
    bench: Bench, units: str
) -> None:
    command = bench.job_file(LOOP)
    shards = bench.shards(3)
    workers = [shard.start(*command, units, "0") for shard in shards]
    assert [worker.end() for worker in workers] == [0] * 3, workers[0].said()

    made = [published(shard) for shard in shards]
    assert [objects["sum.csv"] for objects in made] == [b"0", b"1", b"2"]
    days = Counter(name for objects in made for name in objects if "/" in name)
    assert days == Counter(f"2026/11/{day:02}.csv" for day in range(1, 31))
    for shard in shards:
        assert json.loads(published(shard)[COMPLETION])["run_key"] == shard.run_key


def test_any_command_is_told_its_shard_and_has_it_filled_in(bench: Bench) -> None:
    script = 'echo "$STEADYSPOT_SHARD of $STEADYSPOT_SHARDS, {shard}/{shards} in {run_key}"'
    last = bench.shards(3)[2]
    scheduled = {"STEADYSPOT_SCHEDULED_TIME": "2026-11-24T02:00:00Z"}
    sharded = last.start("sh", "-euc", script, **scheduled)
    plain = bench.start("sh", "-euc", script, **scheduled)
    assert_said(sharded, 0, "2 of 3, 2/3 in 20261124T020000Z.s0002")
    assert_said(plain, 0, "0 of 1, 0/1 in 20261124T020000Z")


def test_what_is_no_shard_is_bad_setup_and_nothing_is_run(bench: Bench) -> None:
    worker = bench.start("sh", "-c", "echo ran", STEADYSPOT_SHARD="3", STEADYSPOT_SHARDS="3")
    assert_said(worker, 125, "STEADYSPOT_SHARD is '3'", "Give a whole number from 0 to 2")
    assert "ran" not in worker.text
