"""What the pages show of the workflow and of the command is what these are."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

from docs.generate import PICTURE
from docs.picture import WAY, picture
from steadyspot.deploy.cli.main import VERBS
from steadyspot.deploy.cli.verbs.drill import CAUSES
from steadyspot.statemachines.render import definition

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_is_made_from_the_code() -> None:
    assert PICTURE.read_text("utf-8") == picture(), "run `make render`"


def test_the_way_in_the_picture_is_one_that_the_workflow_has() -> None:
    states = definition("job")["States"]
    for state, to in pairwise(WAY):
        assert f'"Next": "{to}"' in json.dumps(states[state]), (state, to)
    assert states[WAY[-1]]["Type"] == "Succeed"


def test_every_picture_of_the_pages_is_there() -> None:
    """GitHub and the site show pictures; the site does not draw a flow chart of Mermaid."""
    for page in DOCS.rglob("*.md"):
        text = page.read_text("utf-8")
        assert "```mermaid" not in text
        for place in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
            assert (page.parent / place).is_file(), (page.name, place)


def test_every_verb_and_every_drill_is_named() -> None:
    commands = (DOCS / "start" / "commands.md").read_text("utf-8")
    assert [verb for verb in VERBS if f"| `steadyspot {verb}" not in commands] == []
    drills = (DOCS / "how-to" / "drills.md").read_text("utf-8")
    assert [drill for drill in CAUSES if f"| `{drill}` |" not in drills] == []
