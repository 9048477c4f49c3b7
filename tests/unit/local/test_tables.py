"""Tables of the embedded AWS: a query looks at no item that it cannot find, answers at one type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.serialize import AttributePickerContext, DefaultAttributePicker, JSONSerializer
from moto.core.utils import get_service_model
from moto.dynamodb.models.dynamo_type import DynamoType

from steadyspot.deploy.local.cloudformation.storage import IndexedTable
from steadyspot.deploy.local.serializing import ItemsSerializer

OPEN = "open"
EVERY_TYPE: dict[str, Any] = {
    "text": {"S": "a"},
    "empty": {"S": ""},
    "number": {"N": "1.5"},
    "bytes": {"B": b"\x00\xff"},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "many": {"BS": [b"\x01"]},
    "list": {"L": [{"S": "a"}, {"L": []}, {"M": {"N": {"N": "0"}}}]},
    "map": {"M": {"S": {"S": "a key like a type"}, "empty": {"M": {}}}},
}


@pytest.fixture
def table() -> IndexedTable:
    """A table with an index, and an item at which nobody may look."""
    keys = [
        {"AttributeName": "job", "KeyType": "HASH"},
        {"AttributeName": "key", "KeyType": "RANGE"},
    ]
    index = [
        {"AttributeName": OPEN, "KeyType": "HASH"},
        {"AttributeName": "since", "KeyType": "RANGE"},
    ]
    made = IndexedTable(  # type: ignore[abstract]
        "runs",
        account_id="123456789012",
        region="us-east-1",
        schema=keys,
        attr=[{"AttributeName": name, "AttributeType": "S"} for name in ("job", "key")],
        global_indexes=[
            {"IndexName": OPEN, "KeySchema": index, "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    for key in ("b", "c", "a"):
        for job in ("night", "day"):
            made.put_item({"job": {"S": job}, "key": {"S": key}})
    return made


def found(table: IndexedTable, *, forward: bool = True, **how: Any) -> list[str]:
    """The keys of the items that a query finds."""
    items, _, _ = table.query(DynamoType({"S": "night"}), None, [], 10, None, forward, None, **how)
    return [f"{item.hash_key.value} {item.range_key.value}" for item in items]


def test_a_query_looks_only_at_the_items_of_its_partition(table: IndexedTable) -> None:
    table.items[DynamoType({"S": "other"})] = {DynamoType({"S": "a"}): object()}
    assert found(table) == ["night a", "night b", "night c"]
    assert found(table, forward=False) == ["night c", "night b", "night a"]


def test_a_partition_that_is_not_there_has_nothing(table: IndexedTable) -> None:
    table.items.clear()
    assert found(table) == []
    assert not table.items


def test_a_query_of_an_index_finds_the_items_that_have_its_keys(table: IndexedTable) -> None:
    for job, since in (("night", "2"), ("day", "1")):
        here = {"job": {"S": job}, "key": {"S": "o"}, OPEN: {"S": "yes"}, "since": {"S": since}}
        table.put_item(here)
    conditions = [(OPEN, DynamoType({"S": "yes"}))]
    assert found(table, index_name=OPEN, hash_key_conditions=conditions) == ["day o", "night o"]
    others = [(OPEN, DynamoType({"S": "no"}))]
    assert found(table, index_name=OPEN, hash_key_conditions=others) == []


def test_what_is_no_query_still_finds_all_items(table: IndexedTable) -> None:
    found(table)
    assert len(table.all_items()) == 6


class Asked(DefaultAttributePicker):
    """Notes what is asked for."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, context: AttributePickerContext) -> Any:
        self.keys.append(context.key)
        return super().__call__(context)


def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "GetItem", {"Item": EVERY_TYPE}
    yield "GetItem", {}
    yield "Query", {"Items": [EVERY_TYPE, {}], "Count": 2, "ScannedCount": 2}
    yield "BatchGetItem", {"Responses": {"runs": [EVERY_TYPE]}, "UnprocessedKeys": {}}
    yield "UpdateItem", {"Attributes": EVERY_TYPE}


@pytest.mark.parametrize(("operation", "answer"), [*answers()])
def test_a_value_is_asked_for_its_own_type_alone(operation: str, answer: dict[str, Any]) -> None:
    model = get_service_model("dynamodb").operation_model(operation)
    asked = Asked()
    fast = ItemsSerializer(model, value_picker=asked).serialize(answer)
    slow = JSONSerializer(model, value_picker=DefaultAttributePicker()).serialize(answer)
    assert json.loads(fast["body"]) == json.loads(slow["body"])
    assert not {"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"} & {*asked.keys}
