"""The interpreter's clients of this local AWS: made once per service and region, safe to share.

moto makes a client for every call, from boto3's default session: slow, not made for threads, and at
the mercy of the caller's profile.
"""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config
from moto.settings import moto_server_port

_LOCK = threading.Lock()
_CLIENTS: dict[tuple[str, str, str], Any] = {}
_NO_RETRIES = Config(
    parameter_validation=False, retries={"total_max_attempts": 1}, max_pool_connections=50
)


def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
    """A client that neither validates nor retries: the state machine says what is retried."""
    endpoint = f"http://127.0.0.1:{moto_server_port()}"
    key = (endpoint, region, service)
    with _LOCK:
        if key not in _CLIENTS:
            _CLIENTS[key] = boto3.session.Session(
                aws_access_key_id="local", aws_secret_access_key="local", region_name=region
            ).client(service, endpoint_url=endpoint, config=_NO_RETRIES)  # type: ignore[call-overload]
        return _CLIENTS[key]


def forget_clients() -> None:
    """Close all of them; the next local AWS of this process has another port."""
    with _LOCK:
        for client in _CLIENTS.values():
            client.close()
        _CLIENTS.clear()
