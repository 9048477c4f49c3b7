"""Four programs as people write them, each with what it must come to however often it is disturbed.

Each notes in a journal which unit it begins, in the arguments' first, and has a disk of its
attempt's own, the second.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

UNITS = 4
OUTPUTS = 12
"""Of a unit, more than are uploaded each by itself."""
SIZE = 20_000
UNIT_FILES = {
    f"{unit}/{i}": f"{unit}{i}".encode() * (SIZE // 2)
    for unit in range(UNITS)
    for i in range(OUTPUTS)
}


@dataclass(frozen=True)
class Job:
    """A program, the options its worker is given, and what must come out.

    ``hands`` is how many units it has in hand at a time, ``units`` how many the worker counts.
    """

    text: str
    options: tuple[str, ...]
    units: int
    hands: int
    expected: dict[str, bytes]

    def command(self, folder: Path) -> list[str]:
        """Write it down; its command."""
        shell = not self.text.lstrip().startswith(("import", "from"))
        path = folder / ("job.sh" if shell else "job.py")
        path.write_text(self.text)
        return ["sh" if shell else sys.executable, str(path)]


_BEGUN = f"""
import os, sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from steadyspot import current_run

def begun(unit):
    journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, b"%d\\n" % unit)
    os.close(journal)

def write(name, unit, i):
    with current_run().output(name) as path:
        path.write_bytes(f"{{unit}}{{i}}".encode() * {SIZE // 2})
"""

LOOP = Job(
    _BEGUN
    + f"""
run = current_run()
with run.output("head") as path:
    path.write_bytes(b"head" * 20000)
for unit in run.remaining(range({UNITS})):
    begun(unit)
    for i in range({OUTPUTS}):
        write(f"{{unit}}/{{i}}", unit, i)
    run.state["sum"] = run.state.get("sum", 0) + unit
with run.output("sum") as path:
    path.write_text(str(run.state["sum"]))
""",
    (),
    UNITS,
    1,
    UNIT_FILES | {"sum": b"6", "head": b"head" * 20_000},
)
THREADS = Job(
    _BEGUN
    + f"""
run = current_run()
with ThreadPoolExecutor(3) as pool:
    for unit in run.remaining(range({UNITS})):
        begun(unit)
        names = [f"{{unit}}/{{i}}" for i in range({OUTPUTS})]
        list(pool.map(write, names, [unit] * {OUTPUTS}, range({OUTPUTS})))
""",
    (),
    UNITS,
    1,
    UNIT_FILES,
)
POOL = Job(
    _BEGUN
    + f"""
def one(unit):
    run = current_run()
    with run.unit(unit):
        begun(unit)
        for i in range({OUTPUTS}):
            write(f"{{unit}}/{{i}}", unit, i)

if __name__ == "__main__":
    run = current_run()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(one, run.undone(range({UNITS}))))
    run.finish()
""",
    (),
    UNITS,
    2,
    UNIT_FILES,
)
SHELL = Job(
    f"""
journal=$1
cd "$2"
n=$(cat state/done 2>/dev/null || echo 0)
while [ "$n" -lt {UNITS} ]; do
  echo "$n" >> "$journal"
  mkdir -p "out/$n"
  for i in $(seq 0 {OUTPUTS - 1}); do
    word="$n$i"
    yes "$word" | tr -d '\\n' | head -c $(({SIZE // 2} * ${{#word}})) > "out/$n/$i.tmp"
    mv "out/$n/$i.tmp" "out/$n/$i"
  done
  n=$((n + 1))
  echo "$n" > state/done.tmp
  mv state/done.tmp state/done
  : > marker
  while [ -e marker ]; do sleep 0.02; done
done
""",
    (
        "--checkpoint-dir={disk}/state",
        "--output-dir={disk}/out",
        "--marker={disk}/marker",
    ),
    0,
    1,
    UNIT_FILES,
)
JOBS = {"loop": LOOP, "threads": THREADS, "pool": POOL, "shell": SHELL}
