"""One attempt's dealings with the run's record, step by step and without threads.

It takes the fence, reads back what earlier attempts did, makes checkpoints durable, commits, and
leaves a word when it must go. Every write is one call to S3 followed by one conditional call to
DynamoDB, so a crash between any two leaves either the old or the new truth. Timing and threads are
the keeper's.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from steadyspot import __version__
from steadyspot.contract import Reason, Status, checkpoint_prefix, output_prefix
from steadyspot.worker.keeping import commit as publishing
from steadyspot.worker.keeping.checkpoint import Ledger, Output, encode, load, manifest, seal
from steadyspot.worker.keeping.fence import COMMITTING, LEAVING, RUNNING, SAVING, Fence
from steadyspot.worker.keeping.store import Bucket, Item

OLD_AT_ONCE = 20
LARGE_BYTES = 1 << 20
"""So many old objects of small checkpoints may lie in the bucket; of larger ones, none."""


@dataclass(frozen=True)
class About:
    """What identifies the attempt in records."""

    job: str
    run_key: str
    execution: str
    fence: int
    attempt: int
    request_sha256: str


class Attempt:
    """Holds the ledger and the right to write.

    ``now`` gives ISO time, ``clock`` seconds; ``began`` is when the attempt did, by that clock.
    """

    def __init__(
        self,
        about: About,
        fence: Fence,
        bucket: Bucket,
        pool: Executor,
        now: Callable[[], str],
        clock: Callable[[], float],
        began: float,
    ) -> None:
        self.about = about
        self.fence = fence
        self.bucket = bucket
        self.pool = pool
        self.ledger = Ledger()
        self.checkpoints = checkpoint_prefix(about.job, about.run_key)
        self.outputs = output_prefix(about.job, about.run_key)
        self._now = now
        self._clock = clock
        self._began = began
        self.saved_at = self._began
        self.saved_bytes = 0
        self._garbage: list[str] = []
        self._manifest = ""
        self._files: set[str] = set()

    def open(self) -> bool:
        """Take the fence and read back the run; true when a found commit was finished here.

        Uploads that an earlier attempt began and no unit counts are aborted.
        """
        item = self.fence.take()
        ledger = Ledger(started_at=self._now())
        if item.get("checkpoint"):
            ledger = load(self.bucket, item["checkpoint"])
            self._manifest = str(item["checkpoint"]["key"])
            self._files = _file_keys(ledger)
        word = item.get("word") or {}
        if word.get("fence", 0) != self.about.fence:
            ledger.lost_seconds = max(ledger.lost_seconds, float(word.get("total_lost_seconds", 0)))
        self.ledger = ledger
        if item.get("commit") and self._finish_found(item):
            return True
        wanted = {output.upload_id for output in ledger.outputs.values()}
        stale = {i: key for i, key in ledger.open_uploads.items() if i not in wanted}
        list(self.pool.map(lambda pair: self.bucket.abort(pair[1], pair[0]), stale.items()))
        ledger.open_uploads = {}
        return False

    def save(self, ledger: Ledger) -> None:
        """Make a copy of the ledger the one that counts. Raises ``FenceLost``."""
        ledger.sequence += 1
        seal(ledger, self.bucket, self.checkpoints)
        seconds = self._clock() - self._began
        identity = {
            "job": self.about.job,
            "run_key": self.about.run_key,
            "fence": self.about.fence,
            "attempt": self.about.attempt,
        }
        body, sha256 = encode(manifest(ledger, identity) | {"seconds": ledger.seconds + seconds})
        key = f"{self.checkpoints}manifests/{sha256}.json"
        self.bucket.put(key, body)
        self.fence.write(self._columns(ledger, key, sha256, len(body)), during=SAVING)
        if self._manifest and self._manifest != key:
            self._garbage.append(self._manifest)
        files = _file_keys(ledger)
        self._garbage += sorted(self._files - files)
        self._manifest, self._files = key, files
        self.saved_at = self._clock()
        self.saved_bytes = len(body) + ledger.object_bytes

    def drop_old(self) -> None:
        """Delete what no checkpoint points to any more; only after a save that counted.

        Small ones many at once, since a call costs as much as such a checkpoint itself.
        """
        if len(self._garbage) >= OLD_AT_ONCE or (self._garbage and self.saved_bytes >= LARGE_BYTES):
            garbage, self._garbage = self._garbage, []
            self.bucket.delete(garbage)

    def commit(self, ledger: Ledger, outputs: list[Output]) -> dict[str, Any]:
        """Publish everything; the completion record. Raises ``OutputsLost`` or ``FenceLost``."""
        record = self._record(ledger, outputs)
        plan = publishing.begin(self.fence, self.bucket, self.checkpoints, outputs, record)
        return publishing.finish(self.fence, self.bucket, self.outputs, plan, self.pool)

    def undo(self, lost: publishing.OutputsLost) -> None:
        """Take the run back to ``running`` without the units whose outputs were lost."""
        self.ledger.undo(lost.names)
        self.ledger.sequence += 1
        ledger = self.ledger.copy()
        body, sha256 = encode(manifest(ledger, {"job": self.about.job, "fence": self.about.fence}))
        key = f"{self.checkpoints}manifests/{sha256}.json"
        self.bucket.put(key, body)
        columns = self._columns(ledger, key, sha256, len(body)) | {"status": str(Status.RUNNING)}
        self.fence.write(columns, during=COMMITTING, remove=("commit",))
        self._manifest = key

    def leave(self, reason: Reason, exit_code: int, sentence: str) -> float:
        """Write why this attempt goes without having finished; the seconds of work it lost."""
        lost = max(0.0, self._clock() - self.saved_at)
        word = {
            "fence": self.about.fence,
            "reason": str(reason),
            "exit_code": int(exit_code),
            "sentence": sentence,
            "at": self._now(),
            "lost_seconds": round(lost, 3),
            "total_lost_seconds": round(self.ledger.lost_seconds + lost, 3),
            "units_done": len(self.ledger.units),
        }
        self.fence.write({"word": word}, during=LEAVING)
        return lost

    def uploads_that_count(self) -> set[str] | None:
        """After the fence was lost: upload ids that the winner may need, read consistently.

        None while the winner commits or has committed: then nothing may be aborted at all.
        """
        item = self.fence.read()
        if item.get("status") in (Status.COMMITTING, Status.COMPLETE):
            return None
        if not item.get("checkpoint"):
            return set()
        counted = load(self.bucket, item["checkpoint"]).outputs
        return {output.upload_id for output in counted.values()}

    def _finish_found(self, item: Item) -> bool:
        if item.get("status") == Status.RUNNING:
            # A commit broke off, and another execution has claimed the run since.
            self.fence.write({"status": str(Status.COMMITTING)}, during=RUNNING)
        plan = publishing.recorded(self.bucket, item["commit"])
        try:
            publishing.finish(self.fence, self.bucket, self.outputs, plan, self.pool)
        except publishing.OutputsLost as lost:
            for output in lost.uploads:
                self.ledger.outputs.setdefault(output.name, output)
            self.undo(lost)
            return False
        return True

    def _columns(self, ledger: Ledger, key: str, sha256: str, size: int) -> dict[str, Any]:
        now = self._now()
        progress: dict[str, Any] = {"units_done": len(ledger.units), "updated_at": now}
        if ledger.total is not None:
            progress["units_total"] = ledger.total
        if ledger.fraction is not None:
            progress["fraction"] = ledger.fraction
        checkpoint = {
            "key": key,
            "sha256": sha256,
            "sequence": ledger.sequence,
            "units_done": len(ledger.units),
            "bytes": size + ledger.object_bytes,
            "saved_at": now,
        }
        return {"checkpoint": checkpoint, "progress": progress}

    def _record(self, ledger: Ledger, outputs: list[Output]) -> dict[str, Any]:
        return {
            "run_key": self.about.run_key,
            "job": self.about.job,
            "request_sha256": self.about.request_sha256,
            "attempts": self.about.attempt,
            "units": len(ledger.units),
            "outputs": [
                {"name": o.name, "key": o.key, "size": o.size, "sha256": o.sha256}
                for o in sorted(outputs, key=lambda o: o.name)
            ],
            "seconds": round(ledger.seconds + self._clock() - self._began, 3),
            "lost_seconds": round(ledger.lost_seconds, 3),
            "worker_version": __version__,
            "started_at": ledger.started_at,
            "completed_at": self._now(),
            "execution": self.about.execution,
            "fence": self.about.fence,
        }


def _file_keys(ledger: Ledger) -> set[str]:
    return {file.key for file in ledger.files or () if file.key}
