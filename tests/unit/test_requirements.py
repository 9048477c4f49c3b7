"""The requirements: written once, in pyproject.toml, and locked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
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


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A copy of what names the worker's base image, beside a registry that tells of it."""
    for file in (".ci/base", "worker/Dockerfile"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    (tmp_path / "bin").mkdir()
    for needed in ("sed", "grep", "dirname"):
        (tmp_path / "bin" / needed).symlink_to(str(shutil.which(needed)))
    return tmp_path


def renewed(base: Path, program: str, said: str) -> tuple[int, str]:
    """Ask with a program that says this for the digest; the exit code, and the base then."""
    tool = base / "bin" / program
    tool.write_text(f'#!/bin/sh\necho "$*" >>{base}/asked\n{said}\n')
    tool.chmod(0o755)
    ended = subprocess.run(
        [base / ".ci/base"],
        env={"PATH": str(base / "bin")},
        capture_output=True,
        check=False,
    )
    (line,) = re.findall(r"^ARG BASE_IMAGE=(.*)$", (base / "worker/Dockerfile").read_text(), re.M)
    return ended.returncode, line


@pytest.mark.parametrize("program", ["skopeo", "docker"])
def test_the_base_image_is_named_by_its_digest_and_renewed(base: Path, program: str) -> None:
    tag = re.findall(r"^ARG BASE_IMAGE=([^@\n]*)", (ROOT / "worker/Dockerfile").read_text(), re.M)[
        0
    ]
    for digit in "01":
        digest = f"sha256:{digit * 64}"
        assert renewed(base, program, f"echo {digest}") == (0, f"{tag}@{digest}")
    asked = (base / "asked").read_text().split()
    assert asked[-1].removeprefix("docker://") == tag
    for said in ("exit 1", "echo", "echo sha256:x", "echo latest"):
        assert renewed(base, program, said) == (1, f"{tag}@sha256:{'1' * 64}")
