"""As many processes as there are shards, on this machine: what the workflow does with tasks on AWS.

The program runs once for each shard, from its beginning, each time with a local folder of its own.
The process that was started leads: it passes a stop on and says which shards failed. What a shard
does, and that its folder keeps it, is the same as without all this.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from types import FrameType

from steadyspot.contract import ENV_PREFIX, Env
from steadyspot.shards import Shard, whole
from steadyspot.units import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

MOST_LOCAL_SHARDS = 100
"""More processes would only wait for each other."""

LEADER = ENV_PREFIX + "LEADER"
"""The process that leads, as its number and when it started: its shards stop once it is gone."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotHere(Exception):
    """No shards can be started from here: two sentences, the second of which says what to do."""


def wanted(environ: Mapping[str, str]) -> int:
    """As how many shards this process is to start the program, 0 where it is to run it itself.

    Raises ``NotHere``.
    """
    asked = environ.get(Env.LOCAL_SHARDS, "")
    if not asked or environ.get(Env.SHARD):
        return 0
    count = whole(asked)
    if not 1 <= count <= MOST_LOCAL_SHARDS:
        raise NotHere(
            f"{Env.LOCAL_SHARDS} is '{asked}'."
            f" Give a whole number from 1 to {MOST_LOCAL_SHARDS}: it is how many processes run."
        )
    return count if count > 1 else 0


def lead(count: int, where: str) -> int:
    """Run the program once for each shard to its end; the exit code.

    That of the first shard that failed by its number; else 128 and the signal's number where the
    stop that was passed on ended any. Raises ``NotHere``.

    Parameters
    ----------
    where:
        The folder in which those of the shards lie, as it is said at the end.
    """
    command = _program()
    if threading.current_thread() is not threading.main_thread():
        raise NotHere(
            "Shards are started from the main thread only. Call current_run() there first."
        )
    shards = _Shards(count)
    heard = [number for number in STOPS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, shards.on_stop) for number in heard}
    try:
        shards.start(command)
        codes = shards.end()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return _say(codes, count, shards.stop, where)


class _Shards:
    """The processes, and the first signal to stop, if one came."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []
        self.stop = 0

    def start(self, command: list[str]) -> None:
        import subprocess  # Seldom needed.

        me = Process.of(os.getpid())
        for number in range(self._count):
            if self.stop:
                break
            environment = Shard(number, self._count).environment() | {LEADER: str(me)}
            try:
                # Of a group of its own, so that Ctrl-C reaches the leader alone, who passes it on.
                shard = subprocess.Popen(
                    command,
                    env=os.environ | environment,
                    stdin=subprocess.DEVNULL,
                    process_group=0,
                )
            except OSError as error:
                self._tell(signal.SIGKILL)
                raise NotHere(
                    f"Shard {number} could not be started: {error.strerror}."
                    f" Give {Env.LOCAL_SHARDS} a smaller number."
                ) from None
            self._processes.append(shard)
        if self.stop:
            self._tell(signal.SIGTERM)  # One may have begun meanwhile.

    def end(self) -> list[int]:
        """Wait for all; their exit codes, 128 and more where a signal ended one."""
        codes = [shard.wait() for shard in self._processes]
        return [128 - code if code < 0 else code for code in codes]

    def on_stop(self, number: int, frame: FrameType | None) -> None:
        """Let the units in hand end; the second time, end all at once."""
        if not self.stop:
            self.stop = number
            os.write(2, b"Stopping after the units in hand; once more ends them at once.\n")
            self._tell(signal.SIGTERM)
        else:
            self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        for shard in self._processes:
            if shard.poll() is None:
                if number == signal.SIGKILL:
                    os.killpg(shard.pid, number)  # What it started, too.
                else:
                    shard.send_signal(number)


def _program() -> list[str]:
    """The command that started this process."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if sys.argv[0] != "-c" and not (file and os.path.exists(file)):
        raise NotHere(
            f"{Env.LOCAL_SHARDS} starts the program anew for each shard, and this one has no file."
            " Write the job into a file, or leave the variable out."
        )
    return [sys.executable, *sys.orig_argv[1:]]


def _say(codes: list[int], count: int, stop: int, where: str) -> int:
    interrupted = 128 + signal.SIGTERM
    failed = {
        number: code
        for number, code in enumerate(codes)
        if code and not (stop and code in (interrupted, 128 + signal.SIGKILL))
    }
    if failed:
        told = ", ".join(f"shard {number} with exit code {code}" for number, code in failed.items())
        sys.stderr.write(
            f"{len(failed)} of {count} shards failed: {told}. Mend what they printed, and run"
            " the same again: what is done is not done again.\n"
        )
        return next(iter(failed.values()))
    if any(codes) or len(codes) < count:
        sys.stderr.write("Stopped. Run the same again: what is done is not done again.\n")
        return 128 + stop
    sys.stderr.write(f"All {count} shards are done; the outputs of each are in {where}.\n")
    return 0
