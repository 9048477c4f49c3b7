"""Crowds of runs that take turns, in an order that a seed decides, and what must never come of it.

Each is drawn from its seed alone: how many runs, how close together, what is delivered twice, how
often an execution is stopped in whatever state it is, and what is redriven in the end.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache

from steadyspot.contract import Overlap, Status, columns
from steadyspot.contract.keys import run_key_of
from steadyspot.statemachines.render import definition
from tests.unit.statemachines.claims import START
from tests.virtual.crowd import Crowd, scheduled
from tests.virtual.defaults import job_definition
from tests.virtual.machine import substituted
from tests.virtual.remembering import Remembering

IN_TURN = (Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE)
TOGETHER = 20


@cache
def silent(policy: str) -> Remembering:
    """The workflow of a job with such a policy, which tells nobody."""
    graph = copy.deepcopy(job_definition(silent=True, Overlap=policy))  # others have it, too
    # The length of the cause table decides nothing here, and takes most of the time.
    for state in (graph["States"]["Claim the run"], *graph["States"]["Claim the run"]["Catch"]):
        rows = state["Assign"]["causes"]
        state["Assign"]["causes"] = [
            row for row in rows if row["name"] in ("finished", "reclaimed", "fence-lost", "unknown")
        ]
    return Remembering(graph)


@cache
def after_the_end() -> Remembering:
    """The platform's workflow for executions that did not end by themselves."""
    values = ("Region", "us-east-1"), ("Table", "runs"), ("Topic", "arn:topic")
    return Remembering(
        substituted(json.dumps(definition("after-the-end")), (*values, ("KeepRunsDays", "0")))
    )


def _new(policy: str, seed: int) -> Crowd:
    machines = {"job": silent(policy), "after-the-end": after_the_end()}
    made = Crowd(machines, seed, now=START)
    made.lost_ends = made.random.choice([0.0, 0.0, 0.3])
    return made


def some(policy: str, seed: int) -> Crowd:
    """Runs of up to seven times, some delivered twice."""
    made = _new(policy, seed)
    rng = made.random
    crashes = rng.choice([0.0, 0.003, 0.02])
    gap, runs = rng.choice([0, 1, 60, 400]), rng.choice([2, 3, 5, 7])
    for number in range(runs):
        request = scheduled(START + 60 * number)
        at = START + gap * number
        made.start(f"run{number}", request, at=at + rng.uniform(0, 2))
        if rng.random() < 0.2:
            made.start(f"again{number}", request, at=at + rng.uniform(0, 30))
    return _played(made, runs, crashes)


def together(policy: str, seed: int) -> Crowd:
    """Twenty times that fire at once, in whatever order, each delivered twice."""
    made = _new(policy, seed)
    rng = made.random
    longest = rng.choice([2, 5, 10, 30])
    made.work_seconds = lambda: rng.uniform(1, longest)
    for number in range(TOGETHER):
        request = scheduled(START + 60 * number)
        made.start(f"run{number}", request, at=START + rng.uniform(0, 2))
        made.start(f"again{number}", request, at=START + rng.choice([2, 30]) * rng.random())
    return _played(made, TOGETHER, rng.choice([0.0, 0.003, 0.02]))


def _played(made: Crowd, runs: int, crashes: float) -> Crowd:
    """Play it, some executions stopped on the way; then redrive some runs, and play that."""
    rng = made.random

    def crash() -> bool:
        if rng.random() < crashes:
            alive = [one for one in made.executions.values() if one.is_under_way(made.now)]
            if alive:
                stopped = rng.choice(alive)
                made.stopped_in[stopped.state] += 1
                made.stop(stopped)
        return False

    made.play(crash)
    for number in range(runs):
        if not rng.randrange(3):
            request = {**scheduled(START + 60 * number), "redrive": True}
            made.start(f"redriven{number}", request, at=made.now + rng.uniform(0, 5))
    made.play()
    return made


def wrong(made: Crowd, policy: str) -> Iterator[str]:
    """Yield what went wrong in a crowd that was played."""
    if made.overlapped:
        yield "two at once"
    if made.overtaken and policy == Overlap.QUEUE:
        yield f"{made.overtaken} runs overtook one that was due before"
    if columns.TAKEN_BY in made.of_turn() and not made.lost_ends:
        yield "a turn that nobody gave back"
    for one in made.jobs():
        if one.status == "SUCCEEDED" and not one.ended.output.get("outcome"):
            yield f"{one.name} has no outcome"
    for key in {run_key_of(one.request["scheduledTime"]) for one in made.jobs()}:
        yield from _wrong_with(made, policy, key)


def _wrong_with(made: Crowd, policy: str, key: str) -> Iterator[str]:
    """Yield what is wrong with how one run ended."""
    status = made.table.get(("nightly", key), {}).get("status", {}).get("S", "none")
    stopped = any(one.status == "ABORTED" for one in made.jobs(key))
    if status not in (Status.COMPLETE, Status.UNFINISHED, Status.SKIPPED) and not (
        stopped and made.lost_ends
    ):
        yield f"{key} is {status}"
    if status == Status.SKIPPED and policy == Overlap.QUEUE:
        yield f"{key} was skipped though there was room"
    if status == Status.UNFINISHED and not any(one["runKey"] == key for one in made.parked):
        yield f"{key} is not parked"
    if status == Status.COMPLETE and made.finished[key] != 1:
        yield f"{key} was finished {made.finished[key]} times"
