"""The page of a bad night: three reclaims, a drought, fall-back, late by four minutes.

Whoever sees only this page has to be able to say what happened, why, what it cost and what to do.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from steadyspot.deploy.ui.in_short import in_short
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.run_view import RunView, run_view
from steadyspot.deploy.ui.timeline import timeline_of
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.bad_night import run_view_of_a_bad_night
from tests.unit.deploy.ui.nights import ATTEMPTS, JOB, PRICES, night


@pytest.fixture(scope="module")
def view() -> RunView:
    return run_view_of_a_bad_night()


@pytest.fixture(scope="module")
def page(view: RunView) -> str:
    return rendered("run.html", now=datetime(2026, 11, 24, 6, tzinfo=UTC), where="shop", view=view)


@pytest.fixture(scope="module")
def first_screen(page: str) -> str:
    """What stands above the picture, as text."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("Timeline")[0]))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what happened", "The run is complete and its outputs are published. It was 4 min late."),
        ("why", "Attempts 1 to 3 (3 × reclaimed): AWS reclaimed the Spot capacity."),
        ("why", "Attempts 4 to 8 (5 × no-capacity): AWS had no capacity for the task."),
        ("why", "Between attempts it waited 48 min."),
        ("why", "it ran on on-demand, the last safe moment for the deadline."),
        ("what it cost", "compute $0.1405, 40% saved"),
        ("what it cost", "AWS bills in all about $0.1"),
        ("what to do", "What to do: Nothing to do. So that such a night ends in time:"),
        ("what to do", "a greater margin_seconds (now 15) has on-demand taken earlier"),
    ],
)
def test_a_stranger_is_answered_before_the_picture(
    first_screen: str, question: str, answer: str
) -> None:
    assert answer in first_screen, question


def test_the_picture_has_each_attempt_the_fall_back_and_the_end_behind_the_deadline(
    view: RunView,
) -> None:
    picture = view.picture
    assert picture is not None
    assert [box.kind for box in picture.boxes] == ["spot"] * 8 + ["on-demand"]
    lines = {line.kind: line.x for line in picture.lines}
    last = picture.boxes[-1]
    assert lines["last-moment"] == pytest.approx(last.x, abs=1)
    assert last.x < lines["deadline"] < last.x + last.width


def test_the_way_through_the_workflow_ends_where_it_finished(view: RunView) -> None:
    assert view.graph is not None
    entered = {node.name: node.entered for node in view.graph.nodes if node.entered}
    assert entered["Run on Fargate Spot"] == 8
    assert entered["Run on on-demand Fargate"] == 1
    (last,) = [node.name for node in view.graph.nodes if node.is_last]
    assert last == "Finished"


def test_a_quiet_run_needs_no_why() -> None:
    story = night(ATTEMPTS[2:])
    assert [*in_short(replace(story, stops=()), timeline_of(story, BEGUN))] == []


def test_a_run_in_time_is_not_told_how_to_be_on_time() -> None:
    story = replace(night(), deadline=BEGUN + timedelta(hours=5))
    shown = run_view(story, JOB, PRICES, BEGUN)
    assert (shown.late, shown.advice) == ("", "")


def test_a_run_under_way_that_is_late_is_said_to_be() -> None:
    story = night(attempts=())
    shown = run_view(story, JOB, PRICES, BEGUN + timedelta(minutes=67))
    assert shown.late == "7 min late"
    page = rendered("run.html", now=BEGUN, where="x", view=shown)
    assert "It is 7 min late." in page
