"""Whatever befalls a run, its outputs are those of an undisturbed one, published once.

Four kinds of jobs are killed in all ways there are, meet attempts that were thought dead, and speak
with AWS through a door that delays, cuts, loses, doubles and refuses. The seeds are fixed and the
disturbances few; ``STEADYSPOT_ATTACKS=100`` does so many on each pair of job and attack, and
``STEADYSPOT_SEED`` draws others.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from steadyspot.deploy.aws.local_address import Address
from tests.local.forks import Forks
from tests.local.worker.attack import KILLS, Attack, check, kill_until_complete
from tests.local.worker.door import Door, Fault, Kind, Request
from tests.local.worker.jobs import JOBS
from tests.local.worker.kit import Bench

ATTACKS = int(os.environ.get("STEADYSPOT_ATTACKS", "1"))
SEED = int(os.environ.get("STEADYSPOT_SEED", "20261124"))


@pytest.fixture
def attacks(
    aws: Address, forks: Forks, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Iterator[Attack]]:
    """Runs to attack, until there were as many disturbances as were asked for."""
    with contextlib.ExitStack() as stack:
        name = request.node.callspec.params["job"]
        chance = random.Random(f"{SEED} {request.node.name}")

        def runs() -> Iterator[Attack]:
            done = 0
            while done < ATTACKS:
                folder = tmp_path / str(len(list(tmp_path.iterdir())))
                folder.mkdir()
                bench = stack.enter_context(contextlib.closing(Bench(aws, folder, forks=forks)))
                attack = Attack(JOBS[name], bench, chance)
                yield attack
                done += attack.disturbances

        yield runs()


@pytest.mark.timeout(60 + 20 * ATTACKS)
@pytest.mark.parametrize("how", KILLS)
@pytest.mark.parametrize("job", JOBS)
def test_kills_of_every_kind(job: str, how: str, attacks: Iterator[Attack]) -> None:
    for attack in attacks:
        kill_until_complete(attack, how)


def some_meet(kind: Kind, chance: random.Random, request: Request) -> Fault | None:
    """One of five requests meets trouble of this kind."""
    return Fault(kind, seconds=0.2) if chance.random() < 0.2 else None


@pytest.mark.timeout(90 + 30 * ATTACKS)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("job", JOBS)
def test_requests_that_meet_trouble(job: str, kind: Kind, attacks: Iterator[Attack]) -> None:
    for attack in attacks:
        with contextlib.closing(Door(attack.bench.endpoint)) as door:
            door.meddle = partial(some_meet, kind, attack.chance)
            ends: list[int] = []
            while attack.launch():
                worker = attack.start(AWS_ENDPOINT_URL=door.address)
                ends.append(worker.end(90))
                attack.disturbances += 1
            attack.disturbances = max(attack.disturbances, door.met)
            assert door.met, "nothing was in trouble"
            check(attack, ends, killed=False)
