"""What is in force: every key of a configuration, its value, and where that comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from steadyspot.deploy.stacks.config_file import FIELDS, parse, read_text, schema
from steadyspot.deploy.stacks.toml_lines import lines_of


@dataclass(frozen=True)
class Setting:
    """One key. ``line`` None: it is left out, and ``value`` the default (None: there is none)."""

    table: str
    key: str
    value: Any
    line: int | None
    must_be: str


def settings_of(
    path: Path, environment: str | None = None, job: str | None = None
) -> list[Setting]:
    """Return the keys of the platform and of all jobs, or of one; as an environment has them.

    Raises
    ------
    ConfigError
        When the file can't be read or has a fault, or there is no such job.
    """
    text = read_text(path)
    config = parse(text, path, environment)
    lines = lines_of(text)
    if environment:
        inside = {at[2:]: n for at, n in lines.items() if at[:2] == ("environments", environment)}
        lines = {**lines, **inside}
    jobs = [config.job(job)] if job else list(config.jobs.values())
    form = schema()
    found = list(
        _of(("platform",), config.platform, form["properties"]["platform"]["properties"], lines)
    )
    for one in jobs:
        found += _of(("jobs", one.name), one, form["$defs"]["job"]["properties"], lines)
    entry = form["$defs"]["notify"]["items"]["properties"]
    for place, told in enumerate(config.notify):
        keys = _of(("notify", str(place)), told, entry, lines)
        found += [key for key in keys if key.value]
    return found


def _of(
    table: tuple[str, ...],
    holder: object,
    properties: Mapping[str, Mapping[str, Any]],
    lines: Mapping[tuple[str, ...], int],
) -> Iterator[Setting]:
    for key, form in properties.items():
        value = getattr(holder, FIELDS.get(key, key))
        line = lines.get((*table, key))
        yield Setting(".".join(table), key, _plain(value), line, str(form["description"]))


def _plain(value: Any) -> Any:
    """Return a value without the classes that a table of the file became."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value
