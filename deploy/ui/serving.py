"""Keeps the page's server up on this machine, on 127.0.0.1, for the time of a block."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from werkzeug.serving import make_server

from steadyspot.deploy.trouble import Trouble
from steadyspot.deploy.ui.guard import Guard
from steadyspot.deploy.ui.server import Pages, make_app

_HOST = "127.0.0.1"


@contextmanager
def served(pages: Pages, *, port: int, read_only: bool) -> Iterator[str]:
    """Serve pages; yields the address, token and all, that lets a browser in.

    ``port`` 0 takes a free one.

    Raises
    ------
    Trouble
        When the port is taken, or may not be used.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # It would print each request's address.
    token = secrets.token_urlsafe(24)
    try:
        # werkzeug would end the process where a port is taken.
        listening = socket.create_server((_HOST, port))
    except OSError as error:
        raise Trouble(
            f"Port {port} cannot be used: {error.strerror}.", "Leave --port out to take a free one."
        ) from None
    with listening:
        taken = listening.getsockname()[1]
        app = make_app(pages, Guard(token, taken), read_only=read_only)
        server = make_server(_HOST, taken, app, threaded=True, fd=listening.fileno())
    thread = Thread(target=server.serve_forever, name="page", daemon=True)
    thread.start()
    try:
        yield f"http://{_HOST}:{taken}/?token={token}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
