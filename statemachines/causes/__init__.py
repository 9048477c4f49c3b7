"""The cause table: what can stop a run, how it is recognised, and what is done about it.

A row says everything; adding one is one edit, and then ``make render``. ``of_attempts`` holds the
rows of how an attempt ends, in the order in which they are tried, ``of_runs`` those of what befalls
a run beside its attempts. ``row`` is what a row can say, ``texts`` what AWS and registries say of
each kind of trouble. From the table come what the workflow recognises and answers, the sentences in
the mails, the rows that ``drill verify`` puts to a deployed workflow, ``explain``, and the
reference: all read it through :func:`rows`. Its biggest drawback: it knows texts of AWS, which no
reference of AWS lists and which change.
"""

from __future__ import annotations

from steadyspot.statemachines.causes.of_attempts import ATTEMPTS, UNKNOWN
from steadyspot.statemachines.causes.of_runs import OF_RUNS
from steadyspot.statemachines.causes.row import Cause


def rows() -> tuple[Cause, ...]:
    """Return the whole table: how attempts end, what no row knows, and what befalls a run."""
    return (*attempts(), *OF_RUNS)


def attempts() -> tuple[Cause, ...]:
    """Return how attempts end, in the order of the tests; the last takes what no other knows."""
    return (*ATTEMPTS, UNKNOWN)
