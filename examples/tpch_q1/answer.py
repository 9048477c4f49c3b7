"""The answer that is published for query 1, and how a result compares with it.

It comes with DuckDB's extension for TPC-H, which the Python package of that name carries as a file:
nothing is fetched. Groups, sums and counts are exact there and are compared exactly; averages were
computed as doubles, so they are compared to fourteen digits.
"""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import duckdb

from .data import SCALE_FACTOR

_ROUNDED = Decimal("1e-14")

Table = list[dict[str, str]]


def published(scale_factor: float = SCALE_FACTOR) -> Table:
    """Return the published answer: a row per group, column to text.

    Raises
    ------
    LookupError
        When no answer is published for that scale factor, or the extension's file is not there.
    """
    import duckdb_extension_tpch

    package = Path(duckdb_extension_tpch.__file__).parent
    extension = next(package.rglob("tpch.duckdb_extension"), None)
    if extension is None:
        raise LookupError(f"{package} holds no extension for DuckDB {duckdb.__version__}")
    with duckdb.connect() as connection:
        path = str(extension).replace("'", "''")
        connection.execute(f"LOAD '{path}'")
        found = connection.execute(
            "SELECT answer FROM tpch_answers() WHERE query_nr = 1 AND scale_factor = ?",
            [scale_factor],
        ).fetchone()
    if found is None:
        raise LookupError(f"no answer is published for scale factor {scale_factor}")
    return _table(found[0], "|")


def read(result: Path) -> Table:
    """Return a ``result.csv`` of the job: a row per group, column to text."""
    return parse(result.read_text("utf-8"))


def parse(text: str) -> Table:
    """Return the text of a ``result.csv``, as :func:`read` does."""
    return _table(text, ",")


def compare(result: Table, answer: Table) -> list[str]:
    """Return how a result differs from the answer, a sentence each; none means it is the same."""
    if len(result) != len(answer):
        return [f"the result has {len(result)} rows, the published answer {len(answer)}"]
    return [
        difference
        for number, (row, wanted) in enumerate(zip(result, answer, strict=True), 1)
        for difference in _differences(number, row, wanted)
    ]


def _differences(number: int, row: dict[str, str], wanted: dict[str, str]) -> list[str]:
    if list(row) != list(wanted):
        return [f"row {number} has the columns {', '.join(row)}, not {', '.join(wanted)}"]
    return [
        f"row {number}: {column} is {row[column]}, published is {wanted[column]}"
        for column in wanted
        if not _same(column, row[column], wanted[column])
    ]


def _same(column: str, value: str, wanted: str) -> bool:
    if column.startswith("l_"):
        return value == wanted
    number, published_number = Decimal(value), Decimal(wanted)
    if column.startswith("avg_"):
        return abs(number - published_number) <= abs(published_number) * _ROUNDED
    return number == published_number


def _table(text: str, delimiter: str) -> Table:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
