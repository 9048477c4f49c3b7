"""cfn-lint has nothing to say about the templates, nor about the state machines inside."""

from __future__ import annotations

from pathlib import Path

import pytest
from cfnlint.api import lint_file

from tests.unit.templates import PATHS


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_cfn_lint_is_content(path: Path) -> None:
    assert [
        f"{match.rule.id} line {match.linenumber}: {match.message}" for match in lint_file(path)
    ] == []
