"""What `check` looks at in a job's image: that it is there, for the right architecture.

Images are looked for in ECR or on this machine; other registries are not asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from steadyspot.deploy.checks.findings import Finding, Level, Looks
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.image_names import ECR, in_registry

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def images(looks: Looks) -> Iterator[Finding]:
    """Yield whether each image is there, for the right architecture."""
    for job in looks.jobs:
        yield _image(looks, job)


def _image(looks: Looks, job: Job) -> Finding:
    about = f"{job.name}: image"
    if looks.local:
        return Finding(about, Level.GOOD, f"{job.image}: a name of this machine's set-up")
    if not in_registry(job.image):
        return _image_here(looks, job, about)
    found = ECR.fullmatch(job.image)
    if not found:
        return Finding(
            about, Level.NOTE, f"{job.image} is not in ECR: whether it is there was not looked up"
        )
    which = (
        {"imageDigest": found["digest"]}
        if found["digest"]
        else {"imageTag": found["tag"] or "latest"}
    )
    shown = looks.client("ecr").batch_get_image(
        registryId=found["account"], repositoryName=found["repository"], imageIds=[which]
    )
    if not shown["images"]:
        return Finding(
            about, Level.BAD, f"{job.image} is not there.", "Push it, or correct its name."
        )
    return _for_architecture(job, about, architectures(shown["images"][0]["imageManifest"]))


def _image_here(looks: Looks, job: Job, about: str) -> Finding:
    engine = looks.engine()
    if (looks.target.config.path.parent / "Dockerfile").is_file():
        return Finding(about, Level.GOOD, f"{job.image} will be built and pushed")
    if not engine.has(job.image):
        return Finding(
            about,
            Level.BAD,
            f"{job.image} is not on this machine.",
            "Build it under that name, or name one in a registry.",
        )
    return _for_architecture(job, about, {engine.about(job.image)[1]})


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


def architectures(manifest: str) -> set[str]:
    """Return what an image is built for, from the manifest of ECR; empty where it does not say."""
    import json

    listed = json.loads(manifest).get("manifests", [])
    return {
        one["platform"]["architecture"]
        for one in listed
        if one.get("platform", {}).get("architecture", "unknown") != "unknown"
    }
