"""Answers a call with less work than moto, which works out anew for each what is always the same.

moto's serializer asks each value of DynamoDB for all ten types that it could be of, by four names
each: more than half of what a read of the run table costs here. A value has one type. The names by
which a member of an answer may be found, the calls that a service has, and whether a name may be an
element's, are worked out once.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import xmltodict  # type: ignore[import-untyped]
from moto.core import responses
from moto.core.serialize import (
    SERVICE_SPECIFIC_SERIALIZERS,
    AttributePickerContext,
    JSONSerializer,
    XFormedAttributePicker,
)
from moto.core.utils import method_names_from_class
from xmltodict import _validate_name


class ItemsSerializer(JSONSerializer):
    """Serializes answers of DynamoDB."""

    def _serialize_type_structure(self, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue":
            super()._serialize_type_structure(serialized, value, shape, key)
            return
        ((kind, held),) = value.items()
        self._serialize(serialized.setdefault(key, {}), held, shape.members[kind], kind)


_names: dict[tuple[type, Any, str], list[str]] = {}
"""The names by which moto looks for a member, by the class that has it and its place in the model.

The models of services are read once and stay: this grows to one entry for each member, no further.
"""


class NamesKnown(XFormedAttributePicker):
    """Finds a member of an answer by the names that moto tries, in moto's order."""

    def get_possible_keys(self, context: AttributePickerContext) -> list[str]:  # type: ignore[override]
        """Return the names; of a plain dict those that it has."""
        kind = type(context.obj)
        place = (kind, context.shape, context.key)
        if place not in _names:
            _names[place] = list(super().get_possible_keys(context))
        if kind is not dict:
            return _names[place]
        return [name for name in _names[place] if name in context.obj or "." in name]


def register() -> None:
    """Have moto use it."""
    SERVICE_SPECIFIC_SERIALIZERS["dynamodb"] = {"json": ItemsSerializer}
    # Each answer is made with what this name makes.
    responses.XFormedAttributePicker = NamesKnown  # type: ignore[attr-defined]
    # For each request moto goes through all members of a class to see whether it has the call.
    responses.method_names_from_class = cache(method_names_from_class)  # type: ignore[attr-defined]
    # Each element of an answer has a name that was looked through, letter by letter, before.
    xmltodict._validate_name = cache(_validate_name)
