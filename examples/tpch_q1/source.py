"""Where the parts of lineitem come from: a bucket when Steadyspot runs the job, a folder by hand.

From a bucket a part is first copied to a temporary file, since DuckDB's own reader of S3 is an
extension that can't be fetched everywhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from steadyspot.contract import input_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = input_prefix("tpch-q1")
"""Where in the bucket the input lies."""


def name_of(number: int) -> str:
    """Return the file name of a part, counted from 1, as tpchgen-cli gives it."""
    return f"lineitem.{number}.parquet"


class InputMissing(Exception):
    """A part of the input is not where it should be. The text is a sentence."""


class InputUnreachable(Exception):
    """The bucket did not answer as it should; later it may. The text is a sentence."""


class Source(Protocol):
    """Gives one part after the other as a local file."""

    def part(self, number: int) -> AbstractContextManager[Path]:
        """Return a context in which the part, counted from 1, is a file.

        Raises
        ------
        InputMissing, InputUnreachable
        """


class Folder:
    """Parts that lie in a folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def part(self, number: int) -> Iterator[Path]:
        """Give the file itself."""
        file = self._path / name_of(number)
        if not file.is_file():
            raise InputMissing(
                f"{file} is not there; make the input with: "
                f"python -m examples.tpch_q1.data {self._path}"
            )
        yield file


class Bucket:
    """Parts that lie in S3, under ``PREFIX``, and that below what stands behind a slash."""

    def __init__(self, client: S3Client, place: str) -> None:
        self._client = client
        self._bucket, _, below = place.partition("/")
        self._below = f"{below}/" if below else ""

    @contextmanager
    def part(self, number: int) -> Iterator[Path]:
        """Give a temporary copy, gone when the context ends."""
        with tempfile.TemporaryDirectory(prefix="tpch_q1-") as folder:
            copy = Path(folder) / name_of(number)
            self._fetch(self._below + PREFIX + copy.name, copy)
            yield copy

    def _fetch(self, key: str, copy: Path) -> None:
        where = f"s3://{self._bucket}/{key}"
        try:
            self._client.download_file(self._bucket, key, str(copy))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NoSuchBucket"}:
                raise InputMissing(
                    f"{where} is not there; make the input with: "
                    f"python -m examples.tpch_q1.data --bucket {self._bucket}"
                ) from None
            raise InputUnreachable(f"{where} can't be read: {error}") from error
        except BotoCoreError as error:
            raise InputUnreachable(f"{where} can't be read: {error}") from error
