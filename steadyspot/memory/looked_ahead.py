"""Whether a loop has one unit more in hand than it works on, as with ``itertools.groupby``.

That asks for the first unit of the next group before the loop is through with the last of this one.
What the loop makes meanwhile is made of the units before.
"""

from __future__ import annotations

import gc
from itertools import groupby, pairwise

_LINKS = 3
"""So many iterators are looked through from the units on, as in ``groupby(enumerate(units))``."""


class LookedAhead:
    """Which loops look ahead, by their places in the text, of which each is looked at once.

    That takes milliseconds, since the collector is asked who holds the units.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], bool] = {}

    def at(self, place: tuple[str, int], units: object) -> bool:
        """Whether the loop there does, which takes these units."""
        if place not in self._known:
            self._known[place] = _is_looked_ahead(units)
        return self._known[place]


def _is_looked_ahead(units: object) -> bool:
    """Whether ``groupby`` or ``pairwise`` takes the units."""
    takers = [units]
    for _ in range(_LINKS):
        takers = [one for one in gc.get_referrers(*takers) if _gives_on(type(one))]
        if any(isinstance(one, groupby | pairwise) for one in takers):
            return True
        if not takers:
            return False
    return False


def _gives_on(kind: type) -> bool:
    return kind.__module__ == "itertools" or kind in (enumerate, filter, map, zip)
