"""CloudWatch alarms of the local target, looked at every moment instead of every minute.

moto keeps alarms and never evaluates one. Here the metrics that the templates use are taken from
the real queues (AWS/SQS) and executions (AWS/States); a change of state, and only that, goes to
the alarm's topics as the JSON that CloudWatch publishes.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Alarm, cloudwatch_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from deploy.local.alarm_states import ALARM, INSUFFICIENT, OK, Change, Rule, next_state, reason

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
_FILLED = re.compile(r"FILL\((\w+),\s*(\d+)\)|(\w+)")

Series = list[float | None]
"""Datapoints of a metric, newest first; None where there was nothing to count."""


class AlarmWatch:
    """Evaluates the alarms of a region. ``start`` and ``stop`` may be called twice."""

    def __init__(
        self, region: str, account_id: str, *, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._region = region
        self._account_id = account_id
        self._look_seconds = look_seconds
        self._known: dict[str, str] = {}
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
        alarms = cloudwatch_backends[self._account_id][self._region].alarms
        for name, alarm in list(alarms.items()):
            old = self._known.get(name, INSUFFICIENT)
            if alarm.state_value != old and name in self._known:
                # Someone set the state by hand (SetAlarmState), which CloudWatch tells as well.
                self._change(alarm, old, alarm.state_value, alarm.state_reason, now)
                old = alarm.state_value
            self._evaluate(alarm, old, now)
            self._known[name] = alarm.state_value
        for name in set(self._known) - set(alarms):
            del self._known[name]

    def _evaluate(self, alarm: Alarm, old: str, now: datetime) -> None:
        datapoints = self._datapoints(alarm, now)
        if datapoints is None:
            return
        rule = rule_of(alarm)
        new = next_state(rule, datapoints, old)
        if new != old:
            why = reason(rule, datapoints, now, new)
            alarm.update_state(why, "{}", new)
            self._change(alarm, old, new, why, now)

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
        count = alarm.evaluation_periods
        if alarm.metric_data_queries:
            return self._of_expression(alarm.metric_data_queries, count, now)
        dimensions = {str(item.name): str(item.value) for item in alarm.dimensions}
        return self._of_metric(
            alarm.namespace, alarm.metric_name, dimensions, (alarm.period, count), now
        )

    def _of_expression(self, queries: Sequence[Any], count: int, now: datetime) -> Series | None:
        """A sum of metrics, each perhaps filled: ``FILL(a,0)+FILL(b,0)``. No other mathematics."""
        series: dict[str, Series | None] = {}
        result = None
        for query in queries:
            if query.metric_stat is None:
                result = query
                continue
            metric = query.metric_stat.metric
            dimensions = {str(item.name): str(item.value) for item in metric.dimensions}
            series[query.id] = self._of_metric(
                metric.namespace,
                metric.metric_name,
                dimensions,
                (int(query.metric_stat.period), count),
                now,
            )
        return None if result is None else added(str(result.expression), series, count)

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
            return self._ends(dimensions.get("StateMachineArn", ""), _ENDS[metric], span, now)
        return None

    def _ends(self, machine_arn: str, status: str, span: tuple[int, int], now: datetime) -> Series:
        """How many executions ended so, by period; a period without any end has no datapoint."""
        period, count = timedelta(seconds=span[0]), span[1]
        counts: Series = [None] * count
        machines = stepfunctions_parser_backends[self._account_id][self._region].state_machines
        for machine in list(machines):
            if machine.arn != machine_arn:
                continue
            for execution in list(machine.executions):
                ended = getattr(execution, "stop_date", None)
                if execution.status != status or ended is None:
                    continue
                index = (now - ended) // period
                if 0 <= index < count:
                    counts[index] = (counts[index] or 0.0) + 1.0
        return counts


def added(expression: str, series: Mapping[str, Series | None], count: int) -> Series | None:
    """The sum of series as an expression names them; None where it asks for more than a sum."""
    total: Series = [0.0] * count
    for term in expression.replace(" ", "").split("+"):
        match = _FILLED.fullmatch(term)
        values = series.get(match[1] or match[3]) if match else None
        if match is None or values is None:
            return None
        filler = float(match[2]) if match[2] else None
        for index, value in enumerate(values):
            filled = filler if value is None else value
            before = total[index]
            total[index] = None if filled is None or before is None else before + filled
    return total


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
    if not alarm.metric_data_queries:
        return {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": (alarm.statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": item.value, "name": item.name} for item in alarm.dimensions],
            **common,
        }
    return {"Metrics": [_query(query) for query in alarm.metric_data_queries], **common}


def _query(query: Any) -> dict[str, Any]:
    shown = {"Id": query.id, "ReturnData": query.return_data}
    if query.metric_stat is None:
        return {"Expression": query.expression, "Label": query.label, **shown}
    metric = query.metric_stat.metric
    return {
        "MetricStat": {
            "Metric": {
                "Dimensions": [
                    {"value": item.value, "name": item.name} for item in metric.dimensions
                ],
                "MetricName": metric.metric_name,
                "Namespace": metric.namespace,
            },
            "Period": query.metric_stat.period,
            "Stat": query.metric_stat.stat,
        },
        **shown,
    }
