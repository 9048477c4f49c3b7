"""The text of a template, as data.

moto parses a template several times for every call, with YAML's slow loader; a template with a
whole workflow in it took a third of a second each. Here it is parsed once, with the fast loader
where libyaml is there.
"""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import yaml  # type: ignore[import-untyped]
from moto.cloudformation.utils import yaml_tag_constructor
from yaml.parser import ParserError  # type: ignore[import-untyped]
from yaml.scanner import ScannerError  # type: ignore[import-untyped]


class _Loader(getattr(yaml, "CLoader", yaml.Loader)):  # type: ignore[misc]
    """The loader that knows CloudFormation's short forms, such as ``!Sub``."""


_Loader.add_multi_constructor("", yaml_tag_constructor)


def parsed(text: str) -> dict[str, Any]:
    """A template of YAML or JSON; a copy that may be changed."""
    return copy.deepcopy(_parsed(text))


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    try:
        return dict(yaml.load(text, Loader=_Loader))
    except (ParserError, ScannerError):
        return dict(json.loads(text))
