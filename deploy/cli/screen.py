"""What people see: colour and width for a terminal, plain lines where the output is piped.

A terminal's lines are folded at its width, under their own beginning; a pipe gets every line
whole and no control characters, so that ``grep`` and ``cut`` find what they look for. JSON is one
document.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from steadyspot.deploy.as_json import as_json
from steadyspot.deploy.cli.pasting import pastable
from steadyspot.deploy.money.sentences import money_line
from steadyspot.deploy.money.true_bill import Billed, sentence_of_run
from steadyspot.deploy.plain import plain
from steadyspot.deploy.runs.history import Moment, Tone
from steadyspot.deploy.runs.logs import LogLine
from steadyspot.deploy.runs.records import AttemptRecord, Money
from steadyspot.deploy.stacks.changes import Plan, lines_of
from steadyspot.deploy.stacks.following import Event
from steadyspot.deploy.trouble import Trouble

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.TROUBLE: "red", Tone.DECISION: "bold yellow"}
_CHANGES = {"add": "green", "change": "yellow", "replace": "bold yellow", "remove": "bold red"}
_WHOLE = {"run", "status", "begun (UTC)", "units", "cost", "full cost", "saved"}
_LONGEST_WORD = 20
"""Characters of a word that a column keeps together, such as a cause."""
_RIGHT = {
    "#",
    "s",
    "units",
    "attempts",
    "Spot s",
    "on-demand s",
    "lost s",
    "cost",
    "full cost",
    "saved",
    "runs",
}


class Screen:
    """Prints to standard output, and trouble to standard error.

    Every text is handed on as ``Text``: in a plain string, rich sees colours in square brackets and
    an emoji in the ``:secret:`` of an ARN. What steers a terminal is taken out of it before.
    ``given`` are the options that say where the command works; a command in a sentence of ours is
    printed with them, what others wrote (:meth:`quoted`, a log, a table) is left as it is.
    """

    def __init__(
        self,
        console: Console | None = None,
        errors: Console | None = None,
        given: Sequence[str] = (),
    ) -> None:
        self._console = console or Console(highlight=False)
        self._errors = errors or Console(highlight=False, stderr=True)
        self._given = given

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line of ours."""
        self._line(self.advice(text), style)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(_text(text), style=style, soft_wrap=not self._folds)

    def advice(self, text: str) -> str:
        """Return advice whose commands have the options that this command was given."""
        return pastable(text, self._given)

    def heading(self, text: str) -> None:
        """Print a line that begins a part."""
        self.say()
        self.say(text, "bold")

    def moment(self, moment: Moment) -> None:
        """Print a line of a timeline, its time in UTC."""
        time = moment.at.astimezone(UTC).strftime("%H:%M:%S")
        self._under(time, plain(moment.text), _STYLES[moment.tone])

    def pair(self, name: str, text: str, style: str = "") -> None:
        """Print a named line of ours, its text folded under itself."""
        self._under(f"{name:11}", self.advice(text), style)

    def quoted(self, name: str, text: str) -> None:
        """Print a named line as somebody else wrote it."""
        self._under(f"{name:11}", text, "")

    def indented(self, text: str) -> None:
        """Print a text under the line before it, folded as it is indented."""
        self._under("", self.advice(text), "")

    def live(self) -> Live | None:
        """Return lines that are drawn anew below the others; none where the output is piped."""
        return Live(console=self._console, transient=True) if self._folds else None

    def afresh(self) -> None:
        """Begin at the top of an empty terminal; piped, behind an empty line."""
        if self._folds:
            self._console.clear()
        else:
            self.say()

    def has_room(self, characters: int) -> bool:
        """Return whether a line of so many characters is not folded."""
        return not self._folds or characters <= self._console.width

    def _under(self, first: str, text: str, style: str) -> None:
        """Print a text beside a first column, folded under itself on a terminal."""
        if not self._folds:
            self._line(f"{first}  {text}", style)
            return
        row = Table.grid(padding=(0, 2))
        row.add_column(no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(first, _text(text), style=style)
        self._console.print(row)

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

    def plan(self, plan: Plan) -> None:
        """Print what a change set will do."""
        for kind, line in lines_of(plan):
            self.say(f"  {line}", _CHANGES.get(kind, ""))

    def attempts(self, attempts: Iterable[AttemptRecord]) -> None:
        """Print the attempts of a run as a table."""
        names = ("#", "capacity", "zone", "from", "to", "s", "stopped by", "units")
        self.table(
            names,
            [
                (
                    str(attempt.attempt),
                    attempt.capacity,
                    attempt.zone or "-",
                    attempt.started_at[11:19],
                    attempt.ended_at[11:19],
                    f"{attempt.seconds:.0f}",
                    attempt.cause or "-",
                    str(attempt.units_done),
                )
                for attempt in attempts
            ],
        )

    def table(self, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; piped, with columns two spaces apart and nothing cut.

        So, too, where a terminal has no room for its numbers: a number that is cut is another one.
        """
        rows = [tuple(map(plain, row)) for row in rows]
        columns = [(name, [row[n] for row in rows]) for n, name in enumerate(names)]
        least = [_least_width(name, cells) for name, cells in columns]
        spare = self._console.width - sum(least) - 2 * (len(least) - 1)
        if self._folds and spare >= 0:
            table = Table(box=None, pad_edge=False)
            for (name, cells), width in zip(columns, least, strict=True):
                more = min(spare, max(map(len, [name, *cells])) - width)
                spare -= more
                table.add_column(
                    name,
                    justify="right" if name in _RIGHT else "left",
                    overflow="fold",
                    no_wrap=name in _WHOLE,
                    width=width + more,
                )
            for row in rows:
                table.add_row(*map(Text, row))
            self._console.print(table)
            return
        widths = [max(len(row[n]) for row in (tuple(names), *rows)) for n in range(len(names))]
        for row in (tuple(names), *rows):
            line = (
                cell.rjust(width) if name in _RIGHT else cell.ljust(width)
                for name, cell, width in zip(names, row, widths, strict=True)
            )
            self._line("  ".join(line).rstrip())

    def money(self, money: Money, date: str, *, complete: bool) -> None:
        """Print the money line of a run."""
        self.say(money_line(money, date, complete=complete))

    def bill(self, billed: Billed, *, complete: bool) -> None:
        """Print what AWS bills for a run."""
        self.say(sentence_of_run(billed, complete=complete))

    def json(self, value: Any) -> None:
        """Print a value for machines."""
        text = as_json(value, indent=2 if self._folds else None)
        self._console.print(Text(text), soft_wrap=True)

    def json_line(self, value: Any) -> None:
        """Print a value for machines on a line of its own, at once."""
        self._console.print(Text(as_json(value)), soft_wrap=True)
        self._console.file.flush()

    def raw(self, text: str) -> None:
        """Print a text without folding it."""
        self._console.print(_text(text), soft_wrap=True, end="")

    def log_line(self, line: LogLine) -> None:
        """Print a line that an attempt printed, behind the attempt's number."""
        time = line.at.astimezone(UTC).strftime("%H:%M:%S")
        self._under(f"{time}  #{line.attempt or '?'}", plain(line.text), "dim")

    def trouble(self, trouble: Trouble, *, machine: bool = False) -> None:
        """Print what went wrong and what to do; for machines as one object."""
        if machine:
            told = {"what": trouble.what, "what_to_do": trouble.what_to_do}
            self._errors.print(
                Text(json.dumps({"error": told, "exit_code": trouble.code})), soft_wrap=True
            )
            return
        soft = not self._errors.is_terminal
        self._errors.print(_text(f"Error: {trouble.what}"), style="bold red", soft_wrap=soft)
        self._errors.print(_text(trouble.what_to_do), soft_wrap=soft)

    @property
    def _folds(self) -> bool:
        return self._console.is_terminal


def _least_width(name: str, cells: Iterable[str]) -> int:
    """Return the width of a column that is folded between words, and cut only in long ones."""
    if name in _WHOLE:
        return max(map(len, [name, *cells]))
    words = name.split()
    for cell in cells:
        words += [cell] if name in _RIGHT else [word[:_LONGEST_WORD] for word in cell.split()]
    return max(map(len, words))


def _text(text: str) -> Text:
    return Text(plain(text, lines=True))


def silent() -> Screen:
    """Return a screen that shows nothing, for a verb that prints JSON at its end."""
    return Screen(Console(file=io.StringIO()))
