"""A compiled expression comes to what the engine comes to that it is made from, errors included."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonata import Jsonata
from jsonata.utils import Utils

from steadyspot.deploy.local.programs import Program

GIVEN: dict[str, Any] = {
    "one": {"name": "a", "many": [{"n": 1}, {"n": 2}, {"n": 3, "in": [4, 5]}], "none": None},
    "list": [3, 1, 2],
    "single": [{"v": [7]}],
    "empty": [],
    "text": "to be or not",
    "number": 2.5,
    "yes": True,
}
EXPRESSIONS = (
    "$one.name",
    "$one.none",
    "$one.missing.more",
    "$one.name.more",
    "$one.many.n",
    "$one.many.in",
    "$one.many[1].n",
    "$one.many[n > 1].n",
    "$one.many[-1]",
    "$one.many[]",
    "$one.many{$string(n): n}",
    "$one.many^(>n).n",
    "$one.many@$m.{'n': $m.n}",
    "$one.many#$i.{'at': $i}",
    "$one.many.in.%.n",
    "$one.*",
    "$one.**.n",
    "$single.v",
    "$single.v[0]",
    "$single",
    "$empty",
    "$empty.a",
    "$list[0]",
    "$list[[0, 2]]",
    "$missing",
    "$",
    "$$",
    "[$list, $list]",
    "[1..4].($ * 2)",
    "{'a': $one.name, 'b': $missing, 'c': null}",
    "{'a': 1, 'a': 2}",
    "{1: 2}",
    "{$missing: 1}",
    "$list.{'n': $}",
    "$list{'n': $}",
    "$single.{'v': v, 'm': missing}",
    "[[1], [2, [3]], 4, $missing, null]",
    "[1, $list, $one.many.n]",
    "$list[$ > 1]",
    "$list[$missing]",
    "$list[$ = 3 ? 0 : false]",
    "$one.many[in]",
    "$one.many[n = 3 and $exists(in)].in",
    "$one[name = 'a'].name",
    "$missing[x = 1]",
    "$one.many.n[0]",
    "-$number",
    "9007199254740993 + 1",
    "9007199254740993 - 9007199254740992",
    "94906267 * 94906267",
    "3 - 5",
    "2 * 3",
    "1 + 2 * 3 - 4 / 5 % 6",
    "2 * $number",
    "$missing + 1",
    "1 < 2",
    "1 < 2.5",
    "'a' < 'b'",
    "$missing < 1",
    "1 = 1.0",
    "'a' = 'a'",
    "'a' != 'b'",
    "$list = [3, 1, 2]",
    "true = 1",
    "$missing = 1",
    "2 in $list",
    "'a' & 1 & true & $missing",
    "$yes and $list",
    "$missing or $empty",
    "false and 1 / 0",
    "$yes ? 'y' : 'n'",
    "$missing ? 'y'",
    "($a := 1; $b := $a + 1; $b)",
    "($f := function($x, $y) { $exists($y) ? $y : $x }; [$f(1), $f(1, 2), $f(1, 2, 3)])",
    "($sum := function($n) { $n = 0 ? 0 : $n + $sum($n - 1) }; $sum(20))",
    "($tail := function($n, $so) { $n = 0 ? $so : $tail($n - 1, $so + $n) }; $tail(50, 0))",
    "($add := function($a, $b) { $a + $b }; $inc := $add(?, 1); $inc(4))",
    "(function($x)<n:n> { $x })(3)",
    "(function($x)<n:n> { $x })('three')",
    "$map($list, function($v, $i) { $v * $i })",
    "$filter($list, function($v) { $v > 1 })",
    "$reduce($list, function($a, $b) { $a & $b }, '')",
    "$sort($list)",
    "$sort($one.many, function($a, $b) { $a.n < $b.n })",
    "$type(function($x) { $x })",
    "$string(function($x) { $x })",
    "$list.(function($x) { $ + $x })(1)",
    "($f := function($x)<a<n>:n> { $sum($x) }; [$f([1, 2]), $f([]), $f($list)])",
    "($f := function($g) { $g(2) }; $f(function($x) { $x * 2 }))",
    "($even := function($n) { $n = 0 ? true : $odd($n - 1) }; "
    "$odd := function($n) { $n = 0 ? false : $even($n - 1) }; $even(9))",
    "$join(['a', 'b'], ', ')",
    "$join(['a', 1])",
    "$join([])",
    "$join($text)",
    "$sum([])",
    "$sum($missing)",
    "$merge([])",
    "$merge($one.many)",
    "$map($list, $string)",
    "$filter($one.many, function($m) { $m.n })",
    "$list ~> $sum() ~> $string",
    "($trim ~> $uppercase)('  a ')",
    "$one ~> | many | {'n': 0} |",
    "$merge([$one, {'name': 'b'}])",
    "$keys($one)",
    "$lookup($one, 'name')",
    "$append($list, 4)",
    "$count($empty)",
    "$max($list)",
    "$sum($one.many.n)",
    "$text.$substring(0, 2)",
    "$text.($substring(3) & $length())",
    "$contains($text, /or/)",
    "$match($text, /o/)[0].index",
    "$replace($text, /(\\w+) (\\w+)/, '$2 $1', 1)",
    "$split($text, ' ')",
    "$join($split($text, ' '), '-')",
    "$pad($text, 20, '#')",
    "$type($one)",
    "$not($yes)",
    "$boolean($empty)",
    "$string($one)",
    "$fromMillis(1511962510000, '[Y]-[M01]-[D01]')",
    "$toMillis('2026-11-24T02:00:00Z')",
    "$each($one, function($v, $k) { $k })",
    "$spread($one)",
    "$distinct([1, 1, 2])",
    "$zip($list, $list)",
    "1 + 'a'",
    "1 < 'a'",
    "true < 1",
    "$nothing()",
    "substring('a', 1)",
    "$substring()",
    "$sum(['a'])",
    "-'a'",
    "$error('no')",
    "('a' & (1 / 0))",
)


def comes_to(program: Any) -> tuple[str, str]:
    program.set_output_convert_nulls(False)
    bindings = json.loads(json.dumps(GIVEN), object_hook=nulls)
    try:
        value = program.evaluate(None, bindings)
    except Exception as error:
        return type(error).__name__, str(error)
    return type(value).__name__, repr(value)


def nulls(item: dict[str, Any]) -> dict[str, Any]:
    return {key: Utils.NULL_VALUE if value is None else value for key, value in item.items()}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_program_comes_to_what_the_engine_does(expression: str) -> None:
    engine = Jsonata(expression)
    Jsonata.CURRENT.jsonata = engine
    of_engine = comes_to(engine)

    program = Program(expression)
    assert [comes_to(program), comes_to(program)] == [of_engine, of_engine]
