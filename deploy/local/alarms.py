"""CloudWatch alarms of the local target, looked at every moment instead of every minute.

moto keeps alarms and never evaluates one. Here the metrics that the templates use are taken from
the real queues (AWS/SQS), executions (AWS/States) and what the bus counts (AWS/Events); a change of
state, and only that, goes to the alarm's topics as the JSON that CloudWatch publishes.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Alarm, MetricDatumBase, cloudwatch_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from steadyspot.deploy.local.alarm_states import (
    ALARM,
    INSUFFICIENT,
    OK,
    Change,
    Rule,
    next_state,
    reason,
)

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2

_DEPTHS = {
    "ApproximateNumberOfMessagesVisible": "approximate_number_of_messages",
    "ApproximateNumberOfMessagesNotVisible": "approximate_number_of_messages_not_visible",
    "ApproximateNumberOfMessagesDelayed": "approximate_number_of_messages_delayed",
}
_ENDS = {
    "ExecutionsSucceeded": "SUCCEEDED",
    "ExecutionsFailed": "FAILED",
    "ExecutionsAborted": "ABORTED",
    "ExecutionsTimedOut": "TIMED_OUT",
}

Series = list[float | None]
"""Datapoints of a metric, newest first; None where there was nothing to count."""

_Metric = tuple[str, frozenset[tuple[str, str]]]
"""A metric's name and its dimensions."""


class AlarmWatch:
    """Evaluates the alarms of a region. ``start`` and ``stop`` may be called twice."""

    def __init__(
        self, region: str, account_id: str, *, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._region = region
        self._account_id = account_id
        self._look_seconds = look_seconds
        self._known: dict[str, str] = {}
        self._counts = _Counts([])
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> AlarmWatch:
        """Begin to look at alarms."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> AlarmWatch:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def knows(self, name: str) -> bool:
        """Whether an alarm was evaluated at least once."""
        return name in self._known

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            try:
                self.look(datetime.now(UTC))
            except Exception:  # one alarm must not silence the others for good
                _LOG.exception("The alarms stumbled")

    def look(self, now: datetime) -> None:
        """Evaluate every alarm once, and tell what changed."""
        backend = cloudwatch_backends[self._account_id][self._region]
        if self._counts.data is not backend.metric_data:
            self._counts = _Counts(backend.metric_data)
        self._counts.read()
        alarms = backend.alarms
        for name, alarm in list(alarms.items()):
            old = self._known.get(name, INSUFFICIENT)
            if alarm.state_value != old and name in self._known:
                # Someone set the state by hand (SetAlarmState), which CloudWatch tells as well.
                self._change(alarm, old, alarm.state_value, alarm.state_reason, now)
                old = alarm.state_value
            self._known[name] = self._evaluate(alarm, old, now)
        for name in set(self._known) - set(alarms):
            del self._known[name]

    def _evaluate(self, alarm: Alarm, old: str, now: datetime) -> str:
        """Return the state, which somebody may set by hand at this very moment."""
        datapoints = self._datapoints(alarm, now)
        if datapoints is None:
            return old
        rule = rule_of(alarm)
        new = next_state(rule, datapoints, old)
        if new != old:
            why = reason(rule, datapoints, now, new)
            alarm.update_state(why, "{}", new)
            self._change(alarm, old, new, why, now)
        return new

    def _change(self, alarm: Alarm, old: str, new: str, why: str, now: datetime) -> None:
        actions = {
            OK: list(alarm.ok_actions),
            ALARM: list(alarm.alarm_actions),
            INSUFFICIENT: list(alarm.insufficient_data_actions),
        }
        if not alarm.actions_enabled:
            return
        change = Change(
            name=alarm.name,
            arn=alarm.alarm_arn,
            description=alarm.description,
            account_id=self._account_id,
            region=self._region,
            old=old,
            new=new,
            reason=why,
            at=now,
            configured_at=alarm.configuration_updated_timestamp,
            trigger=trigger_of(alarm),
            actions=actions,
        )
        for topic in actions[new]:
            try:
                sns_backends[self._account_id][self._region].publish(
                    change.message, topic, subject=change.subject
                )
            except Exception as error:  # a topic that is gone or refuses; CloudWatch goes on, too
                _LOG.warning("%s could not tell %s: %s", alarm.name, topic, error)

    def _datapoints(self, alarm: Alarm, now: datetime) -> Series | None:
        """The newest datapoints of an alarm's metric, None where nobody measures it here."""
        dimensions = {str(item.name): str(item.value) for item in alarm.dimensions}
        span = (alarm.period, alarm.evaluation_periods)
        return self._of_metric(alarm.namespace, alarm.metric_name, dimensions, span, now)

    def _of_metric(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        span: tuple[int, int],
        now: datetime,
    ) -> Series | None:
        if namespace == "AWS/SQS" and metric in _DEPTHS:
            queues = sqs_backends[self._account_id][self._region].queues
            queue = queues.get(dimensions.get("QueueName", ""))
            depth = None if queue is None else float(getattr(queue, _DEPTHS[metric]))
            return [depth] + [None] * (span[1] - 1)
        if namespace == "AWS/States" and metric in _ENDS:
            machine = dimensions.get("StateMachineArn", "")
            return counted(self._ends(machine, _ENDS[metric]), span, now)
        if namespace == "AWS/Events":
            return counted(self._counts.of(metric, dimensions), span, now)
        return None

    def _ends(self, machine_arn: str, status: str) -> Iterator[datetime]:
        """When executions ended so."""
        machines = stepfunctions_parser_backends[self._account_id][self._region].state_machines
        for machine in list(machines):
            if machine.arn != machine_arn:
                continue
            for execution in list(machine.executions):
                ended = getattr(execution, "stop_date", None)
                if execution.status == status and ended is not None:
                    yield ended


class _Counts:
    """When each metric of AWS/Events that counts was put.

    What was put is only ever appended to; going through all of it for each alarm at each look
    would take most of the time of an embedded AWS that has been up for a while.
    """

    def __init__(self, data: list[MetricDatumBase]) -> None:
        self.data = data
        self._read = 0
        self._moments: defaultdict[_Metric, list[datetime]] = defaultdict(list)

    def read(self) -> None:
        """Take in what was appended since."""
        new = self.data[self._read :]
        self._read += len(new)
        for datum in new:
            if datum.namespace == "AWS/Events":
                dimensions = frozenset((str(d.name), str(d.value)) for d in datum.dimensions)
                moment = datum.timestamp.replace(tzinfo=UTC)
                self._moments[datum.name, dimensions].append(moment)

    def of(self, metric: str, dimensions: Mapping[str, str]) -> list[datetime]:
        """When a metric of these dimensions was put."""
        return self._moments.get((metric, frozenset(dimensions.items())), [])


def counted(moments: Iterable[datetime], span: tuple[int, int], now: datetime) -> Series:
    """How many moments lie in each period; a period without any has no datapoint.

    ``span``: seconds of a period, and how many periods.
    """
    period, count = timedelta(seconds=span[0]), span[1]
    counts: Series = [None] * count
    for moment in moments:
        index = (now - moment) // period
        if 0 <= index < count:
            counts[index] = (counts[index] or 0.0) + 1.0
    return counts


def rule_of(alarm: Alarm) -> Rule:
    """What decides an alarm's state."""
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=alarm.evaluation_periods,
        datapoints_to_alarm=alarm.datapoints_to_alarm or alarm.evaluation_periods,
        missing=alarm.treat_missing_data or "missing",
    )


def trigger_of(alarm: Alarm) -> dict[str, Any]:
    """``Trigger`` of the message."""
    common = {
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": float(alarm.threshold),
        "TreatMissingData": alarm.treat_missing_data or "",
        "EvaluateLowSampleCountPercentile": "",
    }
    if alarm.datapoints_to_alarm:
        common["DatapointsToAlarm"] = alarm.datapoints_to_alarm
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic",
        "Statistic": (alarm.statistic or "").upper(),
        "Unit": alarm.unit,
        "Dimensions": [{"value": item.value, "name": item.name} for item in alarm.dimensions],
        **common,
    }
