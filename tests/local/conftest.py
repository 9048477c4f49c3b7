"""One embedded AWS per process of the test run, whose market is as new for each test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.local.market import Market
from tests.local.bench import Bench
from tests.local.forks import Forked, ForkedContainer, Forks, forking
from tests.local.runs import Place
from tests.local.shop import Shop
from tests.local.stacks import Stacks


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Forks workers."""
    with forking(tmp_path_factory.mktemp("forks"), "worker") as ready:
        yield ready


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Forks commands."""
    with forking(tmp_path_factory.mktemp("commands"), "command") as ready:
        yield ready


@pytest.fixture(scope="session")
def local_aws(forks: Forks) -> Iterator[LocalAws]:
    """The embedded AWS of this process."""
    with LocalAws(containers=partial(ForkedContainer, forks)) as aws:
        yield aws


@pytest.fixture
def market(local_aws: LocalAws) -> Iterator[Market]:
    """The Spot market; plans are forgotten and switches set back when the test ends."""
    normal = Market()
    yield local_aws.market
    local_aws.market.clear()
    for switch in (
        "exit_zero_succeeds",
        "sidecars_count",
        "reclaim_stop_code",
        "stop_on_timeout",
        "cut_causes",
        "slow_seconds",
    ):
        setattr(local_aws.market, switch, getattr(normal, switch))


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads of this process, the server's too, take turns far more often: races show."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture(scope="session")
def clients(local_aws: LocalAws) -> dict[str, Any]:
    """Clients by service, made once: making one takes longer than a test."""
    session = local_aws.session()
    services = ("ec2", "ecs", "events", "logs", "sqs", "stepfunctions")
    return {service: session.client(service) for service in services}


@pytest.fixture(scope="module")
def clients_of(local_aws: LocalAws) -> Callable[[str], Any]:
    """Gives a client of a service, and the same one when asked again."""
    session = local_aws.session()
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service)
        return made[service]

    return client


@pytest.fixture
def stacks(local_aws: LocalAws) -> Stacks:
    """Stacks of one test by plain CloudFormation, under names of their own."""
    return Stacks(local_aws)


@pytest.fixture
def bench(local_aws: LocalAws, clients: dict[str, Any]) -> Bench:
    """A cluster, a log group and short ways to define and run things, with names of its own."""
    return Bench(local_aws, clients)


@pytest.fixture(scope="session")
def lasting_platform(local_aws: LocalAws) -> Place:
    """The platform of this process."""
    return Place(local_aws)


@pytest.fixture(scope="module")
def platform(lasting_platform: Place) -> Iterator[Place]:
    """The platform on which a module's tests deploy jobs, which are gone when the module ends.

    What stays makes all that follows dearer: each event goes through the rules of every job, and a
    transaction of moto's copies every item of the run table.
    """
    yield lasting_platform
    lasting_platform.remove_jobs()


@pytest.fixture(scope="module")
def shop(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A folder with a configuration whose platform and job are up until the module ends."""
    shop = Shop(tmp_path_factory.mktemp("shop"), local_aws)
    shop.verb("up", "--yes")
    yield shop
    shop.settle()  # What a run writes while its bucket is emptied would keep it.
    shop.verb("down", "--yes", "--delete-data")


@pytest.fixture
def begin(shop: Shop, commands: Forks) -> Callable[..., Forked]:
    """Begins verbs in the shop, as processes of their own."""
    return partial(shop.begin, commands)


@pytest.fixture
def place(platform: Place, market: Market) -> Place:
    """The platform, with a market that forgets what a test planned, and fair weather."""
    platform.clear_up()
    return platform
