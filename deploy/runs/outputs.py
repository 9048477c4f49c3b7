"""What a run has published: listed, and fetched into a folder.

Outputs are visible from the commit on, so a run that is not complete has none. Names come from a
job: none may lead out of the folder, and no file that is there is overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from steadyspot.contract import COMPLETION, output_prefix
from steadyspot.contract.shards import shards_prefix
from steadyspot.deploy.forms import shown
from steadyspot.deploy.runs.records import RunRecord
from steadyspot.deploy.stacks.buckets import bucket_of
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

_RUNS_LOOKED_AT = 100


@dataclass(frozen=True)
class Output:
    """An object below the run's prefix."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Made:
    """What a run has published, ``completion.json`` included; that of its shards in folders."""

    job: str
    run_key: str
    uri: str
    outputs: tuple[Output, ...]


def made_by(target: Target, job: Job, run_key: str | None) -> Made:
    """Return the outputs of a run, of the last complete one where none is meant.

    Raises
    ------
    Trouble
        When there is no such run, or it is not complete.
    """
    run = target.runs.get(job.name, run_key) if run_key else _last(target, job)
    if run is None or not run.complete:
        meant = f"Run {run_key} of {job.name}" if run_key else f"No run of {job.name}"
        raise Trouble(
            f"{meant} is {'not ' if run_key else ''}complete, so that there are no outputs.",
            f"Look how it stands: steadyspot runs {job.name}.",
        )
    prefix, wanted = _folders(target, run)
    bucket, _ = bucket_of(target)
    listing = target.client("s3").get_paginator("list_objects_v2")
    found = [
        item
        for begin in wanted
        for page in listing.paginate(Bucket=bucket, Prefix=begin)
        for item in page.get("Contents", [])
    ]
    outputs = tuple(Output(item["Key"].removeprefix(prefix), item["Size"]) for item in found)
    return Made(job.name, run.run_key, f"s3://{bucket}/{prefix}", outputs)


def _folders(target: Target, run: RunRecord) -> tuple[str, list[str]]:
    """Return what names of outputs lie below, and where they are to be looked for.

    Those of shards lie in folders of their own, beside that of their run.
    """
    _, below = bucket_of(target)
    own = below + output_prefix(run.job, run.run_key)
    if run.shards == 1:
        return own, [own]
    prefix = below + output_prefix(run.job, "")[:-1]
    return prefix, [own, prefix + shards_prefix(run.run_key)]


def first_of(target: Target, run: RunRecord, most: int) -> tuple[Output, ...]:
    """Return the first outputs of a run that is complete, in one call, two where it has shards."""
    prefix, wanted = _folders(target, run)
    s3, (bucket, _) = target.client("s3"), bucket_of(target)
    found = [
        item
        for begin in wanted
        for item in s3.list_objects_v2(Bucket=bucket, Prefix=begin, MaxKeys=most).get(
            "Contents", []
        )
    ]
    return tuple(Output(item["Key"].removeprefix(prefix), item["Size"]) for item in found[:most])


def opened(target: Target, run: RunRecord, name: str) -> Iterator[bytes]:
    """Return an output of a run, piece by piece.

    Raises
    ------
    Trouble
        When there is none of that name.
    """
    prefix, wanted = _folders(target, run)
    key = prefix + name
    s3: Any = target.client("s3")
    if not any(key.startswith(begin) for begin in wanted):
        raise _no_output(run, name)
    try:
        body = s3.get_object(Bucket=bucket_of(target)[0], Key=key)["Body"]
    except s3.exceptions.NoSuchKey:
        raise _no_output(run, name) from None
    pieces: Iterator[bytes] = body.iter_chunks()
    return pieces


def hashes(target: Target, run: RunRecord) -> dict[str, str]:
    """Return the SHA-256 of each output of a run of one task that is complete, by its name."""
    record = json.loads(b"".join(opened(target, run, COMPLETION)))
    return {output["name"]: output["sha256"] for output in record["outputs"]}


def _no_output(run: RunRecord, name: str) -> Trouble:
    return Trouble(
        f"Run {run.run_key} of {run.job} has no output {shown(name)}.",
        f"Look which there are: steadyspot outputs {run.job} {run.run_key}.",
    )


def _last(target: Target, job: Job) -> RunRecord | None:
    from steadyspot.deploy.runs.listing import latest

    machine = target.job(job)["StateMachine"]
    runs, _ = latest(
        target.runs,
        target.client("stepfunctions"),
        job=job.name,
        machine=machine,
        most=_RUNS_LOOKED_AT,
    )
    return next((run for run in runs if run.complete), None)


def fetch(target: Target, made: Made, folder: Path) -> Iterator[Output]:
    """Download outputs, and yield each once it is there.

    Raises
    ------
    Trouble
        When a name leads out of the folder, or a file of a name is there; then none is fetched.
        When this machine cannot write one; those before it are there.
    """
    s3: Any = target.client("s3")
    places = {output: _place(folder, output.name) for output in made.outputs}
    for place in places.values():
        if place.exists():
            raise Trouble(f"{place} is there already.", "Name an empty folder with --to.")
    bucket, _, prefix = made.uri.removeprefix("s3://").partition("/")
    for output, place in places.items():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, prefix + output.name, str(place))
        except OSError as error:
            raise Trouble(
                f"{place} can't be written: {error.strerror or error}.",
                "Mend that, then name an empty folder with --to.",
            ) from None
        yield output


def _place(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
        raise Trouble(
            f"The output {shown(name)} would lie outside of {folder}.",
            "Fetch the others by hand: aws s3 cp.",
        )
    return folder.joinpath(*parts)
