"""What AWS bills: from the image's pull, a minute at least, with all that stands beside compute."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.money import costs
from steadyspot.deploy.money.log_bytes import groups_of, logged
from steadyspot.deploy.money.true_bill import Billed, billed_of, sentence, with_bill
from steadyspot.deploy.runs.evidence import as_data, show
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.runs.story import explain
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.parameters import of_job
from steadyspot.deploy.ui.run_view import run_view
from tests.unit.deploy.fakes import recorded
from tests.unit.deploy.test_money import attempt, item
from tests.unit.templates import TEMPLATES

JOB = Job(name="night", image="i", vcpu=1, memory_gb=2)
PRICES = Prices()
SECOND = (0.04048 + 2 * 0.004445) / 3600


def run(*attempts: dict[str, Any], **more: Any) -> RunRecord:
    return recorded(item(*attempts, **more))


def billed(one: RunRecord, job: Job = JOB, *, public: bool = False, **more: Any) -> Billed:
    return billed_of(one, job, PRICES.of(job.architecture), public=public, **more)


def test_a_task_is_billed_from_its_pull_and_for_a_minute_at_least() -> None:
    pulled = run(attempt(1, "spot", 600, "finished", billed_seconds=630))
    assert billed(pulled).seconds == 630
    assert billed(pulled).compute == pytest.approx(630 * SECOND * 0.3)
    short = run(attempt(1, "on-demand", 4, "finished", billed_seconds=9))
    assert billed(short).seconds == 60
    refused = run(attempt(1, "spot", 0, "no-capacity"))
    assert billed(refused).seconds == 0


def test_each_attempt_has_its_own_minute_and_its_own_capacity() -> None:
    night = run(
        attempt(1, "spot", 10, "reclaimed", billed_seconds=20),
        attempt(2, "spot", 0, "no-capacity"),
        attempt(3, "on-demand", 100, "finished", billed_seconds=130),
    )
    assert billed(night).seconds == 60 + 130
    assert billed(night).compute == pytest.approx(SECOND * (60 * 0.3 + 130))


def test_seconds_that_no_attempt_tells_of_any_more_are_billed_as_they_were() -> None:
    money = {"M": {"spot_seconds": {"N": "700"}}}
    carried = run(attempt(9, "spot", 100, "finished", billed_seconds=110), money=money)
    assert billed(carried).seconds == 110 + 600


def test_disk_addresses_transitions_and_logs_come_on_top() -> None:
    money = {"M": {"transitions": {"N": "20"}}}
    one = run(attempt(1, "spot", 3540, "finished", billed_seconds=3600), money=money)
    job = replace(JOB, disk_gb=120)
    whole = billed(one, job, public=True, log_bytes_a_second=1e6)
    assert whole.disk == pytest.approx(100 * 0.000111)
    assert whole.addresses == pytest.approx(0.005)
    assert whole.transitions == pytest.approx(20 * 0.000025)
    assert whole.logs == pytest.approx(3.54 * 0.5)
    parts = whole.compute + whole.disk + whole.addresses + whole.transitions + whole.logs
    assert whole.total == pytest.approx(parts)
    assert billed(one).addresses == billed(one).disk == billed(one).logs == 0


def test_the_saving_counts_everything_on_both_sides() -> None:
    one = run(attempt(1, "spot", 540, "finished", billed_seconds=600))
    whole = billed(one, public=True)
    alone = 600 * (SECOND + 0.005 / 3600) + 5 * 0.000025
    assert whole.on_demand_only == pytest.approx(alone)
    assert whole.saving == pytest.approx(1 - whole.total / alone)
    assert whole.saving < 0.7 - 0.02
    nothing = billed(run(attempt(1, "spot", 50, "reclaimed", lost_seconds=50)))
    assert (nothing.on_demand_only, nothing.saving) == (0, 0)


@pytest.mark.parametrize(
    ("status", "saved"), [("complete", True), ("running", False), ("unfinished", False)]
)
def test_what_a_run_saved_is_told_once_it_has_done_its_work(status: str, saved: bool) -> None:
    night = run(attempt(1, "spot", 3540, "finished", billed_seconds=3600), status=status)
    config = Config(Path("steadyspot.toml"), Platform("shop"), {JOB.name: JOB})
    story = with_bill(explain(run=night, execution=None, events=[]), JOB, config)
    assert story.billed == billed(night, public=True)
    out = io.StringIO()
    show(Screen(Console(file=out, width=1000)), story, JOB, PRICES)
    told = out.getvalue()
    assert "compute $" in told
    assert "AWS bills about $" in told
    assert "public addresses $0.005000" in told
    assert ("with all of that counted" in told) is saved
    row = as_data(story, JOB, PRICES)["billed"]
    assert row["saving"] == pytest.approx(billed(night, public=True).saving)
    view = run_view(story, JOB, PRICES, datetime(2026, 11, 24, 4, tzinfo=UTC))
    facts = dict(view.facts)
    assert facts["AWS bills in all"].startswith("about $")
    assert [", " in facts[name] for name in ("compute", "AWS bills in all")] == [saved, saved]


def test_a_run_without_attempts_has_no_bill() -> None:
    config = Config(Path("steadyspot.toml"), Platform("shop"), {JOB.name: JOB})
    story = with_bill(explain(run=run(), execution=None, events=[]), JOB, config)
    assert story.billed is None
    assert as_data(story, JOB, PRICES)["billed"] is None


def test_arm64_costs_a_fifth_less_everywhere() -> None:
    one = run(attempt(1, "on-demand", 3600, "finished", billed_seconds=3600))
    arm = replace(JOB, architecture="arm64")
    assert billed(one, arm).compute == pytest.approx(0.8 * billed(one).compute)
    config = parse('[jobs.ab]\nimage = "i"\narchitecture = "arm64"\n')
    job = config.job()
    assert config.prices_of(job).vcpu_hour == pytest.approx(0.032384)
    given = of_job(config.platform, job)
    assert float(given["VcpuHourPrice"]) == pytest.approx(0.032384)
    assert float(given["GbHourPrice"]) == pytest.approx(0.003556)


@pytest.mark.parametrize(
    ("network", "public"),
    [
        ("", True),
        ('vpc = "vpc-0a"\nsubnets = ["subnet-0a"]', True),
        ('vpc = "vpc-0a"\nsubnets = ["subnet-0a"]\nassign_public_ip = false', False),
    ],
)
def test_addresses_are_billed_where_tasks_have_public_ones(network: str, public: bool) -> None:
    config = parse(f'[platform]\n{network}\n[jobs.ab]\nimage = "i"\n')
    assert config.has_public_addresses() is public


def test_the_bill_tells_both_and_names_only_what_there_is() -> None:
    one = run(attempt(1, "spot", 600, "finished", billed_seconds=630))
    (bill,) = costs.by_month(JOB, [one], costs.terms_of([one], PRICES, public=True))
    assert bill.cost == pytest.approx(600 * SECOND * 0.3)
    assert bill.billed == billed(one, public=True)
    (plain, whole) = costs.sentences([bill], [], PRICES, 31)
    assert plain.startswith("The compute of the last 31 days cost $")
    assert whole == sentence([bill.billed])
    assert "public addresses" in whole
    assert "disk" not in whole
    assert "logs" not in whole


def test_what_a_job_logged_is_shared_out_by_seconds() -> None:
    runs = [run(attempt(1, "spot", seconds, "finished")) for seconds in (100, 300)]
    terms = costs.terms_of(runs, PRICES, public=False, log_bytes=4e9)
    assert [costs.of_run(JOB, one, terms).billed.logs for one in runs] == pytest.approx([0.5, 1.5])


# --- what was logged ----------------------------------------------------------------------------

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class CloudWatch:
    """Says that each log group got a byte for each letter of its name, on each of two pages."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls = 0

    def get_paginator(self, _: str) -> CloudWatch:
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.calls += 1
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetMetricData")
        for _page in range(2):
            yield {
                "MetricDataResults": [
                    {"Id": query["Id"], "Values": [float(len(_group(query)))]}
                    for query in asked["MetricDataQueries"]
                ]
            }


def _group(query: dict[str, Any]) -> str:
    (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
    return str(dimension["Value"])


def test_bytes_of_all_jobs_are_asked_for_in_few_calls() -> None:
    cloudwatch = CloudWatch()
    jobs = [f"job-{number}" for number in range(300)]
    found = logged(cloudwatch, "shop", jobs, NOW, NOW)
    assert cloudwatch.calls == 2
    assert found == {job: 2 * sum(map(len, groups_of("shop", job))) for job in jobs}


def test_logs_count_nothing_where_nobody_may_ask() -> None:
    assert logged(CloudWatch(refuses=True), "shop", ["night"], NOW, NOW) == {}


def test_the_log_groups_are_those_of_the_template() -> None:
    resources = TEMPLATES["job"]["Resources"]
    named = [
        resources[name]["Properties"]["LogGroupName"]["Fn::Sub"] for name in ("Log", "StatesLog")
    ]
    assert tuple(named) == groups_of("${Platform}", "${Job}")
