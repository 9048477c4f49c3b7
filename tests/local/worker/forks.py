"""Workers that are forked from a process which has loaded all that a worker loads.

Loading takes a worker most of its processor time, and nearly all tests of it begin only then. What
is forked is a process group of its own with the arguments, environment, folder and streams that it
is given. Tests of the start itself, and those that put a program before the worker or another
module in its way, start it anew.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

import botocore.session
from botocore.loaders import create_loader

from steadyspot.contract import Env
from steadyspot.deploy.local import container_init
from steadyspot.deploy.local.containers import Command, Container, Init
from steadyspot.deploy.local.images import WORKER_IMAGE, Images
from steadyspot.worker.__main__ import leave
from steadyspot.worker.keeping.aws import Aws
from steadyspot.worker.keeping.patience import Patience

ROOT = Path(__file__).resolve().parents[3]
ORDER_BYTES = 1 << 20
_image = Images().find(WORKER_IMAGE)
WORKER = _image.entrypoint if _image else ()
"""What starts a worker in a container of the embedded AWS."""
LOADED = ("control", "keeping.keeper", "supervising.ending", "supervising.rhythm")
"""What a worker loads only when the job runs."""


class Forked:
    """A forked worker, as ``subprocess.Popen`` shows one."""

    def __init__(
        self,
        ended: socket.socket,
        stdout: IO[bytes] | None = None,
        stderr: IO[bytes] | None = None,
    ) -> None:
        self._ended = ended
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self.pid = int(ended.recv(32))

    def poll(self) -> int | None:
        """The exit code, or none as long as it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code, negative for the signal that it ended by."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("worker", timeout or 0)
            self.returncode = int(self._ended.recv(32))
            self._ended.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, as ``Popen`` does: one that ends at this very moment gets none."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that forks, seen from the tests."""

    def __init__(self, address: str) -> None:
        self._address = address

    def worker(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> Forked:
        """Fork a worker whose standard output and error can be read."""
        output, printed = os.pipe()
        errors, complained = os.pipe()
        try:
            ended = self._ask([arguments, dict(environment), str(folder)], printed, complained)
        finally:
            os.close(printed)
            os.close(complained)
        return Forked(ended, os.fdopen(output, "rb"), os.fdopen(errors, "rb"))

    def init(self, owner: socket.socket, printed: int) -> Forked:
        """Fork the init of a container of the embedded AWS whose first process is a worker."""
        return Forked(self._ask([], printed, printed, owner.fileno()))

    def _ask(self, order: list[Any], *streams: int) -> socket.socket:
        ended = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ended.connect(self._address)
        socket.send_fds(ended, [json.dumps(order).encode()], list(streams))
        return ended


@contextlib.contextmanager
def forking(folder: Path) -> Iterator[Forks]:
    """Run the process that forks; it ends with this one, whatever happens."""
    address = f"{folder}/forks"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.local.worker.forks", address],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    with server:
        assert server.stdout
        assert server.stdout.readline() == b"ready\n"
        yield Forks(address)


def serve(address: str) -> None:
    """Fork what is asked for, and say how it ended, until standard input is closed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen(64)
    load()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    running: dict[int, tuple[int, socket.socket]] = {}  # By the descriptor of the process.
    while True:
        ready, _, _ = select.select([sys.stdin, listener, *running], [], [])
        if sys.stdin in ready:
            return
        for process in running.keys() & set(ready):
            pid, asked = running.pop(process)
            _, status = os.waitpid(pid, 0)
            os.close(process)
            with contextlib.suppress(OSError), asked:  # Nobody may listen any more.
                asked.send(str(os.waitstatus_to_exitcode(status)).encode())
        if listener in ready:
            asked, _ = listener.accept()
            order, streams, _, _ = socket.recv_fds(asked, ORDER_BYTES, 3)
            if (pid := os.fork()) == 0:
                become(json.loads(order), streams)
            for stream in streams:
                os.close(stream)
            asked.send(str(pid).encode())
            running[os.pidfd_open(pid)] = pid, asked


def load() -> None:
    """Import what a worker imports, and read what it reads of AWS's services."""
    for module in LOADED:
        importlib.import_module(f"steadyspot.worker.{module}")
    loader = create_loader()
    setattr(botocore.session, "create_loader", lambda _: loader)  # noqa: B010
    aws = Aws(1, 1.0, Patience(1.0, print), {"AWS_REGION": "us-east-1"})
    aws.table("table", "job", "run")
    aws.bucket("bucket")
    gc.collect()
    gc.freeze()


def become(order: list[Any], streams: list[int]) -> NoReturn:
    """Be the worker, or the init of a container, that was asked for."""
    os.setsid()
    standard = [os.open("/dev/null", os.O_RDONLY), *streams]
    for number, stream in enumerate(standard):
        os.dup2(stream, number)
    os.closerange(len(standard), os.sysconf("SC_OPEN_MAX"))
    if order:
        arguments, environment, folder = order
        os.chdir(folder)
        be_worker(arguments, environment)
    else:
        container_init.main(len(standard) - 1, Preloaded)
    os._exit(0)


def be_worker(arguments: list[str], environment: dict[str, str]) -> None:
    """Do what the worker's own process does from its first line on."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["worker", *arguments]
    leave()


class Preloaded(container_init.Container):
    """A container whose first process has loaded the worker already."""

    def run(self, argv: list[str], environment: dict[str, str]) -> None:
        be_worker(argv[len(WORKER) :], environment)


class ForkedContainer(Container):
    """A container that is forked where its first process is a worker.

    One with secrets is started: what a process list shows of it is its own.
    """

    def __init__(self, forks: Forks, command: Command, **told: Any) -> None:
        super().__init__(command, **told)
        self._forks = forks
        is_worker = tuple(command.argv[: len(WORKER)]) == WORKER
        self._is_forked = is_worker and Env.SECRETS not in command.environment

    def _init(self, theirs: socket.socket, printed: int) -> Init:
        if self._is_forked:
            return self._forks.init(theirs, printed)
        return super()._init(theirs, printed)


if __name__ == "__main__":
    serve(sys.argv[1])
