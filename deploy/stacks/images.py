"""Brings a job's image to where Fargate can pull it, and names it by its digest.

An image in a registry is taken from there. Any other name is one of this machine's container
engine: it is built where a Dockerfile lies beside the configuration (and the worker's image before
it, where it is made from that), pushed to the platform's repository under a tag made of its
content, and so pushed once. A digest in the task definition means that a run gets what was
deployed.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import steadyspot
from steadyspot.deploy.aws.local_session import PROCESS
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.image_config import WORKER, ImageConfig, config_of, remarks
from steadyspot.deploy.stacks.image_names import ECR, in_registry
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen
    from steadyspot.deploy.target import Target

ENGINES = ("docker", "podman", "finch")
_FROM_WORKER = re.compile(
    rf"^\s*(FROM(\s+--platform=\S+)?\s+|COPY\s.*--from=){WORKER}(:latest)?(\s|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A line by which an image begins with the worker's, or copies the worker from it."""
_PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}

Run = Callable[[Sequence[str], str], str]
"""Runs a program with a text as its input; returns what it prints, raises CalledProcessError."""


def run_program(command: Sequence[str], text: str) -> str:
    """Run a program of this machine; what it reports on standard error goes to the terminal."""
    done = subprocess.run(
        command, input=text, check=True, text=True, stdout=subprocess.PIPE, stderr=None
    )
    return done.stdout


class Engine:
    """The container engine of this machine; the three have the same commands."""

    def __init__(self, program: str, run: Run = run_program) -> None:
        self._program = program
        self._run = run

    def has(self, image: str) -> bool:
        """Return whether the image is on this machine."""
        return bool(self._do("image", "ls", "--quiet", image).strip())

    def build(self, image: str, dockerfile: Path, architecture: str, context: Path) -> None:
        """Build an image from a Dockerfile and the files of a folder, the context."""
        self._do(
            "build",
            "--platform",
            f"linux/{_PLATFORMS[architecture]}",
            "--file",
            str(dockerfile),
            "--tag",
            image,
            str(context),
        )

    def about(self, image: str) -> ImageConfig:
        """Return what the image says of itself, its id in hexadecimal."""
        said = self._do("image", "inspect", image)
        try:
            described = dict(json.loads(said)[0])
        except (ValueError, LookupError, TypeError):
            raise Trouble(
                f"{self._program} image inspect {image} printed something else than JSON.",
                "Look what it says; another engine may lie under that name.",
            ) from None
        return config_of(described["Id"].removeprefix("sha256:"), described)

    def push(self, image: str, to: str, user: str, password: str) -> None:
        """Push an image under another name."""
        registry = to.partition("/")[0]
        self._do("login", "--username", user, "--password-stdin", registry, text=password)
        self._do("tag", image, to)
        self._do("push", to)

    def _do(self, *arguments: str, text: str = "") -> str:
        try:
            return self._run([self._program, *arguments], text)
        except subprocess.CalledProcessError as error:
            raise Trouble(
                f"{self._program} {' '.join(arguments[:2])} failed, exit code {error.returncode}.",
                "What it printed above says why; mend that, then run the same command again.",
            ) from None


@contextmanager
def worker_context() -> Iterator[Path]:
    """Yield a folder that ``worker/Dockerfile`` can be built from, with this command line's worker.

    It is laid out as the repository is, wherever the package lies.
    """
    package = Path(steadyspot.__file__).parent
    with tempfile.TemporaryDirectory(prefix="steadyspot-image-") as folder:
        context = Path(folder)
        api = context / "steadyspot"
        api.mkdir()
        for module in package.glob("*.py"):
            shutil.copy(module, api)
        ignored = shutil.ignore_patterns("__pycache__")
        for room in ("contract", "memory"):
            shutil.copytree(package / room, api / room, ignore=ignored)
        shutil.copytree(package / "worker", context / "worker", ignore=ignored)
        yield context


def build_worker(engine: Engine, architecture: str, image: str = WORKER) -> None:
    """Build the worker's image."""
    with worker_context() as context:
        engine.build(image, context / "worker" / "Dockerfile", architecture, context)


def engine_here(
    which: Callable[[str], str | None] = shutil.which, run: Run = run_program
) -> Engine:
    """Return the first container engine that this machine has.

    Raises
    ------
    Trouble
        When it has none.
    """
    found = next((name for name in ENGINES if which(name)), None)
    if found is None:
        raise Trouble(
            f"There is none of {', '.join(ENGINES)} here to push the image with.",
            "Install one, or name an image in a registry: --image, or image in steadyspot.toml.",
        )
    return Engine(found, run)


def pinned(
    target: Target,
    job: Job,
    screen: Screen,
    given: str | None = None,
    engine: Callable[[], Engine] = engine_here,
) -> str:
    """Return the image that the job's task definition is to name, pushed where that is needed.

    Raises
    ------
    Trouble
        When there is no such image, it is of another architecture, or no engine can push it.
    """
    image = given or job.image
    switches = target.switches
    if switches is not None:
        switches.register_image(image, workdir=_folder(target))
        screen.say(f"  {runs_here_as(target, job, image)}")
        return image
    if in_registry(image):
        return _by_digest(target, image, screen)
    return _pushed(target, job, image, screen, engine())


def runs_here_as(target: Target, job: Job, image: str) -> str:
    """Return what the embedded AWS runs in the place of an image; empty on AWS."""
    switches = target.switches
    if switches is None:
        return ""
    runtime = switches.runtime()
    if runtime != PROCESS:
        return f"{job.name}: the image {image} runs under {runtime}, on this machine."
    beside = [*job.sidecars, *(name for name, one in job.volumes.items() if one.efs)]
    return (
        f"{job.name} names the image {image}: here its command runs as a process of this "
        f"machine, in {_folder(target)}"
        + (f", alone: without {', '.join(beside)}" if beside else "")
    )


def _folder(target: Target) -> str:
    return str(target.config.path.parent.resolve())


def registry_in(target: Target, region: str) -> Any:
    """Return a client of ECR for an image that may lie in another region."""
    here = region == target.session.region_name
    return target.client("ecr") if here else target.client("ecr", region)


def _by_digest(target: Target, image: str, screen: Screen) -> str:
    found = ECR.fullmatch(image)
    if found is None:
        if "@sha256:" not in image:
            screen.say(f"  {image} is not named by its digest: what lies under it may change")
        return image
    if found["digest"]:
        return image
    ecr = registry_in(target, found["region"])
    digest = _digest(ecr, found["repository"], found["tag"] or "latest", found["account"])
    if digest is None:
        raise Trouble(
            f"There is no image {image}.",
            "Push it, or correct its name: --image, or image in steadyspot.toml.",
        )
    return f"{image.partition(':')[0]}@{digest}"


def _digest(ecr: Any, repository: str, tag: str, account: str | None = None) -> str | None:
    try:
        shown = ecr.describe_images(
            repositoryName=repository,
            imageIds=[{"imageTag": tag}],
            **({"registryId": account} if account else {}),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in (
            "ImageNotFoundException",
            "RepositoryNotFoundException",
        ):
            return None
        raise
    return str(shown["imageDetails"][0]["imageDigest"])


def _pushed(target: Target, job: Job, image: str, screen: Screen, engine: Engine) -> str:
    dockerfile = target.config.path.parent / "Dockerfile"
    if dockerfile.is_file():
        if _FROM_WORKER.search(dockerfile.read_text("utf-8")):
            screen.say(f"  building {WORKER}, which {image} needs")
            build_worker(engine, job.architecture)
        screen.say(f"  building {image} from {dockerfile}")
        engine.build(image, dockerfile, job.architecture, dockerfile.parent)
    elif not engine.has(image):
        raise Trouble(
            f"There is no image {image} on this machine.",
            "Build it under that name, put a Dockerfile beside steadyspot.toml, or name one in a "
            "registry: --image.",
        )
    config = engine.about(image)
    if config.architecture != _PLATFORMS[job.architecture]:
        raise Trouble(
            f"The image {image} is for {config.architecture}, "
            f"but {job.name} runs on {job.architecture}.",
            f"Build it with --platform linux/{_PLATFORMS[job.architecture]}, "
            "or set architecture in steadyspot.toml.",
        )
    for remark in remarks(config, replace(job, image=image)):
        if remark.bad:
            raise Trouble(remark.text, remark.what_to_do)
        screen.say(f"  {remark.text}")
    ecr, platform = target.client("ecr"), target.platform
    tag = f"{job.name}-{config.name[:12]}"
    digest = _digest(ecr, platform["Repository"], tag)
    if digest is None:
        screen.say(f"  pushing {image} to {platform['RepositoryUri']}:{tag}")
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        engine.push(image, f"{platform['RepositoryUri']}:{tag}", user, password)
        digest = _digest(ecr, platform["Repository"], tag)
    return f"{platform['RepositoryUri']}@{digest}"
