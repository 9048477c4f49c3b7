"""Types of what tells: queues, topics, their policies, subscriptions, alarms.

moto changes two attributes of a queue and makes a new topic where AWS changes the old one;
policies, subscriptions and alarms it does not know as types at all.
"""

from __future__ import annotations

import json
from typing import Any, Self

from moto.cloudwatch.models import (
    Dimension,
    Metric,
    MetricDataQuery,
    MetricStat,
    cloudwatch_backends,
)
from moto.core.common_models import CloudFormationModel
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from steadyspot.deploy.local.cloudformation.resource import Place, Properties, Resource, truth


class QueueResource(Resource, CloudFormationModel):
    """A queue, with changes of all its attributes in place."""

    TYPE = "AWS::SQS::Queue"
    NAME_PROPERTY = "QueueName"
    ATTRIBUTES = ("Arn", "QueueName", "QueueUrl")
    REPLACED_BY = ("QueueName", "FifoQueue")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        backend = sqs_backends[place.account_id][place.region]
        queue = backend.create_queue(
            name[:80], {}, region=place.region, **cls._attributes(properties)
        )
        # As AWS writes it; a client with an endpoint of its own sends its calls there all the same.
        url = f"https://sqs.{place.region}.amazonaws.com/{place.account_id}/{queue.name}"
        return cls(url, properties, Arn=queue.queue_arn, QueueName=queue.name, QueueUrl=url)

    def _change(self, place: Place, properties: Properties) -> None:
        sqs_backends[place.account_id][place.region].set_queue_attributes(
            self.attributes["QueueName"], self._attributes(properties)
        )

    def _remove(self, place: Place) -> None:
        sqs_backends[place.account_id][place.region].delete_queue(self.attributes["QueueName"])

    @staticmethod
    def _attributes(properties: Properties) -> dict[str, Any]:
        return {key: value for key, value in properties.items() if key not in ("QueueName", "Tags")}


class QueuePolicyResource(Resource, CloudFormationModel):
    """The policy of queues."""

    TYPE = "AWS::SQS::QueuePolicy"
    ATTRIBUTES = ("Id",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        policy = cls(name, properties, Id=name)
        policy._change(place, properties)
        return policy

    def _change(self, place: Place, properties: Properties) -> None:
        backend = sqs_backends[place.account_id][place.region]
        for url in properties["Queues"]:
            backend.set_queue_attributes(
                url.rsplit("/", 1)[-1], {"Policy": json.dumps(properties["PolicyDocument"])}
            )

    def _remove(self, place: Place) -> None:
        backend = sqs_backends[place.account_id][place.region]
        for url in self.properties["Queues"]:
            if (name := url.rsplit("/", 1)[-1]) in backend.queues:
                backend.queues[name].policy = None


class TopicResource(Resource, CloudFormationModel):
    """A topic, changed in place."""

    TYPE = "AWS::SNS::Topic"
    NAME_PROPERTY = "TopicName"
    ATTRIBUTES = ("TopicName", "TopicArn")
    REPLACED_BY = ("TopicName", "FifoTopic")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        backend = sns_backends[place.account_id][place.region]
        topic = backend.create_topic(name)
        for subscription in properties.get("Subscription", []):
            backend.subscribe(topic.arn, subscription["Endpoint"], subscription["Protocol"])
        resource = cls(topic.arn, properties, TopicName=name, TopicArn=topic.arn)
        resource._change(place, properties)
        return resource

    def _change(self, place: Place, properties: Properties) -> None:
        topic = sns_backends[place.account_id][place.region].topics[self.physical_resource_id]
        topic.display_name = properties.get("DisplayName", "")
        topic.kms_master_key_id = properties.get("KmsMasterKeyId", "")

    def _remove(self, place: Place) -> None:
        sns_backends[place.account_id][place.region].delete_topic(self.physical_resource_id)


class TopicPolicyResource(Resource, CloudFormationModel):
    """The policy of topics."""

    TYPE = "AWS::SNS::TopicPolicy"
    ATTRIBUTES = ("Id",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        policy = cls(name, properties, Id=name)
        policy._change(place, properties)
        return policy

    def _change(self, place: Place, properties: Properties) -> None:
        backend = sns_backends[place.account_id][place.region]
        for arn in properties["Topics"]:
            backend.topics[arn].policy = json.dumps(properties["PolicyDocument"])

    def _remove(self, place: Place) -> None:
        """A topic always has a policy; it goes with the topic."""


class SubscriptionResource(Resource, CloudFormationModel):
    """A subscription, with filter policy. A mail address confirms at once: it is the outbox's."""

    TYPE = "AWS::SNS::Subscription"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("TopicArn", "Protocol", "Endpoint")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        subscription = sns_backends[place.account_id][place.region].subscribe(
            properties["TopicArn"], properties["Endpoint"], properties["Protocol"]
        )
        resource = cls(subscription.arn, properties, Arn=subscription.arn)
        resource._change(place, properties)
        return resource

    def _change(self, place: Place, properties: Properties) -> None:
        backend = sns_backends[place.account_id][place.region]
        arn = self.physical_resource_id
        backend.set_subscription_attributes(
            arn, "FilterPolicyScope", properties.get("FilterPolicyScope", "MessageAttributes")
        )
        if "RawMessageDelivery" in properties:
            raw = str(truth(properties["RawMessageDelivery"])).lower()
            backend.set_subscription_attributes(arn, "RawMessageDelivery", raw)
        policy = properties.get("FilterPolicy")
        backend.set_subscription_attributes(
            arn, "FilterPolicy", json.dumps(policy) if policy else None
        )

    def _remove(self, place: Place) -> None:
        sns_backends[place.account_id][place.region].subscriptions.pop(
            self.physical_resource_id, None
        )


class AlarmResource(Resource, CloudFormationModel):
    """A metric alarm; evaluating it is left to ``deploy.local.alarms``."""

    TYPE = "AWS::CloudWatch::Alarm"
    NAME_PROPERTY = "AlarmName"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("AlarmName",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        alarm = cls._put(place, name, properties)
        alarm.state_value = "INSUFFICIENT_DATA"
        return cls(name, properties, Arn=alarm.alarm_arn)

    def _change(self, place: Place, properties: Properties) -> None:
        before = cloudwatch_backends[place.account_id][place.region].alarms[
            self.physical_resource_id
        ]
        alarm = self._put(place, self.physical_resource_id, properties)
        alarm.state_value = before.state_value
        alarm.history = before.history

    def _remove(self, place: Place) -> None:
        cloudwatch_backends[place.account_id][place.region].alarms.pop(
            self.physical_resource_id, None
        )

    @staticmethod
    def _put(place: Place, name: str, properties: Properties) -> Any:
        datapoints = properties.get("DatapointsToAlarm")
        return cloudwatch_backends[place.account_id][place.region].put_metric_alarm(
            name=name,
            namespace=properties.get("Namespace", ""),
            metric_name=properties.get("MetricName", ""),
            metric_data_queries=[metric_query(item) for item in properties.get("Metrics", [])],
            comparison_operator=properties["ComparisonOperator"],
            evaluation_periods=int(properties["EvaluationPeriods"]),
            datapoints_to_alarm=None if datapoints is None else int(datapoints),
            period=int(properties.get("Period", 0)),
            threshold=float(properties["Threshold"]),
            statistic=properties.get("Statistic", ""),
            extended_statistic=properties.get("ExtendedStatistic"),
            description=properties.get("AlarmDescription", ""),
            dimensions=properties.get("Dimensions", []),
            alarm_actions=properties.get("AlarmActions", []),
            ok_actions=properties.get("OKActions", []),
            insufficient_data_actions=properties.get("InsufficientDataActions", []),
            unit=properties.get("Unit"),
            actions_enabled=truth(properties.get("ActionsEnabled", True)),
            treat_missing_data=properties.get("TreatMissingData"),
        )


def metric_query(query: Properties) -> MetricDataQuery:
    """One entry of an alarm's ``Metrics``: an expression, or a metric with its statistic."""
    statistic = None
    if given := query.get("MetricStat"):
        metric = given["Metric"]
        statistic = MetricStat(
            metric=Metric(
                metric_name=metric["MetricName"],
                namespace=metric["Namespace"],
                dimensions=[
                    Dimension(item["Name"], item["Value"]) for item in metric.get("Dimensions", [])
                ],
            ),
            period=str(int(given["Period"])),
            stat=given["Stat"],
            unit=given.get("Unit"),
        )
    return MetricDataQuery(
        query_id=query["Id"],
        label=query.get("Label", ""),
        period=query.get("Period"),  # type: ignore[arg-type]  # None, where the metric says
        return_data=query.get("ReturnData", True),
        expression=query.get("Expression"),
        metric_stat=statistic,
    )
