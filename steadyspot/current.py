"""The run that a process belongs to, and whom it asks: the supervisor, or the local folder."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType

from steadyspot import own_code
from steadyspot.channel import Channel, SocketChannel
from steadyspot.errors import RunError
from steadyspot.in_hand import is_child_of_python
from steadyspot.protocol import SOCKET
from steadyspot.run import Run
from steadyspot.shards import BadShard, Shard


def _shard() -> Shard:
    try:
        return Shard.read(os.environ)
    except BadShard as bad:
        raise RunError(str(bad)) from None


def _say_run_errors_plainly(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Where a ``RunError`` ends the job, its sentences say more than a traceback."""
    if isinstance(error, RunError):
        sys.stderr.write(f"{error}\n")
    else:
        sys.__excepthook__(kind, error, traceback)


def _local_channel(shard: Shard) -> Channel:
    """A run in the local folder; where shards are wanted on this machine, run them and leave."""
    # Not needed in a container, where the job would wait for them.
    from steadyspot import local_shards
    from steadyspot.local_folder import FolderChannel, folder_of_shards, local_folder

    try:
        count = local_shards.wanted(os.environ)
        if count:
            if is_child_of_python():
                raise local_shards.NotHere(
                    "Shards are started from the first process only. Call current_run() there,"
                    " before it starts others."
                )
            where = local_folder() / folder_of_shards(count)
            raise SystemExit(local_shards.lead(count, str(where)))
    except local_shards.NotHere as not_here:
        raise RunError(str(not_here)) from None
    return FolderChannel.from_environment(shard)


_current: Run | None = None
_current_lock = threading.Lock()


def current_run() -> Run:
    """The run this process belongs to; the same object each time.

    Without the environment of Steadyspot it is a run in the local folder ``STEADYSPOT_LOCAL_DIR``
    (``.steadyspot`` unless set). With ``STEADYSPOT_LOCAL_SHARDS=4`` the program then runs in four
    processes, a shard each, and this one ends with them: call it early, in the main thread.
    """
    global _current
    own_code.remember(sys._getframe(1).f_code)
    with _current_lock:
        if _current is None:
            sys.excepthook = _say_run_errors_plainly
            path = os.environ.get(SOCKET)
            shard = _shard()
            channel = SocketChannel(path) if path else _local_channel(shard)
            _current = Run(channel, shard)
        return _current
