"""The hash of a request tells nothing that could be found by trying: it lies beside outputs."""

from __future__ import annotations

import json

from steadyspot.contract import Env
from steadyspot.worker.keeping.saving import request_sha256
from steadyspot.worker.options import Identity, Options
from tests.unit.worker.runs import ENVIRONMENT


def hashed(command: list[str], secret: str = "", run_key: str = "key") -> str:
    environ = {
        **ENVIRONMENT,
        Env.RUN_KEY: run_key,
        Env.SECRETS: json.dumps({"PIN": secret}),
        Env.ENVIRONMENT: json.dumps({"DOOR": secret}),
    }
    return request_sha256(Options(command, environ), Identity(environ))


def test_every_pin_has_the_same_hash_wherever_it_stands() -> None:
    pins = [f"{pin:04}" for pin in range(0, 10_000, 37)]
    assert len({hashed(["open", "--pin", pin], pin) for pin in pins}) == 1
    assert len({hashed(["sh", "-c", f"open {pin}"], pin) for pin in pins}) == 1


def test_another_run_and_another_program_have_another_hash() -> None:
    assert len({hashed(["open"]), hashed(["close"]), hashed(["open"], run_key="k2")}) == 3
