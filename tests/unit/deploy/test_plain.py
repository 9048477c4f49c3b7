"""Nothing that a container or AWS says steers a terminal, a table or a spreadsheet."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.plain import cell, plain
from steadyspot.deploy.runs.history import Moment
from steadyspot.deploy.trouble import Trouble

NASTY = {
    "colour": "\x1b[31mred\x1b[0m",
    "clear": "\x1b[2J\x1b[Hgone",
    "title": "\x1b]0;title\x07shown",
    "link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "one byte": "\x9b31mred",
    "unfinished": "\x1b]0;title",
    "reset": "\x1bcgone",
    "back": "ok\rfailed",
    "erase": "ok\b\b",
    "bell": "\x07",
    "bidi": "\u202egpj.exe\u202c",
    "isolate": "\u2066a\u2069",
    "hidden": "a\u200bb\ufeff",
    "separator": "a\u2028b",
    "half": "a\ud800b",
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_steers_is_gone(text: str) -> None:
    shown = plain(text)
    assert all(character.isprintable() for character in shown)
    assert "[31m" not in shown
    assert "title" not in shown


def test_what_people_write_stays() -> None:
    text = "größer 日本語 עברית 🎉\tcell (99 %) [x] -> é"
    assert plain(text) == text
    assert plain("a\nb", lines=True) == "a\nb"
    assert plain("a\nb") == "a b"


@pytest.mark.parametrize(
    "text", ['=HYPERLINK("https://evil.example")', "+1", "-1+2", "@SUM(1)", "\t=1", " =1", "\r=1"]
)
def test_no_text_is_a_formula(text: str) -> None:
    assert str(cell(text)).startswith("'")


def test_numbers_and_names_stay_in_a_spreadsheet() -> None:
    assert [cell(value) for value in (-14.79, 3, None, "report-2")] == [-14.79, 3, None, "report-2"]


SAYS: dict[str, Callable[[Screen, str], None]] = {
    "say": lambda screen, text: screen.say(text),
    "pair": lambda screen, text: screen.pair("outcome", text),
    "moment": lambda screen, text: screen.moment(Moment(datetime(2026, 11, 24, tzinfo=UTC), text)),
    "table": lambda screen, text: screen.table(("trouble",), [(text,)]),
    "trouble": lambda screen, text: screen.trouble(Trouble(text, text)),
    "json": lambda screen, text: screen.json({"text": text}),
    "raw": lambda screen, text: screen.raw(text),
}


@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS)
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_whatever_is_printed_steers_nothing(
    says: Callable[[Screen, str], None], terminal: bool
) -> None:
    for text in NASTY.values():
        out = io.StringIO()
        console = Console(file=out, width=300, force_terminal=terminal, color_system=None)
        says(Screen(console, console), text)
        assert all(c.isprintable() or c == "\n" for c in out.getvalue()), repr(out.getvalue())
