"""Transactions of DynamoDB on the embedded AWS: all or nothing, at a price of what they name."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import Item

from steadyspot.deploy.local.aws import LocalAws

Key = dict[str, dict[str, str]]


class Table:
    """A table of one test, with the keys that it is given."""

    def __init__(self, dynamodb: Any, *keys: str) -> None:
        self.dynamodb = dynamodb
        self.name = f"t{uuid.uuid4().hex[:8]}"
        kinds = zip(keys, ("HASH", "RANGE"), strict=False)
        dynamodb.create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],
            BillingMode="PAY_PER_REQUEST",
        )
        self.keys = keys

    def key(self, name: str) -> Key:
        return {key: {"S": f"{name} {key}"} for key in self.keys}

    def put(self, name: str, value: str) -> dict[str, Any]:
        return {"Put": {"TableName": self.name, "Item": {**self.key(name), "v": {"S": value}}}}

    def update(self, name: str, value: str) -> dict[str, Any]:
        update = {
            "TableName": self.name,
            "Key": self.key(name),
            "UpdateExpression": "SET v = :v",
            "ExpressionAttributeValues": {":v": {"S": value}},
        }
        return {"Update": update}

    def delete(self, name: str) -> dict[str, Any]:
        return {"Delete": {"TableName": self.name, "Key": self.key(name)}}

    def is_there(self, name: str) -> dict[str, Any]:
        check = {
            "TableName": self.name,
            "Key": self.key(name),
            "ConditionExpression": f"attribute_exists({self.keys[0]})",
        }
        return {"ConditionCheck": check}

    def write(self, *items: dict[str, Any]) -> None:
        self.dynamodb.transact_write_items(TransactItems=list(items))

    @property
    def values(self) -> dict[str, str]:
        found = self.dynamodb.scan(TableName=self.name)["Items"]
        return {item[self.keys[0]]["S"].split()[0]: item["v"]["S"] for item in found}


@pytest.fixture(params=[("id",), ("job", "run")], ids=" and ".join)
def table(local_aws: LocalAws, request: pytest.FixtureRequest) -> Table:
    """A table with a, b and c."""
    made = Table(local_aws.session().client("dynamodb"), *request.param)
    made.write(*(made.put(name, "old") for name in "abc"))
    return made


def test_all_of_it_is_carried_out(table: Table) -> None:
    table.write(
        table.put("a", "new"), table.update("b", "new"), table.delete("c"), table.update("d", "new")
    )
    assert table.values == {"a": "new", "b": "new", "d": "new"}


def test_if_one_is_refused_nothing_has_happened(table: Table) -> None:
    changes = [table.put("a", "new"), table.update("b", "new"), table.delete("c")]
    with pytest.raises(ClientError) as refused:
        table.write(*changes, table.update("e", "new"), table.is_there("d"))
    reasons = [reason["Code"] for reason in refused.value.response["CancellationReasons"]]
    assert reasons == ["None", "None", "None", "None", "ConditionalCheckFailed"]
    assert table.values == dict.fromkeys("abc", "old")


def test_nor_has_it_if_an_item_is_named_twice_or_no_key_is_given(table: Table) -> None:
    nameless = table.delete("a")
    nameless["Delete"]["Key"] = {"other": {"S": "a"}}
    for bad in (table.delete("a"), nameless):
        with pytest.raises(ClientError):
            table.write(table.update("a", "new"), bad)
        assert table.values == dict.fromkeys("abc", "old")


def test_no_item_is_copied_that_is_not_named(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    usual = Item.__deepcopy__

    def counting(item: Item, memo: dict[int, Any]) -> Item:
        copied.append(item.hash_key.value.split()[0])
        return usual(item, memo)

    monkeypatch.setattr(Item, "__deepcopy__", counting)
    table.write(table.is_there("a"), table.update("b", "new"))
    assert set(copied) == {"a", "b"}
