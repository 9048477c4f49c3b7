"""The state machine of a job: claim, run on Spot, judge, wait, fall back, tell, park.

States are built in the order in which a run meets them; :func:`build` wires them into the picture
that the console shows. Tasks decide with others and make one call each; Choices decide alone.
Variables: ``run`` (settings of this execution), ``last`` (the latest attempt), ``attempts`` (those
before it, those of earlier executions included, each with its cause), ``work`` (what the record
says of the work: status, word, done, total, fraction), ``drought`` (since when Spot is refused, in
milliseconds, and how often that was waited for), ``cause`` (what stopped the latest attempt) and
``entered`` (states entered, which is what a workflow costs; *Why did it stop?* is counted by
whatever leads there). Budgets are counted from the attempts, so there is no counter that could be
forgotten.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from steadyspot.contract import ENV_PREFIX, WORKER_CONTAINER, Capacity, Env, Status
from steadyspot.statemachines import expressions as x
from steadyspot.statemachines import mail
from steadyspot.statemachines import money as m
from steadyspot.statemachines.calls import (
    CALL_SECONDS,
    CONDITION_FAILED,
    EXECUTION,
    WORK,
    of_item,
    patient,
    table_call,
)
from steadyspot.statemachines.causes import CAUSES, UNKNOWN, Cause, CauseClass
from steadyspot.statemachines.claiming import claiming
from steadyspot.statemachines.expressions import entered
from steadyspot.statemachines.jsonata import (
    Catch,
    Choice,
    Fail,
    Machine,
    Rule,
    State,
    Succeed,
    Task,
    Wait,
    expression,
)
from steadyspot.statemachines.learning import learn

OTHERWISE = "true"
"""Condition of a last rule. A Default would need the state's own Assign, whose meaning beside that
of a matching rule is not the same everywhere."""


REFUSALS_OF_ON_DEMAND = 50
"""After so many the run is parked: the quota is too small, or the region is in trouble."""

GROWTH = 3
"""Factor from one wait to the next. A drought is left the less likely the longer it has lasted."""


UNLEARNED = {"run": "{%$merge([$run, {'learned': true}])%}"}
UNREAD = {"work": "{%$merge([$work, {'status': '', 'word': ''}])%}"}
"""What is known of the work stays, but it says nothing of the attempt that ended."""


class Waits(NamedTuple):
    """What comes after a refusal: the wait for Spot, which is tried then, and that for all else.

    ``learning`` comes before the first of a run.
    """

    for_spot: Wait
    for_all_else: Wait
    learning: Task


# --- running ------------------------------------------------------------------------------------


def choose_capacity() -> Choice:
    """Return the Choice that is asked before every launch."""
    return Choice(
        "Choose capacity",
        comment="Spot while budget and slack last, else on-demand.",
    )


SPENT = f"""
( $all := {x.ALL}; {x.STALLED}
  $of := function($class) {{ $count($all[attempt > $run.before and class = $class]) }};
  $of('failed') > ($cause.name = 'try-again' ? $max([3, $run.budgets.failures]) :
    $run.budgets.failures)
  or $of('throttled') > $run.budgets.throttles
  or $of('infrastructure') > $run.budgets.infrastructure
  or $stalled > $run.budgets.interruptions or $cause.class = 'timed-out' and $stalled > 1
  or '${{Rerun}}' = 'never' and $last.started
  or $cause.class = 'refused' and ($run.capacity = 'spot-only' ? $not({x.SLACK})
    : $count($all[capacity = 'on-demand' and class = 'refused']) > {REFUSALS_OF_ON_DEMAND}) )
"""

ON_SPOT = f"""
$run.capacity = 'spot-only' or $run.capacity = 'spot-first' and {x.SLACK}
and ($all := {x.ALL}; {x.STALLED} $stalled < 2)
"""


def launch(
    state_id: str,
    capacity: Capacity,
    *,
    placement: dict[str, Any],
    stop_by: str,
    timeout: str,
    comment: str,
    **more: str,
) -> Task:
    """Return the Task that runs the container once and waits for its end."""
    environment = {
        Env.RUN_KEY: "$run.key",
        Env.EXECUTION: "$states.context.Execution.Id",
        Env.FENCE: f"$string({x.FENCE} + 1)",
        Env.ATTEMPT: f"$string{x.ATTEMPT}",
        Env.CAPACITY: x.quoted(capacity),
        Env.STOP_BY: f"$fromMillis({stop_by})",
        **more,
    }

    values = ", ".join(f"{_short(name)}: {value}" for name, value in environment.items())
    command = f"$count($run.command) > 0 ? {{{_short(Env.COMMAND)}: $string($run.command)}} : {{}}"
    pairs = f"""
$each($merge([{{{values}}}, {command}]), function($value, $name) {{
  {{'Name': '{ENV_PREFIX}' & $name, 'Value': $value}} }})
"""
    return Task(
        state_id,
        comment=comment,
        resource="arn:aws:states:::ecs:runTask.sync",
        timeout_seconds=expression(f"{timeout} + ${{StopTimeout}} + ${{MarginSeconds}}"),
        arguments={
            "Cluster": "${Cluster}",
            "TaskDefinition": "${TaskDefinition}",
            **placement,
            "NetworkConfiguration": {"AwsvpcConfiguration": "{%${Network}%}"},
            "Overrides": {
                "ContainerOverrides": [
                    {
                        "Name": WORKER_CONTAINER,
                        "Environment": expression(pairs),
                    }
                ]
            },
        },
        assign=attempted(x.succeeded_attempt(capacity)),
        output={},
    )


def _short(name: str) -> str:
    return x.quoted(name.removeprefix(ENV_PREFIX))


def attempted(last: str, *, states: int = 1) -> dict[str, Any]:
    """Return what the end of an attempt assigns."""
    return {"attempts": expression(x.ALL), "last": expression(last), **entered(states)}


def ledger(rows: str, more: int) -> dict[str, Any]:
    """Return the record's columns of attempts and money; ``more`` states follow, this one too."""
    money = m.money(rows, f"$entered + {more}")
    return {
        ":attempts": {"L": expression(x.to_dynamodb(rows))},
        ":money": {"M": expression(m.to_dynamodb(money))},
    }


def on_spot() -> Task:
    """Run the task on Spot, all subnets offered."""
    return launch(
        "Run on Fargate Spot",
        Capacity.SPOT,
        placement={"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]},
        stop_by=x.STOP_BY_SLACK,
        timeout=x.TIMEOUT_SPOT,
        **{Env.EXPECTED_SECONDS: "$string($run.yields ? $run.expected : 0)"},
        comment="All zones are offered; the worker stops itself in time for on-demand to finish.",
    )


def on_demand() -> Task:
    """Run the task on on-demand Fargate."""
    return launch(
        "Run on on-demand Fargate",
        Capacity.ON_DEMAND,
        placement={"LaunchType": "FARGATE"},
        stop_by=x.STOP_BY_LIMIT,
        timeout=x.TIMEOUT_ON_DEMAND,
        comment="Resumes behind the work that is already durable.",
    )


QUIET = """
$last.attempt = 1 and ($run.finishBy = 0 or $millis() <= $run.finishBy)
and '${TellEveryRun}' != 'true'
"""


def close() -> Task:
    """End a quiet run: its record says complete and no attempt before this one is written down."""
    return table_call(
        "Close the run",
        "updateItem",
        comment="No success without the record. A run with trouble behind it goes on, to be told.",
        arguments={
            "UpdateExpression": "SET attempts=:attempts,money=:money",
            "ConditionExpression": "#status=:complete AND execution=:me AND claims=:quiet",
            "ExpressionAttributeValues": {
                ":complete": {"S": Status.COMPLETE.value},
                ":me": {"S": EXECUTION},
                ":quiet": {"N": expression(f"$string({QUIET} ? $run.claims : 0)")},
                **ledger(x.with_cause("finished"), 1),
            },
        },
    )


_WORD = f"$number($item.word.M.fence.N) = {x.FENCE}"


def record() -> Task:
    """Write the attempt down and bring back what the worker wrote."""
    return table_call(
        "Record the attempt",
        "updateItem",
        comment="Also one whose worker never started. Complete all the same? How far did it get?",
        arguments={
            "UpdateExpression": "SET attempts=:attempts,money=:money",
            "ConditionExpression": "execution=:me AND #status<>:none",
            "ExpressionAttributeValues": {
                ":me": {"S": EXECUTION},
                ":none": {"S": "-"},
                # Why it stopped is decided after this, and written with the next call.
                **ledger(x.with_cause("unknown"), 4),
            },
            "ReturnValues": "ALL_NEW",
        },
        assign={
            "work": of_item(WORK.replace("WORD", f"{_WORD} ? $item.word.M.reason.S : ''")),
            "drought": expression(f"$last.started ? {x.NO_DROUGHT} : $drought"),
            **entered(2),
            "last": of_item(
                f"""
$now := {WORK.replace("WORD", "''")}; $said := {_WORD};
$merge([$last, {{ 'units_done': $now.done, 'gained': $now.fraction + $now.done > $work.fraction +
  $work.done,
  'exit_code': $last.exit_code < 0 and $said ? $number($item.word.M.exit_code.N) : $last.exit_code,
  'lost_seconds': $now.status = 'complete' ? 0
    : $said ? $min([$last.seconds, $number($item.word.M.lost_seconds.N)]) : $last.seconds }}])"""
            ),
        },
    )


# --- judging ------------------------------------------------------------------------------------

_ENDS_THE_RUN = {CauseClass.MISCONFIGURED, CauseClass.OUT_OF_MEMORY, CauseClass.UNKNOWN}


TO_LEARN = "$run.finishBy > 0 and $run.learned = false"
GAINED = "$last.gained and '${Rerun}' = 'always'"


def verdict(cause: Cause) -> dict[str, Any]:
    """Return what a row of the cause table assigns."""
    return {
        "cause": {
            "name": cause.name,
            "class": cause.cause_class.value,
            "sentence": x.sentence(cause.sentence),
            "nextStep": cause.next_step,
        }
    }


def why_did_it_stop(
    *, finished: State, choose: State, waits: Waits, spot: State, stop: State
) -> Choice:
    """Return the Choice with a rule for each row of the cause table; *unknown* is the last.

    What happens to Spot most has rules before its own, which go back to Spot without asking anew:
    a refusal waits and a reclaim that left progress behind does not, both while there is slack.
    The first time, the run time is learned before.
    """
    choice = Choice(
        "Why did it stop?",
        comment="One rule for each row of the cause table, in its order; the last knows none.",
    )
    for cause in CAUSES:
        known = x.condition(cause)
        if cause.cause_class is CauseClass.REFUSED:
            again = f"{x.SPOT_AGAIN} and ({known})"
            first = Rule(f"{TO_LEARN} and {again}", assign=verdict(cause))
            choice.add_choice(first, waits.learning)
            choice.add_choice(Rule(again, assign=verdict(cause)), waits.for_spot)
        if cause.name == "reclaimed":
            gained = f"{GAINED} and {x.SPOT_AGAIN} and ({known})"
            first = Rule(f"{TO_LEARN} and {gained}", assign=verdict(cause))
            choice.add_choice(first, waits.learning)
            choice.add_choice(Rule(gained, assign=verdict(cause)), spot)
        if cause.cause_class is CauseClass.FINISHED:
            following = finished
        elif cause.cause_class in _ENDS_THE_RUN:
            following = stop
        else:
            following = waits.for_all_else if cause.waits else choose
        choice.add_choice(Rule(known, assign=verdict(cause)), following)
    choice.add_choice(Rule(OTHERWISE, assign=verdict(UNKNOWN)), stop)
    return choice


def wait_for_spot() -> Wait:
    """Wait for a back-off that trebles, is capped, and ends at the last safe moment."""
    since = "$min([$drought.since, $toMillis($states.context.State.EnteredTime)])"
    ends = x.ENDS.replace("$drought.since", since)
    return Wait(
        "Wait for capacity",
        comment="Backs off, never past the last safe moment; then Spot is tried again.",
        seconds=expression(
            f"""
$cause.class != 'refused' ? 0 : $max([0, $floor($min([${{BackoffCapSeconds}},
  ${{BackoffSeconds}} * $power({GROWTH}, $drought.waits), ({ends} - $millis()) * 0.001]))])
"""
        ),
        assign={
            "drought": expression(
                f"$cause.class != 'refused' ? $drought :"
                f" {{ 'since': {since}, 'waits': $drought.waits + 1 }}"
            ),
            **entered(),
        },
    )


def wait_a_moment() -> Wait:
    """Wait before what is tried again for another reason; not at all before on-demand is taken."""
    return Wait(
        "Wait a moment",
        comment="Backs off; then it is decided anew.",
        seconds=expression(
            f"""
( $all := {x.ALL}; $n := $count($all[attempt > $run.before and class = $cause.class
    and capacity = $last.capacity]);
  $pause := $min([${{BackoffCapSeconds}}, ${{BackoffSeconds}} * $power({GROWTH}, $n - 1)]);
  $left := $last.capacity = 'spot' ? ({x.ENDS} - $millis()) * 0.001 : $pause;
  $max([0, $floor($min([$left, $cause.class = 'throttled' ? $pause * $random() : $pause]))]) )
"""
        ),
        assign=entered(),
    )


# --- ending -------------------------------------------------------------------------------------


def mark() -> Task:
    """Write into the record that the run ended unfinished, before anybody can redrive it."""
    return table_call(
        "Mark it unfinished",
        "updateItem",
        comment="Before it is parked, so that a redrive never meets a run that still looks alive.",
        arguments={
            "UpdateExpression": (
                "SET #status=:unfinished,attempts=:attempts,money=:money,cause=:cause"
            ),
            "ConditionExpression": "execution=:me AND #status<>:complete",
            "ExpressionAttributeValues": {
                ":unfinished": {"S": Status.UNFINISHED.value},
                ":complete": {"S": Status.COMPLETE.value},
                ":me": {"S": EXECUTION},
                **ledger(x.ALL, 4),
                ":cause": {"S": "{%$cause.name%}"},
            },
        },
    )


def park() -> Task:
    """Put the run into the job's dead-letter queue, from where it can be redriven for 14 days."""
    return Task(
        "Park the run",
        comment="It waits there for a redrive; an alarm rings.",
        resource="arn:aws:states:::sqs:sendMessage",
        timeout_seconds=CALL_SECONDS,
        retry=patient(),
        arguments={"QueueUrl": "${Queue}", "MessageBody": expression(f"$string({mail.PARKED})")},
        assign={"work": "{%$merge([$work, {'status': 'unfinished'}])%}"},
        output={},
    )


def tell(state_id: str) -> Task:
    """Publish what happened; a mail that can't be sent never fails a run."""
    return Task(
        state_id,
        comment="A mail that cannot be sent never fails a run.",
        resource="arn:aws:states:::sns:publish",
        timeout_seconds=CALL_SECONDS,
        retry=patient("SNS.NotFoundException", "SNS.AuthorizationErrorException"),
        arguments=mail.publish_arguments(),
        output={},
    )


def failed() -> Fail:
    """End as FAILED under a name of ours, which EventBridge rules and people can read."""
    name = """
$cause.class = 'failed' ? 'JobExit' & $string($last.exit_code)
  : $cause.parked = false ? 'NotParked'
  : $join($map($split($cause.class, '-'), function($w) { $uppercase($substring($w, 0, 1)) &
    $substring($w, 1) }))
"""
    return Fail(
        "Failed",
        error=expression(f"'Steadyspot.' & ({name})"),
        cause="{%$cause.sentence & ' ' & $cause.nextStep%}",
    )


def build() -> Machine:
    """Return the definition, its defaults still to be substituted."""
    choosing, spot, demand, closing = choose_capacity(), on_spot(), on_demand(), close()
    recording, marking, parking = record(), mark(), park()
    telling, complaining = tell("Tell people"), tell("Tell people of the failure")
    waits = Waits(for_spot=wait_for_spot(), for_all_else=wait_a_moment(), learning=learn())
    judging = why_did_it_stop(
        finished=telling, choose=choosing, waits=waits, spot=spot, stop=marking
    )
    finished, failing = Succeed("Finished", output=mail.OUTCOME), failed()
    duplicate = Succeed(
        "Duplicate",
        comment="Another execution works this scheduled time off, or has done so.",
        output={"outcome": "duplicate", "runKey": "{%$run.key%}"},
    )
    first = claiming(
        go_on=choosing, told=telling, parked=parking, marked=marking, duplicate=duplicate
    )

    for condition, comment, following in (
        (SPENT, "The budget of what stopped it is spent.", marking),
        (ON_SPOT, "There is slack and it leads somewhere, or Spot is all the job allows.", spot),
        (OTHERWISE, "On-demand is what is still on time, or all the job allows.", demand),
    ):
        choosing.add_choice(Rule(condition, comment=comment, assign=entered()), following)

    for attempt, capacity in ((spot, Capacity.SPOT), (demand, Capacity.ON_DEMAND)):
        attempt.next_step = closing
        unheard = {**attempted(x.refused_attempt(capacity), states=2), **UNREAD}
        attempt.catches = [
            Catch(judging, error_equals=list(x.CALL_ERRORS), assign=unheard),
            Catch(
                recording,
                error_equals=["States.ALL"],
                assign=attempted(x.failed_attempt(capacity)),
            ),
        ]
    closing.catches = [Catch(recording, error_equals=["States.ALL"], assign=entered())]
    recording.next_step = judging
    recording.catches = [
        Catch(duplicate, error_equals=[CONDITION_FAILED]),
        Catch(judging, error_equals=["States.ALL"], assign={**UNREAD, **entered(2)}),
    ]
    waits.learning.next_step = waits.for_spot
    waits.learning.catches = [
        Catch(waits.for_spot, error_equals=["States.ALL"], assign={**UNLEARNED, **entered()})
    ]
    waits.for_spot.next_step = spot
    waits.for_all_else.next_step = choosing

    marking.next_step = parking
    marking.add_catch(Catch(parking, error_equals=["States.ALL"]))
    parking.next_step = complaining
    unparked = {"cause": "{%$merge([$cause, {'parked': false}])%}"}
    parking.catches = [Catch(complaining, error_equals=["States.ALL"], assign=unparked)]
    for told, end in ((telling, finished), (complaining, failing)):
        told.next_step = end
        told.catches = [Catch(end, error_equals=["States.ALL"])]
    return Machine(
        first, comment="${Job}: once, on Fargate Spot while there is slack, else on on-demand."
    )
