"""cfn-lint has nothing to say about the templates, nor about the state machines inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steadyspot.deploy.local.cloudformation.text import parsed
from steadyspot.statemachines.render import definition
from tests.unit.linting import lint, lint_file
from tests.unit.templates import PATHS


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_cfn_lint_is_content(path: Path) -> None:
    assert [
        f"{match.rule.id} line {match.linenumber}: {match.message}" for match in lint_file(path)
    ] == []


def test_cfn_lint_is_content_with_the_workflow_of_a_job_too() -> None:
    """It looks into a definition only where that is in the template, and knows no expression."""
    template = parsed(PATHS["job"].read_text("utf-8"))
    workflow = definition("job")
    for state in workflow["States"].values():
        for field in ("TimeoutSeconds", "MaxConcurrency"):
            if field in state:
                state[field] = 60
    machine = template["Resources"]["StateMachine"]
    del machine["Properties"]["DefinitionS3Location"]
    machine["Properties"]["DefinitionString"] = json.dumps(workflow)
    assert [match.message for match in lint(json.dumps(template)) if match.rule.id == "E3601"] == []
