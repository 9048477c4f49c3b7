"""Which code is the job's own, by the file that it stands in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from steadyspot import own_code

API = Path(own_code.__file__).parent
STANDARD = Path(os.__file__).parent


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/app/job.py", True),
        (f"{API}-nightly/job.py", True),
        (f"{STANDARD}-jobs/job.py", True),
        ("<string>", True),
        ("<frozen runpy>", False),
        (str(API / "run.py"), False),
        (str(STANDARD / "threading.py"), False),
        ("/usr/lib/python3/dist-packages/tqdm/std.py", False),
    ],
)
def test_code_is_the_jobs_own_unless_it_is_a_librarys(file: str, expected: bool) -> None:
    assert own_code.is_in_job(file) is expected


def test_package_that_asks_for_the_run_is_the_jobs_and_no_other() -> None:
    installed = "/venv/lib/python3.11/site-packages"
    own_code.remember(compile("", f"{installed}/asks_for_it/deep/work.py", "exec"))
    assert own_code.is_in_job(f"{installed}/asks_for_it/other.py")
    assert not own_code.is_in_job(f"{installed}/asks_for_it_not/other.py")
