"""The page in a real browser: widths, dark, keyboard, accessibility, moving by itself, doing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from steadyspot.contract.shards import shard_key
from steadyspot.deploy.money.costs import Terms, by_month
from steadyspot.deploy.runs.fleet import UnderWay
from steadyspot.deploy.runs.story import Explanation
from steadyspot.deploy.ui.cost_view import cost_view
from steadyspot.deploy.ui.files import write
from steadyspot.deploy.ui.fleet_view import FleetView, fleet_view
from steadyspot.deploy.ui.job_view import JobView
from steadyspot.deploy.ui.run_view import Beside, run_view
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.bad_night import run_view_of_a_bad_night
from tests.unit.deploy.ui.nights import ATTEMPTS, JOB, PRICES, night, parked, weeks
from tests.unit.deploy.ui.shown import RUN, STATUS, Shown

PATHS = [
    *("/", "/jobs/night", RUN, "/jobs/night/drills"),
    *("/jobs/night/do/start", "/jobs/night/do/drill-hang", "/jobs/nope"),
]
DARK = {"color_scheme": "dark"}


@pytest.mark.parametrize(
    ("width", "options"), [(390, {}), (1440, DARK)], ids=["small, light", "wide, dark"]
)
def test_nothing_is_in_the_way_of_anybody_and_no_page_is_wider_than_the_window(
    looking: Any, width: int, options: dict[str, Any]
) -> None:
    with looking(Shown(), viewport={"width": width, "height": 900}, **options) as looked:
        for path in PATHS:
            page = looked.open(path)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, path
        # A page that is not there is said by the browser, too.
        looked.messages = [text for text in looked.messages if "404" not in text]


@pytest.mark.parametrize("width", [390, 1440])
def test_all_of_a_job_is_seen_without_moving_sideways(looking: Any, width: int) -> None:
    with looking(Busy(), viewport={"width": width, "height": 900}) as looked:
        page = looked.open("/")
        ends = page.locator("#jobs tbody td").evaluate_all(
            "cells => cells.map((one) => one.getBoundingClientRect().right)"
        )
        assert len(ends) == 16
        assert max(ends) <= width
        page.locator("#filter").fill("a-job")
        assert page.locator("#jobs tbody tr").evaluate_all(
            "rows => rows.map((one) => one.getBoundingClientRect().height > 0)"
        ) == [True, False]


def test_all_of_an_attempt_is_seen_without_moving_sideways(looking: Any) -> None:
    shown = Shown(run_view_of_a_bad_night())
    with looking(shown, viewport={"width": 390, "height": 900}) as looked:
        page = looked.open(RUN)
        cells = page.locator("table.attempts tbody td")
        ends = cells.evaluate_all("cells => cells.map((one) => one.getBoundingClientRect().right)")
        assert len(ends) == 8 * page.locator("table.attempts tbody tr").count() > 0
        assert max(ends) <= 390


class Busy(Shown):
    """Two jobs, one of which runs and has a long name."""

    def fleet(self) -> FleetView:
        run = UnderWay("20261124T020000Z", "on-demand", 1_000, 12_000, 2, "2026-11-24T08:00:00Z")
        name = "a-job-with-a-name-as-long-as-they-come"
        busy = replace(STATUS, job=name, state="running", running=(run,))
        return fleet_view([busy, STATUS], {name: weeks(JOB, 30).runs[::-1]}, [])


def test_all_is_reached_by_keyboard(looking: Any) -> None:
    with looking(Shown()) as looked:
        page = looked.open("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "night":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs/night")
        assert page.locator("h1").inner_text() == "night"


def test_a_run_is_redriven_by_keyboard_alone(looking: Any) -> None:
    shown = Shown(run_view(parked(), JOB, PRICES, BEGUN, Beside({})))
    with looking(shown) as looked:
        page = looked.open(RUN)
        press_tab_until(page, "redrive")
        page.keyboard.press("Enter")
        page.wait_for_url("**/do/redrive")
        press_tab_until(page, "redrive")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=It is done.")
        assert shown.done == [("redrive", "night", "20261124T020000Z")]


def press_tab_until(page: Page, text: str) -> None:
    """Go from one thing to the next as who has no mouse does, 30 at most."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == text:
            return
    pytest.fail(f"{text} is not reached by keyboard")


def test_pages_as_files_are_in_the_way_of_nobody(looking: Any, tmp_path: Path) -> None:
    views: list[tuple[str, Any]] = [
        ("run.html", run_view_of_a_bad_night()),
        ("run.html", run_view(spread(), JOB, PRICES, BEGUN + timedelta(hours=1))),
        ("cost.html", cost_view(by_month(JOB, weeks(JOB).runs, Terms(PRICES)), [], (), PRICES, 31)),
        ("fleet.html", Shown().fleet()),
    ]
    with looking(Shown(), viewport={"width": 390, "height": 900}) as looked:
        for number, (template, view) in enumerate(views):
            path = tmp_path / f"{number}.html"
            write(template, view, "shop, eu-central-1", path)
            looked.page.goto(path.as_uri())
            found = Axe().run(looked.page)
            assert found.violations_count == 0, found.generate_report()
            assert looked.page.evaluate("document.documentElement.scrollWidth") <= 390, template


def spread() -> Explanation:
    """A run over shards, one of which is under way."""
    story = night(())
    assert story.run
    shards = [
        replace(
            story.run,
            run_key=shard_key(story.run.run_key, number),
            status="running" if number == 2 else "complete",
            attempts=ATTEMPTS[:1],
        )
        for number in range(5)
    ]
    return replace(story, run=replace(story.run, shards=5), shards=tuple(shards))


def test_a_page_that_waits_for_aws_says_so_and_fills_itself(looking: Any) -> None:
    answers = Event()

    class Slow(Shown):
        def job(self, name: str) -> JobView:
            assert answers.wait(60)
            return super().job(name)

    with looking(Slow()) as looked:
        page = looked.open("/jobs/night")
        assert "AWS is being asked" in page.locator("#reading").inner_text()
        answers.set()
        page.wait_for_selector("#runs")


def test_jobs_are_shown_by_state(looking: Any) -> None:
    with looking(Shown()) as looked:
        page = looked.open("/")
        page.select_option("#kind", "finished")
        assert page.locator("#jobs tbody tr:visible").count() == 1
        page.evaluate("document.querySelector('#jobs tbody tr').dataset.kind = 'parked'")
        page.select_option("#kind", "")
        page.select_option("#kind", "finished")
        assert page.locator("#jobs tbody tr:visible").count() == 0


def test_a_run_under_way_moves_by_itself_and_comes_to_rest(looking: Any) -> None:
    under_way = run_view(night(attempts=()), JOB, PRICES, BEGUN, Beside({}))
    over = run_view(night(), JOB, PRICES, BEGUN, Beside({}))
    with looking(Shown(under_way, under_way, over)) as looked:
        page = looked.open(RUN)
        assert page.locator(".outcome").inner_text().startswith("…")
        page.wait_for_selector(".outcome.good", timeout=30_000)
        assert page.locator("svg .bar").count() == 3


class Changing(Shown):
    """A fleet of which something else is to be said at each look."""

    looks = 0

    def fleet(self) -> FleetView:
        self.looks += 1
        return replace(super().fleet(), summary=f"look {self.looks}")


def test_what_is_looked_for_stays_so_when_the_page_moves(looking: Any) -> None:
    with looking(Changing()) as looked:
        page = looked.open("/")
        page.fill("#filter", "nothing of that name")
        assert page.locator("#jobs tbody tr:visible").count() == 0
        page.wait_for_selector("text=look 3", timeout=30_000)
        assert page.input_value("#filter") == "nothing of that name"
        assert page.locator("#jobs tbody tr:visible").count() == 0
        assert page.evaluate("document.activeElement.id") == "filter"


def test_a_redrive_from_the_page_is_told_asked_for_and_done(looking: Any) -> None:
    shown = Shown(run_view(parked(), JOB, PRICES, BEGUN, Beside({})))
    with looking(shown) as looked:
        page = looked.open(RUN)
        page.click("a.button")
        assert "dead-letter queue" in page.locator("main p").first.inner_text()
        assert shown.done == []
        page.click("button")
        assert "It is done." in page.locator(".outcome").inner_text()
        assert shown.done == [("redrive", "night", "20261124T020000Z")]


def test_without_the_token_nothing_is_shown(looking: Any) -> None:
    with looking(Shown()) as looked:
        page = looked.page
        page.goto(looked.address.replace("token=", "token=x"))
        assert "lacks its token" in page.locator(".outcome").inner_text()
        looked.messages = [text for text in looked.messages if "403" not in text]


def test_what_a_job_wrote_runs_nothing_in_the_browser(looking: Any) -> None:
    evil = "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>"
    shown = Shown(run_view(night(said=evil), JOB, PRICES, BEGUN, Beside({})))
    with looking(shown) as looked:
        page = looked.open(RUN)
        page.wait_for_timeout(300)
        assert evil in page.locator("table").inner_text()
        assert "harmed" not in page.title()


def test_a_bar_leads_to_what_its_attempt_printed(looking: Any) -> None:
    with looking(Shown(), viewport={"width": 1440, "height": 900}) as looked:
        page = looked.open(RUN)
        (bar,) = page.locator("svg a").all()
        bar.click()
        assert page.url.endswith("#log-1")
        assert "half of it is done" in page.locator("pre[aria-labelledby=log-1]").inner_text()


def test_the_picture_is_as_long_as_the_attempts(looking: Any) -> None:
    with looking(Shown(), viewport={"width": 1440, "height": 900}) as looked:
        page = looked.open(RUN)
        boxes = [bar.bounding_box() for bar in page.locator("svg .bar rect").all()]
        widths = [box["width"] for box in boxes if box]
        assert widths[2] / widths[0] == pytest.approx(24 / 20, rel=0.05)
