"""How often a page asks AWS, looked at on the embedded AWS: what is billed and throttled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from steadyspot.deploy.runs.lookup import Finder
from steadyspot.deploy.ui.reading import Reading
from tests.local.shop import Shop

MOST = 20


def test_each_page_asks_aws_at_most_20_times(shop: Shop) -> None:
    for _ in range(3):
        shop.verb("run", "--input", '{"command": ["false"]}', code=1)
    target = shop.target
    finder = Finder(
        table=target.runs,
        sfn=target.client("stepfunctions"),
        job="night",
        machine=shop.outputs["StateMachine"],
    )
    run = finder.find(None).run
    assert run is not None
    looks: list[Callable[[Reading], Any]] = [
        lambda reading: reading.fleet(),
        lambda reading: reading.job("night"),
        lambda reading: reading.run("night", run.run_key).printed,
    ]
    for look in looks:
        calls, fresh = Counter[str](), shop.target

        def note(model: Any, calls: Counter[str] = calls, **_: Any) -> None:
            calls[model.name] += 1

        fresh.session.events.register("before-call.*", note)
        assert look(Reading(fresh))
        assert calls.total() <= MOST, calls
