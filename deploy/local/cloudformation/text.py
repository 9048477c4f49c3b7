"""The text of a template, as data.

moto parses a template several times for every call, with YAML's slow loader, which makes whatever
object of Python a tag names. Here it is parsed once, with the loader that makes nothing but data,
and ``SAFE_YAML`` is what moto gets instead of the library.
"""

from __future__ import annotations

import functools
import json
import pickle
from typing import Any

import yaml  # type: ignore[import-untyped]
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.utils import yaml_tag_constructor

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


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The loader that makes only data, and knows CloudFormation's short forms, such as ``!Sub``."""


def _short_form(loader: Any, name: str, node: Any) -> Any:
    return yaml_tag_constructor(loader, f"!{name}", node)


_Loader.add_multi_constructor("!", _short_form)


def parsed(text: str) -> dict[str, Any]:
    """A template of YAML or JSON; a copy that may be changed.

    Raises
    ------
    ValidationError
        It is neither, is no map, or a tag in it asks for anything but data.
    """
    copy: dict[str, Any] = pickle.loads(_parsed(str(text)))  # libyaml takes no subclass of str
    return copy


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> bytes:
    """As bytes: a copy is made of them ten times faster than of the data."""
    try:
        found = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        found = _as_json(text, error)
    if not isinstance(found, dict):
        raise ValidationError(message="Template format error: unsupported structure.")
    return pickle.dumps(found)


def _as_json(text: str, why: Exception) -> Any:
    """What is JSON and no YAML, such as a text with tabs between its values."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        said = "YAML not well-formed."
        if isinstance(why, yaml.MarkedYAMLError) and why.problem_mark is not None:
            mark = why.problem_mark
            said = f"{why.problem or said} (line {mark.line + 1}, column {mark.column + 1})"
        raise ValidationError(message=f"Template format error: {said}") from None


class _SafeYaml:
    """The part of the library that moto uses, for whom each text is a template."""

    Loader = _Loader

    @staticmethod
    def load(text: str, Loader: Any) -> dict[str, Any]:  # noqa: N803  # As the library has it.
        return parsed(text)

    @staticmethod
    def add_multi_constructor(_prefix: str, _constructor: Any) -> None:
        """The loader knows its tags already."""


SAFE_YAML = _SafeYaml
