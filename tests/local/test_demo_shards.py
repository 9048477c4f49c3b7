"""The demo of a run over shards keeps what it promises, TPC-H's published answer above all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from steadyspot.deploy.cli.screen import Screen
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.demo_shards import ShardsDemo
from steadyspot.deploy.local.images import WORKER_IMAGE


@pytest.fixture
def demo(local_aws: LocalAws, tmp_path: Path) -> Iterator[ShardsDemo]:
    """The demo on the embedded AWS of this process, which is left as it was."""
    image = local_aws.images.find(WORKER_IMAGE)
    assert image
    made = ShardsDemo(local_aws, Screen(Console(file=io.StringIO())), tmp_path)
    yield made
    local_aws.images.register(WORKER_IMAGE, workdir=image.workdir)
    target = made._target
    for stack in (target.config.job_stack(made._job), target.platform_stack):
        target.stacks.remove(stack, lambda _event: None)


@pytest.mark.timeout(240)
def test_two_of_four_shards_are_reclaimed_and_the_answer_is_the_published_one(
    demo: ShardsDemo,
) -> None:
    checks = list(demo.run())
    assert [check.promise for check in checks if not check.kept] == []
    assert "the result equals TPC-H's published answer" in [check.promise for check in checks]
    assert len(checks) == 6
