"""The text of a template, as data.

moto parses a template several times for every call, with YAML's slow loader. Here it is parsed
once, with the fast loader where libyaml is there.
"""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import yaml  # type: ignore[import-untyped]
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.utils import yaml_tag_constructor
from yaml.parser import ParserError  # type: ignore[import-untyped]
from yaml.scanner import ScannerError  # type: ignore[import-untyped]

LARGEST_BODY_BYTES = 51_200
"""What CloudFormation takes within a call; a longer template has to come from S3."""


class StoredText(str):
    """The text of a template that came from S3, and so may be long."""

    __slots__ = ()


def check_size(text: str) -> None:
    """Refuse a template that is too long for a call, with AWS's words.

    Raises
    ------
    ValidationError
        It is longer than 51,200 bytes and did not come from S3.
    """
    if not isinstance(text, StoredText) and len(text.encode()) > LARGEST_BODY_BYTES:
        raise ValidationError(
            message="1 validation error detected: Value at 'templateBody' failed to satisfy "
            f"constraint: Member must have length less than or equal to {LARGEST_BODY_BYTES}"
        )


class _Loader(getattr(yaml, "CLoader", yaml.Loader)):  # type: ignore[misc]
    """The loader that knows CloudFormation's short forms, such as ``!Sub``."""


_Loader.add_multi_constructor("", yaml_tag_constructor)


def parsed(text: str) -> dict[str, Any]:
    """A template of YAML or JSON; a copy that may be changed."""
    return copy.deepcopy(_parsed(str(text)))  # libyaml takes no subclass of str


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, Any]:
    try:
        return dict(yaml.load(text, Loader=_Loader))
    except (ParserError, ScannerError):
        return dict(json.loads(text))
