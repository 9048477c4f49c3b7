"""A bucket, a run table and real worker processes, for tests and for the benchmark.

The embedded AWS runs in a process of its own on a free port; a ``Bench`` claims runs as the state
machine would and starts workers with the environment a task would have.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from steadyspot.contract import columns
from steadyspot.contract.shards import shard_key
from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.aws.local_session import LocalSession
from steadyspot.shards import Shard
from steadyspot.worker.keeping.listing import Listing
from tests.local.forks import Forked, Forks

ROOT = Path(__file__).resolve().parents[3]
STARTED = ("env",)
"""A way on which nothing lies: the worker is started, and loads what it finds in its folder."""
SERVER = """
import json, sys
from dataclasses import asdict
from steadyspot.deploy.local.aws import LocalAws
with LocalAws() as aws:
    print(json.dumps(asdict(aws.address)), flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def serve_aws() -> Iterator[Address]:
    """Run the embedded AWS. It ends with this process, whatever happens."""
    with served("-c", SERVER) as line:
        yield Address(**json.loads(line))


@contextlib.contextmanager
def served(*program: str) -> Iterator[str]:
    """Run a Python program that ends when its input does; the first line that it prints."""
    server = subprocess.Popen(
        [sys.executable, *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert server.stdin
    assert server.stdout
    try:
        yield server.stdout.readline().decode().strip()
    finally:
        server.stdin.close()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()


def descendants(pid: int) -> Iterator[int]:
    """Everything below a process."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def started(
    arguments: list[str], environment: dict[str, str], folder: Path, way: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a worker's own process, below the programs of ``way``."""
    return subprocess.Popen(
        [*way, sys.executable, "-m", "steadyspot.worker", *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


class Worker:
    """A started worker. Its log is read as it comes."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.text: list[str] = []
        self._new = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any) -> None:
        for raw in stream:
            line = raw.decode().rstrip("\n")
            with self._new:
                try:
                    parsed = json.loads(line)
                    self.lines.append(parsed if isinstance(parsed, dict) else {"text": line})
                except ValueError:
                    pass
                self.text.append(line)
                self._new.notify_all()

    def wait_for(self, says: str, timeout_seconds: float = 60) -> None:
        """Wait until a line containing the text was printed."""
        with self._new:
            found = self._new.wait_for(
                lambda: any(says in line for line in self.text), timeout_seconds
            )
        assert found, f"never said {says!r}: {self.text}"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill_all(self) -> None:
        """SIGKILL for all there is, as at the end of the grace."""
        below = list(descendants(self.process.pid))
        self.process.kill()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self, timeout_seconds: float = 60) -> int:
        """Wait for the exit; the exit code."""
        code = self.process.wait(timeout_seconds)
        for reader in self._readers:
            reader.join(5)
        return code

    def events(self) -> list[str]:
        return [str(line.get("event")) for line in self.lines if "event" in line]

    def said(self) -> str:
        return "\n".join(self.text)


@cache
def clients(aws: Address) -> tuple[Any, Any]:
    """S3 as a client and DynamoDB as a resource, made once: that takes longer than many a test."""
    session = LocalSession(aws)
    return session.client("s3"), session.resource("dynamodb")


class Bench:
    """One bucket and run table, and one run in it.

    Workers are forked by ``forks``; without, and where a way to them or another PYTHONPATH is
    given, they are started.
    """

    def __init__(
        self, aws: Address, folder: Path, job: str = "job", *, forks: Forks | None = None
    ) -> None:
        self.aws = aws
        self._forks = forks
        self.endpoint = aws.endpoint_url
        self.folder = folder
        self.job = job
        self.run_key = "20261124T020000Z"
        self.bucket = f"bucket-{uuid.uuid4().hex[:12]}"
        self.table = f"runs-{uuid.uuid4().hex[:12]}"
        self.execution = f"arn:aws:states:us-east-1:123456789012:execution:{job}:{uuid.uuid4()}"
        self.s3, self.dynamodb = clients(aws)
        self.s3.create_bucket(Bucket=self.bucket)
        self.runs = self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "job", "AttributeType": "S"},
                {"AttributeName": "run_key", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "job", "KeyType": "HASH"},
                {"AttributeName": "run_key", "KeyType": "RANGE"},
            ],
        )
        self.key = {columns.JOB: columns.worker_partition(job), columns.RUN_KEY: self.run_key}
        self.launches = 0
        self.shard = Shard()
        self._workers: list[Worker] = []
        self.claim()

    def shards(self, count: int) -> list[Bench]:
        """The shards of the run, each of which is claimed under a key of its own."""
        return [self._shard_of(Shard(number, count)) for number in range(count)]

    def _shard_of(self, shard: Shard) -> Bench:
        one = copy.copy(self)
        one.shard = shard
        one.run_key = shard_key(self.run_key, shard.number)
        one.key = {**self.key, columns.RUN_KEY: one.run_key}
        one.execution = f"{self.execution}-{shard.number}"
        one.claim()
        return one

    def claim(self, claims: int = 1) -> None:
        """What *Claim the run* and *Take the run over* make of the worker's item."""
        self.runs.update_item(
            Key=self.key,
            UpdateExpression="SET #s = :s, execution = :e",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": "running", ":e": self.execution},
        )
        self.claims = claims
        self.launches = 0

    def environment(self, **more: str) -> dict[str, str]:
        """What a task's container is given."""
        self.launches += 1
        fence = self.claims * 10_000 + self.launches
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.folder),
            **self.aws.environment(),
            "AWS_ENDPOINT_URL": self.endpoint,
            "STEADYSPOT_JOB": self.job,
            "STEADYSPOT_RUN_KEY": self.run_key,
            "STEADYSPOT_EXECUTION": self.execution,
            "STEADYSPOT_FENCE": str(fence),
            "STEADYSPOT_ATTEMPT": str(self.launches),
            "STEADYSPOT_CAPACITY": "spot",
            "STEADYSPOT_TABLE": self.table,
            "STEADYSPOT_BUCKET": self.bucket,
            "STEADYSPOT_STOP_TIMEOUT": "20",
            **(self.shard.environment() if self.shard.count > 1 else {}),
        }
        return given | more

    def start(self, *arguments: str, way: Sequence[str] = (), **environment: str) -> Worker:
        """Start a worker as the next launch of the run."""
        given = list(arguments), self.environment(**environment), self.folder
        if self._forks and not way and "PYTHONPATH" not in environment:
            worker = Worker(self._forks.start("steadyspot.worker", *given))
        else:
            worker = Worker(started(*given, way))
        self._workers.append(worker)
        return worker

    def kill_behind(self, said: str | Sequence[str], *arguments: str, **environment: str) -> None:
        """Start a worker, and kill it with all below it once its job has said that, in order."""
        worker = self.start(*arguments, **environment)
        for each in [said] if isinstance(said, str) else said:
            worker.wait_for(each)
        worker.kill_all()
        worker.end()

    def close(self) -> None:
        """End what a failed test left running; a worker that is told to takes its job along."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.terminate()
                worker.process.wait(60)

    def job_file(self, text: str, name: str = "job.py") -> list[str]:
        """A job written down; its command."""
        path = self.folder / name
        path.write_text(text)
        return [sys.executable, str(path)]

    def item(self) -> dict[str, Any]:
        reply = self.runs.get_item(Key=self.key, ConsistentRead=True)
        item: dict[str, Any] = reply.get("Item", {})
        return item

    def objects(self, prefix: str = "outputs/") -> dict[str, bytes]:
        """Key below the run's prefix to bytes."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        start = f"{prefix}{self.job}/{self.run_key}/"
        return {
            entry["Key"].removeprefix(start): self._object(entry["Key"])
            for page in pages
            for entry in page.get("Contents", [])
        }

    def saved(self) -> dict[str, bytes]:
        """The files of the checkpoint that counts: path to bytes."""
        listing = self.listing()
        blocks = {block: self._object(block.key) for block in listing.blocks}
        return {
            file.path: b64decode(file.data)
            + b"".join(blocks[block][at : at + size] for block, at, size in file.pieces)
            for file in listing.files
            if file.kind == "file"
        }

    def listing(self) -> Listing:
        """What the checkpoint that counts says of the saved folder."""
        files = json.loads(self._object(self.item()["checkpoint"]["key"]))["files"]
        if "inline" in files:
            return Listing.read(files["inline"].encode())
        return Listing.read(self._object(files["key"]), files["key"])

    def _object(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def open_uploads(self) -> list[str]:
        reply = self.s3.list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in reply.get("Uploads", [])]

    def open_upload_ids(self) -> set[str]:
        reply = self.s3.list_multipart_uploads(Bucket=self.bucket)
        return {upload["UploadId"] for upload in reply.get("Uploads", [])}

    def completion(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.objects()["completion.json"])
        return record


def wait_until(true: Callable[[], Any], timeout_seconds: float = 60) -> Any:
    """Poll for what has no event of its own to wait for."""
    end = time.monotonic() + timeout_seconds
    while not (value := true()):
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)
    return value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def assert_said(worker: Worker, code: int, *words: str) -> None:
    """It ended so, said all that, and printed no traceback of the worker's."""
    assert worker.end() == code, worker.said()
    for word in words:
        assert word in worker.said()
    assert "Traceback" not in worker.said()
