"""Which calls each purpose needs, and which each type of resource in the two templates.

What the command line calls stands here by purpose, and a test records what its verbs really call.
What CloudFormation does in the deployer's name, or in that of a service role, follows from the
types of resources, of which each has a row here; a test compares them.
"""

from __future__ import annotations

from typing import NamedTuple

from steadyspot.deploy.stacks.templates import PREFIX


class Right(NamedTuple):
    """Actions of one service, and the ends of the ARNs that they are for; "*" is everything."""

    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)


_STACK = ("stack/{name}/*", "stack/{name}-*/*")
_MACHINES = ("stateMachine:{name}-*",)
_EXECUTIONS = ("execution:{name}-*:*",)
_QUEUES = ("{name}-*-Queue-*",)
_PLATFORM_QUEUES = ("{name}-Nobody-*", "{name}-Told-*", "{name}-Untold-*")
_LOGS = ("log-group:/steadyspot/{name}/*", "log-group:/aws/vendedlogs/states/{name}-*")
_TABLE = ("table/{name}-RunTable-*",)
_BUCKET = ("{bucket}",)

READ = (
    # It lists all stacks, to find those of the platform.
    Right("cloudformation", ("DescribeStacks",)),
    Right("cloudformation", ("GetTemplate",), _STACK),
    Right("dynamodb", ("BatchGetItem", "Query"), _TABLE),
    Right("states", ("ListExecutions",), _MACHINES),
    Right(
        "states",
        ("DescribeExecution", "GetExecutionHistory", "DescribeStateMachineForExecution"),
        _EXECUTIONS,
    ),
    Right("logs", ("FilterLogEvents", "GetLogEvents"), _LOGS),
    Right("s3", ("ListBucket",), _BUCKET),
    Right("s3", ("GetObject",), ("{bucket}{below}/outputs/*",)),
    Right("scheduler", ("ListSchedules",), ("schedule/{name}/*",)),
    Right("cloudwatch", ("DescribeAlarms", "GetMetricData")),
    Right("sqs", ("ReceiveMessage",), _QUEUES),
    Right("ecs", ("DescribeTasks",), ("task/{cluster}/*", "cluster/{cluster}")),
    Right("ecs", ("ListTasks",)),
)
"""What is called by runs, explain, outputs, logs, watch, cost and status."""

OPERATE = (
    *READ,
    Right("states", ("StartExecution",), _MACHINES),
    Right("states", ("StopExecution",), _EXECUTIONS),
    Right("scheduler", ("GetSchedule",), ("schedule/{name}/*",)),
    Right("sqs", ("DeleteMessage", "ChangeMessageVisibility"), _QUEUES),
    Right("ecs", ("ExecuteCommand",), ("task/{cluster}/*", "cluster/{cluster}")),
    Right("dynamodb", ("GetItem", "UpdateItem"), _TABLE),
    Right("sns", ("Publish",), ("{topic}",)),
)
"""Beside those by run, redrive, stop, forget, shell and notify."""

COMPARE = (
    Right("cloudformation", ("DescribeStacks", "GetTemplateSummary")),
    Right(
        "cloudformation",
        (
            *("CreateChangeSet", "DescribeChangeSet", "DeleteChangeSet", "ListChangeSets"),
            *("GetTemplate", "TagResource"),
        ),
        _STACK,
    ),
    Right("states", ("DescribeStateMachine",), _MACHINES),
)
"""What diff calls. Who has no more than that carries no change set out and deletes no stack."""

DEPLOY = (
    Right("cloudformation", ("DescribeStacks", "GetTemplateSummary")),
    Right(
        "cloudformation",
        (
            *("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"),
            *("ListChangeSets", "DescribeStackEvents", "ListStackResources", "GetTemplate"),
            *("DeleteStack", "ContinueUpdateRollback", "TagResource", "UntagResource"),
        ),
        _STACK,
    ),
    Right("s3", ("PutObject", "DeleteObject", "GetObject"), (f"{{bucket}}{{below}}/{PREFIX}*",)),
    Right("s3", ("ListBucket",), _BUCKET),
    Right("states", ("DescribeStateMachine", "ListExecutions"), _MACHINES),
    Right("states", ("StopExecution",), _EXECUTIONS),
    Right("sqs", ("GetQueueAttributes",), _QUEUES),
    Right("ecr", ("GetAuthorizationToken",)),
    Right(
        "ecr",
        (
            *("DescribeImages", "BatchGetImage", "GetDownloadUrlForLayer"),
            *("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart"),
            *("CompleteLayerUpload", "PutImage"),
        ),
        ("repository/{name}-repository-*",),
    ),
)
"""What up, diff, down, pause and resume call themselves, and an engine that pushes an image."""

_TAGS = ("TagResource", "UntagResource")
_VPC = (
    *("CreateTags", "DeleteTags", "DescribeVpcs", "DescribeVpcAttribute", "DescribeSubnets"),
    *("DescribeAvailabilityZones", "DescribeInternetGateways", "DescribeRouteTables"),
    *("DescribeSecurityGroups", "DescribeVpcEndpoints", "DescribePrefixLists"),
)
OF_TYPES: dict[str, tuple[Right, ...]] = {
    "CloudWatch::Alarm": (
        Right(
            "cloudwatch",
            ("PutMetricAlarm", "DeleteAlarms", "DescribeAlarms", "ListTagsForResource", *_TAGS),
            ("alarm:{name}-*",),
        ),
    ),
    "CloudWatch::Dashboard": (
        Right("cloudwatch", ("PutDashboard", "DeleteDashboards", "GetDashboard")),
    ),
    "DynamoDB::Table": (
        Right(
            "dynamodb",
            (
                *("CreateTable", "UpdateTable", "DeleteTable", "DescribeTable"),
                *("UpdateContinuousBackups", "DescribeContinuousBackups", "UpdateTimeToLive"),
                *("DescribeTimeToLive", "ListTagsOfResource", *_TAGS),
            ),
            _TABLE,
        ),
    ),
    "EC2::InternetGateway": (
        Right("ec2", ("CreateInternetGateway", "DeleteInternetGateway", *_VPC)),
    ),
    "EC2::VPCGatewayAttachment": (
        Right("ec2", ("AttachInternetGateway", "DetachInternetGateway")),
    ),
    "EC2::RouteTable": (Right("ec2", ("CreateRouteTable", "DeleteRouteTable")),),
    "EC2::Route": (Right("ec2", ("CreateRoute", "ReplaceRoute", "DeleteRoute")),),
    "EC2::SecurityGroup": (
        Right(
            "ec2",
            (
                *("CreateSecurityGroup", "DeleteSecurityGroup", "AuthorizeSecurityGroupEgress"),
                "RevokeSecurityGroupEgress",
            ),
        ),
    ),
    "EC2::Subnet": (Right("ec2", ("CreateSubnet", "DeleteSubnet", "ModifySubnetAttribute")),),
    "EC2::SubnetRouteTableAssociation": (
        Right("ec2", ("AssociateRouteTable", "DisassociateRouteTable")),
    ),
    "EC2::VPC": (Right("ec2", ("CreateVpc", "DeleteVpc", "ModifyVpcAttribute")),),
    "EC2::VPCEndpoint": (
        Right("ec2", ("CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints")),
    ),
    "ECR::Repository": (
        Right(
            "ecr",
            (
                *("CreateRepository", "DeleteRepository", "DescribeRepositories"),
                *("PutImageScanningConfiguration", "PutImageTagMutability"),
                *("ListTagsForResource", *_TAGS),
            ),
            ("repository/{name}-repository-*",),
        ),
    ),
    "ECS::Cluster": (
        Right(
            "ecs",
            (
                *("CreateCluster", "DeleteCluster", "DescribeClusters", "UpdateCluster"),
                *("PutClusterCapacityProviders", "UpdateClusterSettings", *_TAGS),
            ),
            ("cluster/{name}",),
        ),
    ),
    "ECS::TaskDefinition": (
        Right(
            "ecs",
            ("RegisterTaskDefinition", "DescribeTaskDefinition", "DeregisterTaskDefinition"),
        ),
        Right("ecs", ("ListTaskDefinitions",)),
        Right("ecs", _TAGS, ("task-definition/{name}-*",)),
    ),
    "Events::Rule": (
        Right(
            "events",
            (
                *("PutRule", "DeleteRule", "DescribeRule", "PutTargets", "RemoveTargets"),
                *("ListTargetsByRule", "ListTagsForResource", *_TAGS),
            ),
            ("rule/{name}-*",),
        ),
    ),
    "Events::Connection": (
        Right(
            "events",
            ("CreateConnection", "UpdateConnection", "DeleteConnection", "DescribeConnection"),
            ("connection/{name}-*",),
        ),
        # EventBridge keeps what a connection sends as a secret of its own, in the caller's name.
        Right(
            "secretsmanager",
            ("CreateSecret", "UpdateSecret", "PutSecretValue", "DeleteSecret", "DescribeSecret"),
            ("secret:events!connection/{name}-*",),
        ),
    ),
    "Events::ApiDestination": (
        Right(
            "events",
            (
                *("CreateApiDestination", "UpdateApiDestination", "DeleteApiDestination"),
                "DescribeApiDestination",
            ),
            ("api-destination/{name}-*", "connection/{name}-*"),
        ),
    ),
    "Pipes::Pipe": (
        Right(
            "pipes",
            (
                *("CreatePipe", "UpdatePipe", "DeletePipe", "DescribePipe"),
                *("ListTagsForResource", *_TAGS),
            ),
            ("pipe/{name}-*",),
        ),
    ),
    "Chatbot::SlackChannelConfiguration": (
        Right(
            "chatbot",
            (
                *("CreateSlackChannelConfiguration", "UpdateSlackChannelConfiguration"),
                *("DeleteSlackChannelConfiguration", "DescribeSlackChannelConfigurations"),
            ),
        ),
    ),
    "Chatbot::MicrosoftTeamsChannelConfiguration": (
        Right(
            "chatbot",
            (
                "CreateMicrosoftTeamsChannelConfiguration",
                "UpdateMicrosoftTeamsChannelConfiguration",
                "DeleteMicrosoftTeamsChannelConfiguration",
                "GetMicrosoftTeamsChannelConfiguration",
            ),
        ),
    ),
    "IAM::ManagedPolicy": (
        Right(
            "iam",
            (
                *("CreatePolicy", "DeletePolicy", "GetPolicy", "GetPolicyVersion"),
                *("CreatePolicyVersion", "DeletePolicyVersion", "ListPolicyVersions"),
                *("TagPolicy", "UntagPolicy"),
            ),
            ("policy{path}{name}-*",),
        ),
    ),
    "IAM::Role": (
        Right(
            "iam",
            (
                *("CreateRole", "PutRolePolicy", "AttachRolePolicy", "DetachRolePolicy"),
                "DeleteRolePolicy",
            ),
            ("role{path}{name}-*",),
        ),
        Right(
            "iam",
            (
                *("DeleteRole", "GetRole", "GetRolePolicy", "ListRolePolicies", "UpdateRole"),
                *("ListAttachedRolePolicies", "UpdateAssumeRolePolicy", "PassRole"),
                *("TagRole", "UntagRole"),
            ),
            ("role{path}{name}-*",),
        ),
    ),
    "Logs::LogGroup": (
        Right(
            "logs",
            (
                *("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy"),
                *("ListTagsForResource", *_TAGS),
            ),
            _LOGS,
        ),
        Right("logs", ("DescribeLogGroups",)),
    ),
    "S3::Bucket": (
        Right(
            "s3",
            (
                *("CreateBucket", "GetBucketVersioning", "PutBucketVersioning"),
                *("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
                *("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
                *("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
                *("GetBucketOwnershipControls", "PutBucketOwnershipControls"),
                *("GetBucketTagging", "PutBucketTagging"),
            ),
            _BUCKET,
        ),
    ),
    "S3::BucketPolicy": (
        Right("s3", ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"), _BUCKET),
    ),
    "SNS::Subscription": (Right("sns", ("Subscribe", "Unsubscribe", "GetSubscriptionAttributes")),),
    "SNS::Topic": (
        Right(
            "sns",
            (
                *("CreateTopic", "DeleteTopic", "GetTopicAttributes", "SetTopicAttributes"),
                *("ListTagsForResource", "ListSubscriptionsByTopic", *_TAGS),
            ),
            ("{name}-Topic-*",),
        ),
    ),
    "SNS::TopicPolicy": (),
    "SQS::Queue": (
        Right(
            "sqs",
            (
                *("CreateQueue", "DeleteQueue", "GetQueueAttributes", "SetQueueAttributes"),
                *("GetQueueUrl", "ListQueueTags", "TagQueue", "UntagQueue"),
            ),
            (*_QUEUES, *_PLATFORM_QUEUES),
        ),
    ),
    "SQS::QueuePolicy": (),
    "Scheduler::Schedule": (
        Right(
            "scheduler",
            ("CreateSchedule", "UpdateSchedule", "DeleteSchedule", "GetSchedule"),
            ("schedule/{name}/*", "schedule/{name}-looks/*"),
        ),
    ),
    "Scheduler::ScheduleGroup": (
        Right(
            "scheduler",
            (
                *("CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup"),
                *("ListTagsForResource", *_TAGS),
            ),
            ("schedule-group/{name}", "schedule-group/{name}-looks"),
        ),
    ),
    "StepFunctions::StateMachine": (
        Right(
            "states",
            (
                *("CreateStateMachine", "UpdateStateMachine", "DeleteStateMachine"),
                *("DescribeStateMachine", "ListTagsForResource", *_TAGS),
            ),
            _MACHINES,
        ),
        # A state machine with a log is made only by who may have logs delivered.
        Right(
            "logs",
            (
                *("CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery"),
                *("ListLogDeliveries", "PutResourcePolicy", "DescribeResourcePolicies"),
            ),
        ),
        Right("s3", ("GetObject",), (f"{{bucket}}{{below}}/{PREFIX}*",)),
    ),
}
"""What CloudFormation does to a type of resource, by the permissions of its handlers."""
