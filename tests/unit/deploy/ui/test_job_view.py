"""The page of a job: its calendar, charts, causes by week, and what its knobs would have cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from steadyspot.deploy.runs.fleet import Scheduled, Seen
from steadyspot.deploy.runs.records import RunRecord, StopRecord, Totals
from steadyspot.deploy.stacks.config import Job, Sidecar
from steadyspot.deploy.ui.calendar_view import Day, months
from steadyspot.deploy.ui.charts import AXIS, Column, Limit, chart_of
from steadyspot.deploy.ui.job_view import Asked, JobView, job_view
from steadyspot.deploy.ui.over_time import causes_by_week, charts
from steadyspot.deploy.ui.rendering import rendered
from tests.unit.deploy.ui.nights import ATTEMPTS, JOB, PRICES, attempt, night, parked

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NIGHTLY = replace(JOB, schedule="cron(0 2 * * ? *)")
SINCE = Scheduled(enabled=True, since=datetime(2026, 10, 20, tzinfo=UTC))


def run(**more: object) -> RunRecord:
    found = night().run
    assert found
    return replace(found, **more)  # type: ignore[arg-type]


def days_of(seen: Seen) -> dict[str, Day]:
    return {
        f"{month.name}-{day.number:02}": day
        for month in months(seen, NOW)
        for week in month.weeks
        for day in week
        if day.number
    }


# --- the calendar -------------------------------------------------------------------------------


def test_each_day_of_this_month_and_the_last_says_how_its_runs_went() -> None:
    parked_run = parked().run
    assert parked_run
    totals = Totals({"23": 1, "25": 3}, 1, 3, "20261125T020000Z", "2026-11-25T03:00:00Z")
    under_way = run(status="running", scheduled_time="2026-11-26T02:00:00Z")
    days = days_of(
        Seen(
            "night",
            NIGHTLY,
            {"": SINCE},
            open_runs=[parked_run, under_way],
            months={"2026-11": totals},
        )
    )
    assert len(days) == 31 + 30
    kinds = {at: day.kind for at, day in days.items()}
    assert kinds["2026-11-23"] == "finished"
    assert kinds["2026-11-24"] == "unfinished"
    assert kinds["2026-11-26"] == "running"
    assert kinds["2026-11-22"] == "missed"
    assert kinds["2026-10-19"] == "none", "the schedule was not there yet"
    assert kinds["2026-11-27"] == "ahead"
    assert days["2026-11-25"].told == "11-25: finished, 3 finished"


@pytest.mark.parametrize("now", ["2026-01-01", "2026-03-31", "2028-02-29", "2026-12-31"])
def test_a_calendar_has_whole_months_whatever_the_day(now: str) -> None:
    at = datetime.fromisoformat(f"{now}T00:00:00+00:00")
    shown = months(Seen("night", NIGHTLY, {}), at)
    assert len({month.name for month in shown}) == 2
    assert all(len(week) == 7 for month in shown for week in month.weeks)
    assert all(sum(day.number > 0 for week in month.weeks for day in week) >= 28 for month in shown)


# --- charts -------------------------------------------------------------------------------------


def test_a_column_is_as_high_as_its_value_beside_the_others_and_the_limit() -> None:
    columns = [Column(value, "good", "✓", f"{value:g} s") for value in (10.0, 20.0, 40.0)]
    chart = chart_of("Time", columns, lambda most: f"at most {most:g} s", limit=Limit(80, "limit"))
    assert chart is not None
    heights = [column.height for column in chart.columns]
    assert heights == pytest.approx([12, 24, 48])
    assert [column.y + column.height for column in chart.columns] == [AXIS] * 3
    assert chart.limit is not None
    assert chart.limit.y == pytest.approx(AXIS - 96)
    assert chart.told == "Time, at most 40 s. 10 s; 20 s; 40 s"


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [1e-9], [1e12, 1.0]])
def test_columns_stay_within_their_chart(values: list[float]) -> None:
    chart = chart_of("x", [Column(value, "good", "", "") for value in values], str)
    assert chart is not None
    for column in chart.columns:
        assert 1 <= column.height <= AXIS
        assert 0 <= column.x <= column.x + column.width <= chart.width


def test_charts_tell_time_cost_and_the_grace_against_what_the_stop_allows() -> None:
    job = replace(JOB, stop_timeout_seconds=60)
    newest = run(run_key="b", stop=StopRecord(grace_seconds=45, saving_seconds=2))
    time, cost, grace = charts(job, [newest, run(run_key="a")], PRICES)
    assert [column.told.split(":")[0] for column in time.columns] == ["a", "b"]
    assert "44 min" in time.columns[0].told
    assert "$" in cost.columns[0].told
    assert [column.told for column in grace.columns] == ["b: 45 s"]
    assert grace.most == "at most 45 s of 60 s"
    assert grace.limit is not None
    assert "60 s" in grace.limit.text
    assert grace.limit.y < grace.columns[0].y


def test_without_a_stop_there_is_no_chart_of_grace_and_without_runs_none_at_all() -> None:
    assert [chart.name for chart in charts(JOB, [run()], PRICES)] == ["Run time", "Compute"]
    assert charts(JOB, [], PRICES) == []


def test_causes_are_counted_by_the_week_in_which_they_stopped_an_attempt() -> None:
    earlier = tuple(
        replace(one, ended_at="2026-11-20T03:00:00Z") for one in (ATTEMPTS[0], ATTEMPTS[0])
    )
    found = causes_by_week([run(), run(attempts=earlier)])
    assert found is not None
    assert found.weeks == ("11-16", "11-23")
    assert found.rows == (("reclaimed", (2, 1)), ("no-capacity", (0, 1)))
    assert causes_by_week([run(attempts=ATTEMPTS[2:])]) is None


# --- knobs and settings -------------------------------------------------------------------------


def shown(job: Job, *runs: RunRecord) -> JobView:
    return job_view(job, Asked(runs, (), None, {"Image": "repo@sha256:abc"}), PRICES, NOW)


def test_a_knob_says_what_the_runs_would_have_cost_with_it() -> None:
    one = run(attempts=(attempt(1, "spot", 0, 60, "reclaimed", 4), ATTEMPTS[2]), seconds={})
    second = PRICES.second(vcpu=1, memory_gb=2)
    spot = 3600 * second * PRICES.spot_ratio
    view = shown(JOB, one, one)
    now, later, dear = view.cost, view.knobs[0], view.knobs[-1]
    assert now == f"${2 * (spot + 1440 * second):.4f}"
    assert "maximum_wait_minutes" in later.change
    assert later.cost == f"${2 * (spot + 1440 * second * PRICES.spot_ratio):.4f}"
    assert "on-demand-only" in dear.change
    assert dear.cost == f"${2 * (3600 + 1440) * second:.4f}"
    assert dear.difference.endswith("more")


def test_runs_that_cost_nothing_have_no_knobs() -> None:
    assert shown(JOB).knobs == ()
    assert shown(JOB, run(attempts=(), seconds={})).knobs == ()


def test_the_image_that_is_deployed_is_named_by_its_digest() -> None:
    assert dict(shown(JOB).facts)["deployed image"] == "repo@sha256:abc"
    pinned = replace(JOB, image="repo@sha256:abc")
    assert "deployed image" not in dict(shown(pinned).facts)


def test_settings_that_are_not_the_defaults_are_told_but_for_the_environment() -> None:
    job = replace(
        JOB,
        environment={"TOKEN": "do-not-show"},
        sidecars={"proxy": Sidecar("envoy")},
        shards=4,
    )
    told = dict(shown(job).settings)
    assert told["shards"] == "4"
    assert "envoy" in told["sidecars"]
    assert "do-not-show" not in str(told)
    assert "budgets" not in told


def test_what_a_record_holds_is_text_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    one = run(attempts=(replace(ATTEMPTS[0], cause=evil),), run_key=evil)
    view = shown(JOB, one)
    page = rendered("job.html", now=NOW, where="x", view=view, links=_NoLinks())
    assert evil not in page
    assert view.causes is not None


class _NoLinks:
    """Links that lead nowhere."""

    fleet = "/"

    def job(self, *_: str) -> str:
        return "/"

    run = do = job


def test_days_before_the_shown_months_are_left_out() -> None:
    old = NOW - timedelta(days=400)
    days = days_of(Seen("night", NIGHTLY, {"": Scheduled(enabled=True, since=old)}))
    assert min(days) == "2026-10-01"
