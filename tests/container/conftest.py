"""The image once for all tests, and a bucket and run table that its containers can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steadyspot.deploy.aws.local_address import Address
from tests.container import engine
from tests.local.worker.kit import Bench, serve_aws

Start = Callable[..., engine.Container]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> None:
    why = engine.missing()
    if why:
        pytest.skip(f"the real image is not tested: {why}")
    engine.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def arm64_image(image: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    why = engine.missing_for_arm64()
    if why:
        pytest.skip(f"the image for arm64 is not tested: {why}")
    engine.build_for_arm64(tmp_path_factory.mktemp("arm64"))
    return engine.ARM64_IMAGE


@pytest.fixture(scope="session")
def aws(image: None) -> Iterator[Address]:
    with serve_aws() as address:
        yield address


@pytest.fixture
def bench(aws: Address, tmp_path: Path) -> Bench:
    return Bench(aws, tmp_path)


@pytest.fixture
def start(image: None) -> Iterator[Start]:
    """Start containers that are removed at the end of the test."""
    started: list[engine.Container] = []

    def begin(
        *arguments: str,
        environment: dict[str, str] | None = None,
        options: list[str] | None = None,
        image: str = engine.IMAGE,
    ) -> engine.Container:
        inside = {k: v for k, v in (environment or {}).items() if k not in OUTSIDE}
        container = engine.Container(
            *arguments, environment=inside, options=options or [], image=image
        )
        started.append(container)
        return container

    yield begin
    for container in started:
        container.remove()


OUTSIDE = {"PATH", "PYTHONPATH", "TMPDIR"}
"""Variables that mean something else inside a container."""
