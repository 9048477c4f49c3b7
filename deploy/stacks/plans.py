"""A plan in a file: what ``up --plan`` has shown, so that ``up FILE`` makes that and nothing else.

The file holds templates, parameters and the changes that AWS announced, with a digest of what each
stack was made from at that time; nothing is left in AWS for it. It is carried out where that is
what the stacks still are and AWS announces the same changes again. It holds what the stacks hold,
the values of environment variables, too, so only its owner may read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steadyspot.deploy.files import write_whole
from steadyspot.deploy.forms import faults_of
from steadyspot.deploy.stacks.changes import Change, Plan
from steadyspot.deploy.stacks.templates import Template, key_of
from steadyspot.deploy.stacks.up import Difference, Wanted
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.target import Target

_FORM = 1
_AGAIN = "Make it again, and look at it again: steadyspot up --plan FILE."


@dataclass(frozen=True)
class Reviewed:
    """A stack as somebody has seen that it would become.

    Attributes
    ----------
    wanted
        The stack as it is to be.
    base
        The digest of what it was made from then; empty where it was not there.
    changes
        What AWS announced; None where it could not be asked, since the platform was not there.
    """

    wanted: Wanted
    base: str
    changes: tuple[Change, ...] | None

    def refuse_another(self, plan: Plan) -> None:
        """Do nothing where AWS would do what was seen.

        Raises
        ------
        Trouble
            Where it would do something else.
        """
        same = plan.new if self.changes is None else set(self.changes) == set(plan.changes)
        if not same:
            raise Trouble(
                f"AWS would now change {plan.stack} in another way than the plan says, so that "
                "was not done.",
                _AGAIN,
            )


def reviewed(target: Target, differences: Iterable[Difference]) -> list[Reviewed]:
    """Return what a plan holds: the stacks that are not as they should be.

    Raises
    ------
    Trouble
        Where a stack is in a state in which AWS cannot be asked what it would do.
    """
    found = []
    for one in differences:
        if one.is_current:
            continue
        if one.plan is None and not one.is_new:
            raise Trouble(
                f"No plan can be made for the stack {one.wanted.stack}: {one.note}.",
                "Settle it first: steadyspot up.",
            )
        base = target.stacks.digest(one.wanted.stack)
        found.append(Reviewed(one.wanted, base, one.plan.changes if one.plan else None))
    return found


def write(target: Target, stacks: Sequence[Reviewed], path: Path) -> None:
    """Write a plan into a file, whole or not at all.

    Raises
    ------
    Trouble
        When it cannot be written, or something else stands there.
    """
    if path.exists() and not _is_a_plan(path):
        raise Trouble(
            f"{path} is there, and is no plan of Steadyspot.", "Name another file: --plan."
        )
    definitions: dict[str, str] = {}
    for one in stacks:
        template = one.wanted.template
        definitions |= {key: template.definitions[name] for name, key in template.keys.items()}
    plan = {
        "plan": _FORM,
        **_where(target),
        "definitions": definitions,
        "stacks": [_as_data(target, one) for one in stacks],
    }
    write_whole(path, json.dumps(plan, indent=1, ensure_ascii=False) + "\n", "The plan")


def read(target: Target, path: Path) -> list[Reviewed]:
    """Return what a plan holds, where it can be carried out on this target.

    Raises
    ------
    Trouble
        When it is none, was made for another account, region or platform or from another
        configuration, or a stack is no longer what it was then.
    """
    plan = _content(path)
    for name, here in _where(target).items():
        if plan[name] != here:
            raise Trouble(
                f"{path} was made for the {name.replace('_', ' ')} {plan[name] or '(none)'}, but "
                f"this is {here or '(none)'}.",
                "Use the account, region and configuration that it was made with.",
            )
    known = {target.platform_stack, *map(target.config.job_stack, target.config.jobs.values())}
    if others := [one["stack"] for one in plan["stacks"] if one["stack"] not in known]:
        raise Trouble(f"{path} names {others[0]}, which is no stack of the configuration.", _AGAIN)
    found = [_of_data(one, plan["definitions"]) for one in plan["stacks"]]
    for one, data in zip(found, plan["stacks"], strict=True):
        name = one.wanted.stack
        if data["tags"] != target.config.tags_of(name):
            raise Trouble(f"{path} has other tags for {name} than the configuration.", _AGAIN)
        if target.stacks.digest(name) != one.base:
            raise Trouble(
                f"The stack {name} is no longer what it was when {path} was made.", _AGAIN
            )
    return found


def _where(target: Target) -> dict[str, str]:
    """Return what a plan is bound to; the names complete a sentence."""
    return {
        "account": target.client("sts").get_caller_identity()["Account"],
        "region": target.session.region_name,
        "platform": target.platform_stack,
        "service_role": target.config.platform.service_role or "",
    }


def _as_data(target: Target, one: Reviewed) -> dict[str, Any]:
    wanted = one.wanted
    return {
        "stack": wanted.stack,
        "base": one.base,
        "template": wanted.template.text,
        "keys": dict(wanted.template.keys),
        "parameters": dict(wanted.parameters),
        "tags": target.config.tags_of(wanted.stack),
        "changes": None if one.changes is None else [change.as_data() for change in one.changes],
    }


def _of_data(data: Mapping[str, Any], definitions: Mapping[str, str]) -> Reviewed:
    texts = {machine: definitions[key] for machine, key in data["keys"].items()}
    template = Template(data["template"], texts, data["keys"])
    shown = data["changes"]
    changes = None if shown is None else tuple(Change.of_data(change) for change in shown)
    return Reviewed(Wanted(data["stack"], template, data["parameters"]), data["base"], changes)


def _content(path: Path) -> Any:
    try:
        plan = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}.", "Name a plan's file.") from None
    except (ValueError, RecursionError):
        raise Trouble(f"{path} is no plan: it is no JSON.", "Name a plan's file.") from None
    faults = [fault.sentence for fault in faults_of(_schema(), plan, "the plan")]
    faults = faults or [
        f"{key} names another definition than the one it has"
        for key, text in plan["definitions"].items()
        if key != key_of(text)
    ]
    faults = faults or [
        f"the definition {key} of {one['stack']} is missing"
        for one in plan["stacks"]
        for key in one["keys"].values()
        if key not in plan["definitions"]
    ]
    if faults:
        raise Trouble(f"{path} is no plan: {faults[0]}.", _AGAIN)
    return plan


def _is_a_plan(path: Path) -> bool:
    try:
        _content(path)
    except Trouble:
        return False
    return True


def _schema() -> Any:
    path = resources.files("steadyspot.deploy.stacks") / "plans.schema.json"
    return json.loads(path.read_text("utf-8"))
