"""Finds the run that is meant, by run key, time or execution; without any, the last one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract import Status
from steadyspot.contract.keys import run_key_of, scheduled_time_of
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.forms import shown
from steadyspot.deploy.runs.executions import described, execution_arn, run_key_in
from steadyspot.deploy.runs.listing import latest
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.trouble import USAGE, Trouble

_NAME = re.compile(r"""[^\s\x00-\x1f\x7f-\x9f<>{}\[\]?*"#%\\^|~`$&,;:/]{1,80}""")
"""AWS: what an execution may be called; a run key is shorter or made of fewer characters."""
_EXECUTION = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:]+:")


def run_meant(text: str) -> str:
    """Return the run key or the execution's name that somebody typed; a time is made its key.

    Raises
    ------
    Trouble
        When it can be none of them.
    """
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo:
            return run_key_of(scheduled_time_of(at.astimezone(UTC)))
    except (ValueError, OverflowError):  # of no calendar, or beyond the first year in UTC
        pass
    name = _EXECUTION.sub("", text, count=1)
    if _NAME.fullmatch(name):
        return name
    raise Trouble(
        f"{shown(text)} can be no run.",
        "Name it by its key (20261124T020000Z), its time (2026-11-24T02:00:00Z) or its execution; "
        "steadyspot runs lists them.",
        USAGE,
    )


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

    def find(self, key: str | None) -> Found:
        """Return the run with this key or of this execution, the last one where none is meant.

        Raises
        ------
        Trouble
            When there has been no run at all, or none of that name.
        """
        if key is None:
            return self._last()
        run = self._table.get(self._job, key)
        waits = self._waits(key) if run is None or run.status == Status.UNFINISHED else None
        if waits is not None and waits["status"] == "RUNNING":
            return Found(run, waits)
        arn = run.execution if run else execution_arn(self._machine, key)
        execution = described(self._sfn, arn)
        if run is None and execution is not None:
            run = self._of(execution)
        if run is None and execution is None:
            raise Trouble(
                f"There is no run or execution {key} of {self._job}.",
                f"Look which there are: steadyspot runs {self._job}.",
            )
        return Found(run, execution)

    def shard(self, key: str | None, shard: int) -> Found:
        """Return a shard of the run with this key or of this execution, or of the last run.

        Raises
        ------
        Trouble
            When there is no such run, or it has no shard of that number that was begun.
        """
        run = self.find(key).run
        many = run.shards if run else 0
        if run is None or shard >= many or many == 1:
            about = f"{self._job} {run.run_key}" if run else f"That run of {self._job}"
            told = f"has shards 0 to {many - 1}" if many > 1 else "has no shards"
            raise Trouble(f"{about} {told}.", "Name one of them, or leave --shard out.", USAGE)
        return self.find(shard_key(run.run_key, shard))

    def _waits(self, key: str) -> dict[str, Any] | None:
        """Return the execution in which a run waits for its turn."""
        name = self._table.queue_of(self._job).get(key)
        return described(self._sfn, execution_arn(self._machine, name)) if name else None

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
        key = run_key_in(execution.get("input", "{}"))
        run = self._table.get(self._job, key) if key else None
        return run if run and run.execution == execution["executionArn"] else None
