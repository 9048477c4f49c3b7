"""Records, what they cost, and the listings of them; golden at 80 and 140 columns, and piped."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.cli.verbs.runs import _show as show_runs
from steadyspot.deploy.money import costs
from steadyspot.deploy.runs import listing as ledger
from steadyspot.deploy.runs.evidence import show
from steadyspot.deploy.runs.items import run_of
from steadyspot.deploy.runs.records import RunRecord, money
from steadyspot.deploy.runs.redrive import Waiting
from steadyspot.deploy.runs.story import explain
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.stacks.config import Job
from tests.unit.deploy.fakes import Calls, Pages, recorded

GOLDEN = Path(__file__).parent / "golden"
JOB = Job(name="night", image="i", vcpu=1, memory_gb=2)
TERMS = costs.Terms(Prices())


def attempt(number: int, capacity: str, seconds: float, cause: str, **more: Any) -> dict[str, Any]:
    values = {
        "attempt": number,
        "capacity": capacity,
        "zone": "eu-central-1a",
        "started_at": f"2026-11-24T02:0{number}:00Z",
        "ended_at": f"2026-11-24T02:0{number}:40Z",
        "seconds": seconds,
        "exit_code": 143,
        "cause": cause,
        "stopped_reason": "",
        "task": "arn:aws:ecs:eu-central-1:1:task/shop/abc",
        "units_done": 3,
        "lost_seconds": 0,
        **more,
    }
    return {
        "M": {k: {"N" if isinstance(v, int | float) else "S": str(v)} for k, v in values.items()}
    }


def item(*attempts: dict[str, Any], status: str = "complete", **more: Any) -> dict[str, Any]:
    return {
        "job": {"S": "night"},
        "run_key": {"S": "20261124T020000Z"},
        "status": {"S": status},
        "execution": {"S": "arn:aws:states:eu-central-1:1:execution:shop-night:e1"},
        "scheduled_time": {"S": "2026-11-24T02:00:00Z"},
        "claimed_at": {"S": "2026-11-24T02:00:01Z"},
        "progress": {"M": {"units_done": {"N": "8"}, "units_total": {"N": "8"}}},
        "attempts": {"L": list(attempts)},
        **more,
    }


def stopped(**written: Any) -> RunRecord:
    """A run whose execution was stopped during its second attempt."""
    broken = attempt(2, "spot", 850, "execution-ended", lost_seconds=850, units_done=0)
    known = item(
        attempt(1, "spot", 100, "reclaimed", lost_seconds=10),
        status="unfinished",
        broken_off=broken,
        cause={"S": "execution-ended"},
        money={"M": {"spot_seconds": {"N": "100"}, "wasted_seconds": {"N": "10"}}},
    )
    return run_of(known, {**known, "fence": {"N": "10002"}, **written})


def test_an_attempt_that_ended_with_its_execution_is_in_table_and_cost() -> None:
    run = stopped()
    last = run.attempts[-1]
    assert (last.attempt, last.cause, last.units_done) == (2, "execution-ended", 8)
    cost = money(run, Prices(), vcpu=1, memory_gb=2)
    assert (cost.spot_seconds, cost.wasted_seconds) == (950, 860)


@pytest.mark.parametrize(("fence", "wasted"), [("10002", 15), ("10001", 860)])
def test_what_it_lost_is_what_its_own_worker_wrote(fence: str, wasted: float) -> None:
    report = {"M": {"fence": {"N": fence}, "lost_seconds": {"N": "5"}}}
    run = stopped(stop_report=report)
    assert money(run, Prices(), vcpu=1, memory_gb=2).wasted_seconds == wasted


def bad_night() -> RunRecord:
    return recorded(
        item(
            attempt(1, "spot", 100, "reclaimed", lost_seconds=10),
            attempt(
                2, "spot", 0, "no-capacity", zone="", stopped_reason="Capacity is unavailable."
            ),
            attempt(3, "on-demand", 60, "", exit_code=0, units_done=0),
            money={"M": {"transitions": {"N": "17"}}},
        )
    )


def test_the_last_attempt_of_a_complete_run_is_the_one_that_finished() -> None:
    last = bad_night().attempts[-1]
    assert (last.cause, last.units_done) == ("finished", 8)


def test_an_unfinished_run_keeps_its_last_cause() -> None:
    run = recorded(
        item(attempt(1, "spot", 5, "job-failed"), status="unfinished", cause={"S": "job-failed"})
    )
    assert (run.attempts[-1].cause, run.cause, run.complete) == ("job-failed", "job-failed", False)


def test_an_item_that_was_only_claimed_is_a_run() -> None:
    run = recorded({"job": {"S": "night"}, "run_key": {"S": "k"}})
    assert (run.attempts, run.units_done, run.complete) == ((), 0, False)


TEXT, NUMBER, LIST = {"S": "x"}, {"N": "1"}, {"L": [{"S": "x"}]}
MALFORMED: dict[str, dict[str, Any]] = {
    "attempts are a text": {"attempts": TEXT},
    "an attempt is a text": {"attempts": LIST},
    "an attempt lacks its capacity": {"attempts": {"L": [{"M": {"attempt": NUMBER}}]}},
    "seconds are no number": {"attempts": {"L": [attempt(1, "spot", 1, "", lost_seconds="long")]}},
    "a beginning is a number": {"attempts": {"L": [attempt(1, "spot", 1, "", started_at=5)]}},
    "status is a number": {"status": NUMBER},
    "claimed at a number": {"claimed_at": NUMBER},
    "execution is a list": {"execution": LIST},
    "money is a list": {"money": LIST},
    "transitions are a text": {"money": {"M": {"transitions": TEXT}}},
    "of a kind that there is not": {"attempts": {"Q": "x"}},
}


@pytest.mark.parametrize("more", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_record_that_somebody_has_changed_is_named_in_every_view(more: dict[str, Any]) -> None:
    changed = recorded({**item(attempt(1, "spot", 5, "reclaimed")), **more})
    assert changed.unreadable.startswith("The run's record in the table cannot be read: ")
    (line, other) = ledger.lines_of(JOB, [changed, bad_night()], [], [], Prices())
    told = {line.run_key: line.status for line in (line, other)}
    assert len([*ledger.cells(line), *ledger.cells(other)]) == 2 * len(ledger.COLUMNS)
    assert {"unreadable", "complete"} >= set(told.values())
    story = explain(run=changed, execution=None, events=[])
    assert story.outcome == changed.unreadable
    assert "DynamoDB" in story.next_step
    out = io.StringIO()
    show(Screen(Console(file=out, width=80)), story, JOB, Prices())
    assert "cannot be read" in out.getvalue()


WRITTEN: dict[str, dict[str, Any]] = {
    "progress is a text": {"progress": TEXT},
    "units are a list": {"progress": {"M": {"units_done": LIST}}},
    "completion is a text": {"completion": TEXT},
    "completion holds a list": {"completion": {"M": {"outputs": LIST}}},
    "fence is a text": {"fence": TEXT},
    "of a kind that there is not": {"progress": {"Q": "x"}},
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_what_a_container_has_written_hides_nothing_of_its_run(written: dict[str, Any]) -> None:
    known = item(attempt(1, "spot", 5, "reclaimed"))
    run = run_of(known, {"execution": known["execution"], **written})
    assert (run.status, len(run.attempts), run.completion) == ("complete", 1, None)
    assert run.unreadable.startswith("What its worker has written cannot be read: ")
    (line,) = ledger.lines_of(JOB, [run], [], [], Prices())
    assert line.cause == run.unreadable
    assert "is complete" in explain(run=run, execution=None, events=[]).outcome


def test_money_counts_waste_against_what_useful_seconds_would_have_cost() -> None:
    cost = money(bad_night(), Prices(), vcpu=1, memory_gb=2)
    second = (0.04048 + 2 * 0.004445) / 3600
    assert cost.cost == pytest.approx(second * (100 * 0.3 + 60))
    assert cost.cost_on_demand_only == pytest.approx(second * 150)
    assert cost.saving == pytest.approx(0.4)


def test_money_counts_the_transitions_beside_the_rest() -> None:
    run = replace(bad_night(), transitions=24)
    less, more = (money(one, Prices(), vcpu=1, memory_gb=2) for one in (bad_night(), run))
    assert (more.cost, more.saving) == (less.cost, less.saving)
    assert more.transitions_cost == pytest.approx(24 * 0.000025)


def test_a_run_that_did_nothing_saved_nothing_and_waste_can_cost_more() -> None:
    assert money(recorded(item()), Prices(), vcpu=1, memory_gb=2).saving == 0
    one = recorded(item(attempt(1, "on-demand", 100, "x", lost_seconds=50)))
    assert money(one, Prices(), vcpu=1, memory_gb=2).saving == pytest.approx(-1)


def test_the_table_is_read_in_batches_and_what_was_not_processed_is_asked_again() -> None:
    left = {"t": {"Keys": [{"run_key": {"S": "20261124T020000Z"}}]}}
    none: dict[str, Any] = {"Responses": {}}
    answers = iter([{**none, "UnprocessedKeys": left}, {"Responses": {"t": [item()]}}, none])
    client = Calls(batch_get_item=lambda **_: next(answers))
    runs = RunTable(client, "t").several("night", ["20261124T020000Z"])  # type: ignore[arg-type]
    assert [run.run_key for run in runs] == ["20261124T020000Z"]
    assert client.made == ["batch_get_item"] * 3


def test_all_runs_since_a_day_come_oldest_first() -> None:
    late = item(claimed_at={"S": "2026-11-25T02:00:00Z"})
    early = item(run_key={"S": "20261124T010000Z"})
    client = Calls(
        get_paginator=lambda _: Pages({"Items": [late]}, {"Items": [early]}),
        batch_get_item=lambda **_: {"Responses": {}},
    )
    runs = RunTable(client, "t").since("night", "2026-11-01")  # type: ignore[arg-type]
    assert [run.claimed_at[:10] for run in runs] == ["2026-11-24", "2026-11-25"]


def test_the_bill_of_a_month_and_the_knob_that_would_save_most() -> None:
    runs = [bad_night(), replace(bad_night(), claimed_at="2026-12-01T02:00:00Z")]
    bills = costs.by_month(JOB, runs, TERMS)
    assert [(bill.when, bill.runs, bill.attempts) for bill in bills] == [
        ("2026-11", 1, 3),
        ("2026-12", 1, 3),
    ]
    tip = costs.advice(JOB, bills[0], Prices())
    assert tip is not None
    assert "maximum_wait_minutes" in tip.text
    late = costs.advice(replace(JOB, finish_within_minutes=60), bills[0], Prices())
    assert late is not None
    assert "finish_within_minutes" in late.text


def test_no_knob_is_named_where_none_would_save() -> None:
    quiet = recorded(item(attempt(1, "spot", 100, "finished")))
    assert costs.advice(JOB, costs.of_run(JOB, quiet, TERMS), Prices()) is None


EXECUTION = {
    "executionArn": "arn:aws:states:eu-central-1:1:execution:shop-night:e2",
    "name": "e2",
    "status": "FAILED",
    "startDate": datetime(2026, 11, 24, 3, tzinfo=UTC),
}


def test_an_execution_without_a_record_is_listed_too_and_a_duplicate_is_not() -> None:
    twin = {**EXECUTION, "status": "SUCCEEDED", "executionArn": "e3"}
    strays = of_executions(EXECUTION, twin)
    lines = ledger.lines_of(JOB, [bad_night()], strays, [], Prices())
    assert [(line.run_key, line.status) for line in lines] == [
        ("e2", "failed"),
        ("20261124T020000Z", "complete"),
    ]


class Recorded:
    """The run table, with the bad night and nothing else."""

    def several(self, _job: str, run_keys: Sequence[str]) -> list[RunRecord]:
        return [bad_night()] if bad_night().run_key in run_keys else []


def of_executions(*executions: dict[str, Any], text: str = "{}") -> list[ledger.Stray]:
    sfn = Calls(describe_execution=lambda **_: {"input": text})
    table: Any = Recorded()
    return ledger.strays(table, sfn, job="night", runs=[], executions=executions)


def test_the_execution_that_a_run_was_redriven_from_is_no_run_of_its_own() -> None:
    assert of_executions(EXECUTION, text='{"scheduledTime": "2026-11-24T02:00:00Z"}') == []
    (later,) = of_executions(EXECUTION, text='{"scheduledTime": "2026-11-25T02:00:00Z"}')
    assert later.run_key == "20261125T020000Z"


def test_a_start_that_the_scheduler_could_not_deliver_is_listed() -> None:
    waiting = [
        Waiting("20261125T020000Z", "The Scheduler could not start it: no role.", "r"),
        Waiting("20261124T020000Z", "parked", "r"),
        Waiting("", "", "r", note="none that can be redriven"),
    ]
    lines = ledger.lines_of(JOB, [bad_night()], [], waiting, Prices())
    assert [(line.run_key, line.status, line.begun[:10]) for line in lines] == [
        ("20261125T020000Z", "parked", "2026-11-25"),
        ("20261124T020000Z", "complete", "2026-11-24"),
        ("?", "parked", ""),
    ]
    assert "The Scheduler could not start it" in ledger.sentence(lines[0])


def test_a_long_key_is_whole_on_a_line_of_its_own_at_80_columns() -> None:
    key = "0d7c3b1e-1111-4222-8333-444455556666"
    lines = ledger.lines_of(JOB, [replace(bad_night(), run_key=key)], [], [], Prices())
    shown, out = screen(80)
    show_runs(shown, lines, several=False)
    first, *rest = out.getvalue().splitlines()
    assert first == key
    assert " ".join(" ".join(rest).split()) == (
        "complete, begun 2026-11-24 02:00 UTC, 3 attempts, 8/8 units, $0.001234, reclaimed, "
        "no-capacity"
    )
    wide, out = screen(140)
    show_runs(wide, lines, several=True)
    assert out.getvalue().split()[:3] == ["job", "run", "status"]
    assert key in out.getvalue()


def screen(width: int | None) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=width is not None, color_system=None, highlight=False
    )
    return Screen(console), out


def golden(width: int | None) -> str:
    shown, out = screen(width)
    lines = ledger.lines_of(JOB, [bad_night()], of_executions(EXECUTION), [], Prices())
    show_runs(shown, lines, several=False)
    show(shown, explain(run=bad_night(), execution=None, events=[]), JOB, Prices())
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


@pytest.mark.parametrize("width", [None, 80, 140], ids=["piped", "80", "140"])
def test_listing_and_story_look_as_they_were_reviewed(width: int | None) -> None:
    text = golden(width)
    assert text == (GOLDEN / f"bad-night.{width or 'piped'}.txt").read_text("utf-8").rstrip("\n")
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [80, 140])
def test_a_terminals_lines_fit_it_and_its_keys_are_whole(width: int) -> None:
    text = golden(width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("20261124T020000Z") == 2


def test_the_story_at_80_columns_is_folded_under_its_own_beginning() -> None:
    shown, out = screen(80)
    shown.pair("outcome", "word " * 30)
    first, second, *_ = out.getvalue().splitlines()
    assert first.startswith("outcome      word")
    assert second.startswith(" " * 13 + "word")


@pytest.mark.parametrize(
    ("run", "status", "outcome"),
    [
        (None, "FAILED", "ended as FAILED before it had claimed"),
        (None, "SUCCEEDED", "duplicate"),
        (None, "RUNNING", "not claimed a run yet"),
        (recorded(item(status="running")), "RUNNING", "under way"),
        (recorded(item(status="running")), "ABORTED", "its execution ended (aborted)"),
        (
            recorded(item(attempt(1, "spot", 5, "job-failed"), status="unfinished")),
            "FAILED",
            "exit code 143",
        ),
    ],
)
def test_every_end_has_an_outcome_and_a_next_step(
    run: RunRecord | None, status: str, outcome: str
) -> None:
    story = explain(run=run, execution={"executionArn": "a:b", "status": status}, events=[])
    assert outcome in story.outcome
    assert story.next_step


def test_a_start_that_never_came_is_explained_from_the_queue() -> None:
    story = explain(run=None, execution=None, events=[], waits="The Scheduler could not start it.")
    assert story.outcome == "The Scheduler could not start it."
    assert "redrive" in story.next_step
