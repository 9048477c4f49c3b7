"""Which container engine is taken, and how it is called; its client is a script that notes it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from steadyspot.deploy.local.engines import (
    ANY,
    Engine,
    ImageCommand,
    ImageContainer,
    engine_for,
)
from steadyspot.deploy.trouble import Trouble

CLIENT = """#!/bin/sh
echo "$@" >> "$0.asked"
case "$1 $2" in
  info*) exit {info} ;;
  "image inspect") [ "$3" = --format ] && echo SIGQUIT; exit 0 ;;
  create*) [ "$TOKEN" = secret ] || exit 9; exit {create} ;;
  start*) echo one; echo two ;;
  inspect*) echo '{{"ExitCode": 137, "OOMKilled": true}}' ;;
esac
"""


def client(folder: Path, name: str, *, info: int = 0, create: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(CLIENT.format(info=info, create=create))
    program.chmod(0o755)
    return program


def test_a_client_without_a_daemon_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    client(tmp_path, "podman", info=1)
    docker = client(tmp_path, "docker")
    assert engine_for(ANY) == Engine("docker", str(docker))
    with pytest.raises(Trouble, match="No engine answers here: tried podman") as refused:
        engine_for("podman")
    assert "leave --runtime out" in refused.value.what_to_do
    client(tmp_path, "docker", info=1)
    with pytest.raises(Trouble, match="tried podman and docker"):
        engine_for(ANY)


def command(program: Path, **more: Any) -> ImageCommand:
    engine = Engine(program.name, str(program))
    return ImageCommand(
        engine, "img:1", ["a", "b"], {"TOKEN": "secret"}, memory_bytes=512 << 20, **more
    )


def test_a_container_is_made_run_and_removed_and_no_value_of_a_variable_is_a_word(
    tmp_path: Path,
) -> None:
    program = client(tmp_path, "podman")
    lines: list[str] = []
    ended: list[tuple[int, bool]] = []
    done = threading.Event()

    def end(code: int, out_of_memory: bool) -> None:
        ended.append((code, out_of_memory))
        done.set()

    more = {"entrypoint": ["first", "second"], "user": "1:1", "read_only": True, "drop": ["ALL"]}
    container = ImageContainer(
        command(program, folders=["/tmp"], workdir="/work", **more),
        on_line=lines.append,
        on_end=end,
    )
    assert container.start() == ""
    assert done.wait(60)
    assert (lines, ended) == (["one", "two"], [(137, True)])
    container.stop()
    asked = Path(f"{program}.asked").read_text()
    assert "secret" not in asked
    (made,) = (line.split() for line in asked.splitlines() if line.startswith("create"))
    name = made[made.index("--name") + 1]
    assert made[made.index("--entrypoint") + 1] == "first"
    assert made[-4:] == ["img:1", "second", "a", "b"]
    for words in ("--env TOKEN", "--memory 536870912", "--read-only", "--cap-drop ALL"):
        assert words in asked
    assert f"rm --force --volumes {name}" in asked
    assert f"kill --signal SIGQUIT {name}" in asked


def test_a_container_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    program = client(tmp_path, "docker", create=125)
    program.write_text(program.read_text().replace("exit 125", "echo no such user; exit 125"))
    container = ImageContainer(
        command(program), on_line=lambda _: None, on_end=lambda _code, _memory: None
    )
    assert container.start() == "no such user"
