"""Whatever befalls a run, its outputs are those of an undisturbed one, published once.

Four kinds of jobs are killed in all ways there are, meet attempts that were thought dead, and speak
with AWS through a door that delays, cuts, loses, doubles and refuses. The seeds are fixed and the
disturbances few; ``STEADYSPOT_ATTACKS=100`` does so many on each pair of job and attack.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from steadyspot.contract import COMPLETION, Exit, Status, columns
from tests.local.worker.door import Door, Fault, Kind, Request
from tests.local.worker.jobs import JOBS, Job
from tests.local.worker.kit import Bench, Worker, descendants, sha256

ATTACKS = int(os.environ.get("STEADYSPOT_ATTACKS", "1"))
MOST_LAUNCHES = 40
SEED = 20261124

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
FAULTS = (Kind.DELAY, Kind.CUT, Kind.LOSE, Kind.HALVE, Kind.DOUBLE, Kind.REFUSE)
KILLS = ("stop", "kill all", "kill the job", "zombie")


@dataclass
class Attack:
    """One run of one job, disturbed until it is complete."""

    job: Job
    bench: Bench
    chance: random.Random
    disturbances: int = 0

    def start(self, **environment: str) -> Worker:
        disk = self.bench.folder / f"disk-{self.bench.launches}"
        options = [option.format(disk=disk) for option in self.job.options]
        command = self.job.command(self.bench.folder)
        journal = str(self.bench.folder / "journal")
        return self.bench.start(
            "--drain", "0", *options, "--", *command, journal, str(disk), **environment
        )

    def is_complete(self) -> bool:
        return bool(self.bench.item()[columns.STATUS] == Status.COMPLETE)

    def let_run(self, worker: Worker) -> bool:
        """Wait some time, longer with each disturbance; whether it is still there."""
        try:
            worker.process.wait(self.chance.uniform(0.1, 1.6 + 0.3 * self.disturbances))
        except subprocess.TimeoutExpired:
            self.disturbances += 1
            return True
        return False

    def disturb(self, worker: Worker, how: str) -> None:
        if how == "stop":
            worker.process.send_signal(self.chance.choice(STOPS))
        elif how == "kill all":
            worker.kill_all()
        elif how == "kill the job":
            for pid in list(descendants(worker.process.pid))[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def began(self) -> Counter[str]:
        journal = self.bench.folder / "journal"
        return Counter(journal.read_text().split()) if journal.exists() else Counter()


def check(attack: Attack, ends: list[int], killed: bool) -> None:
    """All that must hold once a run is complete."""
    objects = attack.bench.objects()
    record = objects.pop(COMPLETION)
    item = attack.bench.item()
    assert item[columns.COMPLETION]["sha256"] == sha256(record), "two commits"
    assert sorted(objects) == sorted(attack.job.expected)
    assert objects == attack.job.expected
    assert item[columns.COMPLETION]["units"] == attack.job.units
    own = {int(code) for code in Exit}
    assert set(ends) <= own | ({-signal.SIGKILL, 137} if killed else set())
    again = sum(attack.began().values()) - len(attack.began())
    assert again <= attack.job.hands * attack.disturbances, "more than what was in hand began again"
    left = attack.bench.open_upload_ids()
    assert not left & uploads_written_down(attack.bench), "a known upload is still open"


def uploads_written_down(bench: Bench) -> set[str]:
    """Ids of uploads that the checkpoint which counts names, done or only begun."""
    pointer = bench.item().get(columns.CHECKPOINT)
    if pointer is None:
        return set()
    reply = bench.s3.get_object(Bucket=bench.bucket, Key=pointer["key"])
    manifest = json.loads(reply["Body"].read())
    return set(manifest["open_uploads"]) | {o["upload_id"] for o in manifest["outputs"]}


@pytest.fixture
def attacks(
    endpoint: str, tmp_path: Path, request: pytest.FixtureRequest
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
                bench = stack.enter_context(contextlib.closing(Bench(endpoint, folder)))
                attack = Attack(JOBS[name], bench, chance)
                yield attack
                done += attack.disturbances

        yield runs()


@pytest.mark.timeout(60 + 20 * ATTACKS)
@pytest.mark.parametrize("how", KILLS)
@pytest.mark.parametrize("job", JOBS)
def test_kills_of_every_kind(job: str, how: str, attacks: Iterator[Attack]) -> None:
    for attack in attacks:
        ends: list[int] = []
        asleep: list[Worker] = []
        while not attack.is_complete():
            assert attack.bench.launches < MOST_LAUNCHES
            worker = attack.start()
            if not attack.let_run(worker):
                ends.append(worker.end())
            elif how == "zombie":
                worker.process.send_signal(signal.SIGSTOP)
                asleep.append(worker)
            else:
                attack.disturb(worker, how)
                ends.append(worker.end())
            if asleep and (attack.is_complete() or attack.chance.random() < 0.5):
                ends += wake(asleep)
        check(attack, ends + wake(asleep), killed=how.startswith("kill"))
        if how == "stop":
            assert not attack.bench.open_uploads(), "a half-made output was not withdrawn"


def wake(asleep: list[Worker]) -> list[int]:
    """Let workers go on that were thought dead; how they ended."""
    for worker in asleep:
        worker.process.send_signal(signal.SIGCONT)
    ends = [worker.end(60) for worker in asleep]
    asleep.clear()
    return ends


def some_meet(kind: Kind, chance: random.Random, request: Request) -> Fault | None:
    """One of five requests meets trouble of this kind."""
    return Fault(kind, seconds=0.2) if chance.random() < 0.2 else None


@pytest.mark.timeout(90 + 30 * ATTACKS)
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("job", JOBS)
def test_requests_that_meet_trouble(job: str, kind: Kind, attacks: Iterator[Attack]) -> None:
    for attack in attacks:
        with contextlib.closing(Door(attack.bench.endpoint)) as door:

            door.meddle = partial(some_meet, kind, attack.chance)
            ends: list[int] = []
            while not attack.is_complete():
                assert attack.bench.launches < MOST_LAUNCHES
                worker = attack.start(AWS_ENDPOINT_URL=door.address)
                ends.append(worker.end(90))
                attack.disturbances += 1
            attack.disturbances = max(attack.disturbances, door.met)
            assert door.met, "nothing was in trouble"
            check(attack, ends, killed=False)
