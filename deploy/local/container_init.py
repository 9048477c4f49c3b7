"""The init of one container: a small program that starts its first process and ends its whole tree.

It stands in for what a PID namespace does: a signal to stop goes to the first process only, orphans
come back here and are reaped, and when the first process is gone so is everything it left behind.
It is run as a program by itself, without this package, and ends the tree as soon as its owner is
gone.

Over the socket whose number is the first argument the owner sends one line of JSON (`argv`, `env`,
`cwd`, `folder`, `own`, `forwards`, `stop_signal`, `memory_bytes`) and then the lines `stop` and
`kill`; back come lines of JSON: `started`, `failed` with a reason, `exited` with the code as Docker
gives it (128 + signal) and whether it ran out of memory. As long as the tree holds more memory than
it may, its largest process is killed, as the kernel does in a cgroup; one of its own would need
root. At each path of `own` the tree sees an empty folder that nobody else sees: a mount
namespace gives it, which needs no root where the kernel has user namespaces.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
_LOOK_SECONDS = 0.1
"""Between two looks at the memory that is held."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LIBC = ctypes.CDLL(None, use_errno=True)


class Owner:
    """The socket to whoever started this container; `closed` once that process is gone."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        os.set_inheritable(number, False)
        self._unread = b""
        self.closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def lines(self) -> list[str]:
        """What came in, in whole lines. Call it when there is something to read."""
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        self.closed = not data
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [line.decode() for line in lines]

    def first_line(self) -> str:
        """The order. Empty if the owner is gone before it came."""
        while not self.closed:
            if lines := self.lines():
                return lines[0]
        return ""

    def tell(self, **message: object) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.closed = True


class Container:
    """The process tree. `exit_code` is set when the first process is gone."""

    def __init__(self, order: dict[str, object]) -> None:
        self._order = order
        self._first = 0
        self.exit_code: int | None = None
        self.out_of_memory = False

    def start(self) -> str:
        """Start the first process. Comes back with why it could not be, or empty."""
        answer, question = os.pipe()
        self._first = os.fork()
        if self._first == 0:
            self._become_first(question)
        os.close(question)
        with os.fdopen(answer, "rb") as pipe:
            return pipe.read().decode()

    def stop(self) -> None:
        """The image's STOPSIGNAL to the first process, if it listens.

        As PID 1 of a PID namespace a process that has no handler does not even notice; with an init
        in the container (`initProcessEnabled`) it is not PID 1, and ends.
        """
        if self.exit_code is None and (self._order["forwards"] or self._listens()):
            os.kill(self._first, self._stop_signal)

    @property
    def _stop_signal(self) -> int:
        return int(str(self._order["stop_signal"]))

    def kill(self) -> None:
        """SIGKILL to everything, wherever it hid, until nothing is left."""
        while descendants := _descendants(os.getpid()):
            for process in descendants:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.reap()
            time.sleep(0.002)

    def stay_within_memory(self) -> None:
        """Kill the largest process if all together hold more than they may."""
        limit = int(str(self._order["memory_bytes"]))
        held = {process: _resident(process) for process in _descendants(os.getpid())}
        if sum(held.values()) <= limit or sum(map(_proportional, held)) <= limit:
            return
        self.out_of_memory = True
        try:
            os.kill(max(held, key=lambda process: held[process]), signal.SIGKILL)
        except ProcessLookupError:
            return

    def reap(self) -> None:
        """Take leave of every process that ended."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            if process == self._first:
                code = os.waitstatus_to_exitcode(status)
                self.exit_code = code if code >= 0 else 128 - code

    def _become_first(self, question: int) -> None:
        try:
            os.setsid()
            if self._order["own"]:
                _OwnFolders(self._order).mount()
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            for number in (*_IGNORED, *_PYTHON_IGNORES, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(str(self._order["cwd"]))
            self.run(self._order["argv"], self._order["env"])  # type: ignore[arg-type]
        except OSError as error:
            os.write(question, (error.strerror or str(error)).encode())
        finally:
            os._exit(127)

    def run(self, argv: list[str], environment: dict[str, str]) -> None:
        """Become the first process's program."""
        os.execvpe(argv[0], argv, environment)

    def _listens(self) -> bool:
        try:
            with open(f"/proc/{self._first}/status", encoding="ascii") as status:  # noqa: PTH123
                caught = next(line for line in status if line.startswith("SigCgt:"))
        except (OSError, StopIteration):
            return False
        return bool(int(caught.split()[1], 16) >> (self._stop_signal - 1) & 1)


class _OwnFolders:
    """Mounts a folder of the container's over each path that is to be its own.

    A path that this machine does not have is made in a root of the container's own, which holds all
    else of this machine: on this machine itself nothing may appear.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        folder = os.path.realpath(order["folder"])
        self._root = f"{folder}/root"
        self._folder = f"{folder}/own"
        self._places = [
            os.path.normpath(os.path.join(order["cwd"], place))  # noqa: PTH118
            for place in order["own"]
        ]

    def mount(self) -> None:
        """Let this process, and what it starts, see the folders. OSError where it may not."""
        _enter_namespace()
        _mount("none", "/", _MS_REC | _MS_PRIVATE)
        missing = [place for place in self._places if not os.path.isdir(place)]  # noqa: PTH112
        if missing:
            os.mkdir(self._root)  # noqa: PTH102
            _mount("none", self._root, 0, "tmpfs")
            self._copy("/", self._root, _tree(missing))
            os.chroot(self._root)
        for number, place in enumerate(self._places):
            source = f"{self._folder}/{number}"
            os.makedirs(source)  # noqa: PTH103
            _mount(source, place, _MS_BIND | _MS_REC)

    def _copy(self, source: str, target: str, tree: dict[str, Any]) -> None:
        """Fill a folder with what another holds, and with the folders of the tree."""
        held = os.listdir(source) if os.path.isdir(source) else []  # noqa: PTH112, PTH208
        for name in {*held, *tree}:
            before, after = os.path.join(source, name), os.path.join(target, name)  # noqa: PTH118
            if name in tree:
                os.mkdir(after)  # noqa: PTH102
                self._copy(before, after, tree[name])
            elif os.path.islink(before):  # noqa: PTH114
                os.symlink(os.readlink(before), after)  # noqa: PTH115, PTH211
            elif os.path.isdir(before):  # noqa: PTH112
                os.mkdir(after)  # noqa: PTH102
                _mount(before, after, _MS_BIND | _MS_REC)
            else:
                os.close(os.open(after, os.O_CREAT))
                _mount(before, after, _MS_BIND)


def _tree(places: list[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for place in places:
        below = tree
        for name in place.strip("/").split("/"):
            below = below.setdefault(name, {})
    return tree


def _enter_namespace() -> None:
    """A mount namespace; without root in a user namespace, where this user stays who it is."""
    if _LIBC.unshare(_CLONE_NEWNS) == 0:
        return
    user, group = os.getuid(), os.getgid()
    _succeed(_LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "wb") as file:  # noqa: PTH123
            file.write(text.encode())


def _mount(source: str, target: str, flags: int, kind: str = "none") -> None:
    names = (os.fsencode(name) for name in (source, target, kind))
    _succeed(_LIBC.mount(*names, ctypes.c_ulong(flags), None))


def _succeed(answer: int) -> None:
    if answer != 0:
        raise OSError(
            0,
            "this machine gives no container folders of its own: run where user namespaces are "
            "allowed (sysctl kernel.apparmor_restrict_unprivileged_userns=0), or as root",
        )


def _descendants(ancestor: int) -> list[int]:
    """Every process below this one, also in other sessions: this one adopts what is orphaned."""
    found = _children(ancestor)
    for process in found:
        found += _children(process)
    return found


def _children(process: int) -> list[int]:
    """What each thread of a process has begun, as the kernel lists it; nothing of one that is gone.

    To look through all processes of the machine would take each container a tenth of a processor.
    """
    found: list[int] = []
    for thread in _names(f"/proc/{process}/task"):
        try:
            with open(f"/proc/{process}/task/{thread}/children", encoding="ascii") as file:  # noqa: PTH123
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def _resident(process: int) -> int:
    """Bytes that a process holds; what it shares with others is in each of theirs, too."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def _proportional(process: int) -> int:
    """Bytes that a process holds, with its share of what it has in common with others."""
    try:
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as rollup:  # noqa: PTH123
            line = next(line for line in rollup if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return _resident(process)
    return int(line.split()[1]) * 1024


def _remove(folder: str) -> None:
    """Remove a folder; what lies deeper is brought up first, so that no path gets too long."""
    pending, brought = [folder], 0
    while pending:
        place = pending.pop()
        for name in _names(place):
            path = os.path.join(place, name)  # noqa: PTH118
            if os.path.islink(path) or not os.path.isdir(path):  # noqa: PTH112, PTH114
                _try(os.unlink, path)
                continue
            _try(lambda inner: os.chmod(inner, 0o700), path)  # noqa: PTH101
            if place != folder:
                brought += 1
                above = os.path.join(folder, f".brought-{brought}")  # noqa: PTH118
                _try(lambda inner, to=above: os.rename(inner, to), path)  # noqa: PTH104
                path = above
            pending.append(path)
        if place != folder:
            _try(os.rmdir, place)
    _try(os.rmdir, folder)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _try(remove: object, path: str) -> None:
    try:
        remove(path)  # type: ignore[operator]
    except OSError:
        return


def _watch(container: Container, owner: Owner) -> None:
    """Until the first process or the owner is gone."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    container.reap()
    watched: list[Any] = [owner, wake]
    while container.exit_code is None and not owner.closed:
        ready, _, _ = select.select(watched, [], [], _LOOK_SECONDS)
        container.stay_within_memory()
        if wake in ready:
            os.read(wake, 4096)
            container.reap()
        if owner in ready:
            for line in owner.lines():
                if line == "stop":
                    container.stop()
                elif line == "kill":
                    container.kill()


def main(number: int, make: type[Container] = Container) -> None:
    """Run one container from its order, which comes over that socket, to its end."""
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    owner = Owner(number)
    line = owner.first_line()
    if not line:
        return
    order = json.loads(line)
    container = make(order)
    if reason := container.start():
        container.kill()
        owner.tell(event="failed", reason=reason)
    else:
        owner.tell(event="started")
        _watch(container, owner)
        container.kill()
        owner.tell(event="exited", code=container.exit_code, out_of_memory=container.out_of_memory)
    _remove(order["folder"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
