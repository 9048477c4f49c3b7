"""Types of what keeps and permits: bucket and its policy, table, role, policy, log group.

moto forgets most properties of these and changes few of them in place.
"""

from __future__ import annotations

import inspect
import json
import threading
from typing import Any, ClassVar, Self

from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from steadyspot.deploy.local.cloudformation.resource import Place, Properties, Resource, truth


class BucketResource(Resource, CloudFormationModel):
    """A bucket: encryption, block of public access, ownership, lifecycle, versions, lock."""

    TYPE = "AWS::S3::Bucket"
    NAME_PROPERTY = "BucketName"
    ATTRIBUTES = ("Arn", "DomainName", "RegionalDomainName")
    REPLACED_BY = ("BucketName",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        s3_backends[place.account_id][place.partition].create_bucket(name, place.region)
        bucket = cls(
            name,
            properties,
            Arn=f"arn:{place.partition}:s3:::{name}",
            DomainName=f"{name}.s3.amazonaws.com",
            RegionalDomainName=f"{name}.s3.{place.region}.amazonaws.com",
        )
        bucket._change(place, properties)
        return bucket

    def _change(self, place: Place, properties: Properties) -> None:
        backend = s3_backends[place.account_id][place.partition]
        name = self.physical_resource_id
        if encryption := properties.get("BucketEncryption"):
            # S3 knows one rule a bucket, and moto looks into the one there is.
            (rule,) = encryption["ServerSideEncryptionConfiguration"]
            kept = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
            if truth(rule.get("BucketKeyEnabled", False)):
                kept["BucketKeyEnabled"] = "true"
            backend.put_bucket_encryption(name, {"Rule": kept})
        if block := properties.get("PublicAccessBlockConfiguration"):
            backend.put_public_access_block(
                name, {key: str(truth(value)).lower() for key, value in block.items()}
            )
        if ownership := properties.get("OwnershipControls"):
            backend.put_bucket_ownership_controls(name, {"Rule": ownership["Rules"]})
        if versioning := properties.get("VersioningConfiguration"):
            backend.put_bucket_versioning(name, versioning["Status"])
        if truth(properties.get("ObjectLockEnabled", False)):
            backend.get_bucket(name).object_lock_enabled = True
        rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
        backend.put_bucket_lifecycle_configuration(name, [lifecycle_rule(rule) for rule in rules])

    def _remove(self, place: Place) -> None:
        name = self.physical_resource_id
        if s3_backends[place.account_id][place.partition].delete_bucket(name) is None:
            raise ValidationError(message=f"The bucket {name} you tried to delete is not empty")


def lifecycle_rule(rule: Properties) -> dict[str, Any]:
    """A rule of a template in the shape of the S3 API's XML, which is what moto keeps."""
    converted: dict[str, Any] = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        converted["Expiration"] = {"Days": str(rule["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in rule:
        days = rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        converted["NoncurrentVersionExpiration"] = {"NoncurrentDays": str(days)}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        converted["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": str(days)}
    return converted


class BucketPolicyResource(Resource, CloudFormationModel):
    """The policy of a bucket. It is kept and shown; moto enforces no conditions."""

    TYPE = "AWS::S3::BucketPolicy"
    REPLACED_BY = ("Bucket",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        policy = cls(str(properties["Bucket"]), properties)
        policy._change(place, properties)
        return policy

    def _change(self, place: Place, properties: Properties) -> None:
        s3_backends[place.account_id][place.partition].put_bucket_policy(
            self.physical_resource_id, json.dumps(properties["PolicyDocument"]).encode()
        )

    def _remove(self, place: Place) -> None:
        s3_backends[place.account_id][place.partition].delete_bucket_policy(
            self.physical_resource_id
        )


_QUERY = inspect.signature(Table.query)


class IndexedTable(Table):
    """A table of moto whose queries look only at the items that they can find.

    moto's own sort and compare all items for each query: seconds in a table of a hundred thousand.
    """

    _looking: ClassVar[threading.local] = threading.local()

    def query(self, *args: Any, **how: Any) -> Any:
        """Query one partition, or of an index only the items that have all its keys."""
        asked = _QUERY.bind(self, *args, **how).arguments
        if name := asked.get("index_name"):
            schemas = [index.schema for index in self.all_indexes() if index.name == name]
            keys = {key["AttributeName"] for schema in schemas for key in schema}
            every = (item for of_hash in self.items.values() for item in of_hash.values())
            self._looking.among = [item for item in every if keys <= item.attrs.keys()]
        else:
            self._looking.among = [*self.items.get(asked["hash_key"], {}).values()]
        try:
            return super().query(*args, **how)
        finally:
            del self._looking.among

    def all_items(self) -> list[Item]:
        """Return all items, or those among which a query looks."""
        among: list[Item] | None = getattr(self._looking, "among", None)
        return super().all_items() if among is None else among


class TableResource(Resource, CloudFormationModel):
    """A table of DynamoDB, with point-in-time recovery, expiry and changes in place."""

    TYPE = "AWS::DynamoDB::Table"
    NAME_PROPERTY = "TableName"
    ATTRIBUTES = ("Arn", "StreamArn")
    REPLACED_BY = ("TableName", "KeySchema", "AttributeDefinitions")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        table = dynamodb_backends[place.account_id][place.region].create_table(
            name=name,
            schema=properties["KeySchema"],
            attr=properties["AttributeDefinitions"],
            throughput=properties.get("ProvisionedThroughput"),
            global_indexes=properties.get("GlobalSecondaryIndexes", []),
            indexes=properties.get("LocalSecondaryIndexes", []),
            streams=properties.get("StreamSpecification"),
            billing_mode=properties.get("BillingMode", "PROVISIONED"),
            sse_specification=None,
            tags=properties.get("Tags", []),
            deletion_protection_enabled=False,
            warm_throughput=properties.get("WarmThroughput"),
        )
        table.__class__ = IndexedTable  # type: ignore[type-abstract]
        resource = cls(name, properties, Arn=table.table_arn)
        resource._change(place, properties)
        return resource

    def _change(self, place: Place, properties: Properties) -> None:
        recovery = properties.get("PointInTimeRecoverySpecification", {})
        backend = dynamodb_backends[place.account_id][place.region]
        table = backend.get_table(self.physical_resource_id)
        encryption = properties.get("SSESpecification", {})
        table.sse_specification = {
            **encryption,
            "Enabled": truth(encryption.get("SSEEnabled", False)),
        }
        table.deletion_protection_enabled = truth(
            properties.get("DeletionProtectionEnabled", False)
        )
        backend.update_continuous_backups(
            self.physical_resource_id,
            {
                "PointInTimeRecoveryEnabled": truth(
                    recovery.get("PointInTimeRecoveryEnabled", False)
                )
            },
        )

        if expiry := properties.get("TimeToLiveSpecification"):
            expiry = {**expiry, "Enabled": truth(expiry["Enabled"])}
            backend.update_time_to_live(self.physical_resource_id, expiry)

    def _remove(self, place: Place) -> None:
        dynamodb_backends[place.account_id][place.region].delete_table(self.physical_resource_id)


class RoleResource(Resource, CloudFormationModel):
    """A role with its inline and managed policies, changed in place."""

    TYPE = "AWS::IAM::Role"
    NAME_PROPERTY = "RoleName"
    ATTRIBUTES = ("Arn", "RoleId")
    REPLACED_BY = ("RoleName", "Path")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        role = iam_backends[place.account_id][place.partition].create_role(
            role_name=name,
            assume_role_policy_document=json.dumps(properties["AssumeRolePolicyDocument"]),
            path=properties.get("Path", "/"),
            permissions_boundary=properties.get("PermissionsBoundary"),
            description=properties.get("Description", ""),
            tags=properties.get("Tags", []),
            max_session_duration=str(properties.get("MaxSessionDuration", 3600)),
        )
        resource = cls(name, properties, Arn=role.arn, RoleId=role.id)
        resource._change(place, properties)
        return resource

    def _change(self, place: Place, properties: Properties) -> None:
        backend = iam_backends[place.account_id][place.partition]
        role = backend.get_role(self.physical_resource_id)
        role.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
        role.description = properties.get("Description", "")
        role.permissions_boundary_arn = properties.get("PermissionsBoundary")
        role.tags = list(properties.get("Tags", []))
        role.policies.clear()
        for policy in properties.get("Policies", []):
            role.put_policy(policy["PolicyName"], json.dumps(policy["PolicyDocument"]))
        wanted = set(properties.get("ManagedPolicyArns", []))
        for arn in set(role.managed_policies) - wanted:
            backend.detach_role_policy(arn, role.name)
        for arn in wanted - set(role.managed_policies):
            # moto knows AWS's own policies only when told to load all of them.
            if ":iam::aws:" not in arn:
                backend.attach_role_policy(arn, role.name)

    def _remove(self, place: Place) -> None:
        backend = iam_backends[place.account_id][place.partition]
        role = backend.get_role(self.physical_resource_id)
        role.policies.clear()
        for arn in list(role.managed_policies):
            backend.detach_role_policy(arn, role.name)
        backend.delete_role(role.name)


class ManagedPolicyResource(Resource, CloudFormationModel):
    """A managed policy; a change is a new default version."""

    TYPE = "AWS::IAM::ManagedPolicy"
    NAME_PROPERTY = "ManagedPolicyName"
    ATTRIBUTES = ("PolicyArn",)
    REPLACED_BY = ("ManagedPolicyName", "Path", "Description")

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        policy = iam_backends[place.account_id][place.partition].create_policy(
            description=properties.get("Description", ""),
            path=properties.get("Path", "/"),
            policy_document=json.dumps(properties["PolicyDocument"]),
            policy_name=name,
            tags=[],
        )
        return cls(policy.arn, properties, PolicyArn=policy.arn)

    def _change(self, place: Place, properties: Properties) -> None:
        backend = iam_backends[place.account_id][place.partition]
        arn = self.physical_resource_id
        old = backend.managed_policies[arn].default_version_id
        backend.create_policy_version(arn, json.dumps(properties["PolicyDocument"]), True)
        backend.delete_policy_version(arn, old)

    def _remove(self, place: Place) -> None:
        iam_backends[place.account_id][place.partition].delete_policy(self.physical_resource_id)


class LogGroupResource(Resource, CloudFormationModel):
    """A log group. ``Fn::GetAtt Arn`` ends in ``:*``, as it does in AWS."""

    TYPE = "AWS::Logs::LogGroup"
    NAME_PROPERTY = "LogGroupName"
    ATTRIBUTES = ("Arn",)
    REPLACED_BY = ("LogGroupName",)

    @classmethod
    def _make(cls, place: Place, name: str, properties: Properties) -> Self:
        group = logs_backends[place.account_id][place.region].create_log_group(name, {})
        resource = cls(name, properties, Arn=f"{group.arn}:*")
        resource._change(place, properties)
        return resource

    def _change(self, place: Place, properties: Properties) -> None:
        days = properties.get("RetentionInDays")
        group = logs_backends[place.account_id][place.region].groups[self.physical_resource_id]
        group.retention_in_days = None if days is None else int(days)
        group.kms_key_id = properties.get("KmsKeyId")

    def _remove(self, place: Place) -> None:
        logs_backends[place.account_id][place.region].groups.pop(self.physical_resource_id, None)
