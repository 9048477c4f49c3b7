"""The requirements: written once, in pyproject.toml, and locked."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PIPFILE = tomllib.loads((ROOT / "Pipfile").read_text())
LOCK = json.loads((ROOT / "Pipfile.lock").read_text())


IMAGES = ("examples/requirements.txt", "worker/requirements.txt")
"""What repeats locked releases, since an image is built without the lock."""


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


@pytest.mark.parametrize("file", IMAGES)
def test_an_image_has_the_locked_releases_with_their_hashes(file: str) -> None:
    text = (ROOT / file).read_text()
    pinned = re.findall(r"([\w.-]+)==([\w.]+)", text)
    assert pinned
    for name, version in pinned:
        locked = {**LOCK["default"], **LOCK["develop"]}.get(canonicalize_name(name))
        assert locked, f"{name} is not locked"
        assert locked["version"] == f"=={version}", f"{file} has another release: run make lock"
    for digest in re.findall(r"--hash=(sha256:[0-9a-f]+)", text):
        assert any(digest in entry.get("hashes", ()) for entry in LOCK["default"].values())


@pytest.mark.parametrize(
    ("dockerfile", "file"),
    [("Dockerfile", IMAGES[0]), ("worker/Dockerfile", IMAGES[1])],
)
def test_an_image_installs_nothing_without_its_hash(dockerfile: str, file: str) -> None:
    text = (ROOT / dockerfile).read_text()
    assert f"COPY {file}" in text
    assert text.count("pip install") == text.count("--require-hashes") == 1
    pinned = re.findall(r"==[\w.]+ \\\n    --hash=sha256:", (ROOT / file).read_text())
    assert len(pinned) == (ROOT / file).read_text().count("==")
