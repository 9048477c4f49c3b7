"""What an image says of itself, and whether the worker in it can be stopped in time; pure.

Fargate sends the image's STOPSIGNAL to the first process, which its ENTRYPOINT and CMD name. Only
where that is the worker, or passes the signal on to it, does a stop save anything. What a script in
between does is not in the image's configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from steadyspot.contract import Env
from steadyspot.contract.signals import stop_number
from steadyspot.deploy.stacks.config import Job

WORKER = "steadyspot-worker"
WORKER_FOLDER = "/opt/steadyspot/bin"
_CHECKPOINT_DIR, _OUTPUT_DIR = "--checkpoint-dir", "--output-dir"
"""Options of the worker."""
_DEFAULT = "SIGTERM"
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh"}
_HANDS_OVER = re.compile(rf"\bexec\s+(?:\S*/)?{WORKER}\b")
_MEND = f'Write ENTRYPOINT ["{WORKER}"] in its Dockerfile, with the brackets.'


@dataclass(frozen=True)
class ImageConfig:
    """An image's id or digest, its architecture (``amd64``, ``arm64``), and what it starts."""

    name: str
    architecture: str
    stop_signal: str = _DEFAULT
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Remark:
    """One sentence about an image, and what to do; ``bad``: no run of it could be saved."""

    bad: bool
    text: str
    what_to_do: str = ""


def config_of(name: str, described: Mapping[str, Any]) -> ImageConfig:
    """Return what is described in a registry's config object, or by an engine's ``inspect``."""
    config = described.get("config") or described.get("Config") or {}
    pairs = (entry.partition("=") for entry in config.get("Env") or ())
    return ImageConfig(
        name,
        described.get("architecture") or described.get("Architecture") or "",
        config.get("StopSignal") or _DEFAULT,
        tuple(config.get("Entrypoint") or ()),
        tuple(config.get("Cmd") or ()),
        {variable: value for variable, _, value in pairs},
    )


def remarks(image: ImageConfig, job: Job) -> list[Remark]:
    """Return what there is to say about stops of a job's image, what is bad first."""
    found = [one for one in (_of_the_signal(image, job), _of_the_start(image, job)) if one]
    return sorted(found, key=lambda one: not one.bad)


def keys_without_folder(image: ImageConfig, job: Job) -> list[str]:
    """Return keys about folders of which neither the job nor its image, as it is, names one."""
    words = {word.partition("=")[0] for word in (*image.entrypoint, *image.command, *job.command)}
    published = bool(
        job.output_dir or image.environment.get(Env.OUTPUT_DIR) or _OUTPUT_DIR in words
    )
    kept = bool(
        job.checkpoint_dir or image.environment.get(Env.CHECKPOINT_DIR) or _CHECKPOINT_DIR in words
    )
    needs = {
        "marker": kept or published,
        "checkpoint_every_seconds": kept or published,
        "output_ignore": published,
    }
    return [key for key, there in needs.items() if getattr(job, key) is not None and not there]


def _of_the_signal(image: ImageConfig, job: Job) -> Remark | None:
    name, number = image.stop_signal, stop_number(image.stop_signal)
    if number is None:
        return Remark(
            True,
            f"{job.image} has STOPSIGNAL {name}, which the worker cannot take as a stop: nothing "
            "would be saved.",
            "Write STOPSIGNAL SIGTERM in its Dockerfile.",
        )
    by_image = image.environment.get(Env.FORWARD, "").replace(",", " ").split()
    if number in {stop_number(one) for one in job.forward or by_image}:
        return Remark(
            True,
            f"{job.image} has STOPSIGNAL {name}, which forward makes an ordinary signal: no stop "
            "would be noticed.",
            f"Take {name} out of forward, or write STOPSIGNAL SIGTERM in its Dockerfile.",
        )
    if number == stop_number(_DEFAULT):
        return None
    return Remark(False, f"{job.image} has STOPSIGNAL {name}; the worker takes it as a stop")


def _of_the_start(image: ImageConfig, job: Job) -> Remark | None:
    started = (*image.entrypoint, *image.command)
    if len(started) > 2 and _name(started[0]) in _SHELLS and started[1] == "-c":
        return _of_a_shell(image, job, started[2])
    place = _place_of_worker(started)
    if place is None:
        return _without_worker(image, job)
    if place > 0:
        return Remark(
            False,
            f"{job.image} starts {started[0]} before the worker: a stop has to be passed on by it",
            f'If {started[0]} is a script, have it end with exec "$@".',
        )
    return _of_the_command(job, image.entrypoint, job.command or image.command)


def _of_a_shell(image: ImageConfig, job: Job, script: str) -> Remark | None:
    if _HANDS_OVER.search(script):
        return None
    if WORKER not in script:
        return _without_worker(image, job)
    return Remark(
        True,
        f"{job.image} starts the worker below a shell, which does not pass a stop on to it.",
        _MEND,
    )


def _without_worker(image: ImageConfig, job: Job) -> Remark:
    first = next(iter((*image.entrypoint, *image.command)), "nothing")
    if first.endswith(".sh") or "entrypoint" in first:
        return Remark(
            False,
            f"{job.image} starts {first}; whether that starts the worker cannot be seen",
            f'Have it end with exec {WORKER} "$@".',
        )
    holds = WORKER_FOLDER in image.environment.get("PATH", "").split(":")
    return Remark(
        True,
        f"{job.image} {'holds the worker, but ' if holds else ''}starts {first} in its place: no "
        "run of it would be saved, nor ever be complete.",
        _MEND,
    )


def _of_the_command(
    job: Job, entrypoint: tuple[str, ...], command: tuple[str, ...]
) -> Remark | None:
    """Return what is wrong with the command of an image whose ENTRYPOINT is the worker."""
    if _place_of_worker(entrypoint) is None:
        return None
    if command and _place_of_worker(command[:1]) == 0:
        return Remark(
            True,
            f"{job.image} has the worker as its ENTRYPOINT and once more in the command.",
            f"Leave {WORKER} out of the command.",
        )
    if not command and _name(entrypoint[-1]) == WORKER:
        return Remark(
            True,
            f"Neither {job.image} nor {job.name} says which command the worker is to run.",
            "Write CMD in its Dockerfile, or command in steadyspot.toml.",
        )
    return None


def _place_of_worker(words: Sequence[str]) -> int | None:
    """Return which of the words starts the worker, also by way of Python."""
    for place, word in enumerate(words):
        if _name(word) == WORKER:
            return place
        if word == "steadyspot.worker" and words[place - 1] == "-m":
            return next((n for n, one in enumerate(words) if "python" in _name(one)), place)
    return None


def _name(path: str) -> str:
    return PurePosixPath(path).name
