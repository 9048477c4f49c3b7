"""The workflow's graph with the path that a run took."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from steadyspot.contract.states import JobState
from steadyspot.deploy.ui.graph import Graph, graph_of
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.run_view import Beside, run_view
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import ENTERED, JOB, PRICES, night
from tests.virtual.defaults import job_definition

DEFINITION = job_definition()


def drawn(entered: tuple[str, ...] = ENTERED) -> Graph:
    found = graph_of(json.dumps(DEFINITION), entered)
    assert found is not None
    return found


def test_every_state_of_the_definition_is_there_once_and_says_how_often_it_was_entered() -> None:
    nodes = {node.name: node for node in drawn().nodes}
    assert nodes.keys() == DEFINITION["States"].keys()
    assert len(nodes) == len(drawn().nodes)
    assert {name: node.entered for name, node in nodes.items() if node.entered} == {
        name: ENTERED.count(name) for name in ENTERED
    }
    assert [node.name for node in nodes.values() if node.is_last] == [JobState.CLOSE]


def test_no_state_lies_on_another_and_all_within_the_picture() -> None:
    graph = drawn()
    places = [(node.x, node.y) for node in graph.nodes]
    assert len({*places}) == len(places)
    assert all(0 <= x <= graph.width - graph.box_width for x, _ in places)
    assert all(0 <= y <= graph.height - graph.box_height for _, y in places)


def test_the_ways_that_were_taken_are_those_of_the_path() -> None:
    taken = [edge.taken for edge in drawn().edges if edge.taken]
    steps = {*pairwise(ENTERED)}
    known = {
        (name, to)
        for name, state in DEFINITION["States"].items()
        for to in re.findall(r'"(?:Next|Default)": "([^"]+)"', json.dumps(state))
    }
    assert len(taken) == len(steps & known)
    assert sum(taken) == sum(pair in known for pair in pairwise(ENTERED))


def test_the_path_is_told_in_words() -> None:
    assert drawn().told.startswith("The path taken: Claim the run, Look at the weather, Run on")
    assert drawn(()).told == "No state was entered"


def test_states_of_another_machine_are_left_out() -> None:
    assert sum(node.entered for node in drawn((*ENTERED[:3], "Run a shard")).nodes) == 3


@pytest.mark.parametrize(
    "definition", ["", "{}", "[]", "nonsense", '{"States": {}, "StartAt": "x"}', '{"States": 1}']
)
def test_what_is_no_definition_has_no_graph(definition: str) -> None:
    assert graph_of(definition, ENTERED) is None


def test_a_name_with_markup_stays_text() -> None:
    evil = "<script>"
    definition = json.dumps({"StartAt": evil, "States": {evil: {"Type": "Succeed"}}})
    view = run_view(night(), JOB, PRICES, BEGUN, Beside(definition=definition))
    page = rendered("run.html", now=BEGUN, where="x", view=view)
    assert evil not in page
    assert "&lt;script&gt;" in page
