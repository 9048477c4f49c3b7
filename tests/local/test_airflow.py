"""Airflow's operator for ECS against the embedded AWS, where Airflow is installed.

Airflow pins its libraries, so it may live in an environment of its own: ``AIRFLOW_PYTHON`` names
the Python of one that has ``apache-airflow-providers-amazon``; otherwise the tests' own is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.bench import Bench

PYTHON = os.environ.get("AIRFLOW_PYTHON", sys.executable)
OPERATOR = """
import json, sys
from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

given = json.loads(sys.argv[1])
operator = EcsRunTaskOperator(
    task_id="run", aws_conn_id=None, waiter_delay=1, do_xcom_push=False, **given
)
try:
    operator.execute({})
except Exception as error:
    print("failed:", error)
else:
    print("done:", operator.arn)
"""


@pytest.fixture(scope="module")
def airflow() -> str:
    asked = subprocess.run(
        [PYTHON, "-c", "import airflow.providers.amazon.aws.operators.ecs"],
        capture_output=True,
        check=False,
    )
    if asked.returncode:
        pytest.skip("Airflow with its provider for Amazon is not installed: see AIRFLOW_PYTHON")
    return PYTHON


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("script", "says"), [("echo hi", "done: arn:"), ("exit 3", "failed: ")])
def test_the_operator_runs_a_task_on_spot_and_fails_with_it(
    bench: Bench, airflow: str, tmp_path: Path, script: str, says: str
) -> None:
    definition = bench.define(bench.container("exit 9"))
    override = {"name": "worker", "command": [script]}
    given = {
        "cluster": bench.cluster,
        "task_definition": definition,
        "capacity_provider_strategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "launch_type": None,
        "overrides": {"containerOverrides": [override]},
        "network_configuration": bench.network(),
    }
    done = subprocess.run(
        [airflow, "-c", OPERATOR, json.dumps(given)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            **bench.aws.address.environment(),
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert says in done.stdout, done.stdout + done.stderr
