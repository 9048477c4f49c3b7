"""The place where moto's Step Functions are replaced by AWS's, and the only one.

Each replacement is a subclass of moto's class, put where moto looks the class up. They are put in
once for the process: the embedded AWS's state is moto's, and there is one of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

import moto.stepfunctions.urls
from jsonpath_ng.parser import parse
from moto.core.config import default_user_config
from moto.stepfunctions.parser import models
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.state.exec.state_map import state_map
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
)
from moto.stepfunctions.parser.asl.eval import environment
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.asl.parse import asl_parser
from moto.stepfunctions.parser.backend import execution_worker

from steadyspot.deploy.aws.local_address import Address
from steadyspot.deploy.local.clients import Clients
from steadyspot.deploy.local.environment import AwsEnvironment
from steadyspot.deploy.local.executions import AwsExecution, AwsExecutions, AwsExecutionsResponse
from steadyspot.deploy.local.expressions import evaluate
from steadyspot.deploy.local.fargate import Fargate
from steadyspot.deploy.local.integrations import TASKS
from steadyspot.deploy.local.language import AwsPreprocessor, AwsVariables
from steadyspot.deploy.local.map_runs import processor_of
from steadyspot.deploy.local.market import Market
from steadyspot.deploy.local.parsing import RememberingParser
from steadyspot.deploy.local.run_task import EcsTask
from steadyspot.deploy.local.start_execution import StartExecutionTask
from steadyspot.deploy.local.trials import answer_mocked

_CLIENT_FOR = "boto_client_for"


class Interpreter:
    """Step Functions of the local target. `emit` gets the executions' EventBridge events."""

    def __init__(
        self,
        *,
        account_id: str,
        address: Address,
        fargate: Fargate,
        market: Market,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self._account_id = account_id
        self._region = address.region
        self._clients = Clients(address)
        self._fargate = fargate
        self._market = market
        self._emit = emit

    def start(self) -> None:
        """Put everything in its place. Call it before the first request to Step Functions."""
        # moto runs state machines only where its configuration says so.
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        # The routes name the class that answers the API; ours passes on what moto's leaves out.
        moto.stepfunctions.urls.url_paths["{0}/$"] = AwsExecutionsResponse.dispatch
        # A backend per region is made from this class; ours starts and stops as AWS does.
        models.stepfunctions_parser_backends.backend = AwsExecutions
        # The backend makes executions from this name; ours emit events.
        _put(models, "Execution", AwsExecution)
        # The parser makes its visitor from this name; ours makes our components.
        _put(asl_parser, "Preprocessor", AwsPreprocessor)
        # Definitions are validated and executions begun by this name; ours reads each only once.
        for module in (models, execution_worker):
            _put(module, "AmazonStateLanguageParser", RememberingParser)
        # An execution is evaluated in what this name makes; ours ends once, as on AWS.
        _put(execution_worker, "Environment", AwsEnvironment)
        # An execution makes its variables from this name; ours write correct JSON into the history.
        _put(environment, "VariableStore", AwsVariables)
        # The hook for an evaluator of JSONata, empty in moto; variables in JSONPath states use it.
        _put(jsonata, "_eval_jsonata", lambda expression: evaluate(expression, {}))
        # Each state's result goes where a path says, read by this name; ours reads each path once.
        _put(result_path, "parse", lru_cache(maxsize=256)(parse))
        # Tasks get their clients from this name; ours are made once, and have port and token.
        for name, module in list(sys.modules.items()):
            if name.startswith("moto.stepfunctions.") and hasattr(module, _CLIENT_FOR):
                _put(module, _CLIENT_FOR, self._clients.client_for)
        # A Map makes what goes through its items by this name; ours runs a distributed one.
        _put(state_map, "from_item_processor_decl", processor_of)
        # Tasks of a TestState are answered by this name; ours knows the errors of Step Functions.
        _put(state_task_service, "eval_mocked_response", answer_mocked)
        AwsPreprocessor.task_classes = {**TASKS, "ecs": EcsTask, "states": StartExecutionTask}
        AwsExecution.emit = staticmethod(self._emit)
        EcsTask.fargate = self._fargate
        EcsTask.clients = StartExecutionTask.clients = self._clients
        EcsTask.market = self._market

    def stop(self) -> None:
        """Stop all executions without a word to anyone."""
        AwsExecution.emit = staticmethod(lambda _event: None)
        backend = models.stepfunctions_parser_backends[self._account_id][self._region]
        if isinstance(backend, AwsExecutions):
            backend.abort_all()
        self._clients.close()


def _put(module: ModuleType, name: str, replacement: object) -> None:
    if not hasattr(module, name):
        raise AttributeError(f"moto has no {module.__name__}.{name} any more.")
    setattr(module, name, replacement)
