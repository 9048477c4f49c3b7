"""Drills, by name: what each announces, and what it does.

``faults`` causes faults, on a job or on a throwaway copy (``copies``); ``same_outputs`` compares
what a job makes with a stop and without; ``meeting`` has two runs meet, in ``many`` several make
one work; ``rehearsal`` asks Step Functions and runs nothing; ``stage`` is what all work with. Its
biggest drawback: AWS cannot be made to refuse capacity, so on AWS that fault is rehearsed only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from steadyspot.deploy.drills import faults as trouble
from steadyspot.deploy.drills import many, meeting, rehearsal
from steadyspot.deploy.drills.same_outputs import same_outputs
from steadyspot.deploy.drills.stage import Observation, Observations, Stage


@dataclass(frozen=True)
class Drill:
    """A drill, with the sentence ``announces`` that people read before it begins.

    If ``on_copy`` is true it works on a throwaway copy of the job, else on the job itself, which
    it has do its work so many ``times`` at most. If ``free`` is true it runs nothing and costs
    nothing.
    """

    announces: str
    run: Callable[[Stage], Observations]
    on_copy: bool = False
    times: int = 2
    free: bool = False


DRILLS: dict[str, Drill] = {
    "interrupt": Drill(
        "It runs {job} for real and stops its first attempt as a Spot reclaim does, by the "
        "image's own signal.",
        trouble.interrupt,
    ),
    "same-outputs": Drill(
        "It runs {job} for real twice, stops the second run in its midst as a Spot reclaim does, "
        "and compares what the two have published.",
        same_outputs,
        times=3,
    ),
    "no-capacity": Drill(
        "Local: it runs {job} for real while Spot is refused twice. On AWS, which cannot be "
        "made to refuse, it asks Step Functions what the deployed workflow would do, and runs "
        "nothing.",
        trouble.no_capacity,
    ),
    "slow-launch": Drill(
        "It runs a job whose launches are given up after seconds, before they can have started; "
        "those on on-demand after longer each time.",
        trouble.slow_launch,
        on_copy=True,
    ),
    "overlap": Drill(
        "It starts two runs of a job that works for a while, the second while the first one works, "
        "under the overlap of {job}; where its runs may overlap, under a queue.",
        meeting.overlap,
        on_copy=True,
    ),
    "shards": Drill(
        f"It runs a job over {many.SHARDS} shards and takes Spot back from {len(many.RECLAIMED)}"
        " of them.",
        many.shards,
        on_copy=True,
    ),
    "after": Drill(
        "It runs a job, after which another one of the same time has to begin by itself.",
        many.after,
        on_copy=True,
    ),
    "weather": Drill(
        "It asks Step Functions what the deployed workflow of {job} would do where Spot is refused"
        " to other runs of the platform.",
        rehearsal.weather,
        free=True,
    ),
    "deregister": Drill(
        "It deregisters the task definition, starts a run, repairs it and redrives the run.",
        trouble.deregister,
        on_copy=True,
    ),
    "bad-image": Drill(
        "It names an image that is not there, starts a run, repairs it and redrives the run.",
        trouble.bad_image,
        on_copy=True,
    ),
    "hang": Drill(
        "It runs a job that never ends, against a deadline of three minutes.",
        trouble.hang,
        on_copy=True,
    ),
    "sidecar": Drill(
        "It runs a job beside a container that ends with exit code 137 after it.",
        trouble.sidecar,
        on_copy=True,
    ),
    "undeliverable": Drill(
        "It schedules a start of {job} that is refused, waits for the alarm, and redrives the run "
        "for real.",
        trouble.undeliverable,
    ),
    "short-grace": Drill(
        "It reclaims a job that ignores SIGTERM and has two seconds before SIGKILL.",
        trouble.short_grace,
        on_copy=True,
    ),
    "verify": Drill(
        "It asks Step Functions what the deployed workflow of {job} would do with each row of the "
        "cause table.",
        rehearsal.every_row,
        free=True,
    ),
}

__all__ = ["DRILLS", "Drill", "Observation", "Stage"]
