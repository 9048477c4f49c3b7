"""What expressions know by name without a file: numbers, the contract's names, single causes.

``PARAMETERS`` are the parameters of a job's template. CloudFormation puts them in once, where the
first state assigns the variable ``job``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from steadyspot.contract import (
    CLOCKS_DIFFER_SECONDS,
    ENV_PREFIX,
    FENCE_PER_CLAIM,
    WORKER_CONTAINER,
    Overlap,
    columns,
    messages,
)
from steadyspot.contract import metrics as metric_names
from steadyspot.contract.keys import DRILL_KEY, LONGEST_RUN_KEY
from steadyspot.contract.parameters import GIVEN_CHARACTERS
from steadyspot.contract.shards import LIST_OF_SHARDS, MOST_SHARDS, shards_prefix
from steadyspot.statemachines.causes.of_runs import (
    EXECUTION_ENDED,
    HELD,
    NOT_CLAIMED,
    NOT_CONTINUED,
    QUEUE_FULL,
    REPLACED,
    SHARDS_UNFINISHED,
    SKIPPED,
    TAMPERED,
)
from steadyspot.statemachines.causes.row import Cause, CauseClass
from steadyspot.statemachines.causes.texts import GIVEN_UP

TRANSITION_PRICE = 0.000025
"""US dollars of a state transition of a Standard workflow (AWS's price list, mid-2026)."""

COMMAND_CHARACTERS = 4900
"""AWS: RunTask's overrides have at most 8,192 characters; the worker's variables take 1,700, the
job's parameters 1,000 at most."""

GROWTH = 3
"""Of waits, from one to the next: the longer Spot is refused, the longer it will be."""
REFUSALS_OF_ON_DEMAND = 50
"""After so many the quota is too small, or the region is in trouble."""
MOST_ATTEMPTS = 200
"""Of one execution, after which the run goes on in another: with KEPT_ATTEMPTS they stay below the
256 KiB that a state may hand on and below the 400 KB of an item. Step Functions tells no execution
how long its history is; a launch costs it 15 events or so, and 85 where every call is
retried to the last, so that it stays below 20,000 of the 25,000 that there may be."""
ATTEMPTS_PER_STATE_WAITED = 0.15
"""What a state counts for in MOST_ATTEMPTS that was entered before the run was claimed, waiting for
its turn: 10 events where every call is retried to the last."""
KEPT_ATTEMPTS = 50
"""Of earlier executions that the next one carries along; of those before, only the seconds."""

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10, 3600
"""Of a run that waits for its turn, between two looks."""
PAUSE_SHARE = 0.1
"""Of the time waited so far that a run waits until it looks again: a look is billed, so that they
become rarer, and the turn lies idle for no more than a tenth of what was waited."""
LONG_PAUSE_SHARE = 0.03
"""The same beyond LONGEST_PAUSE_SECONDS, after 33 hours, for a year of waiting to stay below 300
looks and within one history."""
REFUSED_OTHERS, WEATHER_SECONDS = 2, 900
"""So many refusals of other runs, of the latest three on the platform, within so many seconds mean
that Spot is short for all."""
COOL_OFF_SECONDS = 120
"""After the latest of them for which nobody asks; then who looks first asks for all."""
LAUNCHES_A_SECOND = 10
"""Starts of shards. Fargate launches 20 tasks a second, on Spot and on on-demand each, with a burst
of 100, and takes 20 calls of RunTask, for all jobs of an account and region together ("AWS Fargate
throttling quotas" in the developer guide of Amazon ECS): half of that is left to others."""
SHARDS_OF_PAGE = 100
"""Records that are read at once: of each some hundred bytes, of 256 KiB that a result may have."""
GONE_SECONDS = 30
"""For which *After the end* may give back the turn of an execution that has ended."""


def told_after_the_end(cause: Cause, outcome: str) -> dict[str, str]:
    """Return what *After the end* tells of a row; its definition travels within a template."""
    return {
        "name": cause.name,
        messages.OUTCOME: outcome,
        messages.SENTENCE: cause.sentence,
        messages.NEXT_STEP: cause.next_step,
    }


UNKNOWN_OF_BROKEN_OFF: dict[str, Any] = {
    "class": {"S": CauseClass.INTERRUPTED.value},
    "error": {"S": ""},
    "stop_code": {"S": ""},
    "stopped_reason": {"S": ""},
    "exit_code": {"N": "-1"},
    "started": {"BOOL": True},
    "gained": {"BOOL": False},
    "units_done": {"N": "0"},
}
"""Columns of an attempt that *After the end* does not write."""

METRIC_NAMES = {
    "job": metric_names.JOB,
    "capacity": metric_names.CAPACITY,
    "cause": metric_names.CAUSE,
    "outcome": metric_names.OUTCOME,
    "runs": metric_names.RUNS,
    "refusals": metric_names.REFUSALS,
    "finishDelay": metric_names.FINISH_DELAY,
    **{outcome: outcome for outcome in metric_names.OUTCOMES},
}
"""Of ``counting``: metrics, dimensions and outcomes."""

VALUES: dict[str, Any] = {
    "brokenOff": UNKNOWN_OF_BROKEN_OFF,
    "fencePerClaim": FENCE_PER_CLAIM,
    "workerContainer": WORKER_CONTAINER,
    "workerSuffix": columns.WORKER_SUFFIX,
    "onSchedule": messages.ON_SCHEDULE,
    "offSchedule": messages.OFF_SCHEDULE,
    "runningSince": columns.RUNNING_SINCE,
    "parkedSince": columns.PARKED_SINCE,
    "totals": columns.TOTALS,
    "shardsSuffix": columns.SHARDS_SUFFIX,
    "openRun": columns.OPEN,
    "openShard": columns.OPEN_SHARD,
    "day": columns.DAY,
    "environmentPrefix": ENV_PREFIX,
    "transitionPrice": TRANSITION_PRICE,
    "never": 9_000_000_000_000_000,  # milliseconds since the epoch, later than anything
    "growth": GROWTH,
    "refusalsOfOnDemand": REFUSALS_OF_ON_DEMAND,
    # Among the reasons why a transaction was cancelled (AWS's reference of TransactWriteItems).
    "conditionFailed": "ConditionalCheckFailed",
    "mostRefusals": 20,  # of a write of After the end, with waits of 300 s at most between them
    "longestWriteSeconds": 300,
    "givenUp": GIVEN_UP,
    "fewestRuns": 5,  # that teach how long a run takes
    "shownAttempts": 20,  # in a mail; Spot that is refused for long makes more
    "shownCharacters": 500,  # of what AWS says; all of it is read
    "printedLines": 10,  # of the job, in a mail
    "printedCharacters": 160,  # of each
    "logStreamPrefix": f"run/{WORKER_CONTAINER}/",
    "longestRunKey": LONGEST_RUN_KEY,
    "drillKey": DRILL_KEY,
    # What schemas/run-request.schema.json allows.
    "mostExpectedMinutes": 40_000,
    "mostMinutesToFinish": 400_000,
    "mostOfBudget": 100,
    "commandCharacters": COMMAND_CHARACTERS,
    "givenCharacters": GIVEN_CHARACTERS,
    # A state hands on at most 256 KiB, also to the queue; the text is escaped twice on that way.
    "inputCharacters": 20_000,
    "mostAttempts": MOST_ATTEMPTS,
    "keptAttempts": KEPT_ATTEMPTS,
    "attemptsPerStateWaited": ATTEMPTS_PER_STATE_WAITED,
    "rowNotContinued": NOT_CONTINUED.as_data(),
    "rowTampered": TAMPERED.as_data(),
    "rowNotClaimed": NOT_CLAIMED.as_data(),
    "rowExecutionEnded": told_after_the_end(EXECUTION_ENDED, "stopped"),
    "rowReplaced": told_after_the_end(REPLACED, messages.REPLACED),
    "rowSkipped": SKIPPED.as_data(),
    "rowQueueFull": QUEUE_FULL.as_data(),
    "turnSuffix": columns.TURN_SUFFIX,
    "turnKey": columns.TURN,
    "shortestPause": SHORTEST_PAUSE_SECONDS,
    "longestPause": LONGEST_PAUSE_SECONDS,
    "pauseShare": PAUSE_SHARE,
    "longPauseShare": LONG_PAUSE_SHARE,
    "mostWaiting": 1_000,  # in one item; of queue_at_most see the schema
    "goneSeconds": GONE_SECONDS,
    "mostShards": MOST_SHARDS,
    "markOfShard": shards_prefix(""),
    "launchesASecond": LAUNCHES_A_SECOND,
    "shardsOfPage": SHARDS_OF_PAGE,
    "listOfShards": LIST_OF_SHARDS,
    "shownShards": 20,  # of those that are unfinished
    "slowestShards": 5,
    "clocksDifferSeconds": CLOCKS_DIFFER_SECONDS,
    "rowShardsUnfinished": SHARDS_UNFINISHED.as_data(),
    "overlapAllow": Overlap.ALLOW.value,
    "overlapQueue": Overlap.QUEUE.value,
    "overlapReplace": Overlap.REPLACE.value,
    "refusedIn": columns.REFUSED_IN,
    "reclaimedIn": columns.RECLAIMED_IN,
    "rowHeld": HELD.as_data(),
    "refusedOthers": REFUSED_OTHERS,
    "weatherSeconds": WEATHER_SECONDS,
    "coolOffSeconds": COOL_OFF_SECONDS,
    "goneOn": messages.GONE_ON,
    "replacing": messages.REPLACING,
    "metric": METRIC_NAMES,
}


class Parameters(NamedTuple):
    """JSONata that CloudFormation fills in."""

    comment: str
    lines: list[str]


_TEXTS = {
    "name": "Job",
    "table": "Table",
    "bucket": "Bucket",
    "queue": "Queue",
    "topic": "Topic",
    "cluster": "Cluster",
    "taskDefinition": "TaskDefinition",
    "region": "Region",
    "architecture": "Architecture",
    "log": "Log",
    "capacity": "Capacity",
    "rerun": "Rerun",
    "overlap": "Overlap",
    "tellEveryRun": "TellEveryRun",
    "priceDate": "PriceDate",
    "commandOverride": "CommandOverride",
    "debug": "Debug",
    "zoneOffsets": "ZoneOffsets",
}
_NUMBERS = {
    messages.FINISH_WITHIN_MINUTES: "FinishWithinMinutes",
    messages.EXPECTED_MINUTES: "ExpectedMinutes",
    "maximumWaitMinutes": "MaximumWaitMinutes",
    "missedAfterHours": "MissedAfterHours",
    "launchMinutes": "LaunchMinutes",
    "limitMinutes": "LimitMinutes",
    "queueAtMost": "QueueAtMost",
    "shardCount": "Shards",
    "shardsAtOnce": "ShardsAtOnce",
    "lockDays": "LockDays",
    "stopTimeout": "StopTimeout",
    "backoffSeconds": "BackoffSeconds",
    "backoffCapSeconds": "BackoffCapSeconds",
    "startUpSeconds": "StartUpSeconds",
    "marginSeconds": "MarginSeconds",
    "cpu": "Cpu",
    "memoryGb": "MemoryGb",
    "spotDiscount": "SpotDiscount",
    "vcpuHourPrice": "VcpuHourPrice",
    "gbHourPrice": "GbHourPrice",
    "keepRunsDays": "KeepRunsDays",
}
PARAMETERS = Parameters(
    "The job's parameters, filled in by CloudFormation.",
    [
        "{",
        *(f"  '{name}': '${{{parameter}}}'," for name, parameter in _TEXTS.items()),
        *(f"  '{name}': $number('${{{parameter}}}')," for name, parameter in _NUMBERS.items()),
        "  'budgets': {",
        "    'interruptions': $number('${Interruptions}'),",
        "    'throttles': $number('${Throttles}'),",
        "    'infrastructure': $number('${Infrastructure}'),",
        "    'failures': $number('${Failures}')",
        "  },",
        # An object of JSON, but in single quotes: no other may stand in what is filled in.
        """  'network': $parse($replace("${Network}", "'", '"'))""",
        "}",
    ],
)
