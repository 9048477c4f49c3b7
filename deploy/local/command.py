"""``steadyspot local``: an embedded AWS that stays until Ctrl-C, and leaves nothing behind.

SIGTERM and SIGHUP end it as well. What its parent had it ignore from the start, it ignores.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from steadyspot.deploy.aws.local_address import ADDRESS, NoAddress, announced, read
from steadyspot.deploy.aws.local_session import PROCESS
from steadyspot.deploy.stacks.config import Config
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    from steadyspot.deploy.cli.screen import Screen


def stay(config: Config, port: int, runtime: str, screen: Screen) -> None:
    """Serve until the process is told to stop.

    Parameters
    ----------
    runtime
        What runs containers: ``PROCESS``, or an engine as :func:`engine_for` takes it.

    Raises
    ------
    Trouble
        When one runs beside this configuration already, the port is taken, or no engine answers.
    """
    from steadyspot.deploy.local.aws import LocalAws
    from steadyspot.deploy.local.engines import engine_for

    address = config.path.parent / ADDRESS
    _refuse_a_second(address)
    engine = None if runtime == PROCESS else engine_for(runtime)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # As `nohup` and `&` in a script ask.
            signal.signal(number, lambda *_: told.set())
    try:
        aws = LocalAws(port=port, engine=engine).start()
    except OSError as error:
        raise Trouble(
            f"Port {port} cannot be used: {error}.", "Leave --port out to take a free one."
        ) from None
    with aws, announced(address, aws.address):
        aws.images.offer((job.image for job in config.jobs.values()), config.path.parent)
        screen.say(
            f"The embedded AWS runs at {aws.endpoint_url}. Ctrl-C ends it, and everything in it."
        )
        if engine is not None:
            screen.say(f"Tasks run the images that they name, under {engine.name}.")
        screen.say("In another terminal: steadyspot up --local, steadyspot run --local")
        screen.say(
            'Any client of yours can look inside: eval "$(steadyspot local env)", then '
            "aws stepfunctions list-state-machines"
        )
        told.wait()
        screen.say("Ending.")


def _refuse_a_second(address: Path) -> None:
    try:
        found = read(address)
    except NoAddress:
        return
    raise Trouble(
        f"An embedded AWS already runs here, at {found.endpoint_url} (process {found.pid}).",
        "Use it with --local, or end it with Ctrl-C in its terminal.",
    )
