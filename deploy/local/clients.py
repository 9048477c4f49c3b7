"""The interpreter's clients of this local AWS: made once per service and region, safe to share.

moto makes a client for every call, from boto3's default session: slow, not made for threads, and at
the mercy of the caller's profile.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from botocore.config import Config

from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.aws.local_session import LocalSession

_NO_RETRIES = Config(
    parameter_validation=False, retries={"total_max_attempts": 1}, max_pool_connections=50
)


class Clients:
    """Makes and keeps them; ``close`` when the local AWS ends."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}

    def client_for(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """A client that neither validates nor retries: the state machine says what is retried."""
        key = (region, service)
        with self._lock:
            if key not in self._made:
                session = LocalSession(replace(self._address, region=region))
                self._made[key] = session.client(service, config=_NO_RETRIES)
            return self._made[key]

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made.clear()
