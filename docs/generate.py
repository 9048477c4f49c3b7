"""Writes the pages of ``reference/`` and the workflow's picture from what the product holds.

So they cannot be untrue. Each page is one function: what it tells of comes from the schema, the
command line, the contract, the cause table, the templates or the policies themselves.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import yaml  # type: ignore[import-untyped]

from docs.picture import picture
from steadyspot import contract
from steadyspot.contract import (
    COMPLETION,
    Env,
    Exit,
    checkpoint_prefix,
    columns,
    input_prefix,
    output_prefix,
    records,
)
from steadyspot.deploy.cli.main import VERBS, main
from steadyspot.deploy.cli.verbs.diff import DIFFERS
from steadyspot.deploy.stacks import config, config_file
from steadyspot.deploy.stacks.permissions import Purpose, policy_for
from steadyspot.deploy.stacks.templates import PREFIX, TEMPLATES
from steadyspot.statemachines.cause_table import cause_table

FOLDER = Path(__file__).parent / "reference"
PICTURE = Path(__file__).parent / "why" / "workflow.svg"
_MADE = "<!-- made by `make render`: change the code, not this page -->"
_GROUPS = ("of each launch", "of the job", "the worker's options", "the job's API")


def pages() -> dict[str, str]:
    """Return the pages by their names in the folder."""
    made: dict[str, Callable[[], str]] = {
        "configuration.md": _configuration,
        "command-line.md": _command_line,
        "exit-codes.md": _exit_codes,
        "environment.md": _environment,
        "causes.md": _causes,
        "alarms.md": _alarms,
        "files.md": _files,
        "record.md": _record,
        "permissions.md": _permissions,
    }
    return {name: f"{_MADE}\n\n{page().strip()}\n" for name, page in made.items()}


def write() -> None:
    """Write the pages, and remove what is none of them."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, "utf-8")
    PICTURE.write_text(picture(), "utf-8")


# --- steadyspot.toml ---------------------------------------------------------------------------


def _configuration() -> str:
    schema = config_file.schema()
    defaults = {"platform": _defaults(config.Platform), "jobs.NAME": _defaults(config.Job)}
    job = schema["$defs"]["job"]
    tables = {"platform": schema["properties"]["platform"], "jobs.NAME": job}
    parts = [
        "# Configuration",
        "Every key of `steadyspot.toml`. What is in force, and which line says so, prints "
        "`steadyspot config`; the same as a JSON Schema for editors, `steadyspot config --schema`. "
        "`[environments.ENV]` says otherwise for one environment, with `--env ENV`.",
    ]
    for name, table in tables.items():
        parts += [f"## [{name}]", *_table_of_keys(schema, table, defaults[name])]
    entry = schema["$defs"]["notify"]["items"]
    parts += [
        "## [[notify]]",
        "Who is told, beside `platform.mail`: each entry names one of `mail`, `topic`, `chat`, "
        "`webhook` and `heartbeat`. See [Who is told](../how-to/notify.md).",
        *_table_of_keys(schema, entry, {}),
    ]
    return "\n\n".join(parts)


def _defaults(kind: type) -> dict[str, Any]:
    assert is_dataclass(kind)
    return {
        one.name: one.default_factory() if one.default_factory is not MISSING else one.default
        for one in fields(kind)
    }


def _table_of_keys(
    schema: Mapping[str, Any], table: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[str]:
    rows: list[Sequence[str]] = []
    for key, form in table["properties"].items():
        rows.append((f"`{key}`", form.get("description", ""), _default(defaults.get(key))))
        rows += (
            (f"`{key}.{inner}`", one.get("description", ""), "")
            for inner, one in form.get("properties", {}).items()
        )
        each = form.get("additionalProperties")
        if isinstance(each, Mapping):
            rows += (
                (f"`{key}.NAME.{inner}`", one.get("description", ""), "")
                for inner, one in each.get("properties", {}).items()
            )
    yield _table(("key", "must be", "left out"), rows)


def _default(value: Any) -> str:
    if value is MISSING or is_dataclass(value) or value in (None, "", (), {}):
        return ""
    return f"`{json.dumps(value, default=list)}`"


# --- the command line --------------------------------------------------------------------------


_HELP = click.Option(
    main.context_settings["help_option_names"], is_flag=True, help="Show this message and exit."
)
"""A command remembers its own by the names of whatever context it was asked for in first."""


def _command_line() -> str:
    top = click.Context(main, info_name="steadyspot")
    parts = ["# Command line", _inline(main.help or "")]
    for verb in VERBS:
        command = main.get_command(top, verb)
        assert command is not None
        ctx = click.Context(command, info_name=verb, parent=top)
        parts += [f"## steadyspot {verb}", _inline(command.help or ""), _usage(command, ctx)]
        rows = [
            (f"`{names}`", _inline(text))
            for one in (*command.params, _HELP)
            if (record := one.get_help_record(ctx))
            for names, text in [record]
        ]
        parts.append(_table(("option", "does"), rows))
    return "\n\n".join(parts)


def _usage(command: click.Command, ctx: click.Context) -> str:
    return f"```\n{ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}\n```"


def _inline(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _exit_codes() -> str:
    told = _documented(contract)
    worker = [
        (f"{code.value}", f"`{code.name}`", told.get(f"Exit.{code.name}", "")) for code in Exit
    ]
    ours = [
        ("0", "It is done; of `run` and `watch`: the run is complete."),
        ("1", "Trouble, or a run that did not finish; two sentences say what, and what to do."),
        ("2", "The command line is not understood."),
        (f"{DIFFERS}", "`diff --exit-code`: something would change."),
        ("128 + N", "Signal N ended the command: 130 after Ctrl-C, 143 after SIGTERM."),
    ]
    return "\n\n".join(
        [
            "# Exit codes",
            "## Of the command line",
            _table(("code", "means"), ours),
            "## Of the container",
            "What the worker leaves with. Any other code is the job's own.",
            _table(("code", "name", "means"), worker),
        ]
    )


# --- what the job and the worker find ----------------------------------------------------------


def _environment() -> str:
    parts = ["# Environment variables", _prose(inspect.getdoc(Env) or "")]
    names = iter(Env)
    source = inspect.getsource(Env).split('"""')[2]
    blocks = [block.count("=") for block in source.strip().split("\n\n")]
    for group, number in zip(_GROUPS, blocks, strict=True):
        rows = [(f"`{next(names).value}`",) for _ in range(number)]
        parts += [f"## {group[0].upper()}{group[1:]}", _table(("variable",), rows)]
    return "\n\n".join(parts)


def _causes() -> str:
    return "\n\n".join(
        [
            "# Causes",
            "What can stop an attempt. The first row that matches decides, and says everything: "
            "what is done, what people are told, and what they can do.",
            cause_table(),
        ]
    )


def _record() -> str:
    told = _documented(columns)
    rows = [
        (f"`{value}`", told.get(name, ""))
        for name, value in vars(columns).items()
        if name.isupper() and isinstance(value, str)
    ]
    parts = [
        "# The record of a run",
        _prose(inspect.getdoc(columns) or ""),
        _table(("name", "is"), rows),
        _prose(inspect.getdoc(records) or ""),
    ]
    for name, kind in vars(records).items():
        if name.endswith("Column"):
            hints = typing.get_type_hints(kind, include_extras=True)
            parts += [
                f"## {name.removesuffix('Column').lower()}",
                _prose(inspect.getdoc(kind) or ""),
                _table(("field", "type"), [(f"`{f}`", _type(t)) for f, t in hints.items()]),
            ]
    return "\n\n".join(parts)


def _type(hint: Any) -> str:
    if typing.get_origin(hint) is typing.NotRequired:
        return f"{_type(typing.get_args(hint)[0])}, not always there"
    return str(getattr(hint, "__name__", hint))


# --- AWS ---------------------------------------------------------------------------------------


def _alarms() -> str:
    rows = [
        (
            f"`{_plain(body['Properties']['AlarmName'])}`",
            _plain(body["Properties"]["AlarmDescription"]),
            f"`{body['Properties']['Namespace']} {body['Properties']['MetricName']}`",
            _runbook(str(body["Properties"]["AlarmName"]).rpartition("-")[2]),
        )
        for path in sorted(TEMPLATES.glob("*.yaml"))
        for body in yaml.load(path.read_text("utf-8"), _Loader)["Resources"].values()
        if body["Type"] == "AWS::CloudWatch::Alarm"
    ]
    return "\n\n".join(
        [
            "# Alarms",
            "Each job has these; their mails go to the platform's topic.",
            _table(("alarm", "says", "metric", "what to do"), rows),
        ]
    )


def _runbook(name: str) -> str:
    """Return a link to the page on what to do when such an alarm rings."""
    return f"[{name}](../runbooks/{name}.md)"


def _plain(text: str) -> str:
    text = re.sub(r"\s*https://\S+", "", _inline(text))
    return re.sub(r"\$\{(\w+)\.?\w*\}", lambda name: name[1].upper(), text)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads a template; of CloudFormation's short forms the text is kept."""


_Loader.add_multi_constructor(
    "!", lambda _loader, _tag, node: node.value if isinstance(node.value, str) else ""
)


def _files() -> str:
    rows = [
        (f"`{output_prefix('JOB', 'RUN_KEY')}`", "what a complete run has published"),
        (f"`{output_prefix('JOB', 'RUN_KEY')}{COMPLETION}`", "written last: its outputs, by hash"),
        (f"`{checkpoint_prefix('JOB', 'RUN_KEY')}`", "what the next attempt resumes from"),
        (f"`{input_prefix('JOB')}`", "what a job may read beside its own runs; nothing writes it"),
        (f"`{PREFIX}`", "definitions of the jobs' workflows, by content; `up` writes them"),
    ]
    return "\n\n".join(
        [
            "# Files in the bucket",
            "An output is invisible until its run is complete. How long each stays, say "
            "`checkpoint_days`, `keep_outputs_days`, `version_days` and `lock_days`.",
            _table(("key begins with", "holds"), rows),
        ]
    )


def _permissions() -> str:
    parts = [
        "# Permissions",
        "`steadyspot permissions PURPOSE` prints these for your platform as a policy of IAM: the "
        "name, the account and the region in the ARNs are those of `steadyspot.toml`.",
    ]
    platform = config.Platform(name="PLATFORM", region="REGION", account="ACCOUNT")
    for purpose in Purpose:
        rows = [
            (
                ", ".join(f"`{action}`" for action in one["Action"]),
                "<br>".join(f"`{resource}`" for resource in one["Resource"]),
            )
            for one in policy_for(purpose, platform)["Statement"]
        ]
        parts += [f"## {purpose.value}", _table(("may", "on"), rows)]
    return "\n\n".join(parts)


# --- text --------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (tuple(cell.replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *lines))


def _prose(docstring: str) -> str:
    """Return a docstring as Markdown has it."""
    return re.sub(r":\w+:`(\w+)`", r"`\1`", docstring.replace("``", "`"))


def _documented(module: ModuleType) -> dict[str, str]:
    """Return what stands below each constant of a module, and of its enumerations."""
    tree = ast.parse(inspect.getsource(module))
    told = dict(_below(tree.body))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            told |= {f"{node.name}.{name}": text for name, text in _below(node.body)}
    return told


def _below(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for one, after in pairwise(body):
        match one, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, _inline(_prose(text))


if __name__ == "__main__":
    write()
