"""Each alarm names its page, and the page says what it means, where to look and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.stacks import notify_parts
from tests.unit.templates import of_type

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"


def alarms() -> dict[str, Any]:
    """Descriptions of all alarms of the templates, and of those that parts bring, by their ends."""
    found: dict[str, Any] = {}
    for name in ("job", "platform"):
        for body in of_type(name, "AWS::CloudWatch::Alarm").values():
            end = body["AlarmName"]["Fn::Sub"].rpartition("-")[2]
            found[end] = json.dumps(body["AlarmDescription"])
    untold = notify_parts._undelivered()["UntoldAlarm"]["Properties"]
    found[untold["AlarmName"]["Fn::Sub"].rpartition("-")[2]] = json.dumps(
        untold["AlarmDescription"]
    )
    return found


@pytest.mark.parametrize("alarm", alarms())
def test_an_alarm_names_its_page(alarm: str) -> None:
    assert f"docs/runbooks/{alarm}.md" in alarms()[alarm]
    page = (FOLDER / f"{alarm}.md").read_text("utf-8")
    assert page.startswith("# The alarm PLATFORM-")
    for part in ("**Means**", "**Look**", "**Do**", "**It is over**"):
        assert part in page


def test_no_page_is_of_an_alarm_that_there_is_not() -> None:
    assert {page.stem for page in FOLDER.glob("*.md")} == set(alarms())
