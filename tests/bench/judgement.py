"""Measures of the workflow's judgement: cost, lateness and states over series of Spot capacity.

The recorded series are EC2's ('Can't Be Late', NSDI'24), a hostile regime, and are not part of
this repository: ``--traces FOLDER`` names them. Nothing public is known of Fargate Spot. Without
them the generator that was fitted to them draws the weather. What decides is the kernel, which a
test holds equal to the rendered definition.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from rich.table import Table

from tests.bench.replay import measures, together
from tests.bench.replay.series import WEATHER, Region, Zone, generated, recorded
from tests.bench.report import CONSOLE, Row, report

GENERATED_SECONDS = 60 * 86_400.0
GENERATED_ZONES = 3
NEAREST = "cpu"
"""The set that is nearest to our case; of it alone is asked what must be reached."""


def main(arguments: list[str]) -> int:
    """Measure; 1 when something was not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long numbers")
    parser.add_argument("--traces", type=Path, help="folder with a folder of series for each set")
    chosen = parser.parse_args(arguments)
    return report("The workflow's judgement", _rows(chosen.traces, full=chosen.full))


def _rows(traces: Path | None, *, full: bool) -> Iterator[Row]:
    """Yield all measures, and print the cells of each set on the way."""
    windows = 600 if full else 60
    for name in WEATHER:
        regions = _regions(name, traces)
        lines = measures.table(regions, windows)
        CONSOLE.print(_cells(name, traces is None, lines))
        yield from _of_set(name, regions, lines, windows)
        yield from _of_fleets(name, regions, 40 if full else 8)
    yield from _of_all(100_000 if full else 10_000, calm_windows=2_000)


def _regions(name: str, traces: Path | None) -> Sequence[Region]:
    if traces is None:
        rng = random.Random(name)
        return [generated(WEATHER[name], GENERATED_ZONES, GENERATED_SECONDS, rng)]
    return list(recorded(traces / name).values())


def _cells(name: str, is_generated: bool, lines: Sequence[measures.Line]) -> Table:
    """One line for each cell, costs as shares of on-demand alone."""
    title = f"{name}: cost against on-demand only{', weather generated' if is_generated else ''}"
    table = Table(
        "work and time", "ours", "greedy", "uniform", "3 tries", "oracle", "states", title=title
    )
    for line in lines:
        costs = (line.ours, line.greedy, line.uniform, line.tries, line.oracle)
        table.add_row(line.cell.name, *(f"{cost:.3f}" for cost in costs), f"{line.states:.1f}")
    means = measures.means(lines)
    table.add_row(
        "mean",
        *(f"{value:.3f}" for name, value in means.items() if name != "states"),
        f"{means['states']:.1f}",
    )
    return table


def _of_set(
    name: str, regions: Sequence[Region], lines: Sequence[measures.Line], windows: int
) -> Iterator[Row]:
    """The rows of one set; only those of the nearest have a figure to reach."""

    def row(what: str, value: float, most: float, form: str) -> Row:
        if name != NEAREST:
            return Row(f"{name}: {what}", f"{value:{form}}")
        return Row(f"{name}: {what}", f"{value:{form}}", f"≤ {most:g}", value <= most)

    means = measures.means(lines)
    longest = [line for line in lines if line.cell.work == max(measures.WORKS)]
    zones: list[Zone] = [zone for region in regions for zone in region]
    worst, states, cost = measures.worst_zone(zones, max(20, windows // 6))
    late = sum(line.late for line in lines)
    yield row("cost against on-demand only, mean of six cells", means["ours"], 0.34, ".3f")
    tries = fmean(line.ours / line.tries for line in longest)
    yield row("cost against three Spot tries from zero, 4 h", tries, 0.60, ".3f")
    yield row("cost against the oracle of one zone", means["ours"] / means["oracle"], 0.82, ".3f")
    yield row("states entered, mean", means["states"], 10, ".1f")
    yield row(f"states entered, worst zone ({worst}, cost {cost:.2f})", states, 24, ".1f")
    yield Row(
        f"{name}: runs late of {windows * len(regions) * len(lines)}", str(late), "0", not late
    )


def _of_fleets(name: str, regions: Sequence[Region], number: int) -> Iterator[Row]:
    """Yield what weather does for fleets of jobs; a recorded set has a region or more."""
    for at_once in (True, False):
        off, on = (
            [together.fleets(one, number, weather=weather, at_once=at_once) for one in regions]
            for weather in (False, True)
        )
        what = f"{name}: {together.JOBS} jobs {'at once' if at_once else 'within 4 h'} in droughts"
        refused = sum(one.refused for one in on) / sum(one.refused for one in off)
        dearer = fmean(one.share for one in on) / fmean(one.share for one in off)
        late = sum(one.late for one in on)
        yield Row(
            f"{what}, launches refused with weather, of those without",
            f"{refused:.2f}",
            "≤ 0.6",
            refused <= 0.6,
        )
        yield Row(
            f"{what}, cost with weather, of that without", f"{dearer:.3f}", "≤ 1", dearer <= 1
        )
        yield Row(f"{what}, runs late with weather", str(late), "0", not late)


def _of_all(windows: int, *, calm_windows: int) -> Iterator[Row]:
    found = measures.lateness(windows)
    yield Row(
        f"runs late of {windows:,} windows of generated weather",
        f"{found.late} (nearest: {found.nearest_seconds:.0f} s before its deadline)",
        "0",
        found.late == 0,
    )
    quiet = measures.quiet_states()
    yield Row("states entered, quiet run", str(quiet), "≤ 4", quiet <= 4)
    for work in measures.WORKS:
        most = 1.06 if work == min(measures.WORKS) else 1.02
        cost = measures.calm(work, windows=calm_windows)
        what = f"calm regime, cost against pure Spot, {work / 60:.0f} min"
        yield Row(what, f"{cost:.4f}", f"≤ {most}", cost <= most)
