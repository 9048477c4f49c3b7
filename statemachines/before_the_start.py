"""The small state machine that gives up a launch which never starts.

One for all jobs of a platform. ECS may accept a task and leave it in PROVISIONING for hours. The
job's own workflow cannot end that: the one timeout of its state counts from the launch and must
last as long as the work. So an EventBridge rule starts this machine for every task in whose
``overrides`` the workflow says when to give it up. A launch that started in time costs two states:
the call whose result says so ends the execution.
"""

from __future__ import annotations

from steadyspot.contract.states import BeforeTheStartState
from steadyspot.statemachines.calls import short_call
from steadyspot.statemachines.causes.texts import GIVEN_UP
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Machine, Wait

QUERY_FAILED = "States.QueryEvaluationError"


def build() -> Machine:
    """Return the definition, which needs no name of the platform."""
    wait = Wait(
        BeforeTheStartState.WAIT,
        comment="To the time that the task's environment names.",
        seconds=expression("secondsForStart"),
        assign={"launch": variable("$states.input")},
    )
    look = short_call(
        BeforeTheStartState.HAS_IT_STARTED,
        "aws-sdk:ecs:describeTasks",
        comment="If nothing has started, its output is an error, which is caught.",
        arguments={"Cluster": variable("$launch.cluster"), "Tasks": [variable("$launch.task")]},
        output=expression("launchStarted"),
    )
    give_up = short_call(
        BeforeTheStartState.GIVE_UP,
        "aws-sdk:ecs:stopTask",
        comment="The job's workflow knows this reason, and takes it for a refusal of capacity.",
        arguments={
            "Cluster": variable("$launch.cluster"),
            "Task": variable("$launch.task"),
            "Reason": GIVEN_UP,
        },
        output={},
    )
    wait.next_step = look
    look.add_catch(Catch(give_up, error_equals=[QUERY_FAILED]))
    return Machine(wait, comment="Gives up a launch that never starts.")
