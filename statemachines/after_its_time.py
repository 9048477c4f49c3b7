"""The small state machine that looks at whether the run of a scheduled time has finished.

A run that was never started can tell nobody, nor can the schedule that should have started it. So a
job with ``missed = "auto"`` has a second schedule of the same expression, which starts this machine
with the time that was due. It waits for as long as a start is tried (waiting costs nothing), then
asks the run table: finished, or passed over as the job wants it, is well; a run that is under way
is looked at again, each time after twice as long; all else is told.

Alarms look at windows, even CloudWatch's wall-clock windows of a day or a week. A window ends at
midnight, hours after the run was missed; a run that ends about midnight is in the one or in the
other; one that was due before the job was deployed, while it rested, or in the hour that a change
of the clocks leaves out is none of it; and an alarm that rings names no time. The schedule's own
times know all of that. The biggest drawback: where the Scheduler itself does nothing, this does
nothing either; hours in the place of "auto" make an alarm that needs it not.
"""

from __future__ import annotations

from steadyspot.contract import columns, variables
from steadyspot.contract.states import AfterItsTimeState
from steadyspot.statemachines.calls import publishing, short_call
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.states import Catch, Choice, Machine, Rule, Succeed, Task, Wait


def look() -> Task:
    """Read the runs of the time, or of a rate's last period; there is one, if any."""
    return short_call(
        AfterItsTimeState.HAS_IT_FINISHED,
        "aws-sdk:dynamodb:query",
        arguments={
            "TableName": "${Table}",
            "ConsistentRead": True,
            "KeyConditionExpression": (
                f"{columns.JOB} = :job AND {columns.RUN_KEY} BETWEEN :first AND :last"
            ),
            "ProjectionExpression": f"{columns.RUN_KEY}, #status, {columns.CAUSE}",
            "ExpressionAttributeNames": {"#status": columns.STATUS},
            "ExpressionAttributeValues": {
                ":job": {"S": variable("$jobName")},
                ":first": {"S": expression("keyOfFirst")},
                ":last": {"S": expression("keyOfLast")},
            },
        },
        assign={"seen": expression("seenOfTime"), "key": expression("keyOfMissed")},
        output={},
    )


def build() -> Machine:
    """Return the definition, the job's names still to be filled in."""
    wait = Wait(
        AfterItsTimeState.WAIT,
        comment="For as long as a start is tried.",
        seconds=expression("secondsToLook"),
        assign={
            "jobName": "${Job}",
            "region": "${Region}",
            variables.JOB: {"zoneOffsets": "${ZoneOffsets}"},
            "due": expression("dueOfLook"),
            "firstTime": expression("firstOfLook"),
            "lastTime": expression("lastOfLook"),
        },
    )
    looking = look()
    decide = Choice(AfterItsTimeState.WHAT_OF_IT)
    wait_on = Wait(
        AfterItsTimeState.WAIT_ON,
        comment="For as long again as has passed since it was due.",
        seconds=expression("secondsToNextLook"),
    )
    tell = publishing(
        AfterItsTimeState.TELL,
        "${Topic}",
        subject=expression("missedSubject"),
        message=expression("missedMessage"),
        attributes=expression("missedAttributes"),
    )
    done = Succeed(AfterItsTimeState.DONE)
    wait.next_step = looking
    looking.next_step = decide
    looking.add_catch(Catch(wait_on, error_equals=["States.ALL"]))
    decide.add_choice(Rule(expression("isNotMissed")), done)
    decide.add_choice(Rule(expression("isUnderWay")), wait_on)
    decide.default_choice(tell)
    wait_on.next_step = looking
    tell.next_step = done
    tell.add_catch(Catch(done, error_equals=["States.ALL"]))
    return Machine(wait, comment="Looks at whether the run of a scheduled time has finished.")
