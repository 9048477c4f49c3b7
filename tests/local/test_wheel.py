"""The wheel, installed into an empty environment and used outside the checkout.

The environment gets the locked releases of just what the wheel says it requires, so that a
requirement which was forgotten is missed here. A user's folder with modules named as the rooms of
the repository lies where the commands are run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

import steadyspot
from steadyspot.deploy.aws.local_address import ADDRESS, write
from steadyspot.deploy.cli.main import main
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config_file import load

ROOT = Path(__file__).resolve().parents[2]
IN_THE_PACKAGE = sorted(
    path.stem for path in (ROOT / "steadyspot").iterdir() if path.stem[0] != "_"
)
PRODUCTION = """
import importlib, pathlib, steadyspot
root = pathlib.Path(steadyspot.__file__).parent
extras = {"deploy/local", "deploy/ui"}
for path in sorted([*root.glob("*.py"), *root.glob("memory/*.py"), *root.glob("deploy/**/*.py")]):
    if extras.isdisjoint(map(str, path.relative_to(root).parents)) and path.name != "__main__.py":
        importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts))
print("all of it")
"""
HELPED = """
from click.testing import CliRunner
from steadyspot.deploy.cli.main import VERBS, main
for verb in VERBS:
    assert CliRunner().invoke(main, [verb, "--help"], catch_exceptions=False).exit_code == 0
print("all of them")
"""


class Installation:
    """A virtual environment with the wheel and what it requires."""

    def __init__(self, folder: Path, wheel: Path, extras: Iterable[str]) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        self.bin = folder / "bin"
        run(
            sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install",
            "--no-index", "--no-deps", "--no-compile", str(wheel),
        )  # fmt: skip
        site = next(folder.glob("lib/python*/site-packages"))
        (own,) = distributions(name="steadyspot", path=[str(site)])
        for required in closure(own, {"", *extras}):
            link(required, site, self.bin)


def run(*command: str, where: Path | None = None, code: int = 0) -> str:
    """Run a command and return what it prints; it has to end with the exit code."""
    done = subprocess.run(
        command,
        cwd=where,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "COLUMNS": "160"},
    )
    assert done.returncode == code, f"{command}\n{done.stdout}"
    return done.stdout


def closure(root: Distribution, extras: set[str]) -> Iterator[Distribution]:
    """Yield what a distribution requires, and what that requires, as locked here."""
    waiting, seen = [(root, extras)], set()
    while waiting:
        found, wanted = waiting.pop()
        for text in found.requires or ():
            need = Requirement(text)
            if need.marker and not any(need.marker.evaluate({"extra": e}) for e in wanted):
                continue
            key = (need.name, frozenset(need.extras))
            if key not in seen:
                seen.add(key)
                required = distribution(need.name)
                waiting.append((required, {"", *need.extras}))
                yield required


def link(required: Distribution, site: Path, programs: Path) -> None:
    """Put a distribution of this environment into another one, by links."""
    for file in required.files or ():
        outside = file.parts[0] == ".."
        into = programs / file.name if outside else site / file.parts[0]
        source = file if outside else Path(file.parts[0])
        if into.name != "__pycache__" and not into.exists():
            into.symlink_to(Path(str(required.locate_file(source))).resolve())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    # A build writes beside what it builds.
    shutil.copytree(
        ROOT, checkout, symlinks=True, ignore=shutil.ignore_patterns(".*", "tests", "build")
    )
    run(
        sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(folder), str(checkout),
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("plain"), wheel, [])


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("full"), wheel, ["local"])


@pytest.fixture
def somewhere(tmp_path: Path) -> Path:
    """A folder of somebody's own, whose modules bear the names of ours and must not be taken."""
    for name in IN_THE_PACKAGE:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    (tmp_path / "deploy.py").unlink()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "steadyspot.toml").write_text('[jobs.night]\nimage = "night:1"\n')
    return tmp_path


def test_an_installation_brings_one_name_and_all_that_is_read_beside_the_code(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in inside}
    info = f"steadyspot-{steadyspot.__version__}.dist-info"
    assert tops == {"steadyspot", info}
    wanted = {
        "steadyspot/deploy/templates/job.yaml",
        "steadyspot/deploy/stacks/config.schema.json",
        "steadyspot/deploy/json-of-verbs.schema.json",
        "steadyspot/deploy/ui/templates/run_main.html",
        "steadyspot/deploy/ui/templates/timeline.svg",
        "steadyspot/worker/Dockerfile",
        "steadyspot/worker/requirements.txt",
        "steadyspot/examples/tpch_q1/job.py",
    }
    for folder in ("rendered", "schemas", "expressions"):
        for path in (ROOT / "statemachines" / folder).glob("*.*"):
            wanted.add(f"steadyspot/statemachines/{folder}/{path.name}")
    for path in (ROOT / "deploy" / "scaffold" / "originals").iterdir():
        wanted.add(f"steadyspot/deploy/scaffold/originals/{path.name}")
    assert wanted <= inside


def test_both_spellings_of_the_command_say_the_one_version(
    plain: Installation, somewhere: Path
) -> None:
    said = f"steadyspot, version {steadyspot.__version__}\n"
    assert run(str(plain.bin / "steadyspot"), "--version", where=somewhere) == said
    assert run(str(plain.bin / "python"), "-m", "steadyspot", "--version", where=somewhere) == said


def test_what_works_on_aws_needs_nothing_but_what_the_wheel_requires(
    plain: Installation, tmp_path: Path
) -> None:
    assert run(str(plain.bin / "python"), "-c", PRODUCTION, where=tmp_path) == "all of it\n"
    assert run(str(plain.bin / "python"), "-c", HELPED, where=tmp_path) == "all of them\n"


@pytest.mark.parametrize(
    "words", [["demo"], ["local"], ["runs", "night", "--local"], ["run", "--local"]]
)
def test_without_the_embedded_aws_two_sentences_say_how_to_get_it(
    plain: Installation, somewhere: Path, words: list[str]
) -> None:
    said = run(str(plain.bin / "steadyspot"), *words, where=somewhere, code=1)
    assert "The embedded AWS is not installed." in said
    assert "pip install 'steadyspot[local]'" in said
    assert "Traceback" not in said


def test_no_module_in_a_jobs_folder_is_taken_for_one_of_ours(
    plain: Installation, somewhere: Path
) -> None:
    job = "from steadyspot import current_run\nrun = current_run()\n"
    job += "for unit in run.remaining(range(3)):\n    print('unit', unit)\nrun.finish()\n"
    (somewhere / "job.py").write_text(job)
    said = run(str(plain.bin / "python"), "job.py", where=somewhere)
    assert re.findall(r"unit \d", said) == ["unit 0", "unit 1", "unit 2"]


@pytest.mark.timeout(300)
def test_the_demo_runs_from_the_wheel_in_any_folder(full: Installation, somewhere: Path) -> None:
    said = run(str(full.bin / "steadyspot"), "demo", where=somewhere)
    assert "NOT OK" not in said
    assert said.count("  ok      ") >= 8
    assert str(ROOT) not in said
    assert "Everything that was started is ended again." in said


@pytest.mark.timeout(300)
def test_from_an_empty_folder_to_a_job_that_was_interrupted_and_finished(
    full: Installation, tmp_path: Path
) -> None:
    steadyspot = str(full.bin / "steadyspot")
    run(steadyspot, "init", "--kind", "shell", where=tmp_path)
    said = run(steadyspot, "drill", "interrupt", "--local", "--yes", where=tmp_path)
    assert_interrupted_and_finished(said)
    # What was made for the command is gone with it.
    assert "No embedded AWS runs" in run(steadyspot, "runs", "--local", where=tmp_path, code=1)


@pytest.mark.parametrize(("kind", "program"), [("python", "python3"), ("node", "node")])
def test_so_are_jobs_of_other_kinds(
    plain: Installation, local_aws: LocalAws, tmp_path: Path, kind: str, program: str
) -> None:
    """What the wheel writes runs on the embedded AWS of all tests: making one takes longest."""
    if not shutil.which(program):
        pytest.skip(f"there is no {program} here")
    run(str(plain.bin / "steadyspot"), "init", "--kind", kind, where=tmp_path)
    path = tmp_path / "steadyspot.toml"
    image = load(path).job().image
    local_aws.images.offer([image], tmp_path)
    write(tmp_path / ADDRESS, local_aws.address)

    def here(*words: str) -> str:
        ended = CliRunner().invoke(main, [*words, "--yes", "--local", "--config", str(path)])
        assert ended.exit_code == 0, ended.output
        return ended.output

    here("up")
    try:
        assert_interrupted_and_finished(here("drill", "interrupt"))
    finally:
        here("down", "--delete-data")
        local_aws.images.register(image)  # As it was, since the folder goes with this test.


def assert_interrupted_and_finished(said: str) -> None:
    assert "attempt 1 was interrupted (reclaimed" in said
    assert "the run's record says complete" in said
    assert "NOT OK" not in said
