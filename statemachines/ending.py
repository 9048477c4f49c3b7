"""The end of a run: marked, parked, added up, and told, as are the few things told on the way.

None of it may fail a run: a call that cannot be made is passed over.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract import Status, messages, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    EXECUTION,
    EXPIRES,
    EXPIRES_OWN,
    EXPIRES_WORKERS,
    OPEN_AS_PARKED,
    PARKED,
    TURN_BACK,
    UNFINISHED_WORK,
    WORKER_KEY,
    add_to_totals,
    change,
    ledger,
    patient,
    publishing,
    short_call,
    states_entered,
    transaction,
)
from steadyspot.statemachines.composing import expression, named, variable
from steadyspot.statemachines.states import (
    Catch,
    State,
    Task,
)

LINES_READ = 40
"""Of a log, the worker's own included; ten of the job's are told."""


def mark() -> Task:
    """Write into the record that the run ended unfinished, before anybody can redrive it.

    The worker's item is closed to its worker with it, unless the work is complete.
    """
    values = {
        ":unfinished": {"S": Status.UNFINISHED.value},
        ":complete": {"S": Status.COMPLETE.value},
        ":me": {"S": EXECUTION},
    }
    return transaction(
        JobState.MARK_UNFINISHED,
        change(
            "SET #status = :unfinished, attempts = :attempts, money = :money, cause = :cause,"
            f" shards_left = :left, {OPEN_AS_PARKED}",
            "execution = :me AND #status <> :complete",
            {
                **values,
                **ledger(named("statesToMark")),
                **PARKED,
                ":cause": {"S": variable("$cause.name")},
                ":left": {"S": expression("shardsLeftColumn")},
            },
        ),
        change(*UNFINISHED_WORK, values, key=WORKER_KEY),
        TURN_BACK,
        comment="Before it is parked, so that a redrive never meets a run that still looks alive.",
    )


def park() -> Task:
    """Put the run into the job's dead-letter queue, from where it can be redriven for 14 days."""
    return short_call(
        JobState.PARK,
        "sqs:sendMessage",
        comment="It waits there for a redrive; an alarm rings.",
        arguments={"QueueUrl": variable("$job.queue"), "MessageBody": expression("parkedMessage")},
        assign={variables.WORK: expression("workUnfinished")},
        output={},
    )


def add_up() -> Task:
    """Add a complete run to its month's totals, and say when its items may be deleted.

    Nothing waits for that: the row of totals is the job's, so that another run may be at it, which
    is the one thing that is to be expected to cancel it.
    """
    ours = {":complete": {"S": Status.COMPLETE.value}, ":me": {"S": EXECUTION}}
    condition = "#status = :complete AND execution = :me"
    return transaction(
        JobState.ADD_UP,
        change(f"SET {EXPIRES}", condition, {**ours, **EXPIRES_OWN}),
        change(f"SET {EXPIRES}", condition, {**ours, **EXPIRES_WORKERS}, key=WORKER_KEY),
        add_to_totals(1),
        comment="Close the run does it where the record holds nothing to tell people of.",
        retry=patient(),
    )


def read_log(telling: State) -> Task:
    """Read what the job printed last, for the mail; without it people are told all the same.

    A task that never ran has no log, and lines may be longer than a state takes.
    """
    unread: dict[str, Any] = {variables.PRINTED: []}
    reading = short_call(
        JobState.READ_LOG,
        "aws-sdk:cloudwatchlogs:getLogEvents",
        "CloudWatchLogs.ResourceNotFoundException",
        comment="Its last lines stand in the mail.",
        arguments={
            "LogGroupName": variable("$job.log"),
            "LogStreamName": expression("logStream"),
            "Limit": LINES_READ,
        },
        assign={variables.PRINTED: expression("printedLast")},
        output={},
    )
    reading.next_step = telling
    reading.catches = [
        Catch(telling, error_equals=["States.DataLimitExceeded"], assign=unread),
        Catch(telling, error_equals=["States.ALL"], assign=unread),
    ]
    return reading


def tell() -> Task:
    """Publish what became of the run; a mail that can't be sent never fails it."""
    return publish(JobState.TELL, {})


def tell_it_finished(finished: State) -> Task:
    """Publish that a run is complete which was closed, and so added up, before."""
    told = publish(
        JobState.TELL_IT_FINISHED,
        {"toCome": 1},
        comment="It had trouble, was late, or each run is told.",
    )
    told.next_step = finished
    told.catches = [Catch(finished, error_equals=["States.ALL"])]
    return told


def tell_it_waits() -> Task:
    """Publish that on-demand is refused; without a word that may go on for days."""
    return publish(
        JobState.TELL_IT_WAITS,
        {"outcome": "waiting", "severity": "warning", "toCome": 1},
        comment="On-demand is refused, which may last for hours.",
        assign=states_entered(),
    )


def tell_it_is_skipped() -> Task:
    """Publish that the run was not begun, under an outcome of its own."""
    return publish(
        JobState.TELL_IT_IS_SKIPPED,
        {"outcome": messages.SKIPPED, "severity": "info", "toCome": 3},
        comment="Subscriptions can filter it out by its outcome.",
    )


def tell_it_hangs(choosing: State) -> Task:
    """Publish that an attempt used up its limit without an end; the run goes on in another."""
    told = publish(
        JobState.TELL_IT_HANGS,
        {"outcome": "hanging", "severity": "warning", "toCome": 1},
        comment="An attempt came to no end within its limit; another one may do the same.",
        assign=states_entered(),
    )
    told.next_step = choosing
    told.catches = [Catch(choosing, error_equals=["States.ALL"], assign=states_entered())]
    return told


def publish(state_id: str, given: dict[str, Any], **fields: Any) -> Task:
    """Return a Task that publishes; ``given`` stands in for expressions about the run's end."""
    return publishing(
        state_id,
        variable("$job.topic"),
        subject=expression("subject", **given),
        message=expression("message", **given),
        attributes=expression("messageAttributes", **given),
        **fields,
    )
