"""The values of a job's parameters in one run, as its worker made them; pure.

They come from the input of the run's execution and the job's configuration, and are filled in by
the contract's own rules. What looks like a secret is never told, though none belongs there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from steadyspot.contract import messages
from steadyspot.contract.parameters import RUN_KEY, filled
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.consistency import looks_secret
from steadyspot.deploy.stacks.parameters import declared

HIDDEN = "(looks like a secret)"


def parameters_of(
    job: Job, run: RunRecord | None, execution: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the values by name; none where nobody knows any more what the run was given."""
    if run is None or execution is None:
        return {}
    given = _given(str(execution.get("input", "")))
    defaults = {name: form["default"] for name, form in declared(job).items()}
    begun = run.scheduled_time or run.claimed_at
    time = datetime.fromisoformat(begun).astimezone(UTC) if begun else None
    return {
        name: _told(name, value, time, run.run_key) for name, value in {**defaults, **given}.items()
    }


def _given(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except ValueError:
        return {}
    values = request.get(messages.PARAMETERS) if isinstance(request, dict) else None
    return values if isinstance(values, dict) else {}


def _told(name: str, value: Any, time: datetime | None, run_key: str) -> Any:
    if looks_secret(name, str(value)):
        return HIDDEN
    if isinstance(value, str) and time is not None:
        return filled(value, {}, time, {RUN_KEY: run_key})
    return value
