"""A session of boto3 for an AWS account, whose clients do not wait in silence.

botocore waits a minute for an answer, five times: somebody at a wrong VPN sits before a dead screen
for minutes. Here a call that gets no answer is given up once, after :data:`PATIENCE`; what AWS does
answer (a throttle, a fault of its own) is tried again as ever. That an answer was missed does not
say that nothing was done, another reason not to send it twice. An answer that is a web page comes
from somebody between here and AWS, and is not read as one of AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, ReadTimeoutError


@dataclass(frozen=True)
class Patience:
    """Seconds until an endpoint has to take a connection, and until it has to answer a call."""

    connect_seconds: float
    answer_seconds: float


class AnsweredByAPage(BotoCoreError):
    """A web page came where AWS should have answered."""

    fmt = "{operation} was answered with a web page"


PATIENCE = Patience(connect_seconds=5, answer_seconds=18)


def session_of(
    profile: str | None, region: str | None, patience: Patience = PATIENCE
) -> boto3.Session:
    """Return a session of a profile, else of what the environment names.

    Raises
    ------
    BotoCoreError
        When there is no such profile.
    """
    core = botocore.session.Session()
    core.set_default_client_config(
        Config(connect_timeout=patience.connect_seconds, read_timeout=patience.answer_seconds)
    )
    core.register("needs-retry", _give_up)
    core.register("before-parse", _refuse_a_page)
    return boto3.Session(profile_name=profile, region_name=region, botocore_session=core)


_PAGE = re.compile(
    rb"\s*<(!--|(!doctype\s+html|html|head|body|title|h1|p|script)\b)", re.IGNORECASE
)
"""How a web page begins; `text/html` alone is also what an embedded AWS says of some answers."""


def _give_up(caught_exception: Exception | None = None, **_: Any) -> None:
    """Raise what came in place of an answer that did not come in time, before it is tried again."""
    if isinstance(caught_exception, ConnectTimeoutError | ReadTimeoutError):
        raise caught_exception


def _refuse_a_page(**call: Any) -> None:
    """Raise where a page was sent in place of an answer; an object may be one by itself."""
    operation = call["operation_model"]
    answer = call["response_dict"]
    kind = answer["headers"].get("Content-Type") or ""
    if operation.has_streaming_output or not kind.startswith("text/html"):
        return
    if _PAGE.match(answer["body"]):
        raise AnsweredByAPage(operation=operation.name)
