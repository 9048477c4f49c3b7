"""Who may use the page: whoever has the address that was printed, and no other page or host.

A page in the same browser can send requests to 127.0.0.1, also under a name of its own that
resolves to it; so other hosts and whatever another page sent are refused before anything else.
The token of the address is handed to the browser once, as a cookie that no script can read.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Request

_HOSTS = ("127.0.0.1", "localhost")
_SAME = ("same-origin", "none")


class Guard:
    """Knows the token of one server.

    Parameters
    ----------
    port
        Where the server listens; a browser has one jar for all ports of a host.
    """

    def __init__(self, token: str, port: int) -> None:
        self._token = token
        self._port = port
        self.cookie = f"steadyspot-{port}"

    @property
    def form_token(self) -> str:
        """What a form must bring back: a page of another origin can send one, but not read ours."""
        return hmac.new(self._token.encode(), b"form", sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Return whether this is the token, in a time that does not tell how much of it is."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def refusal_of_sender(self, request: Request) -> str:
        """Return why a request is refused for where it comes from, empty if it is not."""
        if request.host not in {f"{host}:{self._port}" for host in _HOSTS}:
            return "This page is for this machine only, by the address that was printed."
        site = request.headers.get("Sec-Fetch-Site", "none")
        by_a_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
        if site not in _SAME and not by_a_link:
            return "Another page asked for this one, and is refused."
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            return "Another page sent this, and is refused."
        return ""

    def refusal(self, request: Request) -> str:
        """Return why a request is refused for what it bears, empty if it is not."""
        if not self.is_token(request.cookies.get(self.cookie, "")):
            return "This address lacks its token: open the whole address that was printed."
        given = request.form.get("form_token", "").encode("utf-8", "replace")
        if request.method == "POST" and not hmac.compare_digest(given, self.form_token.encode()):
            return "This form is not from this page, or from before it was started anew."
        return ""
