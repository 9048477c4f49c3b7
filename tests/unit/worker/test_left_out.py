"""A program that cannot be looked at is neither ended by that nor complete without its units."""

from __future__ import annotations

from pathlib import Path

import pytest

from steadyspot.contract import Lacking
from steadyspot.memory.aside import Others
from steadyspot.memory.files_outside import FilesOutside
from steadyspot.memory.left_out import LeftOut
from steadyspot.memory.open_files import OpenFiles


class _Unreadable(OpenFiles):
    """As a library's file would be that nobody has thought of."""

    def mapped_anew(self) -> list[str]:
        raise LookupError("of a library")


class _Deaf(FilesOutside):
    """Adds nothing to this process that would stay there."""

    def listen(self, units: int, *, of_pool: bool = False) -> None:
        self.units = units


def others(files: OpenFiles) -> Others:
    others = Others(("", ""), Path("/nowhere"), list)
    others.files, others.outside = files, _Deaf(())
    return others


def test_what_cannot_be_looked_at_is_lacking(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[tuple[list[str], int, Lacking]] = []
    left_out = LeftOut(
        lambda *what: said.append(what), others(_Unreadable("", "")), lambda: [__file__]
    )
    for key in "ab":
        left_out.add(key)
    assert not left_out.may_hide_some()
    left_out.loop_is_over(kept=False, ran=True, made=1, each_made=True)
    assert said == [(["variables"], 2, Lacking.LATER), (["variables"], 2, Lacking.UNITS)]
    told = capsys.readouterr().err
    assert "LookupError: of a library" in told
    assert "this is a fault of Steadyspot's own" in told


def test_loop_that_leaves_nothing_out_is_not_looked_at() -> None:
    said: list[tuple[list[str], int, Lacking]] = []
    left_out = LeftOut(
        lambda *what: said.append(what), others(_Unreadable("", "")), lambda: [__file__]
    )
    left_out.loop_is_over(kept=False, ran=True, made=1, each_made=True)
    assert said == []
