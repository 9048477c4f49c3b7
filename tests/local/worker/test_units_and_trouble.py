"""Two units with one key, and marks that failed: never complete with less than there is to do."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.local.worker.door import Door
from tests.local.worker.kit import Bench, assert_said, wait_until

HEAD = """
import os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor, ProcessPoolExecutor
from steadyspot import current_run
run = current_run()
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "for x in run.remaining([5, 5, 7]):\n"
            "    run.state['sum'] = run.state.get('sum', 0) + x\n",
            "number 1, and number 2",
        ),
        ("for x in run.remaining(iter([5, 6, 5])): pass\n", "number 1, and number 3"),
        ("run.undone(['a', 'b', 'a'])\n", "number 1, and number 3"),
        (
            "list(run.remaining([{'id': 1, 'of': x} for x in 'xy'], lambda row: row['id']))\n",
            "'y'",
        ),
        ("list(run.remaining([(1, 2), [1, 2]]))\n", "number 1, and number 2"),
        ("for x in run.remaining('ab'): pass\nfor x in run.remaining('ab'): pass\n", "Two loops"),
        ("with run.unit(1): pass\nwith run.unit(1): pass\n", "done already in this attempt"),
        ("with run.unit(1):\n    with run.unit(1): pass\n", "in hand already"),
    ],
)
def test_two_units_with_one_key_are_refused_naming_both(
    bench: Bench, text: str, names: str
) -> None:
    worker = bench.start(*bench.job_file(HEAD + text))

    assert worker.end() != 0
    assert "Two " in worker.said()
    assert names in worker.said()
    assert "Traceback" not in worker.said()
    assert bench.item()["status"] == "running"


def test_second_unit_of_a_key_that_a_job_swallows_is_not_complete(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        HEAD + "def work(unit):\n"
        "    with run.unit(unit): pass\n"
        "with ThreadPoolExecutor(1) as pool:\n"
        "    for unit in [5, 5]: pool.submit(work, unit)\n"
    ))  # fmt: skip
    assert worker.end() == 125, worker.said()
    assert bench.item()["status"] == "running"
    assert bench.item()["stop_report"]["reason"] == "misused"


LOOPS = {
    "remaining": "for unit in run.remaining(UNITS):\n"
    "    with run.output(f'NAME-{unit}') as path: path.write_text('NAME')\n",
    "undone": "def work(unit):\n"
    "    with run.unit(unit), run.output(f'NAME-{unit}') as path: path.write_text('NAME')\n"
    "with ThreadPoolExecutor(2) as pool: list(pool.map(work, run.undone(UNITS)))\n",
}


@pytest.mark.parametrize(
    ("loop", "way"),
    [
        ("remaining", "{python} {file}"),
        ("undone", "{python} {file}"),
        ("remaining", "{python} - <{file}"),
        ("undone", "cat {file} | {python}"),
    ],
    ids=["remaining", "undone", "input", "pipe"],
)
def test_units_that_another_program_has_done_are_refused_and_not_skipped(
    bench: Bench, loop: str, way: str
) -> None:
    """Such as ``extract.py`` and ``load.py``; also where an attempt before had done the first."""
    programs = [
        bench.job_file(HEAD + LOOPS[loop].replace("NAME", name).replace("UNITS", units), name)
        for name, units in [("extract", "'ab'"), ("load", "'ab'"), ("other", "'cd'")]
    ]
    extract, load, other = (
        way.format(python=shlex.quote(python), file=shlex.quote(file)) for python, file in programs
    )
    first = bench.start("sh", "-c", f"{extract}; {other}; exit 75")
    assert first.end() == 75, first.said()
    refused = bench.start("sh", "-c", f"{extract}; {other}; {load}; true")
    assert refused.end() == 125, refused.said()
    assert "Two programs have a unit with the key" in refused.said()
    assert "Traceback" not in refused.said()
    assert bench.item()["stop_report"]["reason"] == "misused"

    worker = bench.start("sh", "-ec", f"{extract}; {other}; {extract}")
    assert worker.end() == 0, worker.said()
    assert len(bench.objects()) == 5


def test_process_and_those_below_it_may_ask_for_the_same_units(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        HEAD + "for unit in run.remaining('ab'): pass\n"
        "def asks():\n"
        "    print('left', run.undone('ab'), flush=True)\n"
        "child = os.fork()\n"
        "asks()\n"
        "if child: os.waitpid(child, 0)\n"
        "else: os._exit(0)\n"
    ))  # fmt: skip
    assert worker.end() == 0, worker.said()
    assert worker.text.count("left []") == 2


def test_keys_of_different_types_are_different_units(bench: Bench) -> None:
    units = "[1, '1', 1.0, True, 'true', None, 'null', '\"1\"', ('1',), (1,), [[1]], {'a': 1}]"
    worker = bench.start(*bench.job_file(
        HEAD + f"units = {units}\nprint('done', len(list(run.remaining(units))), flush=True)\n"
        "print('left', run.undone(units), flush=True)\n"
    ))  # fmt: skip
    assert worker.end() == 0, worker.said()
    assert "done 12" in worker.text
    assert "left []" in worker.text


def test_second_loop_over_what_a_broken_off_one_left_is_no_second_unit(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(
        HEAD + "for _ in range(3):\n"
        "    for x in run.remaining('abc'): break\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        for x in run.remaining('abc'):\n"
        "            if x == 'b' and not _: raise ValueError\n"
        "    except ValueError: pass\n"
        "more = ['abc', 'abcd']\n"
        "for letters in more:\n"
        "    for x in run.remaining(letters, key=lambda x: ('new', x)):\n"
        "        print('new', x, flush=True)\n"
    ))  # fmt: skip
    assert worker.end() == 0, worker.said()
    assert [line for line in worker.text if line.startswith("new")] == [
        f"new {letter}" for letter in "abcd"
    ]


SIX = """
def work(unit):
    try:
        with run.unit(unit):
            with run.output(f"{unit}") as path: path.write_text("x")
            if unit == 2 and run.attempt == 1:
                open("closed", "w").close()
                while not os.path.exists("shut"): time.sleep(0.01)
    except Exception as error:
        print("failed", unit, error, flush=True)
        open("open", "w").close()
        while os.path.exists("shut"): time.sleep(0.01)
"""


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
@pytest.mark.parametrize("kind", ["loop", "pool"])
def test_mark_that_failed_is_trouble_until_that_very_unit_is_marked(
    bench: Bench, door: Door, service: str, kind: str
) -> None:
    """Marks of other units succeed afterwards; the job swallows the error and ends with 0."""
    loop = {
        "loop": "for unit in run.undone(range(6)): work(unit)\n",
        "pool": "with ThreadPoolExecutor(1) as pool: list(pool.map(work, run.undone(range(6))))\n",
    }
    command = bench.job_file(HEAD + SIX + loop[kind])
    first = bench.start("--patience", "0.2", *command, AWS_ENDPOINT_URL=door.address)
    _wait_for_file(bench, "closed")
    wait_until(lambda: "fence" in bench.item(), 60)  # The run is opened beside the job.
    door.unreachable.add(service)
    (bench.folder / "shut").touch()
    _wait_for_file(bench, "open")
    door.unreachable.clear()
    (bench.folder / "shut").unlink()

    assert first.end(60) == 69, first.said()
    assert "failed 2" in first.said()
    assert bench.item()["stop_report"]["reason"] == "aws-in-trouble"
    assert bench.objects() == {}

    second = bench.start(*command)
    assert second.end() == 0, second.said()
    assert sorted(bench.objects()) == [*"012345", "completion.json"]


def _wait_for_file(bench: Bench, name: str) -> None:
    wait_until((bench.folder / name).exists, 60)


def test_mark_that_failed_and_was_made_again_is_no_trouble(bench: Bench, door: Door) -> None:
    again = (
        "work(2)\nwith run.unit(2):\n    with run.output('2') as path: path.write_text('again')\n"
    )
    command = bench.job_file(HEAD + SIX + again)
    first = bench.start("--patience", "0.2", *command, AWS_ENDPOINT_URL=door.address)
    _wait_for_file(bench, "closed")
    wait_until(lambda: "fence" in bench.item(), 60)  # The run is opened beside the job.
    door.unreachable.add("dynamodb")
    (bench.folder / "shut").touch()
    _wait_for_file(bench, "open")
    door.unreachable.clear()
    (bench.folder / "shut").unlink()

    assert first.end(60) == 0, first.said()
    assert bench.objects()["2"] == b"again"


@pytest.mark.parametrize(
    ("state", "back"),
    [
        ("None", "None"),
        ("float('nan')", "nan"),
        ("{'a': float('inf')}", "{'a': inf}"),
        ("[]", "[]"),
        ("0", "0"),
    ],
)
def test_state_comes_back_as_it_was(bench: Bench, state: str, back: str) -> None:
    command = bench.job_file(
        HEAD + f"print('state', run.state, flush=True)\nrun.state = {state}\n"
        "run.save()\nwith run.unit(run.attempt): sys.exit(75)\n"
    )
    assert bench.start(*command).end() == 75
    second = bench.start(*command)
    second.end()
    assert f"state {back}" in second.text


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("{1: 2}", "the key 1"),
        ("object()", "is not JSON"),
        ("'x' * (16 << 20)", "16777216 at most"),
    ],
)
def test_state_that_would_not_come_back_is_refused(bench: Bench, state: str, says: str) -> None:
    worker = bench.start(*bench.job_file(HEAD + f"run.state = {state}\nrun.save()\n"))
    assert worker.end() == 1, worker.said()
    assert says in worker.said()


COUNTED = """
import sys, time
from steadyspot import current_run
run = current_run()
for number, unit in enumerate(run.remaining("abcd")):
    with run.output(f"part-{number}") as path: path.write_text(unit)
    print("wrote", unit, flush=True)
    if "stops" in sys.argv and number == 2: time.sleep(60)
"""
ONE_NAME = """
import threading
from steadyspot import current_run
run = current_run()
def make(unit):
    with run.unit(unit), run.output("last") as path: path.write_text(unit)
threads = [threading.Thread(target=make, args=unit) for unit in "ab"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_output_of_a_unit_done_is_not_replaced_by_another_units(bench: Bench) -> None:
    """As names do that are counted in the loop, which has fewer units after a stop."""
    command = bench.job_file(COUNTED)
    stopped = bench.start(*command, "stops")
    stopped.wait_for("wrote c")
    stopped.kill_all()
    stopped.end()

    worker = bench.start(*command)
    assert_said(worker, 125, """The units "a" and "c" have made an output of one name, 'part-0'""")
    assert bench.objects() == {}
    assert bench.item()["checkpoint"]["units_done"] == 2


def test_units_done_side_by_side_have_outputs_of_different_names(bench: Bench) -> None:
    worker = bench.start(*bench.job_file(ONE_NAME))
    assert worker.end() == 125, worker.said()
    assert "have made an output of one name, 'last'" in worker.said()
    assert bench.objects() == {}


TOTALS = """
import sys, time
from steadyspot import current_run
run = current_run()
totals = run.state if "state" in sys.argv else {}
def count(unit):
    totals[unit] = 1
    print("counted", unit, flush=True)
    if run.attempt == 1 and unit == "c": time.sleep(60)
if "said" in sys.argv:
    for unit in run.undone("abc"):
        with run.unit(unit): count(unit)
else:
    for unit in run.remaining("abc"):
        time.sleep(0.01)
        count(unit)
with run.output("totals") as path: path.write_text(str(len(totals)))
"""


@pytest.mark.parametrize("kept", ["state", "memory", "memory of units said to be done"])
def test_what_was_kept_in_memory_alone_before_a_stop_is_made_again(bench: Bench, kept: str) -> None:
    command = bench.job_file(TOTALS)
    stopped = bench.start(*command, *kept.split())
    stopped.wait_for("counted c")
    stopped.kill_all()
    stopped.end()

    worker = bench.start(*command, *kept.split())
    if "said" in kept:
        assert worker.end(60) == 75, worker.said()
        assert "'totals' would lack what 2 units done before had left" in worker.said()
        worker = bench.start(*command, *kept.split())
    assert worker.end(60) == 0, worker.said()
    assert bench.objects()["totals"] == b"3"
    assert "warnings" not in bench.item()


ELSEWHERE = """
import subprocess, sys, time
from steadyspot import current_run
run = current_run()
def places(what, unit=""): return subprocess.check_output(["sh", sys.argv[1], what, unit])
for unit in run.remaining("abc"):
    time.sleep(0.01)
    places("add", unit)
    print("counted", unit, flush=True)
    if run.attempt == 1 and unit == "c": time.sleep(60)
with run.output("totals") as path: path.write_bytes(places("show"))
"""


def test_where_nobody_can_see_what_units_before_a_stop_left_it_is_told(
    bench: Bench, tmp_path: Path
) -> None:
    """Another program alone knows where it is."""
    program, place = tmp_path / "places.sh", tmp_path / "hidden"
    place.mkdir()
    program.write_text(f"cd {place}; case $1 in add) echo $2 >> all;; show) cat all;; esac")
    command = [*bench.job_file(ELSEWHERE), str(program)]
    bench.kill_behind("counted c", *command)

    worker = bench.start(*command)
    assert worker.end(60) == 0, worker.said()
    (warning,) = bench.item()["warnings"]
    assert "2 units were done by attempts before this one and left neither" in warning
    assert "'totals'" in warning
