"""The page on rehearsing by hand: what it says to type is typed and does what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL, STDOUT

import pytest

from tests.local.forks import Forks
from tests.local.runs import DEADLINE_SECONDS, NEVER_MEANWHILE, ROOT, eventually

PAGE = ROOT / "docs" / "how-to" / "by_hand.md"
NIGHTLY = "cron(0 2 * * ? *)"
"""When the page's job is due; here it is not, or a second run comes between at two o'clock."""
ADDRESS = Path(".steadyspot") / "local.json"
STOPPED = "aws ecs stop-task"
QUICKER = "sed -i 's/sleep(0.5)/sleep(0)/' job.py\n"
"""Once a run was stopped in its middle, none has to last any more."""


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def typed(script: str, where: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=where,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def but_for_figures(line: str) -> str:
    """Return a pattern for a line, in which any figure stands where it has one."""
    return r"[\d.]*\d".join(re.escape(part) for part in re.split(r"[\d.]*\d", line))


@pytest.mark.timeout(400)
def test_what_the_page_says_to_type_does_what_it_says(commands: Forks, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    commands.program(programs / "steadyspot", "steadyspot")
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TMPDIR": os.environ["TMPDIR"],
    }
    first, *others = blocks()
    assert NIGHTLY in first
    typed(first.replace(NIGHTLY, NEVER_MEANWHILE), tmp_path, environment)
    local = commands.start(
        "steadyspot", ["local"], environment, tmp_path, stdout=DEVNULL, stderr=STDOUT
    )
    try:
        eventually((tmp_path / ADDRESS).exists)
        quicker = [block + QUICKER * (STOPPED in block) for block in others]
        assert quicker != others
        said = typed("echo\n".join(quicker), tmp_path, environment)
    finally:
        local.send_signal(signal.SIGINT)
        assert local.wait(DEADLINE_SECONDS) == 0
    for line in (
        '"rehearsal"',
        "worker: SIGTERM came",
        "attempt 1 was interrupted (stopped-by-hand, exit 143",
        "attempt 1 was refused (no-capacity)",
        "its alarm told people",
        '"INACTIVE"',
        "cannot run (definition-inactive)",
        "is started again",
        "Deleted the run table",
    ):
        assert line in said, f"{line} is not in\n{said}"
    assert "NOT OK" not in said
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    for line in shown.splitlines():
        assert re.search(but_for_figures(line), said), f"{line} is not in\n{said}"
