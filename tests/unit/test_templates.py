"""What a security team reads in the templates: who may do what, on what, and become whom."""

from __future__ import annotations

import ast
import json
import re
from functools import partial
from typing import Any

import pytest

from steadyspot.contract import COMPLETION, WORKER_CONTAINER, Env, columns
from steadyspot.contract.columns import shards_partition, turn_partition, worker_partition
from steadyspot.contract.messages import FINISH_WITHIN_MINUTES, SHARD
from steadyspot.contract.metrics import NAMESPACE
from steadyspot.contract.shards import LIST_OF_SHARDS
from steadyspot.deploy.drills.faults import with_sidecar
from steadyspot.deploy.local.cloudformation.text import LARGEST_BODY_BYTES, parsed
from steadyspot.deploy.stacks.config import Job
from steadyspot.deploy.stacks.parts import with_parts
from steadyspot.deploy.stacks.templates import (
    LARGEST_BYTES,
    Template,
    job_template,
    platform_template,
)
from steadyspot.worker.options import OPTIONS
from tests.unit.templates import (
    FOLDER,
    PATHS,
    ROLES,
    TEMPLATES,
    actions,
    listed,
    of_type,
    statements,
)

ROOT = FOLDER.parents[1]
TRUSTED = {
    "TaskRole": "ecs-tasks.amazonaws.com",
    "ExecutionRole": "ecs-tasks.amazonaws.com",
    "StateMachineRole": "states.amazonaws.com",
    "BeforeTheStartRole": "states.amazonaws.com",
    "RuleRole": "events.amazonaws.com",
    "SchedulerRole": "scheduler.amazonaws.com",
}
OWN_MACHINE = "${Platform}-${Job}"
MACHINES = ("", "/Shards", "-AtTheDeadline", "-AfterTheEnd", "-AfterItsTime", "-AfterOthers")
LARGEST_TEMPLATE_BYTES = 45_000
"""Less than the 51,200 of a call, since something is put in when a template is sent."""
OF_SHELL = {
    f"ssmmessages:{verb}{kind}Channel"
    for verb in ("Create", "Open")
    for kind in ("Control", "Data")
}
"""What ECS Exec needs of a task, by its guide."""
OF_TRACED_TASK = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""What the worker, and a collector beside it, need to send traces, by X-Ray's guide."""
OF_TRACED_MACHINE = OF_TRACED_TASK | {"xray:GetSamplingRules", "xray:GetSamplingTargets"}
"""What a state machine needs for that, by the guide on X-Ray of Step Functions."""
ON_EVERYTHING = {
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    *OF_SHELL,
    *OF_TRACED_MACHINE,
}
"""Actions that AWS knows no resource for."""

OWN = "${aws:PrincipalTag/Job}"
WORKERS = worker_partition(OWN)
TURN = turn_partition(OWN)
SHARDS = shards_partition(OWN)

OF_STATES = {
    "dynamodb:updateItem": {"dynamodb:UpdateItem"},
    "dynamodb:getItem": {"dynamodb:GetItem"},
    "aws-sdk:dynamodb:transactGetItems": {"dynamodb:GetItem"},
    "aws-sdk:dynamodb:query": {"dynamodb:Query"},
    "aws-sdk:cloudwatch:putMetricData": {"cloudwatch:PutMetricData"},
    "aws-sdk:cloudwatchlogs:getLogEvents": {"logs:GetLogEvents"},
    "aws-sdk:ecs:describeTasks": {"ecs:DescribeTasks"},
    "aws-sdk:ecs:stopTask": {"ecs:StopTask"},
    "aws-sdk:sfn:describeExecution": {"states:DescribeExecution"},
    "aws-sdk:sfn:getExecutionHistory": {"states:GetExecutionHistory"},
    "aws-sdk:sfn:startExecution": {"states:StartExecution"},
    "aws-sdk:sfn:stopExecution": {"states:StopExecution"},
    "aws-sdk:s3:putObject": {"s3:PutObject"},
    "states:startExecution.sync:2": {
        "states:StartExecution",
        "states:DescribeExecution",
        "states:StopExecution",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    },
    "sns:publish": {"sns:Publish"},
    "sqs:sendMessage": {"sqs:SendMessage"},
    "ecs:runTask.sync": {
        "ecs:RunTask",
        "ecs:DescribeTasks",
        "ecs:StopTask",
        "ecs:TagResource",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
        "iam:PassRole",
    },
}
"""What each integration needs, by the guide on IAM policies of Step Functions."""
OF_TRANSACTIONS = {
    "Update": "dynamodb:UpdateItem",
    "Put": "dynamodb:PutItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
"""What each write of a transaction needs, by DynamoDB's guide on transactions."""

OF_WORKER = {
    "get_item": {"dynamodb:GetItem"},
    "update_item": {"dynamodb:UpdateItem"},
    "get_object": {"s3:GetObject"},
    "head_object": {"s3:GetObject"},
    "put_object": {"s3:PutObject"},
    "delete_objects": {"s3:DeleteObject"},
    "create_multipart_upload": {"s3:PutObject", "s3:PutObjectRetention"},
    "upload_part": {"s3:PutObject"},
    "complete_multipart_upload": {"s3:PutObject"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
}
"""What each call of the worker needs, by the service authorization reference."""


def called_by_states(template: Template, machine: str) -> set[str]:
    states = list(template.graph(machine)["States"].values())
    inner = [state["ItemProcessor"]["States"] for state in states if "ItemProcessor" in state]
    called: set[str] = set()
    for state in (*states, *(one for machine in inner for one in machine.values())):
        call = state.get("Resource", "").removeprefix("arn:aws:states:::")
        if call == "aws-sdk:dynamodb:transactWriteItems":
            written = json.dumps(state["Arguments"])
            called |= {
                needed
                for kind, needed in OF_TRANSACTIONS.items()
                if f'{kind}"' in written or f"{kind}'" in written
            }
        elif call:
            called |= OF_STATES[call]
    return called


def called_by_worker() -> set[str]:
    """The operations of AWS that stand in the worker's code, as method or as name of one."""
    found = set()
    for path in (ROOT / "worker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return {action for call in found & set(OF_WORKER) for action in OF_WORKER[call]}


def test_a_workflow_may_do_what_its_states_call_and_nothing_else() -> None:
    called = called_by_states(job_template(), "StateMachine")
    after = called_by_states(job_template(), "AfterTheEnd")
    with_lock = {"s3:PutObjectRetention"}  # What s3:putObject needs for a lock.
    assert actions("StateMachineRole") - OF_TRACED_MACHINE == called | after | with_lock
    assert after - called == {"states:GetExecutionHistory"}
    assert called_by_states(job_template(), "AtTheDeadline") <= called
    job = Job(name="night", image="i", schedule="rate(1 hour)", missed="auto")
    looking = job_template(partial(with_parts, job))
    assert called_by_states(looking, "AfterItsTime") <= called


def test_a_workflow_counts_in_the_namespace_of_ours_alone() -> None:
    counts = statements("StateMachineRole")["CountTheRun"]
    assert counts["Action"] == "cloudwatch:PutMetricData"
    assert counts["Condition"] == {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}


def test_a_workflow_with_shards_publishes_what_they_made_and_nothing_else() -> None:
    tags = {tag["Key"]: tag["Value"] for tag in ROLES["StateMachineRole"]["Tags"]}
    assert tags["Shards"] == {"Fn::Sub": "${Shards}"}
    given = statements("StateMachineRole")["PublishWhatShardsMade"]
    assert given["Condition"] == {"StringNotEquals": {"aws:PrincipalTag/Shards": "1"}}
    place = "arn:${AWS::Partition}:s3:::${Place}/outputs/${!aws:PrincipalTag/Job}/*/"
    assert [one["Fn::Sub"][0] for one in given["Resource"]] == [
        f"{place}{COMPLETION}",
        f"{place}{LIST_OF_SHARDS}*.json",
    ]
    locked = statements("StateMachineRole")["LockWhatShardsMade"]
    assert locked["Resource"] == given["Resource"]
    assert locked["Condition"] == {
        **given["Condition"],
        **statements("TaskRole")["LockOutputs"]["Condition"],
    }
    rules = [one["Fn::Sub"] for one in statements("StateMachineRole")["HearOfItsEnd"]["Resource"]]
    assert [rule.rpartition("/StepFunctionsGetEventsFor")[2] for rule in rules] == [
        "ECSTaskRule",
        "StepFunctionsExecutionRule",
    ]


def test_the_scheduler_sends_to_the_queue_of_a_job_where_that_lets_it() -> None:
    policy = of_type("job", "AWS::SQS::QueuePolicy")["QueuePolicy"]
    (lets,) = (
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if "AWS" in statement["Principal"]
    )
    scheduler = {"Fn::ImportValue": {"Fn::Sub": "${Platform}-SchedulerRole"}}
    assert lets["Principal"] == {"AWS": scheduler}
    assert lets["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert lets["Action"] == "sqs:SendMessage"


def test_before_the_start_may_look_at_and_stop_tasks_of_its_cluster_and_nothing_else() -> None:
    called = called_by_states(platform_template(), "BeforeTheStart")
    assert actions("BeforeTheStartRole") == called == {"ecs:DescribeTasks", "ecs:StopTask"}
    statement = statements("BeforeTheStartRole")["TheTask"]
    assert statement["Resource"]["Fn::Sub"][0].endswith(":task/${Cluster}/*")
    _, nothing, tagged = statement["Condition"]["Fn::If"]
    assert nothing == {"Ref": "AWS::NoValue"}
    assert tagged == {"StringEquals": {"aws:ResourceTag/Platform": {"Ref": "AWS::StackName"}}}


def test_executions_are_watched_that_have_a_deadline_from_the_job_or_from_their_input() -> None:
    detail = TEMPLATES["job"]["Resources"]["Deadline"]["Properties"]["EventPattern"]["detail"]
    assert detail["status"] == ["RUNNING"]
    (_, always, named) = detail["input"]["Fn::If"]
    assert always == [{"anything-but": {"wildcard": f'*"{SHARD}":*'}}]
    assert named == [{"wildcard": f'*"{FINISH_WITHIN_MINUTES}"*'}]


def test_the_platform_watches_all_its_launches_that_name_a_time_to_give_them_up_at() -> None:
    detail = TEMPLATES["platform"]["Resources"]["Launches"]["Properties"]["EventPattern"]["detail"]
    assert not {"capacityProviderName", "launchType"} & detail.keys()
    (arn, _) = detail["clusterArn"][0]["Fn::Sub"]
    assert arn.endswith(":cluster/${Cluster}")
    (own,) = (one["prefix"]["Fn::Sub"] for one in detail["taskDefinitionArn"])
    assert own.endswith(":task-definition/${AWS::StackName}-")
    assert detail["overrides"] == {"containerOverrides": {"environment": {"name": [Env.START_BY]}}}
    assert (detail["lastStatus"], detail["desiredStatus"]) == (["PROVISIONING"], ["RUNNING"])


def test_the_rules_may_start_the_machines_of_the_platform_and_nothing_else() -> None:
    own, of_jobs = statements("RuleRole").values()
    machines = of_type("platform", "AWS::StepFunctions::StateMachine")
    assert [own["Resource"]] == [{"Ref": name} for name in machines]
    names = [one["Fn::Sub"].rpartition(":stateMachine:")[2] for one in of_jobs["Resource"]]
    ends = ("AtTheDeadline", "AfterTheEnd", "AfterOthers")
    assert names == [f"${{AWS::StackName}}-*-{end}" for end in ends]
    assert of_jobs["Condition"] == {
        "StringEquals": {"aws:ResourceTag/Platform": {"Ref": "AWS::StackName"}}
    }
    assert actions("RuleRole") == {"states:StartExecution"}


def test_the_task_may_do_what_the_worker_calls_and_nothing_else() -> None:
    of_shell = set(statements("TaskRole")["Shell"]["Action"])
    assert actions("TaskRole") - of_shell - OF_TRACED_TASK == called_by_worker()
    assert of_shell == OF_SHELL


@pytest.mark.parametrize(
    ("role", "may"), [("TaskRole", OF_TRACED_TASK), ("StateMachineRole", OF_TRACED_MACHINE)]
)
def test_a_role_may_send_traces_only_where_the_job_is_traced(role: str, may: set[str]) -> None:
    tags = {tag["Key"]: tag["Value"] for tag in ROLES[role]["Tags"]}
    assert tags["Tracing"] == {"Ref": "Tracing"}
    given = statements(role)["Traces"]
    assert set(given["Action"]) == may
    assert given["Condition"] == {"StringEquals": {"aws:PrincipalTag/Tracing": "true"}}
    elsewhere = {role: actions(role) & OF_TRACED_MACHINE for role in ROLES}
    assert {one for one, found in elsewhere.items() if found} == {"TaskRole", "StateMachineRole"}


def test_machines_and_the_worker_of_a_traced_job_send_traces() -> None:
    job = Job(name="night", image="i", schedule="rate(1 hour)", missed="auto", after=("other",))
    resources = parsed(job_template(partial(with_parts, job)).text)["Resources"]
    machines = [one["Properties"] for one in resources.values() if "StateMachine" in one["Type"]]
    assert len(machines) == 5
    assert [one["TracingConfiguration"] for one in machines] == [
        {"Enabled": {"Ref": "Tracing"}}
    ] * 5
    (definition,) = of_type("job", "AWS::ECS::TaskDefinition").values()
    given = {one.get("Name"): one for one in worker_in(definition)["Environment"]}
    assert f"{Env.TRACING}=${{Tracing}}\n" in given[Env.OPTIONS]["Value"]["Fn::Sub"]


def test_a_task_has_the_rights_of_a_shell_only_where_the_job_is_debugged() -> None:
    tags = {tag["Key"]: tag["Value"] for tag in ROLES["TaskRole"]["Tags"]}
    assert tags["Debug"] == {"Ref": "Debug"}
    assert statements("TaskRole")["Shell"]["Condition"] == {
        "StringEquals": {"aws:PrincipalTag/Debug": "true"}
    }
    for state in job_template().graph("StateMachine")["States"].values():
        if "runTask" in state.get("Resource", ""):
            assert "$job.debug = 'true'" in state["Arguments"]["EnableExecuteCommand"]


def test_the_execution_role_may_read_the_job_s_secret_only_and_only_where_there_is_one() -> None:
    statement = statements("ExecutionRole")["Own"]
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert statement["Resource"] == {"Ref": "Secret"}
    (definition,) = of_type("job", "AWS::ECS::TaskDefinition").values()
    for (given,) in (ROLES["ExecutionRole"]["Policies"], worker_in(definition)["Secrets"]):
        condition, _, otherwise = given["Fn::If"]
        assert condition == "HasSecret"
        assert otherwise == {"Ref": "AWS::NoValue"}
    assert TEMPLATES["job"]["Conditions"]["HasSecret"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "Secret"}, ""]}]
    }


def test_each_option_of_the_worker_is_a_line_of_its_own_or_a_variable_and_none_stands_twice() -> (
    None
):
    (definition,) = of_type("job", "AWS::ECS::TaskDefinition").values()
    given = worker_in(definition)["Environment"]
    plain = {one["Name"]: one["Value"] for one in given if "Name" in one}
    lines = plain.pop(Env.OPTIONS)["Fn::Sub"].splitlines()
    named = [line.partition("=")[0] for line in lines] + list(plain)
    named += [one["Fn::If"][1]["Name"] for one in given if "Fn::If" in one]
    assert len(named) == len(set(named))
    assert {option.variable for option in OPTIONS} <= set(named) <= set(Env)
    for line in lines:
        for name in re.findall(r"\$\{(\w+)\}", line):
            pattern = TEMPLATES["job"]["Parameters"][name].get("AllowedPattern", ".*")
            assert re.fullmatch(pattern, "a\nb") is None


def test_the_worker_finds_its_secrets_where_it_looks() -> None:
    (definition,) = of_type("job", "AWS::ECS::TaskDefinition").values()
    (secret,) = worker_in(definition)["Secrets"]
    assert secret["Fn::If"][1] == {"Name": Env.SECRETS, "ValueFrom": {"Ref": "Secret"}}


def worker_in(definition: dict[str, Any]) -> dict[str, Any]:
    """The worker's container of a task definition."""
    (worker,) = (c for c in definition["ContainerDefinitions"] if c["Name"] == WORKER_CONTAINER)
    return dict(worker)


def test_there_is_one_role_for_each_who_acts() -> None:
    assert set(ROLES) == set(TRUSTED)


def sources(statement: dict[str, Any]) -> list[str]:
    """For whom a service may take a role on: ARNs, one each, or as a list that is split."""
    (keys,) = statement["Condition"].values()
    given = keys["aws:SourceArn"]
    if "Fn::Split" in given:
        text, names = given["Fn::Split"][1]["Fn::Sub"]
        return str(text).replace("${Own}", names["Own"]["Fn::Sub"]).split(",")
    return [one["Fn::Sub"] for one in listed(given)]


@pytest.mark.parametrize("role", TRUSTED)
def test_a_role_trusts_one_service_and_only_for_this_account(role: str) -> None:
    (statement,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": TRUSTED[role]}
    for source in sources(statement):
        assert ":${AWS::Region}:${AWS::AccountId}:" in source


@pytest.mark.parametrize(
    ("role", "machines"),
    [
        (
            "StateMachineRole",
            [f"{OWN_MACHINE}{end}" for end in MACHINES],
        ),
        ("BeforeTheStartRole", ["${AWS::StackName}-BeforeTheStart"]),
    ],
)
def test_a_workflow_s_role_is_for_that_workflow_exactly(role: str, machines: list[str]) -> None:
    """The name of another job, or of another platform's, may begin with this one's."""
    (statement,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"].keys() == {"ArnLike"}
    assert [one.rpartition(":stateMachine:")[2] for one in sources(statement)] == machines


def test_the_scheduler_comes_from_the_platform_s_groups_exactly() -> None:
    (statement,) = ROLES["SchedulerRole"]["AssumeRolePolicyDocument"]["Statement"]
    sources = statement["Condition"]["StringEquals"]["aws:SourceArn"]
    assert [one["Fn::Sub"].rpartition(":schedule-group/")[2] for one in sources] == [
        "${ScheduleGroup}",
        "${LookGroup}",
    ]


@pytest.mark.parametrize("role", TRUSTED)
def test_nothing_is_allowed_on_everything_but_what_knows_no_resource(role: str) -> None:
    for statement in statements(role).values():
        if "*" in listed(statement["Resource"]):
            assert set(listed(statement["Action"])) <= ON_EVERYTHING
        assert not [action for action in listed(statement["Action"]) if "*" in action]


def test_exactly_two_roles_are_passed_and_only_to_ecs() -> None:
    statement = statements("StateMachineRole")["HandTheTaskItsRoles"]
    assert statement["Resource"] == [
        {"Fn::GetAtt": ["TaskRole", "Arn"]},
        {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
    ]
    assert statement["Condition"] == {
        "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    }


@pytest.mark.parametrize("role", ["TaskRole", "ExecutionRole", "StateMachineRole"])
def test_a_role_of_a_job_bears_the_name_by_which_the_platform_s_policies_go(role: str) -> None:
    tags = {tag["Key"]: tag["Value"] for tag in ROLES[role]["Tags"]}
    assert tags["Job"] == {"Ref": "Job"}
    named = re.findall(r"aws:PrincipalTag/(\w+)", json.dumps(statements(role)))
    assert set(named) == set(tags)


@pytest.mark.parametrize(
    ("role", "sid", "partitions"),
    [
        ("TaskRole", "OwnWork", [WORKERS]),
        ("StateMachineRole", "OwnRuns", [OWN, WORKERS, TURN, columns.WEATHER, SHARDS]),
    ],
)
def test_the_table_is_open_for_the_rows_of_this_job_only_and_of_a_task_for_the_worker_s(
    role: str, sid: str, partitions: list[str]
) -> None:
    own = {"dynamodb:LeadingKeys": partitions}
    assert statements(role)[sid]["Condition"] == {"ForAllValues:StringEquals": own}


def test_the_bucket_is_open_for_the_keys_of_this_job_only() -> None:
    own = statements("TaskRole")
    write = ["s3:PutObject", "s3:AbortMultipartUpload"]
    for sid, prefix, allowed in (
        ("OwnCheckpoints", "checkpoints", ["s3:GetObject", *write, "s3:DeleteObject"]),
        ("OwnOutputs", "outputs", ["s3:GetObject", *write]),
        ("OwnInputs", "inputs", ["s3:GetObject"]),
        ("LockOutputs", "outputs", ["s3:PutObjectRetention"]),
    ):
        place = f"arn:${{AWS::Partition}}:s3:::${{Place}}/{prefix}/${{!aws:PrincipalTag/Job}}/*"
        assert own[sid]["Resource"]["Fn::Sub"][0] == place
        assert sorted(listed(own[sid]["Action"])) == sorted(allowed)
    assert len([action for action in actions("TaskRole") if action.startswith("s3:")]) == 5


def test_a_workflow_follows_and_stops_what_bears_its_job_s_name_alone() -> None:
    workflow = statements("StateMachineRole")
    equal = workflow["FollowAndStopTheTask"]["Condition"]["StringEquals"]
    assert equal["aws:ResourceTag/Job"] == "${aws:PrincipalTag/Job}"
    (_, _, platform) = equal["aws:ResourceTag/Platform"]["Fn::If"]
    assert platform == {"Ref": "AWS::StackName"}
    (task,) = of_type("job", "AWS::ECS::TaskDefinition").values()
    assert task["Tags"] == [{"Key": name, "Value": {"Ref": name}} for name in ("Job", "Platform")]
    for state in job_template().graph("StateMachine")["States"].values():
        if "runTask" in state.get("Resource", ""):
            assert state["Arguments"]["PropagateTags"] == "TASK_DEFINITION"


def test_a_platform_starts_its_own_machines_alone() -> None:
    (statement,) = statements("SchedulerRole").values()
    assert statement["Condition"] == {
        "StringEquals": {"aws:ResourceTag/Platform": {"Ref": "AWS::StackName"}}
    }
    for machine in of_type("job", "AWS::StepFunctions::StateMachine").values():
        assert machine["Tags"] == [{"Key": "Platform", "Value": {"Ref": "Platform"}}]


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("platform", "AWS::S3::BucketPolicy"),
        ("platform", "AWS::SNS::TopicPolicy"),
        ("job", "AWS::SQS::QueuePolicy"),
    ],
)
def test_nothing_is_reached_without_tls(template: str, kind: str) -> None:
    policies = of_type(template, kind).values()
    assert policies
    for policy in policies:
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in denied]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_parameter_says_what_it_is_for(name: str) -> None:
    parameters = TEMPLATES[name]["Parameters"]
    assert not [key for key, rule in parameters.items() if not rule.get("Description")]
    groups = TEMPLATES[name]["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [key for group in groups for key in group["Parameters"]]
    needed = {key for key, rule in parameters.items() if "Default" not in rule}
    assert needed <= set(shown) <= set(parameters)


def test_only_what_must_be_named_has_no_default() -> None:
    parameters = TEMPLATES["job"]["Parameters"]
    needed = {key for key, rule in parameters.items() if "Default" not in rule}
    assert needed == {"Platform", "Job", "Image"}
    assert all("Default" in rule for rule in TEMPLATES["platform"]["Parameters"].values())


def test_what_is_kept_has_a_generated_name() -> None:
    for body in TEMPLATES["platform"]["Resources"].values():
        if body.get("DeletionPolicy") == "Retain":
            assert not {"BucketName", "TableName"} & set(body["Properties"])
            assert body["UpdateReplacePolicy"] == "Retain"


def imported(value: Any) -> set[str]:
    """The export names that a piece of a template imports."""
    if isinstance(value, list):
        return {name for item in value for name in imported(item)}
    if not isinstance(value, dict):
        return set()
    names = {name for key, item in value.items() for name in imported(item)}
    if "Fn::ImportValue" in value:
        names.add(value["Fn::ImportValue"]["Fn::Sub"])
    return names


def test_a_job_imports_only_what_the_platform_exports() -> None:
    exported = {
        output["Export"]["Name"]["Fn::Sub"].replace("${AWS::StackName}", "${Platform}")
        for output in TEMPLATES["platform"]["Outputs"].values()
        if "Export" in output
    }
    assert imported(TEMPLATES["job"]["Resources"]) <= exported


def test_every_substitution_of_a_definition_is_given_and_every_given_one_is_used() -> None:
    for name, template in (("platform", platform_template()), ("job", job_template())):
        machines = of_type(name, "AWS::StepFunctions::StateMachine")
        assert machines.keys() == template.definitions.keys()
        for logical_id, machine in machines.items():
            given = set(machine.get("DefinitionSubstitutions", ()))
            assert names_in(template.definitions[logical_id]) == given


def names_in(text: str) -> set[str]:
    """The names that a text wants to have put in."""
    return {part.split("}", 1)[0] for part in text.split("${")[1:]}


def test_names_stay_within_what_aws_allows_for_the_longest_platform_and_job() -> None:
    parameters = TEMPLATES["job"]["Parameters"]
    longest = parameters["Platform"]["MaxLength"] + 1 + parameters["Job"]["MaxLength"]
    assert longest <= 80  # a state machine
    assert parameters["Job"]["MaxLength"] <= 64  # a schedule, named within its group


def test_what_is_too_large_to_be_sent_is_what_aws_would_refuse() -> None:
    assert LARGEST_BYTES == LARGEST_BODY_BYTES


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_template_has_room_for_thirty_more_parameters(name: str) -> None:
    """One takes its declaration and a line with its name: a substitution, an option, a group."""
    beside = {"job": 60, "platform": 20}[name]
    sent = platform_template() if name == "platform" else job_template(with_sidecar)
    for what, text, may_have in (
        ("in the repository", PATHS[name].read_text("utf-8"), LARGEST_TEMPLATE_BYTES),
        ("as it is sent", sent.text, LARGEST_BODY_BYTES),
    ):
        parameters = text[text.index("\nParameters:") : text.index("\nConditions:")]
        of_one = len(parameters.encode()) / len(TEMPLATES[name]["Parameters"]) + beside
        size = len(text.encode())
        left = int((may_have - size) / of_one)
        print(f"{name}.yaml {what}: {size} of {may_have} bytes, {left} more parameters fit")
        assert left >= 30


METADATA, DESCRIPTION = "Metadata", "Description"
"""What the console's form and linters read of a template."""


def without(key: str, section: dict[str, Any]) -> dict[str, Any]:
    """The parts of a section without one of their keys."""
    return {name: {k: v for k, v in part.items() if k != key} for name, part in section.items()}


def test_the_platform_is_sent_as_it_stands_but_for_what_people_read_and_definitions() -> None:
    sent = parsed(platform_template().text)
    machine = "BeforeTheStart"
    properties = sent["Resources"][machine]["Properties"]
    assert json.loads(properties.pop("DefinitionString")) == platform_template().graph(machine)
    own = of_type("platform", "AWS::StepFunctions::StateMachine")[machine]
    properties["DefinitionS3Location"] = own["DefinitionS3Location"]
    whole = {name: part for name, part in TEMPLATES["platform"].items() if name != METADATA}
    whole["Resources"] = without(METADATA, whole["Resources"])
    for section in ("Parameters", "Outputs"):
        whole[section] = without(DESCRIPTION, whole[section])
    assert sent == whole


def test_a_template_holds_nothing_that_is_made() -> None:
    for path in PATHS.values():
        lines = path.read_text("utf-8").splitlines()
        assert "Definition" not in {line.strip().partition(":")[0] for line in lines}
        assert not [line for line in lines if "{%" in line]
        indents = [len(line) - len(line.lstrip()) for line in lines if '"' not in line]
        assert not [indent for indent in indents if indent % 2]


def test_every_alarm_names_what_to_type_and_its_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    alarms = of_type("job", "AWS::CloudWatch::Alarm")
    assert len(alarms) == 3
    for alarm in alarms.values():
        said = alarm["AlarmDescription"]["Fn::Sub"]
        said = said if isinstance(said, str) else said[0]
        assert "steadyspot " in said
        assert "https://${AWS::Region}.console.aws.amazon.com/" in said
        name = alarm["AlarmName"]["Fn::Sub"].rpartition("-")[2]
        assert f"docs/runbooks/{name}.md" in said
        assert f"`PLATFORM-JOB-{name}`" in readme


def test_no_image_of_a_job_expires_because_other_jobs_push_theirs() -> None:
    """A count over the repository of all jobs would expire a digest that a definition names."""
    (repository,) = of_type("platform", "AWS::ECR::Repository").values()
    policy = repository.get("LifecyclePolicy", {}).get("LifecyclePolicyText", "{}")
    rules = json.loads(policy).get("rules", [])
    assert [rule for rule in rules if rule["selection"]["tagStatus"] != "untagged"] == []


def test_a_container_is_closed_by_three_keys_and_writes_to_the_two_folders_then() -> None:
    (definition,) = of_type("job", "AWS::ECS::TaskDefinition").values()
    worker = worker_in(definition)
    assert worker["ReadonlyRootFilesystem"] == {"Ref": "ReadOnlyRoot"}
    assert {mount["Fn::If"][0] for mount in worker["MountPoints"]} == {"IsReadOnly"}
    mounts = [mount["Fn::If"][1] for mount in worker["MountPoints"]]
    assert [mount["ContainerPath"] for mount in mounts] == ["/tmp", "/work"]
    volumes = [volume["Fn::If"][1] for volume in definition["Volumes"]]
    assert [volume["Name"] for volume in volumes] == [mount["SourceVolume"] for mount in mounts]
    _, dropped, _ = worker["LinuxParameters"]["Fn::If"]
    assert dropped == {"Capabilities": {"Drop": ["ALL"]}}
    _, user, _ = worker["User"]["Fn::If"]
    assert user == {"Ref": "User"}


def test_outputs_are_kept_for_ever_unless_a_platform_says_for_how_long() -> None:
    properties = TEMPLATES["platform"]["Resources"]["Bucket"]["Properties"]
    rules = properties["LifecycleConfiguration"]["Rules"]
    of_outputs = [rule for rule in rules if "outputs/" in json.dumps(rule)]
    expiring = [rule["Fn::If"] for rule in of_outputs if "ExpirationInDays" in json.dumps(rule)]
    assert expiring == [
        [
            "OutputsExpire",
            {
                "Id": "old-outputs",
                "Status": "Enabled",
                "Prefix": "outputs/",
                "ExpirationInDays": {"Ref": "KeepOutputsDays"},
            },
            {"Ref": "AWS::NoValue"},
        ]
    ]
    assert TEMPLATES["platform"]["Parameters"]["KeepOutputsDays"]["Default"] == 0


def test_records_are_kept_for_ever_unless_somebody_says_otherwise() -> None:
    table = TEMPLATES["platform"]["Resources"]["RunTable"]["Properties"]
    assert table["TimeToLiveSpecification"] == {
        "AttributeName": columns.DELETE_AT,
        "Enabled": {"Fn::If": ["RunsExpire", True, False]},
    }
    parameters = [TEMPLATES[name]["Parameters"]["KeepRunsDays"] for name in ("platform", "job")]
    assert [parameter["Default"] for parameter in parameters] == [0, 0]
