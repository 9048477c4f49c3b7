"""The parts of the README that are made from the workflow: its picture, and the cause table."""

from __future__ import annotations

import re
from pathlib import Path

from steadyspot.statemachines.causes import Cause, rows
from steadyspot.statemachines.diagram import mermaid
from steadyspot.statemachines.render import definition

README = Path(__file__).resolve().parents[1] / "README.md"


def filled(text: str) -> str:
    """Return the README with what stands between its ``<!-- made: NAME -->`` marks made anew."""
    for name, made in (("workflow", _workflow()), ("causes", cause_table())):
        begin, end = f"<!-- made: {name} -->\n", "<!-- made end -->"
        before, _, rest = text.partition(begin)
        text = before + begin + made + end + rest.partition(end)[2]
    return text


def _workflow() -> str:
    return f"```mermaid\n{mermaid(definition('job'))}```\n"


def cause_table() -> str:
    """Return the cause table as Markdown."""
    lines = "".join(_row(cause) for cause in rows())
    return f"| cause | class | answer | what people are told | what to do |\n{'|---' * 5}|\n{lines}"


def _row(cause: Cause) -> str:
    told = re.sub("{(exit_code|memory_gb)}", "N", cause.sentence)
    told = re.sub("{(stopped_reason|error|how_ended|found)}", "…", told)
    return f"| {cause.name} | {cause.cause_class} | {cause.answer} | {told} | {cause.next_step} |\n"
