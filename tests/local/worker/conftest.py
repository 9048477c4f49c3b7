"""One embedded AWS for the session, and a fresh bucket, table and run for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from steadyspot.deploy.aws.local_address import Address
from tests.local.forks import Forks
from tests.local.worker.door import Door
from tests.local.worker.kit import Bench, serve_aws


@pytest.fixture(scope="session")
def aws() -> Iterator[Address]:
    with serve_aws() as address:
        yield address


@pytest.fixture
def bench(aws: Address, forks: Forks, tmp_path: Path) -> Iterator[Bench]:
    with contextlib.closing(Bench(aws, tmp_path, forks=forks)) as run:
        yield run


@pytest.fixture
def door(bench: Bench) -> Iterator[Door]:
    with contextlib.closing(Door(bench.endpoint)) as between:
        yield between
