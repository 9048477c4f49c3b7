"""Draws the workflow, and in it the way of one run, as a picture that every page can show.

Made from the rendered definition and laid out as the page of a run is. The run was interrupted
on Spot, then refused, and finished on on-demand; all other ways are there, too, but quiet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

from steadyspot.contract.states import JobState
from steadyspot.deploy.ui.graph import Edge, Graph, Node, graph_of
from steadyspot.statemachines.render import definition

_RECORDED = (JobState.HOW_FAR, JobState.RECORD_ATTEMPT, JobState.NOTE_WEATHER)
_ON_SPOT = (JobState.LOOK_AT_WEATHER, JobState.RUN_ON_SPOT)
WAY = (
    *(JobState.CLAIM, *_ON_SPOT, *_RECORDED, JobState.RUN_ON_SPOT),
    *(JobState.NOTE_REFUSAL, JobState.WHY_DID_IT_STOP, JobState.WAIT_FOR_CAPACITY),
    *(JobState.LOOK_AT_WEATHER, JobState.CHOOSE_CAPACITY, JobState.RUN_ON_DEMAND, JobState.CLOSE),
    *(JobState.WHAT_IS_DONE, JobState.TELL_IT_FINISHED, JobState.FINISHED),
)
"""The states that the run entered."""

_QUIET = 'stroke="#ddd"'
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9" '
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>'
)


def picture() -> str:
    """Return the picture as SVG that needs nothing beside it."""
    graph = graph_of(json.dumps(definition("job")), WAY)
    assert graph is not None
    size = (
        f'viewBox="0 0 {graph.width} {graph.height}" width="{graph.width}" height="{graph.height}"'
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
            'font-size="11.5">',
            f"<title>{escape(graph.told)}</title>",
            _ARROW,
            '<rect width="100%" height="100%" fill="#fff"/>',
            *map(_way, graph.edges),
            *(line for node in graph.nodes for line in _state(node, graph)),
            "</svg>\n",
        )
    )


def _way(edge: Edge) -> str:
    drawn = 'stroke="#234" stroke-width="1.8" marker-end="url(#arrow)"'
    return f'<path d="{edge.path}" fill="none" {drawn if edge.taken else _QUIET}/>'


def _state(node: Node, graph: Graph) -> Iterator[str]:
    colours = 'fill="#cfe3ff" stroke="#234"' if node.entered else 'fill="#fafafa" stroke="#bbb"'
    yield (
        f'<rect x="{node.x}" y="{node.y}" width="{graph.box_width}" height="{graph.box_height}" '
        f'rx="6" {colours}/>'
    )
    first = 22 if len(node.lines) == 1 else 15
    for number, line in enumerate(node.lines):
        yield (
            f'<text x="{node.x + graph.box_width / 2}" y="{node.y + first + 14 * number}" '
            f'text-anchor="middle">{escape(line)}</text>'
        )
