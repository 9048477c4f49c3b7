"""A row of the cause table is one edit: everything else follows, whatever its class and answer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

from steadyspot.statemachines.causes.row import Answer, CauseClass

ROOT = Path(__file__).parents[3]
COPIED = ("statemachines", "deploy", "steadyspot", "worker", "examples", "tests")
FIRST_ROW = "ATTEMPTS: tuple[Cause, ...] = (\n"
ROW = """    Cause(
        name="made-up-{kind}-{answer}",
        cause_class=CauseClass("{kind}"),
        answer=Answer("{answer}"),
        says=("Made up {kind}: {answer}!",),
        sentence="It was made up ({kind}, {answer}).",
        next_step="Nothing.",
    ),
"""
AFTER = {
    Answer.FINISH: "Mark it unfinished",  # the record does not say complete
    Answer.WAIT_FOR_SPOT: "Wait for capacity",
    Answer.SPOT_AGAIN: "Run on Fargate Spot",
    Answer.WAIT: "Wait a moment",
    Answer.DECIDE: "Choose capacity",
    Answer.STOP: "Mark it unfinished",
}


def test_a_row_of_any_class_and_answer_is_one_edit(tmp_path: Path) -> None:
    for folder in COPIED:
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            symlinks=True,
            ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".venv", "rendered"),
        )
    table = tmp_path / "statemachines" / "causes" / "of_attempts.py"
    kinds = list(product(CauseClass, Answer))
    rows = "".join(ROW.format(kind=kind.value, answer=answer.value) for kind, answer in kinds)
    before, first, after = table.read_text("utf-8").partition(FIRST_ROW)
    table.write_text(before + first + rows + after, "utf-8")

    shown = subprocess.run(
        [sys.executable, "-m", "tests.unit.statemachines.added_row"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)

    assert len(found) == len(kinds)
    for kind, answer in kinds:
        name = f"made-up-{kind}-{answer}"
        row = found[name]
        followed = {
            key: row[key] for key in ("definition", "reference", "drill", "recorded", "told")
        }
        assert all(followed.values()), (name, followed)
        assert row["after"] == AFTER[answer], name
        if answer in (Answer.FINISH, Answer.STOP):
            assert (row["status"], row["parked"]) == ("FAILED", [name])
            assert row["error"].startswith("Steadyspot.")
        else:
            assert (row["status"], row["parked"]) == ("SUCCEEDED", []), name
