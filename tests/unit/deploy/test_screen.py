"""What is printed is what was said, letter by letter."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
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
