"""Drills from the page: one at a time, carried out by the main thread, put back whatever comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.drills import DRILLS, Drill, Observation
from steadyspot.deploy.runs.history import Moment
from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.doing import ACTIONS
from steadyspot.deploy.ui.drilling import ON_COPY, Drilling
from steadyspot.deploy.ui.drills_view import drills_view
from steadyspot.deploy.ui.rendering import rendered
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import JOB, PRICES

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


class Fault:
    """A drill of which it is seen whether it was put back; it may break off in the middle."""

    def __init__(self, breaks: BaseException | None = None) -> None:
        self.breaks = breaks
        self.is_put_back = False

    def run(self, stage: Any) -> Iterator[Observation]:
        try:
            stage.show(Moment(NOW, "the copy is deployed"))
            yield Observation("it was stopped")
            if self.breaks:
                raise self.breaks
            yield Observation("nobody was told", good=False)
        finally:
            self.is_put_back = True


def drilling(fault: Fault) -> Drilling:
    drill: Any = Drill("It does something to {job}.", fault.run, on_copy=True)  # type: ignore[arg-type]

    def stage(_target: Any, job: Any, show: Any) -> Any:
        return SimpleNamespace(job=job, show=show)

    return Drilling(None, {"hang": drill}, stage)  # type: ignore[arg-type]


def told(drills: Drilling) -> list[tuple[str, str]]:
    assert drills.last
    return [(line.text, line.tone) for line in drills.last.lines]


def is_over(drills: Drilling) -> bool:
    assert drills.last
    return drills.last.is_over


def test_a_drill_tells_what_it_does_and_finds_and_is_over() -> None:
    fault = Fault()
    drills = drilling(fault)
    drills.ask(JOB, "hang")
    assert not is_over(drills)
    drills.carry_out_one()
    assert told(drills) == [
        ("the copy is deployed", "plain"),
        ("ok: it was stopped", "good"),
        ("NOT OK: nobody was told", "bad"),
    ]
    assert is_over(drills)
    assert fault.is_put_back


def test_only_one_is_carried_out_at_a_time() -> None:
    drills = drilling(Fault())
    drills.ask(JOB, "hang")
    with pytest.raises(Trouble, match="drill hang of night is under way"):
        drills.ask(replace(JOB, name="day"), "hang")
    drills.carry_out_one()
    drills.ask(replace(JOB, name="day"), "hang")
    assert drills.last is not None
    assert drills.last.job == "day"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Trouble("No task came.", "See why."), "No task came. See why."),
        (KeyError("ours"), "Steadyspot itself has failed. The terminal has a traceback."),
    ],
    ids=["trouble", "a fault of ours"],
)
def test_a_drill_that_breaks_off_is_told_and_put_back(error: Exception, said: str) -> None:
    fault = Fault(error)
    drills = drilling(fault)
    drills.ask(JOB, "hang")
    drills.carry_out_one()
    assert told(drills)[-1] == (said, "bad")
    assert fault.is_put_back
    assert is_over(drills)


def test_ctrl_c_puts_a_drill_back_and_ends_the_server() -> None:
    fault = Fault(KeyboardInterrupt())
    drills = drilling(fault)
    drills.ask(JOB, "hang")
    with pytest.raises(KeyboardInterrupt):
        drills.carry_out()
    assert fault.is_put_back


def test_carrying_out_goes_on_from_one_drill_to_the_next() -> None:
    first, then = Fault(), Fault(KeyboardInterrupt())
    drills = drilling(first)
    drills.ask(JOB, "hang")
    drills.carry_out_one()
    first.breaks = then.breaks
    drills.ask(JOB, "hang")
    with suppress(KeyboardInterrupt):
        drills.carry_out()
    assert is_over(drills)


def test_the_page_offers_what_works_on_a_copy_and_nothing_else() -> None:
    assert {*ON_COPY} == {name for name, drill in DRILLS.items() if drill.on_copy}
    assert "interrupt" not in ON_COPY
    assert {name for name in ACTIONS if name.startswith("drill-")} == {
        f"drill-{name}" for name in ON_COPY
    }


@pytest.mark.parametrize("name", ON_COPY)
def test_what_a_drill_does_and_costs_is_said_before_it_is_agreed_to(name: str) -> None:
    said = " ".join(ACTIONS[f"drill-{name}"].told(JOB, "", PRICES, here=False))
    assert "throwaway copy of night" in said
    assert "It costs about $" in said


def test_a_drill_under_way_is_shown_and_moves_and_what_it_says_is_text() -> None:
    fault = Fault(Trouble("<script>alert(1)</script>", "See why."))
    drills = drilling(fault)
    drills.ask(JOB, "hang")
    assert not drills_view(JOB, drills.last).is_over
    drills.carry_out_one()
    view = drills_view(JOB, drills.last)
    assert view.is_over
    page = rendered("drills.html", now=BEGUN, where="x", view=view, links=_Links())
    assert "<script>alert" not in page
    assert "ok: it was stopped" in page


class _Links:
    """Links that lead nowhere."""

    fleet = "/"

    def job(self, *_: str) -> str:
        return "/"

    do = drills = job
