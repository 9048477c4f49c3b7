"""Attempts of a Python job from the start to the record, with real signals."""

from __future__ import annotations

import json
import signal

import pytest

from steadyspot.worker.signal_names import signal_name
from tests.local.worker.kit import Bench, sha256, wait_until

PARTS = """
import sys, time
from steadyspot import current_run
run = current_run()
pause = float(sys.argv[1])
for part in run.remaining(range(8)):
    print("part", part, "attempt", run.attempt, flush=True)
    with run.output(f"part-{part:05}.txt") as path:
        path.write_text(f"part {part}\\n" * 1000)
    run.state["sum"] = run.state.get("sum", 0) + part
    time.sleep(pause)
with run.output("result.json") as path:
    path.write_text(str(run.state["sum"]))
print("merged", flush=True)
"""


def test_quiet_run_is_complete_and_its_record_matches_the_objects(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(PARTS), "0")

    assert worker.end() == 0, worker.said()

    item = bench.item()
    objects = bench.objects()
    record = bench.completion()
    assert item["status"] == "complete"
    assert item["completion"]["sha256"] == sha256(objects["completion.json"])
    assert objects["result.json"] == b"28"
    assert record["units"] == 8
    assert record["attempts"] == 1
    assert {o["name"]: o["sha256"] for o in record["outputs"]} == {
        name: sha256(data) for name, data in objects.items() if name != "completion.json"
    }
    assert bench.open_uploads() == []


def test_nothing_is_visible_before_the_commit(bench: Bench) -> None:
    held = "time.sleep(pause)\n    while part == 3 and not os.path.exists('go'): time.sleep(0.02)"
    text = "import os\n" + PARTS.replace("time.sleep(pause)", held)
    worker = bench.start(*bench.job_file(text), "0.02")
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) >= 2)

    assert bench.objects() == {}
    assert len(bench.open_uploads()) >= 2

    (bench.folder / "go").touch()
    assert worker.end() == 0


def test_interrupted_run_resumes_behind_the_parts_done_with_the_same_result(bench: Bench) -> None:
    waits = "run.stopping.wait(60) if part == 3 and run.attempt == 1 else time.sleep(pause)"
    job = bench.job_file(PARTS.replace("time.sleep(pause)", waits))
    first = bench.start(*job, "0.1")
    first.wait_for("part 3")
    first.terminate()

    assert first.end() == 143, first.said()
    assert "merged" not in first.said()
    item = bench.item()
    assert item["status"] == "running"
    assert item["stop_report"]["reason"] == "interrupted"
    assert item["checkpoint"]["units_done"] == 4
    assert first.events()[-4:] == ["drain", "save", "withdraw", "leave"]

    second = bench.start(*job, "0")
    assert second.end() == 0, second.said()
    assert "part 4 attempt 2" in second.said()
    assert "part 3 attempt 2" not in second.said()
    assert bench.objects()["result.json"] == b"28"
    assert len(bench.objects()) == 10
    assert bench.open_uploads() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 3])
def test_signal_that_came_is_named_in_the_log_and_the_report(bench: Bench, number: int) -> None:
    worker = bench.start("sh", "-c", "echo begun; exec sleep 600")
    worker.wait_for("begun")
    worker.process.send_signal(number)
    assert worker.end() == 143, worker.said()
    sentence = f"Interrupted by {signal_name(number)} before the job finished."
    assert sentence in worker.said()
    assert bench.item()["stop_report"]["sentence"] == sentence


WAITS = "sleep 600 & echo begun; wait"
UNIT = """
import sys, time
from steadyspot import current_run
for unit in current_run().remaining(range(9)):
    print("begun", flush=True)
    current_run().stopping.wait(600)
"""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "The job is told, and may end by itself."),
        (["--drain", "0"], "The job is killed at once."),
        (["--signal", "none", "--drain", "0.5"], "The job is sent no signal"),
    ],
)
def test_log_says_what_a_stop_leaves_to_a_job_without_units(
    bench: Bench, options: list[str], sentence: str
) -> None:
    worker = bench.start(*options, "sh", "-c", WAITS)
    worker.wait_for("begun")
    worker.terminate()
    assert worker.end() == 143, worker.said()
    assert sentence in worker.said()
    assert "unit in hand" not in worker.said()


def test_log_says_that_a_unit_in_hand_may_end(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(UNIT))
    worker.wait_for("begun")
    worker.terminate()
    assert worker.end() == 143, worker.said()
    assert "The unit in hand may end." in worker.said()


def test_job_that_ignores_sigterm_is_killed_within_its_share(bench: Bench) -> None:
    job = bench.job_file(PARTS.replace("time.sleep(pause)", "time.sleep(60 if part == 2 else 0)"))
    worker = bench.start("--stop-timeout", "4", *job, "0")
    worker.wait_for("part 2")
    wait_until(lambda: bench.item().get("checkpoint", {}).get("units_done", 0) == 2)
    worker.terminate()

    assert worker.end(4) == 143

    assert bench.item()["checkpoint"]["units_done"] == 2
    assert len(bench.open_uploads()) == 2


def test_sigkill_costs_the_unit_in_hand_only(bench: Bench) -> None:
    held = "time.sleep(60 if part == 3 and run.attempt == 1 else pause)"
    job = bench.job_file(PARTS.replace("time.sleep(pause)", held))
    first = bench.start(*job, "0.1")
    first.wait_for("part 3")
    first.kill_all()
    first.end()
    done = int(bench.item()["checkpoint"]["units_done"])

    second = bench.start(*job, "0")
    assert second.end() == 0, second.said()
    assert done in (2, 3)
    assert f"part {done} attempt 2" in second.said()
    assert bench.objects()["result.json"] == b"28"


def test_exit_0_on_sigterm_without_all_units_done_is_interrupted(bench: Bench) -> None:
    worker = bench.start("sh", "-c", "trap 'exit 0' TERM; echo ready; sleep 60 & wait")
    worker.wait_for("ready")
    worker.terminate()

    assert worker.end() == 143
    assert bench.item()["status"] == "running"


def test_failing_job_leaves_its_code_and_a_report(bench: Bench) -> None:
    worker = bench.start("sh", "-c", "exit 3")

    assert worker.end() == 3
    report = bench.item()["stop_report"]
    assert (report["reason"], report["exit_code"]) == ("failed", 3)
    assert bench.objects() == {}


def test_second_attempt_of_a_complete_run_runs_nothing(bench: Bench) -> None:
    assert bench.start("sh", "-c", "exit 0").end() == 0
    again = bench.start("sh", "-c", "echo ran")

    assert again.end() == 0
    assert "ran" not in again.text


def test_older_fence_leaves_with_76(bench: Bench) -> None:
    newer = bench.start("sh", "-c", "exit 5", STEADYSPOT_FENCE="10002")
    assert newer.end() == 5

    older = bench.start("sh", "-c", "sleep 60", STEADYSPOT_FENCE="10001")
    assert older.end() == 76, older.said()
    assert "has taken it" in older.said()


def test_stop_by_goes_the_same_way_with_124(bench: Bench) -> None:
    from datetime import UTC, datetime, timedelta

    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    worker = bench.start(*bench.job_file(PARTS), "0.4", STEADYSPOT_STOP_BY=soon)

    assert worker.end() == 124, worker.said()
    assert bench.item()["stop_report"]["reason"] == "timed-out"


def test_log_lines_are_json_that_carries_the_run(bench: Bench) -> None:
    worker = bench.start("sh", "-c", "echo plain; exit 0")
    assert worker.end() == 0

    assert "plain" in worker.text
    for line in worker.lines:
        assert line["job"] == bench.job
        assert line["run_key"] == bench.run_key
        assert line["execution"] == bench.execution
        assert json.dumps(line)
