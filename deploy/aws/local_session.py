"""Reaching the embedded AWS: a session of boto3 for its services, and a hand on its switches.

Kept apart from the embedded AWS itself, so that a command which only talks to it loads no moto.
Neither the user's configuration of AWS nor a proxy has a say in it: they are made for another AWS,
and a proxy would be shown the token.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

from steadyspot.deploy.aws.local_address import PREFIX, Address
from steadyspot.deploy.trouble import Trouble

_DIRECT = Config(proxies={}, inject_host_prefix=False)
"""No proxy, and no name before the host: some calls of AWS have one, 127.0.0.1 has none."""
_OF_THE_USER = ("profile", "config_file", "credentials_file")
"""What a session of botocore otherwise takes from the environment or from the home directory."""

DESCRIPTIONS = botocore.loaders.create_loader()
"""Reads the description of a service once for all sessions: each would take half a second."""

PROCESS = "process"
"""How containers run where no engine does: the command is a process of this machine."""


class LocalSession(boto3.Session):
    """A session whose clients go to the local target."""

    def __init__(self, address: Address) -> None:
        bare = botocore.session.Session(dict.fromkeys(_OF_THE_USER, (None,) * 4))
        bare.register_component("data_loader", DESCRIPTIONS)
        super().__init__(
            aws_access_key_id=address.token,
            aws_secret_access_key=address.token,
            region_name=address.region,
            botocore_session=bare,
        )
        self.switches = Switches(address)
        self._endpoint_url = address.endpoint_url

    def client(self, *args: Any, **kwargs: Any) -> Any:
        """A client as of boto3, of the local target unless `endpoint_url` says otherwise."""
        return super().client(*args, **self._here(kwargs))

    def resource(self, *args: Any, **kwargs: Any) -> Any:
        """A resource as of boto3, of the local target unless `endpoint_url` says otherwise."""
        return super().resource(*args, **self._here(kwargs))

    def _here(self, given: dict[str, Any]) -> dict[str, Any]:
        config = given.get("config")
        direct = _DIRECT if config is None else config.merge(_DIRECT)
        return {"endpoint_url": self._endpoint_url, **given, "config": direct}


class Switches:
    """What AWS has no call for: the Spot market, the images that can be pulled, the mails sent."""

    def __init__(self, address: Address) -> None:
        self._url = address.endpoint_url + PREFIX
        self._bearer = {"Authorization": f"Bearer {address.token}"}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def refuse(self, family: str, *, times: int, how: str) -> None:
        """Refuse the next launches of a task family on Spot; `how` as in `Refusal`; 0: no more."""
        self._ask("market", {"family": family, "refuse": {"times": times, "how": how}})

    def reclaim(self, task_arn: str) -> None:
        """Take the capacity of a running task back."""
        self._ask("reclaim", {"task": task_arn})

    def register_image(self, name: str, **image: Any) -> None:
        """Make an image known; without more it is the worker's."""
        self._ask("images", {"name": name, **image})

    def runtime(self) -> str:
        """What runs containers: `PROCESS`, or the name of an engine."""
        return str(self._ask("runtime")["runtime"])

    def mails(self) -> list[dict[str, Any]]:
        """The mails so far."""
        return list(self._ask("outbox"))

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST what is given.

        Raises
        ------
        Trouble
            When nobody answers: what made the address has ended, or was killed.
        """
        request = urllib.request.Request(
            self._url + path,
            None if body is None else json.dumps(body).encode(),
            {**self._bearer, "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError:
            raise Trouble(
                "The embedded AWS has ended, and with it what was in it.",
                "Start it again in another terminal: steadyspot local; then deploy anew.",
            ) from None
