"""What decides whether outputs are made after a loop, as programs are written."""

from __future__ import annotations

import ast

import pytest

from steadyspot.memory.deciding import Deciding, deciding, makes_each
from steadyspot.memory.places import FUNCTIONS

NAMES = {"bad", "rows", "total"}
"""What the programs below keep from unit to unit."""

UNDER = {
    "if": "if bad:\n    with run.output('bad') as path: path.touch()",
    "else": "if not bad: print('none')\nelse:\n    with run.output('bad') as path: path.touch()",
    "while": "while bad: put(bad.pop())",
    "for": "for one in bad: put(one)",
    "for with a number": "for number, one in enumerate(sorted(bad)): put(one)",
    "match": "match len(bad):\n    case 0: pass\n    case _: put('bad')",
    "made of it": "worst = [one for one in bad if one > 3]\nif worst: put(worst)",
    "within a block": "with open('log') as log:\n    if len(bad) > 3: put('bad')",
    "function": "def end():\n    if bad: put('bad')\nend()",
    "function that is given it": "def end(them):\n    if them: put('bad')\nend(bad)",
    "function of a function": """
def write(them): put(them)
def end(them, why):
    for one in them: write(one)
end(why='', them=bad)""",
    "unless the function is left": "def end():\n    if not bad: return\n    put('bad')\nend()",
    "unless the program is": "if not bad: sys.exit()\nput('bad')",
    "expression": "put('bad') if bad else None",
    "and": "bad and put('bad')",
    "comprehension": "[put(one) for one in bad]",
    "map": "list(map(put, bad))",
    "pool": "pool.map(put, bad)",
}
BEHIND = {
    "exit": "if len(rows) < 10: sys.exit('incomplete')\nput('done')",
    "return": "def end():\n    if total > 3: return 1\n    put('done')\nsys.exit(end())",
}
NEITHER = {
    "told": "if bad: print(len(bad))\nput('done')",
    "exit after it": "put('done')\nif bad: sys.exit(1)",
    "exit": "if bad: sys.exit(1)",
    "raises": "if len(rows) != 10: raise ValueError\nput('done')",
    "another": "if sys.argv: put(bad)\nfor one in 'ab': put(one)",
    "file that is read": "if bad: print(open('all.csv').read())",
}
PUT = "def put(value):\n    with run.output('bad') as path: path.touch()\n"


def of(text: str, *, folder: bool = False) -> Deciding:
    block = ast.parse(PUT + text).body
    called = [one for one in block if isinstance(one, FUNCTIONS)]
    found = deciding([block], called, folder=folder)
    return Deciding(found.under & NAMES, found.behind & NAMES)


@pytest.mark.parametrize("way", UNDER)
def test_output_that_is_made_only_if_there_is_something(way: str) -> None:
    assert of(UNDER[way]).under == {"bad"}


@pytest.mark.parametrize("way", BEHIND)
def test_output_that_is_not_made_where_the_program_ends_before(way: str) -> None:
    found = of(BEHIND[way])
    assert found.behind
    assert not found.under


@pytest.mark.parametrize("way", NEITHER)
def test_what_decides_on_no_output(way: str) -> None:
    assert of(NEITHER[way]) == (set(), set())


@pytest.mark.parametrize(
    "made",
    [
        "table.to_csv(folder / 'bad.csv')",
        "(folder / 'bad').write_text('bad')",
        "with open(name, 'w') as file: file.write('bad')",
        "with path.open(mode='xb') as file: file.write(b'bad')",
    ],
)
def test_file_in_the_folder_for_outputs_is_one(made: str) -> None:
    assert of(f"if bad:\n    {made}", folder=True).under == {"bad"}
    assert of(f"if bad:\n    {made}").under == set()


@pytest.mark.parametrize(
    ("body", "each"),
    [
        ("put(unit)", True),
        ("if unit == 2: bad.append(unit)\n    put(unit)", True),
        ("with run.output('a') as path: path.touch()", True),
        ("if put(unit): bad.append(unit)", True),
        ("if unit: put(unit)\n    else: put(0)", True),
        ("with lock:\n        put(unit)", True),
        ("if unit == 2:\n        bad.append(unit)\n        continue\n    put(unit)", False),
        ("try: put(unit)\n    except OSError: bad.append(unit)", False),
        ("if unit: put(unit)", False),
        ("bad.append(unit)", False),
    ],
)
def test_units_of_which_each_makes_an_output(body: str, each: bool) -> None:
    block = ast.parse(f"{PUT}for unit in remaining(U):\n    {body}").body
    loops = [one for one in block if isinstance(one, ast.For)]
    assert makes_each(loops, [one for one in block if isinstance(one, FUNCTIONS)]) is each


def test_functions_that_make_nothing_may_call_each_other_however_far() -> None:
    functions = "\n".join(f"def f{at}(rows): f{at + 1}(rows)" for at in range(2_000))
    assert of(f"{functions}\nf0(bad)\nif bad: put(bad)").under == {"bad"}
