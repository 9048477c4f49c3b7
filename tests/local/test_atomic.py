"""Conditional writes on the embedded AWS: of many at the same moment exactly one is true."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from steadyspot.deploy.local.aws import LocalAws

pytestmark = pytest.mark.usefixtures("restless")


def test_of_many_claims_at_the_same_moment_one_wins(local_aws: LocalAws) -> None:
    dynamodb = local_aws.session().client("dynamodb")
    dynamodb.create_table(
        TableName="claims",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    refused = dynamodb.exceptions.ConditionalCheckFailedException  # Two threads would make two.

    def claim(run: str, claimant: int) -> bool:
        try:
            dynamodb.update_item(
                TableName="claims",
                Key={"id": {"S": run}},
                UpdateExpression="SET claimant = :c",
                ConditionExpression="attribute_not_exists(claimant)",
                ExpressionAttributeValues={":c": {"N": str(claimant)}},
            )
        except refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            wins = list(pool.map(lambda n, run=f"run-{number}": claim(run, n), range(8)))
            assert wins.count(True) == 1


def test_of_many_objects_that_must_not_exist_one_is_written(local_aws: LocalAws) -> None:
    s3 = local_aws.session().client("s3")
    s3.create_bucket(Bucket="once-only")

    def put(number: int) -> str:
        try:
            s3.put_object(Bucket="once-only", Key="k", Body=f"{number}" * 1000, IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "written"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(put, range(16)))
    assert answers.count("written") == 1
    assert answers.count("PreconditionFailed") == 15
