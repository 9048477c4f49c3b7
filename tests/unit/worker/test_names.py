"""What an output may not be called."""

from __future__ import annotations

import os
from typing import Any

import pytest

from steadyspot.names import BadName, check_name


@pytest.mark.parametrize("name", ["a", "a/b.parquet", ".a", "größe", "x" * 700])
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
        ("a\nb", "printable"),
        (os.fsdecode(b"\xff"), "printable"),
        (None, "printable"),
        ("completion.json", "completion record"),
    ],
)
def test_names_that_are_no_keys_are_refused(name: Any, says: str) -> None:
    with pytest.raises(BadName, match=says):
        check_name(name)
