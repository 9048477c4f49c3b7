"""What a server shows in tests, without an AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from steadyspot.deploy.runs.fleet import JobStatus
from steadyspot.deploy.runs.logs import LogLine
from steadyspot.deploy.runs.outputs import Output
from steadyspot.deploy.runs.weather import Hour, Weather
from steadyspot.deploy.stacks.config import ConfigError, Job
from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.doing import Action
from steadyspot.deploy.ui.drilling import Drilled
from steadyspot.deploy.ui.drills_view import DrillsView, drills_view
from steadyspot.deploy.ui.fleet_view import FleetView, fleet_view
from steadyspot.deploy.ui.job_view import JobView, job_view
from steadyspot.deploy.ui.run_view import Beside, RunView, run_view
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import JOB, PRICES, night, weeks
from tests.virtual.defaults import job_definition

RUN = "/jobs/night/runs/20261124T020000Z"
PRINTED = {1: [LogLine(BEGUN, 1, "abc", "half of it is done")], 2: []}
"""The log of the night: its second attempt never started."""
BESIDE = Beside(
    PRINTED,
    [Output("part-00.csv", 1_234_567), Output("completion.json", 661)],
    json.dumps(job_definition()),
)
STATUS = JobStatus(
    job="night",
    state="finished",
    missed="",
    parked=0,
    running=(),
    last_run="20261124T020000Z",
    last_status="complete",
    last_at="2026-11-24T02:00:00Z",
    next_due="2026-11-25T02:00:00Z",
    paused=False,
    days=["none"] * 7,
    cost=0.42,
    cost_on_demand_only=1.0,
    note="",
)
WEATHER = Weather(
    "x86_64", BEGUN, (Hour(2, 4, {"eu-central-1a": 12}), Hour(14, 1, {"eu-central-1b": 3}))
)


class Shown:
    """Pages without an AWS; ``done`` are the things that were asked for."""

    where = "shop, eu-central-1"

    def __init__(self, *runs: RunView, trouble: Trouble | None = None) -> None:
        self.runs = [*runs] or [run_view(night(), JOB, PRICES, BEGUN, BESIDE)]
        self.done: list[tuple[str, str, str]] = []
        self.trouble = trouble
        self.drilled: Drilled | None = None

    def configured(self, name: str) -> Job:
        if name != JOB.name:
            raise ConfigError(f"steadyspot.toml has no job {name}.")
        return JOB

    def fleet(self) -> FleetView:
        return fleet_view([STATUS], {"night": weeks(JOB, 30).runs[::-1]}, [WEATHER])

    def job(self, name: str) -> JobView:
        job = replace(self.configured(name), schedule="cron(0 2 * * ? *)")
        return job_view(job, weeks(job), PRICES, BEGUN)

    def run(self, job: str, key: str) -> RunView:
        self.configured(job)
        if self.trouble:
            raise self.trouble
        if not key.startswith("20261"):
            raise Trouble(f"There is no run or execution {key} of {job}.", "Look which there are.")
        return self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]

    def output(self, job: str, key: str, name: str) -> Iterator[bytes]:
        if name not in [output.name for output in BESIDE.outputs]:
            raise Trouble(f"Run {key} of {job} has no output {name}.", "Look which there are.")
        return iter([b"<script>alert(1)</script>"])

    def drills(self, name: str) -> DrillsView:
        return drills_view(self.configured(name), self.drilled)

    def told(self, action: Action, job: str, run: str) -> Sequence[str]:
        return action.told(self.configured(job), run, PRICES, here=False)

    def do(self, action: Action, job: str, run: str) -> str:
        if self.trouble:
            raise self.trouble
        self.done.append((action.name, job, run))
        return "It is done."
