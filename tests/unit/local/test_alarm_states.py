"""When an alarm rings, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from steadyspot.deploy.local.alarm_states import (
    ALARM,
    INSUFFICIENT,
    OK,
    Change,
    Rule,
    next_state,
    reason,
)
from steadyspot.deploy.local.alarms import counted

NOW = datetime(2026, 11, 24, 2, 0, 1, 250_000, tzinfo=UTC)
DEPTH = Rule("GreaterThanOrEqualToThreshold", 1, 1, 1, "notBreaching")
MISSED = Rule("LessThanThreshold", 1, 3, 3, "breaching")


@pytest.mark.parametrize(
    ("rule", "datapoints", "state"),
    [
        (DEPTH, [0.0], OK),
        (DEPTH, [1.0], ALARM),
        (DEPTH, [None], OK),
        (MISSED, [None, None, None], ALARM),
        (MISSED, [None, 1.0, None], OK),
        (replace(DEPTH, missing="missing"), [None], INSUFFICIENT),
        (replace(DEPTH, missing="ignore"), [None], "as it was"),
        (Rule("GreaterThanThreshold", 1, 3, 2), [2.0, 1.0, 2.0], ALARM),
        (Rule("LessThanOrEqualToThreshold", 1, 1, 1), [1.0], ALARM),
    ],
)
def test_the_state_follows_the_datapoints(
    rule: Rule, datapoints: list[float | None], state: str
) -> None:
    assert next_state(rule, datapoints, "as it was") == state


def test_the_reason_names_the_datapoints_and_the_threshold() -> None:
    assert reason(DEPTH, [2.0], NOW, ALARM) == (
        "Threshold Crossed: 1 datapoint [2.0 (24/11/26 02:00:01)] was greater than or equal to "
        "the threshold (1.0)."
    )
    assert "was not greater than or equal to" in reason(DEPTH, [0.0], NOW, OK)


def test_the_reason_says_how_missing_datapoints_were_counted() -> None:
    assert reason(MISSED, [None] * 3, NOW, ALARM) == (
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints "
        "were treated as [Breaching]."
    )
    assert reason(DEPTH, [None], NOW, OK).endswith(
        "1 missing datapoint was treated as [NonBreaching]."
    )
    assert reason(replace(DEPTH, missing="missing"), [None], NOW, INSUFFICIENT).startswith(
        "Insufficient Data"
    )


def test_the_message_is_the_json_of_cloudwatch() -> None:
    change = Change(
        name="night-report-parked",
        arn="arn:aws:cloudwatch:us-east-1:123456789012:alarm:night-report-parked",
        description="Runs wait.",
        account_id="123456789012",
        region="us-east-1",
        old=OK,
        new=ALARM,
        reason="Threshold Crossed",
        at=NOW,
        configured_at=NOW,
        trigger={"MetricName": "ApproximateNumberOfMessagesVisible"},
        actions={ALARM: ["arn:topic"]},
    )
    assert change.subject == 'ALARM: "night-report-parked" in US East (N. Virginia)'
    assert json.loads(change.message) == {
        "AlarmName": "night-report-parked",
        "AlarmDescription": "Runs wait.",
        "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2026-11-24T02:00:01.250+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": "2026-11-24T02:00:01.250+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:night-report-parked",
        "OldStateValue": "OK",
        "OKActions": [],
        "AlarmActions": ["arn:topic"],
        "InsufficientDataActions": [],
        "Trigger": {"MetricName": "ApproximateNumberOfMessagesVisible"},
    }


def test_moments_are_counted_by_period_and_a_period_without_any_has_no_datapoint() -> None:
    seconds = (1, 59, 60, 181, 240, -1)
    moments = [NOW - timedelta(seconds=ago) for ago in seconds]
    assert counted(moments, (60, 4), NOW) == [2.0, 1.0, None, 1.0]
