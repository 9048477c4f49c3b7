"""The requirements: written once, in pyproject.toml, and locked."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PIPFILE = tomllib.loads((ROOT / "Pipfile").read_text())
LOCK = json.loads((ROOT / "Pipfile.lock").read_text())


def requirements() -> Iterator[Requirement]:
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        yield from map(Requirement, texts)


def test_the_pipfile_refers_to_the_project_with_all_of_its_extras_and_to_no_registry() -> None:
    assert list(PIPFILE["packages"]) == ["steadyspot"]
    assert PIPFILE["packages"]["steadyspot"]["extras"] == sorted(PROJECT["optional-dependencies"])
    assert "source" not in PIPFILE
    assert LOCK["_meta"]["sources"] == []


def test_each_requirement_is_locked_to_a_release_that_it_allows() -> None:
    locked = {
        canonicalize_name(name): entry.get("version", "").removeprefix("==")
        for name, entry in LOCK["default"].items()
    }
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        assert name in locked, "run make lock"
        assert locked[name] in requirement.specifier, "run make lock"
