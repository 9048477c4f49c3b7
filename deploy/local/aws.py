"""The embedded AWS: moto's services on one port of 127.0.0.1, with parts that behave as AWS does.

Everything lives in this process (moto's state is global, so there is one at a time) but the
containers, which are process trees of their own and end with it, whatever ends it.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import threading
from dataclasses import replace
from types import TracebackType
from typing import Any

from moto.core.base_backend import BackendDict

from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.aws.local_session import LocalSession
from steadyspot.deploy.collecting import collect_seldom
from steadyspot.deploy.local import serializing, transactions
from steadyspot.deploy.local.ahead import ecs_paths
from steadyspot.deploy.local.alarms import AlarmWatch
from steadyspot.deploy.local.atomic import OneAtATime
from steadyspot.deploy.local.cloudformation import register
from steadyspot.deploy.local.containers import Container, Containers
from steadyspot.deploy.local.control import Control
from steadyspot.deploy.local.ecs_api import FargateResponse
from steadyspot.deploy.local.engines import Engine
from steadyspot.deploy.local.events import EventBus
from steadyspot.deploy.local.fargate import Fargate
from steadyspot.deploy.local.guard import Guard
from steadyspot.deploy.local.images import Images
from steadyspot.deploy.local.interpreter import Interpreter
from steadyspot.deploy.local.market import Market
from steadyspot.deploy.local.outbox import Outbox
from steadyspot.deploy.local.pipes import Pipes
from steadyspot.deploy.local.scheduler import SchedulerClock
from steadyspot.deploy.local.serving import Dispatcher, Server
from steadyspot.deploy.local.uploads import KnownUploads

_HOST = "127.0.0.1"
_ACCOUNT_ID = "123456789012"
_TOKEN_BYTES = 24

_running: LocalAws | None = None


class AlreadyRunning(Exception):
    """A second embedded AWS in one process: moto's state is global, so there can only be one."""


class LocalAws:
    """The local target. A context manager; `start` and `stop` do nothing the second time.

    Parameters
    ----------
    port
        0 takes a free one.
    engine
        Runs the images that tasks name; None: their commands run as processes of this machine.
    containers
        Makes what runs a command as a process.

    Attributes
    ----------
    address
        Endpoint, region and token, for clients of any kind: the token is the only access key.
    account_id, region
        What its ARNs name.
    market, images, outbox, alarms, scheduler
        The Spot market, images, mails, the watch over alarms and the schedules' clock, see there.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        region: str = "us-east-1",
        engine: Engine | None = None,
        containers: Containers = Container,
    ) -> None:
        self.region = region
        self.account_id = _ACCOUNT_ID
        self.address = Address("", region, secrets.token_hex(_TOKEN_BYTES))
        self.market = Market()
        self.images = Images()
        self.outbox = Outbox()
        self.alarms = AlarmWatch(region, _ACCOUNT_ID)
        self.scheduler = SchedulerClock(self.session, region, _ACCOUNT_ID)
        self._port = port
        self._engine = engine
        self._containers = containers
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._parts: list[Any] = []

    def session(self) -> LocalSession:
        """A session of boto3 whose clients reach this local target."""
        return LocalSession(self.address)

    @property
    def endpoint_url(self) -> str:
        """Where it answers; empty before the start."""
        return self.address.endpoint_url

    def start(self) -> LocalAws:
        """Serve. Comes back when the endpoint answers.

        Raises
        ------
        AlreadyRunning
            This process has another one.
        OSError
            The port is taken.
        """
        global _running  # noqa: PLW0603
        if _running is self:
            return self
        if _running is not None:
            raise AlreadyRunning("This process already runs a local AWS. Stop that one first.")
        _silence()
        collect_seldom()
        BackendDict.reset()
        moto_app = Dispatcher()
        front = _Front(moto_app)
        self._server = Server(_HOST, self._port, front)
        self.address = replace(self.address, endpoint_url=f"http://{_HOST}:{self._server.port}")
        _running = self
        atexit.register(self.stop)
        try:
            front.app = Guard(self._wire(moto_app), self.address.token)
        except BaseException:
            self.stop()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="local-aws",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """End everything: executions, containers, the server. Nothing is left behind."""
        global _running  # noqa: PLW0603
        if _running is not self:
            return
        for part in reversed(self._parts):
            part.stop()
        self._parts.clear()
        if self._thread is not None and self._server is not None:
            self._server.shutdown()
            self._thread.join()
        if self._server is not None:
            self._server.server_close()
        self._server = self._thread = None
        atexit.unregister(self.stop)
        _running = None

    def __enter__(self) -> LocalAws:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _wire(self, moto_app: Any) -> Control:
        """Make the parts, in the order in which they need each other, and start them."""
        place = {"account_id": self.account_id, "region": self.region}
        bus = EventBus(**place, session_factory=self.session)
        pipes = Pipes(**place, emit=bus.emit)
        fargate = Fargate(
            **place,
            address=self.address,
            market=self.market,
            images=self.images,
            engine=self._engine,
            containers=self._containers,
            emit=bus.emit,
        )
        interpreter = Interpreter(
            account_id=self.account_id,
            address=self.address,
            fargate=fargate,
            market=self.market,
            emit=bus.emit,
        )
        FargateResponse.fargate = fargate
        # The routes name the class that answers the API of ECS; ours runs real tasks.
        ecs_paths["{0}/$"] = FargateResponse.dispatch
        register()
        serializing.register()
        transactions.register()
        self._parts = [self.outbox, bus, pipes, fargate, interpreter, self.alarms, self.scheduler]
        for part in self._parts:
            part.start()
        return Control(
            OneAtATime(KnownUploads(moto_app)),
            fargate=fargate,
            market=self.market,
            images=self.images,
            outbox=self.outbox.as_json,
        )


class _Front:
    """The WSGI application of the server, whose inside comes once the port is known."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.app(environ, start_response)


def _silence() -> None:
    # moto reports each failing state as an error of its own, also where that was asked for.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
