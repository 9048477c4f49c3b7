"""The page for companies shows keys that the configuration takes, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steadyspot.deploy.stacks.config_file import parse
from tests.unit.resolving import job_resources, platform_resources

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "companies.md").read_text("utf-8")
FILES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
JOB = '\n[jobs.night]\nimage = "night:1"\n'


@pytest.mark.parametrize("file", FILES)
def test_what_the_page_shows_can_be_deployed(file: str) -> None:
    config = parse(file if "[jobs." in file else file + JOB)
    assert platform_resources(config)
    assert job_resources(config)
    plain = parse(JOB)
    changed = platform_resources(config) != platform_resources(plain)
    assert changed or job_resources(config) != job_resources(plain) or "tags" in file


def test_the_page_shows_every_demand() -> None:
    assert len(FILES) == 9
