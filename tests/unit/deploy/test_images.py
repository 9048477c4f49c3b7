"""Images: pinned by digest, pushed once, refused where they cannot run."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.checks.images import platforms
from steadyspot.deploy.cli.screen import silent
from steadyspot.deploy.stacks.config import Config, Job, Platform
from steadyspot.deploy.stacks.image_names import in_registry, repository_in
from steadyspot.deploy.stacks.images import Engine, engine_here, pinned
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Calls, refusal

ROOT = Path(__file__).parents[3]
URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop"
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "there"),
    [
        ("night:1", False),
        ("team/night:1", False),
        ("localhost:5000/night", True),
        (f"{URI}:1", True),
        ("public.ecr.aws/docker/library/python:3", True),
    ],
)
def test_which_names_are_of_a_registry(image: str, there: bool) -> None:
    assert in_registry(image) is there


def test_the_repository_in_a_name() -> None:
    assert repository_in(f"{URI}/night:1") == "shop/night"
    assert repository_in(f"{URI}@{DIGEST}") == "shop"
    assert repository_in("public.ecr.aws/x/y:1") == ""


class Registry(Calls):
    def __init__(self, *found: str | None) -> None:
        self.answers = list(found)
        token = base64.b64encode(b"AWS:secret").decode()
        super().__init__(
            describe_images=self._describe,
            get_authorization_token=lambda: {"authorizationData": [{"authorizationToken": token}]},
        )

    def _describe(self, **_: Any) -> dict[str, Any]:
        digest = self.answers.pop(0)
        if digest is None:
            raise refusal("ImageNotFoundException")
        return {"imageDetails": [{"imageDigest": digest}]}


class Programs:
    """Stands in for docker: knows some images, and keeps what it was asked to do."""

    def __init__(
        self,
        *known: str,
        architecture: str = "amd64",
        fails: str = "",
        config: dict[str, Any] | None = None,
    ) -> None:
        self.known = known
        self.config = config or {"Entrypoint": ["steadyspot-worker"], "Cmd": ["python", "job.py"]}
        self.architecture = architecture
        self.fails = fails
        self.done: list[str] = []
        self.inputs: list[str] = []
        self.contexts: list[set[str]] = []

    def __call__(self, command: Sequence[str], text: str) -> str:
        if "build" in command:
            context = Path(command[-1])
            self.contexts.append({str(path.relative_to(context)) for path in context.rglob("*")})
        self.done.append(" ".join(command))
        self.inputs.append(text)
        if self.fails and self.fails in command:
            raise subprocess.CalledProcessError(1, command)
        if "ls" in command:
            return "id\n" if command[-1] in self.known else ""
        about = {"Id": f"sha256:{'b' * 64}", "Architecture": self.architecture}
        return json.dumps([about | {"Config": self.config}]) if "inspect" in command else ""


def deploy(
    tmp_path: Path, image: str, registry: Registry, programs: Programs, given: str | None = None
) -> str:
    job = Job(name="night", image=image)
    target: Any = SimpleNamespace(
        switches=None,
        config=Config(tmp_path / "steadyspot.toml", Platform(), {"night": job}),
        platform={"Repository": "shop", "RepositoryUri": URI},
        client=lambda _service: registry,
        session=SimpleNamespace(region_name="eu-central-1"),
    )
    return pinned(target, job, silent(), given, lambda: Engine("docker", programs))


def test_a_tag_of_ecr_is_pinned_by_its_digest(tmp_path: Path) -> None:
    assert deploy(tmp_path, f"{URI}:1", Registry(DIGEST), Programs()) == f"{URI}@{DIGEST}"


def test_a_digest_is_taken_as_it_is_and_given_goes_before_configured(tmp_path: Path) -> None:
    registry, programs = Registry(), Programs()
    assert deploy(tmp_path, "night", registry, programs, f"{URI}@{DIGEST}") == f"{URI}@{DIGEST}"
    assert (registry.made, programs.done) == ([], [])


def test_a_tag_that_is_not_there_is_said_before_anything_is_deployed(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="There is no image"):
        deploy(tmp_path, f"{URI}:1", Registry(None), Programs())


def test_an_image_of_this_machine_is_pushed_under_a_tag_of_its_content(tmp_path: Path) -> None:
    programs = Programs("night")
    assert deploy(tmp_path, "night", Registry(None, DIGEST), programs) == f"{URI}@{DIGEST}"
    assert programs.done[-1] == f"docker push {URI}:night-bbbbbbbbbbbb"
    assert programs.inputs[-3] == "secret"
    assert not any("secret" in command for command in programs.done)


def test_what_was_pushed_already_is_not_pushed_again(tmp_path: Path) -> None:
    programs = Programs("night")
    deploy(tmp_path, "night", Registry(DIGEST), programs)
    assert not any("push" in command for command in programs.done)


def test_a_dockerfile_beside_the_configuration_is_built_for_the_jobs_architecture(
    tmp_path: Path,
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    programs = Programs()
    deploy(tmp_path, "night", Registry(DIGEST), programs)
    assert programs.done[0].startswith("docker build --platform linux/amd64 ")
    assert programs.done[0].endswith(f"--tag night {tmp_path}")


@pytest.mark.parametrize("line", ["FROM steadyspot-worker", "from steadyspot-worker AS job"])
def test_an_image_made_from_the_worker_has_that_built_before_it(tmp_path: Path, line: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"# ours\n{line}\nCMD job\n")
    programs = Programs()
    deploy(tmp_path, "night", Registry(DIGEST), programs)
    worker, job = programs.done[:2]
    context = worker.rpartition(" ")[2]
    assert worker.endswith(f"--file {context}/worker/Dockerfile --tag steadyspot-worker {context}")
    assert not Path(context).exists()
    assert worker.startswith("docker build --platform linux/amd64 ")
    assert "--tag night" in job


def test_the_workers_image_is_built_from_what_its_dockerfile_copies_and_nothing_else(
    tmp_path: Path,
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM steadyspot-worker\n")
    programs = Programs()
    deploy(tmp_path, "night", Registry(DIGEST), programs)
    context = programs.contexts[0]
    assert {
        "steadyspot/run.py",
        "steadyspot/contract/logs.py",
        "steadyspot/memory/aside.py",
        "worker/requirements.txt",
        "worker/keeping/fence.py",
    } <= context
    assert {path.partition("/")[0] for path in context} == {"steadyspot", "worker"}
    assert not any("__pycache__" in path or "deploy" in path for path in context)


def test_the_demos_image_is_made_from_the_worker_with_the_libraries_that_are_tested() -> None:
    assert "FROM steadyspot-worker" in (ROOT / "Dockerfile").read_text()
    text = (ROOT / "examples" / "requirements.txt").read_text()
    for library in ("duckdb", "boto3", "tpchgen-cli"):
        assert f"{library}=={version(library)}" in text


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        (Programs(), "no image night on this machine"),
        (Programs("night", architecture="arm64"), "is for arm64, but night runs on x86_64"),
        (Programs("night", fails="push"), "docker push .* failed"),
    ],
    ids=["not there", "wrong architecture", "refused by the registry"],
)
def test_an_image_that_cannot_be_used_is_trouble(
    tmp_path: Path, programs: Programs, said: str
) -> None:
    with pytest.raises(Trouble, match=said):
        deploy(tmp_path, "night", Registry(None, DIGEST), programs)


def test_the_first_engine_of_three_is_taken_and_none_is_trouble() -> None:
    asked: list[str] = []

    def only_finch(name: str) -> str | None:
        asked.append(name)
        return name if name == "finch" else None

    engine_here(only_finch)
    assert asked == ["docker", "podman", "finch"]
    with pytest.raises(Trouble, match="none of docker, podman, finch"):
        engine_here(lambda _: None)


def test_the_platforms_of_an_index() -> None:
    listed = [
        {"digest": "w", "platform": {"os": "windows", "architecture": "amd64"}},
        {"digest": "l", "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": "a", "platform": {"architecture": "arm64", "variant": "v8"}},
        {"digest": "?", "platform": {"architecture": "unknown", "os": "unknown"}},
        {"digest": "?", "platform": {"architecture": "unknown"}},
    ]
    assert platforms({"manifests": listed}) == {"amd64": "l", "arm64": "a"}
    assert platforms({"config": {}}) == {}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Entrypoint": ["python"], "Cmd": ["job.py"]}, "starts python in its place"),
        ({"Entrypoint": ["steadyspot-worker"], "Cmd": ["x"], "StopSignal": "SIGKILL"}, "SIGKILL"),
    ],
)
def test_an_image_that_could_not_be_stopped_is_not_pushed(
    tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    programs = Programs("night", config=config)
    with pytest.raises(Trouble, match=words):
        deploy(tmp_path, "night", Registry(None), programs)
    assert not any("push" in done for done in programs.done)


@pytest.mark.parametrize("file", ["Dockerfile", "worker/Dockerfile"])
def test_our_own_images_are_stopped_by_sigterm_whatever_they_are_made_from(file: str) -> None:
    assert "\nSTOPSIGNAL SIGTERM\n" in (ROOT / file).read_text()
