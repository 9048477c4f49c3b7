"""Building and running the worker's image with podman, also on a machine without an image registry.

The base image is made of the distribution's own packages with debootstrap where that is there, and
pip fetches the worker's libraries outside, so that the build itself needs no network.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/steadyspot-python-base:bookworm"
IMAGE = "localhost/steadyspot-worker:test"
BUILT = "localhost/steadyspot-worker:built"
ARM64_BASE = "localhost/steadyspot-python-base:bookworm-arm64"
ARM64_IMAGE = "localhost/steadyspot-worker:test-arm64"
EMULATOR = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


def missing() -> str:
    """Why the real image cannot be built here, or nothing."""
    for tool in ("podman", "buildah", "runc"):
        if not shutil.which(tool):
            return f"no {tool} on this machine"
    if _has(BASE) or shutil.which("debootstrap"):
        return ""
    return "no base image and no debootstrap to make one"


def missing_for_arm64() -> str:
    """Why the image for arm64 cannot be built and run here, or nothing."""
    if not EMULATOR.exists():
        return "no emulator of arm64 is registered on this machine"
    if _has(ARM64_BASE) or shutil.which("mmdebstrap"):
        return missing()
    return "no base image for arm64 and no mmdebstrap to make one"


def build(folder: Path) -> None:
    """Make the base image once, and the worker's image."""
    if not _has(BASE):
        _make_base(folder / "root")
    _build(folder, BASE, IMAGE)


def build_for_arm64(folder: Path) -> None:
    """The same for the other architecture: made here, as ``$BUILDPLATFORM`` says, and copied."""
    if not _has(ARM64_BASE):
        _make_arm64_base(folder / "root.tar")
    _build(folder, BASE, BUILT, "--target=build")
    made = _run("buildah", "from", BUILT).strip()
    try:
        made_here = f"--build-context=build={_run('buildah', 'mount', made).strip()}"
        _build(folder, ARM64_BASE, ARM64_IMAGE, "--platform=linux/arm64", made_here)
    finally:
        _run("buildah", "rm", made)


def derive(folder: Path, dockerfile: str, name: str) -> str:
    """Build an image from a folder as a user's Dockerfile has it; its tag."""
    tag = f"localhost/steadyspot-derived:{name}"
    (folder / "Dockerfile").write_text(dockerfile)
    _run("buildah", "bud", "--network=host", "--isolation=chroot", "-t", tag, str(folder))
    return tag


def build_demo(folder: Path) -> str:
    """Build the checkout's own Dockerfile, from the worker's image; its tag."""
    tag = "localhost/steadyspot-demo:test"
    wheels = folder / "wheels"
    _run(
        sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:",
        "--python-version=3.11", "--require-hashes",
        "-r", str(ROOT / "examples" / "requirements.txt"), "-d", str(wheels),
    )  # fmt: skip
    settings = folder / "pip.conf"
    # Debian's pip, other than that of the official images, asks whether it may.
    settings.write_text(
        "[global]\nno-index = true\nfind-links = /wheels\nbreak-system-packages = true\n"
    )
    _run(
        "buildah", "bud", "--network=host", "--isolation=chroot", f"--from={IMAGE}",
        f"--volume={wheels}:/wheels:ro", f"--volume={settings}:/etc/pip.conf:ro",
        "-t", tag, str(ROOT),
    )  # fmt: skip
    return tag


class Container:
    """A started container; it is removed by ``remove``."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        options: list[str],
        image: str = IMAGE,
    ) -> None:
        given = [f"--env={name}={value}" for name, value in (environment or {}).items()]
        self.id = _run(
            "podman", "--runtime", "runc", "run", "--detach", *LIMITS, "--network=host",
            *given, *options, image, *arguments,
        ).strip()  # fmt: skip

    def logs(self) -> str:
        done = subprocess.run(
            ["podman", "logs", self.id], check=False, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    def wait_for(self, says: str, timeout_seconds: float = 90) -> None:
        """Wait until the container printed the text."""
        with subprocess.Popen(
            ["podman", "logs", "--follow", self.id],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as following:
            assert following.stdout
            patience = threading.Timer(timeout_seconds, following.kill)
            patience.start()
            found = any(says in line for line in following.stdout)
            patience.cancel()
            following.kill()
        assert found, f"never said {says!r}: {self.logs()}"

    def stop(self, grace_seconds: int) -> None:
        """What ECS does: SIGTERM, and SIGKILL at the end of the grace."""
        _run("podman", "--runtime", "runc", "stop", "-t", str(grace_seconds), self.id)

    def signal(self, name: str) -> None:
        _run("podman", "--runtime", "runc", "kill", f"--signal={name}", self.id)

    def end(self) -> int:
        return int(_run("podman", "wait", self.id))

    def run(self, *command: str) -> str:
        """Run a command inside; what it printed."""
        return _run("podman", "--runtime", "runc", "exec", self.id, *command)

    def exit_code(self) -> int:
        return int(self.state()["ExitCode"])

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(_run("podman", "inspect", self.id))[0]["State"]
        return found

    def remove(self) -> None:
        subprocess.run(
            ["podman", "--runtime", "runc", "rm", "-f", "-v", "-t", "0", self.id],
            check=False,
            capture_output=True,
        )


def image(tag: str = IMAGE) -> dict[str, Any]:
    """What the engine says of a built image."""
    found: dict[str, Any] = json.loads(_run("podman", "image", "inspect", tag))[0]
    return found


def base_size() -> int:
    """Bytes of the base image."""
    return int(image(BASE)["Size"])


def _build(folder: Path, base: str, tag: str, *options: str) -> None:
    wheels = folder / "wheels"
    requirements = ROOT / "worker" / "requirements.txt"
    _run(
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
        "-r", str(requirements), "-d", str(wheels),
    )  # fmt: skip
    # With layers, since the libraries seldom change.
    _run(
        "buildah", "bud", "--layers", "--network=host", "--isolation=chroot",
        f"--volume={wheels}:/wheels:ro", "--build-arg", f"BASE_IMAGE={base}",
        "--build-arg", "PIP_FIND_LINKS=/wheels", "--build-arg", "PIP_NO_INDEX=1",
        *options, "-t", tag, "--file", str(ROOT / "worker" / "Dockerfile"), str(ROOT),
    )  # fmt: skip


def _make_arm64_base(archive: Path) -> None:
    """Packages unpacked and nothing of theirs run, which would take minutes in an emulator."""
    packages = "base-files,bash,coreutils,dash,findutils,python3,python3-venv,python3-pip"
    _run(
        "mmdebstrap", "--variant=extract", "--arch=arm64", f"--include={packages},ca-certificates",
        "bookworm", str(archive),
    )  # fmt: skip
    _run("podman", "import", "-q", "--arch=arm64", str(archive), ARM64_BASE)
    archive.unlink()


def _make_base(root: Path) -> None:
    packages = "python3,python3-venv,python3-pip,ca-certificates"
    _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root))
    try:
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(["podman", "import", "-q", "-", BASE], check=True, stdin=tar.stdout)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _has(name: str) -> bool:
    done = subprocess.run(["podman", "image", "exists", name], check=False, capture_output=True)
    return done.returncode == 0


def _run(*command: str) -> str:
    # conmon leaves a file called "oom" where it was started: among the folders that pytest keeps.
    kept = Path(os.environ["PYTEST_DEBUG_TEMPROOT"]) / f"pytest-of-{getpass.getuser()}"
    kept.mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=kept)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
