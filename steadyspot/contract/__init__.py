"""What the worker, the state machine and the command line must agree on, and nothing else.

Here: environment variables, exit codes, words for how a run and an attempt are, prefixes of
objects. ``keys``: the run key of a scheduled time. ``columns``: the run table's columns by name,
``records``: the types of those with fields. ``states`` and ``variables``: those of the workflow.
``messages``: keys of run requests, parked runs and notifications. ``parameters``: the types of a
job's own, ``options``: the worker's in a task definition. ``logs``: keys of log lines,
``signals``: those that stop a task, ``traces``: the id of a run's trace, ``metrics``: names of
those. A test fails where one of
them is spelled out in another room.
The API, the worker, the workflow and the command line import this folder, and the worker's image
carries it.
Its biggest drawback: JSONata and templates cannot import it, so tests compare them with it.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

ENV_PREFIX = "STEADYSPOT_"
"""How every variable of ours begins; a job's own may not."""


class Env(StrEnum):
    """Environment variables: of each launch, of the job, the worker's options, the job's API.

    ``EXPECTED_SECONDS`` is what the whole work takes at its usual pace: ``STOP_BY`` moves on by the
    share of it that has become durable since the attempt began; empty or 0, it stays.
    ``FENCE`` is an integer, ``ATTEMPT`` counts from 1, ``STOP_BY`` is an ISO time in UTC or empty,
    ``START_BY`` one that is not the worker's: a task that has not started by then is given up.
    ``LOCK_DAYS``: how long outputs are locked; 0 or empty, not at all. ``TRACING``: "true", or no
    trace is sent. ``PRICES``: CPU units, GB of memory, prices of a vCPU and of a GB for an hour in
    US dollars, and the share that Spot saves, with blanks between them.
    ``STOP_TIMEOUT`` and every ``*_SECONDS`` are seconds. ``COMMAND`` is a JSON list of strings: if
    it is not empty, it replaces the image's CMD. ``ENVIRONMENT`` is a JSON object of strings for
    the job. So is ``SECRETS``, which ECS takes from Secrets Manager when it starts the task: nobody
    else sees it. ``SCHEDULED_TIME`` and ``DEADLINE`` are ISO times in UTC, of a run by hand when it
    was started, and none without a deadline. ``PARAMETERS`` is a JSON object: of the launch what
    the run gives, of the job all values; ``DECLARED`` is one of types and defaults. ``AFTER`` is
    one of the places below which jobs that this one comes after publish, by name. ``OPTIONS`` has
    a line, ``NAME=VALUE``, for each of the worker's options; one without a value sets none.
    ``REFUSALS``: launches that came to nothing since the run's last attempt,
    ``CAPACITY/CAUSE=TIMES`` with blanks between them.
    ``SHARD`` counts from 0 to below ``SHARDS``; without them, or empty, the run is one shard, and
    the job is told 0 and 1. ``LOCAL_SHARDS``: as how many processes a job runs that no worker has
    started.
    """

    RUN_KEY = "STEADYSPOT_RUN_KEY"
    EXECUTION = "STEADYSPOT_EXECUTION"
    FENCE = "STEADYSPOT_FENCE"
    ATTEMPT = "STEADYSPOT_ATTEMPT"
    CAPACITY = "STEADYSPOT_CAPACITY"
    START_BY = "STEADYSPOT_START_BY"
    STOP_BY = "STEADYSPOT_STOP_BY"
    EXPECTED_SECONDS = "STEADYSPOT_EXPECTED_SECONDS"
    SCHEDULED_TIME = "STEADYSPOT_SCHEDULED_TIME"
    DEADLINE = "STEADYSPOT_DEADLINE"
    REFUSALS = "STEADYSPOT_REFUSALS"
    PARAMETERS = "STEADYSPOT_PARAMETERS"
    SHARD = "STEADYSPOT_SHARD"
    SHARDS = "STEADYSPOT_SHARDS"

    JOB = "STEADYSPOT_JOB"
    TABLE = "STEADYSPOT_TABLE"
    BUCKET = "STEADYSPOT_BUCKET"
    LOCK_DAYS = "STEADYSPOT_LOCK_DAYS"
    TRACING = "STEADYSPOT_TRACING"
    PRICES = "STEADYSPOT_PRICES"
    STOP_TIMEOUT = "STEADYSPOT_STOP_TIMEOUT"
    RERUN = "STEADYSPOT_RERUN"
    COMMAND = "STEADYSPOT_COMMAND"
    ENVIRONMENT = "STEADYSPOT_ENVIRONMENT"
    SECRETS = "STEADYSPOT_SECRETS"
    DECLARED = "STEADYSPOT_DECLARED"
    AFTER = "STEADYSPOT_AFTER"
    OPTIONS = "STEADYSPOT_OPTIONS"

    CHECKPOINT_DIR = "STEADYSPOT_CHECKPOINT_DIR"
    OUTPUT_DIR = "STEADYSPOT_OUTPUT_DIR"
    EVERY_SECONDS = "STEADYSPOT_EVERY_SECONDS"
    MARKER = "STEADYSPOT_MARKER"
    OUTPUT_IGNORE = "STEADYSPOT_OUTPUT_IGNORE"
    ON_STOP = "STEADYSPOT_ON_STOP"
    ON_STOP_SECONDS = "STEADYSPOT_ON_STOP_SECONDS"
    SIGNAL = "STEADYSPOT_SIGNAL"
    SIGNAL_JOB = "STEADYSPOT_SIGNAL_JOB"
    FORWARD = "STEADYSPOT_FORWARD"
    DRAIN_SECONDS = "STEADYSPOT_DRAIN_SECONDS"
    UPLOADS = "STEADYSPOT_UPLOADS"
    PATIENCE_SECONDS = "STEADYSPOT_PATIENCE_SECONDS"
    SCRATCH_DIR = "STEADYSPOT_SCRATCH_DIR"

    SOCKET = "STEADYSPOT_SOCKET"
    LOCAL_DIR = "STEADYSPOT_LOCAL_DIR"
    LOCAL_SHARDS = "STEADYSPOT_LOCAL_SHARDS"


class Exit(IntEnum):
    """Exit codes of the worker. Any other code is the job's own."""

    FINISHED = 0
    """The run is complete, its outputs are published."""
    AWS_IN_TROUBLE = 69
    """S3 or DynamoDB could not be used for as long as the worker is patient."""
    WORKER_FAULT = 70
    """A fault of the worker's own; the log has the traceback."""
    TRY_AGAIN = 75
    """The job asked to be tried again, or work of it was lost."""
    FENCE_LOST = 76
    """A newer attempt has taken the run over."""
    TIMED_OUT = 124
    """The attempt came to the end of its time."""
    BAD_SETUP = 125
    """The job's set-up cannot work, or the job used the worker wrongly."""
    NOT_RUNNABLE = 126
    """The job's command is there and cannot be run."""
    NOT_FOUND = 127
    """The job's command is not there."""
    INTERRUPTED = 143
    """A stop came from outside before the job was done."""


class Status(StrEnum):
    """The column ``status`` of a run."""

    RUNNING = "running"
    COMMITTING = "committing"
    COMPLETE = "complete"
    UNFINISHED = "unfinished"
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why an attempt ended, as the worker reports it in the column ``stop_report``."""

    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed-out"
    TRY_AGAIN = "try-again"
    WORK_LOST = "work-lost"
    KEPT_IN_MEMORY = "kept-in-memory"
    FAILED = "failed"
    OUT_OF_MEMORY = "out-of-memory"
    FENCE_LOST = "fence-lost"
    AWS_IN_TROUBLE = "aws-in-trouble"
    WORKER_FAULT = "worker-fault"
    BAD_SETUP = "bad-setup"
    MISUSED = "misused"
    NOT_RUNNABLE = "not-runnable"
    NOT_FOUND = "not-found"


class Lacking(StrEnum):
    """What lacks what units done before have left in memory, or in files that are not kept."""

    LATER = "later"
    """Outputs made after the loop."""
    OF_NO_UNIT = "of-no-unit"
    """Outputs that belong to no unit."""
    UNITS = "units"
    """Outputs of the units after them, or others that were made already."""
    IF_FAILED = "if-failed"
    """All, should the job fail: it looks for what they have left."""


class Capacity(StrEnum):
    """What a task runs on."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


class CapacityMode(StrEnum):
    """What a job or a run request asks for: where its attempts may run."""

    SPOT_FIRST = "spot-first"
    SPOT_ONLY = "spot-only"
    ON_DEMAND_ONLY = "on-demand-only"


class Overlap(StrEnum):
    """What becomes of a run that is due while another run of its job is under way."""

    ALLOW = "allow"
    """Both go on."""
    SKIP = "skip"
    """It ends without having begun."""
    QUEUE = "queue"
    """It waits for its turn; who was due first goes first."""
    REPLACE = "replace"
    """The other is stopped, if it was due earlier."""


CLOCKS_DIFFER_SECONDS = 900
"""As much as AWS lets a clock be wrong."""

FENCE_PER_CLAIM = 10_000
"""Fence of a launch = claims x 10,000 + launches of that claim: a number that only grows."""

WORKER_CONTAINER = "worker"
"""Name of the container whose exit code counts; sidecars have other names."""

COMPLETION = "completion.json"

OUTPUTS = "outputs/"
"""How the keys of all outputs begin."""


def checkpoint_prefix(job: str, run_key: str) -> str:
    """Key prefix of a run's checkpoints, with the closing slash."""
    return f"checkpoints/{job}/{run_key}/"


def input_prefix(job: str) -> str:
    """Key prefix of what a job may read besides its own runs, with the closing slash."""
    return f"inputs/{job}/"


def output_prefix(job: str, run_key: str) -> str:
    """Key prefix of a run's outputs and of its ``completion.json``, with the closing slash."""
    return f"{OUTPUTS}{job}/{run_key}/"
