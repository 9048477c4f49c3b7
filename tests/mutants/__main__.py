"""Makes one change at a time in the code that decides, and prints those that no test noticed.

Cosmic Ray knows the changes and makes them, in a copy of the checkout; which are tried is drawn
once for all by a seed, each file of ``CONCERNS`` having the same share. It runs from an environment
of its own beside this file. What stands in JSONata is not changed here.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import parso.tree  # noqa: F401 - Cosmic Ray's operators cannot be loaded before it.
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome

ROOT = Path(__file__).resolve().parents[2]
SEED = 1
NUMBER = 80
GOAL = 0.9
SLOWER_SECONDS = 60.0
"""How much longer than without a change the tests may take before that counts as noticed."""

WORKER = "tests/unit/worker"
STACKS = "tests/unit/deploy/test_changes.py tests/unit/deploy/test_stacks.py"
CONCERNS = {
    "worker/keeping/fence.py": WORKER,
    "worker/keeping/commit.py": WORKER,
    "worker/keeping/checkpoint.py": WORKER,
    "worker/keeping/attempt.py": WORKER,
    "worker/supervising/stages.py": WORKER,
    "statemachines/causes.py": "tests/unit/statemachines",
    "statemachines/composing.py": "tests/unit/statemachines",
    "deploy/runs/redrive.py": "tests/unit/deploy/test_redrive.py",
    "deploy/stacks/changes.py": STACKS,
    "deploy/stacks/cloudformation.py": STACKS,
    "deploy/stacks/config.py": "tests/unit/test_config.py",
}
"""Files that decide something, and the tests of each."""

WITHOUT_EFFECT = ("BitOr_", "Eq_Is", "NotEq_IsNot", "_Is_Eq", "IsNot_NotEq")
"""In names of operators: ``|`` is in types, which nobody evaluates, and ``is`` is like ``==``."""


def main() -> int:
    """Try the sample; the exit code is 1 if too few were noticed."""
    arguments = parsed()
    with tempfile.TemporaryDirectory(prefix="steadyspot-mutants-") as folder:
        copy_checkout(Path(folder))
        os.chdir(folder)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        commands = {name: command(tests) for name, tests in CONCERNS.items()}
        seconds = {line: unchanged(line) for line in dict.fromkeys(commands.values())}
        tried = noticed = 0
        for item in sample(arguments.number):
            (mutation,) = item.mutations
            line = commands[str(mutation.module_path)]
            result = mutate_and_test(item.mutations, line, seconds[line] + SLOWER_SECONDS)
            if result.test_outcome is None or result.test_outcome is TestOutcome.INCOMPETENT:
                raise SystemExit(f"A change could not be tried: {result.output}")
            tried += 1
            noticed += result.is_killed
            if not result.is_killed:
                print(f"Nobody noticed:\n{shown(result.diff)}", flush=True)
    print(f"{noticed} of {tried} changes were noticed; the goal is {GOAL:.0%}")
    return 0 if noticed >= GOAL * tried else 1


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--number", type=int, default=NUMBER, help="how many changes are tried")
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
    return f"{python} -m pytest -n0 -x -q -p no:cacheprovider {tests}"


def unchanged(line: str) -> float:
    """Run tests on the code as it is, which must pass; the seconds that it took."""
    began = time.monotonic()
    done = subprocess.run(shlex.split(line), capture_output=True, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"Without any change the tests fail; mend them first.\n{done.stdout}")
    return time.monotonic() - began


def sample(number: int) -> list[Any]:
    """Draw changes, file by file in turn, and none of a file at the same place."""
    chance = random.Random(SEED)
    queues = []
    for name in CONCERNS:
        places: dict[Any, list[Any]] = {}
        for item in changes(name):
            places.setdefault(item.mutations[0].start_pos, []).append(item)
        drawn = [chance.choice(places[place]) for place in sorted(places)]
        chance.shuffle(drawn)
        queues.append(drawn)
    turns = [queue[turn] for turn in range(number) for queue in queues if turn < len(queue)]
    return turns[:number]


def changes(name: str) -> list[Any]:
    """Return every change to a file that has an effect, always in the same order."""
    with use_db(":memory:") as session:
        init([Path(name)], session, {})
        found = [
            item
            for item in session.work_items
            if not any(word in item.mutations[0].operator_name for word in WITHOUT_EFFECT)
        ]
    return sorted(found, key=lambda i: (i.mutations[0].operator_name, i.mutations[0].occurrence))


def shown(diff: str | None) -> str:
    """Return the lines of a difference that say what was changed, and where."""
    lines = (line for line in (diff or "").splitlines() if not line.startswith(("---", " ")))
    return "\n".join(f"  {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
