"""Which code is the job's own: what lies in no library, and the package that asks for the run.

An image may hold its job as an installed package, among the libraries.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from types import CodeType

_OURS = os.path.join(os.path.dirname(__file__), "")
_STANDARD = os.path.join(os.path.dirname(os.__file__), "")
_FROZEN = "<frozen "
_INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\][^/\\]+")

_packages: set[str] = set()


def remember(code: CodeType) -> None:
    """Take the installed package of code that asks for the run for the job's, if it is in one."""
    package = _package(code.co_filename)
    if package and not code.co_filename.startswith(_OURS):
        _packages.add(package)


def is_the_jobs(code: CodeType | None) -> bool:
    """Whether code is the job's own and no library's."""
    return code is not None and is_in_job(code.co_filename)


def is_in_job(file: str) -> bool:
    """Whether a file is of the job's own code."""
    package = _package(file)
    return package in _packages if package else not file.startswith((_STANDARD, _OURS, _FROZEN))


def files_of_job() -> list[str]:
    """The files of the job's own modules that are loaded."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return [file for file in files if file and is_in_job(file)]


@cache
def _package(file: str) -> str:
    """The installed package that a file lies in, empty where it lies in none."""
    found = _INSTALLED.match(file)
    return found[0] if found else ""
