"""The two templates as CloudFormation gets them, each with its state machine's definition.

In the repository a template names the rendered definition by its path, as ``aws cloudformation
package`` understands it. ``up`` sends the same template with the place where the definition lies: a
job's is an object of the platform's bucket, named by its content, so that an unchanged definition
is an unchanged template; the platform's own stands within the template, since its bucket is made by
that very stack.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

TEMPLATES = Path(__file__).parents[1] / "templates"
JOB, PLATFORM = "job.yaml", "platform.yaml"
PREFIX = "definitions/"
"""Under it the definitions of jobs lie in the platform's bucket."""
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LOCATION = re.compile(r"DefinitionS3Location: (\S+)")


@dataclass(frozen=True)
class Template:
    """A template as it is sent.

    Attributes
    ----------
    text
        The template; CloudFormation takes at most 51,200 bytes within a call.
    machine
        Logical id of its state machine, and the name of the output that has its ARN.
    definition
        The rendered definition, YAML with ``${Name}`` where the template substitutes.
    key
        Where the definition has to lie in the platform's bucket; empty where the text holds it.
    """

    text: str
    machine: str
    definition: str
    key: str = ""

    @property
    def graph(self) -> dict[str, Any]:
        """The definition as data."""
        return dict(yaml.load(self.definition, _YAML))


def platform_template() -> Template:
    """Return ``platform.yaml`` with the definition of *After the end* in it, as JSON."""
    text, definition = _read(PLATFORM)
    within = json.dumps(json.dumps(yaml.load(definition, _YAML)))
    sent = _LOCATION.sub(lambda _: f"DefinitionString: {within}", text)
    return Template(sent, "AfterTheEnd", definition)


def job_template(edit: Callable[[str], str] = lambda text: text) -> Template:
    """Return ``job.yaml`` with bucket and key of its definition; ``edit`` changes the template."""
    text, definition = _read(JOB)
    key = f"{PREFIX}job-{hashlib.sha256(definition.encode()).hexdigest()}.asl.yaml"
    place = f'{{Bucket: {{Fn::ImportValue: !Sub "${{Platform}}-Bucket"}}, Key: {key}}}'
    sent = _LOCATION.sub(lambda _: f"DefinitionS3Location: {place}", edit(text))
    return Template(sent, "StateMachine", definition, key)


def _read(name: str) -> tuple[str, str]:
    text = (TEMPLATES / name).read_text("utf-8")
    location = _LOCATION.search(text)
    assert location, f"{name} names no definition"
    return text, (TEMPLATES / location[1]).read_text("utf-8")
