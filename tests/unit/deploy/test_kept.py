"""What `down` leaves, how much lies in it, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from steadyspot.deploy.stacks.kept import BUCKET, TABLE, Kept, measured


def account(*pages: dict[str, Any], table: dict[str, Any] | None = None) -> Any:
    """A target whose bucket is listed in these pages."""
    listed = SimpleNamespace(paginate=lambda **_: iter(pages))
    clients = {
        "s3": SimpleNamespace(get_paginator=lambda _name: listed),
        "dynamodb": SimpleNamespace(describe_table=lambda **_: {"Table": table or {}}),
    }
    return SimpleNamespace(client=clients.__getitem__, switches=None)


def endless() -> Iterator[dict[str, Any]]:
    while True:
        yield {"Versions": [{"Size": 5}], "IsTruncated": True}


def test_all_versions_in_a_bucket_and_the_size_of_a_table_are_counted() -> None:
    pages: list[dict[str, Any]] = [
        {"Versions": [{"Size": 3}, {"Size": 4}]},
        {"DeleteMarkers": [{}]},
    ]
    assert measured(account(*pages), BUCKET, "b").bytes_there == 7
    assert measured(account(table={"TableSizeBytes": 9}), TABLE, "t").bytes_there == 9


def test_a_bucket_is_not_listed_for_ever_and_one_that_is_gone_breaks_nothing() -> None:
    target = account()
    target.client("s3").get_paginator("").paginate = lambda **_: endless()
    assert measured(target, BUCKET, "b").bytes_there is None

    def gone(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "NoSuchBucket"}}, "ListObjectVersions")

    target.client("s3").get_paginator("").paginate = gone
    assert measured(target, BUCKET, "b").bytes_there is None


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (2_000_000_000_000, "it holds 2,000.000 GB, for which AWS goes on billing about 46.00 USD"),
        (1_000_000, "it holds 0.001 GB, for which AWS goes on billing less than 0.01 USD a month"),
        (None, "AWS goes on billing it, 0.023 USD a GB and month"),
    ],
)
def test_what_is_left_is_told_with_what_it_costs(there: int | None, said: str) -> None:
    assert Kept(BUCKET, "b", there).bill.startswith(said)


@pytest.mark.parametrize("what", [BUCKET, TABLE])
def test_nothing_is_billed_on_this_machine_and_no_command_for_aws_is_named(what: str) -> None:
    kept = Kept(what, "b", 1_000, here=True)
    assert kept.bill == "it ends with the embedded AWS"
    assert kept.way_out == ""
    assert "aws " in Kept(what, "b", 1_000).way_out
