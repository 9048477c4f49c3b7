"""The fence: the number that decides which attempt may write to a run's record.

It is taken once and is then a condition of every write, so an old attempt that wakes up late is
refused by DynamoDB and not by anybody's clock. What is written is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadyspot.contract import Status, columns
from steadyspot.worker.errors import AlreadyComplete, FenceLost, SetupError
from steadyspot.worker.keeping.store import Condition, ConditionFailed, Item, Table

ALIVE = frozenset({Status.RUNNING, Status.COMMITTING})
RUNNING = frozenset({Status.RUNNING})
COMMITTING = frozenset({Status.COMMITTING})
SAVING = frozenset({Status.RUNNING, Status.UNFINISHED})
LEAVING = frozenset({*ALIVE, Status.UNFINISHED})
"""An execution that is stopped by hand is marked ``unfinished`` while its task still saves. As long
as the record names that execution, nobody else has taken the run up."""


class Fence:
    """One attempt's right to write. ``holder`` tells two tasks with the same number apart."""

    def __init__(self, table: Table, execution: str, number: int, holder: str) -> None:
        self._table = table
        self.execution = execution
        self.number = number
        self.holder = holder

    def take(self) -> Item:
        """Take the fence; the row as it then is.

        Raises ``AlreadyComplete`` when this execution's run is complete, ``FenceLost`` when another
        attempt has it, ``SetupError`` when no run was claimed.
        """
        condition = Condition(self.execution, self.number, self.holder, ALIVE, taking=True)
        try:
            return self._table.update(
                {columns.FENCE: self.number, columns.HOLDER: self.holder}, [], condition
            )
        except ConditionFailed as failed:
            item = failed.item
        if not item:
            raise SetupError(
                "The run is not in the run table.", "Start it through its state machine."
            )
        if (
            item.get(columns.STATUS) == Status.COMPLETE
            and item.get(columns.EXECUTION) == self.execution
        ):
            raise AlreadyComplete("The run is complete already.", "Nothing to do.")
        raise self._lost(item)

    def write(
        self,
        values: Mapping[str, Any],
        *,
        during: frozenset[Status],
        remove: tuple[str, ...] = (),
    ) -> None:
        """Set columns to these values while the fence is ours and the status is one of ``during``.

        A write whose reply was lost is sent again by botocore and then finds its own change,
        perhaps a status that it set itself; that counts as written.
        """
        condition = Condition(self.execution, self.number, self.holder, during)
        try:
            self._table.update(values, list(remove), condition)
        except ConditionFailed as failed:
            if not self._written(failed.item, values):
                raise self._lost(failed.item) from None

    def read(self) -> Item:
        """The row, read consistently."""
        return self._table.read()

    def _written(self, item: Item, values: Mapping[str, Any]) -> bool:
        ours = (self.execution, self.number, self.holder)
        return ours == (
            item.get(columns.EXECUTION),
            item.get(columns.FENCE),
            item.get(columns.HOLDER),
        ) and all(item.get(name) == value for name, value in values.items())

    def _lost(self, item: Item) -> FenceLost:
        if item.get(columns.EXECUTION) != self.execution:
            who = f"execution {item.get(columns.EXECUTION)} has taken the run over"
        elif item.get(columns.STATUS) not in ALIVE:
            who = f"the run is {item.get(columns.STATUS)} already"
        elif item.get(columns.FENCE) == self.number:
            who = f"another task with the same fence {self.number} has taken it"
        else:
            who = (
                f"an attempt with fence {item.get(columns.FENCE)} has taken it, after {self.number}"
            )
        return FenceLost(
            f"This attempt may not write any more: {who}.", "Nothing to do; the other one goes on."
        )
