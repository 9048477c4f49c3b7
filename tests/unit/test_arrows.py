"""The arrows between the rooms, held by import-linter: kept as they are, and able to bite."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")
WRONG = {
    "The worker": ("worker/keeping/fence.py", "steadyspot.statemachines.causes"),
    "What a job imports": ("steadyspot/names.py", "steadyspot.worker.log"),
    "The workflow": ("statemachines/money.py", "steadyspot.deploy.trouble"),
    "The command line": ("deploy/checks/checks.py", "steadyspot.worker.log"),
    "Production": ("deploy/stacks/config.py", "steadyspot.deploy.local.market"),
    "A room of deploy": ("deploy/aws/pace.py", "steadyspot.deploy.runs.records"),
    "A room of the worker": ("worker/keeping/fence.py", "steadyspot.worker.supervising.processes"),
}


def lint(folder: Path) -> dict[str, str]:
    """Return what becomes of each contract, by the beginning of its name."""
    said = subprocess.run(
        [LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    ).stdout
    found = re.findall(r"^(.+) (KEPT|BROKEN)", said, re.MULTILINE)
    return {start: end for start in WRONG for name, end in found if name.startswith(start)}


def test_no_import_points_the_wrong_way() -> None:
    assert lint(ROOT) == dict.fromkeys(WRONG, "KEPT")


def test_all_that_a_job_imports_is_held_to_that() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (api,) = (one for one in contracts["contracts"] if one["id"] == "api")
    own = (path for path in (ROOT / "steadyspot").iterdir() if not path.is_symlink())
    names = {path.stem for path in own} - {"__init__", "__main__", "__pycache__"}
    assert {f"steadyspot.{name}" for name in names} <= set(api["source_modules"])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("steadyspot", "worker", "statemachines", "deploy", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_an_import_that_points_the_wrong_way_is_found_behind_the_links(copy: Path) -> None:
    for file, module in WRONG.values():
        with (copy / file).open("a") as source:
            source.write(f"\nimport {module}\n")
    assert lint(copy) == dict.fromkeys(WRONG, "BROKEN")


def test_a_room_that_no_contract_names_is_found(copy: Path) -> None:
    for side in ("deploy", "worker"):
        (copy / side / "cellar").mkdir()
        (copy / side / "cellar" / "__init__.py").write_text("")
    said = lint(copy)
    assert (said["A room of deploy"], said["A room of the worker"]) == ("BROKEN", "BROKEN")
