"""What outlives its stack, how much lies in it, and what AWS goes on billing for that.

A bucket is measured by listing, versions and all, but no longer than some calls take; a table by
what DynamoDB knows of it, which is some hours old.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

BUCKET, TABLE = "bucket", "run table"
_HOW_TO_DELETE = {
    BUCKET: "aws s3 rb --force s3://{name}",
    TABLE: "aws dynamodb delete-table --table-name {name}",
}
_GB_MONTH = {BUCKET: 0.023, TABLE: 0.45}
"""US dollars of a GB and month, us-east-1 (AWS's price lists, mid-2026): S3 Standard, and a table
with its point-in-time recovery."""
_PAGES = 20
_GB = 10**9


@dataclass(frozen=True)
class Kept:
    """Something that outlives its stack; ``bytes_there`` is None where nobody could count.

    If ``here`` is true it lies in the embedded AWS of this machine, whose end it does not outlive.
    """

    what: str
    name: str
    bytes_there: int | None
    here: bool = False

    @property
    def command(self) -> str:
        """How it is deleted by hand."""
        return _HOW_TO_DELETE[self.what].format(name=self.name)

    @property
    def way_out(self) -> str:
        """How it is deleted by hand, as a sentence; nothing where nobody has to."""
        return "" if self.here else f" To delete it: {self.command}"

    @property
    def bill(self) -> str:
        """What is in it, and what that costs, as half a sentence."""
        if self.here:
            return "it ends with the embedded AWS"
        rate = f"{_GB_MONTH[self.what]:g} USD a GB and month in us-east-1"
        if self.bytes_there is None:
            return f"AWS goes on billing it, {rate}"
        cost = self.bytes_there / _GB * _GB_MONTH[self.what]
        about = f"about {cost:,.2f}" if cost >= 0.01 else "less than 0.01"
        return (
            f"it holds {self.bytes_there / _GB:,.3f} GB, for which AWS goes on billing"
            f" {about} USD a month ({rate})"
        )


def measured(target: Target, what: str, name: str) -> Kept:
    """Return what is kept, with how much lies in it, as far as AWS tells."""
    here = target.switches is not None
    try:
        return Kept(what, name, _bytes(target, what, name), here)
    except ClientError:  # Not there any more, or not to be listed; it is removed all the same.
        return Kept(what, name, None, here)


def _bytes(target: Target, what: str, name: str) -> int | None:
    if what == TABLE:
        table = target.client("dynamodb").describe_table(TableName=name)["Table"]
        return int(table.get("TableSizeBytes", 0))
    pages = target.client("s3").get_paginator("list_object_versions").paginate(Bucket=name)
    total = 0
    for number, page in enumerate(islice(pages, _PAGES), 1):
        total += sum(version["Size"] for version in page.get("Versions", []))
        if number == _PAGES and page.get("IsTruncated"):
            return None
    return total
