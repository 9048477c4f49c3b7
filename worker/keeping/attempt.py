"""One attempt's dealings with the run's record, step by step and without threads.

It takes the fence, reads back what earlier attempts did, makes checkpoints durable, commits, and
reports why when it must go. Every write is one call to S3 followed by one conditional call to
DynamoDB, so a crash between any two leaves either the old or the new truth. Timing and threads are
the keeper's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from steadyspot import __version__
from steadyspot.contract import Reason, Status, checkpoint_prefix, columns, output_prefix
from steadyspot.worker.keeping import commit as publishing
from steadyspot.worker.keeping.checkpoint import (
    Damaged,
    Ledger,
    Snapshot,
    encode,
    load,
    manifest,
    seal,
)
from steadyspot.worker.keeping.fence import COMMITTING, LEAVING, RUNNING, SAVING, Fence
from steadyspot.worker.keeping.history import History, Output, uploads_of
from steadyspot.worker.keeping.listing import Listing
from steadyspot.worker.keeping.read_back import odd_columns
from steadyspot.worker.keeping.store import Bucket, Item
from steadyspot.worker.keeping.warnings import Warnings

if TYPE_CHECKING:
    from steadyspot.contract.records import (
        CheckpointColumn,
        CommitColumn,
        CompletionColumn,
        ProgressColumn,
        StopReportColumn,
    )

NOWHERE: CommitColumn = {"key": "", "sha256": ""}
OLD_AT_ONCE = 20
LARGE_BYTES = 1 << 20
"""So many old objects of small checkpoints may lie in the bucket; of larger ones, none but those of
the checkpoint before the newest."""


@dataclass(frozen=True)
class About:
    """What identifies the attempt in records."""

    job: str
    run_key: str
    execution: str
    fence: int
    attempt: int
    request_sha256: str


@dataclass(frozen=True)
class Kept:
    """A checkpoint that is kept: what points to it, and the keys of the objects it names."""

    pointer: dict[str, Any]
    keys: frozenset[str]


class Attempt:
    """Holds the ledger and the right to write.

    ``now`` gives ISO time, ``clock`` seconds; ``began`` is when the attempt did, by that clock. The
    last two checkpoints are kept: where the newest cannot be read, the one before it counts, which
    is a warning.
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
        *,
        warnings: Warnings,
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
        self._warnings = warnings
        self._garbage: list[str] = []
        self._kept: list[Kept] = []

    def open(self) -> bool:
        """Take the fence and read back the run; true when a found commit was finished here.

        Uploads that an earlier attempt began and no unit counts are aborted.
        """
        item = self._sound(self.fence.take())
        self._warnings.add(item.get(columns.WARNINGS, []))
        report: StopReportColumn | None = item.get(columns.STOP_REPORT)
        self._lost_by_others = (
            float(report["total_lost_seconds"])
            if report and report["fence"] != self.about.fence
            else 0.0
        )
        self._load(_pointers(item.get(columns.CHECKPOINT)))
        commits = columns.COMMIT in item or item.get(columns.STATUS) == Status.COMMITTING
        if commits and self._finish_found(item):
            return True
        self._abort_stale(self.ledger.open_uploads.items())
        return False

    def _abort_stale(self, uploads: Iterable[tuple[str, str]]) -> None:
        """Abort what of these uploads, ids and keys, does not count."""
        stale = {
            upload_id: key
            for upload_id, key in uploads
            if not self.ledger.counts(upload_id, key.removeprefix(self.outputs))
        }
        list(self.pool.map(lambda pair: self.bucket.abort(pair[1], pair[0]), stale.items()))
        self.ledger.open_uploads = {}

    def fall_back(self, why: Damaged) -> list[Output]:
        """What the checkpoint that was loaded names cannot be read: go on from the one before it.

        Where there is none the run begins anew, which costs time, but nothing else. Outputs that
        count no more are returned, to be withdrawn later.
        """
        self._say_damaged(why)
        before = self._kept[-1].pointer.get("previous") if self._kept else None
        left = self.ledger.history
        self._load([before] if before else [])
        if not self._kept:
            self.ledger.files = Listing(())
        unwanted = {output.upload_id: output for output in left.beyond(self.ledger.history)}
        for output in self.ledger.history.beyond(History()):
            unwanted.pop(output.upload_id, None)
        return list(unwanted.values())

    def _load(self, pointers: list[dict[str, Any]]) -> None:
        """The first of the checkpoints, newest first, that can be read; else a new ledger."""
        self.ledger, self._kept = Ledger(started_at=self._now()), []
        for pointer in pointers:
            try:
                self.ledger = load(self.bucket, pointer, self.pool)
            except Damaged as damaged:
                self._say_damaged(damaged)
                continue
            self._kept = [_kept(pointer, self.ledger)]
            break
        self.ledger.lost_seconds = max(self.ledger.lost_seconds, self._lost_by_others)

    def _say_damaged(self, damaged: Damaged) -> None:
        self._warnings.say(
            "restore",
            f"{damaged.sentence} The attempt goes on from the checkpoint before it, or from the"
            " beginning where that is gone, too; what is missing is done again.",
        )

    def save(self, ledger: Snapshot) -> None:
        """Make the ledger as it was then the one that counts. Raises ``FenceLost``."""
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
        self._point(ledger, body, sha256, SAVING)
        self.saved_at = self._clock()
        self.saved_bytes = len(body) + ledger.object_bytes

    def _point(
        self,
        ledger: Snapshot,
        body: bytes,
        sha256: str,
        during: frozenset[Status],
        status: Status | None = None,
    ) -> None:
        """Put a manifest and make it the one that counts; older ones than two become garbage."""
        key = f"{self.checkpoints}manifests/{sha256}.json"
        self.bucket.put(key, body)
        written = self._columns(ledger, key, sha256, len(body))
        before = self._kept[-1:]
        if before:
            written[columns.CHECKPOINT]["previous"] = _without_previous(before[0].pointer)
        if status:
            written[columns.STATUS] = str(status)
        remove = (columns.COMMIT,) if status else ()
        self.fence.write(written, during=during, remove=remove)
        old = self._kept[:-1]
        self._kept = [*before, _kept(written[columns.CHECKPOINT], ledger)]
        named = {key for one in self._kept for key in one.keys}
        self._garbage += sorted({key for one in old for key in one.keys} - named)

    def drop_old(self) -> None:
        """Delete what neither of the last two checkpoints names; only after a save that counted.

        Small ones many at once, since a call costs as much as such a checkpoint itself. What an old
        one named may be named again by a new one: a file's content goes to and fro.
        """
        if len(self._garbage) >= OLD_AT_ONCE or (self._garbage and self.saved_bytes >= LARGE_BYTES):
            named = {key for one in self._kept for key in one.keys}
            garbage, self._garbage = set(self._garbage) - named, []
            if garbage:
                self.bucket.delete(sorted(garbage))

    def commit(
        self, left_behind: int = 0, withdraw: Callable[[], None] = lambda: None
    ) -> CompletionColumn:
        """Publish everything; what the run table then says of it.

        ``withdraw`` aborts what counts no more: once the commit is begun nothing can want it back,
        and when the run is complete nobody comes who would do it.

        Raises ``OutputsLost`` or ``FenceLost``.
        """
        record = self._record()
        if left_behind:
            record["left_behind"] = left_behind
        plan = publishing.Plan(record, self.ledger.history)
        publishing.begin(self.fence, self.bucket, self.checkpoints, plan, self._told())
        withdraw()
        return publishing.finish(self.fence, self.bucket, self.outputs, plan, self.pool)

    def begin_anew(self) -> list[Output]:
        """Forget all that was done; the outputs that count no more."""
        counted = list(self.ledger.history.outputs())
        old = self.ledger
        self.ledger = Ledger(started_at=old.started_at, sequence=old.sequence)
        return counted

    def undo(self, lost: publishing.OutputsLost) -> None:
        """Take the run back to ``running`` without the units whose outputs were lost."""
        self.ledger.undo(lost.names)
        self.ledger.sequence += 1
        ledger = self.ledger.snapshot()
        body, sha256 = encode(manifest(ledger, {"job": self.about.job, "fence": self.about.fence}))
        self._point(ledger, body, sha256, COMMITTING, Status.RUNNING)

    def leave(
        self,
        reason: Reason,
        exit_code: int,
        sentence: str,
        grace: Mapping[str, float] = MappingProxyType({}),
    ) -> float:
        """Write why this attempt goes without having finished; the seconds of work it lost.

        ``grace``: more columns of the report, about the stop.
        """
        lost = max(0.0, self._clock() - self.saved_at)
        report: StopReportColumn = {
            "fence": self.about.fence,
            "reason": str(reason),
            "exit_code": int(exit_code),
            "sentence": sentence,
            "at": self._now(),
            "lost_seconds": round(lost, 3),
            "total_lost_seconds": round(self.ledger.lost_seconds + lost, 3),
            "units_done": self.ledger.units_done,
        }
        self.fence.write({columns.STOP_REPORT: {**report, **grace}} | self._told(), during=LEAVING)
        return lost

    def uploads_beyond_the_winner(self, token: str, open_uploads: dict[str, str]) -> dict[str, str]:
        """After the fence was lost: uploads, ids and keys, that the winner surely does not need.

        They are of ``open_uploads`` and of outputs whose token begins with this one. None at all
        while the winner commits or has committed, or where its checkpoint cannot be read. What
        counts there is read consistently.
        """
        item = self._sound(self.fence.read())
        if item.get(columns.STATUS) in (Status.COMMITTING, Status.COMPLETE):
            return {}
        winner = History()
        if item.get(columns.CHECKPOINT):
            try:
                winner = load(self.bucket, item[columns.CHECKPOINT], self.pool).history
            except Damaged:
                return {}
        begun = (o for o in self.ledger.history.beyond(winner) if o.token.startswith(token))
        mine = open_uploads | dict(uploads_of(begun))
        for upload_id, _ in uploads_of(winner.beyond(History())):
            mine.pop(upload_id, None)
        return mine

    def _sound(self, item: Item) -> Item:
        """The item without what no worker has written into it."""
        odd = odd_columns(item)
        if odd:
            self._warnings.say(
                "restore",
                f"The run's record held what no worker writes ({', '.join(odd)}); the attempt goes"
                " on as if it were not there. Find out who else can write to the run table.",
            )
        return {name: value for name, value in item.items() if name not in odd}

    def _finish_found(self, item: Item) -> bool:
        if item.get(columns.STATUS) == Status.RUNNING:
            # A commit broke off, and another execution has claimed the run since.
            self.fence.write({columns.STATUS: str(Status.COMMITTING)}, during=RUNNING)
        try:
            plan = publishing.recorded(
                self.bucket,
                item.get(columns.COMMIT, NOWHERE),
                self.pool,
                self.ledger.history.segments,
            )
        except Damaged as damaged:
            self._warnings.say("restore", f"{damaged.sentence} The commit is made anew.")
            self.undo(publishing.OutputsLost(set()))
            return False
        older, self.ledger.history = self.ledger.history, plan.history
        self.ledger.units_done = plan.record["units"]
        saved = uploads_of(older.outputs())
        self._abort_stale(chain(saved, self.ledger.open_uploads.items()))
        try:
            publishing.finish(self.fence, self.bucket, self.outputs, plan, self.pool)
        except publishing.OutputsLost as lost:
            self.undo(lost)
            return False
        return True

    def _columns(self, ledger: Snapshot, key: str, sha256: str, size: int) -> dict[str, Any]:
        now = self._now()
        progress: ProgressColumn = {"units_done": ledger.units_done, "updated_at": now}
        if ledger.total is not None:
            progress["units_total"] = ledger.total
        if ledger.fraction is not None:
            progress["fraction"] = ledger.fraction
        kept = ledger.files.files if ledger.files else ()
        if ledger.state or any(file.size for file in kept):
            progress["saved"] = True
        checkpoint: CheckpointColumn = {
            "key": key,
            "sha256": sha256,
            "sequence": ledger.sequence,
            "units_done": ledger.units_done,
            "bytes": size + ledger.object_bytes,
            "saved_at": now,
        }
        return {columns.CHECKPOINT: checkpoint, columns.PROGRESS: progress} | self._told()

    def _told(self) -> dict[str, Any]:
        """What people are to hear of once the run has ended."""
        sentences = self._warnings.sentences
        return {columns.WARNINGS: list(sentences)} if sentences else {}

    def _record(self) -> dict[str, Any]:
        """The completion record without its outputs."""
        ledger = self.ledger
        return {
            "run_key": self.about.run_key,
            "job": self.about.job,
            "request_sha256": self.about.request_sha256,
            "attempts": self.about.attempt,
            "units": ledger.units_done,
            "seconds": round(ledger.seconds + self._clock() - self._began, 3),
            "lost_seconds": round(ledger.lost_seconds, 3),
            "worker_version": __version__,
            "started_at": ledger.started_at,
            "completed_at": self._now(),
            "execution": self.about.execution,
            "fence": self.about.fence,
        }


def _pointers(checkpoint: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What points to the newest checkpoint and to the one before it."""
    if not checkpoint:
        return []
    before = checkpoint.get("previous")
    return [checkpoint, before] if before else [checkpoint]


def _without_previous(pointer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in pointer.items() if name != "previous"}


def _kept(pointer: dict[str, Any], ledger: Ledger | Snapshot) -> Kept:
    files = ledger.files.keys if ledger.files else set[str]()
    segments = {segment.key for segment in ledger.history.segments}
    return Kept(pointer, frozenset({str(pointer["key"])} | files | segments))
