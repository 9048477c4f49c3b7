"""The picture of a run: a bar for each attempt, in its place and of its length."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from steadyspot.deploy.runs.history import Launch
from steadyspot.deploy.runs.records import AttemptRecord, RunRecord
from steadyspot.deploy.runs.story import Explanation
from steadyspot.deploy.ui.pictures import LEFT, RIGHT, laid_out
from steadyspot.deploy.ui.rendering import rendered
from steadyspot.deploy.ui.run_view import run_view
from steadyspot.deploy.ui.timeline import Ended, timeline_of
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import JOB, PRICES, night


def test_each_attempt_is_a_bar_of_its_length_in_its_place() -> None:
    timeline = timeline_of(night(), BEGUN)
    assert timeline is not None
    picture = laid_out(timeline)
    assert [box.kind for box in picture.boxes] == ["spot", "spot", "on-demand"]
    seconds = (timeline.end - timeline.begin).total_seconds()
    for bar, box in zip(timeline.bars, picture.boxes, strict=True):
        assert box.width == pytest.approx(bar.seconds / seconds * (RIGHT - LEFT), abs=3)
    assert [box.ended for box in picture.boxes] == ["stopped", "stopped", "finished"]
    assert all(before.x <= after.x for before, after in pairwise(picture.boxes))


def test_a_refused_attempt_is_seen_though_it_took_no_time() -> None:
    picture = laid_out(timeline_of(night(), BEGUN) or pytest.fail("no picture"))
    assert picture.boxes[1].width == 3
    assert "no-capacity" in picture.boxes[1].told


def test_what_lies_between_is_a_wait_and_the_late_end_lies_behind_the_deadline() -> None:
    timeline = timeline_of(night(), BEGUN)
    assert timeline is not None
    assert [gap.told for gap in timeline.gaps] == ["waited 20 min"]
    lines = {line.kind: line for line in laid_out(timeline).lines}
    assert lines["deadline"].x < RIGHT
    assert lines["last-moment"].x < lines["deadline"].x


def test_an_attempt_under_way_ends_now() -> None:
    begin = BEGUN + timedelta(minutes=1)
    story = replace(
        night(attempts=()), under_way=Launch(1, "spot", begin), outcome="The run is under way."
    )
    timeline = timeline_of(story, begin + timedelta(seconds=90))
    assert timeline is not None
    assert [(bar.ended, bar.seconds) for bar in timeline.bars] == [(Ended.UNDER_WAY, 90)]


def test_a_run_without_attempts_has_no_picture() -> None:
    assert timeline_of(night(attempts=()), BEGUN) is None
    assert timeline_of(replace(night(), run=None), BEGUN) is None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_an_attempt_whose_start_makes_no_sense_is_left_out(text: str) -> None:
    story = night()
    run = story.run or pytest.fail("no run")
    broken = replace(run.attempts[0], started_at=text)
    story = replace(story, run=replace(run, attempts=(broken, *run.attempts[1:])))
    timeline = timeline_of(story, BEGUN)
    assert timeline is not None
    assert len(timeline.bars) == len(run.attempts) - 1


def test_the_curve_of_units_stays_within_its_panel_whatever_a_worker_wrote() -> None:
    story = night()
    run = story.run or pytest.fail("no run")
    story = replace(story, run=replace(run, units_total=2))
    timeline = timeline_of(story, BEGUN)
    assert timeline is not None
    assert max(share for _, share in timeline.curve) == 1


@pytest.mark.parametrize(
    "length",
    [timedelta(seconds=3), timedelta(minutes=7), timedelta(hours=9), timedelta(days=40)],
    ids=str,
)
def test_an_axis_has_a_few_ticks_whatever_a_run_takes(length: timedelta) -> None:
    story = night()
    run = story.run or pytest.fail("no run")
    ended = f"{BEGUN + length:%Y-%m-%dT%H:%M:%SZ}"
    only: AttemptRecord = replace(run.attempts[0], ended_at=ended)
    story = replace(story, deadline=None, run=replace(run, attempts=(only,)))
    ticks = laid_out(timeline_of(story, BEGUN) or pytest.fail("no picture")).ticks
    assert 1 < len(ticks) < 10
    assert len({tick.text for tick in ticks}) == len(ticks)


def _page(story: Explanation) -> str:
    view = run_view(story, JOB, PRICES, BEGUN)
    return rendered("run.html", now=BEGUN, where="shop, eu-central-1", view=view)


def test_a_page_says_what_happened_why_what_it_cost_and_what_to_do() -> None:
    page = re.sub(r"\s+", " ", _page(night()))
    for told in (
        "The run is complete and its outputs are published.",
        "Nothing to do.",
        "AWS reclaimed the Spot capacity",
        "4 min late",
        "instead of",
        "due by",
    ):
        assert told in page


def test_what_others_wrote_is_text_on_a_page() -> None:
    story = night()
    run: RunRecord = story.run or pytest.fail("no run")
    evil = '<script>alert(1)</script>"\x1b[31m\u202e'
    attempt = replace(run.attempts[0], zone=evil, stopped_reason=evil, cause=evil)
    story = replace(story, run=replace(run, warnings=(evil,), attempts=(attempt,)), outcome=evil)
    page = _page(story)
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_page_needs_nothing_from_elsewhere() -> None:
    found = re.findall(r"(?:src|href)=\"([^\"]+)\"", _page(night()))
    assert set(found) <= {"data:,", "#main"}
