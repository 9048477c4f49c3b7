"""What the README shows of the workflow is what the workflow is."""

from __future__ import annotations

from steadyspot.deploy.cli.main import VERBS
from steadyspot.deploy.cli.verbs.drill import NAMES
from steadyspot.statemachines.readme import README, filled


def test_the_picture_and_the_cause_table_are_made_from_the_code() -> None:
    text = README.read_text("utf-8")

    assert "flowchart TD" in text
    assert "| reclaimed | interrupted |" in text
    assert text == filled(text), "run `make render`"


def test_every_verb_and_every_drill_is_named() -> None:
    text = README.read_text("utf-8")
    assert [verb for verb in VERBS if f"| `steadyspot {verb}" not in text] == []
    assert [drill for drill in NAMES if f"`{drill}`" not in text] == []
