"""What `check` looks at in a job's image: that it is there, for the right architecture, stoppable.

Images are looked for in ECR or on this machine; other registries are not asked. What is built by
``up`` is looked at there. Of an image in ECR three small things are read: the manifest, from an
index that of the job's architecture, and the configuration that it names.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.image_config import (
    ImageConfig,
    config_of,
    keys_without_folder,
    remarks,
)
from steadyspot.deploy.stacks.image_names import ECR, in_registry, lies_elsewhere
from steadyspot.deploy.stacks.images import registry_in

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}
_FETCH_SECONDS, _FETCH_BYTES = 10.0, 1 << 20
_MANIFESTS = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]


def images(looks: Looks) -> Iterator[Finding]:
    """Yield whether each image is there, for the right architecture, and can be stopped in time."""
    for job in looks.jobs:
        yield from _image(looks, job, f"{job.name}: image")


def _image(looks: Looks, job: Job, about: str) -> Iterator[Finding]:
    if looks.local:
        yield Finding(about, Level.GOOD, f"{job.image}: a name of this machine's set-up")
    elif found := ECR.fullmatch(job.image):
        which = (
            {"imageDigest": found["digest"]}
            if found["digest"]
            else {"imageTag": found["tag"] or "latest"}
        )
        there = _Repository(
            registry_in(looks.target, found["region"]), found["account"], found["repository"]
        )
        yield from _in_ecr(there, which, job, about)
        if lies_elsewhere(job.image, looks.target.config.platform):
            yield from _elsewhere(looks, found["account"], about)
    elif in_registry(job.image):
        text = f"{job.image} is not in ECR: whether it is there was not looked up"
        yield Finding(about, Level.NOTE, text)
    else:
        yield from _here(looks, job, about)


def _elsewhere(looks: Looks, account: str, about: str) -> Iterator[Finding]:
    """Yield whom a repository of another account must let in, which its own policy says."""
    own = looks.client("sts").get_caller_identity()["Account"]
    if account != own:
        yield Finding(
            about,
            Level.NOTE,
            f"it lies in account {account}, whose repository's policy cannot be read from here",
            f"It must let arn:aws:iam::{own}:root pull: ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability.",
        )


def _here(looks: Looks, job: Job, about: str) -> Iterator[Finding]:
    engine = looks.engine()
    if (looks.target.config.path.parent / "Dockerfile").is_file():
        yield Finding(about, Level.GOOD, f"{job.image} will be built, looked at and pushed by up")
    elif engine.has(job.image):
        config = engine.about(job.image)
        yield _for_architecture(job, about, {config.architecture})
        yield from _stoppable(config, job)
        yield from _folders(config, job)
    else:
        yield Finding(
            about,
            Level.BAD,
            f"{job.image} is not on this machine.",
            "Build it under that name, or name one in a registry.",
        )


def _in_ecr(there: _Repository, which: dict[str, str], job: Job, about: str) -> Iterator[Finding]:
    manifest = there.manifest(which)
    if manifest is None:
        yield Finding(
            about, Level.BAD, f"{job.image} is not there.", "Push it, or correct its name."
        )
        return
    offered, config = set(platforms(manifest)), None
    why_not = "its manifest names no configuration"
    try:
        config = there.config(manifest, job.architecture)
    except ClientError as error:
        why_not = error.response["Error"]["Code"]
    except (OSError, ValueError) as error:
        why_not = str(getattr(error, "reason", error))
    if config:
        offered = offered or {config.architecture}
    yield _for_architecture(job, about, offered)
    if config:
        yield from _stoppable(config, job)
        yield from _folders(config, job)
    elif not offered or job.architecture in map(_ARCHITECTURES.get, offered):
        yield Finding(
            f"{job.name}: stop",
            Level.NOTE,
            f"what {job.image} starts, and is stopped by, could not be looked at: {why_not}",
            "Check with credentials that may use ecr:BatchGetImage and ecr:GetDownloadUrlForLayer.",
        )


@dataclass(frozen=True)
class _Repository:
    """One repository of ECR."""

    ecr: Any
    account: str
    name: str

    def manifest(self, which: dict[str, str]) -> dict[str, Any] | None:
        """Return the manifest of an image by its tag or digest; none where it is not there."""
        try:
            shown = self.ecr.batch_get_image(
                registryId=self.account,
                repositoryName=self.name,
                imageIds=[which],
                acceptedMediaTypes=_MANIFESTS,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "RepositoryNotFoundException":
                return None
            raise
        found: list[dict[str, Any]] = [json.loads(i["imageManifest"]) for i in shown["images"]]
        return found[0] if found else None

    def config(self, manifest: dict[str, Any], architecture: str) -> ImageConfig | None:
        """Return what the image says of itself for one architecture; none where it does not."""
        by_architecture = platforms(manifest)
        if by_architecture:
            found = (d for a, d in by_architecture.items() if _ARCHITECTURES.get(a) == architecture)
            digest = next(found, None)
            manifest = (digest and self.manifest({"imageDigest": digest})) or {}
        digest = manifest.get("config", {}).get("digest")
        if not digest:
            return None
        answer = self.ecr.get_download_url_for_layer(
            registryId=self.account, repositoryName=self.name, layerDigest=digest
        )
        return config_of(digest, json.loads(_fetched(answer["downloadUrl"])))


def _fetched(url: str) -> bytes:
    """Return what lies under an address that needs no credentials; OSError where it cannot be got.

    It is small: what is longer is cut, and is no JSON then.
    """
    with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:
        found: bytes = answer.read(_FETCH_BYTES)
    return found


def _for_architecture(job: Job, about: str, found: set[str]) -> Finding:
    names = {_ARCHITECTURES.get(name, name) for name in found}
    if names and job.architecture not in names:
        return Finding(
            about,
            Level.BAD,
            f"{job.image} is for {', '.join(sorted(names))}, "
            f"but the job runs on {job.architecture}.",
            f"Build it for {job.architecture}, or set architecture in steadyspot.toml.",
        )
    return Finding(about, Level.GOOD, f"{job.image} is there, for {job.architecture}")


def _stoppable(config: ImageConfig, job: Job) -> Iterator[Finding]:
    about = f"{job.name}: stop"
    found = remarks(config, job)
    for one in found:
        yield Finding(about, Level.BAD if one.bad else Level.NOTE, one.text, one.what_to_do)
    if not found:
        yield Finding(about, Level.GOOD, f"{config.stop_signal} goes to the worker, as it should")


def _folders(config: ImageConfig, job: Job) -> Iterator[Finding]:
    """Yield keys about folders that nobody names; a job may wait for its marker to go for ever."""
    for key in keys_without_folder(config, job):
        folder = "output_dir" if key == "output_ignore" else "checkpoint_dir or output_dir"
        yield Finding(
            f"{job.name}: {key}",
            Level.BAD if key == "marker" else Level.NOTE,
            f"{key} is of no use: neither the job nor {job.image} names {folder}.",
            f"Name {folder}, or leave {key} out.",
        )


def platforms(manifest: dict[str, Any]) -> dict[str, str]:
    """Return architectures and digests from an index; empty for the manifest of one image. Pure."""
    found: dict[str, str] = {}
    for one in manifest.get("manifests", []):
        platform = one.get("platform", {})
        if platform.get("os", "linux") == "linux" and platform.get("architecture"):
            found.setdefault(platform["architecture"], one.get("digest", ""))
    found.pop("unknown", None)  # Attestations of the others.
    return found
