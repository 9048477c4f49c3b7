"""Command line and environment of the worker, read once into plain data.

Hand-made instead of argparse, since the job's first instruction waits for this module. Each option
can also be set in the environment, because that is what a task definition has.
"""

from __future__ import annotations

from steadyspot.contract import ENV_PREFIX, FENCE_PER_CLAIM, Env, logs
from steadyspot.worker.errors import SetupError
from steadyspot.worker.supervising.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPTIONS: dict[str, tuple[str, str, str]] = {
    "--checkpoint-dir": (
        "STEADYSPOT_CHECKPOINT_DIR",
        "DIR",
        "folder saved as a whole and restored",
    ),
    "--output-dir": ("STEADYSPOT_OUTPUT_DIR", "DIR", "folder whose files are published at the end"),
    "--every": ("STEADYSPOT_EVERY_SECONDS", "SECONDS", "how often the folders are saved (60)"),
    "--marker": ("STEADYSPOT_MARKER", "FILE", "save as soon as the job touches this file"),
    "--on-stop": ("STEADYSPOT_ON_STOP", "COMMAND", "run by /bin/sh after the job ended at a stop"),
    "--on-stop-timeout": ("STEADYSPOT_ON_STOP_SECONDS", "SECONDS", "its share of the grace (10)"),
    "--signal-job": ("STEADYSPOT_SIGNAL_JOB", "SIGNAL", "sent to the job at a stop (TERM)"),
    "--no-forward": ("STEADYSPOT_NO_FORWARD", "", "send the job no signal at all"),
    "--single-child": (
        "STEADYSPOT_SINGLE_CHILD",
        "",
        "signal the job's first process, not its group",
    ),
    "--stop-timeout": (Env.STOP_TIMEOUT, "SECONDS", "the task's stopTimeout (30)"),
    "--drain": (
        "STEADYSPOT_DRAIN_SECONDS",
        "SECONDS",
        "the job's share of it at most; 0 kills at once",
    ),
    "--uploads": ("STEADYSPOT_UPLOADS", "NUMBER", "uploads at the same time (8)"),
    "--scratch-dir": ("STEADYSPOT_SCRATCH_DIR", "DIR", "where outputs are written first (/tmp)"),
}
FLAGS = {name for name, (_, value, _) in OPTIONS.items() if not value}
JOB = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
RUN_KEY = JOB | frozenset(".=")
LONGEST_KEY = 128
IDENTITY = (Env.RUN_KEY, Env.EXECUTION, Env.FENCE, Env.JOB, Env.TABLE, Env.BUCKET)


class Identity:
    """Which run this attempt belongs to. ``stop_by`` is seconds since the epoch, or none.

    ``expected_seconds``: the stop-by moves on by this for the whole of the work, 0 for not at all.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.job = _matching(environ, Env.JOB, JOB)
        self.run_key = _matching(environ, Env.RUN_KEY, RUN_KEY)
        self.execution = environ[Env.EXECUTION]
        self.fence = _whole(Env.FENCE, environ[Env.FENCE])
        self.attempt = _whole(Env.ATTEMPT, environ.get(Env.ATTEMPT) or "1")
        self.capacity = environ.get(Env.CAPACITY, "")
        self.table = environ[Env.TABLE]
        self.bucket = environ[Env.BUCKET]
        self.stop_by = _time(Env.STOP_BY, environ.get(Env.STOP_BY, ""))
        self.expected_seconds = _number(
            Env.EXPECTED_SECONDS, environ.get(Env.EXPECTED_SECONDS) or "0"
        )
        self.rerun = environ.get(Env.RERUN) or "always"
        if self.rerun not in ("always", "never"):
            raise SetupError(
                f"{Env.RERUN} is '{self.rerun}'.",
                "Set it to 'always' or 'never' in the task definition.",
            )

    @property
    def starts_at_once(self) -> bool:
        """Whether the job need not wait for the fence: nothing to restore, and it may run twice."""
        return self.fresh and self.rerun == "always"

    @property
    def fresh(self) -> bool:
        """Nothing can be there to restore: the first launch of the first claim."""
        return self.fence <= FENCE_PER_CLAIM + 1

    def about(self) -> dict[str, object]:
        """The keys that every log line carries."""
        return {
            logs.JOB: self.job,
            logs.RUN_KEY: self.run_key,
            logs.ATTEMPT: self.attempt,
            logs.EXECUTION: self.execution,
        }


class Options:
    """What the command line and the environment ask for. Durations are seconds."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        given, command = _split(argv)
        self.show_help = "--help" in given
        self.show_version = "--version" in given
        values = {name: environ.get(key, "") for name, (key, _, _) in OPTIONS.items()} | given
        self.checkpoint_dir = values["--checkpoint-dir"]
        self.output_dir = values["--output-dir"]
        self.every_seconds = _number("--every", values["--every"] or "60")
        self.marker = values["--marker"]
        self.on_stop = values["--on-stop"]
        self.on_stop_seconds = _number("--on-stop-timeout", values["--on-stop-timeout"] or "10")
        self.signal_job = _signal(values["--signal-job"] or "TERM")
        self.forward = not _flag("--no-forward", values["--no-forward"])
        self.single_child = _flag("--single-child", values["--single-child"])
        self.stop_timeout_seconds = _number("--stop-timeout", values["--stop-timeout"] or "30")
        self.drain_seconds = _number("--drain", values["--drain"]) if values["--drain"] else None
        self.uploads = max(1, _whole("--uploads", values["--uploads"] or "8"))
        self.scratch_dir = values["--scratch-dir"] or environ.get("TMPDIR") or "/tmp"
        if self.show_help or self.show_version:
            return
        # What is configured goes before the image's CMD, which arrives as arguments.
        self.command = _command(environ.get(Env.COMMAND, "")) or command
        if not self.command:
            raise SetupError(
                "There is no command to run.",
                f"Give the job's command as arguments, or as a JSON list in {Env.COMMAND}.",
            )
        self.environment = _variables(Env.ENVIRONMENT, environ) | _variables(Env.SECRETS, environ)
        self.identity = _identity(environ)


def usage() -> str:
    """The help text."""
    lines = ["Usage: steadyspot-worker [options] [--] command [arguments]", ""]
    for name, (key, value, meaning) in OPTIONS.items():
        lines.append(f"  {f'{name} {value}'.strip():<28}{meaning} [{key}]")
    lines += ["", f"{Env.COMMAND} (a JSON list that is not empty) goes before the command."]
    return "\n".join(lines) + "\n"


def _split(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    given: dict[str, str] = {}
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in ("--help", "--version", "-h", "-V"):
            given["--help" if name in ("--help", "-h") else "--version"] = "1"
        elif name not in OPTIONS:
            raise SetupError(f"There is no option '{name}'.", "See steadyspot-worker --help.")
        elif name in FLAGS:
            given[name] = value or "1"
        elif equals:
            given[name] = value
        elif rest:
            given[name] = rest.pop(0)
        else:
            raise SetupError(
                f"The option '{name}' has no value.", f"Write {name} {OPTIONS[name][1]}."
            )
    return given, rest


def _command(text: str) -> list[str]:
    command = _parsed(Env.COMMAND, text) if text else []
    if not isinstance(command, list) or not all(isinstance(c, str) for c in command):
        raise SetupError(
            f"{Env.COMMAND} is not a list of strings.", 'Write it like ["python", "job.py"].'
        )
    return command


def _variables(source: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The job's variables of one source. No value is ever shown: they may be secrets."""
    found = _parsed(source, environ[source]) if environ.get(source) else {}
    if not isinstance(found, dict) or not all(map(_is_variable, found, found.values())):
        raise SetupError(
            f"{source} is not an object of names and texts, or a name is none for a variable.",
            f'Write it like {{"NAME": "value"}}, with no {ENV_PREFIX} in front of a name.',
        )
    return found


def _is_variable(name: str, value: object) -> bool:
    named = name.isidentifier() and not name.startswith(ENV_PREFIX)
    return named and isinstance(value, str) and "\0" not in value


def _identity(environ: Mapping[str, str]) -> Identity | None:
    missing = [name for name in IDENTITY if not environ.get(name)]
    if Env.RUN_KEY in missing and Env.FENCE in missing:
        return None  # Not started by a state machine: signals and processes only.
    if missing:
        raise SetupError(
            f"{' and '.join(missing)} not set in the environment.",
            "Start the task through its state machine, or set all of them in the task definition.",
        )
    return Identity(environ)


def _parsed(name: str, text: str) -> object:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise SetupError(
            f"{name} is not JSON: {error}.", "Mend it where the task definition has it from."
        ) from None


def _matching(environ: Mapping[str, str], name: str, allowed: frozenset[str]) -> str:
    value = environ[name]
    if not allowed.issuperset(value) or value in (".", "..") or len(value) > LONGEST_KEY:
        raise SetupError(
            f"{name} is '{value}', which cannot be part of an object's key.",
            f"Use letters, digits and {' '.join(sorted(c for c in allowed if not c.isalnum()))}.",
        )
    return value


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SetupError(f"{name} is '{text}'.", "Give a whole number.") from None


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise SetupError(f"{name} is '{text}'.", "Give seconds, 0 or more.")
    return number


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise SetupError(f"{name} is '{text}'.", "Use 1 or 0.")
    return text.lower() in ("1", "true")


def _signal(text: str) -> int:
    name = text.upper().removeprefix("SIG")
    number = int(name) if name.isdecimal() else getattr(signal, f"SIG{name}", 0)
    if name.isalnum() and number in signal.valid_signals():
        return int(number)
    raise SetupError(
        f"There is no signal '{text}'.", "Use a name such as INT or a number such as 2."
    )


def _time(name: str, text: str) -> float | None:
    if not text:
        return None
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise SetupError(
            f"{name} is '{text}'.", "Give an ISO time such as 2026-11-24T02:00:00Z."
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
