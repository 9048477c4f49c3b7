"""cfn-lint, loaded by the tests that ask it: that takes a second, in each process that has them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

_API = "cfnlint.api"


def lint(template: str) -> list[Any]:
    """What it has against a template."""
    return list(import_module(_API).lint(template))


def lint_file(path: Path) -> list[Any]:
    """What it has against the template in a file."""
    return list(import_module(_API).lint_file(path))
