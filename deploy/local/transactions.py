"""TransactWriteItems of DynamoDB, at a price that does not grow with the table.

moto copies every table of a transaction, once for each of its items, to go back to if one of them
is refused. Here a transaction is carried out beside the tables, on copies of the items that it
names, which take their place if nothing is refused.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import moto.dynamodb.urls
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_Key = tuple[DynamoType, DynamoType | None]
"""Of an item: the hash key, and the range key where the table has one."""


class TransactingDynamoDB(DynamoDBBackend):
    """moto's DynamoDB, whose transactions copy what they may change and nothing else.

    A stream, which no template has, would be told of refused transactions, too.
    """

    @property
    def _url_module(self) -> ModuleType:
        """The base class derives this from the module's name, which is not moto's here."""
        return moto.dynamodb.urls

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """Carry out all of it or nothing."""
        named = list(self._named(transact_items))
        beside = copy.copy(self)
        beside.tables = copy.copy(self.tables)
        for table, _ in named:
            part = beside.tables[table.name] = copy.copy(table)
            part.items = defaultdict(dict)
        for table, key in named:
            _put(beside.tables[table.name], key, copy.deepcopy(table.get_item(*key)))
        super(TransactingDynamoDB, beside).transact_write_items(transact_items)
        for table, key in named:
            _put(table, key, beside.tables[table.name].get_item(*key))

    def _named(self, transact_items: list[dict[str, Any]]) -> Iterator[tuple[Table, _Key]]:
        """Each item that is named, by its table; what is named badly is left for moto to refuse."""
        for operation in (one for item in transact_items for one in item.values()):
            of = operation.get("Key") or operation.get("Item") or {}
            for table in list(self.tables.values()):
                is_table = operation.get("TableName") in (table.name, table.table_arn)
                first, second = table.hash_key_attr, table.range_key_attr
                if is_table and first in of and (second is None or second in of):
                    yield table, (DynamoType(of[first]), DynamoType(of[second]) if second else None)


def _put(table: Table, key: _Key, item: Item | None) -> None:
    """Have the item in the table, or none."""
    hash_key, range_key = key
    kept: Any = table.items if range_key is None else table.items[hash_key]
    name = hash_key if range_key is None else range_key
    if item is None:
        kept.pop(name, None)
    else:
        kept[name] = item


def register() -> None:
    """Have moto use it."""
    dynamodb_backends.backend = TransactingDynamoDB
