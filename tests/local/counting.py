"""How often a verb asks AWS."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections import Counter
from typing import Any

import click
from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.target import Target


def counted(target: Target, verb: click.Command, **options: Any) -> tuple[Counter[str], str]:
    """Run a verb as somebody does who gives it these options; what it called, and printed."""
    calls: Counter[str] = Counter()
    target.session.events.register("before-call.*", lambda model, **_: calls.update([model.name]))
    out = io.StringIO()
    inner = getattr(verb.callback, "__wrapped__")  # noqa: B009  # the verb behind its options
    typed = verb.make_context(verb.name, [], resilient_parsing=True).params | options
    own = inspect.signature(inner).parameters
    with contextlib.suppress(SystemExit):
        inner(
            target,
            Screen(Console(file=out)),
            **{name: typed[name] for name in typed if name in own},
        )
    return calls, out.getvalue()
