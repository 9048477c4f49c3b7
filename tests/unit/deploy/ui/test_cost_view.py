"""The page of costs, as a file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from steadyspot.deploy.money.costs import Terms, advice, by_month, together
from steadyspot.deploy.ui.charts import AXIS
from steadyspot.deploy.ui.cost_view import CostView, cost_view
from steadyspot.deploy.ui.files import write
from steadyspot.deploy.ui.rendering import rendered
from tests.unit.deploy.fakes import BEGUN
from tests.unit.deploy.ui.nights import JOB, PRICES, weeks


def shown(unreadable: tuple[str, ...] = ()) -> CostView:
    runs = weeks(JOB).runs
    tip = advice(JOB, together(JOB, runs, Terms(PRICES)), PRICES)
    assert tip
    return cost_view(by_month(JOB, runs, Terms(PRICES)), [tip], unreadable, PRICES, 31)


def test_the_page_says_what_runs_cost_what_was_saved_and_what_would_save_most() -> None:
    view = shown()
    assert "saved" in view.sentences[0]
    assert view.sentences[1].startswith("AWS bills about $")
    assert "What would save most" in view.sentences[2]
    assert [row[1] for row in view.rows] == ["2026-10", "2026-11"]


def test_each_month_is_a_column_as_high_as_its_cost() -> None:
    (chart,) = shown().charts
    bills = by_month(JOB, weeks(JOB).runs, Terms(PRICES))
    heights = [column.height / (AXIS - column.y) for column in chart.columns]
    assert heights == [1, 1]
    first, second = (column.height for column in chart.columns)
    assert abs(first / second - bills[0].cost / bills[1].cost) < 0.02
    assert [column.told[:7] for column in chart.columns] == ["2026-10", "2026-11"]


def test_a_file_needs_nothing_from_elsewhere_and_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cost.html"
    write("cost.html", shown(("night 20261101T020000Z",)), "shop, eu-central-1", path)
    page = path.read_text()
    assert set(re.findall(r"(?:src|href)=\"([^\"]+)\"", page)) <= {"data:,", "#main"}
    assert "<script" not in page
    assert "Left out, since their records cannot be read: night 20261101T020000Z." in page


def test_without_runs_it_says_so() -> None:
    view = cost_view([], [], (), PRICES, 7)
    assert view.sentences == ("No run in the last 7 days.",)
    assert "No run in the last 7 days." in rendered("cost.html", now=BEGUN, where="x", view=view)


def test_a_job_is_named_as_text() -> None:
    evil = replace(JOB, name="<script>")
    bills = by_month(evil, weeks(JOB).runs, Terms(PRICES))
    view = cost_view(bills, [], (), PRICES, 31)
    assert "<script>" not in rendered(
        "cost.html", now=BEGUN + timedelta(days=1), where="x", view=view
    )
