"""Processes that are forked from one which has loaded all that they load.

Loading takes a worker or a command most of its processor time, and nearly all tests of it begin
only then. What is forked is a process group of its own with the arguments, environment, folder and
streams that it is given, and does from there on what `python -m` does, to the interpreter's end.
Tests of the start itself, those that put a program before it or another module in its way, and
those of what Python itself takes from the environment, start it anew.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, Any

import botocore.session
from botocore.loaders import create_loader
from moto.moto_api._internal import mock_random

import steadyspot.deploy
from steadyspot.contract import Env
from steadyspot.contract.options import spread
from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.aws.local_session import LocalSession
from steadyspot.deploy.local import container_init
from steadyspot.deploy.local.containers import Command, Container, Init
from steadyspot.deploy.local.images import WORKER_IMAGE, Images
from steadyspot.worker.keeping.aws import Aws
from steadyspot.worker.keeping.patience import Patience
from steadyspot.worker.options import Options
from tests.names_of_events import know_names_of_events

ROOT = Path(__file__).resolve().parents[2]
ORDER_BYTES = 1 << 20
_image = Images().find(WORKER_IMAGE)
WORKER = _image.entrypoint if _image else ()
"""What starts a worker in a container of the embedded AWS."""
LOADED = (
    *("control", "keeping.keeper"),
    *("supervising.ending", "supervising.rhythm", "supervising.supervisor"),
)
"""What a worker loads only when the job runs."""
SERVICES = (
    *("cloudformation", "cloudwatch", "dynamodb", "ecs", "events", "iam", "logs", "s3"),
    *("scheduler", "sns", "sqs", "stepfunctions", "sts"),
)
"""Of which a command reads the descriptions."""


class Forked:
    """A forked process, as ``subprocess.Popen`` shows one."""

    def __init__(
        self, ended: socket.socket, stdout: IO[Any] | None = None, stderr: IO[Any] | None = None
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
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            self.returncode = int(self._ended.recv(32))
            self._ended.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """Read what it prints to its end, and wait for that."""
        read: dict[IO[Any] | None, Any] = {}

        def read_all(stream: IO[Any]) -> None:
            with stream:
                read[stream] = stream.read()

        streams = [one for one in (self.stdout, self.stderr) if one and not one.closed]
        readers = [threading.Thread(target=read_all, args=(one,), daemon=True) for one in streams]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired("forked", timeout or 0)
        self.wait(timeout)
        return read.get(self.stdout), read.get(self.stderr)

    def send_signal(self, number: int) -> None:
        """Send it, as ``Popen`` does: one that ends at this very moment gets none."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass
class Streams:
    """The standard streams of a process that is to be: its descriptors, and what we read of it."""

    theirs: list[int] = field(default_factory=list)
    ours: list[int | None] = field(default_factory=list)
    _opened: list[int] = field(default_factory=list)

    def add(self, given: int, flags: int) -> None:
        """Add the next, given as to ``Popen``."""
        read = None
        if given == PIPE:
            read, given = os.pipe()
            self._opened.append(given)
        elif given == DEVNULL:
            given = os.open(os.devnull, flags)
            self._opened.append(given)
        self.theirs.append(self.theirs[-1] if given == STDOUT else given)
        self.ours.append(read)

    def close(self) -> None:
        """Close what only the other process needs."""
        for number in self._opened:
            os.close(number)


PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as ended:
    ended.connect({address!r})
    order = [{module!r}, sys.argv[1:], dict(os.environ), os.getcwd()]
    socket.send_fds(ended, [json.dumps(order).encode()], [0, 1, 2])
    ended.recv(32)
    code = int(ended.recv(32))
sys.exit(code if code >= 0 else 128 - code)
"""
"""A program that has what it is given forked, and ends as that does; no signal goes through."""


class Forks:
    """The process that forks, seen from the tests."""

    def __init__(self, address: str) -> None:
        self._address = address

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        stdin: int = DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
        text: bool = False,
    ) -> Forked:
        """Fork what runs the module. If its standard input is a terminal, it is led by that."""
        streams = Streams()
        with contextlib.closing(streams):
            streams.add(stdin, os.O_RDONLY)
            streams.add(stdout, os.O_WRONLY)
            streams.add(stderr, os.O_WRONLY)
            order = [module, list(arguments), dict(environment), str(folder)]
            ended = self._ask(order, streams.theirs)
        mode = "r" if text else "rb"
        _, *ours = (None if one is None else os.fdopen(one, mode) for one in streams.ours)
        return Forked(ended, *ours)

    def program(self, path: Path, module: str) -> None:
        """Write a program that runs the module, for what starts it by its name, as a shell does."""
        path.write_text(PROGRAM.format(python=sys.executable, address=self._address, module=module))
        path.chmod(0o755)

    def init(self, owner: socket.socket, printed: int) -> Forked:
        """Fork the init of a container of the embedded AWS whose first process is a worker."""
        streams = Streams()
        with contextlib.closing(streams):
            streams.add(DEVNULL, os.O_RDONLY)
            return Forked(self._ask([], [*streams.theirs, printed, printed, owner.fileno()]))

    def _ask(self, order: list[Any], descriptors: list[int]) -> socket.socket:
        ended = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ended.connect(self._address)
        socket.send_fds(ended, [json.dumps(order).encode()], descriptors)
        return ended


@contextlib.contextmanager
def forking(folder: Path, what: str) -> Iterator[Forks]:
    """Run a process that has loaded what it forks; it ends with this one, whatever happens."""
    address = f"{folder}/forks"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.local.forks", address, what],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    with server:
        assert server.stdout
        assert server.stdout.readline() == b"ready\n"
        yield Forks(address)


def serve(address: str) -> Callable[[], None]:
    """Fork what is asked for, and tell how it ended, until standard input is closed.

    Comes back also in each process that is forked, with what that has to do.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listener.bind(address)
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        running: dict[int, tuple[int, socket.socket]] = {}  # By the descriptor of the process.
        while True:
            ready, _, _ = select.select([sys.stdin, listener, *running], [], [])
            if sys.stdin in ready:
                return lambda: None
            for process in running.keys() & set(ready):
                pid, asked = running.pop(process)
                _, status = os.waitpid(pid, 0)
                os.close(process)
                with contextlib.suppress(OSError), asked:  # Nobody may listen any more.
                    asked.send(str(os.waitstatus_to_exitcode(status)).encode())
            if listener in ready:
                asked, _ = listener.accept()
                order, descriptors, _, _ = socket.recv_fds(asked, ORDER_BYTES, 4)
                if (pid := os.fork()) == 0:
                    for _, other in running.values():
                        other.close()
                    asked.close()
                    return lambda: become(json.loads(order), descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                asked.send(str(pid).encode())
                running[os.pidfd_open(pid)] = pid, asked


def become(order: list[Any], descriptors: list[int]) -> None:
    """Be the process, or the init of a container, that was asked for."""
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(len(descriptors), os.sysconf("SC_OPEN_MAX"))
    sys.stdin = open(0, errors=sys.stdin.errors, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", errors=sys.stdout.errors, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors=sys.stderr.errors, closefd=False)  # noqa: SIM115
    if not order:
        container_init.main(len(descriptors) - 1, Preloaded)
        os._exit(0)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    module, arguments, environment, folder = order
    os.chdir(folder)
    sys.path[:1] = [folder, *environment.get("PYTHONPATH", "").split(":")]
    run(module, arguments, environment)


class Ending:
    """The end of a forked process: what the interpreter does then, but for taking everything apart.

    That would first copy all that was loaded before the fork.
    """

    def __init__(self) -> None:
        self._code: int | None = None
        atexit.register(self._leave)  # As the first, so it is called last.

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or (isinstance(error, SystemExit) and error.code is None):
            self._code = 0
        elif isinstance(error, SystemExit) and isinstance(error.code, int):
            self._code = error.code

    def _leave(self) -> None:
        if self._code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self._code)


def run(module: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Do what Python does when it is to run a module."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class Preloaded(container_init.Container):
    """A container whose first process has loaded the worker already."""

    def run(self, argv: list[str], environment: dict[str, str]) -> None:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        run("steadyspot.worker", argv[len(WORKER) :], environment)


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


def load_worker() -> None:
    """Import what a worker imports, read what it reads of AWS's services, and make a session.

    It reads options, too: the patterns that argparse looks for are kept.
    """
    for module in LOADED:
        importlib.import_module(f"steadyspot.worker.{module}")
    Options(["--", "job"], spread({}))
    loader = create_loader()
    setattr(botocore.session, "create_loader", lambda _: loader)  # noqa: B010
    aws = Aws(1, 1.0, Patience(1.0, print), {"AWS_REGION": "us-east-1"})
    aws.table("table", "job", "run")
    aws.bucket("bucket")
    session = botocore.session.Session()  # The other one has looked for credentials here.
    setattr(botocore.session, "get_session", lambda: session)  # noqa: B010


def load_command() -> None:
    """Import what all commands import, the embedded AWS too, and read as much of AWS's services."""
    for module in pkgutil.walk_packages(steadyspot.deploy.__path__, "steadyspot.deploy."):
        importlib.import_module(module.name)
    session = LocalSession(Address("http://127.0.0.1", "us-east-1", "token"))
    for service in SERVICES:
        session.client(service)
    os.register_at_fork(after_in_child=mock_random.seed)


if __name__ == "__main__":
    ending = Ending()
    address, what = sys.argv[1:]
    gc.disable()
    know_names_of_events()
    {"worker": load_worker, "command": load_command}[what]()
    gc.enable()
    gc.collect()
    gc.freeze()
    with ending:
        serve(address)()
