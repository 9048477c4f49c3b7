"""JSONata as Step Functions evaluates it, without a state machine around it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steadyspot.deploy.local.expressions import ExpressionError, evaluate, json_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
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
        "($again := function($n){1 + $again($n)}; $again(1))",
    ],
)
def test_a_failure_is_a_sentence_with_the_expression_in_it(expression: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        evaluate(expression, {"items": [1]})
    assert f"The JSONata expression '{expression}' " in str(raised.value)


def test_a_variable_may_have_the_name_of_a_function() -> None:
    assert evaluate("$parse & $random", {"parse": "a", "random": "b"}) == "ab"


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


def test_threads_evaluate_the_same_expression_at_the_same_time() -> None:
    text = "$sum([1..$most].($ * $factor))"
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda factor: evaluate(text, {"most": 100, "factor": factor}), range(40))
    assert list(found) == [5050 * factor for factor in range(40)]


def test_an_expression_that_is_evaluated_again_has_the_time_of_now() -> None:
    """Compiled expressions are kept, and the engine asks the one that is current for the time."""
    text = "/* of this test alone */ $millis()"
    first = evaluate(text, {})
    evaluate("/* compiled in between, and not evaluated again */ 1", {})
    time.sleep(0.02)

    assert evaluate(text, {}) - first >= 20
