"""What people see: colour and width for a terminal, plain lines where the output is piped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.records import Attempt, Money
from deploy.stacks import Event
from deploy.timeline import Moment, Tone
from deploy.trouble import Trouble

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.TROUBLE: "red", Tone.DECISION: "bold yellow"}


class Screen:
    """Prints to standard output, and trouble to standard error."""

    def __init__(self, console: Console | None = None, errors: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=not _is_terminal())
        self._errors = errors or Console(highlight=False, stderr=True, soft_wrap=True)

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        self._console.print(text, style=style, markup=False)

    def heading(self, text: str) -> None:
        """Print a line that begins a part."""
        self._console.print()
        self._console.print(text, style="bold", markup=False)

    def moment(self, moment: Moment) -> None:
        """Print a line of a timeline, its time in UTC."""
        time = moment.at.astimezone(UTC).strftime("%H:%M:%S")
        row = Table.grid(padding=(0, 2))
        row.add_column(no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(time, moment.text, style=_STYLES[moment.tone])
        self._console.print(row) if _is_terminal() else self.say(f"{time}  {moment.text}")

    def stack_event(self, event: Event) -> None:
        """Print a resource that is done, and everything that fails."""
        if event.status.endswith("FAILED"):
            self.say(
                f"  {event.status}  {event.resource} ({event.kind}): {event.reason}", style="red"
            )
        elif event.status.endswith("COMPLETE"):
            self.say(
                f"  {event.status.lower().replace('_', ' '):16}  {event.resource}", style="dim"
            )

    def attempts(self, attempts: Iterable[Attempt]) -> None:
        """Print the attempts of a run as a table."""
        table = Table(box=None, pad_edge=False)
        for name in ("#", "capacity", "zone", "from", "to", "s", "stopped by", "units"):
            table.add_column(name, justify="right" if name in ("#", "s", "units") else "left")
        for attempt in attempts:
            table.add_row(
                str(attempt.attempt),
                attempt.capacity,
                attempt.zone or "-",
                attempt.started_at[11:19],
                attempt.ended_at[11:19],
                f"{attempt.seconds:.0f}",
                attempt.cause or "-",
                str(attempt.units_done),
            )
        self._console.print(table)

    def money(self, money: Money, date: str) -> None:
        """Print the money line of a run."""
        saved = (
            f"saved {money.saving:.0%}" if money.saving >= 0 else f"cost {-money.saving:.0%} more"
        )
        self.say(
            f"Spot {money.spot_seconds:.0f} s, on-demand {money.on_demand_seconds:.0f} s, "
            f"wasted {money.wasted_seconds:.1f} s: ${money.cost:.6f} instead of "
            f"${money.cost_on_demand_only:.6f} on on-demand only, {saved} (prices of {date})."
        )

    def json(self, value: Any) -> None:
        """Print a value for machines."""
        self._console.print_json(json.dumps(value, default=str)) if _is_terminal() else self.say(
            json.dumps(value, default=str)
        )

    def trouble(self, trouble: Trouble) -> None:
        """Print what went wrong and what to do."""
        self._errors.print(f"Error: {trouble.what}", style="bold red", markup=False)
        self._errors.print(trouble.what_to_do, markup=False)


def _is_terminal() -> bool:
    import sys

    return sys.stdout.isatty()
