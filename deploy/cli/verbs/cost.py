"""``steadyspot cost``."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import click

from steadyspot.deploy.cli import options
from steadyspot.deploy.plain import cell

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target


@click.command(name="cost")
@options.job
@click.option("--days", default=31, show_default=True, type=click.IntRange(1, 3660))
@click.option("--each", is_flag=True, help="Each run by itself instead of months.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@click.option("--refresh", is_flag=True, help="Today's prices, from AWS's Price List.")
@options.as_json
@options.on_target
def command(
    target: Target,
    screen: Screen,
    *,
    job: str | None,
    days: int,
    each: bool,
    as_csv: bool,
    refresh: bool,
    machine: bool,
) -> None:
    """Show what runs cost, against on-demand only: all jobs, or one JOB."""
    from dataclasses import asdict
    from datetime import UTC, datetime, timedelta

    from steadyspot.deploy.money.costs import (
        COLUMNS,
        advice,
        by_month,
        cells,
        of_run,
        sentences,
        together,
    )
    from steadyspot.deploy.runs.records import UNREADABLE
    from steadyspot.deploy.runs.shards import whole

    prices = target.config.platform.prices
    if refresh:
        from steadyspot.deploy.money.price_list import REGION, as_setting, listed

        pricing = target.session.client("pricing", region_name=REGION)
        prices = listed(
            pricing, str(target.session.region_name), prices, f"{datetime.now(UTC):%Y-%m}"
        )
        if not machine and not as_csv:
            screen.say(f"To keep these prices, put into [platform]: {as_setting(prices)}")
    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    since = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")
    bills, tips, unreadable = [], [], []
    for one in wanted:
        found = [whole(target.runs, run) for run in target.runs.since(one.name, since)]
        runs = [run for run in found if run.status != UNREADABLE]
        unreadable += [f"{one.name} {run.run_key}" for run in found if run.status == UNREADABLE]
        bills += [of_run(one, run, prices) for run in runs] if each else by_month(one, runs, prices)
        if runs and (tip := advice(one, together(one, runs, prices), prices)):
            tips.append(tip)
    rows: list[dict[str, Any]] = [{**asdict(bill), "saving": bill.saving} for bill in bills]
    if machine:
        best = max(tips, key=lambda tip: tip.saves, default=None)
        screen.json(
            {
                "prices": prices.date,
                "bills": rows,
                "advice": asdict(best) if best else None,
                "unreadable": unreadable,
            }
        )
    elif as_csv:
        screen.raw(_csv(rows))
    elif bills:
        screen.table(COLUMNS, map(cells, bills))
        screen.say()
        for sentence in sentences(bills, tips, prices, days):
            screen.say(sentence)
    else:
        screen.say(f"There was no run in the last {days} days.")
    if unreadable and not machine and not as_csv:
        screen.say(f"Left out, since their records cannot be read: {', '.join(unreadable)}.", "red")


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()
