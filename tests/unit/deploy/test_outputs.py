"""What a run has published comes into the folder that is named, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.runs.outputs import Made, Output, fetch, made_by
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Calls, Pages
from tests.unit.deploy.test_money import bad_night


class Bucket(Calls):
    """S3 with some objects of the run."""

    def __init__(self, *names: str) -> None:
        prefix = "outputs/night/20261124T020000Z/"
        found = [{"Key": prefix + name, "Size": len(name)} for name in names]
        super().__init__(
            get_paginator=lambda _: Pages({"Contents": found}),
            download_file=lambda _bucket, key, place: Path(place).write_text(key),
        )


def target(s3: Any, run: Any = None) -> Any:
    return SimpleNamespace(
        runs=SimpleNamespace(get=lambda *_: run),
        platform={"Bucket": "b"},
        client=lambda _: s3,
    )


def fetched(folder: Path, *names: str) -> Iterator[Output]:
    made = Made("night", "k", "s3://b/outputs/night/k/", tuple(Output(n, 1) for n in names))
    return fetch(target(Bucket()), made, folder)


def test_outputs_are_listed_and_fetched_with_their_folders(tmp_path: Path) -> None:
    where = target(Bucket("part-1.csv", "b/part-2.csv"), bad_night())
    made = made_by(where, Job("night", "i"), "20261124T020000Z")
    assert [(one.name, one.bytes) for one in made.outputs] == [
        ("part-1.csv", 10),
        ("b/part-2.csv", 12),
    ]
    assert made.uri == "s3://b/outputs/night/20261124T020000Z/"
    assert len(list(fetch(where, made, tmp_path / "new"))) == 2
    assert (tmp_path / "new" / "b" / "part-2.csv").read_text().endswith("Z/b/part-2.csv")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..", ""])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(Trouble, match="outside"):
        list(fetched(tmp_path / "in", "good", name))
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    with pytest.raises(Trouble, match="is there already"):
        list(fetched(tmp_path, "a", "b"))
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_run_that_is_not_complete_has_none() -> None:
    with pytest.raises(Trouble, match="Run k of night is not complete") as refused:
        made_by(target(Bucket()), Job("night", "i"), "k")
    assert "steadyspot runs night" in refused.value.what_to_do


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, refused: OSError, why: str) -> None:
    def full(*_: str) -> None:
        raise refused

    made = Made("night", "k", "s3://b/outputs/night/k/", (Output("part-1.csv", 1),))
    with pytest.raises(Trouble) as caught:
        list(fetch(target(Calls(download_file=full)), made, tmp_path))
    assert caught.value.what == f"{tmp_path / 'part-1.csv'} can't be written: {why}."
    assert "empty folder" in caught.value.what_to_do
