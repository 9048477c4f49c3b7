"""A file of the checkpoint folder that a stop or a kill meets while it is made by ``> file``.

As people write such jobs: what is there is taken for done. The run ends with what an undisturbed
one makes, and what was whole is not made again.
"""

from __future__ import annotations

import gzip
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from steadyspot.worker.keeping.half_made import HALF_MADE
from tests.local.worker.kit import ROOT, Bench, Worker, wait_until

UNITS = range(1, 7)
WORK = """#!/bin/sh
echo "$1" >> made
echo "$1 begins"
if [ "$STEADYSPOT_ATTEMPT" = 1 ] && [ "$1" -ge 3 ]; then echo "holds $1" >&2; read _ < go; fi
echo "$1 ends"
"""
"""What makes a unit; in the first attempt all but two of them wait in their midst."""

MAKE = """
all: $(foreach n,1 2 3 4 5 6,state/$(n).csv)
state/%.csv:
\t./work $* > $@
"""
EACH = "for i in $(seq 6); do [ -f state/$i.csv ] || ./work $i > state/$i.csv; done"
BESIDE = "for i in $(seq 6); do [ -f state/$i.csv ] || ./work $i > state/$i.csv & done; wait"
FUNCTION = "make_it() { ./work $1; echo more; }\n" + EACH.replace("./work", "make_it")
ZIPPED = EACH.replace("./work $i >", "./work $i | gzip >").replace(".csv", ".csv.gz")
SUBSHELLS = "seq 6 | xargs -P3 -I{} sh -c '[ -f state/{}.csv ] || ./work {} > state/{}.csv; true'"

WAYS: dict[str, tuple[str, str, int]] = {
    "loop": ("sh", EACH, 1),
    "loop of bash": ("bash", EACH, 1),
    "function": ("sh", FUNCTION, 1),
    "function that writes elsewhere at times": (
        "sh",
        FUNCTION.replace("echo more", "./work $1 > /dev/null; echo more").replace(
            "{ ./work $1;", "{ STEADYSPOT_ATTEMPT=2 ./work $1;"
        ),
        1,
    ),
    "in brackets": ("bash", EACH.replace("./work $i", "{ ./work $i; echo more; }"), 1),
    "beside each other": ("sh", BESIDE, 4),
    "xargs": ("sh", SUBSHELLS.replace("; true", ""), 3),
    "xargs alone": ("sh", f"seq 6 > n; exec xargs -a n {SUBSHELLS.partition('xargs ')[2]}", 3),
    "xargs and a shell for each": ("bash", SUBSHELLS, 3),
    "make": ("sh", "make -j2 -f makefile all || exit; true", 2),
    "make alone": ("sh", "exec make -j2 -f makefile all", 2),
    "pipeline": ("sh", ZIPPED, 1),
    "pipeline of bash": ("bash", "set -o pipefail; " + ZIPPED, 1),
    "tee": ("sh", EACH.replace("$i > state", "$i | tee state").replace("; done", " >&2; done"), 1),
    "cp": ("sh", EACH.replace("$i > state", "$i | cp /dev/stdin state"), 1),
    "curl": ("sh", EACH.replace("$i >", "$i | curl -s file:///dev/stdin -o"), 1),
    "timeout": ("sh", f"exec timeout 1h sh -c '{EACH}'", 1),
    "timeout of each": ("sh", EACH.replace("./work", "timeout 1h ./work"), 1),
    "timeout of those beside": ("bash", f"exec timeout 1h sh -c '{BESIDE}'", 4),
    "su": ("sh", f"exec su -c '{EACH}' root", 1),
}
if os.getuid() != 0 or not shutil.which("su"):
    del WAYS["su"]  # It asks for a password.
if not shutil.which("curl"):
    del WAYS["curl"]
"""Program, what it is given, and how many units are in hand at a time."""


def command(bench: Bench, program: str, text: str) -> list[str]:
    """Write a job down, and all that it needs; its command."""
    work = bench.folder / "work"
    work.write_text(WORK)
    work.chmod(0o755)
    os.mkfifo(bench.folder / "go")
    (bench.folder / "makefile").write_text(MAKE)
    return [program, "-c", text]


OPTIONS = ("--checkpoint-dir", "state", "--marker", "marker")
TOLD = {
    "killed at a stop": ("--signal", "none", "--drain", "0"),
    "told as one": ("--signal", "group"),
}


def until_in_hand(worker: Worker, units: int) -> None:
    """As many units as the job has in hand at a time are in their midst."""
    wait_until(lambda: sum(line.startswith("holds ") for line in worker.text) >= units)


def save(bench: Bench) -> None:
    """Have a checkpoint taken now."""
    (bench.folder / "marker").touch()
    wait_until(lambda: not (bench.folder / "marker").exists())


def interrupt(bench: Bench, worker: Worker, how: str) -> None:
    """Kill all there is just after a checkpoint, or stop it."""
    if how == "saved and killed":
        save(bench)
        worker.kill_all()
        worker.end()
    else:
        worker.terminate()
        assert worker.end() == 143, worker.said()


def on_another_disk(bench: Bench) -> None:
    (bench.folder / "state").rename(bench.folder / "state-of-the-first")


def made(folder: Path) -> Counter[int]:
    """How often each unit was begun."""
    return Counter(int(line) for line in (folder / "made").read_text().split())


def unit_of(name: str) -> int:
    return int(name.partition(".")[0])


def contents(bench: Bench) -> dict[int, bytes]:
    """What the folder holds, by unit."""
    return {
        unit_of(path.name): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in (bench.folder / "state").iterdir()
    }


def expected(text: str) -> dict[int, bytes]:
    more = "more\n" if "more" in text else ""
    return {unit: f"{unit} begins\n{unit} ends\n{more}".encode() for unit in UNITS}


@pytest.mark.parametrize("how", ["saved and killed", "stopped", "killed at a stop", "told as one"])
@pytest.mark.parametrize("way", WAYS)
def test_run_has_no_half_of_a_file(bench: Bench, way: str, how: str) -> None:
    program, text, at_a_time = WAYS[way]
    job = command(bench, program, text)
    first = bench.start(*OPTIONS, *TOLD.get(how, ()), *job)
    until_in_hand(first, at_a_time)
    interrupt(bench, first, how)
    kept, before = set(bench.saved()), made(bench.folder)
    on_another_disk(bench)

    again = bench.start(*OPTIONS, *job)
    assert again.end() == 0, again.said()
    assert contents(bench) == expected(text)
    # Side by side, the program of a file that is whole may not have ended yet: it is made again.
    whole = set(map(unit_of, kept))
    assert whole == {1, 2} or (at_a_time > 1 and whole < {1, 2})
    after = made(bench.folder)
    assert [after[unit] for unit in whole] == [before[unit] for unit in whole]


def let_go(bench: Bench) -> None:
    """Whoever waits in the midst of a unit goes on."""
    with (bench.folder / "go").open("w") as go:
        go.write("\n")


def told_and_resumed(bench: Bench, job: list[str]) -> None:
    """A job is told in the midst of a unit, which it finishes, and the run goes on elsewhere."""
    first = bench.start(*OPTIONS, *job)
    until_in_hand(first, 1)
    first.terminate()
    first.wait_for("notice")
    let_go(bench)
    assert first.end() == 143, first.said()
    on_another_disk(bench)

    again = bench.start(*OPTIONS, *job)
    assert again.end() == 0, again.said()


GUARDED = "[ -f state/$i.csv ] || MAKE $i > state/$i.csv"
COUNTED = """
i=$(cat state/done 2>/dev/null || echo 1)
while [ $i -le 6 ]; do
  MAKE $i > state/$i.csv
  i=$((i + 1)); echo $i > state/done.new; mv state/done.new state/done
  [ -z "$stop" ] || END
done
"""
FINISHES = {
    "guarded": f'for i in $(seq 6); do [ -z "$stop" ] || END; {GUARDED}; done',
    "counted": COUNTED,
}
"""Loops of a shell whose trap notes the stop: the unit in hand is finished, and then it ENDs."""


@pytest.mark.parametrize("end", ["exit", "exit 143", "{ trap - TERM; kill $$; }"])
@pytest.mark.parametrize("maker", ["./work", "make_it"], ids=["program", "function"])
@pytest.mark.parametrize("loop", FINISHES)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_unit_that_a_trap_finishes_is_there(
    bench: Bench, shell: str, loop: str, maker: str, end: str
) -> None:
    """How a job ends tells a shell that cut its unit from one that did not, but by exit 0 alone."""
    text = FINISHES[loop].replace("MAKE", maker).replace("END", end)
    text = f"make_it() {{ ./work $1; }}; trap 'stop=1; echo told >&2' TERM; {text}"
    job = command(bench, shell, text)
    told_and_resumed(bench, job)
    (bench.folder / "state" / "done").unlink(missing_ok=True)
    assert contents(bench) == expected(text)
    kept = loop == "counted" or end == "exit"
    assert made(bench.folder) == Counter(UNITS) + Counter([] if kept else [3])


@pytest.mark.parametrize("end", ["exit", "exit 143"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_unit_that_is_cut_beside_a_trap_is_made_again(bench: Bench, shell: str, end: str) -> None:
    """The whole group is told: the trap runs, and the program ends in its midst."""
    text = FINISHES["guarded"].replace("MAKE", "./work").replace("END", end)
    job = command(bench, shell, f"trap stop=1 TERM; {text}")
    first = bench.start(*OPTIONS, *TOLD["told as one"], *job)
    until_in_hand(first, 1)
    interrupt(bench, first, "stopped")
    on_another_disk(bench)

    again = bench.start(*OPTIONS, *job)
    assert again.end() == 0, again.said()
    assert contents(bench) == expected(text)
    assert made(bench.folder) == Counter(UNITS) + Counter([3])


IN_THE_BACKGROUND = "(echo begins; echo holds >&2; exec sleep 60) > state/3.csv & p=$!; wait $p"
"""A file whose program a trap can end."""


def test_file_whose_program_was_ended_by_one_that_is_killed_is_left_out(bench: Bench) -> None:
    """The trap that ended it does more than its share of the grace has room for."""
    text = f"trap 'kill $p; wait $p; sleep 60' TERM; {IN_THE_BACKGROUND}"
    first = bench.start(*OPTIONS, "--drain", "1", "bash", "-c", text)
    first.wait_for("holds")
    interrupt(bench, first, "stopped")
    assert bench.saved() == {}


NO_NOTES = {
    "log of the end": (
        "timeout 1h bash -c",
        f"trap 'echo bye >> state/log' EXIT; {IN_THE_BACKGROUND}",
    ),
    "log of a trap": (
        "bash -c",
        f"trap 'kill $p; echo bye >> state/run.log; exit 143' TERM; {IN_THE_BACKGROUND}",
    ),
    "file removed": (
        "bash -c",
        "echo $$ > state/run.pid; touch state/running;"
        f" trap 'kill $p; rm state/run*; exit 143' TERM; {IN_THE_BACKGROUND}",
    ),
    "command for a stop": ("timeout 1h bash -c", IN_THE_BACKGROUND),
}
"""What changes beside a half-made file at a stop, and says nothing of what is done."""


@pytest.mark.parametrize("what", NO_NOTES)
def test_what_is_no_note_proves_no_file_whole(bench: Bench, what: str) -> None:
    program, text = NO_NOTES[what]
    more = ("--on-stop", "date > state/stopped") if what == "command for a stop" else ()
    first = bench.start(*OPTIONS, *more, *program.split(), text)
    first.wait_for("holds")
    interrupt(bench, first, "stopped")
    assert "3.csv" not in bench.saved()
    assert ("stopped" in bench.saved()) == bool(more)


PASSED_ON = """
import os, signal, subprocess, time
from steadyspot.worker.keeping.half_made import Proof
from steadyspot.worker.options import Audience
from steadyspot.worker.speakers import Speakers
from steadyspot.worker.supervising.half_made import HalfMade
from steadyspot.worker.supervising.processes import adopt_orphans, descendants, stands
from steadyspot.worker.supervising.standstill import Standstill
from steadyspot.worker.supervising.telling import Telling

adopt_orphans()
half_made = HalfMade(".", ".", Standstill())
shell = subprocess.Popen(["sh", "-c", "trap 'exit 0' TERM; sleep 60 > x & wait"])
while not half_made.files():
    time.sleep(0.001)
program = descendants()[1]
os.kill(program.pid, signal.SIGSTOP)
while not stands(program):
    time.sleep(0.001)
os.kill(program.pid, signal.SIGTERM)
telling = Telling(shell.pid, Audience.FIRST, signal.SIGTERM, Speakers(), half_made)
telling.begin()
os.kill(program.pid, signal.SIGCONT)
telling.first_ended(shell.wait())
os.waitpid(program.pid, 0)
assert half_made.files() == {os.path.realpath("x"): Proof()}, half_made.files()
assert half_made.held == {os.path.realpath("x")}, half_made.held
"""


def test_file_whose_program_is_told_by_who_was_told_is_cut(tmp_path: Path) -> None:
    """It is seen before the program ends of that; no note, and no exit code, makes it whole."""
    done = subprocess.run(
        [sys.executable, "-c", PASSED_ON],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


SAVES_AT_A_STOP = """
import os, signal, sys
def told(number, frame):
    print("last", flush=True)
    open("state/done", "w").write("3")
    os._exit(0)
signal.signal(signal.SIGTERM, told)
print("first", flush=True)
print("holds", file=sys.stderr, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_file_that_a_program_finishes_when_told_is_there(bench: Bench, shell: str) -> None:
    """The shell that waits for it ends before, and has that file open, too, where it is dash."""
    program = shlex.join(bench.job_file(SAVES_AT_A_STOP))
    first = bench.start(*OPTIONS, shell, "-c", f"{program} > state/3.csv; echo never")
    first.wait_for("holds")
    interrupt(bench, first, "stopped")
    assert bench.saved() == {"3.csv": b"first\nlast\n", "done": b"3"}


OF_UNITS = """
import subprocess
from steadyspot import current_run
for unit in current_run().remaining(range(1, 7)):
    subprocess.run(f"./work {unit} > state/{unit}.csv; true", shell=True, check=True)
"""


@pytest.mark.parametrize("above", ["{}", "sh -c '{}; true'"])
def test_program_of_a_unit_in_hand_finishes_its_file(bench: Bench, above: str) -> None:
    """Nobody below a job that speaks is told: the unit counts, and so does its file."""
    python = shlex.join(bench.job_file(OF_UNITS))
    job = command(bench, "sh", "exec " + above.format(python))
    told_and_resumed(bench, job)
    assert contents(bench) == expected(OF_UNITS)
    assert made(bench.folder) == Counter(UNITS)


@pytest.mark.parametrize("how", ["saved and killed", "stopped"])
@pytest.mark.parametrize("log", [">>", ">"])
def test_log_of_the_whole_script(bench: Bench, log: str, how: str) -> None:
    """One that is added to comes back; one that each attempt begins anew need not."""
    text = f"exec {log} state/log; {EACH.replace('; done', ' && echo did $i; done')}"
    job = command(bench, "sh", text)
    first = bench.start(*OPTIONS, *job)
    until_in_hand(first, 1)
    interrupt(bench, first, how)
    assert bench.saved().get("log") == (b"did 1\ndid 2\n" if log == ">>" else None)
    on_another_disk(bench)

    again = bench.start(*OPTIONS, *job)
    assert again.end() == 0, again.said()
    did = (bench.folder / "state" / "log").read_text()
    before = [1, 2] if log == ">>" else []
    assert did == "".join(f"did {unit}\n" for unit in [*before, *UNITS])
    (bench.folder / "state" / "log").unlink()
    assert contents(bench) == expected(text)


WRITER = """
import sys
with open("state/part", HOW) as part:
    print("first", file=part, flush=True)
    print("holds", file=sys.stderr, flush=True)
    open("go").read()
"""
IN_PLACE = "printf 'a\\nb\\n' > state/part; exec 1<> state/part; echo first; ./work 3"


@pytest.mark.parametrize("how", ["saved and killed", "stopped"])
@pytest.mark.parametrize("mode", ["w", "a", "in place"])
def test_what_is_written_in_another_way_is_saved_as_far_as_it_is(
    bench: Bench, mode: str, how: str
) -> None:
    """Databases and logs lie in such files, which go on from what they find."""
    job = command(bench, "sh", IN_PLACE)
    if mode != "in place":
        job = bench.job_file(WRITER.replace("HOW", repr(mode)))
    first = bench.start(*OPTIONS, *job)
    first.wait_for("holds")
    interrupt(bench, first, how)
    begun = b"first\n3 begins\n" if mode == "in place" else b"first\n"
    assert bench.saved() == {"part": begun}


def saved_in_the_midst(bench: Bench, program: str) -> dict[str, bytes]:
    """What is saved while a program is fed the begin of its file."""
    if not shutil.which(program.split(maxsplit=1)[0]):
        pytest.skip("there is no such program")
    first = bench.start(*OPTIONS, *command(bench, "sh", f"./work 3 | {program}"))
    first.wait_for("holds")
    wait_until(lambda: any((bench.folder / "state").iterdir()))
    interrupt(bench, first, "saved and killed")
    return bench.saved()


CURL = "curl {} -o state/part file:///dev/stdin"


@pytest.mark.parametrize("program", ["tee -a state/part", CURL.format("-sSC -")])
def test_program_that_goes_on_from_its_file_finds_it(bench: Bench, program: str) -> None:
    assert set(saved_in_the_midst(bench, program)) == {"part"}


@pytest.mark.parametrize(
    "program",
    [
        CURL.format("-sHContent-Type:x"),
        CURL.format("-s -uCarl:x"),
        "curl -s --output-dir state -oCities.csv file:///dev/stdin",
        "dd of=state/part bs=1",
    ],
)
def test_program_that_is_given_something_like_that_makes_its_file(
    bench: Bench, program: str
) -> None:
    assert saved_in_the_midst(bench, program) == {}


@pytest.mark.parametrize("how", ["conv=notrunc", "conv=fsync,notrunc"])
@pytest.mark.parametrize("end", ["saved and killed", "stopped"])
def test_file_that_dd_changes_in_its_place_is_saved(bench: Bench, how: str, end: str) -> None:
    text = f"head -c 20 /dev/zero > state/image; ./work 3 | dd of=state/image bs=1 {how}"
    first = bench.start(*OPTIONS, *command(bench, "sh", text))
    first.wait_for("holds")
    wait_until(lambda: b"3 begins" in (bench.folder / "state" / "image").read_bytes())
    interrupt(bench, first, end)
    assert b"3 begins" in bench.saved()["image"]


def test_file_that_a_shell_makes_for_dd_is_left_out(bench: Bench) -> None:
    """Nothing that was there before is in it, whatever ``dd`` would leave as it is."""
    assert saved_in_the_midst(bench, "dd conv=notrunc > state/part") == {}


def test_half_made_files_are_named_in_the_log_and_not_in_the_mail(bench: Bench) -> None:
    worker = bench.start(*OPTIONS, *command(bench, "sh", BESIDE))
    until_in_hand(worker, 4)
    for _ in range(2):
        save(bench)
    sentence = f"Left out of the checkpoint: '3.csv' and 3 more ({HALF_MADE})."
    worker.wait_for(sentence)
    assert worker.said().count(sentence) == 1
    worker.terminate()
    assert worker.end() == 143, worker.said()

    assert worker.said().count(sentence) == 2
    assert bench.item().get("warnings", []) == []


def test_file_that_was_whole_and_is_made_anew_is_left_out(bench: Bench) -> None:
    """The next attempt makes it: what it had been before is no result of this program."""
    job = command(bench, "sh", "for i in 1 3; do ./work $i > state/1.csv; done; touch state/2.csv")
    (bench.folder / "state").mkdir()
    first = bench.start(*OPTIONS, "sh", "-c", "echo before > state/1.csv; exit 3")
    assert first.end() == 3, first.said()
    assert bench.saved() == {"1.csv": b"before\n"}

    second = bench.start(*OPTIONS, *job, STEADYSPOT_ATTEMPT="1")
    until_in_hand(second, 1)
    interrupt(bench, second, "saved and killed")
    assert bench.saved() == {}


QUICK = """#!/bin/sh
echo "$1 begins"
sleep 0.005
echo "$1 ends"
"""
MANY = {
    "programs": "seq 100000 | xargs -P4 -I{} sh -c './work {} > state/{}.csv'",
    "the shell itself": "for i in $(seq 100000); do"
    " { echo $i begins; echo $i ends; } > state/$i.csv; done",
}


@pytest.mark.parametrize("how", ["killed", "stopped", "killed at a stop"])
@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("many", MANY)
def test_no_half_is_saved_at_whatever_instant(
    bench: Bench, many: str, shell: str, how: str
) -> None:
    """Also where files are made faster than anybody can look."""
    more = TOLD.get(how, ()) if how != "killed" else ("--every", "0.05")
    job = command(bench, shell, f"echo begun >&2; {MANY[many]}")
    (bench.folder / "work").write_text(QUICK)
    worker = bench.start(*OPTIONS, *more, *job)
    worker.wait_for("begun")
    if how == "killed":
        wait_until(lambda: bench.item().get("checkpoint"))
    time.sleep(random.uniform(0.1, 0.4))  # Not for anything to happen: whatever happens then.
    if how == "killed":
        worker.kill_all()
        worker.end()
    else:
        worker.terminate()
        assert worker.end() == 143, worker.said()

    saved = bench.saved()
    assert saved == {f"{n}.csv": f"{n} begins\n{n} ends\n".encode() for n in map(unit_of, saved)}
