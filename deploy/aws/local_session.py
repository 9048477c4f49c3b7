"""Reaching the embedded AWS: a session of boto3 for its services, and a hand on its switches.

Kept apart from the embedded AWS itself, so that a command which only talks to it loads no moto.
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3


class LocalSession(boto3.Session):
    """A session whose clients go to the local target."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        super().__init__(
            aws_access_key_id="local", aws_secret_access_key="local", region_name=region
        )
        self.switches = Switches(endpoint_url)
        self._endpoint_url = endpoint_url

    def client(self, *args: Any, **kwargs: Any) -> Any:
        """A client as of boto3, of the local target unless `endpoint_url` says otherwise."""
        kwargs.setdefault("endpoint_url", self._endpoint_url)
        return super().client(*args, **kwargs)

    def resource(self, *args: Any, **kwargs: Any) -> Any:
        """A resource as of boto3, of the local target unless `endpoint_url` says otherwise."""
        kwargs.setdefault("endpoint_url", self._endpoint_url)
        return super().resource(*args, **kwargs)


class Switches:
    """What AWS has no call for: the Spot market, the images that can be pulled, the mails sent."""

    def __init__(self, endpoint_url: str) -> None:
        self._url = endpoint_url + "/_steadyspot/"

    def refuse(self, family: str, *, times: int, how: str) -> None:
        """Refuse the next launches of a task family on Spot; `how` as in `Refusal`; 0: no more."""
        self._post("market", {"family": family, "refuse": {"times": times, "how": how}})

    def reclaim(self, task_arn: str) -> None:
        """Take the capacity of a running task back."""
        self._post("reclaim", {"task": task_arn})

    def register_image(self, name: str, **image: Any) -> None:
        """Make an image known; without more it is the worker's."""
        self._post("images", {"name": name, **image})

    def mails(self) -> list[dict[str, Any]]:
        """The mails so far."""
        with urllib.request.urlopen(self._url + "outbox") as answer:
            return list(json.load(answer))

    def _post(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(
            self._url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request):
            pass
