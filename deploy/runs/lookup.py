"""Finds the run that is meant, by run key, time or execution; without any, the last one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from steadyspot.deploy.runs.executions import described, execution_arn
from steadyspot.deploy.runs.listing import latest
from steadyspot.deploy.runs.records import RunRecord, RunTable
from steadyspot.deploy.trouble import Trouble

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Found:
    """A run and what Step Functions says of its execution; either may be missing."""

    run: RunRecord | None
    execution: dict[str, Any] | None


class Finder:
    """Finds runs of one job."""

    def __init__(self, *, table: RunTable, sfn: Any, job: str, machine: str) -> None:
        self._table = table
        self._sfn = sfn
        self._job = job
        self._machine = machine

    def find(self, meant: str | None) -> Found:
        """Return the run that is meant, the last one where None is.

        Raises
        ------
        Trouble
            When there has been no run at all, or none of that name.
        """
        if meant is None:
            return self._last()
        key = re.sub("[-:]", "", meant) if _TIME.fullmatch(meant) else meant.rsplit(":", 1)[-1]
        run = self._table.get(self._job, key)
        arn = run.execution if run else execution_arn(self._machine, key)
        execution = described(self._sfn, arn)
        if run is None and execution is not None:
            run = self._of(execution)
        if run is None and execution is None:
            raise Trouble(
                f"There is no run or execution {meant} of {self._job}.",
                f"Look which there are: steadyspot runs {self._job}.",
            )
        return Found(run, execution)

    def _last(self) -> Found:
        runs, executions = latest(
            self._table, self._sfn, job=self._job, machine=self._machine, most=20
        )
        if executions and executions[0]["status"] in ("RUNNING", "FAILED", "ABORTED", "TIMED_OUT"):
            arn = executions[0]["executionArn"]
            run = next((run for run in runs if run.execution == arn), None)
            return Found(run, described(self._sfn, arn))
        if not runs:
            raise Trouble(
                f"{self._job} has had no run yet.", f"Start one: steadyspot run {self._job}."
            )
        return Found(runs[0], described(self._sfn, runs[0].execution))

    def _of(self, execution: dict[str, Any]) -> RunRecord | None:
        """Return the run of an execution that the Scheduler started: its key is in the input."""
        from steadyspot.deploy.runs.redrive import run_key_in

        key = run_key_in(execution.get("input", "{}"))
        run = self._table.get(self._job, key) if key else None
        return run if run and run.execution == execution["executionArn"] else None
