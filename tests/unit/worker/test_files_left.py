"""Which files are taken for what units have left, whoever wrote them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from steadyspot.memory.births import made_at
from steadyspot.memory.files_left import FilesLeft
from steadyspot.memory.files_outside import FilesOutside


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Of the attempt, as that of a container; the other folders of tests have older ones above."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def left_by(disk: Path, unit: Callable[[], object], folders: tuple[str, ...] = ()) -> FilesLeft:
    """What a unit has left in a resumed attempt."""
    left = FilesLeft(folders)
    left.begin()
    unit()
    left.unit_ends()
    left.loop_ends()
    return left


def test_file_was_made_when_it_was_made(disk: Path) -> None:
    begun = time.time_ns()
    (disk / "a").write_text("1")
    made = made_at(str(disk / "a"))
    assert made is not None
    assert abs(made - begun) < 10**9
    assert made_at(str(disk / "b")) is None


def test_file_that_a_unit_or_another_program_wrote_is_left(disk: Path) -> None:
    shared = disk / "shared"
    shared.write_text("before")
    (disk / "untouched").write_text("before")

    def unit() -> None:
        (disk / "new").write_text("1")
        subprocess.run(["sh", "-c", f"echo more >> {shared}"], check=True)

    left = left_by(disk, unit)
    (disk / "later").write_text("1")
    assert left.find(str(disk / "new")) == (str(disk / "new"), False)
    assert left.find(str(shared)) == (str(shared), True)
    assert [left.find(str(disk / each)) for each in ("untouched", "later", "none")] == [None] * 3


@pytest.mark.parametrize(
    "name",
    [
        "job.log",
        "cache.json",
        "http-cache/page",
        ".hidden/part",
        "__pycache__/a.pyc",
        "own",
        "run/a",
    ],
)
def test_file_of_no_work_is_not_left(disk: Path, name: str) -> None:
    path = disk / name
    path.parent.mkdir(exist_ok=True)
    left = left_by(disk, lambda: path.write_text("1"), (str(disk / "run"), ""))
    left.own.add(str(disk / "own"))
    assert left.find(str(path)) is None


@pytest.mark.parametrize("name", ["catalog.csv", "cached", "geocaches", "runs/a", "dialogs/a"])
def test_file_whose_name_only_looks_like_that_is_left(disk: Path, name: str) -> None:
    path = disk / name
    path.parent.mkdir(exist_ok=True)
    left = left_by(disk, lambda: path.write_text("1"), (str(disk / "run"),))
    assert left.find(str(path))


@pytest.mark.parametrize(
    "text",
    ["{0}/part-1.csv", "{0}", "cat '{0}/part-1.csv' > all", "{0}/*.csv", "x --in={0}/part-1.csv"],
)
def test_text_names_what_is_left(disk: Path, text: str) -> None:
    part = disk / "part-1.csv"
    left = left_by(disk, lambda: part.write_text("1"))
    assert list(left.below(text.format(disk))) == [(str(part), False)]
    assert list(left.below(text.format(disk / "other"))) == []


def test_text_names_what_is_left_in_a_folder(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = disk / "part-1.csv"
    left = left_by(disk, lambda: part.write_text("1"))
    assert list(left.below("select * from 'part-*.csv'", str(disk)))
    assert not list(left.below("/ . ./ ''", str(disk)))
    monkeypatch.setenv("WORK", str(disk))
    assert list(left.below("cat $WORK/*.csv | sort"))


def test_database_that_is_open_is_left_with_what_lies_beside_it(disk: Path) -> None:
    base = sqlite3.connect(disk / "rows.db", isolation_level=None)
    base.execute("pragma journal_mode=wal")
    base.execute("create table rows (unit)")
    with (disk / "rows.txt").open("w+") as text:
        left = left_by(disk, lambda: base.execute("insert into rows values (1)"))
        text.write("1")
        assert list(left.databases_left()) == [(str(disk / "rows.db"), True)]
    assert list(left_by(disk, lambda: None).databases_left()) == []
    base.close()
    assert list(left.databases()) == []


def test_missing_file_may_have_been_where_others_of_its_kind_are_left(disk: Path) -> None:
    old = Path(__file__).parent
    left = left_by(disk, lambda: (disk / "part-1.csv").write_text("1"))
    assert left.may_have_been(str(disk / "part-0.csv"))
    assert not left.may_have_been(str(old / "part-0.csv"))
    assert not left.may_have_been(str(old / "none" / "part-0.csv"))


def test_only_what_the_program_failed_for_was_missed(disk: Path) -> None:
    outside = FilesOutside(())
    outside.left.begin()
    for event, arguments in (
        ("open", (str(disk / "part-0.csv"), "r", os.O_RDONLY)),
        ("subprocess.Popen", ("cat", ["cat", f"{disk}/part-1.csv"], None, None)),
    ):
        outside.hear(event, arguments)
    assert outside.missed(None) == []
    assert outside.missed(ValueError("no part")) == []
    error = ValueError("no parts")
    error.__context__ = FileNotFoundError(f"{disk}/part-0.csv")
    assert outside.missed(error) == ["part-0.csv"]
    assert outside.missed(OSError(f"cat {disk}/part-1.csv failed")) == ["part-1.csv"]
