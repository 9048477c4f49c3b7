"""The workflow's graph with the path that a run took, laid out in layers from top to bottom; pure.

It is drawn from the definition that the run's execution has at AWS, so that it shows what was
deployed then. A state that was entered has a heavy frame and says how often, in a colour and in
grey; what was not is there, too, but quiet.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_BOX_WIDTH, _BOX_HEIGHT = 132, 36
_COLUMN, _ROW = 148, 62
_EDGE, _SIDE = 8, 36
_BULGE = 44
"""How far a way back within a column goes round; a curve comes three quarters of that far."""
_CHARACTERS = 17
"""Of a name on a line of its box."""
_SWEEPS = 6
_IN_A_ROW = 7


@dataclass(frozen=True)
class Node:
    """A state to draw; ``lines`` are its name, ``entered`` says how often."""

    name: str
    x: float
    y: float
    lines: tuple[str, ...]
    entered: int
    is_last: bool

    @property
    def told(self) -> str:
        """The state in words."""
        times = {0: "not entered", 1: "entered once"}.get(
            self.entered, f"entered {self.entered} times"
        )
        return f"{self.name}: {times}{', last' if self.is_last else ''}"


@dataclass(frozen=True)
class Edge:
    """A way between two states to draw; ``taken`` says how often."""

    path: str
    taken: int


@dataclass(frozen=True)
class Graph:
    """The graph laid out; ``told`` is the path in words."""

    width: int
    height: int
    box_width: int
    box_height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    told: str


def graph_of(definition: str, entered: Sequence[str]) -> Graph | None:
    """Return the graph of a definition in JSON; None where it is none.

    ``entered`` are the names of the states that were entered, in their order.
    """
    try:
        machine: Any = json.loads(definition)
        states: dict[str, Any] = machine["States"]
        ways = {name: [*_ways(state, states)] for name, state in states.items()}
        first = machine["StartAt"]
        rows = _rows(ways, first, [name for name in entered if name in states])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return _laid_out(ways, rows, entered)


def _ways(state: Mapping[str, Any], states: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a state leads to, each once."""
    rules = [state, *state.get("Choices", []), *state.get("Catch", [])]
    found = [rule.get("Next") for rule in rules] + [state.get("Default")]
    yield from dict.fromkeys(name for name in found if name in states)


def _rows(ways: Mapping[str, Sequence[str]], first: str, entered: Sequence[str]) -> list[list[str]]:
    """Return the states in rows: those that were entered, by the fewest steps taken to get there.

    Below them are the others, by the fewest steps that it would take.
    """
    taken: dict[str, list[str]] = {name: [] for name in entered}
    for name, to in pairwise(entered):
        taken[name].append(to)
    path = _by_steps(taken, entered[0]) if entered else []
    quiet = [name for row in _by_steps(ways, first) for name in row if name not in taken]
    others = [quiet[begin : begin + _IN_A_ROW] for begin in range(0, len(quiet), _IN_A_ROW)]
    return [*path, *_untangled(others, ways)]


def _by_steps(ways: Mapping[str, Sequence[str]], first: str) -> list[list[str]]:
    depth = {first: 0}
    waiting = [first]
    for name in waiting:
        for to in ways[name]:
            if to not in depth:
                depth[to] = depth[name] + 1
                waiting.append(to)
    rows: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in waiting:
        rows[depth[name]].append(name)
    return rows


def _untangled(rows: list[list[str]], ways: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Sort each row by where the neighbours of its states lie, so that fewer ways cross."""
    beside: dict[str, set[str]] = {name: set() for name in ways}
    for name, to_all in ways.items():
        for to in to_all:
            beside[name].add(to)
            beside[to].add(name)
    for _ in range(_SWEEPS):
        place = {name: index for row in rows for index, name in enumerate(row)}

        def middle(name: str, place: Mapping[str, int] = place) -> float:
            near = [place[one] for one in beside[name] if one in place]
            return sum(near) / len(near) if near else place[name]

        for row in rows:
            row.sort(key=middle)
    return rows


def _laid_out(
    ways: Mapping[str, Sequence[str]], rows: Sequence[Sequence[str]], entered: Sequence[str]
) -> Graph:
    widest = max(map(len, rows))
    times, steps = Counter(entered), Counter(pairwise(entered))
    at = {
        name: (
            _SIDE + float(_COLUMN * index),
            _EDGE + float(_ROW * number),
        )
        for number, row in enumerate(rows)
        for index, name in enumerate(row)
    }
    nodes = tuple(
        Node(name, x, y, _lines(name), times[name], bool(entered) and name == entered[-1])
        for name, (x, y) in at.items()
    )
    edges = [
        Edge(_path(at[name], at[to]), steps[name, to])
        for name, to_all in ways.items()
        if name in at
        for to in to_all
    ]
    path = [name for index, name in enumerate(entered) if index == 0 or name != entered[index - 1]]
    return Graph(
        width=int(_SIDE + _COLUMN * widest),
        height=int(2 * _EDGE + _ROW * len(rows)),
        box_width=_BOX_WIDTH,
        box_height=_BOX_HEIGHT,
        nodes=nodes,
        edges=tuple(sorted(edges, key=lambda edge: edge.taken)),
        told=f"The path taken: {', '.join(path)}" if path else "No state was entered",
    )


def _path(begin: tuple[float, float], end: tuple[float, float]) -> str:
    """Return the way of an edge: straight down, or round to a row that is not below."""
    half, (x1, y1), (x2, y2) = _BOX_WIDTH / 2, begin, end
    if y2 > y1:
        top, bottom = y1 + _BOX_HEIGHT, y2
        bend = (bottom - top) / 2
        return (
            f"M{x1 + half:.0f},{top:.0f} C{x1 + half:.0f},{top + bend:.0f} "
            f"{x2 + half:.0f},{bottom - bend:.0f} {x2 + half:.0f},{bottom:.0f}"
        )
    leaves = x1 + (_BOX_WIDTH if x2 > x1 else 0)
    enters = x2 + (_BOX_WIDTH if x2 < x1 else 0)
    bulge = _BULGE if x2 == x1 else 12
    middle1, middle2 = y1 + _BOX_HEIGHT / 2, y2 + _BOX_HEIGHT / 2
    return (
        f"M{leaves:.0f},{middle1:.0f} C{leaves + (bulge if x2 > x1 else -bulge):.0f},{middle1:.0f} "
        f"{enters + (bulge if x2 < x1 else -bulge):.0f},{middle2:.0f} {enters:.0f},{middle2:.0f}"
    )


def _lines(name: str) -> tuple[str, ...]:
    """Return a name in two lines at most."""
    if len(name) <= _CHARACTERS:
        return (name,)
    words = name.split(" ")
    first = words[0]
    for index, word in enumerate(words[1:], 1):
        if len(f"{first} {word}") > _CHARACTERS:
            return first, " ".join(words[index:])
        first = f"{first} {word}"
    return (first,)
