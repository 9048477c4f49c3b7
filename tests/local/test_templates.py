"""The templates, deployed by plain CloudFormation: what is there, what changes, what is left."""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudformation.models import cloudformation_backends

from steadyspot.contract import Env
from steadyspot.contract.metrics import OUTCOMES
from steadyspot.contract.options import spread
from steadyspot.deploy.local.aws import LocalAws
from steadyspot.deploy.stacks.config import Platform
from steadyspot.deploy.stacks.config_file import parse
from steadyspot.deploy.stacks.parameters import of_job
from steadyspot.worker.options import OPTIONS, Options
from tests.local.runs import NEVER_MEANWHILE
from tests.local.stacks import DEFINITION, JOB, PLATFORM, Stacks, everything, network_of

MAIL = "on-call@example.com"


@pytest.fixture(scope="module")
def shared(local_aws: LocalAws) -> tuple[Stacks, dict[str, str], dict[str, str]]:
    """A platform and a job that tests only look at."""
    stacks = Stacks(local_aws)
    platform = stacks.create_platform(MailAddress=MAIL)
    job = stacks.create_job(
        ScheduleExpression=NEVER_MEANWHILE,
        TimeZone="Europe/Berlin",
        ScheduleState="DISABLED",
        MissedAfterHours=26,
        Command='["python","-m","report"]',
        Environment='{"LEVEL":"2"}',
        CheckpointDir="/work/kept",
        Cpu=512,
        MemoryGb=2,
        DiskGb=40,
        Architecture="ARM64",
        StopTimeout=90,
    )
    return stacks, platform, job


def test_the_bucket_is_closed_encrypted_tidy_and_tls_only(shared: Any, clients_of: Any) -> None:
    s3, bucket = clients_of("s3"), shared[1]["Bucket"]
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    by_id = {rule["ID"]: rule for rule in lifecycle}
    abandoned = by_id["abandoned-uploads"]["AbortIncompleteMultipartUpload"]
    assert abandoned["DaysAfterInitiation"] == 15
    assert by_id["old-checkpoints"]["Filter"]["Prefix"] == "checkpoints/"
    assert by_id["old-checkpoints"]["Expiration"]["Days"] == 30
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_run_table_has_its_keys_and_can_be_recovered(shared: Any, clients_of: Any) -> None:
    dynamodb, table = clients_of("dynamodb"), shared[1]["Table"]
    shown = dynamodb.describe_table(TableName=table)["Table"]
    assert shown["KeySchema"] == [
        {"AttributeName": "job", "KeyType": "HASH"},
        {"AttributeName": "run_key", "KeyType": "RANGE"},
    ]
    assert shown["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert shown["DeletionProtectionEnabled"] is False
    recovery = dynamodb.describe_continuous_backups(TableName=table)
    status = recovery["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert status["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_topic_tells_by_mail_and_lets_alarms_in(shared: Any, clients_of: Any) -> None:
    sns, topic = clients_of("sns"), shared[1]["Topic"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", MAIL)
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    statements = {s["Sid"]: s for s in json.loads(attributes["Policy"])["Statement"]}
    assert statements["TlsOnly"]["Effect"] == "Deny"
    assert (
        "cloudwatch.amazonaws.com"
        in statements["AlarmsAndRulesOfThisAccount"]["Principal"]["Service"]
    )


def test_the_cluster_has_both_providers(shared: Any, clients_of: Any) -> None:
    (cluster,) = clients_of("ecs").describe_clusters(clusters=[shared[1]["Cluster"]])["clusters"]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]


def test_a_network_of_its_own_has_three_zones_endpoints_and_no_way_in(
    shared: Any, clients_of: Any
) -> None:
    ec2, platform = clients_of("ec2"), shared[1]
    subnets = ec2.describe_subnets(SubnetIds=network_of(platform)["Subnets"])["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 3
    vpc = subnets[0]["VpcId"]
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    endpoints = ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]
    assert {item["ServiceName"].rsplit(".", 1)[-1] for item in endpoints} == {"s3", "dynamodb"}
    assert not ec2.describe_nat_gateways(Filters=mine)["NatGateways"]
    groups = network_of(platform)["SecurityGroups"]
    (group,) = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
    assert group["IpPermissions"] == []
    assert network_of(platform)["AssignPublicIp"] == "ENABLED"


def test_the_task_definition_says_all_that_fargate_and_worker_need(
    shared: Any, clients_of: Any
) -> None:
    _, platform, job = shared
    shown = clients_of("ecs").describe_task_definition(taskDefinition=job["TaskDefinition"])[
        "taskDefinition"
    ]
    assert (shown["cpu"], shown["memory"]) == ("512", "2048")
    assert shown["ephemeralStorage"] == {"sizeInGiB": 40}
    assert shown["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    assert "ExecutionRole" in shown["executionRoleArn"]
    assert "TaskRole" in shown["taskRoleArn"]
    (container,) = shown["containerDefinitions"]
    assert (container["name"], container["stopTimeout"]) == ("worker", 90)
    assert container["logConfiguration"]["options"]["awslogs-group"] == job["LogGroup"]
    environment = {pair["name"]: pair["value"] for pair in container["environment"]}
    options = environment[Env.OPTIONS]
    assert environment == {
        "STEADYSPOT_JOB": "report",
        "STEADYSPOT_TABLE": platform["Table"],
        "STEADYSPOT_BUCKET": platform["Bucket"],
        "STEADYSPOT_LOCK_DAYS": "0",
        "STEADYSPOT_STOP_TIMEOUT": "90",
        "STEADYSPOT_RERUN": "always",
        "STEADYSPOT_COMMAND": '["python","-m","report"]',
        "STEADYSPOT_ENVIRONMENT": '{"LEVEL":"2"}',
        "STEADYSPOT_DECLARED": "",
        "STEADYSPOT_OPTIONS": options,
    }
    given = dict(line.split("=", 1) for line in options.splitlines())
    always = {Env.TRACING: "false", Env.PRICES: given[Env.PRICES]}
    assert {name: value for name, value in given.items() if value} == {
        Env.CHECKPOINT_DIR: "/work/kept",
        **always,
    }
    assert len(list(map(float, given[Env.PRICES].split()))) == 5


def test_every_option_of_the_worker_is_a_key_of_a_job_and_arrives(
    shared: Any, clients_of: Any
) -> None:
    """From the configuration through the template and the task definition into the worker."""
    stacks = shared[0]
    keys = """
        [jobs.keys]
        image = "steadyspot-worker:local"
        checkpoint_dir = "/kept"
        output_dir = "/out"
        checkpoint_every_seconds = 7.5
        marker = "/save"
        output_ignore = ["*.bak"]
        scratch_dir = "/scratch"
        uploads = 3
        patience_seconds = 60
        stop_timeout = 50
        drain_seconds = 0
        on_stop = "echo \\"it's ${OVER}\\""
        on_stop_seconds = 4
        signal = "group"
        signal_job = "INT"
        forward = ["USR1", "RTMIN+3"]
    """
    job = parse(keys).job()
    outputs = stacks.create_job(job.name, **of_job(Platform(name=stacks.platform), job))
    shown = clients_of("ecs").describe_task_definition(taskDefinition=outputs["TaskDefinition"])
    (container,) = shown["taskDefinition"]["containerDefinitions"]
    environment = spread({pair["name"]: pair["value"] for pair in container["environment"]})
    assert {option.variable for option in OPTIONS} <= set(environment)

    options = Options(["job"], environment)
    assert (options.checkpoint_dir, options.output_dir) == ("/kept", "/out")
    assert (options.every_seconds, options.marker) == (7.5, "/save")
    assert (options.output_ignore, options.uploads) == (("*.bak",), 3)
    assert (options.scratch_dir, options.patience_seconds) == ("/scratch", 60)
    assert (options.stop_timeout_seconds, options.drain_seconds) == (50, 0)
    assert (options.on_stop, options.on_stop_seconds) == ("""echo "it's ${OVER}\"""", 4)
    assert (options.audience, options.signal_job) == ("group", signal.SIGINT)
    assert options.ordinary == {signal.SIGUSR1, signal.SIGRTMIN + 3}


def test_the_state_machines_can_run_and_have_nothing_left_to_substitute(
    shared: Any, clients_of: Any
) -> None:
    for machine in (
        shared[2]["StateMachine"],
        shared[1]["BeforeTheStart"],
        shared[2]["AtTheDeadline"],
        shared[2]["AfterTheEnd"],
    ):
        shown = clients_of("stepfunctions").describe_state_machine(stateMachineArn=machine)
        assert "${" not in shown["definition"]
        assert shown["loggingConfiguration"]["includeExecutionData"] is False
        assert shown["type"] == "STANDARD"


def test_the_schedule_sends_its_time_and_keeps_what_it_cannot_start(
    shared: Any, clients_of: Any
) -> None:
    _, platform, job = shared
    shown = clients_of("scheduler").get_schedule(
        Name=job["Schedule"], GroupName=platform["ScheduleGroup"]
    )
    assert (shown["State"], shown["ScheduleExpressionTimezone"]) == ("DISABLED", "Europe/Berlin")
    assert shown["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = shown["Target"]
    assert target["Arn"] == job["StateMachine"]
    assert target["Input"] == '{"scheduledTime":"<aws.scheduler.scheduled-time>"}'
    assert target["RetryPolicy"] == {
        "MaximumRetryAttempts": 185,
        "MaximumEventAgeInSeconds": 3600,
    }
    queue = clients_of("sqs").get_queue_attributes(QueueUrl=job["Queue"], AttributeNames=["All"])
    assert target["DeadLetterConfig"]["Arn"] == queue["Attributes"]["QueueArn"]
    assert queue["Attributes"]["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert "aws:SecureTransport" in queue["Attributes"]["Policy"]


def test_alarms_watch_the_queue_the_failures_and_the_silence(shared: Any, clients_of: Any) -> None:
    stacks, platform, job = shared
    name = f"{stacks.platform}-report"
    shown = clients_of("cloudwatch").describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    alarms = {alarm["AlarmName"].removeprefix(f"{name}-"): alarm for alarm in shown}
    assert sorted(alarms) == ["failed", "missed", "parked"]
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [platform["Topic"]]
        assert job["StateMachine"] in alarm["AlarmDescription"]
    assert alarms["parked"]["ActionsEnabled"] is True
    assert alarms["failed"]["ActionsEnabled"] is False
    assert alarms["missed"]["EvaluationPeriods"] == 26


def test_one_dashboard_shows_all_jobs_of_the_platform(shared: Any, clients_of: Any) -> None:
    stacks, _, _ = shared
    body = clients_of("cloudwatch").get_dashboard(DashboardName=stacks.platform)["DashboardBody"]
    assert "${" not in body
    widgets = [widget["properties"] for widget in json.loads(body)["widgets"]]
    searched = {
        name
        for widget in widgets
        for metric in widget.get("metrics", [])
        for name in re.findall(r'MetricName="(\w+)"', metric[0]["expression"])
    }
    assert searched == {
        *["Runs", "Refusals", "Cost", "Saved", "Attempts", "GracePercent"],
        *["StartDelaySeconds", "FinishDelaySeconds"],
        "ApproximateNumberOfMessagesVisible",
    }
    outcomes = re.findall(r'Outcome="(\w+)"', json.dumps(widgets).replace("\\", ""))
    assert sorted(outcomes) == sorted(OUTCOMES)


def test_a_job_without_schedule_has_none_and_no_more_alarms_than_asked_for(
    shared: Any, clients_of: Any
) -> None:
    stacks, platform, _ = shared
    outputs = stacks.create_job("by-hand")
    assert "Schedule" not in outputs
    group = clients_of("scheduler").list_schedules(GroupName=platform["ScheduleGroup"])
    assert "by-hand" not in [schedule["Name"] for schedule in group["Schedules"]]
    shown = clients_of("cloudwatch").describe_alarms(AlarmNamePrefix=f"{stacks.platform}-by-hand-")
    assert len(shown["MetricAlarms"]) == 2


def test_a_list_that_was_given_is_shown_as_the_text_that_it_was(stacks: Stacks) -> None:
    stacks.create_platform()
    stacks.create_job("empty", TaskPolicyArns="")
    shown = stacks.describe(f"{stacks.platform}-empty")["Parameters"]
    values = {one["ParameterKey"]: one.get("ParameterValue", "") for one in shown}
    assert values["TaskPolicyArns"] == ""


def test_existing_subnets_are_used_as_they_are(stacks: Stacks, clients_of: Any) -> None:
    subnets = clients_of("ec2").describe_subnets()["Subnets"]
    default = [s for s in subnets if s["DefaultForAz"]][:3]
    ids = ",".join(subnet["SubnetId"] for subnet in default)
    platform = stacks.create_platform(
        VpcId=default[0]["VpcId"], SubnetIds=ids, AssignPublicIp="DISABLED"
    )
    network = network_of(platform)
    assert (network["Subnets"], network["AssignPublicIp"]) == (ids.split(","), "DISABLED")
    assert "Vpc" not in [key for key, _ in stacks.events(stacks.platform)]


def test_given_security_groups_are_those_of_the_tasks(stacks: Stacks, clients_of: Any) -> None:
    ec2 = clients_of("ec2")
    default = [s for s in ec2.describe_subnets()["Subnets"] if s["DefaultForAz"]][:1]
    vpc = default[0]["VpcId"]
    groups = [
        ec2.create_security_group(GroupName=f"{stacks.platform}-{n}", Description="d", VpcId=vpc)[
            "GroupId"
        ]
        for n in range(2)
    ]
    platform = stacks.create_platform(
        VpcId=vpc, SubnetIds=default[0]["SubnetId"], SecurityGroupIds=",".join(groups)
    )
    assert network_of(platform)["SecurityGroups"] == groups
    assert "SecurityGroup" not in [key for key, _ in stacks.events(stacks.platform)]


def test_a_changed_size_makes_a_new_revision_and_leaves_the_old_one_alone(
    stacks: Stacks, clients_of: Any
) -> None:
    stacks.create_platform()
    before = stacks.create_job()["TaskDefinition"]
    name = f"{stacks.platform}-report"
    foreseen = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"]
        for change in stacks.change_set(name, Cpu=512)["Changes"]
    }
    assert foreseen["TaskDefinition"]["Replacement"] == "True"
    assert foreseen["StateMachine"]["Replacement"] == "False"
    assert set(foreseen) == {"TaskDefinition", "StateMachine"}
    assert stacks.change(name, Cpu=512)["StackStatus"] == "UPDATE_COMPLETE"
    after = stacks.outputs(name)["TaskDefinition"]
    assert after != before
    ecs = clients_of("ecs")
    for arn in (before, after):
        shown = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        assert shown["status"] == "ACTIVE"
    machine = clients_of("stepfunctions").describe_state_machine(
        stateMachineArn=stacks.outputs(name)["StateMachine"]
    )
    assert after in machine["definition"]
    assert before not in machine["definition"]


def test_a_schedule_is_switched_off_without_touching_anything_else(
    stacks: Stacks, clients_of: Any
) -> None:
    platform = stacks.create_platform()
    stacks.create_job(ScheduleExpression="rate(30 days)")
    name = f"{stacks.platform}-report"
    changes = stacks.change_set(name, ScheduleState="DISABLED")["Changes"]
    assert [change["ResourceChange"]["LogicalResourceId"] for change in changes] == ["Schedule"]
    stacks.change(name, ScheduleState="DISABLED")
    shown = clients_of("scheduler").get_schedule(Name="report", GroupName=platform["ScheduleGroup"])
    assert shown["State"] == "DISABLED"
    stacks.change(name, ScheduleExpression="")
    assert "Schedule" not in stacks.outputs(name)


def test_a_change_set_without_changes_says_so(stacks: Stacks) -> None:
    stacks.create_platform()
    shown = stacks.change_set(stacks.platform, PLATFORM)
    assert shown["Status"] == "FAILED"
    assert "didn't contain changes" in shown["StatusReason"]


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("cron(*/60 * * * ? *)", "UTC", "Invalid Schedule Expression cron(*/60 * * * ? *)."),
        ("rate(1 hour)", "Mars/Dome", "Invalid Schedule Expression Timezone Mars/Dome."),
    ],
)
def test_a_schedule_that_aws_refuses_is_no_stack_here(
    stacks: Stacks, expression: str, zone: str, said: str
) -> None:
    name = f"{stacks.platform}-clock"
    properties = {
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:sqs:::q", "RoleArn": "arn:aws:iam::123456789012:role/r"},
    }
    clock = {"Type": "AWS::Scheduler::Schedule", "Properties": properties}
    stacks.cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Clock": clock}})
    )
    assert stacks.describe(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(said in line for line in stacks.failures(name))


def test_what_fails_is_rolled_back_and_says_why(stacks: Stacks, clients_of: Any) -> None:
    name = f"{stacks.platform}-orphan"
    stacks.cloudformation.create_stack(
        StackName=name,
        TemplateBody=JOB,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"Platform": "nowhere", "Job": "orphan", "Image": "i"}.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    assert stacks.describe(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("No export named nowhere-" in line for line in stacks.failures(name))
    assert clients_of("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", []) == []
    with pytest.raises(ClientError, match="can not be updated"):
        stacks.change_set(name, JOB)


def test_a_platform_of_another_region_has_the_zones_of_that_region(local_aws: LocalAws) -> None:
    session = local_aws.session()
    cloudformation = session.client("cloudformation", region_name="eu-central-1")
    cloudformation.create_stack(StackName="abroad", TemplateBody=PLATFORM)
    (stack,) = cloudformation.describe_stacks(StackName="abroad")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    subnets = session.client("ec2", region_name="eu-central-1").describe_subnets(
        SubnetIds=network_of(outputs)["Subnets"]
    )["Subnets"]
    zones = [subnet["AvailabilityZone"] for subnet in subnets]
    assert zones == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    cloudformation.delete_stack(StackName="abroad")


def test_two_cannot_change_a_stack_at_once(stacks: Stacks) -> None:
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    stacks.create(stacks.platform, template)
    stack = cloudformation_backends[stacks.aws.account_id][stacks.aws.region].get_stack(
        stacks.platform
    )
    stack.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(ClientError, match="UPDATE_IN_PROGRESS state and can not be updated"):
        stacks.change_set(stacks.platform, template)
    with pytest.raises(ClientError, match="can not be updated"):
        stacks.cloudformation.delete_stack(StackName=stacks.platform)
    stack.status = "UPDATE_COMPLETE"
    stacks.cloudformation.delete_stack(StackName=stacks.platform)


def test_a_template_that_is_too_long_for_a_call_is_refused_as_by_aws(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        stacks.cloudformation.create_stack(
            StackName=stacks.platform, TemplateBody=PLATFORM + "\n#" + "x" * 50_000
        )


def test_what_was_made_before_a_failure_is_taken_away(stacks: Stacks, clients_of: Any) -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "DependsOn": "Queue",
        "Properties": {"RoleArn": "arn:aws:iam::123456789012:role/r", "DefinitionString": "{"},
    }
    template = {"Resources": {"Machine": machine, "Queue": {"Type": "AWS::SQS::Queue"}}}
    name = stacks.platform
    stacks.cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    assert stacks.describe(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("Queue", "CREATE_COMPLETE") in stacks.events(name)
    assert ("Machine", "CREATE_FAILED") in stacks.events(name)
    assert clients_of("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", []) == []


def test_a_change_that_fails_is_taken_back(stacks: Stacks, clients_of: Any) -> None:
    platform = stacks.create_platform()
    outputs = stacks.create_job()
    name, key = f"{stacks.platform}-report", "definitions/broken"
    stacks.put_definition(platform["Bucket"], key, "StartAt: 'Nowhere")
    broken = JOB.replace(DEFINITION.keys["StateMachine"], key)
    assert stacks.change(name, broken, Cpu=512)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Invalid StateMachine definition file" in line for line in stacks.failures(name))
    resource = stacks.cloudformation.describe_stack_resource(
        StackName=name, LogicalResourceId="TaskDefinition"
    )["StackResourceDetail"]
    shown = clients_of("ecs").describe_task_definition(
        taskDefinition=resource["PhysicalResourceId"]
    )
    assert shown["taskDefinition"]["cpu"] == "1024"
    kept = {key: value for key, value in stacks.outputs(name).items() if key != "TaskDefinition"}
    assert kept == {key: value for key, value in outputs.items() if key != "TaskDefinition"}


def of_machine(**properties: Any) -> str:
    """A template with one state machine, whose definition these properties give."""
    body = {"RoleArn": "arn:aws:iam::123456789012:role/r", **properties}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": body}
    outputs = {"StateMachine": {"Value": {"Ref": "Machine"}}}
    return json.dumps({"Resources": {"Machine": machine}, "Outputs": outputs})


@pytest.mark.parametrize(
    "text",
    [
        '{"StartAt": "${Name}", "States": {"${Name}":'
        ' {"Type": "Pass", "Result": "${Other}", "End": true}}}',
        'StartAt: "${Name}"\nStates: # as people write it\n  "${Name}":\n'
        '    Type: Pass\n    Result: "${Other}"\n    End: true\n',
    ],
    ids=["JSON", "YAML"],
)
def test_a_definition_in_s3_is_json_or_yaml_and_only_given_names_are_put_in(
    shared: Any, stacks: Stacks, clients_of: Any, text: str
) -> None:
    bucket = shared[1]["Bucket"]
    stacks.put_definition(bucket, "given", text)
    template = of_machine(
        DefinitionS3Location={"Bucket": bucket, "Key": "given"},
        DefinitionSubstitutions={"Name": "no"},
    )
    machine = stacks.create(stacks.platform, template)["StateMachine"]
    shown = clients_of("stepfunctions").describe_state_machine(stateMachineArn=machine)
    state = {"Type": "Pass", "Result": "${Other}", "End": True}
    assert json.loads(shown["definition"]) == {"StartAt": "no", "States": {"no": state}}


def test_a_definition_in_s3_may_be_named_by_its_version(stacks: Stacks, clients_of: Any) -> None:
    s3, bucket = clients_of("s3"), f"{stacks.platform}-versions"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    text = json.dumps({"StartAt": "First", "States": {"First": {"Type": "Succeed"}}})
    version = s3.put_object(Bucket=bucket, Key="k", Body=text.encode())["VersionId"]
    stacks.put_definition(bucket, "k", "later")
    place = {"Bucket": bucket, "Key": "k", "Version": version}
    machine = stacks.create(stacks.platform, of_machine(DefinitionS3Location=place))["StateMachine"]
    shown = clients_of("stepfunctions").describe_state_machine(stateMachineArn=machine)
    assert json.loads(shown["definition"])["StartAt"] == "First"


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({}, "Required key"),
        ({"DefinitionString": "{}", "Definition": {}}, "not both"),
        ({"DefinitionS3Location": {"Key": "nowhere"}}, "The specified key does not exist"),
        ({"DefinitionS3Location": {"Key": "k", "Bucket": "nobody"}}, "bucket does not exist"),
        ({"DefinitionS3Location": {"Key": "neither"}}, "Invalid StateMachine definition file"),
    ],
)
def test_a_definition_that_cannot_be_had_fails_its_machine_with_a_sentence(
    shared: Any, stacks: Stacks, properties: dict[str, Any], complaint: str
) -> None:
    bucket = shared[1]["Bucket"]
    stacks.put_definition(bucket, "neither", "{[")
    if "DefinitionS3Location" in properties:
        place = {"Bucket": bucket, **properties["DefinitionS3Location"]}
        properties = {"DefinitionS3Location": place}
    name = stacks.platform
    stacks.cloudformation.create_stack(StackName=name, TemplateBody=of_machine(**properties))
    assert stacks.describe(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(line.startswith("Machine: ") and complaint in line for line in stacks.failures(name))


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"Job": "Night_Report"}, "Job must be at most 32 lower-case letters"),
        ({"Job": "j" * 33}, "Job must be at most 32"),
        ({"Cpu": "1000"}, "'Cpu' must be one of AllowedValues"),
        ({"StopTimeout": "121"}, "'StopTimeout' must be a number not greater than 120"),
        ({"ScheduleExpression": "daily"}, "must be rate"),
        ({"Command": "python -m report"}, "must be a JSON list"),
        ({"Colour": "red"}, "do not exist in the template"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_refused_before_anything_is_made(
    shared: Any, parameters: dict[str, str], complaint: str
) -> None:
    stacks = shared[0]
    given = {"Platform": stacks.platform, "Job": "bad", "Image": "i", **parameters}
    with pytest.raises(ClientError, match=complaint):
        stacks.cloudformation.create_stack(
            StackName=f"{stacks.platform}-bad",
            TemplateBody=JOB,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in given.items()
            ],
        )


def test_what_is_deleted_leaves_bucket_and_table_and_can_come_again(
    stacks: Stacks, clients_of: Any
) -> None:
    platform = stacks.create_platform(MailAddress=MAIL)
    stacks.create_job(ScheduleExpression="rate(30 days)", MissedAfterHours=26)
    with pytest.raises(ClientError, match="in use by"):
        stacks.cloudformation.delete_stack(StackName=stacks.platform)
    for name in (f"{stacks.platform}-report", stacks.platform):
        stacks.cloudformation.delete_stack(StackName=name)
        with pytest.raises(ClientError, match="does not exist"):
            stacks.describe(name)
    left = everything(clients_of, stacks.platform) - {f"{stacks.platform}-templates"}
    assert left == {platform["Bucket"], platform["Table"]}
    again = stacks.create_platform()
    assert again["Bucket"] != platform["Bucket"]


def test_a_bucket_that_is_not_retained_and_not_empty_stops_the_deletion(
    stacks: Stacks, clients_of: Any
) -> None:
    template = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    stacks.create(stacks.platform, template)
    (resource,) = stacks.cloudformation.list_stack_resources(StackName=stacks.platform)[
        "StackResourceSummaries"
    ]
    s3, bucket = clients_of("s3"), resource["PhysicalResourceId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    stacks.cloudformation.delete_stack(StackName=stacks.platform)
    assert stacks.describe(stacks.platform)["StackStatus"] == "DELETE_FAILED"
    assert any("not empty" in line for line in stacks.failures(stacks.platform))
    s3.delete_object(Bucket=bucket, Key="k")
    stacks.cloudformation.delete_stack(StackName=stacks.platform)
    with pytest.raises(ClientError, match="does not exist"):
        stacks.describe(stacks.platform)


def test_resources_are_made_after_what_they_need_and_every_step_is_an_event(
    shared: Any,
) -> None:
    events = shared[0].events(f"{shared[0].platform}-report")
    made = [key for key, status in events if status == "CREATE_COMPLETE"]
    assert made.index("TaskRole") < made.index("TaskDefinition") < made.index("StateMachine")
    watching = ("StateMachine", "BrokenEnd", "QueuePolicy", "QueueAlarm", "FailedAlarm")
    assert max(map(made.index, watching)) < made.index("Schedule")
    assert events[0][1] == "CREATE_IN_PROGRESS"
    assert events[-1][1] == "CREATE_COMPLETE"
