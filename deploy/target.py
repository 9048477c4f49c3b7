"""Where a command works: an AWS account, or the embedded AWS on this machine.

The verbs get a session and use it in the same way for both. Where the two differ (checks, drills,
bringing an image), the code there looks whether the target has ``switches``: only the embedded AWS
has them. The embedded AWS that ``steadyspot local`` keeps up leaves its address in
``.steadyspot/local.json`` beside the configuration.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from steadyspot.deploy.aws.sessions import PATIENCE, Patience, session_of
from steadyspot.deploy.runs.table import RunTable
from steadyspot.deploy.stacks.cloudformation import Stacks
from steadyspot.deploy.stacks.config import Config, Job
from steadyspot.deploy.stacks.side_by_side import MOST_AT_ONCE
from steadyspot.deploy.trouble import Trouble

if TYPE_CHECKING:
    import boto3

    from steadyspot.deploy.aws.local_session import Switches

_MAKING = threading.Lock()
"""A session makes one client at a time; the clients themselves may be used by many threads."""
_MADE: WeakKeyDictionary[Any, dict[tuple[str, str | None], Any]] = WeakKeyDictionary()
"""Clients by session: making one takes longer than a call."""


@dataclass(frozen=True)
class Target:
    """A configuration and the session that its verbs use."""

    config: Config
    session: boto3.Session

    @property
    def switches(self) -> Switches | None:
        """Return the switches of the embedded AWS; None on AWS, which has none."""
        found: Switches | None = getattr(self.session, "switches", None)
        return found

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a client of the session, in its region unless another is named; made once."""
        with _MAKING:
            made = _MADE.setdefault(self.session, {})
            if (service, region) not in made:
                client = self.session.client(service, region_name=region)  # type: ignore[call-overload]
                made[service, region] = client
            return made[service, region]

    def _patient_client(self, service: str) -> Any:
        """Return a client that slows down where AWS throttles it, as many stacks at once need.

        How often a call is tried is the user's to say (``AWS_MAX_ATTEMPTS``, the profile).
        """
        from botocore.config import Config as ClientConfig

        patient = ClientConfig(retries={"mode": "adaptive"}, max_pool_connections=MOST_AT_ONCE)
        with _MAKING:
            return self.session.client(service, config=patient)  # type: ignore[call-overload]

    @cached_property
    def stacks(self) -> Stacks:
        """Return the stacks of this target."""
        stacks, client = (
            partial(
                Stacks,
                platform=self.platform_stack,
                role=self.config.platform.service_role or "",
                tags_of=self.config.tags_of,
            ),
            self._patient_client("cloudformation"),
        )
        if self.switches is None:
            return stacks(client)
        # Nobody's quota is used up on this machine: look ten times as often.
        return stacks(client, pause=lambda seconds: time.sleep(seconds / 10))

    @property
    def platform_stack(self) -> str:
        """Return the name of the platform's stack."""
        return self.config.platform.name

    @cached_property
    def platform(self) -> dict[str, str]:
        """Return the outputs of the platform's stack."""
        return self.stacks.outputs(self.platform_stack)

    def job(self, job: Job) -> dict[str, str]:
        """Return the outputs of a job's stack."""
        return self.stacks.outputs(self.config.job_stack(job))

    @property
    def runs(self) -> RunTable:
        """Return the run table."""
        return RunTable(self.client("dynamodb"), self.platform["Table"])


def on_aws(
    config: Config, profile: str | None, region: str | None, patience: Patience = PATIENCE
) -> Target:
    """Return the target of an AWS profile.

    Raises
    ------
    Trouble
        When there is no such profile, no region or no credentials.
    """
    from botocore.exceptions import BotoCoreError

    try:
        session = session_of(profile, region or config.platform.region, patience)
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise Trouble(
            f"AWS cannot be used: {error}.", "Name a profile that exists with --profile."
        ) from None
    if not session.region_name:
        raise Trouble("No region is set.", "Name one: --region, or region in steadyspot.toml.")
    if credentials is None:
        raise Trouble(
            "There are no AWS credentials.",
            "Sign in (aws sso login, aws configure), or try it with --local.",
        )
    _refuse_another_account(session, config)
    return Target(config, session)


def _refuse_another_account(session: boto3.Session, config: Config) -> None:
    wanted = config.platform.account
    if wanted is None:
        return
    found = session.client("sts").get_caller_identity()["Account"]
    if found != wanted:
        raise Trouble(
            f"You are signed in to account {found}, but the configuration is for {wanted}.",
            "Sign in to that one (--profile), or name the environment that is meant: --env.",
        )


def need_embedded_aws() -> None:
    """Do nothing where the libraries of the embedded AWS are installed.

    Raises
    ------
    Trouble
        Where they are not.
    """
    if find_spec("moto") is None:
        raise Trouble(
            "The embedded AWS is not installed.",
            "Install Steadyspot with it: pip install 'steadyspot[local]', or with '.[local]' from "
            "a checkout.",
        )


def need_page() -> None:
    """Do nothing where the libraries of the page are installed.

    Raises
    ------
    Trouble
        Where they are not.
    """
    if find_spec("flask") is None:
        raise Trouble(
            "The page is not installed.",
            "Install Steadyspot with it: pip install 'steadyspot[ui]', or with '.[ui]' from a "
            "checkout.",
        )


def kept_up(config: Config) -> Target | None:
    """Return the target of the embedded AWS that ``steadyspot local`` keeps up, if it keeps one.

    Raises
    ------
    Trouble
        When others may have written where it is said to be.
    """
    from steadyspot.deploy.aws.local_address import beside
    from steadyspot.deploy.aws.local_session import LocalSession

    address = beside(config.path)
    return None if address is None else Target(config, LocalSession(address))


def on_this_machine(config: Config) -> Target:
    """Return the target of the embedded AWS that ``steadyspot local`` keeps up.

    Raises
    ------
    Trouble
        When none runs beside this configuration, none is installed, or others may have written
        where it is said to be.
    """
    from steadyspot.deploy.aws.local_address import running_beside
    from steadyspot.deploy.aws.local_session import LocalSession

    need_embedded_aws()
    return Target(config, LocalSession(running_beside(config.path)))
