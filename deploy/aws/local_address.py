"""Where an embedded AWS is and the token that opens it, kept in a file only its owner reads.

``steadyspot local`` writes the file beside the configuration; every other process that uses that
AWS reads it. A file that came with a repository, or that another user wrote, is not believed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from steadyspot.deploy.trouble import Trouble

ADDRESS = Path(".steadyspot") / "local.json"
"""Where the file lies, beside the configuration."""
PREFIX = "/_steadyspot/"
"""How the paths begin by which it offers what AWS has no call for."""
METADATA = f"{PREFIX}metadata/"
"""How the paths of tasks' metadata begin; the token comes next."""
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:(?P<port>[0-9]{1,5})")
_WORD = re.compile(r"[a-z0-9-]+")
"""What a region and a token are."""
_HIGHEST_PORT = 65535
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Address:
    """An embedded AWS; ``token`` is demanded by it as the access key of every call."""

    endpoint_url: str
    region: str
    token: str = field(repr=False)
    pid: int = field(default_factory=os.getpid)

    def environment(self) -> dict[str, str]:
        """Return the variables by which any client of AWS reaches it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.token,
            "AWS_SECRET_ACCESS_KEY": self.token,
        }

    def metadata_url(self) -> str:
        """Return the address below which each container finds its task's metadata."""
        return f"{self.endpoint_url}{METADATA}{self.token}/"


class NoAddress(Exception):
    """No embedded AWS runs where a file says one does, or there is no such file."""


def read(path: Path) -> Address:
    """Return the address in a file.

    Raises
    ------
    NoAddress
        There is none, its process is gone, or it is not of this machine.
    Trouble
        Another user owns the file, or can read or write it.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise NoAddress(str(error)) from None
    with os.fdopen(number, encoding="utf-8") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise NoAddress(f"{path} is no file.")
        if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
            raise Trouble(
                f"{path} is not believed: its owner must be you, and nobody else may read it.",
                "Remove it if you did not make it, then start an embedded AWS: steadyspot local.",
            )
        try:
            return _living(Address(**json.load(file)))
        except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise NoAddress(str(error)) from None


def beside(config: Path) -> Address | None:
    """Return the address of the embedded AWS that runs beside a configuration, if one does.

    Raises
    ------
    Trouble
        When others may have written where it is said to be.
    """
    try:
        return read(config.parent / ADDRESS)
    except NoAddress:
        return None


def running_beside(config: Path) -> Address:
    """Return the address of the embedded AWS that runs beside a configuration.

    Raises
    ------
    Trouble
        None runs there, or others may have written where it is said to be.
    """
    found = beside(config)
    if found is None:
        raise Trouble(
            "No embedded AWS runs beside this configuration.",
            "Start one in another terminal: steadyspot local.",
        )
    return found


def _living(address: Address) -> Address:
    texts = (address.endpoint_url, address.region, address.token)
    if not all(isinstance(text, str) for text in texts) or type(address.pid) is not int:
        raise TypeError("It is not whole.")
    if not all(map(_WORD.fullmatch, texts[1:])) or address.pid < 1:
        raise ValueError("It is not what an embedded AWS writes.")
    found = _LOOPBACK.fullmatch(address.endpoint_url)
    if found is None or int(found["port"]) > _HIGHEST_PORT:
        raise ValueError(f"{address.endpoint_url} is not on this machine.")
    os.kill(address.pid, 0)
    return address


def write(path: Path, address: Address) -> None:
    """Put an address into a file, which is made anew, so that nobody has it open already.

    Raises
    ------
    Trouble
        The file cannot be written there.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Trouble(
            f"{path} cannot be written: {error.strerror}.",
            "Start it in a folder that is yours.",
        ) from None
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(asdict(address), file)


@contextmanager
def announced(path: Path, address: Address) -> Iterator[None]:
    """Keep an address in a file until the block ends; see :func:`write`."""
    write(path, address)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
