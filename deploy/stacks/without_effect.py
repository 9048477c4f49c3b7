"""Keys of a job in steadyspot.toml that have no effect beside its other keys; pure.

Who wrote one believes in something that will not happen, so it is refused and not taken in silence;
only a default may be spelled out. What depends on the image, which may set an option itself, is
left to ``check``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from steadyspot.contract import Overlap

if TYPE_CHECKING:
    from steadyspot.deploy.stacks.config import Job

_OF_SCHEDULES = ("enabled", "retry", "spread_minutes")
_OF_RERUNS = ("budgets.failures", "budgets.interruptions")
_BESIDE_A_RATE = "beside a rate, which begins when it is deployed"


def keys_of(table: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the keys that a table has, those of its tables too, with a point between them."""
    for key, value in table.items():
        yield f"{above}{key}"
        if isinstance(value, Mapping):
            yield from keys_of(value, f"{above}{key}.")


def keys_without_effect(job: Job, plain: Job, given: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield key and fault of those ``given`` that change nothing; ``plain`` has the defaults."""
    for key, why in (*_of_times(job), *_of_runs(job)):
        value = attrgetter(key)
        if key in given and value(job) != value(plain):
            yield key, f"is of no use {why}: leave it out"
    for name, one in job.schedules.items():
        key = f"schedules.{name}.timezone"
        if key in given and one.timezone != plain.timezone and _is_rate(one.schedule):
            yield key, f"is of no use {_BESIDE_A_RATE}: leave it out"
    for name in _unasked(job):
        key = f"sidecars.{name}.health"
        if key in given:
            yield key, "is of no use where nobody waits for that sidecar: leave it out"


def _of_times(job: Job) -> Iterator[tuple[str, str]]:
    """Yield keys that speak of a schedule which is not there, or of a clock that it does not ask.

    What they are of no use beside, or without, comes with each.
    """
    if not job.all_schedules:
        yield from ((key, "without a schedule") for key in _OF_SCHEDULES)
    if job.missed == "auto" and not (job.all_schedules or job.after):
        yield "missed", 'as "auto" without a schedule'
    if _is_rate(job.schedule or ""):
        yield "timezone", _BESIDE_A_RATE


def _of_runs(job: Job) -> Iterator[tuple[str, str]]:
    """Yield keys that speak of what another key keeps from happening."""
    if job.overlap != Overlap.QUEUE:
        yield "queue_at_most", 'without overlap = "queue"'
    if job.shards == 1:
        yield "shards_at_once", "without shards"
    if job.signal == "none":
        yield "signal_job", 'beside signal = "none"'
    if job.rerun == "never":
        yield from ((key, 'beside rerun = "never"') for key in _OF_RERUNS)


def _unasked(job: Job) -> Iterator[str]:
    """Yield sidecars whose health neither the job nor another sidecar waits for."""
    awaited = {other for sidecar in job.sidecars.values() for other in sidecar.after}
    for name, sidecar in job.sidecars.items():
        if sidecar.start == "after" and name not in awaited:
            yield name


def _is_rate(schedule: str) -> bool:
    return schedule.startswith("rate(")
