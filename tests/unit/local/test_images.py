"""What the worker's image stands for on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import steadyspot
from steadyspot.deploy.local.images import WORKER_IMAGE, Images


def test_the_worker_takes_no_module_of_the_jobs_folder_for_its_own(tmp_path: Path) -> None:
    for name in ("steadyspot", "worker", "deploy", "json", "selectors", "steadyspot/worker"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    image = Images().find(WORKER_IMAGE)
    assert image
    said = subprocess.run(
        [*image.entrypoint, "--version"],
        cwd=tmp_path,
        env=dict(image.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == steadyspot.__version__
