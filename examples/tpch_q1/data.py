"""Makes the input of the job: TPC-H's lineitem as Parquet, in parts.

    python -m examples.tpch_q1.data FOLDER
    python -m examples.tpch_q1.data --bucket BUCKET

The generator gives the same rows to everyone, which is why the answer can be published.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .source import PREFIX, name_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCALE_FACTOR = 0.1
PARTS = 8


class GeneratorFailed(Exception):
    """tpchgen-cli is not there or failed. The text is a sentence."""


def make(folder: Path, *, parts: int = PARTS, scale_factor: float = SCALE_FACTOR) -> list[Path]:
    """Write the parts into a folder and return them in their order.

    600,572 rows and 20 MB at scale factor 0.1, in one to two seconds.

    Raises
    ------
    GeneratorFailed
    """
    program = shutil.which("tpchgen-cli", path=Path(sys.executable).parent) or shutil.which(
        "tpchgen-cli"
    )
    if not program:
        raise GeneratorFailed("tpchgen-cli is not installed; `make setup` brings it")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tpch_q1-", dir=folder) as made:
        options = ["--tables=lineitem", f"--parts={parts}", f"--output-dir={made}", "--quiet"]
        result = subprocess.run(
            [program, "parquet", f"--scale-factor={scale_factor}", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise GeneratorFailed(f"tpchgen-cli failed: {result.stderr.strip()}")
        for number in range(1, parts + 1):
            (Path(made) / "lineitem" / name_of(number)).replace(folder / name_of(number))
    return [folder / name_of(number) for number in range(1, parts + 1)]


def put(client: S3Client, bucket: str, files: Iterable[Path]) -> None:
    """Put the parts where the job looks for them."""
    for file in files:
        client.upload_file(str(file), bucket, PREFIX + file.name)


def main(arguments: Sequence[str]) -> int:
    """Make the input, in a folder or in a bucket."""
    parser = argparse.ArgumentParser(prog="python -m examples.tpch_q1.data", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where to put the parts")
    parser.add_argument("--bucket", help="put them into this bucket instead")
    parser.add_argument("--parts", type=int, default=PARTS)
    parser.add_argument("--scale-factor", type=float, default=SCALE_FACTOR)
    options = parser.parse_args(arguments)
    if (options.folder is None) == (options.bucket is None):
        parser.error("name a folder or a bucket, and not both")
    try:
        if options.folder:
            make(options.folder, parts=options.parts, scale_factor=options.scale_factor)
            return 0
        import boto3

        with tempfile.TemporaryDirectory(prefix="tpch_q1-") as folder:
            files = make(Path(folder), parts=options.parts, scale_factor=options.scale_factor)
            put(boto3.client("s3"), options.bucket, files)
    except GeneratorFailed as error:
        print(f"tpch_q1: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
