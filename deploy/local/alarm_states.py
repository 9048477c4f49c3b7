"""When an alarm is in ALARM, and what it then says: CloudWatch's rules and its message to SNS.

Pure functions of datapoints and of an alarm's settings. Where the datapoints come from, and to whom
the message goes, is left to ``deploy.local.alarms``.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"

_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
}

REGIONS: Mapping[str, str] = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
}
"""How CloudWatch's mails name the regions most used; another is named by its code."""


@dataclass(frozen=True)
class Rule:
    """What of an alarm decides its state. ``missing`` is TreatMissingData."""

    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str = "missing"


def next_state(rule: Rule, datapoints: Sequence[float | None], current: str) -> str:
    """The state for the newest ``evaluation_periods`` datapoints; None is one that is missing."""
    compare, _ = _COMPARISONS[rule.comparison]
    there = [value for value in datapoints if value is not None]
    absent = len(datapoints) - len(there)
    if not there and rule.missing in ("ignore", "missing"):
        return current if rule.missing == "ignore" else INSUFFICIENT
    breaching = sum(compare(value, rule.threshold) for value in there)
    if rule.missing == "breaching":
        breaching += absent
    return ALARM if breaching >= rule.datapoints_to_alarm else OK


def reason(rule: Rule, datapoints: Sequence[float | None], at: datetime, state: str) -> str:
    """NewStateReason, as CloudWatch words it."""
    there = [value for value in datapoints if value is not None]
    if not there:
        if state == INSUFFICIENT:
            return "Insufficient Data: no datapoints were received."
        counted = {"breaching": "[Breaching]", "notBreaching": "[NonBreaching]"}[rule.missing]
        return (
            f"Threshold Crossed: no datapoints were received for {len(datapoints)} "
            f"period{'s' * (len(datapoints) > 1)} and {len(datapoints)} missing "
            f"datapoint{'s were' if len(datapoints) > 1 else ' was'} treated as {counted}."
        )
    _, words = _COMPARISONS[rule.comparison]
    shown = ", ".join(f"{value:.1f} ({at:%d/%m/%y %H:%M:%S})" for value in there[:5])
    plural = len(there) > 1
    verb = ("were" if plural else "was") + ("" if state == ALARM else " not")
    return (
        f"Threshold Crossed: {len(there)} datapoint{'s' * plural} [{shown}] {verb} {words} "
        f"the threshold ({rule.threshold:.1f})."
    )


@dataclass(frozen=True)
class Change:
    """One change of an alarm's state, with all that the message tells."""

    name: str
    arn: str
    description: str | None
    account_id: str
    region: str
    old: str
    new: str
    reason: str
    at: datetime
    configured_at: datetime
    trigger: Mapping[str, Any]
    actions: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The subject of the mail, cut to what SNS takes."""
        where = REGIONS.get(self.region, self.region)
        return f'{self.new}: "{self.name}" in {where}'[:100]

    @property
    def message(self) -> str:
        """The JSON that CloudWatch publishes."""
        return json.dumps(
            {
                "AlarmName": self.name,
                "AlarmDescription": self.description,
                "AWSAccountId": self.account_id,
                "AlarmConfigurationUpdatedTimestamp": _stamp(self.configured_at),
                "NewStateValue": self.new,
                "NewStateReason": self.reason,
                "StateChangeTime": _stamp(self.at),
                "Region": REGIONS.get(self.region, self.region),
                "AlarmArn": self.arn,
                "OldStateValue": self.old,
                "OKActions": self.actions.get(OK, []),
                "AlarmActions": self.actions.get(ALARM, []),
                "InsufficientDataActions": self.actions.get(INSUFFICIENT, []),
                "Trigger": dict(self.trigger),
            },
            separators=(",", ":"),
        )


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"
