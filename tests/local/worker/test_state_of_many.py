"""``run.state`` of a job that does units side by side: never lost, never counted twice, or refused.

It becomes durable with a unit's mark. A change that is of no one unit would be lost with those that
were in hand at a stop, or be there twice once they are done again.
"""

from __future__ import annotations

import pytest

from tests.local.worker.kit import Bench

HEAD = """
import multiprocessing, os, subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor
from steadyspot import current_run

def work(unit):
    with current_run().unit(unit): pass

def count(unit):
    run = current_run()
    with run.unit(unit): run.state["sum"] = run.state.get("sum", 0) + 1

if __name__ == "__main__":
    run = current_run()
    print("state", run.state, flush=True)
"""


def test_mark_of_a_child_leaves_what_its_parent_has_saved(bench: Bench) -> None:
    command = bench.job_file(
        HEAD + "    if run.attempt == 2: sys.exit()\n"
        "    with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "        run.state['sum'] = 5\n"
        "        run.save()\n"
        "        pool.apply(work, (1,))\n"
        "    sys.exit(75)\n"
    )
    assert bench.start(*command).end() == 75
    again = bench.start(*command)
    assert again.end() == 0, again.said()
    assert "state {'sum': 5}" in again.text


CHILDREN = {
    "pool": "multiprocessing.get_context('fork').Pool(1).map(count, [1])",
    "spawned": "multiprocessing.get_context('spawn').Pool(1).map(count, [1])",
    "forked": "pid = os.fork() or (count(1), os._exit(0)); os.waitpid(pid, 0)",
    "saved": "pid = os.fork() or (run.state.update(a=1), run.save()); os.waitpid(pid, 0)",
}


@pytest.mark.parametrize("how", CHILDREN)
def test_change_in_a_child_is_refused_for_no_other_process_sees_it(bench: Bench, how: str) -> None:
    worker = bench.start(*bench.job_file(f"{HEAD}    {CHILDREN[how]}\n"))

    assert worker.end(60) == 125, worker.said()
    assert "changed in a child" in worker.said()
    assert bench.item()["status"] == "running"


SIDE_BY_SIDE = """
    both = threading.Barrier(3)
    def one(unit):
        with run.unit(unit):
            both.wait()
            {change}
            both.wait()
    with ThreadPoolExecutor(2) as pool:
        for unit in range(2): pool.submit(one, unit)
        both.wait()
        {beside}
        both.wait()
"""
ADD = "run.state['sum'] = run.state.get('sum', 0) + 1"


@pytest.mark.parametrize(
    ("change", "beside"),
    [(ADD, "pass"), ("run.state.setdefault('of', {})[unit] = 1", "pass"), ("pass", ADD)],
    ids=["sum", "inside", "by another thread"],
)
def test_change_while_units_are_done_side_by_side_is_refused(
    bench: Bench, change: str, beside: str
) -> None:
    text = SIDE_BY_SIDE.format(change=change, beside=beside)
    worker = bench.start(*bench.job_file(HEAD + text))

    assert worker.end(60) == 125, worker.said()
    assert "side by side" in worker.said()
    assert bench.item()["stop_report"]["reason"] == "misused"


def test_change_before_and_after_them_and_in_a_loop_is_taken(bench: Bench) -> None:
    text = "    run.state['before'] = [1]\n" + SIDE_BY_SIDE.format(change="pass", beside="pass")
    text += (
        "    run.state['after'] = 1\n"
        "    run.save()\n"
        "    for day in run.remaining('ab'):\n"
        "        run.state[day] = 1\n"
        "        with ThreadPoolExecutor(2) as pool:\n"
        "            list(pool.map(work, [(day, n) for n in range(9)]))\n"
        "            with run.unit((day, 'last')): run.state[day] += 1\n"
        "        run.state[day] += 1\n"
        "    for program in range(2):\n"
        "        subprocess.run([sys.executable, sys.argv[1], str(program)], check=True)\n"
    )
    program = bench.job_file(
        "import sys\nfrom steadyspot import current_run\nrun = current_run()\n"
        "with run.unit(('program', sys.argv[1])):\n"
        "    run.state[sys.argv[1]] = sys.argv[1]\n"
        "print('now', run.state, flush=True)\n",
        "program.py",
    )
    worker = bench.start(*bench.job_file(HEAD + text), program[1])

    assert worker.end(60) == 0, worker.said()
    state = "{'before': [1], 'after': 1, 'a': 3, 'b': 3, '0': '0', '1': '1'}"
    assert f"now {state}" in worker.text
