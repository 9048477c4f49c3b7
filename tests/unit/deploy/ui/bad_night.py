"""A bad night that the workflow really went through: three reclaims, a drought, fall-back, late.

Told from its history and record, as the page of the run has it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steadyspot.contract import Capacity
from steadyspot.deploy.money.true_bill import with_bill
from steadyspot.deploy.runs.logs import LogLine
from steadyspot.deploy.runs.outputs import Output
from steadyspot.deploy.runs.story import explain
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.ui.run_view import Beside, RunView, run_view
from tests.unit.deploy.nights import Night
from tests.unit.deploy.ui.nights import PRICES
from tests.unit.statemachines.test_random_outcomes import stop
from tests.virtual.world import REFUSED, Launch, Offer

START = 1_795_485_600.0  # 2026-11-24, 02:00 UTC
_RECLAIMED = stop("SpotInterruption", "Your Spot Task was interrupted.")
_SPOT = [Offer(ends_after=60 * minutes, stop=_RECLAIMED) for minutes in (22, 38, 17)]
_LATE_START_SECONDS = 495.0
_REQUEST = {
    "scheduledTime": "2026-11-24T02:00:00Z",
    "finishWithinMinutes": 180,
    "expectedMinutes": 120,
}
JOB = Job(name="night", image="night:1", vcpu=2, memory_gb=8, expected_minutes=120)


def run_view_of_a_bad_night() -> RunView:
    """What the page of that run shows afterwards."""
    spot = [*_SPOT]

    def market(launch: Launch, _left: float) -> Offer:
        if launch.capacity == Capacity.ON_DEMAND:
            return Offer(start_seconds=_LATE_START_SECONDS)
        return spot.pop(0) if spot else Offer(error=REFUSED)

    night = Night(START, market)
    night.pass_by(_REQUEST)
    events: list[Any] = [*night.events[:-1]]
    events.append({**night.events[-1], "type": "ExecutionSucceeded"})
    run = night.run_at(night.ended_at)
    execution = {
        "executionArn": night.execution,
        "name": "x",
        "status": "SUCCEEDED",
        "input": json.dumps(_REQUEST),
    }
    now = datetime.fromtimestamp(night.ended_at, UTC)
    story = explain(run=run, execution=execution, events=events, now=now)
    tasks = {one.task.rsplit("/", 1)[-1]: one.attempt for one in run.attempts}
    log: dict[int, list[LogLine]] = {}
    for at, task, text in night.lines:
        line = LogLine(datetime.fromtimestamp(at, UTC), tasks.get(task, 0), task, text)
        log.setdefault(line.attempt, []).append(line)
    outputs = [Output("totals.parquet", 48_211_904), Output("completion.json", 702)]
    beside = Beside(log, outputs, json.dumps(night.definition))
    config = Config(Path("steadyspot.toml"), Platform("shop"), {JOB.name: JOB})
    return run_view(with_bill(story, JOB, config), JOB, PRICES, now, beside)
