"""The small state machine that starts the run of a job which comes after the runs of others.

An EventBridge rule of the job starts it for each execution of those others that finished a run. It
reads what became of that scheduled time in all of them, and starts the job with it once all are
complete: whichever ends last finds that. Where two end at one moment both may find it, and the
second start is a duplicate by the run's key. A run by hand is of no scheduled time and starts
nothing. What cannot be started lies in the job's queue, as the Scheduler would leave it there.

Its biggest drawback: a run that is found complete only after its execution broke down ends no
execution well, so that nothing comes after it; the job's ``missed`` tells that.
"""

from __future__ import annotations

from typing import Any

from steadyspot.contract.states import AfterOthersState
from steadyspot.statemachines.calls import short_call
from steadyspot.statemachines.composing import expression
from steadyspot.statemachines.states import Catch, Choice, Machine, Rule, Succeed


def build() -> Machine:
    """Return the definition, the job's names still to be filled in."""
    time: dict[str, Any] = {"time": expression("timeOfFinished")}
    park = short_call(
        AfterOthersState.PARK,
        "sqs:sendMessage",
        comment="It waits there for a redrive; an alarm rings.",
        arguments={"QueueUrl": "${Queue}", "MessageBody": expression("requestAfterOthers")},
        output={},
    )
    start = short_call(
        AfterOthersState.START,
        "aws-sdk:sfn:startExecution",
        arguments={
            "StateMachineArn": "${StateMachine}",
            "Input": expression("requestAfterOthers"),
        },
        output={},
    )
    look = short_call(
        AfterOthersState.HAVE_ALL_FINISHED,
        "aws-sdk:dynamodb:transactGetItems",
        arguments={
            "TransactItems": expression("runsOfOthers", others="${After}", tableOfRuns="${Table}")
        },
        assign={"isDue": expression("haveOthersFinished"), **time},
        output={},
    )
    due, not_yet, done = (
        Choice(AfterOthersState.IS_IT_DUE),
        Succeed(AfterOthersState.NOT_YET, comment="The last of them starts it."),
        Succeed(AfterOthersState.DONE),
    )
    look.next_step = due
    look.catches = [Catch(park, error_equals=["States.ALL"], assign=time)]
    due.add_choice(Rule(expression("isDueAfterOthers")), start)
    due.default_choice(not_yet)
    start.next_step = done
    start.catches = [Catch(park, error_equals=["States.ALL"])]
    park.next_step = done
    return Machine(look, comment="Starts a run of a job once those before it have finished.")
