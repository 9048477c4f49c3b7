"""``steadyspot cost``."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from steadyspot.deploy.cli import options
from steadyspot.deploy.plain import cell

if TYPE_CHECKING:
    from pathlib import Path

    from steadyspot.deploy.aws.prices import Prices
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.money.costs import Advice, Bill
    from steadyspot.deploy.stacks.config import Job
    from steadyspot.deploy.target import Target


@click.command(name="cost")
@options.job
@click.option(
    "--days",
    default=31,
    show_default=True,
    type=click.IntRange(1, 3660),
    help="Runs of the last so many days.",
)
@click.option("--each", is_flag=True, help="Each run by itself instead of months.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@click.option("--refresh", is_flag=True, help="Today's prices, from AWS's Price List.")
@options.as_json
@options.as_page
@options.on_target
def command(
    target: Target, screen: Screen, *, job: str | None, days: int, each: bool, **shown: Any
) -> None:
    """Show what runs cost, against on-demand only: all jobs, or one JOB."""
    prices = target.config.platform.prices
    if shown["refresh"]:
        prices = _todays(target, screen, prices, silent=shown["machine"] or shown["as_csv"])
    wanted = [target.config.job(job)] if job else list(target.config.jobs.values())
    found = _billed(target, wanted, prices, days, each=each)
    if shown["machine"]:
        _as_json(screen, found, prices)
    elif shown["as_csv"]:
        screen.raw(_csv(_rows(found)))
    elif shown.get("page"):
        _write(target, screen, shown["page"], (*found, prices, days))
    else:
        _show(screen, found, prices, days)


class Found(NamedTuple):
    """What there is to show; ``unreadable`` names runs whose records cannot be read."""

    bills: list[Bill]
    tips: list[Advice]
    unreadable: list[str]


def _todays(target: Target, screen: Screen, prices: Prices, *, silent: bool) -> Prices:
    from datetime import UTC, datetime

    from steadyspot.deploy.money.price_list import REGION, as_setting, listed

    pricing = target.session.client("pricing", region_name=REGION)
    today = listed(pricing, str(target.session.region_name), prices, f"{datetime.now(UTC):%Y-%m}")
    if not silent:
        screen.say(f"To keep these prices, put into [platform]: {as_setting(today)}")
    return today


def _billed(target: Target, wanted: list[Job], prices: Prices, days: int, *, each: bool) -> Found:
    from datetime import UTC, datetime, timedelta

    from steadyspot.deploy.money.costs import advice, by_month, of_run, terms_of, together
    from steadyspot.deploy.money.log_bytes import logged
    from steadyspot.deploy.runs.records import UNREADABLE
    from steadyspot.deploy.runs.shards import whole

    now = datetime.now(UTC)
    begin = now - timedelta(days=days)
    since = begin.strftime("%Y-%m-%dT%H:%M:%S")
    names = [one.name for one in wanted]
    log_bytes = logged(target.client("cloudwatch"), target.platform_stack, names, begin, now)
    public = target.config.has_public_addresses()
    found = Found([], [], [])
    for one in wanted:
        read = [whole(target.runs, run) for run in target.runs.since(one.name, since)]
        runs = [run for run in read if run.status != UNREADABLE]
        found.unreadable.extend(f"{one.name} {r.run_key}" for r in read if r.status == UNREADABLE)
        own = prices.of(one.architecture)
        terms = terms_of(runs, own, public=public, log_bytes=log_bytes.get(one.name, 0))
        bills = [of_run(one, run, terms) for run in runs] if each else by_month(one, runs, terms)
        found.bills.extend(bills)
        if runs and (tip := advice(one, together(one, runs, terms), own)):
            found.tips.append(tip)
    return found


def _rows(found: Found) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [
        {**asdict(bill), "saving": bill.saving, "billed": bill.billed.as_row()}
        for bill in found.bills
    ]


def _as_json(screen: Screen, found: Found, prices: Prices) -> None:
    from dataclasses import asdict

    best = max(found.tips, key=lambda tip: tip.saves, default=None)
    screen.json(
        {
            "prices": prices.date,
            "bills": _rows(found),
            "advice": asdict(best) if best else None,
            "unreadable": found.unreadable,
        }
    )


def _show(screen: Screen, found: Found, prices: Prices, days: int) -> None:
    from steadyspot.deploy.money.costs import COLUMNS, cells, sentences

    if found.bills:
        screen.table(COLUMNS, map(cells, found.bills))
        screen.say()
        for sentence in sentences(found.bills, found.tips, prices, days):
            screen.say(sentence)
    else:
        screen.say(f"There was no run in the last {days} days.")
    if left := ", ".join(found.unreadable):
        screen.say(f"Left out, since their records cannot be read: {left}.", "red")


def _write(target: Target, screen: Screen, page: Path, found: tuple[Any, ...]) -> None:
    from steadyspot.deploy.target import need_page

    need_page()
    from steadyspot.deploy.ui.cost_view import cost_view
    from steadyspot.deploy.ui.files import write
    from steadyspot.deploy.ui.reading import where

    write("cost.html", cost_view(*found), where(target), page)
    screen.say(f"What runs cost is told in {page}")


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    if rows:
        flat = [_flat(row) for row in rows]
        writer = csv.DictWriter(text, flat[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in flat)
    return text.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the parts of what is billed as columns of their own."""
    billed = {f"billed_{name}": value for name, value in row["billed"].items()}
    return {**{name: value for name, value in row.items() if name != "billed"}, **billed}
