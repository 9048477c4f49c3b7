"""The job's command line.

    python -m examples.tpch_q1 --parts 8 --pause 0.5        as Steadyspot runs it, from the bucket
    python -m examples.tpch_q1 --input FOLDER               by hand, from a folder; or the one that
                                                            TPCH_Q1_INPUT names
    STEADYSPOT_LOCAL_SHARDS=4 python -m examples.tpch_q1 …  in four processes, for merge

Ends with 0; with 1 when the input is not there, which only people can mend; with 75 ("try again")
when S3 did not answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from steadyspot import current_run
from steadyspot.contract import Env, Exit

from .job import work
from .source import Bucket, Folder, InputMissing, InputUnreachable, Source

INPUT = "TPCH_Q1_INPUT"
"""Environment variable that names a folder with the parts."""


def main(arguments: Sequence[str]) -> int:
    """Run the job and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.tpch_q1",
        description="Query 1 of TPC-H over lineitem, one part after the other.",
    )
    parser.add_argument("--parts", type=int, default=8, help="how many parts there are (8)")
    parser.add_argument("--pause", type=float, default=0, help="seconds to rest in each part (0)")
    parser.add_argument(
        "--input",
        type=Path,
        default=os.environ.get(INPUT),
        help=f"folder with the parts; else that of {INPUT}, else from the bucket",
    )
    options = parser.parse_args(arguments)
    try:
        work(
            current_run(),
            _source(options.input),
            parts=options.parts,
            pause_seconds=options.pause,
            say=lambda line: print(line, flush=True),
        )
    except (InputMissing, duckdb.Error) as error:
        print(f"tpch_q1: {error}", file=sys.stderr)
        return 1
    except InputUnreachable as error:
        print(f"tpch_q1: {error}", file=sys.stderr)
        return Exit.TRY_AGAIN
    return 0


def _source(folder: Path | None) -> Source:
    if folder:
        return Folder(folder)
    bucket = os.environ.get(Env.BUCKET)
    if not bucket:
        raise InputMissing(f"name the input with --input FOLDER, or a bucket in {Env.BUCKET}")
    import boto3

    return Bucket(boto3.client("s3"), bucket)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
