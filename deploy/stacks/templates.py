"""The two templates as CloudFormation gets them, with their state machines' definitions.

In the repository a template names the rendered definition by its path, as ``aws cloudformation
package`` understands it. ``up`` sends the same template with the place where the definition lies: a
job's is an object of the platform's bucket, named by its content, so that an unchanged definition
is an unchanged template; the platform's own stand within the template, since its bucket is made by
that very stack, and its comments and descriptions make room for them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

TEMPLATES = Path(__file__).parents[1] / "templates"
JOB, PLATFORM = "job.yaml", "platform.yaml"
LARGEST_BYTES = 51_200
"""AWS: a template within a call has at most so many."""
PREFIX = "definitions/"
"""Under it the definitions of jobs lie in the platform's bucket."""
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOURCE = re.compile(r"  (\w+):$")
_LOCATION = re.compile(r"DefinitionS3Location: (\S+)")
_NOT_SENT = re.compile(
    r"^ *#.*\n|^Metadata:\n(?: .*\n|\n)+|^    (?:Metadata:|Description:.*)\n(?:      .*\n)*",
    re.MULTILINE,
)
"""Comments, descriptions of parameters and outputs, and what the form of the console and linters
read: it takes room, and does nothing."""


@dataclass(frozen=True)
class Template:
    """A template as it is sent.

    Attributes
    ----------
    text
        The template; CloudFormation takes at most 51,200 bytes within a call.
    definitions
        By the logical id of a state machine, which is also the name of the output with its ARN:
        its rendered definition, YAML with ``${Name}`` where the template substitutes.
    keys
        By the same ids: where a job's definitions have to lie in the platform's bucket; empty where
        the text holds them.
    """

    text: str
    definitions: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)

    def graph(self, machine: str) -> dict[str, Any]:
        """The definition of one state machine as data, of the caller's own."""
        graph: dict[str, Any] = json.loads(_as_json(self.definitions[machine]))
        return graph


def platform_template(edit: Callable[[str], str] = lambda text: text) -> Template:
    """Return ``platform.yaml`` with its definitions in it, as JSON, and no more than is needed.

    ``edit`` changes the text before.
    """
    text = edit((TEMPLATES / PLATFORM).read_text("utf-8"))
    definitions = _definitions_of(text)

    def within(location: re.Match[str]) -> str:
        return f"DefinitionString: |\n        {_as_json(_at(location))}"

    return Template(_LOCATION.sub(within, _NOT_SENT.sub("", text)), definitions)


def job_template(edit: Callable[[str], str] = lambda text: text, below: str = "") -> Template:
    """Return ``job.yaml`` with bucket and keys of its definitions; ``edit`` changes the text.

    All keys of the platform lie ``below`` a prefix, which is empty or ends with a slash.
    """
    text = edit((TEMPLATES / JOB).read_text("utf-8"))
    definitions = _definitions_of(text)
    keys = {machine: below + key_of(definition) for machine, definition in definitions.items()}

    def in_the_bucket(location: re.Match[str]) -> str:
        place = '{Fn::ImportValue: !Sub "${Platform}-Bucket"}'
        bucket = f'!Select [0, !Split ["/", {place}]]' if below else place
        return f"DefinitionS3Location: {{Bucket: {bucket}, Key: {below}{key_of(_at(location))}}}"

    return Template(_LOCATION.sub(in_the_bucket, text), definitions, keys)


def key_of(definition: str) -> str:
    """Return the key in the bucket of a definition, by its content."""
    return f"{PREFIX}job-{hashlib.sha256(definition.encode()).hexdigest()}.asl.yaml"


@lru_cache(maxsize=16)
def _as_json(definition: str) -> str:
    """A definition as JSON, which is read in a twentieth of the time: most jobs have the same."""
    return json.dumps(yaml.load(definition, _YAML), separators=(",", ":"))


def _definitions_of(text: str) -> dict[str, str]:
    """Return by the logical ids of a template's state machines their definitions."""
    definitions, machine = {}, ""
    for line in text.splitlines():
        if resource := _RESOURCE.match(line):
            machine = resource[1]
        elif location := _LOCATION.search(line):
            definitions[machine] = _at(location)
    assert definitions, "a template names no definition"
    return definitions


def _at(location: re.Match[str]) -> str:
    return (TEMPLATES / location[1]).read_text("utf-8")
