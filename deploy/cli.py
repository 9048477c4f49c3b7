"""The command line. Every verb gets a target and works the same on both; this file only wires them.

Slow libraries are loaded by the verb that needs them, so that ``--help`` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deploy.config import DEFAULT_PATH, ConfigError, load
from deploy.trouble import Trouble

if TYPE_CHECKING:
    from deploy.screen import Screen
    from deploy.target import Target

F = TypeVar("F", bound=Callable[..., Any])


class Steadyspot(click.Group):
    """Turns what went wrong into two sentences and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            _fail(Trouble(str(error), "Correct it, then try again."))
        except Trouble as trouble:
            _fail(trouble)
        except KeyboardInterrupt:
            _fail(
                Trouble("Stopped.", "Nothing is half done; the same command goes on from here."),
                130,
            )
        except Exception as error:
            _fail(_from_aws(error))


def _fail(trouble: Trouble, code: int = 1) -> None:
    from deploy.screen import Screen

    Screen().trouble(trouble)
    sys.exit(code)


def _from_aws(error: Exception) -> Trouble:
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        return Trouble(
            f"AWS refused {error.operation_name}: {said.get('Message') or said.get('Code')}",
            "Check the credentials, their permissions and the region, then try again.",
        )
    if isinstance(error, BotoCoreError):
        return Trouble(
            f"AWS cannot be reached: {error}.", "Check the network, credentials and region."
        )
    raise error


@click.group(cls=Steadyspot, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run scheduled containers on Fargate Spot so that every run finishes."""


def on_target(verb: F) -> F:
    """Give a verb its target, made from the options that every verb has."""

    @click.option(
        "--config", "path", type=click.Path(path_type=Path), default=DEFAULT_PATH, show_default=True
    )
    @click.option(
        "--local", "local", is_flag=True, help="Use the embedded AWS that `steadyspot local` runs."
    )
    @click.option("--profile", help="AWS profile.")
    @click.option("--region", help="AWS region; else that of the configuration or the profile.")
    @wraps(verb)
    def with_target(
        path: Path, local: bool, profile: str | None, region: str | None, **options: Any
    ) -> Any:
        from deploy.screen import Screen
        from deploy.target import on_aws, on_this_machine

        config = load(path)
        target = on_this_machine(config) if local else on_aws(config, profile, region)
        return verb(target, Screen(), **options)

    return with_target  # type: ignore[return-value]


as_json = click.option("--json", "machine", is_flag=True, help="Print JSON for machines.")


@main.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), default=DEFAULT_PATH, show_default=True
)
@click.option("--port", default=0, help="Port on 127.0.0.1; 0 takes a free one.")
def local(path: Path, port: int) -> None:
    """Keep an embedded AWS up on this machine, until Ctrl-C."""
    from deploy.local_command import stay
    from deploy.screen import Screen

    stay(load(path), port, Screen())


@main.command()
@click.argument("job", required=False)
@on_target
def up(target: Target, screen: Screen, job: str | None) -> None:
    """Deploy the platform and its jobs, or one JOB of them."""
    from deploy.up import deploy

    deploy(target, [target.config.job(job)] if job else list(target.config.jobs.values()), screen)


@main.command()
@click.argument("job", required=False)
@click.option(
    "--input",
    "text",
    default="{}",
    help='Run request as JSON, such as \'{"capacity": "spot-only"}\'.',
)
@as_json
@on_target
def run(target: Target, screen: Screen, job: str | None, text: str, machine: bool) -> None:
    """Start JOB now and follow it to its end."""
    from deploy.runs import Follower, request_of, start

    request = request_of(text)
    wanted = target.config.job(job)
    sfn = target.client("stepfunctions")
    execution = start(sfn, target.job(wanted)["StateMachine"], request)
    if not machine:
        screen.say(f"{wanted.name}: execution {execution.rsplit(':', 1)[-1]}")
    follower = Follower(sfn, execution)
    for moment in follower.moments():
        if not machine:
            screen.moment(moment)
    record = target.runs.get(wanted.name, _run_key(request, execution))
    if machine:
        screen.json(
            {
                "execution": execution,
                "status": follower.status,
                "run": asdict(record) if record else None,
            }
        )
    elif record:
        _show_run(screen, record, wanted)
    sys.exit(0 if follower.status == "SUCCEEDED" else 1)


def _run_key(request: dict[str, Any], execution: str) -> str:
    from deploy.redrive import run_key_of

    if "scheduledTime" in request:
        return run_key_of(request["scheduledTime"])
    return str(request.get("runKey", execution.rsplit(":", 1)[-1]))


def _show_run(screen: Screen, record: Any, job: Any) -> None:
    from deploy.prices import Prices
    from deploy.records import money

    screen.say()
    screen.attempts(record.attempts)
    prices = Prices()
    screen.money(
        money(record.attempts, prices, vcpu=job.vcpu, memory_gb=job.memory_gb), prices.date
    )


@main.command()
@click.argument("name", type=click.Choice(["interrupt", "no-capacity", "undeliverable"]))
@click.argument("job", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@on_target
def drill(
    target: Target, screen: Screen, name: str, job: str | None, yes: bool, machine: bool
) -> None:
    """Cause a fault, follow the run, check how it ended, and put everything back."""
    from deploy.drills import DRILLS, Stage

    wanted = target.config.job(job)
    if not yes:
        click.confirm(
            f"This runs {wanted.name} for real, with the fault '{name}'. Go on?", abort=True
        )
    drilled = DRILLS[name]
    stage = Stage(target, wanted, lambda moment: None if machine else screen.moment(moment))
    findings = []
    for finding in drilled(stage):
        findings.append(finding)
        if not machine:
            screen.say(
                ("ok      " if finding.good else "NOT OK  ") + finding.text,
                "green" if finding.good else "red",
            )
    if machine:
        screen.json({"drill": name, "job": wanted.name, "findings": [asdict(f) for f in findings]})
    sys.exit(0 if findings and all(finding.good for finding in findings) else 1)


@main.command()
@click.argument("job", required=False)
@click.option("--dry-run", is_flag=True, help="Only list what waits.")
@as_json
@on_target
def redrive(target: Target, screen: Screen, job: str | None, dry_run: bool, machine: bool) -> None:
    """Take up again what waits in JOB's dead-letter queue."""
    from deploy.redrive import Redrive

    wanted = target.config.job(job)
    outputs = target.job(wanted)
    redriving = Redrive(
        sqs=target.client("sqs"),
        sfn=target.client("stepfunctions"),
        runs=target.runs,
        job=wanted.name,
        queue=outputs["Queue"],
        machine=outputs["StateMachine"],
    )
    entries: list[dict[str, str]] = []
    lines = (
        ({"runKey": w.run_key, "why": w.why} for w in redriving.waiting())
        if dry_run
        else (
            {"runKey": r.run_key, "execution": r.execution, "note": r.note} for r in redriving.run()
        )
    )
    for entry in lines:
        entries.append(entry)
        if not machine:
            screen.say("  ".join(value for value in entry.values() if value))
    if machine:
        screen.json(entries)
    elif not entries:
        screen.say(f"Nothing waits in the queue of {wanted.name}.")


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask for the platform's name.")
@on_target
def down(target: Target, screen: Screen, yes: bool) -> None:
    """Remove the jobs and the platform; outputs and records of runs are kept."""
    from deploy.up import remove

    name = target.config.platform.name
    if (
        not yes
        and click.prompt(f"This removes the platform {name} and its jobs. Its name, please") != name
    ):
        raise Trouble("That is not its name.", "Nothing was removed.")
    remove(target, screen)


@main.command()
def demo() -> None:
    """Show the main job on an embedded AWS: interrupted, refused, and finished all the same."""
    from deploy.demo import show
    from deploy.screen import Screen

    sys.exit(show(Screen()))
