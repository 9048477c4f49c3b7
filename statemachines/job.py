"""The state machine of a job: claim, run on Spot, judge, wait, fall back, tell, park.

States are built in the order in which a run meets them; :func:`build` wires them into the picture
that the console shows. Tasks decide with others and make one call each; Choices decide alone.
Variables: ``run`` (settings of this execution), ``launches``, ``last`` (the latest attempt),
``attempts`` (all of them, those of earlier executions included, each with its cause), ``work``
(what the record says of the work: status, word, done, total, fraction) and ``cause`` (what stopped
the latest attempt). Budgets are counted from ``attempts``, so there is no counter that could be
forgotten.
"""

from __future__ import annotations

from typing import Any

from statemachines import expressions as x
from statemachines import mail
from statemachines.calls import (
    CALL_SECONDS,
    CONDITION_FAILED,
    EXECUTION,
    WORK,
    of_item,
    patient,
    table_call,
)
from statemachines.causes import CAUSES, UNKNOWN, Cause, CauseClass
from statemachines.claiming import claiming
from statemachines.jsonata import (
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
from worker.contract import WORKER_CONTAINER, Capacity, Env, Status

OTHERWISE = "true"
"""Condition of a last rule. A Default would need the state's own Assign, whose meaning beside that
of a matching rule is not the same everywhere."""


# --- running ------------------------------------------------------------------------------------


def choose_capacity() -> Choice:
    """Return the Choice that is asked before every launch."""
    return Choice(
        "Choose capacity",
        comment="Spot while budget and slack last, else on-demand.",
    )


def launched(stop_by: str) -> dict[str, Any]:
    """Return what a choice of capacity assigns: a launch more, and when its worker stops."""
    return {"launches": "{% $launches + 1 %}", "stopBy": expression(stop_by)}


SPENT = f"""
( {x.STALLED} {x.SLACK_ENDS}
  $of := function($class) {{ $count($attempts[attempt > $run.before and class = $class]) }};
  $of('failed') > ($cause.name = 'try-again' ? $max([3, $run.budgets.failures]) :
    $run.budgets.failures)
  or $of('throttled') > $run.budgets.throttles or $of('infrastructure') >
    $run.budgets.infrastructure
  or $stalled > $run.budgets.interruptions or $cause.class = 'timed-out' and $stalled > 1
  or '${{Rerun}}' = 'never' and $last.started
  or $exists($refused) and ($run.capacity = 'spot-only' ? $millis() >= $ends
    : $count($refused[capacity = 'on-demand']) > 50) )
"""


def launch(state_id: str, capacity: Capacity, *, placement: dict[str, Any], comment: str) -> Task:
    """Return the Task that runs the container once and waits for its end."""
    environment = {
        Env.RUN_KEY: "$run.key",
        Env.EXECUTION: "$states.context.Execution.Id",
        Env.FENCE: f"$string({x.FENCE})",
        Env.ATTEMPT: "$string($run.before + $launches)",
        Env.CAPACITY: x.quoted(capacity),
        Env.STOP_BY: "$fromMillis($stopBy)",
    }

    def pair(name: str, value: str) -> str:
        return f"{{'Name': '{name}', 'Value': {value}}}"

    always = ", ".join(pair(name, value) for name, value in environment.items())
    command = pair(Env.COMMAND, "$string($run.command)")
    pairs = f"$append([{always}], $count($run.command) > 0 ? [{command}] : [])"
    return Task(
        state_id,
        comment=comment,
        resource="arn:aws:states:::ecs:runTask.sync",
        timeout_seconds=expression(x.TIMEOUT_SECONDS),
        arguments={
            "Cluster": "${Cluster}",
            "TaskDefinition": "${TaskDefinition}",
            **placement,
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "Subnets": "{% $split('${Subnets}', ',') %}",
                    "SecurityGroups": "{% $split('${SecurityGroups}', ',') %}",
                    "AssignPublicIp": "${AssignPublicIp}",
                }
            },
            "Overrides": {
                "ContainerOverrides": [
                    {
                        "Name": WORKER_CONTAINER,
                        "Environment": expression(pairs),
                    }
                ]
            },
        },
        assign={"last": expression(x.succeeded_attempt(capacity))},
        output={},
    )


def on_spot() -> Task:
    """Run the task on Spot, all subnets offered."""
    return launch(
        "Run on Fargate Spot",
        Capacity.SPOT,
        placement={"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]},
        comment="All zones are offered; the worker stops itself in time for on-demand to finish.",
    )


def on_demand() -> Task:
    """Run the task on on-demand Fargate."""
    return launch(
        "Run on on-demand Fargate",
        Capacity.ON_DEMAND,
        placement={"LaunchType": "FARGATE"},
        comment="Resumes behind the work that is already durable.",
    )


def close() -> Task:
    """End a quiet run: its record says complete and no attempt before this one is written down."""
    return table_call(
        "Close the run",
        "updateItem",
        comment="No success without the record. A run with trouble behind it goes on, to be told.",
        arguments={
            "UpdateExpression": "SET attempts=:attempts",
            "ConditionExpression": (
                "#status=:complete AND execution=:me AND attribute_not_exists(attempts)"
            ),
            "ExpressionAttributeValues": {
                ":complete": {"S": Status.COMPLETE.value},
                ":me": {"S": EXECUTION},
                ":attempts": {"L": expression(x.to_dynamodb(x.with_cause("finished", "finished")))},
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
            "UpdateExpression": "SET attempts=:attempts",
            "ConditionExpression": "execution=:me AND #status<>:none",
            "ExpressionAttributeValues": {
                ":me": {"S": EXECUTION},
                ":none": {"S": "-"},
                # Why it stopped is decided after this, and written with the next call.
                ":attempts": {"L": expression(x.to_dynamodb(x.with_cause("unknown", "unknown")))},
            },
            "ReturnValues": "ALL_NEW",
        },
        assign={
            "work": of_item(WORK.replace("WORD", f"{_WORD} ? $item.word.M.reason.S : ''")),
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


def verdict(cause: Cause) -> dict[str, Any]:
    """Return what a row of the cause table assigns."""
    return {
        "cause": {
            "name": cause.name,
            "class": cause.cause_class.value,
            "sentence": x.sentence(cause.sentence),
            "nextStep": cause.next_step,
        },
        "attempts": expression(x.with_cause(cause.name, cause.cause_class)),
    }


def why_did_it_stop(*, finished: State, wait_first: State, try_again: State, stop: State) -> Choice:
    """Return the Choice with one rule for each row of the cause table; *unknown* is the last."""
    choice = Choice(
        "Why did it stop?",
        comment="One rule for each row of the cause table, in its order; the last knows none.",
    )
    for cause in CAUSES:
        if cause.cause_class is CauseClass.FINISHED:
            following = finished
        elif cause.cause_class in _ENDS_THE_RUN:
            following = stop
        else:
            following = wait_first if cause.waits else try_again
        choice.add_choice(Rule(x.condition(cause), assign=verdict(cause)), following)
    choice.add_choice(Rule(OTHERWISE, assign=verdict(UNKNOWN)), stop)
    return choice


def wait() -> Wait:
    """Wait for a back-off that doubles, is capped, and ends at the last safe moment."""
    backoff = f"""
( {x.SLACK_ENDS}
  $n := $cause.class = 'refused' ? $count($refused) : $count($attempts[attempt > $run.before and
    class = $cause.class]);
  $pause := $min([${{BackoffCapSeconds}}, ${{BackoffSeconds}} * $power(2, $min([$max([0, $n - 1]),
    20]))]);
  $pause := $cause.class = 'throttled' ? $pause * (0.5 + $random()) : $pause;
  $left := ($ends - $millis()) / 1000;
  $max([1, $ceil($last.capacity = 'spot' and $left > 0 ? $min([$left, $pause]) : $pause)]) )
"""
    return Wait(
        "Wait for capacity",
        comment="Backs off, never past the last safe moment.",
        seconds=expression(backoff),
    )


# --- ending -------------------------------------------------------------------------------------


def mark() -> Task:
    """Write into the record that the run ended unfinished, before anybody can redrive it."""
    return table_call(
        "Mark it unfinished",
        "updateItem",
        comment="Before it is parked, so that a redrive never meets a run that still looks alive.",
        arguments={
            "UpdateExpression": "SET #status=:unfinished,attempts=:attempts,cause=:cause",
            "ConditionExpression": "execution=:me AND #status<>:complete",
            "ExpressionAttributeValues": {
                ":unfinished": {"S": Status.UNFINISHED.value},
                ":complete": {"S": Status.COMPLETE.value},
                ":me": {"S": EXECUTION},
                ":attempts": {"L": expression(x.to_dynamodb("$attempts"))},
                ":cause": {"S": "{% $cause.name %}"},
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
        assign={"work": "{% $merge([$work, {'status': 'unfinished'}]) %}"},
        output={},
    )


def tell() -> Task:
    """Publish what happened; a mail that can't be sent never fails a run."""
    return Task(
        "Tell people",
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
        cause="{% $cause.sentence & ' ' & $cause.nextStep %}",
    )


def build() -> Machine:
    """Return the definition, its defaults still to be substituted."""
    choosing, spot, demand, closing = choose_capacity(), on_spot(), on_demand(), close()
    recording, waiting, marking, parking, telling = record(), wait(), mark(), park(), tell()
    ending = Choice("How did it end?")
    judging = why_did_it_stop(
        finished=telling, wait_first=waiting, try_again=choosing, stop=marking
    )
    finished, failing = Succeed("Finished", output=mail.OUTCOME), failed()
    duplicate = Succeed(
        "Duplicate",
        comment="Another execution works this scheduled time off, or has done so.",
        output={"outcome": "duplicate", "runKey": "{% $run.key %}"},
    )
    first = claiming(
        go_on=choosing, told=telling, parked=parking, marked=marking, duplicate=duplicate
    )

    on_demand_limit, spot_limit = launched(x.STOP_BY_LIMIT), launched(x.STOP_BY_SLACK)
    wish = "The job's own wish."
    choosing.add_choice(Rule(SPENT, comment="The budget of what stopped it is spent."), marking)
    choosing.add_choice(
        Rule("$run.capacity = 'on-demand-only'", comment=wish, assign=on_demand_limit), demand
    )
    choosing.add_choice(Rule("$run.capacity = 'spot-only'", comment=wish, assign=spot_limit), spot)
    leads_nowhere = Rule(
        f"( {x.STALLED} $stalled > 1 )", comment="Two without progress.", assign=on_demand_limit
    )
    choosing.add_choice(leads_nowhere, demand)
    slack = Rule(
        f"( {x.SLACK_ENDS} $millis() < $ends )", comment="There is slack.", assign=spot_limit
    )
    choosing.add_choice(slack, spot)
    choosing.add_choice(
        Rule(OTHERWISE, comment="On-demand is what is still on time.", assign=on_demand_limit),
        demand,
    )

    for attempt, capacity in ((spot, Capacity.SPOT), (demand, Capacity.ON_DEMAND)):
        attempt.next_step = closing
        what = {"last": expression(x.failed_attempt(capacity))}
        attempt.catches = [Catch(recording, error_equals=["States.ALL"], assign=what)]
    closing.catches = [Catch(recording, error_equals=["States.ALL"])]
    recording.next_step = judging
    unread = {"work": "{% $merge([$work, {'status': '', 'word': ''}]) %}"}
    recording.catches = [
        Catch(duplicate, error_equals=[CONDITION_FAILED]),
        Catch(judging, error_equals=["States.ALL"], assign=unread),
    ]
    waiting.next_step = choosing

    marking.next_step = parking
    marking.add_catch(Catch(parking, error_equals=["States.ALL"]))
    parking.next_step = telling
    unparked = {"cause": "{% $merge([$cause, {'parked': false}]) %}"}
    parking.catches = [Catch(telling, error_equals=["States.ALL"], assign=unparked)]
    telling.next_step = ending
    telling.catches = [Catch(ending, error_equals=["States.ALL"])]
    ending.add_choice(Rule("$work.status = 'complete'"), finished)
    ending.default_choice(failing)
    return Machine(
        first, comment="${Job}: once, on Fargate Spot while there is slack, else on on-demand."
    )
