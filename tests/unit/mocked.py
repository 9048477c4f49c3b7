"""moto in this process, beside an embedded AWS that other tests of the process may have up.

`mock_aws` as it stands empties every backend, and moto has one of each kind in a process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moto import mock_aws  # noqa: TID251


@contextmanager
def mocked() -> Iterator[None]:
    """Let botocore reach moto. Whoever makes something takes it away again."""
    mock = mock_aws()
    mock.start(reset=False)
    try:
        yield
    finally:
        mock.stop(remove_data=False)
