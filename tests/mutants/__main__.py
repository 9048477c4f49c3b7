"""Makes one change at a time in the code that decides, and prints those that no test noticed.

Cosmic Ray knows the changes to Python, ``jsonata.py`` those to the workflow's expressions; which
are tried is drawn once for all by a seed, each subject of ``CONCERNS`` having the same share. They
are made in a copy of the checkout, by an environment of its own beside this file.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import parso.tree  # noqa: F401 - Cosmic Ray's operators cannot be loaded before it.
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.testing import run_tests
from cosmic_ray.util import restore_contents
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome

from tests.mutants import jsonata

ROOT = Path(__file__).resolve().parents[2]
SEED = 1
NUMBER = 80
GOAL = 0.9
SLOWER_SECONDS = 60.0
"""How much longer than without a change the tests may take before that counts as noticed."""


def of_worker(*names: str) -> str:
    """Return where these tests of the worker stand."""
    return " ".join(f"tests/unit/worker/test_{name}.py" for name in names)


WORKFLOW = "tests/unit/statemachines tests/local/test_after_the_end.py"
SLOW = (
    "test_added_row.py",
    "test_stop_texts.py",
    "test_never_started.py",
    "test_random_outcomes.py",
    "test_kernel.py",
    "test_engines.py",
    "test_limits.py",
)
"""Files of tests that take long. They come last: most changes are noticed before."""

RENDERED = "test_what_is_deployed_is_what_the_code_says"
"""Notices whatever is changed in the workflow, and so says nothing of the tests that know why."""
STACKS = (
    "tests/unit/deploy/test_changes.py tests/unit/deploy/test_stacks.py"
    " tests/unit/test_templates.py tests/local/test_foreign_stacks.py"
    " tests/local/test_definitions.py"
)
CONCERNS = {
    "fence": (
        ["worker/keeping/fence.py"],
        of_worker("fence", "own_keys", "keeper", "commit_order", "withdrawn_uploads"),
    ),
    "commit": (
        ["worker/keeping/commit.py", "worker/keeping/attempt.py", "worker/keeping/in_hand.py"],
        of_worker(
            *("in_hand", "commit_order", "many_outputs", "faults_of_one_file", "taken_up_again"),
            *("withdrawn_uploads", "keeper", "request_hash", "ledger", "history"),
            *("checkpoint", "own_keys"),
        ),
    ),
    "checkpoint": (
        ["worker/keeping/checkpoint.py"],
        of_worker("checkpoint_folder", "ledger", "own_keys", "checkpoint", "history"),
    ),
    "memory": (
        [
            f"steadyspot/memory/{name}.py"
            for name in (
                *("among_units", "caches", "carried", "contents", "files_left", "files_named"),
                *("files_outside", "flow", "in_objects"),
                *("program_text", "read_later", "restored", "results_text", "unit_text"),
                "within_objects",
            )
        ],
        of_worker("among_units", "carried", "contents", "in_objects", "results_text"),
    ),
    "stages": (
        ["worker/supervising/stages.py", "worker/supervising/grace.py"],
        of_worker("stages", "grace", "ending", "rhythm"),
    ),
    "causes": (["statemachines/causes/*.py", "statemachines/composing.py"], WORKFLOW),
    "expressions": (["statemachines/expressions/*.jsonata"], WORKFLOW),
    "redrive": (["deploy/runs/redrive.py"], "tests/unit/deploy/test_redrive.py"),
    "stacks": (
        [
            "deploy/stacks/changes.py",
            "deploy/stacks/cloudformation.py",
            "deploy/stacks/definitions.py",
            "deploy/stacks/following.py",
            "deploy/stacks/templates.py",
            "deploy/stacks/up.py",
        ],
        STACKS,
    ),
    "config": (
        ["deploy/stacks/config_file.py", "deploy/stacks/consistency.py"],
        "tests/unit/test_config.py tests/unit/test_environments.py tests/unit/test_terms.py"
        " tests/unit/deploy/test_chains.py",
    ),
}
"""Subjects that are decided: the files in which that is done, and the tests of each."""

WITHOUT_EFFECT = ("BitOr_", "Eq_Is", "NotEq_IsNot", "_Is_Eq", "IsNot_NotEq")
"""In names of operators: ``|`` is in types, which nobody evaluates, and ``is`` is like ``==``."""

FOR_THE_CHECKER = ("@dataclass(", "if TYPE_CHECKING:", "*,")
"""Beginnings of lines that only the type checker minds."""


@dataclass(frozen=True)
class Change:
    """One change: the file, and its text once it is changed."""

    path: Path
    text: str


def main() -> int:
    """Try the sample; the exit code is 1 if too few were noticed."""
    arguments = parsed()
    with tempfile.TemporaryDirectory(prefix="steadyspot-mutants-") as folder:
        copy_checkout(Path(folder))
        os.chdir(folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        subjects = arguments.subject or list(CONCERNS)
        lines = {subject: command(CONCERNS[subject][1]) for subject in subjects}
        seconds = {line: unchanged(line) for line in dict.fromkeys(lines.values())}
        tried, noticed = Counter[str](), Counter[str]()
        for subject, change in sample(arguments.number):
            if subject not in subjects:
                continue
            line = lines[subject]
            tried[subject] += 1
            if is_noticed(change, line, seconds[line] + SLOWER_SECONDS):
                noticed[subject] += 1
            else:
                print(f"Nobody noticed ({subject}):\n{shown(change)}", flush=True)
    for subject, number in tried.items():
        print(f"{subject:12}{noticed[subject]:3} of {number:2}")
    print(f"{noticed.total()} of {tried.total()} changes were noticed; the goal is {GOAL:.0%}")
    return 0 if noticed.total() >= GOAL * tried.total() else 1


def is_noticed(change: Change, line: str, seconds: float) -> bool:
    """Make a change, run its tests for at most these seconds, and take the change back."""
    with restore_contents(change.path):
        change.path.write_text(change.text, "utf-8")
        outcome, output = run_tests(line, seconds)
    if outcome is TestOutcome.INCOMPETENT:
        raise SystemExit(f"A change could not be tried: {output}")
    return bool(outcome is TestOutcome.KILLED)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=NUMBER, help="how many changes are drawn")
    parser.add_argument(
        "--subject",
        action="append",
        choices=list(CONCERNS),
        help="try only what of the sample concerns this; may be given again",
    )
    return parser.parse_args()


def copy_checkout(folder: Path) -> None:
    """Copy what Git knows or would know; links stay links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, place, follow_symlinks=False)


def command(tests: str) -> str:
    """Return how tests are run, up to the first that fails."""
    python = shlex.quote(str(ROOT / ".venv" / "bin" / "python"))
    options = f"-n0 -x -q -p no:cacheprovider -k 'not {RENDERED}'"
    found = (path for place in map(Path, tests.split()) for path in modules(place))
    quick_first = sorted(
        found, key=lambda path: SLOW.index(path.name) + 1 if path.name in SLOW else 0
    )
    return f"{python} -m pytest {options} {' '.join(map(str, quick_first))}"


def modules(place: Path) -> list[Path]:
    """Return the files of tests that a path names."""
    return sorted(place.rglob("test_*.py")) if place.is_dir() else [place]


def unchanged(line: str) -> float:
    """Run tests on the code as it is, which must pass; the seconds that it took."""
    began = time.monotonic()
    done = subprocess.run(shlex.split(line), capture_output=True, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"Without any change the tests fail; mend them first.\n{done.stdout}")
    return time.monotonic() - began


def sample(number: int) -> list[tuple[str, Change]]:
    """Draw changes, subject by subject in turn, and none at the same place."""
    chance = random.Random(SEED)
    queues = {subject: drawn(patterns, chance) for subject, (patterns, _) in CONCERNS.items()}
    found: list[tuple[str, Change]] = []
    while queues and len(found) < number:
        for subject, queue in list(queues.items()):
            change = next(queue, None)
            if change is None:
                del queues[subject]
            else:
                found.append((subject, change))
    return found[:number]


def drawn(patterns: list[str], chance: random.Random) -> Iterator[Change]:
    """Yield changes to these files by chance, one at a place; Python that is none is left out."""
    places: dict[tuple[Path, Any], list[Callable[[], str]]] = {}
    for path in (path for pattern in patterns for path in files(pattern)):
        for place, changed in changes(path):
            places.setdefault((path, place), []).append(changed)
    for (path, _), choices in chance.sample(sorted(places.items(), key=itemgetter(0)), len(places)):
        text = chance.choice(choices)()
        if path.suffix != ".py" or is_python(text):
            yield Change(path, text)


def files(pattern: str) -> list[Path]:
    """Return the files of a pattern, of which there is at least one."""
    found = sorted(Path().glob(pattern))
    if not found:
        raise SystemExit(f"There is no {pattern}: say in CONCERNS where its code is now.")
    return found


def changes(path: Path) -> Iterator[tuple[Any, Callable[[], str]]]:
    """Yield the place of every change that has an effect, and what makes the file's new text."""
    text = path.read_text("utf-8")
    if path.suffix == ".jsonata":
        for place, changed in jsonata.changed(text):
            yield place, partial(str, changed)
        return
    with use_db(":memory:") as session:
        init([path], session, {})
        found = [mutation for item in session.work_items for mutation in item.mutations]
    lines = text.splitlines()
    for mutation in sorted(found, key=lambda m: (m.operator_name, m.occurrence)):
        line = lines[mutation.start_pos[0] - 1]
        if not line.lstrip().startswith(FOR_THE_CHECKER) and not any(
            word in mutation.operator_name for word in WITHOUT_EFFECT
        ):
            operator = get_operator(mutation.operator_name)(**mutation.operator_args)
            yield mutation.start_pos, partial(mutate_code, text, operator, mutation.occurrence)


def is_python(text: str) -> bool:
    """Whether a text can be compiled."""
    try:
        compile(text, "", "exec")
    except SyntaxError:
        return False
    return True


def shown(change: Change) -> str:
    """Return the lines that a change takes away and brings, and where."""
    lines = difflib.unified_diff(
        change.path.read_text("utf-8").splitlines(),
        change.text.splitlines(),
        tofile=str(change.path),
        n=0,
        lineterm="",
    )
    return "\n".join(f"  {line}" for line in lines if not line.startswith("---"))


if __name__ == "__main__":
    sys.exit(main())
