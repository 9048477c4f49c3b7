"""Makes the files that somebody begins with, from those in ``originals/`` and a wish; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from steadyspot.deploy.scaffold.wishes import Wish
from steadyspot.deploy.stacks.config_file import schema

CONFIG = "steadyspot.toml"
DOCKERFILE = "Dockerfile"
SCHEMA = "steadyspot.schema.json"
_JOB = {"python": "job.py", "shell": "job.sh", "node": "job.mjs"}
_PIPELINE = {"github": ".github/workflows/steadyspot.yml", "gitlab": ".gitlab-ci.yml"}
_COMMENT_AT = 32
"""The column at which comments begin, where the line before them leaves it free."""

_HEAD = f"""\
#:schema ./{SCHEMA}
# What runs, when, and how much trouble it may take. `steadyspot check` reads this file,
# `steadyspot up` makes AWS look like it. These are a few of its keys; `steadyspot config` shows
# them all, with what is in force. Editors that read the line above complete and explain them.
"""
_COMMENTS = {
    "image": "built from the Dockerfile beside this file, or one in a registry",
    "command": "left out: what the image says",
    "environment": "no secrets: it can be read in the console",
    "checkpoint_dir": "comes back in the next attempt",
    "output_dir": "published when the job has ended well",
    "cpu": "vCPU",
    "memory": "GB",
    "disk": "GB",
    "schedule": 'or "rate(1 hour)" or "at(2027-01-31T02:00:00)"',
    "missed": "a mail for each time whose run has not finished",
    "timezone": "of cron and at",
    "expected_minutes": "of an undisturbed run; a guess is enough",
    "read_only_root": "it writes to /tmp and /work alone",
    "drop_capabilities": "it has none of root's",
    "user": "as the Dockerfile says",
}
_SUGGESTED = {
    "cpu": 1,
    "memory": 2,
    "read_only_root": True,
    "drop_capabilities": True,
    "user": "10001:10001",
    "schedule": "cron(0 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "missed": "auto",
    "expected_minutes": 10,
    "finish_within_minutes": 120,
}
"""Keys that most jobs come to need; those that are not wished for stand behind a ``#``."""
_COMMENTS_OF_SUGGESTED = {
    "schedule": "every night at two; left out: started by hand only",
    "finish_within_minutes": "from the scheduled time; on-demand is taken while it can be met",
}
_IN_FORCE = frozenset(
    {"cpu", "memory", "read_only_root", "drop_capabilities", "user", "expected_minutes"}
)
"""Those of them that stand there without a ``#``, since their default suits few."""


def files_of(wish: Wish) -> dict[str, str]:
    """Return the texts to write, by their paths in the repository."""
    files = {
        CONFIG: _config(wish),
        SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        DOCKERFILE: _dockerfile(wish),
        ".dockerignore": _text("dockerignore"),
        ".gitignore": _text("gitignore"),
    }
    if wish.kind in _JOB:
        files[_JOB[wish.kind]] = _text(f"job.{wish.kind}")
    if wish.pipeline in _PIPELINE:
        files[_PIPELINE[wish.pipeline]] = _text(f"{wish.pipeline}.yml")
    return files


def _text(name: str) -> str:
    return (resources.files("steadyspot.deploy.scaffold") / "originals" / name).read_text("utf-8")


def _dockerfile(wish: Wish) -> str:
    text = _text(f"Dockerfile.{wish.kind}")
    return re.sub(r"^FROM .*$", f"FROM {wish.base}", text, flags=re.M) if wish.base else text


def lines_for_the_worker() -> str:
    """Return the lines that make an image of somebody's own one that Steadyspot can run."""
    lines = _text("Dockerfile.own").splitlines()
    wanted = ("USER", "COPY --from", "ENV", "RUN", "VOLUME", "STOPSIGNAL", "ENTRYPOINT")
    return "\n".join(line for line in lines if line.startswith(wanted))


def _config(wish: Wish) -> str:
    mail = (
        _line("mail", wish.mail, "who is told; AWS sends a mail that has to be confirmed")
        if wish.mail
        else _line("mail", "team@example.com", "who is told; left out: nobody", is_on=False)
    )
    lines = [
        "[platform]".ljust(_COMMENT_AT) + "# what all jobs of an account share",
        _line("name", "steadyspot", "of its stack"),
        mail,
        "",
        f"[jobs.{_key(wish.name)}]",
        *_lines_of_job(wish.keys),
    ]
    left_out = ["# Not taken over:", *(f"# - {what}" for what in wish.left_out)]
    return "\n".join([_HEAD, *lines, *(["", *left_out] if wish.left_out else []), ""])


def _key(name: str) -> str:
    """Return a name as TOML has it in the head of a table, also one that is then refused."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else as_toml(name)


def _lines_of_job(keys: Mapping[str, Any]) -> Iterator[str]:
    for key, value in keys.items():
        yield _line(key, value, _COMMENTS.get(key, ""))
    for key, value in _SUGGESTED.items():
        if key not in keys:
            comment = _COMMENTS_OF_SUGGESTED.get(key) or _COMMENTS[key]
            yield _line(key, value, comment, is_on=key in _IN_FORCE)


def _line(key: str, value: Any, comment: str, *, is_on: bool = True) -> str:
    line = f"{'' if is_on else '# '}{key} = {as_toml(value)}"
    return f"{line.ljust(_COMMENT_AT - 1)} # {comment}" if comment else line


def as_toml(value: Any) -> str:
    """Return a value as TOML has it on one line."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(
        value, str
    ):  # JSON's escapes are TOML's; what it leaves as it is, is one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = (f"{as_toml(key)} = {as_toml(one)}" for key, one in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return f"[{', '.join(map(as_toml, value))}]"
