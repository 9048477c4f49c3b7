"""Writes what DynamoDB answers, with no more work than there are values.

moto's serializer asks each value for all ten types that it could be of, by four names each: more
than half of what a read of the run table costs here. A value has one type.
"""

from __future__ import annotations

from typing import Any

from moto.core.serialize import SERVICE_SPECIFIC_SERIALIZERS, JSONSerializer


class ItemsSerializer(JSONSerializer):
    """Serializes answers of DynamoDB."""

    def _serialize_type_structure(self, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue":
            super()._serialize_type_structure(serialized, value, shape, key)
            return
        ((kind, held),) = value.items()
        self._serialize(serialized.setdefault(key, {}), held, shape.members[kind], kind)


def register() -> None:
    """Have moto use it."""
    SERVICE_SPECIFIC_SERIALIZERS["dynamodb"] = {"json": ItemsSerializer}
