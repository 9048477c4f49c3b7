"""The parameters of a stack, checked against what the template allows, as CloudFormation does.

moto takes any value. The messages are AWS's, since the command line shows them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError


def plain(value: Any) -> str:
    """A parameter's value as text: moto turns lists and numbers into Python's."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def check_parameters(template: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise ``ValidationError`` for the first parameter that is unknown, missing or not allowed."""
    known = template.get("Parameters", {})
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValidationError(
            message=f"Parameters: [{', '.join(unknown)}] do not exist in the template"
        )
    missing = [key for key, rule in known.items() if key not in given and "Default" not in rule]
    if missing:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    for key, rule in known.items():
        complaint = _complaint(key, plain(given.get(key, rule.get("Default"))), rule)
        if complaint:
            detail = rule.get("ConstraintDescription")
            raise ValidationError(message=f"Parameter {key} {detail}" if detail else complaint)


def _complaint(key: str, value: str, rule: Mapping[str, Any]) -> str | None:
    allowed = [plain(item) for item in rule.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"Parameter '{key}' must be one of AllowedValues"
    if "AllowedPattern" in rule and not re.fullmatch(rule["AllowedPattern"], value):
        return f"Parameter '{key}' must match pattern {rule['AllowedPattern']}"
    if "MinLength" in rule and len(value) < int(rule["MinLength"]):
        return f"Parameter '{key}' must contain at least {rule['MinLength']} characters"
    if "MaxLength" in rule and len(value) > int(rule["MaxLength"]):
        return f"Parameter '{key}' must contain at most {rule['MaxLength']} characters"
    if rule.get("Type") == "Number":
        return _number_complaint(key, value, rule)
    return None


def _number_complaint(key: str, value: str, rule: Mapping[str, Any]) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return f"Parameter '{key}' must be a number."
    if "MinValue" in rule and number < float(rule["MinValue"]):
        return f"Parameter '{key}' must be a number not less than {rule['MinValue']}"
    if "MaxValue" in rule and number > float(rule["MaxValue"]):
        return f"Parameter '{key}' must be a number not greater than {rule['MaxValue']}"
    return None
