"""Until when a run waits, and when on-demand is taken, from what its workflow has assigned; pure.

A history tells that a Wait was entered, and not for how long. The workflow's own expressions decide
that (``secondsForSpot``, ``secondsForAllElse``, ``latestSpotStart``); here is the same arithmetic,
which a test holds equal to them, since the command line has no JSONata.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from steadyspot.contract import Capacity, CapacityMode, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.causes.row import Answer
from steadyspot.statemachines.values import GROWTH

WAITS_FOR_SPOT = (JobState.WAIT_FOR_CAPACITY, JobState.WAIT_TO_ASK_AGAIN)
_NEVER = 9e12
"""Seconds since the epoch of the workflow's ``never``: Spot is not refused, and no time is set."""


@dataclass(frozen=True)
class Wait:
    """A wait; times are aware UTC, ``on_demand`` None where the job never takes it.

    ``for_spot``: what is waited for is Spot, which is tried next.
    """

    until: datetime
    for_spot: bool
    on_demand: datetime | None
    deadline: datetime | None


def wait_of(state: str, values: Mapping[str, Any], entered: datetime) -> Wait | None:
    """Return the wait of a state that was entered with these variables; None if they tell it not.

    A value that AWS has cut out of the history for its length is not among them.
    """
    try:
        now = entered.timestamp()
        latest = _latest_spot_start(values)
        for_spot = state in WAITS_FOR_SPOT
        seconds = _for_spot(values, latest - now) if for_spot else _for_else(values, latest - now)
        run = values[variables.RUN]
        takes_it = run["capacity"] == CapacityMode.SPOT_FIRST
        on_spot = values[variables.LAST]["capacity"] == Capacity.SPOT
        return Wait(
            until=entered + timedelta(seconds=seconds),
            for_spot=for_spot,
            on_demand=_moment(latest) if takes_it and on_spot and latest < _NEVER else None,
            deadline=deadline_of(values),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def deadline_of(values: Mapping[str, Any]) -> datetime | None:
    """Return when the run must be done, None where it has no deadline or that is not known."""
    by = values.get(variables.RUN, {}).get("finishBy", 0)
    return _moment(by / 1000) if by else None


def latest_spot_start_of(values: Mapping[str, Any]) -> datetime | None:
    """Return after when Spot is no longer tried; None where it always is, or that is not known."""
    try:
        if values[variables.RUN]["capacity"] != CapacityMode.SPOT_FIRST:
            return None
        latest = _latest_spot_start(values)
        return _moment(latest) if latest < _NEVER else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _latest_spot_start(values: Mapping[str, Any]) -> float:
    run, job = values[variables.RUN], values[variables.JOB]
    if run["finishBy"]:
        left = run["expected"] * (1 - values[variables.WORK].get("fraction", 0))
        return float(run["finishBy"] / 1000 - run["reserve"] - left)
    since = values[variables.SPOT_REFUSED]["since"] / 1000
    if values[variables.CAUSE]["answer"] == Answer.WAIT_FOR_SPOT:
        launched = datetime.fromisoformat(values[variables.LAST]["started_at"]).timestamp()
        since = min(since, launched)
    return float(since + 60 * job["maximumWaitMinutes"])


def _for_spot(values: Mapping[str, Any], left: float) -> float:
    if values[variables.CAUSE]["answer"] != Answer.WAIT_FOR_SPOT:
        return 0
    job, waits = values[variables.JOB], values[variables.SPOT_REFUSED]["waits"]
    pause = min(job["backoffCapSeconds"], job["backoffSeconds"] * GROWTH**waits)
    seconds = _jittered(values, pause / GROWTH, min(job["backoffCapSeconds"], pause * GROWTH))
    return max(0, int(min(seconds, left)))


def _for_else(values: Mapping[str, Any], left: float) -> float:
    job, run, last = (values[name] for name in (variables.JOB, variables.RUN, variables.LAST))
    cause = values[variables.CAUSE]
    judged: list[Mapping[str, Any]] = [*values[variables.ATTEMPTS]]
    if not judged or last["attempt"] > judged[-1]["attempt"]:
        judged.append({**last, "class": cause["class"]})
    met = sum(
        one["attempt"] > run[variables.EARLIER_ATTEMPTS]
        and one.get("class") == cause["class"]
        and one["capacity"] == last["capacity"]
        for one in judged
    )
    most = min(job["backoffCapSeconds"], job["backoffSeconds"] * GROWTH ** (met - 1))
    pause = _jittered(values, most / GROWTH, most)
    if last["capacity"] != Capacity.SPOT:
        left = pause
    return max(0, int(min(left, pause)))


def _jittered(values: Mapping[str, Any], least: float, most: float) -> int:
    job, run, last = (values[name] for name in (variables.JOB, variables.RUN, variables.LAST))
    held = values[variables.SPOT_REFUSED]["held"]
    return jittered(least, most, (job["name"], run["key"], last["attempt"], held))


def jittered(least: float, most: float, who: tuple[str, str, int, int]) -> int:
    """Return whole seconds between the two, drawn by job, run key, launches, and waits since."""
    drawn = hashlib.sha256(" ".join(map(str, who)).encode()).hexdigest()
    share = float(f"0.{re.sub('[^0-9]', '', drawn)[:6]}0")
    return math.ceil(least + (most - least) * share)
