"""Query 1 of TPC-H, cut so that its parts can be done one after the other.

Sums and counts of parts add up, averages do not: a partial holds only the former, and the merge
derives the latter. Decimals are exact and travel as strings, so the result is the same to the last
digit however the parts were cut and in whichever attempt each was done.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable
from decimal import Context, Decimal
from pathlib import Path

import duckdb

Partial = dict[str, list[str]]
"""Group, such as ``A|F``, to its sums in the order of ``SUMS`` and its count: JSON as it stands."""

COLUMNS = (
    "l_returnflag",
    "l_linestatus",
    "sum_qty",
    "sum_base_price",
    "sum_disc_price",
    "sum_charge",
    "avg_qty",
    "avg_price",
    "avg_disc",
    "count_order",
)

_PARTIAL = """
    SELECT
        l_returnflag || '|' || l_linestatus,
        sum(l_quantity),
        sum(l_extendedprice),
        sum(l_extendedprice * (1 - l_discount)),
        sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
        sum(l_discount),
        count(*)
    FROM read_parquet(?)
    WHERE l_shipdate <= DATE '1998-09-02'
    GROUP BY 1
    ORDER BY 1
"""

_AVERAGE = Context(prec=20)
"""Averages have 20 significant digits, more than a double holds."""


def partial_of(part: Path) -> Partial:
    """Return the sums of one Parquet file of lineitem.

    Raises
    ------
    duckdb.Error
        When the file is not there, no Parquet, or not lineitem.
    """
    # Nothing is fetched from elsewhere or written into the home directory.
    spill = tempfile.gettempdir()
    with duckdb.connect(
        config={"autoinstall_known_extensions": False, "temp_directory": spill}
    ) as connection:
        rows = connection.execute(_PARTIAL, [str(part)]).fetchall()
    return {group: [str(number) for number in numbers] for group, *numbers in rows}


def added(partials: Iterable[Partial]) -> Partial:
    """Return the sums of all of them, which are a partial again."""
    totals: dict[str, list[Decimal]] = {}
    for partial in partials:
        for group, numbers in partial.items():
            total = totals.setdefault(group, [Decimal(0)] * len(numbers))
            totals[group] = [
                one + Decimal(other) for one, other in zip(total, numbers, strict=True)
            ]
    return {group: [str(number) for number in total] for group, total in sorted(totals.items())}


def merged(partials: Iterable[Partial]) -> list[tuple[str, ...]]:
    """Return the rows of the answer, in the order of ``COLUMNS``, sorted by group."""
    return [_row(group, list(map(Decimal, sums))) for group, sums in added(partials).items()]


def _row(group: str, total: list[Decimal]) -> tuple[str, ...]:
    quantity, base_price, disc_price, charge, discount, count = total
    averages = (_AVERAGE.divide(part, count) for part in (quantity, base_price, discount))
    sums = (quantity, base_price, disc_price, charge)
    return (*group.split("|"), *map(str, sums), *map(str, averages), str(count))


def text_of(rows: Iterable[tuple[str, ...]]) -> str:
    """Return the answer as CSV with a header."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return file.getvalue()


def write(rows: Iterable[tuple[str, ...]], path: Path) -> None:
    """Write the answer down."""
    path.write_text(text_of(rows), "utf-8")
