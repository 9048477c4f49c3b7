"""The keys of the worker's log lines, which the command line reads again.

A line is one JSON object: ``at`` (ISO time in UTC), ``level``, ``event`` (one word, stable),
``message`` (a sentence), the run it belongs to, then what the event adds.
"""

from __future__ import annotations

AT, LEVEL, EVENT, MESSAGE = "at", "level", "event", "message"

JOB, RUN_KEY, ATTEMPT, EXECUTION = "job", "run_key", "attempt", "execution"

EVERY_LINE = (AT, LEVEL, EVENT, MESSAGE, JOB, RUN_KEY, ATTEMPT, EXECUTION)
"""What each line has; any other key belongs to the event."""

SIGNAL = "signal"
"""The name of the signal by which a task was told to stop, in the line of its ``notice``."""

REASON = "reason"
"""Why an attempt ends, in the line of its ``leave``."""

METRICS = "_aws"
"""First key of a line in CloudWatch's embedded metric format, which is for machines alone."""
