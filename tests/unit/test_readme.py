"""What the README shows of the workflow is what the workflow is."""

from __future__ import annotations

from statemachines.readme import README, filled


def test_the_picture_and_the_cause_table_are_made_from_the_code() -> None:
    text = README.read_text("utf-8")

    assert "flowchart TD" in text
    assert "| reclaimed | interrupted |" in text
    assert text == filled(text), "run `make render`"
