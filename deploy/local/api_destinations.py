"""How EventBridge of the local target calls an API destination: one request, by its connection.

moto keeps connections and destinations as records and calls nobody. The connection's key is a
header, its parameters are put into header, query and body, and win over the target's; redirects are
not followed. Trying again is left to the bus.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from moto.events.models import events_backends

from steadyspot.deploy.local.delivery import Failure

_SECONDS = 5
"""AWS: a request that takes longer has failed."""


class NotTaken(Exception):
    """A destination did not answer, or with something else than success."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follow none."""


_OPENER = build_opener(_NoRedirect)


def call(arn: str, parameters: Mapping[str, Any], text: str) -> None:
    """Send ``text`` to a destination; ``parameters`` are the target's HttpParameters.

    Raises
    ------
    NotTaken
        There is no such destination, or it did not take the request.
    """
    try:
        with _OPENER.open(_request(arn, parameters, text), timeout=_SECONDS):
            return
    except HTTPError as error:
        with error:
            what = f"HTTP{error.code}"
            raise NotTaken(Failure(what, f"The endpoint answered {error.code}.", error.code)) from (
                error
            )
    except (OSError, HTTPException) as error:
        raise NotTaken(Failure("EndpointConnectionError", str(error))) from error


def _request(arn: str, parameters: Mapping[str, Any], text: str) -> Request:
    region, account_id, place = arn.split(":")[3:6]
    backend = events_backends[account_id][region]
    destination = backend.destinations.get(place.split("/")[1])
    if destination is None or destination.arn != arn:
        raise NotTaken(Failure("ResourceNotFoundException", f"There is no {arn}."))
    auth = next(
        one.auth_parameters
        for one in backend.connections.values()
        if one.arn == destination.connection_arn
    )
    key = auth["ApiKeyAuthParameters"]
    more = auth.get("InvocationHttpParameters", {})
    url = destination.invocation_endpoint
    for value in parameters.get("PathParameterValues", []):
        url = url.replace("*", quote(value, safe=""), 1)
    query = {**parameters.get("QueryStringParameters", {}), **_pairs(more, "QueryString")}
    if query:
        url += ("&" if "?" in url else "?") + urlencode(query)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Amazon/EventBridge/ApiDestinations",
        **parameters.get("HeaderParameters", {}),
        **_pairs(more, "Header"),
        key["ApiKeyName"]: key["ApiKeyValue"],
    }
    if body := _pairs(more, "Body"):
        text = json.dumps({**json.loads(text), **body})
    return Request(url, text.encode(), headers, method=destination.http_method)


def _pairs(more: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in more.get(f"{kind}Parameters", [])}
