"""What an image says of itself: whether a stop reaches the worker in it, told in one sentence."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from steadyspot.contract.signals import STOPS, stop_number
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.image_config import config_of, keys_without_folder, remarks

W = "steadyspot-worker"
SHELL = ["/bin/sh", "-c"]


def said(job: dict[str, Any] | None = None, **config: Any) -> list[tuple[bool, str]]:
    """What is said of an image, as a registry describes it and as an engine does."""
    night = Job(name="night", image="night:1", **(job or {}))
    one, other = (
        remarks(config_of("x", described), night)
        for described in (
            {"architecture": "amd64", "config": config},
            {"Architecture": "amd64", "Config": config},
        )
    )
    assert one == other
    assert all(remark.what_to_do for remark in one if remark.bad)
    return [(remark.bad, remark.text) for remark in one]


@pytest.mark.parametrize(
    "config",
    [
        {"Entrypoint": [W], "Cmd": ["python", "job.py"]},
        {"Entrypoint": [W], "Cmd": ["python", "job.py"], "StopSignal": "SIGTERM"},
        {"Entrypoint": [W], "Cmd": ["python", "job.py"], "StopSignal": "15"},
        {"Entrypoint": [W], "Cmd": [*SHELL, "python job.py"]},
        {"Entrypoint": [f"/opt/steadyspot/bin/{W}", "--every", "30", "python", "job.py"]},
        {"Entrypoint": None, "Cmd": [W, "python", "job.py"]},
        {"Entrypoint": ["python", "-P", "-m", "steadyspot.worker"], "Cmd": ["job"]},
        {"Entrypoint": [*SHELL, f'exec {W} "$@"', "--"], "Cmd": ["python", "job.py"]},
        {"Entrypoint": [*SHELL, f"umask 077; exec /opt/steadyspot/bin/{W} python job.py"]},
    ],
)
def test_there_is_nothing_to_say_of_an_image_that_starts_the_worker(config: Any) -> None:
    assert said(**config) == []


@pytest.mark.parametrize(
    ("config", "bad", "words"),
    [
        ({}, True, "starts nothing in its place"),
        ({"Cmd": ["python", "job.py"]}, True, "starts python in its place"),
        ({"Entrypoint": ["python"], "Cmd": ["job.py"]}, True, "no run of it would be saved"),
        (
            {"Entrypoint": ["python"], "Env": ["A", "PATH=/opt/steadyspot/bin:/bin"]},
            True,
            "holds the worker, but starts python in its place",
        ),
        ({"Entrypoint": [*SHELL, "python job.py"]}, True, "starts /bin/sh in its place"),
        ({"Entrypoint": [*SHELL, f"{W} python job.py"]}, True, "starts the worker below a shell"),
        ({"Cmd": ["bash", "-c", f"date; {W} job"]}, True, "starts the worker below a shell"),
        ({"Entrypoint": ["/start.sh"], "Cmd": [W, "job"]}, False, "starts /start.sh before"),
        ({"Entrypoint": ["tini", "--", W], "Cmd": ["job"]}, False, "starts tini before the worker"),
        ({"Entrypoint": ["/docker-entrypoint.sh"]}, False, "cannot be seen"),
        ({"Entrypoint": [W], "Cmd": [W, "python", "job.py"]}, True, "once more in the command"),
        ({"Entrypoint": [W]}, True, "Neither night:1 nor night says which command"),
    ],
)
def test_what_starts_in_place_of_the_worker_is_said(config: Any, bad: bool, words: str) -> None:
    ((is_bad, text),) = said(**config)
    assert (is_bad, words in text) == (bad, True), text


def test_the_command_of_the_job_takes_the_place_of_the_images() -> None:
    assert said({"command": ("python", "job.py")}, Entrypoint=[W]) == []
    assert said({"command": ("python", "job.py")}, Entrypoint=[W], Cmd=[W, "job"]) == []
    assert said({"command": ("python", "job.py")}, Cmd=[W]) == []
    ((bad, _),) = said({"command": (W, "python", "job.py")}, Entrypoint=[W], Cmd=["job"])
    assert bad


@pytest.mark.parametrize(
    ("stop_signal", "bad", "words"),
    [
        ("SIGQUIT", False, "STOPSIGNAL SIGQUIT; the worker takes it as a stop"),
        ("WINCH", False, "STOPSIGNAL WINCH; the worker"),
        ("SIGRTMIN+3", False, "the worker takes it"),
        ("2", False, "the worker takes it"),
        ("SIGKILL", True, "SIGKILL, which the worker cannot take as a stop"),
        ("9", True, "nothing would be saved"),
        ("SIGSTOP", True, "cannot take"),
        ("SIGCHLD", True, "cannot take"),
        ("what", True, "cannot take"),
    ],
)
def test_another_stopsignal_is_said(stop_signal: str, bad: bool, words: str) -> None:
    ((is_bad, text),) = said(Entrypoint=[W], Cmd=["job"], StopSignal=stop_signal)
    assert (is_bad, words in text) == (bad, True), text


def test_stopsignal_that_is_forwarded_is_bad() -> None:
    config: dict[str, Any] = {"Entrypoint": [W], "Cmd": ["job"], "StopSignal": "SIGUSR1"}
    ((bad, text),) = said({"forward": ("HUP", "USR1")}, **config)
    assert (bad, "no stop would be noticed" in text) == (True, True)
    ((bad, text),) = said(**config, Env=["STEADYSPOT_FORWARD=USR1,HUP"])
    assert bad
    ((bad, text),) = said({"forward": ("HUP",)}, **config, Env=["STEADYSPOT_FORWARD=USR1"])
    assert not bad


@pytest.mark.parametrize(
    ("job", "config", "keys"),
    [
        ({}, {}, ["marker", "checkpoint_every_seconds", "output_ignore"]),
        ({"checkpoint_dir": "/c"}, {}, ["output_ignore"]),
        ({"output_dir": "/o"}, {}, []),
        ({}, {"Env": ["STEADYSPOT_CHECKPOINT_DIR=/c"]}, ["output_ignore"]),
        ({}, {"Env": ["STEADYSPOT_OUTPUT_DIR=/o"]}, []),
        ({}, {"Entrypoint": [W, "--checkpoint-dir", "/c"]}, ["output_ignore"]),
        ({}, {"Entrypoint": [W, "--output-dir=/o"]}, []),
    ],
)
def test_keys_about_folders_that_nobody_names_are_found(
    job: dict[str, Any], config: dict[str, Any], keys: list[str]
) -> None:
    about: dict[str, Any] = {"marker": "/m", "checkpoint_every_seconds": 9, "output_ignore": ()}
    image = config_of("x", {"config": config})
    assert keys_without_folder(image, Job(name="night", image="night:1", **about, **job)) == keys
    assert keys_without_folder(image, Job(name="night", image="night:1", **job)) == []


def test_the_numbers_of_the_contract_are_those_of_linux() -> None:
    names = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH", "PWR", "RTMIN", "RTMAX")
    for name in names:
        assert (
            stop_number(f"SIG{name}") == stop_number(name.lower()) == getattr(signal, f"SIG{name}")
        )
    assert stop_number("RTMIN+30") == stop_number("SIGRTMAX-0") == signal.SIGRTMAX
    assert {signal.SIGRTMIN, signal.SIGRTMAX} < STOPS
    assert stop_number("RTMIN+31") is None
