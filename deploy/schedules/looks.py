"""When it is looked whether the runs of a schedule have finished; pure.

What looks is a schedule of its own beside the one that it looks after, with the same expression, so
that both are due at the same times whatever the calendar and the clocks do. A look is billed, so
that at most one an hour is made: of more frequent schedules a sample is looked at, which shows all
the same that nothing runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from steadyspot.deploy.schedules.cron import Cron
from steadyspot.deploy.schedules.expressions import Rate, read

_SPARSEST = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Looks:
    """When to look: an expression of the Scheduler.

    ``every_minutes`` is the period of a rate, of which the two schedules begin apart from each
    other: a look is at the whole period before it. 0: it is at the time itself.
    """

    expression: str
    every_minutes: int = 0


def looks_after(expression: str) -> Looks:
    """Return when it is looked after a schedule: of a cron the first minute of each of its hours.

    Raises
    ------
    BadExpression
        The expression is none of Scheduler's.
    """
    form = read(expression)
    if isinstance(form, Rate):
        times = max(1, -(-_SPARSEST // form.step))
        every = form.step // _MINUTE
        return Looks(f"rate({times * every} minute{'s' * (times * every != 1)})", every)
    if isinstance(form, Cron) and len(form.minutes) > 1:
        _, others = expression.removeprefix("cron(").removesuffix(")").split(maxsplit=1)
        return Looks(f"cron({form.minutes[0]} {others})")
    return Looks(expression)
