"""A shell in a job's container: which task it is, and why there may be none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from steadyspot.deploy.runs.shell import shell_command
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.trouble import Trouble
from tests.unit.deploy.fakes import Calls

CONFIG = parse('[platform]\nname = "shop"\n[jobs.night]\nimage = "x:1"\ndebug = true\n')
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def task(name: str, minutes: int, **more: Any) -> dict[str, Any]:
    return {
        "taskArn": name,
        "lastStatus": "RUNNING",
        "createdAt": NOW + timedelta(minutes=minutes),
        "enableExecuteCommand": True,
        **more,
    }


def opened(
    *tasks: dict[str, Any],
    lacks: tuple[str, ...] = (),
    profile: str = "default",
    switches: object = None,
) -> list[str]:
    ecs = Calls(
        list_tasks=lambda **_: {"taskArns": [one["taskArn"] for one in tasks]},
        describe_tasks=lambda **_: {"tasks": list(tasks)},
    )
    target: Any = SimpleNamespace(
        config=CONFIG,
        session=SimpleNamespace(region_name="eu-central-1", profile_name=profile),
        switches=switches,
        client=lambda _service: ecs,
        platform={"Cluster": "c"},
    )
    return shell_command(
        target, CONFIG.job(), "/bin/sh", lambda name: None if name in lacks else f"/usr/bin/{name}"
    )


def test_a_shell_is_opened_in_the_worker_of_the_newest_task_that_runs() -> None:
    words = opened(task("old", 0), task("new", 2), task("next", 3, lastStatus="PENDING"))
    assert " ".join(words) == (
        "aws ecs execute-command --interactive --region eu-central-1 "
        "--cluster c --task new --container worker --command /bin/sh"
    )
    assert opened(task("one", 0), profile="night")[6:8] == ["--profile", "night"]


@pytest.mark.parametrize(
    ("tasks", "lacks", "switches", "sentence"),
    [
        ([], (), None, "No task of night runs at this moment"),
        ([task("one", 0, lastStatus="PENDING")], (), None, "No task of night runs"),
        ([task("one", 0, enableExecuteCommand=False)], (), None, "was not launched to be debugged"),
        ([], ("session-manager-plugin",), None, "session-manager-plugin is not on this machine"),
        ([], (), object(), "The embedded AWS has no ECS Exec"),
    ],
)
def test_why_there_is_no_shell_is_said_with_what_to_do(
    tasks: list[Any], lacks: tuple[str, ...], switches: object, sentence: str
) -> None:
    with pytest.raises(Trouble, match=sentence) as refused:
        opened(*tasks, lacks=lacks, switches=switches)
    assert refused.value.what_to_do
