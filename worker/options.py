"""Command line and environment of the worker, read once into plain data.

Each option can also be set in the environment, because that is what a task definition has; the
command line comes first. A message about a value names the one of the two that it came from.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from steadyspot.contract import ENV_PREFIX, FENCE_PER_CLAIM, Env, logs
from steadyspot.contract.keys import RUN_KEY_CHARACTERS
from steadyspot.contract.parameters import RUN_KEY, SHARD, SHARDS, BadParameter, filled, values_of
from steadyspot.contract.shards import shard_of
from steadyspot.contract.traces import trace_id
from steadyspot.shards import BadShard, Shard
from steadyspot.worker.errors import SetupError
from steadyspot.worker.signal_names import signal_number

if TYPE_CHECKING:
    import argparse


class Audience(StrEnum):
    """Whom a signal to the worker is passed on to."""

    FIRST = "first"
    GROUP = "group"
    NONE = "none"


class Option(NamedTuple):
    """An option's name, its environment variable, what it takes, and what it is for."""

    name: str
    variable: str
    takes: str
    meaning: str


OPTIONS = (
    Option(
        "--checkpoint-dir",
        Env.CHECKPOINT_DIR,
        "DIR",
        "folder saved as a whole and restored",
    ),
    Option(
        "--output-dir",
        Env.OUTPUT_DIR,
        "DIR",
        "folder whose files are published at the end; the same names in every attempt",
    ),
    Option(
        "--output-ignore",
        Env.OUTPUT_IGNORE,
        "PATTERNS",
        'names in it that are not published, as a JSON list ([".*", "*.tmp", "*.part", "*~"])',
    ),
    Option(
        "--every",
        Env.EVERY_SECONDS,
        "SECONDS",
        "how often the folders are saved, or earlier once a stop might be too short for it (60)",
    ),
    Option("--marker", Env.MARKER, "FILE", "save as soon as the job touches this file"),
    Option(
        "--on-stop",
        Env.ON_STOP,
        "COMMAND",
        "run by /bin/sh after the job ended at a stop",
    ),
    Option(
        "--on-stop-timeout",
        Env.ON_STOP_SECONDS,
        "SECONDS",
        "its share of the grace (10)",
    ),
    Option(
        "--signal",
        Env.SIGNAL,
        "WHO",
        "who is told of a stop at once: the job's first process (first), its whole group, or none"
        " (first)",
    ),
    Option("--signal-job", Env.SIGNAL_JOB, "SIGNAL", "what the job is told a stop by (TERM)"),
    Option(
        "--forward",
        Env.FORWARD,
        "SIGNALS",
        "signals that are no stop but passed on, such as USR1,HUP (none)",
    ),
    Option("--stop-timeout", Env.STOP_TIMEOUT, "SECONDS", "the task's stopTimeout (30)"),
    Option(
        "--drain",
        Env.DRAIN_SECONDS,
        "SECONDS",
        "the job's share of it at most; 0 kills at once",
    ),
    Option("--uploads", Env.UPLOADS, "NUMBER", "uploads at the same time (8)"),
    Option(
        "--patience",
        Env.PATIENCE_SECONDS,
        "SECONDS",
        "how long S3 or DynamoDB may be in trouble before the attempt is given up (300)",
    ),
    Option("--scratch-dir", Env.SCRATCH_DIR, "DIR", "where outputs are written first (/tmp)"),
)
JOB = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
LONGEST_KEY = 128
OUTPUT_IGNORE = (".*", "*.tmp", "*.part", "*~")
"""Names of hidden and of half-made files, as programs write them."""

IDENTITY = (Env.RUN_KEY, Env.EXECUTION, Env.FENCE, Env.JOB, Env.TABLE, Env.BUCKET)


class Identity:
    """Which run this attempt belongs to. ``stop_by`` is seconds since the epoch, or none.

    ``expected_seconds``: the stop-by moves on by this for the whole of the work, 0 for not at all.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.job = _matching(environ, Env.JOB, JOB)
        self.run_key = _matching(environ, Env.RUN_KEY, RUN_KEY_CHARACTERS)
        self.execution = environ[Env.EXECUTION]
        self.fence = _whole(Env.FENCE, environ[Env.FENCE])
        self.attempt = _whole(Env.ATTEMPT, environ.get(Env.ATTEMPT) or "1")
        self.capacity = environ.get(Env.CAPACITY, "")
        self.table = environ[Env.TABLE]
        self.bucket = environ[Env.BUCKET]
        self.lock_days = _whole(Env.LOCK_DAYS, environ.get(Env.LOCK_DAYS) or "0")
        self.scheduled = _time(Env.SCHEDULED_TIME, environ.get(Env.SCHEDULED_TIME, ""))
        self.deadline = _time(Env.DEADLINE, environ.get(Env.DEADLINE, ""))
        self.prices = environ.get(Env.PRICES, "")
        self.refusals = environ.get(Env.REFUSALS, "")
        self.traced = environ.get(Env.TRACING) == "true"
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

    @property
    def shard_of(self) -> str | None:
        """Key of the run that this is a shard of, if it is one."""
        shard = shard_of(self.run_key)
        return shard[0] if shard else None

    @property
    def trace_id(self) -> str:
        """Of the run's trace, empty where none is sent."""
        return trace_id(self.table, self.job, self.run_key) if self.traced else ""

    def about(self) -> dict[str, str | int]:
        """The keys that every log line carries."""
        return {
            logs.JOB: self.job,
            logs.RUN_KEY: self.run_key,
            logs.ATTEMPT: self.attempt,
            logs.EXECUTION: self.execution,
        }


class Options:
    """What the command line and the environment ask for. Durations are seconds.

    ``set_by``: which option or variable a folder was named by, if by one.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        given, command = _parse(argv)
        self.show_help = bool(given.get("help"))
        self.show_version = bool(given.get("version"))
        text = _Values(given, environ)
        self.checkpoint_dir = _folder(text["--checkpoint-dir"])
        self.output_dir = _folder(text["--output-dir"])
        self.output_ignore = _patterns(text["--output-ignore"])
        self.every_seconds = _seconds(text["--every"], 60)
        self.marker = self._marker(text["--marker"])
        self.on_stop = text["--on-stop"].text
        self.on_stop_seconds = _seconds(text["--on-stop-timeout"], 10)
        self.audience = _audience(text["--signal"])
        self.signal_job = _signal(text["--signal-job"].source, text["--signal-job"].text or "TERM")
        self.ordinary = _ordinary(text["--forward"])
        self.stop_timeout_seconds = _seconds(text["--stop-timeout"], 30)
        drain = text["--drain"]
        self.drain_seconds = _seconds(drain, 0) if drain.text else None
        uploads = text["--uploads"]
        self.uploads = max(1, _whole(uploads.source, uploads.text or "8"))
        self.patience_seconds = _seconds(text["--patience"], 300)
        scratch = text["--scratch-dir"]
        self.scratch_dir = scratch.text or environ.get("TMPDIR") or "/tmp"
        self.set_by = {
            folder.text: folder.source
            for folder in (text["--checkpoint-dir"], text["--output-dir"], scratch)
        }
        if self.show_help or self.show_version:
            return
        if environ.get(Env.SOCKET):
            raise SetupError(
                "This worker was started inside another worker.",
                "Start it once: name it in the image's ENTRYPOINT or in the command, not in both.",
            )
        # A command that is configured replaces the image's CMD, which arrives as arguments.
        self.command = _command(environ.get(Env.COMMAND, "")) or command
        if not self.command or not self.command[0]:
            raise SetupError(
                "There is no command to run.",
                f"Give the job's command as arguments, or as a JSON list in {Env.COMMAND}.",
            )
        self.environment = _variables(Env.ENVIRONMENT, environ) | _variables(Env.SECRETS, environ)
        shard = _shard(environ)
        self.environment |= shard.environment()
        self.identity = _identity(environ)
        if environ.get(Env.SCHEDULED_TIME) and self.identity:
            about = {
                RUN_KEY: self.identity.run_key,
                SHARD: str(shard.number),
                SHARDS: str(shard.count),
            }
            self._fill_in(environ, about)

    def _marker(self, value: _Value) -> str:
        """A job waits for its marker to go, for ever where there is nothing to be saved."""
        if value.text and not (self.checkpoint_dir or self.output_dir):
            raise SetupError(
                f"{value.source} names {value.text}, but there is no folder to be saved.",
                f"Name one in {Env.CHECKPOINT_DIR} or {Env.OUTPUT_DIR} as well.",
            )
        return value.text

    def _fill_in(self, environ: Mapping[str, str], about: Mapping[str, str]) -> None:
        """Fill the command in, and give the job the values of all its parameters."""
        time = _utc(Env.SCHEDULED_TIME, environ[Env.SCHEDULED_TIME])
        values = _parameters(environ)
        values = {
            name: filled(value, {}, time, about) if isinstance(value, str) else value
            for name, value in values.items()
        }
        self.command = [filled(word, values, time, about) for word in self.command]
        if values:
            self.environment = {**self.environment, Env.PARAMETERS: json.dumps(values)}


def _folder(value: _Value) -> str:
    """A folder of the job's own. The kernel's have files without end, or that act when read."""
    place = os.path.realpath(value.text) + "/" if value.text else ""
    if place.startswith(("/proc/", "/sys/", "/dev/")) and not place.startswith("/dev/shm/"):
        raise SetupError(
            f"{value.source} names {value.text}, which belongs to the system.",
            "Name a folder that only the job writes to, such as /work/state.",
        )
    return value.text


def usage() -> str:
    """The help text."""
    return _parser().format_help()


def _parser() -> argparse.ArgumentParser:
    import argparse  # Only where an option is given: an image's CMD is a plain command.

    class Parser(argparse.ArgumentParser):
        """Says what is wrong in a sentence, in place of a usage and exit code 2."""

        def error(self, message: str) -> NoReturn:
            raise SetupError(
                f"The options cannot be read: {message}.", "See steadyspot-worker --help."
            )

    parser = Parser(
        prog="steadyspot-worker",
        usage="steadyspot-worker [options] [--] command [arguments]",
        epilog=f"{Env.COMMAND} (a JSON list that is not empty) takes the place of the command.",
        add_help=False,
        allow_abbrev=False,
    )
    for option in OPTIONS:
        meaning = f"{option.meaning} [{option.variable}]"
        parser.add_argument(option.name, metavar=option.takes, help=meaning)
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _parse(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Options that are given, by their names in Python, and the command behind them."""
    if not argv or not argv[0].startswith("-"):
        return {}, list(argv)
    given, unknown = _parser().parse_known_args(argv)
    if unknown:
        raise SetupError(f"There is no option '{unknown[0]}'.", "See steadyspot-worker --help.")
    command: list[str] = given.command
    return vars(given), command[1:] if command[:1] == ["--"] else command


class _Value(NamedTuple):
    """A text, empty where there is none, and where it was set."""

    source: str
    text: str


class _Values(dict[str, _Value]):
    """By option: what the command line says, else the environment."""

    def __init__(self, given: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        super().__init__()
        for option in OPTIONS:
            value = given.get(option.name.removeprefix("--").replace("-", "_"))
            if value is None:
                self[option.name] = _Value(option.variable, environ.get(option.variable, ""))
            else:
                self[option.name] = _Value(option.name, value)


def _command(text: str) -> list[str]:
    command = _parsed(Env.COMMAND, text) if text else []
    if not isinstance(command, list) or not all(isinstance(c, str) for c in command):
        raise SetupError(
            f"{Env.COMMAND} is not a list of strings.", 'Write it like ["python", "job.py"].'
        )
    if not all(map(_is_passable, command)):
        raise SetupError(
            f"{Env.COMMAND} holds a character that cannot be passed to a program.",
            "Leave out NUL and halves of surrogate pairs.",
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


def _shard(environ: Mapping[str, str]) -> Shard:
    try:
        return Shard.read(environ)
    except BadShard as bad:
        raise SetupError(bad.sentence, bad.todo) from None


def _parameters(environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of the job's parameters: what the run gives, else their defaults."""
    declared = _parsed(Env.DECLARED, environ.get(Env.DECLARED) or "{}")
    given = _parsed(Env.PARAMETERS, environ.get(Env.PARAMETERS) or "{}")
    if not isinstance(declared, dict) or not isinstance(given, dict):
        raise SetupError(
            f"{Env.DECLARED} or {Env.PARAMETERS} is no object.",
            "Start the task through its state machine.",
        )
    try:
        return values_of(declared, given)
    except BadParameter as error:
        raise SetupError(str(error), "Start the run with other parameters.") from None


def _is_variable(name: str, value: object) -> bool:
    named = name.isidentifier() and not name.startswith(ENV_PREFIX)
    return named and isinstance(value, str) and _is_passable(value)


def _is_passable(text: str) -> bool:
    """Whether a program can be given this text."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


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
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
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


def _seconds(value: _Value, default: float) -> float:
    return _number(value.source, value.text) if value.text else default


def _patterns(value: _Value) -> tuple[str, ...]:
    """Patterns for names, ``OUTPUT_IGNORE`` where none are given; an empty list is one."""
    patterns = _parsed(value.source, value.text) if value.text else list(OUTPUT_IGNORE)
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        raise SetupError(
            f"{value.source} is not a list of patterns.", 'Write it like [".*", "*.tmp"].'
        )
    return tuple(patterns)


def _audience(value: _Value) -> Audience:
    try:
        return Audience(value.text or Audience.FIRST)
    except ValueError:
        raise SetupError(
            f"{value.source} is '{value.text}'.", f"Use {', '.join(Audience)}."
        ) from None


def _signal(source: str, text: str) -> int:
    number = signal_number(text)
    if number is None:
        raise SetupError(
            f"{source}: There is no signal '{text}'.",
            "Use a name such as INT or a number such as 2.",
        )
    return number


def _ordinary(value: _Value) -> set[int]:
    """Signals that do not count as a stop. ECS sends SIGTERM where an image names no other."""
    numbers = {_signal(value.source, name) for name in value.text.replace(",", " ").split()}
    if signal.SIGTERM in numbers:
        raise SetupError(
            f"{value.source} names SIGTERM, which always is a stop.", "Leave SIGTERM out of it."
        )
    return numbers


def _time(name: str, text: str) -> float | None:
    return _utc(name, text).timestamp() if text else None


def _utc(name: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise SetupError(
            f"{name} is '{text}'.", "Give an ISO time such as 2026-11-24T02:00:00Z."
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
