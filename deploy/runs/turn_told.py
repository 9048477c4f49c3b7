"""What a run says of its turn, from the history of its execution; pure.

A run that waits looks again and again, and each look enters the same states. A look that finds what
the one before it found says nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from steadyspot.contract import variables
from steadyspot.contract.states import JobState


class TurnTold:
    """Follows a run that somebody stands in the way of."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._said = ""

    @property
    def waits(self) -> bool:
        """Whether it has waited for its turn, and has not got it yet."""
        return self._since is not None

    def entered(self, state: str, values: Mapping[str, Any], at: datetime) -> str:
        """What a state says, given the values when it was entered; empty where that is not new."""
        if state == JobState.WAIT_FOR_TURN and self._since is None:
            self._since = at
        text = _said_by(state, values)
        if not text or text == self._said:
            return ""
        self._said = text
        return text

    def over(self, at: datetime) -> str:
        """What is said where the wait ends: how long it took; empty where there was none."""
        if self._since is None:
            return ""
        minutes, seconds = divmod(round((at - self._since).total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        self._since, self._said = None, ""
        took = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
        return f"it is its turn, after {took}"


def _said_by(state: str, values: Mapping[str, Any]) -> str:
    turn, rival = values.get(variables.TURN, {}), values.get(variables.RIVAL, {})
    holds, place = turn.get("key", ""), turn.get("place", "").split("/")
    other = holds or (place[1] if len(place) > 1 else "")
    if not other:
        return ""
    if state == JobState.WAIT_FOR_TURN and not rival.get("runs", True):
        return f"run {other} has ended; waits until it gives its turn back"
    if state == JobState.WAIT_FOR_TURN and holds:
        return f"waits for its turn: run {other} has it"
    told: dict[str, str] = {
        JobState.WAIT_FOR_TURN: f"waits for its turn behind run {other}, which waits as well",
        JobState.QUEUE: f"joins the queue, in which {turn.get('waiting', 0)} wait",
        JobState.STOP_THE_OTHER: f"stops run {other}, which was due earlier",
        JobState.PASS_OVER: f"run {other} has ended and not given way, so it is passed over",
        JobState.SKIP: f"is not begun, since run {other} is under way",
    }
    return told.get(state, "")
