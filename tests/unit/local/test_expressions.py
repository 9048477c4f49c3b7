"""JSONata as Step Functions evaluates it, without a state machine around it."""

from __future__ import annotations

import gc
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadyspot.deploy.local.expressions import (
    ExpressionError,
    compiled,
    evaluate,
    fault_of,
    json_value,
)

EXACT = 2**53
"""Up to it a number, which is JavaScript's, is exact."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-EXACT, EXACT) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_a_value_passes_through_unchanged(value: Any) -> None:
    assert evaluate("{'v': $v}", {"v": value}) == {"v": value}


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_what_is_written_as_json_can_be_parsed_again(value: Any) -> None:
    assert evaluate("{'v': $parse($text)}", {"text": json.dumps(value)}) == {"v": value}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 1", "2"),
        ("3 / 2", "1.5"),
        ("2.0", "2"),
        ("[1..3]", "[1, 2, 3]"),
        ("[]", "[]"),
        ("null", "null"),
        ("{'a': null, 'b': $missing}", '{"a": null}'),
        ("$string(2.0 * 1)", '"2"'),
        ("$floor(2.7)", "2"),
        ("$items.id", "1"),
        ("[$items.id]", "[1]"),
        ("$fromMillis(1795485600000.9)", '"2026-11-24T02:00:00.000Z"'),
        ("$fromMillis(-0.5, '[Y]')", '"1970"'),
        ("[1795485600000.5].$fromMillis()", '"2026-11-24T02:00:00.000Z"'),
        ("$map(['[1]', '2'], $parse)", "[[1], 2]"),
        ("$exists($items[0].none)", "true"),
        ("$exists($items[0].missing)", "false"),
        ("$sum([])", "0"),
        ("$partition([1..5], 2)", "[[1, 2], [3, 4], [5]]"),
        ("$range(5, 1, -2)", "[5, 3, 1]"),
        ("$hash('x', 'MD5')", '"9dd4e461268c8034f5c8564e155c67a6"'),
    ],
)
def test_results_are_plain_json(expression: str, expected: str) -> None:
    variables = {"items": [{"id": 1, "none": None}]}
    assert json.dumps(evaluate(expression, variables)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "$missing",
        "$items[7]",
        "1 +",
        "'a' * 2",
        "1 / 0",
        "$parse('nope')",
        "$eval('1')",
        "function($x){$x}",
        "$hash('x', 'CRC')",
        "$partition([1], 0)",
        "$number('x')",
        "[1, function($x){$x}]",
        "{'a': {'b': $sum}}",
        "[{'a': 1 / 0}]",
        "0 / 0",
        "/a/",
        "$fromMillis($missing)",
        "($again := function($n){1 + $again($n)}; $again(1))",
    ],
)
def test_a_failure_is_a_sentence_with_the_expression_in_it(expression: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        evaluate(expression, {"items": [1]})
    assert f"The JSONata expression '{expression}' " in str(raised.value)


def test_a_variable_may_have_the_name_of_a_function() -> None:
    assert evaluate("$parse & $random", {"parse": "a", "random": "b"}) == "ab"
    assert evaluate("$string & $error", {"string": "a", "error": "b"}) == "ab"
    assert evaluate("$found & $type", {"found": "a", "type": "b"}) == "ab"


def test_variables_are_not_changed_by_an_expression() -> None:
    variables = {"a": {"b": [1, None]}}
    evaluate("$merge([$a, {'b': 2}])", variables)
    evaluate("$a ~> | $ | {'c': 3} |", variables)
    assert variables == {"a": {"b": [1, None]}}


def test_times_of_the_context_become_text() -> None:
    moment = datetime(2026, 11, 24, 2, 0, 0, 123456, UTC)
    assert json_value({"at": [moment]}) == {"at": ["2026-11-24T02:00:00.123Z"]}


def test_an_expression_is_evaluated_alike_however_often_it_has_failed() -> None:
    down = "($down := function($n) { $n = 0 ? 0 : 1 + $down($n - 1) }; $down($deep))"
    for _ in range(3):
        with pytest.raises(ExpressionError):
            evaluate(down, {"deep": 1000})
        assert evaluate(down, {"deep": 50}) == 50


def test_what_is_kept_compiled_is_evaluated_alike_however_often_it_has_failed() -> None:
    kept = compiled(text := "$n / $missing.n & ''")
    for n, told in ((1, ""), ("a", None), (1, ""), (None, None), (2, "")):
        if told is None:
            with pytest.raises(ExpressionError):
                evaluate(text, {"n": n}, lambda _text: kept)
        else:
            assert evaluate(text, {"n": n}, lambda _text: kept) == told


def test_threads_evaluate_the_same_expression_at_the_same_time() -> None:
    text = "$sum([1..$most].($ * $factor))"
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda factor: evaluate(text, {"most": 100, "factor": factor}), range(40))
    assert list(found) == [5050 * factor for factor in range(40)]


def test_an_expression_that_is_evaluated_again_has_the_time_of_now() -> None:
    first = evaluate("$millis()", {})
    time.sleep(0.02)

    assert evaluate("$millis()", {}) - first >= 20


def test_a_moment_is_told_where_one_is_given() -> None:
    given = datetime(2026, 11, 24, 2, 0, 0, 123456, UTC)
    told = evaluate(
        "[$now(), $millis(), $string($millis())]", {}, lambda text: compiled(text, lambda: given)
    )
    assert told == ["2026-11-24T02:00:00.123Z", 1795485600123, "1795485600123"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["1 + 'a'", "$parse('nope')", "$missing", "1 +"])
def test_a_failure_may_end_in_another_thread_than_it_began_in(text: str) -> None:
    """What the engine compiles must be let go of where it was made; it warns of what is not."""
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(evaluate, text, {}).exception()
    assert isinstance(failed, ExpressionError)
    del failed
    gc.collect()


@pytest.mark.parametrize("text", ["1; 2", "1) + (2", "1, 2", "1 /* "])
def test_what_is_no_expression_by_itself_fails(text: str) -> None:
    assert fault_of(text)
    with pytest.raises(ExpressionError):
        evaluate(text, {})


def test_numbers_are_those_of_javascript() -> None:
    large = 9_007_199_254_740_993
    assert evaluate("$large", {"large": large}) == large - 1
    larger = {"v": [None, 12345678901234567890, 2.5, -(10**19)]}
    there = {"v": [None, 12345678901234567168, 2.5, -(10**19)]}
    assert json.dumps(evaluate("{'v': $v}", larger)) == json.dumps(there)
    assert json.dumps(evaluate("$parse($text)", {"text": json.dumps(larger)})) == json.dumps(there)
    assert evaluate("10 % 3.3", {}) == 0.10000000000000053


def test_an_expression_without_end_is_stopped() -> None:
    with pytest.raises(ExpressionError, match="timeout"):
        evaluate("($on := function($n) { $on($n) }; $on(1))", {})
