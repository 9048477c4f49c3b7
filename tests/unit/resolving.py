"""The two templates as a configuration has them deployed: conditions and parameters carried out.

What names a resource, an export or something of AWS's own stays as it is written, so that a test
reads in it what it would read in the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadyspot.deploy.local.cloudformation.text import parsed
from steadyspot.deploy.stacks.config import Config
from steadyspot.deploy.stacks.up import Wanted, platform_of, stack_of
from steadyspot.deploy.target import Target

NOTHING = {"Ref": "AWS::NoValue"}


def platform_resources(config: Config) -> dict[str, dict[str, Any]]:
    """The resources of the platform's stack, by logical id."""
    return _resolved(platform_of(_without_session(config)))


def job_resources(config: Config, name: str | None = None) -> dict[str, dict[str, Any]]:
    """The resources of a job's stack, by logical id; of the only job's where none is named."""
    return _resolved(stack_of(_without_session(config), config.job(name)))


def _without_session(config: Config) -> Target:
    return Target(config, None)  # type: ignore[arg-type]


def _resolved(stack: Wanted) -> dict[str, dict[str, Any]]:
    template = parsed(stack.template.text)
    rules = template["Parameters"]
    unknown = set(stack.parameters) - set(rules)
    assert not unknown, f"no parameters of the template: {unknown}"
    values = {key: rule.get("Default", "") for key, rule in rules.items()} | dict(stack.parameters)
    resolve = _Resolver(values, template["Conditions"])
    return {
        name: resolve.value(body)
        for name, body in template["Resources"].items()
        if resolve.holds(body.get("Condition"))
    }


class _Resolver:
    def __init__(self, values: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
        self._values = values
        self._conditions = conditions

    def holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.value(self._conditions[condition]))

    def value(self, item: Any) -> Any:
        if isinstance(item, list):
            return [one for one in map(self.value, item) if one != NOTHING]
        if not isinstance(item, dict):
            return item
        if len(item) == 1:
            (name,) = item
            given = item[name]
            if name == "Condition":
                return self.holds(given)
            if name == "Ref" and given in self._values:
                return self._values[given]
            if name == "Fn::If":
                return self.value(given[1] if self.holds(given[0]) else given[2])
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self.value(given), self._values)
        values = {key: self.value(one) for key, one in item.items()}
        return {key: one for key, one in values.items() if one != NOTHING}


def _sub(given: Any, values: Mapping[str, Any]) -> Any:
    text, more = given if isinstance(given, list) else (given, {})
    for key, value in {**values, **more}.items():
        if isinstance(value, str | int | float):
            text = text.replace("${" + key + "}", str(value))
    left = {key: value for key, value in more.items() if "${" + key + "}" in text}
    if left:
        return {"Fn::Sub": [text, left]}
    return {"Fn::Sub": text} if "${" in text else text


def _join(given: list[Any], _: Mapping[str, Any]) -> Any:
    separator, parts = given
    if isinstance(parts, str):  # A list that came as a parameter.
        return parts
    if any(isinstance(part, dict) for part in parts):
        return {"Fn::Join": given}
    return separator.join(map(str, parts))


_FUNCTIONS: Mapping[str, Any] = {
    "Fn::Not": lambda given, _: not given[0],
    "Fn::And": lambda given, _: all(given),
    "Fn::Or": lambda given, _: any(given),
    "Fn::Equals": lambda given, _: str(given[0]) == str(given[1]),
    "Fn::Sub": _sub,
    "Fn::Join": _join,
}
