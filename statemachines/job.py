"""The state machine of a job: claim, run on Spot, judge, wait, fall back, tell, park.

States are built in the order in which a run meets them; :func:`build` wires them into the picture
that the console shows. Tasks decide with others and make one call each; Choices decide alone. What
is evaluated stands in ``expressions/``, one named value a file.

Variables: ``job`` (the job's parameters), ``causes`` (the cause table), ``run`` (settings of this
execution), ``last`` (the latest attempt), ``attempts`` (those before it, those of earlier
executions included, each with its cause), ``work`` (what the record says of the work: status, the
worker's reason for the end, units done and in all, fraction), ``spotRefused`` (since when Spot is
refused, in milliseconds, and how often that was waited for), ``cause`` (the row of the cause table
that stopped the latest attempt), ``shards`` (see the module of that name) and ``statesEntered``
(how many, those of *Before the start* included, which is what a workflow costs; *Why did it stop?*
is counted by whatever leads there).
Budgets are counted from the attempts, so there is no counter that could be forgotten.
"""

from __future__ import annotations

from steadyspot.contract import Capacity, messages, variables
from steadyspot.contract.states import JobState
from steadyspot.statemachines.calls import (
    CONDITION_FAILED,
    choose,
    states_entered,
)
from steadyspot.statemachines.claiming import claiming
from steadyspot.statemachines.composing import expression, variable
from steadyspot.statemachines.counting import count
from steadyspot.statemachines.ending import (
    add_up,
    mark,
    park,
    read_log,
    tell,
    tell_it_finished,
    tell_it_hangs,
    tell_it_is_skipped,
    tell_it_waits,
)
from steadyspot.statemachines.going_on import going_on
from steadyspot.statemachines.judging import (
    Finishes,
    Waits,
    learn,
    wait_a_moment,
    wait_for_spot,
    why_did_it_stop,
)
from steadyspot.statemachines.running import (
    attempted,
    close,
    finished_output,
    give_back,
    how_far,
    on_demand,
    on_spot,
    record,
    what_is_done,
)
from steadyspot.statemachines.shards import (
    Ends,
    fanning_out,
)
from steadyspot.statemachines.states import (
    Catch,
    Choice,
    Fail,
    Machine,
    Rule,
    State,
    Succeed,
    Task,
)
from steadyspot.statemachines.weather import look, note, note_refusal

CALL_ERRORS = ("AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException")
"""Errors of the call itself: nothing was launched, so the record has nothing to say."""


def choose_capacity() -> Choice:
    """Return the Choice that is asked before every launch."""
    return Choice(
        JobState.CHOOSE_CAPACITY,
        comment="Spot while budget and slack last, else on-demand.",
    )


def _goes_on_to(following: State, task: Task) -> None:
    """Let a task go on to the same state, whatever becomes of its call."""
    task.next_step = following
    task.catches = [Catch(following, error_equals=["States.ALL"], assign=states_entered())]


def _ends_by(following: State, task: Task) -> None:
    """Let a task of the run's end go on, whatever becomes of its call; it is counted before."""
    task.next_step = following
    task.add_catch(Catch(following, error_equals=["States.ALL"]))


def _let_end(
    attempt: Task,
    capacity: Capacity,
    closing: State,
    reading: State,
    refused: State,
    *,
    states: int,
) -> None:
    """Let an attempt end: in a quiet run, in trouble, or as a call that is ``refused``.

    ``states`` are those entered by a call that is refused; *Why did it stop?* is counted with it.
    """
    attempt.next_step = closing
    refusing = {
        **attempted("lastRefused", capacity, expression("statesEnteredNow", more=states)),
        variables.CAUSE: expression("causeRefused", capacity=capacity.value),
        variables.WORK: expression("workUnread"),
    }
    failing = attempted("lastFailed", capacity, expression("statesOfFailed"))
    attempt.catches = [
        Catch(refused, error_equals=list(CALL_ERRORS), assign=refusing),
        Catch(reading, error_equals=["States.ALL"], assign=failing),
    ]


def build() -> Machine:
    """Return the definition, the job's parameters still to be filled in."""
    choosing, spot, demand, closing = choose_capacity(), on_spot(), on_demand(), close()
    looking, doing = look(fair=spot, held=choosing), what_is_done()
    reading, recording, marking, parking, telling = how_far(), record(), mark(), park(), tell()
    waiting_for_spot = wait_for_spot(
        JobState.WAIT_FOR_CAPACITY, "Backs off, never past the latest start of Spot."
    )
    waits = Waits(
        for_spot=waiting_for_spot,
        for_all_else=wait_a_moment(),
        learning=learn(JobState.LEARN_HOW_LONG, waiting_for_spot),
        telling=tell_it_waits(),
    )
    hanging = tell_it_hangs(choosing)
    giving_back, adding_up = give_back(), add_up()
    duplicate = Succeed(
        "Duplicate",
        comment="Another execution works this scheduled time off, or has done so.",
        output={messages.OUTCOME: messages.DUPLICATE, messages.RUN_KEY: variable("$run.key")},
    )
    judging = why_did_it_stop(
        finished=Finishes(shard=adding_up, in_turn=giving_back, alone=telling),
        choose=choosing,
        waits=waits,
        spot=looking,
        stop=marking,
        hand_over=going_on(marking, duplicate),
        hangs=hanging,
    )
    finished = Succeed(
        "Finished",
        output=finished_output(),
    )
    # Under a name of ours, which EventBridge rules and people can read.
    failed = Fail("Failed", error=expression("failureName"), cause=expression("failureText"))
    asking = Choice(JobState.IS_IT_A_SHARD, comment="A shard is parked with its run.")
    asking.add_choice(Rule(expression("isShard")), failed)
    asking.default_choice(parking)
    counting_shards = count(JobState.COUNT_OVER_SHARDS, "metricsOverShards", adding_up)
    fanning = fanning_out(Ends(unfinished=marking, told=telling, quiet=counting_shards))
    first = claiming(
        go_on=choosing,
        new=looking,
        completed=reading,
        parked=asking,
        marked=marking,
        duplicate=duplicate,
        told=tell_it_is_skipped(),
    )

    choose(
        choosing,
        ("isTampered", "Its record held what no claim had made.", marking),
        ("isFannedOut", "Many tasks work it off.", fanning),
        ("isSpent", "The budget of what stopped it is spent.", marking),
        ("isHeld", "Others are refused Spot, and there is time to wait.", waits.for_spot),
        ("isSpotNext", "There is slack and it leads somewhere, or Spot is all it may have.", spot),
        ("always", "On-demand is what is still on time, or all the job allows.", demand),
    )

    waiting = wait_for_spot(
        JobState.WAIT_TO_ASK_AGAIN, "Only Spot troubles the run, so nothing else is looked at."
    )
    waiting.next_step = spot
    noting = note(spot=spot, judging=judging)
    noting_refusal = note_refusal(waiting=waiting, judging=judging)
    _let_end(spot, Capacity.SPOT, closing, reading, noting_refusal, states=1)
    _let_end(demand, Capacity.ON_DEMAND, closing, reading, judging, states=2)
    closing.catches = [
        Catch(doing, error_equals=["States.QueryEvaluationError"], assign=states_entered()),
        Catch(reading, error_equals=["States.ALL"], assign=states_entered()),
    ]
    doing.next_step = told = tell_it_finished(finished)
    closed = {
        variables.CAUSE: expression("causeOfComplete"),
        variables.WORK: expression("workClosed"),
        **states_entered(),
    }
    doing.catches = [
        Catch(reading, error_equals=["States.QueryEvaluationError"], assign=states_entered()),
        Catch(told, error_equals=["States.ALL"], assign=closed),
    ]
    reading.next_step = recording
    unread = {
        variables.CAUSE: expression("causeUnread"),
        variables.WORK: expression("workUnread"),
        variables.LAST: expression("lastShown"),
        **states_entered(),
    }
    reading.catches = [Catch(recording, error_equals=["States.ALL"], assign=unread)]
    recording.next_step = noting
    recording.catches = [
        Catch(duplicate, error_equals=[CONDITION_FAILED]),
        Catch(
            learn(JobState.LEARN_RUN_TIME, noting),
            error_equals=["States.QueryEvaluationError"],
            assign=states_entered(),
        ),
        Catch(noting, error_equals=["States.ALL"], assign=states_entered()),
    ]
    _goes_on_to(telling, giving_back)
    _goes_on_to(waits.for_all_else, waits.telling)
    waits.for_spot.next_step = looking
    waits.for_all_else.next_step = choosing

    _ends_by(asking, marking)
    printing = read_log(telling)
    parking.next_step = counting = count(JobState.COUNT, "metricsOfParked", printing)
    unparked = {
        variables.CAUSE: expression("causeNotParked"),
        variables.WORK: expression("workUnfinished"),
    }
    parking.catches = [Catch(counting, error_equals=["States.ALL"], assign=unparked)]
    ending = Choice(JobState.IS_IT_COMPLETE, comment="It was told either way.")
    ending.add_choice(Rule(expression("isCompleteOverShards")), counting_shards)
    ending.add_choice(Rule(expression("isComplete")), adding_up)
    ending.default_choice(failed)
    _ends_by(finished, adding_up)
    _ends_by(ending, telling)
    return Machine(
        first, comment="One run of a job, on Fargate Spot while there is slack, else on on-demand."
    )
