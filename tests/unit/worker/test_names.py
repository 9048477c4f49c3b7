"""What an output may not be called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from steadyspot.names import LONGEST_PIECE_BYTES, BadName, check_name, place_below
from steadyspot.worker.options import usage


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a/b.parquet",
        ".a",
        "größe",
        "x" * 700,
        "a b\u00a0c",
        "\U0001f600\ue000\u200b",
        "e\u0301",
    ],
)
def test_names_that_are_keys_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("x" * 701, "too long"),
        ("ö" * 351, "too long"),
        ("/etc", "climbs out"),
        ("../up", "climbs out"),
        ("a/../b", "climbs out"),
        ("a//b", "climbs out"),
        ("./a", "climbs out"),
        ("a/", "climbs out"),
        ("a\nb", "control character"),
        ("a\x7f", "control character"),
        ("a\x85", "control character"),
        (os.fsdecode(b"\xff"), "no UTF-8"),
        (None, "no text"),
        (b"a", "no text"),
        (Path("/etc"), "climbs out"),
        ("completion.json", "completion record"),
    ],
)
def test_names_that_are_no_keys_are_refused(name: Any, says: str) -> None:
    with pytest.raises(BadName, match=says):
        check_name(name)


def test_relative_path_is_taken_for_its_name() -> None:
    assert check_name(Path("a") / "b.csv") == "a/b.csv"


@pytest.mark.parametrize("name", ["a.csv", "2026/01/a.csv.gz"])
def test_path_to_write_to_ends_in_the_name(name: str) -> None:
    assert place_below("/folder", name) == f"/folder/{name}"


@pytest.mark.parametrize("letter", ["x", "ö", "\U0001f600"])
def test_path_of_a_long_name_keeps_its_end_and_fits_a_file_system(letter: str) -> None:
    piece = Path(place_below("/folder", letter * 170 + ".parquet")).name

    assert piece.endswith(f"{letter}.parquet")
    assert len(piece.encode()) <= LONGEST_PIECE_BYTES


def test_help_says_what_names_in_an_output_folder_must_be() -> None:
    assert "the same names in every attempt" in " ".join(usage().split())
