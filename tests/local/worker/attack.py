"""A run that is disturbed until it is complete, and all that must hold of it then."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass

from steadyspot.contract import COMPLETION, Exit, Status, columns
from tests.local.worker.jobs import Job
from tests.local.worker.kit import Bench, Worker, descendants, sha256

MOST_LAUNCHES = 40
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
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

    def launch(self) -> bool:
        """Whether the run has to be launched once more."""
        assert self.bench.launches < MOST_LAUNCHES
        return not self.is_complete()

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

    def began_again(self) -> int:
        """How many times a unit was begun that had been begun before."""
        begun = Counter((self.bench.folder / "journal").read_text().split())
        return begun.total() - len(begun)


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
    assert attack.began_again() <= attack.job.hands * attack.disturbances, (
        "more than what was in hand began again"
    )
    left = attack.bench.open_upload_ids()
    assert not left & uploads_written_down(attack.bench), "a known upload is still open"


def uploads_written_down(bench: Bench) -> set[str]:
    """Ids of uploads that the checkpoint which counts names, done or only begun."""
    pointer = bench.item().get(columns.CHECKPOINT)
    if pointer is None:
        return set()
    reply = bench.s3.get_object(Bucket=bench.bucket, Key=pointer["key"])
    manifest = json.loads(reply["Body"].read())
    outputs = filter(None, manifest["history"]["outputs"].values())
    return set(manifest["open_uploads"]) | {output["upload_id"] for output in outputs}


def kill_until_complete(attack: Attack, how: str) -> None:
    """Attempts at the run, each disturbed in one of ``KILLS`` if it lasts; checked at the end."""
    ends: list[int] = []
    asleep: list[Worker] = []
    while attack.launch():
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
