"""What the pages show of the workflow and of the command is what these are."""

from __future__ import annotations

from pathlib import Path

from docs.generate import LIFE, with_picture
from steadyspot.deploy.cli.main import VERBS
from steadyspot.deploy.cli.verbs.drill import NAMES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_is_made_from_the_code() -> None:
    text = LIFE.read_text("utf-8")

    assert "flowchart TD" in text
    assert text == with_picture(text), "run `make render`"


def test_every_verb_and_every_drill_is_named() -> None:
    commands = (DOCS / "start" / "commands.md").read_text("utf-8")
    assert [verb for verb in VERBS if f"| `steadyspot {verb}" not in commands] == []
    drills = (DOCS / "how-to" / "drills.md").read_text("utf-8")
    assert [drill for drill in NAMES if f"| `{drill}` |" not in drills] == []
