"""The story of a run, and following it with few calls."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from steadyspot.deploy.aws.pace import Pace
from steadyspot.deploy.runs.executions import Follower, whole_history
from steadyspot.deploy.runs.history import Story
from steadyspot.deploy.runs.story import explain
from tests.unit.deploy.fakes import BEGUN, Clock, History, recorded


class Machine:
    """Writes a history as Step Functions does."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.seconds = 0.0

    def add(self, kind: str, **details: Any) -> Machine:
        at = BEGUN + timedelta(seconds=self.seconds)
        self.events.append({"id": len(self.events) + 1, "timestamp": at, "type": kind, **details})
        return self

    def state(self, name: str, *between: str, seconds: float = 0, **assigned: Any) -> Machine:
        self.add("TaskStateEntered", stateEnteredEventDetails={"name": name})
        for kind in between:
            self.add(kind)
        self.seconds += seconds
        variables = {key: json.dumps(value) for key, value in assigned.items()}
        details = {"name": name, "assignedVariables": variables}
        return self.add("TaskStateExited", stateExitedEventDetails=details)

    def stopped(
        self,
        number: int,
        name: str,
        kind: str,
        done: int,
        started: bool = True,
        saved: bool = False,
        read: str = "How far did it get?",
    ) -> Machine:
        attempt = {"attempt": number, "exit_code": 143, "started": started, "units_done": done}
        cause = {"name": name, "class": kind, "sentence": f"It was {name}."}
        return self.state(read, work={"done": done, "saved": saved}, last=attempt, cause=cause)


def claimed(capacity: str = "spot-first", **more: Any) -> Machine:
    run = {
        "key": "20261124T020000Z",
        "claims": 1,
        "earlierAttempts": 0,
        "capacity": capacity,
        **more,
    }
    return Machine().state("Claim the run", run=run, work={"done": 0})


def told(machine: Machine) -> list[str]:
    return [moment.text for moment in Story().tell(machine.events)]


def test_a_run_that_is_interrupted_refused_and_falls_back_reads_as_a_story() -> None:
    machine = claimed().state("Run on Fargate Spot", "TaskFailed", seconds=60)
    machine.stopped(1, "reclaimed", "interrupted", 4)
    machine.state("Run on Fargate Spot", "TaskFailed")
    machine.stopped(2, "no-capacity", "refused", 4, started=False)
    machine.state("Wait for capacity", seconds=30)
    machine.state("Run on on-demand Fargate", seconds=60)
    machine.state("Close the run")
    machine.stopped(3, "finished", "finished", 8, read="What has it done?")
    machine.state("Tell people it finished").add("ExecutionSucceeded")
    assert told(machine) == [
        "run 20261124T020000Z is claimed",
        "attempt 1 is asked for on Spot",
        "attempt 1 was interrupted (reclaimed, exit 143, 4 units done): It was reclaimed.",
        "attempt 2 is asked for on Spot, to resume behind 4 units already done",
        "attempt 2 was refused (no-capacity, exit 143): It was no-capacity.",
        "backs off before the next attempt",
        "waited 30 s",
        "falls back to on-demand: attempt 3 is asked for, to resume behind 4 units already done",
        "the run's record says complete",
        "attempt 3 finished the run: 8 units done",
        "people are told",
        "the execution succeeded",
    ]


def test_a_job_that_keeps_a_folder_is_told_as_resumed_and_one_that_keeps_nothing_is_not() -> None:
    machine = claimed().state("Run on Fargate Spot", "TaskFailed", seconds=60)
    machine.stopped(1, "reclaimed", "interrupted", 0)
    machine.state("Run on Fargate Spot", "TaskFailed", seconds=60)
    machine.stopped(2, "reclaimed", "interrupted", 0, saved=True)
    machine.state("Run on Fargate Spot", "TaskFailed", seconds=60)
    machine.stopped(3, "reclaimed", "interrupted", 0, saved=True)
    machine.state("Run on on-demand Fargate", seconds=60)
    told_of = [line for line in told(machine) if "to begin" in line or "to resume" in line]
    assert told_of == [
        "attempt 2 is asked for on Spot, to begin again: nothing is saved yet",
        "attempt 3 is asked for on Spot, to resume from its checkpoint",
        "falls back to on-demand: attempt 4 is asked for, to resume from its checkpoint",
    ]


def test_a_wait_says_until_when_what_comes_then_and_when_the_run_is_due() -> None:
    begun = 1000 * int(BEGUN.timestamp())
    job = {"name": "night", "backoffSeconds": 120, "backoffCapSeconds": 3600}
    job |= {"maximumWaitMinutes": 60}
    run = {"key": "k", "claims": 1, "earlierAttempts": 0, "capacity": "spot-first"}
    run |= {"finishBy": begun + 7_200_000, "expected": 600, "reserve": 255}
    last = {"attempt": 1, "capacity": "spot", "started_at": "2026-11-24T02:00:00Z"}
    cause = {"name": "no-capacity", "class": "refused", "sentence": "No."}
    cause["answer"] = "wait-for-spot"
    machine = Machine().state("Claim the run", run=run, job=job, work={"done": 0}, attempts=[])
    refused = {"since": begun, "waits": 0, "held": 0}
    machine.state("Run on Fargate Spot", last=last, cause=cause, spotRefused=refused)
    machine.state("Wait for capacity", seconds=120, spotRefused={**refused, "waits": 3})
    assert told(machine) == [
        "run k is claimed, due by 04:00:00",
        "attempt 1 is asked for on Spot",
        "attempt 1 was refused (no-capacity): No.",
        "waits until 02:01:31, takes on-demand from 03:45:45 on, is due by 04:00:00",
        "waited 120 s",
    ]
    machine.state("Wait for capacity", spotRefused={**refused, "waits": 9})
    machine.seconds += 6000
    machine.state("Wait for capacity")
    assert told(machine)[5] == (
        "waits until 02:26:38, takes on-demand from 03:45:45 on, is due by 04:00:00"
    )
    assert (
        told(machine)[6]
        == "waits until 03:45:45, then asks for Spot a last time, is due by 04:00:00"
    )


def test_a_run_that_begins_after_its_time_says_so() -> None:
    run = {"key": "k", "claims": 1, "scheduledTime": "2026-11-24T01:48:00Z"}
    machine = Machine().state("Claim the run", run=run, work={"done": 0}, attempts=[])
    assert told(machine) == ["run k is claimed 12 min after its time"]


def test_a_wait_that_the_history_does_not_tell_is_told_all_the_same() -> None:
    assert told(claimed().state("Wait for capacity", seconds=9))[1:] == [
        "backs off before the next attempt",
        "waited 9 s",
    ]


def test_a_quiet_run_is_four_lines() -> None:
    machine = claimed().state("Run on Fargate Spot").state("Close the run")
    assert told(machine.add("ExecutionSucceeded")) == [
        "run 20261124T020000Z is claimed",
        "attempt 1 is asked for on Spot",
        "the run's record says complete",
        "the execution succeeded",
    ]


def test_on_demand_at_once_is_explained_unless_it_was_the_jobs_wish() -> None:
    late = told(claimed().state("Run on on-demand Fargate"))
    wish = told(claimed("on-demand-only").state("Run on on-demand Fargate"))
    assert late[-1] == "attempt 1 is asked for on on-demand: there is no time for Spot"
    assert wish[-1] == "attempt 1 is asked for on on-demand"


def test_a_run_taken_up_again_counts_on() -> None:
    machine = Machine().state(
        "Claim the run",
        run={"key": "k", "claims": 2, "earlierAttempts": 3, "capacity": "spot-first"},
        work={"done": 1},
    )
    assert told(machine.state("Run on Fargate Spot")) == [
        "run k is taken up again, for the 2nd time; 1 unit done already",
        "attempt 4 is asked for on Spot, to resume behind 1 unit already done",
    ]


def test_a_mail_that_could_not_be_sent_and_a_duplicate_are_said() -> None:
    for state in ("Tell people", "Tell people it finished"):
        assert told(claimed().state(state, "TaskFailed"))[-1] == "people could not be told"
    output = {"output": '{"outcome":"duplicate"}'}
    (line,) = told(Machine().add("ExecutionSucceeded", executionSucceededEventDetails=output))
    assert line == "a duplicate: another execution works this time off"


def test_a_run_that_was_skipped_says_for_which_one_and_how_to_run_it() -> None:
    columns = {"status": "skipped", "cause": "skipped", "skipped_for": "20261124T010000Z"}
    item = {"job": "night", "run_key": "20261124T020000Z", **columns}
    run = recorded({name: {"S": value} for name, value in item.items()})
    shown = explain(run=run, execution=None, events=[])
    assert shown.outcome.startswith("Run 20261124T010000Z of the job was still under way")
    assert "--from" in shown.next_step
    output = {"output": '{"outcome":"skipped","runKey":"k"}'}
    (line,) = told(Machine().add("ExecutionSucceeded", executionSucceededEventDetails=output))
    assert line == "the run was skipped: another run of the job was under way"


def test_a_run_that_waits_for_its_turn_says_so() -> None:
    machine = Machine().state("Wait for its turn", seconds=10)
    execution = {"executionArn": "a:b", "status": "RUNNING"}
    shown = explain(run=None, execution=execution, events=machine.events, name="night k")
    assert shown.outcome.startswith("The run waits for its turn")


def test_a_run_that_goes_on_in_another_execution_is_said() -> None:
    output = {"output": '{"outcome":"gone-on","runKey":"k","execution":"arn:2"}'}
    (line,) = told(Machine().add("ExecutionSucceeded", executionSucceededEventDetails=output))
    assert line.startswith("the run goes on in another execution")


def test_variables_that_were_cut_do_not_break_the_story() -> None:
    details = {"name": "Claim the run", "assignedVariables": {"run": '{"key": "20'}}
    assert told(Machine().add("TaskStateExited", stateExitedEventDetails=details)) == []


def busy(minutes: int, every: float) -> Machine:
    machine = Machine()
    while machine.seconds < 60 * minutes:
        machine.state("Tell people", seconds=every)
    return machine.add("ExecutionSucceeded")


def followed(machine: Machine) -> tuple[list[str], History, Clock, Follower]:
    clock = Clock()
    history = History(clock, machine.events)
    pace = Pace(pause=clock.pause, clock=clock)
    follower = Follower(history, "arn", pace)  # type: ignore[arg-type]
    return [moment.text for moment in follower.moments()], history, clock, follower


class Unreachable(History):
    """A history whose network is gone for some looks."""

    def __init__(self, clock: Clock, events: list[dict[str, Any]], gone: range) -> None:
        super().__init__(clock, events)
        self._gone = gone
        self._looks = 0

    def get_execution_history(self, **request: Any) -> dict[str, Any]:
        self._looks += 1
        if self._looks in self._gone:
            raise ReadTimeoutError(endpoint_url="https://states.us-east-1.amazonaws.com")
        return super().get_execution_history(**request)


def test_a_network_that_is_gone_for_a_while_ends_no_following() -> None:
    machine = claimed().state("Run on Fargate Spot", seconds=60).add("ExecutionSucceeded")
    clock = Clock()
    history = Unreachable(clock, machine.events, range(3, 12))
    pace = Pace(pause=clock.pause, clock=clock)
    follower = Follower(history, "arn", pace)  # type: ignore[arg-type]
    told = [moment.text for moment in follower.moments()]
    assert told.count("AWS does not answer; it is asked again") == 1
    assert (follower.status, told[-1]) == ("SUCCEEDED", "the execution succeeded")


def test_a_network_that_stays_gone_is_trouble() -> None:
    clock = Clock()
    history = Unreachable(clock, claimed().events, range(1, 1000))
    pace = Pace(pause=clock.pause, clock=clock)
    with pytest.raises(ReadTimeoutError):
        list(Follower(history, "arn", pace).moments())  # type: ignore[arg-type]
    assert clock() < 60


def busiest_minute(calls: list[float]) -> int:
    return max(sum(begin <= at < begin + 60 for at in calls) for begin in calls)


def test_following_takes_at_most_sixty_calls_in_any_minute_however_much_happens() -> None:
    moments, history, _, follower = followed(busy(10, every=0.7))
    assert follower.status == "SUCCEEDED"
    assert moments.count("people are told") == busy(10, every=0.7).events[-1]["id"] // 2
    assert busiest_minute(history.calls) <= 60


def test_the_end_of_a_quiet_execution_is_seen_within_two_seconds() -> None:
    machine = claimed().state("Run on Fargate Spot", seconds=3600).add("ExecutionFailed")
    _, history, clock, follower = followed(machine)
    assert follower.status == "FAILED"
    assert len(history.calls) < 30.5 * 60
    assert clock() - 3600 <= 2


def test_a_short_run_is_seen_within_seconds_of_its_end() -> None:
    machine = claimed().state("Run on Fargate Spot", seconds=8).add("ExecutionSucceeded")
    _, _, clock, _ = followed(machine)
    assert clock() <= 10


def test_what_is_looked_at_beside_it_counts_into_the_same_pace() -> None:
    clock, looks = Clock(), []
    history = History(clock, busy(5, every=1).events)
    pace = Pace(pause=clock.pause, clock=clock)

    def look(_events: object) -> bool:
        looks.append(clock())
        pace.spend()
        return True

    list(Follower(history, "arn", pace, look).moments())  # type: ignore[arg-type]
    assert len(looks) == len(history.calls)
    assert busiest_minute(sorted([*looks, *history.calls])) <= 60


class Executions:
    """Step Functions with these executions, by ARN: input, output and history of each."""

    def __init__(self, **known: tuple[Any, Any, Machine]) -> None:
        self._known = known

    def describe_execution(self, **asked: str) -> dict[str, Any]:
        given, output, _ = self._known[asked["executionArn"]]
        return {
            **asked,
            "input": json.dumps(given),
            "output": json.dumps(output),
        }

    def get_paginator(self, _name: str) -> Executions:
        return self

    def paginate(self, **asked: Any) -> list[Any]:
        return [{"events": self._known[asked["executionArn"]][2].events}]


def gone_on(execution: str) -> dict[str, str]:
    return {"outcome": "gone-on", "execution": execution}


def taken_over(claims: int, earlier: int) -> Machine:
    run = {"key": "night", "claims": claims, "earlierAttempts": earlier, "capacity": "spot-only"}
    return Machine().state("Take the run over", run=run, work={"done": 0})


def test_a_run_that_went_on_in_other_executions_is_told_from_the_beginning() -> None:
    client: Any = Executions(
        a=({}, gone_on("b"), claimed().state("Run on Fargate Spot").stopped(1, "x", "refused", 0)),
        b=(
            {"goesOn": {"execution": "a"}},
            gone_on("c"),
            taken_over(2, 1)
            .state("Run on Fargate Spot")
            .stopped(2, "no-capacity", "refused", 0, started=False)
            .state("Wait for capacity", seconds=300),
        ),
        c=({"goesOn": {"execution": "b"}}, {}, taken_over(3, 2).state("Run on Fargate Spot")),
    )
    events = whole_history(client, client.describe_execution(executionArn="c"))
    lines = [moment.text for moment in Story().tell(events)]

    assert "waited 300 s" in lines
    numbers = [line.split()[1] for line in lines if line.startswith("attempt") and " on " in line]
    assert numbers == ["1", "2", "3"]
    assert [line for line in lines if "taken up again" in line] == [
        "run night is taken up again, for the 2nd time",
        "run night is taken up again, for the 3rd time",
    ]


def test_an_input_that_only_says_so_brings_no_strangers_story_in() -> None:
    client: Any = Executions(
        a=({}, {"outcome": "finished"}, claimed()),
        b=({"goesOn": {"execution": "a"}}, [], Machine()),
        c=({"goesOn": {"execution": "b"}}, {}, Machine()),
    )
    for given in ("c", "b", "a"):
        described = client.describe_execution(executionArn=given)
        assert len(whole_history(client, described)) == (2 if given == "a" else 0)


def waiting(machine: Machine, has: str, place: str = "", **rival: Any) -> Machine:
    """A look of a run that waits for its turn."""
    turn = {"key": has, "place": place, "waiting": 1, "inTheWay": "arn"}
    machine.state("Who holds it?", turn=turn)
    machine.state("Does the other still run?", rival={"runs": True, **rival})
    machine.state("What of the other?")
    return machine.state("Wait for its turn", seconds=600)


def test_a_run_that_waits_says_once_for_whom_and_in_the_end_how_long() -> None:
    first, second = "20261124T020000Z", "20261124T030000Z"
    machine = Machine().state("Claim the run")
    machine.state("Who holds it?", turn={"key": first, "place": "", "waiting": 2})
    machine.state("Join the queue").state("Wait for its turn", seconds=10)
    for _ in range(3):
        waiting(machine, first)
    waiting(machine, "", f"{second}/{second}/name")
    waiting(machine, second, runs=False)
    machine.state("Pass the other over")
    machine.state("Take the run over", run={"key": "20261124T040000Z", "claims": 1, "finishBy": 0})

    told = [moment.text for moment in Story().tell(machine.events)]
    assert told == [
        "the run is not simply new: who holds it?",
        "joins the queue, in which 2 wait",
        f"waits for its turn: run {first} has it",
        f"waits for its turn behind run {second}, which waits as well",
        f"run {second} has ended; waits until it gives its turn back",
        f"run {second} has ended and not given way, so it is passed over",
        "it is its turn, after 50 min 10 s",
        "run 20261124T040000Z is claimed",
    ]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("Stop the other", "stops run 20261124T020000Z, which was due earlier"),
        ("Skip the run", "is not begun, since run 20261124T020000Z is under way"),
    ],
)
def test_a_run_that_meets_another_says_what_comes_of_it(state: str, says: str) -> None:
    machine = Machine().state("Who holds it?", turn={"key": "20261124T020000Z", "place": ""})
    told = [moment.text for moment in Story().tell(machine.state(state).events)]
    assert told[-1] == says
