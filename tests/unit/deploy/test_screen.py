"""What is printed is what was said, letter by letter."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.runs.logs import LogLine
from steadyspot.deploy.trouble import Trouble

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:night-AbCdEf"
TEXT = f"{ARN} [bold] :smile:"

SAID: dict[str, Callable[[Screen], None]] = {
    "say": lambda screen: screen.say(TEXT),
    "heading": lambda screen: screen.heading(TEXT),
    "pair": lambda screen: screen.pair("ok", TEXT),
    "raw": lambda screen: screen.raw(TEXT),
    "json": lambda screen: screen.json({"text": TEXT}),
    "trouble": lambda screen: screen.trouble(Trouble(TEXT, TEXT)),
}


@pytest.mark.parametrize("say", SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_no_text_is_taken_for_colours_or_emoji(
    say: Callable[[Screen], None], terminal: bool
) -> None:
    out = io.StringIO()
    console = Console(file=out, width=300, force_terminal=terminal, color_system=None)
    say(Screen(console, console))
    assert TEXT in out.getvalue()


COMMAND = "steadyspot redrive night"
PASTED = "steadyspot redrive --local night"


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_a_command_in_a_sentence_of_ours_works_where_it_is_pasted(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, width=300, force_terminal=terminal, color_system=None)
    screen = Screen(console, console, given=["--local"])
    screen.say(COMMAND)
    screen.heading(COMMAND)
    screen.pair("next", COMMAND)
    screen.indented(COMMAND)
    assert out.getvalue().count(PASTED) == 4


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_what_others_wrote_stays_as_they_wrote_it(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, width=300, force_terminal=terminal, color_system=None)
    screen = Screen(console, console, given=["--local"])
    screen.quoted("runs", COMMAND)
    screen.raw(f"{COMMAND}\n")
    screen.table(("command",), [(COMMAND,)])
    screen.log_line(LogLine(datetime(2026, 11, 24, 2, tzinfo=UTC), 1, "task", COMMAND))
    assert out.getvalue().count(COMMAND) == 4


@pytest.mark.parametrize("width", range(10, 90, 5))
def test_no_number_of_a_table_is_cut_however_narrow_the_terminal(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    names = ("job", "when", "runs", "Spot s", "on-demand s", "cost", "full cost", "saved")
    row = ("night", "2026-11", "30/30", "104977", "23456", "$0.000202", "$0.000664", "70%")
    Screen(console, console).table(names, [row])
    said = out.getvalue().split()
    assert [number for number in row[3:] if number not in said] == []
