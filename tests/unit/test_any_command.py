"""The job in plain shell resumes where it was stopped, by its two folders alone."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

JOB = Path(__file__).parents[2] / "examples" / "any_command" / "job.sh"


def start(folder: Path, pause: str = "0") -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "STEADYSPOT_CHECKPOINT_DIR": str(folder / "kept"),
        "STEADYSPOT_OUTPUT_DIR": str(folder / "out"),
        "STEPS": "5",
        "PAUSE": pause,
    }
    return subprocess.Popen(
        ["sh", str(JOB)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def test_a_stopped_job_goes_on_behind_the_steps_it_has_done(tmp_path: Path) -> None:
    undisturbed = start(tmp_path / "undisturbed")
    undisturbed.communicate(timeout=100)
    assert undisturbed.returncode == 0

    stopped = start(tmp_path / "stopped", pause="0.2")
    assert stopped.stdout is not None
    for line in stopped.stdout:
        if line == "step 2 of 5 done\n":
            break
    os.killpg(stopped.pid, signal.SIGTERM)
    stopped.communicate(timeout=100)
    assert stopped.returncode != 0
    assert not (tmp_path / "stopped" / "out" / "report").exists()

    resumed = start(tmp_path / "stopped")
    said, _ = resumed.communicate(timeout=100)
    assert resumed.returncode == 0
    assert said.startswith("resuming after step 2\nstep 3 of 5 done\n")
    report = (tmp_path / "stopped" / "out" / "report").read_text("utf-8")
    assert report == (tmp_path / "undisturbed" / "out" / "report").read_text("utf-8")
    assert report.endswith("step 5: the sum is 15\n")
