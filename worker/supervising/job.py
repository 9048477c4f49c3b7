"""The job's first process: how it is started, let go, paused and killed.

It is forked before the first thread exists and waits for a byte to go, so that no fork ever meets a
lock held by another thread. Who decides when to go or to kill is the supervisor.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Mapping, Sequence

from steadyspot.contract import Exit
from steadyspot.worker.errors import NotFound, NotRunnable, WorkerError
from steadyspot.worker.keeping.half_made import Proof
from steadyspot.worker.supervising.half_made import LAST_LOOK_SECONDS, HalfMade
from steadyspot.worker.supervising.processes import descendants, prctl, signal_group
from steadyspot.worker.supervising.standstill import Standstill
from steadyspot.worker.supervising.written_files import held_open, mapped

PR_SET_PDEATHSIG = 1

PAUSE_SECONDS = 5.0
"""How long a copy of a folder waits for a job to stand still."""


class JobProcess:
    """The job's first process, in a process group of its own.

    ``pid`` is also the group's id; ``status`` is its wait status once it has ended, ``trouble``
    what the worker ended it for, if not for a stop. When standard input is a terminal that the
    worker holds, the job's group becomes its foreground group, as a shell would do.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        tied: bool,
        standstill: Standstill,
        half_made: HalfMade,
    ) -> None:
        """Fork. ``tied``: the job dies with a worker that is killed, as it does under PID 1.

        ``half_made`` is told what the job has in hand when it is killed.
        """
        self.command = list(command)
        self.status: int | None = None
        self.trouble: WorkerError | None = None
        self.began = self.ended = 0.0
        self.killed = False
        self._standstill = standstill
        self._half_made = half_made
        self._go_read, self._go_write = os.pipe()
        self._error_read, self._error_write = os.pipe()
        self.terminal = _holds_terminal()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(environment, tied, parent)
            finally:
                os._exit(Exit.NOT_FOUND)
        os.close(self._go_read)
        os.close(self._error_write)
        try:
            os.setpgid(self.pid, self.pid)
        except OSError:
            pass  # It has done so itself and gone on.

    def go(self) -> None:
        """Let the job execute its command. Raises ``NotFound`` or ``NotRunnable``.

        Where it was killed meanwhile it has a ``status``, or will have, and never began.
        """
        try:
            os.write(self._go_write, b"1")
        except BrokenPipeError:
            return
        error = os.read(self._error_read, 16)
        os.close(self._go_write)
        os.close(self._error_read)
        if not error:
            self.began = time.time()
            return
        _, self.status = os.waitpid(self.pid, 0)
        name, why = self.command[0], os.strerror(int(error))
        if int(error) == errno.ENOENT:
            raise NotFound(
                f"The command '{name}' is not in the image.",
                "Check its spelling, PATH and the image.",
            )
        raise NotRunnable(
            f"The command '{name}' cannot be executed: {why}.",
            "Check that it is an executable file with a valid first line, for this architecture.",
        )

    @property
    def running(self) -> bool:
        """Whether its first process was let go and has not ended."""
        return self.began > 0 and self.status is None

    def end(self, status: int) -> None:
        """The first process was reaped."""
        if self.status is None:
            self.status, self.ended = status, time.time()

    def kill(self) -> None:
        """End its group by SIGKILL. What has left the group is ended with all that is left."""
        if self.running and not self.killed:
            self.killed = True
            self.stop_to_kill()
            signal_group(self.pid, signal.SIGKILL)

    def pause(self) -> None:
        """Have it stand still, and all that it started."""
        self._standstill.begin(PAUSE_SECONDS)

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self._standstill.end()

    def stop_to_kill(self) -> None:
        """Have all that is about to be killed stand still for good, and note what it is writing.

        What it would begin between that look and its end, nobody would know.
        """
        if not self._half_made.looks:
            return
        self._standstill.begin(LAST_LOOK_SECONDS)
        found = descendants()
        self._half_made.note_cut(found, found)

    @property
    def held(self) -> set[str]:
        """Real paths of outputs that a stop or a kill has cut, as ``HalfMade.held``."""
        return set(self._half_made.held)

    def being_written(self) -> set[str]:
        """Real paths of outputs that what it started still has open, but for logs."""
        return set(self._half_made.being_written(descendants()))

    def held_open(self, folder: str) -> set[str]:
        """Real paths below a folder that it, or what it started, can still write into.

        Or could, where it was cut.
        """
        return held_open(folder, descendants()) | self.held

    def mapped(self, folder: str) -> set[str]:
        """Those of them that are mapped into memory to be written, as ``mapped``."""
        return mapped(folder, descendants())

    def half_made(self) -> dict[str, Proof]:
        """Files of the checkpoint folder that nobody has finished, as ``HalfMade.files``."""
        return self._half_made.files()

    def end_proofs(self) -> None:
        """What changes from now on is not its doing, as ``HalfMade.end_proofs``."""
        self._half_made.end_proofs()

    def _become(self, environment: Mapping[str, str], tied: bool, parent: int) -> None:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if self.terminal:
            os.tcsetpgrp(0, os.getpgrp())
        if tied:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(self._go_write)
        if os.getppid() != parent or not os.read(self._go_read, 1):
            os._exit(0)
        # Caught signals become default at exec; those that Python ignores would stay ignored.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTOU):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.write(self._error_write, str(self._execute(environment)).encode())

    def _execute(self, environment: Mapping[str, str]) -> int:
        """As ``os.execvpe``, which loads ``warnings`` first; the error's number if it fails."""
        name, number = self.command[0], errno.ENOENT
        folders = [""] if "/" in name else environment.get("PATH", os.defpath).split(":")
        for folder in folders:
            try:
                os.execve(os.path.join(folder, name), self.command, environment)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    number = error.errno or number
        return number


def _holds_terminal() -> bool:
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
