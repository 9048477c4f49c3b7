"""Reads steadyspot.toml: what the platform engineer wants, checked and typed.

Form (keys, types, bounds) is the business of deploy/stacks/config.schema.json, whose
descriptions complete the sentence a person sees. What keys must have in common is that of
``consistency``. Whether AWS agrees (image there, quota, roles) is left to ``check``.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from steadyspot.contract import CapacityMode, Overlap
from steadyspot.deploy.aws.prices import Prices
from steadyspot.deploy.forms import Fault, faults_of, fits, shown, unknown
from steadyspot.deploy.stacks.config import (
    DEFAULT_PATH,
    Backoff,
    Budgets,
    Config,
    ConfigError,
    Egress,
    Health,
    Job,
    Parameter,
    Platform,
    Retry,
    Schedule,
    Sidecar,
    Volume,
)
from steadyspot.deploy.stacks.consistency import (
    faults_of_chains,
    faults_of_job,
    faults_of_platform,
)
from steadyspot.deploy.stacks.notify import entries_of, faults_of_entries
from steadyspot.deploy.stacks.terms import faults_of_terms, faults_of_terms_of_jobs
from steadyspot.deploy.stacks.toml_lines import lines_of, place_of
from steadyspot.deploy.stacks.without_effect import keys_of, keys_without_effect
from steadyspot.deploy.trouble import USAGE, Trouble

_NO_GPU = "Fargate has no GPU; such a job belongs on AWS Batch, or on ECS with EC2 instances"


def load(path: Path = DEFAULT_PATH, environment: str | None = None) -> Config:
    """Read and check a configuration, with what an environment says otherwise where one is named.

    Raises
    ------
    ConfigError
        When the file can't be read, is no TOML, or holds a wrong key or value, also in another
        environment, or when there is no such environment.
    """
    return parse(read_text(path), path, environment)


def read_text(path: Path) -> str:
    """Return the text of a configuration.

    Raises
    ------
    ConfigError
        When the file can't be read.
    """
    try:
        return path.read_text("utf-8-sig")  # some editors put a mark before UTF-8
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file.",
            "Go to the folder that has it, give its path with --config, or write one: "
            "steadyspot init.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the file must be text in UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path}: the file can't be read: {error.strerror}.") from None


def parse(text: str, path: Path = DEFAULT_PATH, environment: str | None = None) -> Config:
    """Check a configuration that was read from ``path``, which is only named in errors.

    Raises
    ------
    ConfigError
        As :func:`load`.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {_broken(str(error))}.") from None
    except RecursionError:
        raise ConfigError(f"{path}: its tables or lists lie too deep in one another.") from None
    faults = [
        *_faults_of(content),
        *_faults_of_environments(content),
        *_without_effect(content),
    ]
    if faults:
        lines = lines_of(text)
        raise ConfigError(
            "\n".join(_told(path, place_of(fault.path, lines), fault.sentence) for fault in faults)
        )
    if environment is not None:
        environments = content.get("environments", {})
        if environment not in environments:
            raise ConfigError(
                f"{path}: environments has no {unknown(environment, environments)}.",
                "Name one that it has with --env, or write the environment into it.",
            )
        content = merged(content, environments[environment])
    return Config(
        environment=environment,
        path=path,
        platform=_platform(content.get("platform", {})),
        jobs={name: _job(name, job) for name, job in content["jobs"].items()},
        notify=entries_of(content.get("notify", ())),
    )


def _faults_of(content: Mapping[str, Any]) -> list[Fault]:
    faults = [_plainer(fault) for fault in faults_of(schema(), content, "the file")]
    wrong = {fault.path[:2] for fault in faults}
    between = [*_faults_between(content, wrong), *_faults_of_notify(content, wrong)]
    return [*(faults or _faults_of_texts(content, ())), *between]


def _faults_of_texts(value: Any, path: tuple[str, ...]) -> Iterator[Fault]:
    """Yield texts that hold what no parameter of a template may; the schema says it of some."""
    if isinstance(value, str) and "\0" in value:
        yield Fault(path, f"{'.'.join(path)} holds a NUL character, which no text here may")
    inner = value.items() if isinstance(value, dict) else ()
    for key, one in enumerate(value) if isinstance(value, list) else inner:
        yield from _faults_of_texts(one, (*path, str(key)))


def _plainer(fault: Fault) -> Fault:
    """Return a fault with a sentence of its own where somebody wants what Fargate has not."""
    if fault.path[:1] != ("jobs",) or fault.path[-1] not in ("gpu", "gpus"):
        return fault
    return Fault(fault.path, f"{'.'.join(fault.path)} can't be had: {_NO_GPU}")


def _faults_of_environments(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with a configuration in one of its environments, and not without it."""
    environments = content.get("environments", {})
    if any(fault.path[:1] == ("environments",) for fault in faults_of(schema(), content, "")):
        return
    everywhere = {fault.path for fault in _faults_of(content)}
    for name, table in environments.items():
        for fault in _faults_of(merged(content, table)):
            if fault.path not in everywhere:
                yield Fault(
                    ("environments", name, *fault.path), f"in environment {name}, {fault.sentence}"
                )


def _without_effect(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield keys that change nothing: neither in the file as it is nor in any environment of it.

    An environment cannot take a key away: of it those alone that it says itself.
    """
    wrong = {fault.path[:2] for fault in faults_of(schema(), content, "")}
    if any(path[:1] == ("environments",) or path == ("jobs",) for path in wrong):
        return
    environments = content.get("environments", {})
    wholes = {name: merged(content, table) for name, table in environments.items()}
    right = {name: one for name, one in wholes.items() if not any(faults_of(schema(), one, ""))}
    for name, table in content["jobs"].items():
        if ("jobs", name) not in wrong:
            there, *elsewhere = (
                _of_no_use(name, one["jobs"][name], table) for one in (content, *right.values())
            )
            for key, fault in there.items():
                if all(key in found for found in elsewhere):
                    yield Fault(("jobs", name, *key.split(".")), f"jobs.{name}.{key} {fault}")
    for environment, one in right.items():
        for name, table in environments[environment].get("jobs", {}).items():
            for key, fault in _of_no_use(name, one["jobs"][name], table).items():
                path = ("environments", environment, "jobs", name, *key.split("."))
                yield Fault(path, f"in environment {environment}, jobs.{name}.{key} {fault}")


def _of_no_use(name: str, table: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of ``own`` that change nothing in the job of a table, each with its fault."""
    job, plain = _job(name, table), _job(name, {"image": ""})
    return dict(keys_without_effect(job, plain, set(keys_of(own))))


def merged(content: Mapping[str, Any], otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with what another says otherwise, table by table; lists are replaced."""
    whole = {key: value for key, value in content.items() if key != "environments"}
    for key, value in otherwise.items():
        both = isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)
        whole[key] = merged(whole[key], value) if both else value
    return whole


def _told(path: Path, line: int | None, sentence: str) -> str:
    return f"{path}:{line}: {sentence}." if line else f"{path}: {sentence}."


def _broken(message: str) -> str:
    place = re.search(r" \(at (line \d+), column \d+\)$| \(at (end of document)\)$", message)
    if not place:
        return message
    what = re.sub(r"\(('.+?'),?\)", _as_header, message[: place.start()])
    return f"{place[1] or place[2]} is no TOML: {what}"


def _as_header(names: re.Match[str]) -> str:
    """Write a table as its header does; tomllib names it by a tuple."""
    return f"[{'.'.join(ast.literal_eval(f'[{names[1]}]'))}]"


FIELDS = {
    "cpu": "vcpu",
    "memory": "memory_gb",
    "disk": "disk_gb",
    "stop_timeout": "stop_timeout_seconds",
}
"""The keys of a job whose field in :class:`Job` bears another name."""
_TABLES = {"retry": Retry, "budgets": Budgets, "backoff": Backoff}


def _platform(table: Mapping[str, Any]) -> Platform:
    lists = {key: tuple(table.get(key, ())) for key in ("subnets", "security_groups")}
    values = {**table, **lists}
    prices = Prices(**values.pop("prices", {}))
    values["egress"] = tuple(Egress(**one) for one in values.get("egress", ()))
    return Platform(**values, prices=prices)


def _job(name: str, table: Mapping[str, Any]) -> Job:
    values = {FIELDS.get(key, key): value for key, value in table.items()}
    for key in ("command", "policies", "forward"):
        values[key] = tuple(values.get(key, ()))
    if "capacity" in values:
        values["capacity"] = CapacityMode(values["capacity"])
    after = values.get("after", ())
    values["after"] = (after,) if isinstance(after, str) else tuple(after)
    if "overlap" in values:
        values["overlap"] = Overlap(values["overlap"])
    if "output_ignore" in values:
        values["output_ignore"] = tuple(values["output_ignore"])
    for key, kind in _TABLES.items():
        values[key] = kind(**values.get(key, {}))
    given = values.get("parameters", {})
    values["parameters"] = {key: Parameter(**one) for key, one in given.items()}
    more = values.get("schedules", {})
    values["schedules"] = {key: Schedule(**one) for key, one in more.items()}
    values["ulimits"] = {key: tuple(one) for key, one in values.get("ulimits", {}).items()}
    values["volumes"] = {key: Volume(**one) for key, one in values.get("volumes", {}).items()}
    values["sidecars"] = {key: _sidecar(one) for key, one in values.get("sidecars", {}).items()}
    return Job(name=name, **values)


def _sidecar(table: Mapping[str, Any]) -> Sidecar:
    values = {**table}
    for key in ("command", "after"):
        values[key] = tuple(values.get(key, ()))
    if "health" in values:
        health = values["health"]
        values["health"] = Health(**{**health, "command": tuple(health["command"])})
    return Sidecar(**values)


# --- form: what the schema says -----------------------------------------------------------------


def schema() -> dict[str, Any]:
    """Return the JSON Schema of steadyspot.toml, which editors take, too."""
    path = resources.files("steadyspot.deploy.stacks") / "config.schema.json"
    form: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return form


def is_environment(value: object) -> bool:
    """Return whether a value has the form of a job's environment, as that of a secret must."""
    form = schema()["$defs"]["job"]["properties"]["environment"]
    return fits(form, value)


def region_of(text: str) -> str:
    """Return a region that somebody typed.

    Raises
    ------
    Trouble
        When it has not the form of one.
    """
    form = schema()["properties"]["platform"]["properties"]["region"]
    if not fits(form, text):
        raise Trouble(f"{shown(text)} is no region.", f"It must be {form['description']}.", USAGE)
    return text


# --- between the keys: what no schema says ----------------------------------------------------


def _faults_between(content: Mapping[str, Any], wrong: set[tuple[str, ...]]) -> Iterator[Fault]:
    """Yield the faults of what has the right form; ``wrong`` are the paths of what has not."""
    if not any(path[:1] == ("platform",) for path in wrong):
        platform = content.get("platform", {})
        for key, fault in (*faults_of_platform(platform), *faults_of_terms(platform)):
            yield Fault(("platform", key), f"platform.{key} {fault}")
    if ("jobs",) in wrong or "jobs" not in content:
        return
    for name, table in content["jobs"].items():
        if ("jobs", name) not in wrong:
            for key, fault in faults_of_job(_job(name, table)):
                yield Fault(("jobs", name, *key.split(".")), f"jobs.{name}.{key} {fault}")
    if not any(path[:1] == ("jobs",) for path in wrong):
        jobs = {name: _job(name, table) for name, table in content["jobs"].items()}
        for name, fault in faults_of_chains(jobs):
            yield Fault(("jobs", name, "after"), f"jobs.{name}.after {fault}")
        for name, key, fault in faults_of_terms_of_jobs(content.get("platform", {}), jobs):
            yield Fault(("jobs", name, *key.split(".")), f"jobs.{name}.{key} {fault}")


def _faults_of_notify(content: Mapping[str, Any], wrong: set[tuple[str, ...]]) -> Iterator[Fault]:
    if {path[:1] for path in wrong} & {("notify",), ("jobs",), ("platform",)}:
        return
    mail, jobs = content.get("platform", {}).get("mail"), content.get("jobs", {})
    for place, fault in faults_of_entries(content.get("notify", ()), jobs, mail):
        yield Fault(("notify", str(place)), f"notify.{place} {fault}")
