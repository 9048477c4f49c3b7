"""What a server shows in tests, without an AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from steadyspot.deploy.runs.logs import LogLine
from steadyspot.deploy.runs.outputs import Output
from steadyspot.deploy.stacks.config import ConfigError, Job
from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.doing import Action
from steadyspot.deploy.ui.fleet_view import FleetView, JobRow, Mark
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


class Shown:
    """Pages without an AWS; ``done`` are the things that were asked for."""

    where = "shop, eu-central-1"

    def __init__(self, *runs: RunView, trouble: Trouble | None = None) -> None:
        self.runs = [*runs] or [run_view(night(), JOB, PRICES, BEGUN, BESIDE)]
        self.done: list[tuple[str, str, str]] = []
        self.trouble = trouble

    def configured(self, name: str) -> Job:
        if name != JOB.name:
            raise ConfigError(f"steadyspot.toml: jobs has no {name}.")
        return JOB

    def fleet(self) -> FleetView:
        row = JobRow(
            "night", "finished", "good", "✓", "20261124T020000Z", "11-24 02:00 complete",
            "11-25 02:00", (Mark("finished", "✓", "today: finished"),), "$0.42", "58%",
        )  # fmt: skip
        return FleetView("1 job: 1 finished.", (), (row,), 7, "Days of UTC.")

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

    def do(self, action: Action, job: str, run: str) -> str:
        if self.trouble:
            raise self.trouble
        self.done.append((action.name, job, run))
        return "It is done."
