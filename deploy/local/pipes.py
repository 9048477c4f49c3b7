"""EventBridge Pipes of the local target: what lies in a queue goes onto the bus.

moto keeps pipes as records and moves nothing. Here one thread looks at the queues of all pipes; a
message is removed once it is on the bus. Other sources and targets there are none.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.pipes.models import Pipe, pipes_backends
from moto.sqs.models import sqs_backends

from steadyspot.deploy.local.paths import at_path

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_AT_MOST = 10
_HIDDEN_SECONDS = 30
_PLACEHOLDER = re.compile(r"<(\$[^>]*)>")


class Pipes:
    """All pipes of an account and region; ``emit`` puts an event onto the bus."""

    def __init__(
        self, *, account_id: str, region: str, emit: Callable[[dict[str, Any]], None]
    ) -> None:
        self._account_id = account_id
        self._region = region
        self._emit = emit
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._over.clear()
        self._thread = threading.Thread(target=self._look, name="pipes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Move nothing any more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for pipe in list(pipes_backends[self._account_id][self._region].pipes.values()):
                try:
                    self._move(pipe)
                except Exception:  # a queue may be gone before its pipe
                    _LOG.exception("The pipe %s stumbled", pipe.name)

    def _move(self, pipe: Pipe) -> None:
        queues = sqs_backends[self._account_id][self._region]
        name = pipe.source.rpartition(":")[2]
        if name not in queues.queues:
            return
        for message in queues.receive_message(name, _AT_MOST, 0, _HIDDEN_SECONDS):
            self._emit(event_of(pipe.target_parameters or {}, str(message.body)))
            queues.delete_message(name, str(message.receipt_handle))


def event_of(parameters: Mapping[str, Any], body: str) -> dict[str, Any]:
    """The event that a message becomes; its body is read as JSON where it is some."""
    to_bus = parameters["EventBridgeEventBusParameters"]
    message = {"body": _read(body)}
    template = parameters.get("InputTemplate") or "<$>"
    detail = _PLACEHOLDER.sub(lambda path: json.dumps(at_path(message, path[1])), template)
    return {
        "source": to_bus["Source"],
        "detail-type": to_bus["DetailType"],
        "detail": json.loads(detail),
    }


def _read(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
