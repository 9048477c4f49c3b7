"""The cause table as Markdown, which the reference shows."""

from __future__ import annotations

import re

from steadyspot.statemachines.causes import rows
from steadyspot.statemachines.causes.row import Cause


def cause_table() -> str:
    """Return the cause table as Markdown."""
    lines = "".join(_row(cause) for cause in rows())
    return f"| cause | class | answer | what people are told | what to do |\n{'|---' * 5}|\n{lines}"


def _row(cause: Cause) -> str:
    told = re.sub("{(exit_code|memory_gb)}", "N", cause.sentence)
    told = re.sub("{(stopped_reason|error|how_ended|found)}", "…", told)
    return f"| {cause.name} | {cause.cause_class} | {cause.answer} | {told} | {cause.next_step} |\n"
