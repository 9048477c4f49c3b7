"""Keys of the JSON that passes between the workflow, a job's queue, people and the command line.

A run request is the input of an execution, a parked run lies in the queue, a notification goes out
by SNS; the schemas in ``statemachines/schemas`` say what each key holds. The workflow writes the
last two, and the command line writes requests and reads all three.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SCHEDULED_TIME: Final = "scheduledTime"
RUN_KEY: Final = "runKey"
REDRIVE: Final = "redrive"
"""Whether a run that ended unfinished may be taken up again."""

COMMAND: Final = "command"
CAPACITY: Final = "capacity"
FINISH_WITHIN_MINUTES: Final = "finishWithinMinutes"
EXPECTED_MINUTES: Final = "expectedMinutes"
BUDGETS: Final = "budgets"
PARAMETERS: Final = "parameters"
"""Values of the job's own parameters by name, in the place of their defaults."""

GOES_ON: Final = "goesOn"
"""What the execution before this one of the same run hands over."""

LOOK_AFTER_MINUTES: Final = "lookAfterMinutes"
EVERY_MINUTES: Final = "everyMinutes"
"""Of the input of *After its time*, beside a scheduled time: when to look for its run, and the
period of a rate."""
SHARD: Final = "shard"
"""Which shard of a run the execution works off; the workflow itself starts it so."""

VERSION: Final = "version"
JOB: Final = "job"
EXECUTION: Final = "execution"
CAUSE: Final = "cause"
SENTENCE: Final = "sentence"
NEXT_STEP: Final = "nextStep"

REQUEST: Final = "request"
"""What a parked run is redriven with; a run request."""

LEFT_OUT: Final = "leftOut"
"""Stands alone in the place of a request that is too long, so that none can be made of it."""

OUTCOME: Final = "outcome"
SEVERITY: Final = "severity"
SCHEDULE_KEPT: Final = "scheduleKept"
ON_SCHEDULE: Final = "on-schedule"
OFF_SCHEDULE: Final = "off-schedule"
"""Whether a finished run was one of a scheduled time that was due of late: a rule counts those, and
an alarm what the rule counts. The end of a run by hand, or of an old time, is off schedule."""

GONE_ON: Final = "gone-on"
"""The outcome of an execution whose run goes on in another one, which its output names."""

DUPLICATE: Final = "duplicate"
"""The outcome of an execution whose run another one works off, or has worked off."""

SKIPPED: Final = "skipped"
"""The outcome of a run that was not begun, since another run of the job was under way."""

REPLACED: Final = "replaced"
"""The outcome of a run that was stopped for a newer one of its job."""

REPLACING: Final = "Replaced"
"""The error with which a newer run stops the execution of an older one."""

RUN_REQUEST = frozenset(
    {
        *(SCHEDULED_TIME, RUN_KEY, REDRIVE, COMMAND, CAPACITY),
        *(FINISH_WITHIN_MINUTES, EXPECTED_MINUTES, BUDGETS, PARAMETERS, GOES_ON),
        SHARD,
    }
)
"""Keys that a run request may have."""

PARKED_RUN = frozenset(
    {
        *(VERSION, JOB, RUN_KEY, SCHEDULED_TIME, EXECUTION),
        *(CAUSE, SENTENCE, NEXT_STEP, REQUEST),
    }
)
"""Keys that each parked run has."""

NOTIFICATION = (PARKED_RUN - {SCHEDULED_TIME, REQUEST}) | {OUTCOME, SEVERITY}
"""Keys that each notification has; how the attempts went and what they cost come on top."""
