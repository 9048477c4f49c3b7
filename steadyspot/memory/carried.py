"""What a loop over units keeps in variables, from unit to unit, for what comes after it.

A resumed attempt leaves out units that were done before, and with them what they had added to a
number, an array or a table: what the program makes of that once the loop is over lacks them. The
program's text tells what its loops change, and what values hold, then and later, what others do who
are given them. A list that grows keeps its units from being done, see ``gathering``; here it counts
where each unit makes an output of its own besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import CodeType

from steadyspot.memory.contents import Told, all_told, is_data, is_plain_value, may_reach
from steadyspot.memory.flow import Changes, Way
from steadyspot.memory.gathering import BUFFERS, CONTAINERS, Names, gathered, held_here, reached
from steadyspot.memory.in_memory import rows_in_memory
from steadyspot.memory.in_objects import may_be_read
from steadyspot.memory.places import places_along, places_at
from steadyspot.memory.program_text import emptied_in, kept_by_loop
from steadyspot.memory.read_later import Later
from steadyspot.memory.restored import Restored
from steadyspot.under_way import job_stack

_GROW = (*CONTAINERS, *BUFFERS)
"""In these a unit leaves something by making them longer."""

_OF_A_NAME = 2
"""Parts of a path: the code, and one name in it."""


class Carried:
    """What the loops keep that ask for their next unit just now; ``files`` are those of the job.

    ``later`` is what the program reads once they are over. Where the job keeps something itself,
    what was ``restored`` does not count. ``folder``: there is one for outputs.
    """

    def __init__(self, files: Iterable[str], restored: Restored, *, folder: bool = False) -> None:
        self._restored = restored
        self._before = held_here()
        self._here: dict[CodeType, Changes] = {}
        self._elsewhere: Changes = set()
        self._touched: set[str] = set()
        self._all_changes: Changes = set()
        frames = job_stack()
        self.later = Later(frames, files, folder=folder)
        self._emptied = emptied_in(files)
        self._contents = self._read_contents()
        for frame in frames:
            code = frame.f_code
            kept = kept_by_loop(code, frame.f_lasti, files)
            if kept:
                self._here[code] = kept.here
                self._elsewhere |= kept.elsewhere
                self._touched |= kept.touched
                self._all_changes |= kept.changed

    def names(self, *, ran: bool, all_made: bool, kept: bool = False) -> list[str]:
        """By what names the program holds it now.

        ``ran``: units were done in this attempt. ``all_made``: each made an output, so that none
        waited for a container that grew. ``kept``: the job keeps something.
        """
        return _named(self._lacking(ran=ran, all_made=all_made, kept=kept))

    def deciding(
        self, *, ran: bool, all_made: bool, each_makes: bool, kept: bool = False
    ) -> list[str]:
        """By what names it holds what decides whether outputs are made once the loop is over.

        ``each_makes``: by the text, each unit makes an output. So none of those before waited for a
        container that they made longer, and one that nothing empties lacks them, also where those
        of this attempt had nothing for it.
        """
        under, behind = self.later.deciding()
        found = self._lacking(ran=ran, all_made=all_made, kept=kept)
        found = {path for path in found if not places_at(path).isdisjoint(under | behind)}
        if each_makes:
            gathers = self._lacking(ran=False, all_made=True, kept=kept)
            found |= {path for path in gathers if self._only_grows(path, under)}
        return _named(found)

    def may_be_missed(self, *, ran: bool, kept: bool = False) -> set[str]:
        """What it may fail for the want of: all places that the loop changes, read or not."""
        places = {place for place, way in self._all_changes if not ran or way is not Way.RENEWED}
        return {one for one in places if not (kept and self._restored.has(("", one.lstrip("."))))}

    def _only_grows(self, path: Names, under: set[str]) -> bool:
        places = places_at(path)
        return (
            self._ways(path) <= {Way.GIVEN, Way.FILLED}
            and not places.isdisjoint(under)
            and places.isdisjoint(self._emptied)
        )

    def _lacking(self, *, ran: bool, all_made: bool, kept: bool) -> set[Names]:
        now = held_here()
        longer = gathered(now, self._before)
        found = {
            path
            for path, value, _ in reached(is_data)
            if _is_kept(value, self._ways(path), ran, all_made and path in longer)
        }
        changed = self._changed() if ran else set()
        found |= changed - (set() if all_made else longer)
        return {path for path in found if not (kept and self._restored.has(path))}

    def may_hide_some(self) -> bool:
        """Whether something was in reach of units, for an output later, and no text shows it."""
        return (
            self.later.makes_output
            and not self.names(ran=False, all_made=True)
            and (
                any(not self._touched.isdisjoint(places_along(path)) for path in self._contents)
                or may_reach(self._touched, self.later.reads_at)
            )
        )

    def _changed(self) -> set[Names]:
        """By what names something holds other things than before, whoever changed it."""
        before = self._contents
        return {
            path
            for path, now in self._read_contents().items()
            if path in before and _differ(before[path], now) and self._ways(path) != {Way.RENEWED}
        }

    def _read_contents(self) -> dict[Names, Told]:
        """What is read later, of which no name of the loop's code alone says what it is."""
        places = self.later.places
        return all_told(
            lambda path, value: (
                self.later.reads_at(path)
                and may_be_read(value, places)
                and (len(path) > _OF_A_NAME or not is_plain_value(value))
            )
        )

    def _ways(self, path: Names) -> set[Way]:
        """In what ways is changed what is reached by these names: a variable, or within it."""
        code, *names = path
        if len(names) == 1 and isinstance(code, CodeType):
            return {way for name, way in self._here.get(code, set()) if name == names[0]}
        return {way for place, way in self._elsewhere if place in places_at(path)}


def _named(paths: Iterable[Names]) -> list[str]:
    return sorted({str(path[-1]) for path in paths})


def _differ(before: Told, now: Told) -> bool:
    """Whether one value holds other things now, or a plain one is another."""
    return before != now and (before[0] == now[0] or (before[1] is None and now[1] is None))


def _is_kept(value: object, ways: set[Way], ran: bool, is_longer: bool) -> bool:
    """Whether a value has what was left in it by units that this attempt has ``ran``, or others.

    What a loop renews with each unit is right as soon as it has done any.
    """
    if is_plain_value(value):
        ways = ways & {Way.ADDED, Way.RENEWED}  # Nothing can be changed within it.
    if not (ways and ran) or Way.SUMMED in ways:
        return bool(ways)
    is_list = issubclass(type(value), list)
    if issubclass(type(value), _GROW) or rows_in_memory(value) is not None:
        counts = issubclass(type(value), Counter) and Way.GIVEN in ways
        return is_longer or counts or (is_list and Way.FILLED in ways)
    return ways != {Way.RENEWED}
