"""The columns of the run table that hold more than one value, with their types.

Only the type checker loads this; what is built as one of these has its fields from here.
``attempts`` and ``money`` are written by the workflow, ``broken_off`` by *After the end*;
``checkpoint``, ``progress``, ``stop_report``, ``commit`` and ``completion`` by the worker, and
``warnings``, a list of sentences.
The workflow reads ``progress``, ``stop_report``, the seconds of ``completion`` and the number of
``warnings``; the command line reads ``attempts``, ``money``,
``progress`` and ``completion``, numbers as ``Decimal``. Times are ISO in UTC, sizes are bytes.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

_OfClass = TypedDict("_OfClass", {"class": NotRequired[str]})
"""Class of the row of the cause table; the word cannot be a name in Python."""


class AttemptColumn(_OfClass):
    """One launch of the task, in the list ``attempts``; ``exit_code`` -1 where there was none.

    ``cause`` and class are there once the attempt is judged, ``gained`` is whether it made
    progress, ``started`` whether its container did. ``seconds`` are its own, ``billed_seconds``
    those from the start of the image's pull, 0 where nothing was pulled.
    """

    attempt: int
    capacity: str
    zone: str
    started_at: str
    ended_at: str
    seconds: float
    billed_seconds: NotRequired[float]
    exit_code: int
    cause: NotRequired[str]
    error: str
    stop_code: str
    stopped_reason: str
    started: bool
    gained: bool
    task: str
    units_done: int
    lost_seconds: float


class BrokenOffColumn(TypedDict):
    """The launch that ended with its execution, as *After the end* knows it; ``cause`` is its row.

    ``seconds`` are those to the end of the execution, or of the task where that came first.
    """

    attempt: int
    capacity: str
    zone: str
    started_at: str
    ended_at: str
    seconds: float
    cause: str
    task: str


class MoneyColumn(TypedDict):
    """What a run has cost so far; ``cost`` and ``cost_on_demand_only`` in US dollars."""

    spot_seconds: float
    on_demand_seconds: float
    wasted_seconds: float
    transitions: int
    cost: float
    cost_on_demand_only: float


class MoneyOfShardColumn(MoneyColumn):
    """The same of a shard, and how often its attempts ended how, by ``cause/capacity``.

    So is that of a run which is spread over shards, of all their attempts.
    """

    ended: dict[str, int]


class CheckpointColumn(TypedDict):
    """The checkpoint that counts: where its manifest lies, and the hash that it must have."""

    key: str
    sha256: str
    sequence: int
    units_done: int
    bytes: int
    saved_at: str
    previous: NotRequired[CheckpointColumn]


class ProgressColumn(TypedDict):
    """How far the work is, 0 to 1 as the job itself reports it.

    ``saved``: a checkpoint folder or a state of the job is saved, behind which it resumes.
    """

    units_done: int
    updated_at: str
    units_total: NotRequired[int]
    fraction: NotRequired[float]
    saved: NotRequired[bool]


class StopReportColumn(TypedDict):
    """Why the attempt with this fence left without having finished.

    After a stop: the grace it had, the part that was used, and of that what came after the job's
    end, which is the last save above all.
    """

    fence: int
    reason: str
    exit_code: int
    sentence: str
    at: str
    lost_seconds: float
    total_lost_seconds: float
    units_done: int
    grace_seconds: NotRequired[float]
    grace_used_seconds: NotRequired[float]
    grace_saving_seconds: NotRequired[float]


class CommitColumn(TypedDict):
    """Where the list of outputs to be published lies, and the hash that it must have."""

    key: str
    sha256: str


class CompletionColumn(TypedDict):
    """The completion record, with counts instead of the list of outputs.

    ``left_behind``: processes that still ran when the job's first one had ended well, if any.
    """

    key: str
    sha256: str
    request_sha256: str
    outputs: int
    output_bytes: int
    units: int
    seconds: float
    lost_seconds: float
    worker_version: str
    completed_at: str
    left_behind: NotRequired[int]
