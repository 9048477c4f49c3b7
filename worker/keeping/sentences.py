"""What the log and the mail say of units and folders, where no error ends the attempt.

When something is to be said is decided by who saves; here stands how, and what once is enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from steadyspot.worker.keeping.warnings import Warnings, shown
from steadyspot.worker.log import Log

_DOUBT = (
    "Let the loop itself do the work of a unit, and leave what it yields in an output or in"
    " run.state, before it asks for the next; or say where units are done: with run.unit(unit), for"
    " each of run.undone(units), or run.unit(*batch) where they are written together."
)
"""What to do where a loop leaves in doubt whether its units are done."""


class Sentences:
    """Those of one attempt."""

    def __init__(self, log: Log, warnings: Warnings) -> None:
        self._log = log
        self._warnings = warnings
        self._said: set[str] = set()

    def shared(self, name: str) -> None:
        """Units change a file side by side."""
        self._warn_once(
            "shared",
            "save",
            f"Units side by side change {shown(name)} in the checkpoint folder, which is saved"
            " with the mark of each: after an interruption, what one that is done again had"
            " changed in it may stand there twice. Have each write a file of its own, of the"
            " same name when it is done again, or an output.",
        )

    def unrepeatable(self, name: str) -> None:
        """Units make files side by side under names that no attempt makes again."""
        self._warn_once(
            "unrepeatable",
            "publish",
            f"Units side by side make files such as {shown(name)} in the folder for outputs,"
            " which counts with the mark of each: after an interruption, what one that is done"
            " again had written may be published twice. Name files by their unit, or make them"
            " by run.output.",
        )

    def midway(self, *, running: bool) -> None:
        """The checkpoint folder is not saved; once while the job is ``running``."""
        if self._is_first("midway") or not running:
            self._log.info(
                "save",
                "The checkpoint folder is saved with a unit's mark, and not in the midst of one,"
                " nor after one that ended before anything was made for it: what was changed in it"
                " since is done again. Where the job can go on from what lies there, it asks for"
                " that: run.save(), or the marker.",
            )

    def uncommitted(self, unit: str) -> None:
        """A unit has ended before its rows were committed."""
        self._warn_once(
            "uncommitted",
            "unit",
            f"The unit {shown(unit)} ended while a transaction was open in which it had"
            " written. It is done, so that an interruption before the commit loses those rows:"
            " commit before the block of run.unit ends.",
        )

    def in_doubt(self, units: int) -> None:
        """Tell while the job runs what an interruption would cost."""
        self._log.info(
            "unit",
            f"{units} units ended and may not be done, since they were taken ahead, or what they"
            " yield still lies in memory or with others: an interruption now would begin them"
            f" again. {_DOUBT}",
        )

    def done_again(self, units: Sequence[str]) -> None:
        """What an interruption has cost."""
        if units:
            self._log.warning(
                "unit",
                f"{len(units)} units, the first is {shown(units[0])}, are done again: they were"
                " taken ahead, or what they yielded still lay in memory or with others."
                f" {_DOUBT}",
            )

    def left(self, units: Sequence[str]) -> None:
        """The job says that all is well: whether it is, somebody may want to know."""
        if units:
            self._warnings.say(
                "unit",
                f"{len(units)} units were begun and not done, the first is {shown(units[0])}: what"
                " was made in them is not published. The job ended with 0 all the same.",
            )

    def forgotten(self, units: Sequence[str], output: str) -> None:
        """Units of earlier attempts left nothing that can be in an output made after the loop."""
        if units:
            self._warnings.say(
                "unit",
                f"{len(units)} units were done by attempts before this one and left neither an"
                f" output nor a state, the first is {shown(units[0])}: what they yielded is not in"
                f" {shown(output)}, if it was to be there. Keep it in run.state or in an output of"
                " the unit.",
            )

    def begun_anew(self, names: Sequence[str]) -> None:
        """Files that are added to all through the run lack what a stopped attempt had added."""
        if names:
            self._warnings.say(
                "publish",
                f"{len(names)} files in the folder for outputs lack what an attempt before this one"
                f" had written to them, the first is {shown(names[0])}. That folder is empty when"
                " an attempt begins: keep a file that is added to in the checkpoint folder, and"
                " copy it at the end.",
            )

    def _warn_once(self, kind: str, event: str, sentence: str) -> None:
        if self._is_first(kind):
            self._warnings.say(event, sentence)

    def _is_first(self, kind: str) -> bool:
        is_first = kind not in self._said
        self._said.add(kind)
        return is_first
