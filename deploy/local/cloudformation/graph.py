"""In which order the resources of a template are made: what a resource refers to comes before it.

Pure functions of the template, so that creation, change, deletion and the preview agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SUBSTITUTED = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")


def references(body: Any) -> set[str]:
    """The logical names that a piece of a template refers to, parameters among them.

    Only a resource's own ``DependsOn`` names resources; that of a container names containers.
    """
    own = body.get("DependsOn", []) if isinstance(body, Mapping) else []
    return {*([own] if isinstance(own, str) else own), *_names(body)}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _names(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _of_function(key, item)


def _of_function(key: str, item: Any) -> Iterator[str]:
    if key == "Ref" and isinstance(item, str):
        yield item
    elif key == "Fn::GetAtt":
        yield item.split(".")[0] if isinstance(item, str) else item[0]
    elif key == "Fn::Sub":
        text, given = (item, {}) if isinstance(item, str) else (item[0], item[1])
        yield from (name for name in _SUBSTITUTED.findall(text) if name not in given)
        yield from _names(given)
    else:
        yield from _names(item)


def creation_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after those it refers to; the independent keep the template's order."""
    order: list[str] = []
    on_the_way: set[str] = set()

    def visit(key: str) -> None:
        if key in order or key in on_the_way:
            return
        on_the_way.add(key)
        for name in sorted(references(resources[key])):
            if name in resources:
                visit(name)
        order.append(key)

    for key in resources:
        visit(key)
    return order
