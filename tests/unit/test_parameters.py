"""A job's parameters: what a value must be, what a run gets, what is filled into its command."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from steadyspot.contract.parameters import BadParameter, filled, value_of, values_of

TIME = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
KEY = "20261124T020000Z"
ABOUT = {"run_key": KEY, "shard": "7", "shards": "12"}
DECLARED: dict[str, dict[str, Any]] = {
    "day": {"type": "date", "default": "2026-01-01"},
    "part": {"type": "integer", "default": 3},
    "share": {"type": "number", "default": 0.5},
    "dry": {"type": "boolean", "default": False},
    "note": {"type": "text", "default": ""},
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("day", "2026-11-24", "2026-11-24"),
        ("part", "-7", -7),
        ("share", "2", 2.0),
        ("dry", "true", True),
        ("note", "any = text", "any = text"),
    ],
)
def test_what_is_typed_becomes_a_value_of_the_parameter_s_type(
    name: str, text: str, value: Any
) -> None:
    typed = value_of(DECLARED[name]["type"], text)
    assert (typed, type(typed)) == (value, type(value))
    assert values_of(DECLARED, {name: typed})[name] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("day", text) for text in ("2026-02-30", "24.11.2026", "20261124", "today", "")),
        *(("part", text) for text in ("1.0", "x", "", "1e3", "٣")),
        *(("share", text) for text in ("x", "nan", "inf", "")),
        *(("dry", text) for text in ("yes", "True", "1", "")),
        ("note", "a\0b"),
    ],
)
def test_what_is_no_value_of_the_type_is_said_in_a_sentence(name: str, text: str) -> None:
    with pytest.raises(BadParameter, match="must be"):
        value_of(DECLARED[name]["type"], text)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"dai": "x"}, "There is no parameter dai; the job has day, part, share, dry, note."),
        ({"part": "3"}, "The parameter part must be a whole number."),
        ({"part": True}, "The parameter part must be a whole number."),
        ({"share": True}, "The parameter share must be a number."),
        ({"dry": 0}, "The parameter dry must be true or false."),
        ({"day": 20261124}, "The parameter day must be a date such as 2026-11-24."),
    ],
)
def test_a_run_gives_declared_parameters_of_their_types_only(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadParameter) as refused:
        values_of(DECLARED, given)
    assert str(refused.value) == sentence


def test_what_a_run_does_not_give_has_its_default() -> None:
    assert values_of(DECLARED, {"part": 4}) == {
        "day": "2026-01-01",
        "part": 4,
        "share": 0.5,
        "dry": False,
        "note": "",
    }


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("{scheduled_time:%Y-%m-%d}", "2026-11-24"),
        ("to/{scheduled_time:%Y/%m}/{run_key}.csv", f"to/2026/11/{KEY}.csv"),
        ("--part {shard}/{shards} ${shard} {shard:03}", "--part 7/12 ${shard} {shard:03}"),
        ("{scheduled_time}", "2026-11-24T02:00:00Z"),
        ("--day={day} --dry={dry} {part}", "--day=2026-01-01 --dry=false 3"),
        ("${day} ${run_key}", "${day} ${run_key}"),
        (
            "awk '{print $1}' {other} {day:%Y} {} {{day}}",
            "awk '{print $1}' {other} {day:%Y} {} {2026-01-01}",
        ),
    ],
)
def test_a_command_has_times_keys_and_parameters_filled_in_and_nothing_else(
    text: str, becomes: str
) -> None:
    assert filled(text, values_of(DECLARED, {}), TIME, ABOUT) == becomes


def test_a_value_is_not_filled_in_again() -> None:
    values = values_of(DECLARED, {"note": "{run_key}"})
    assert filled("{note}", values, TIME, ABOUT) == "{run_key}"
