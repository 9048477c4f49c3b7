"""Multipart uploads of the embedded AWS are answered as S3 answers them, above all once over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from steadyspot.deploy.local.aws import LocalAws

PARTS = {"Parts": [{"PartNumber": 1, "ETag": '"7fc56270e7a70fa81a5935b72eacbe29"'}]}
"""Of one part, ``A``."""

CALLS: dict[str, Callable[[Any, dict[str, str]], object]] = {
    "upload_part": lambda s3, upload: s3.upload_part(**upload, PartNumber=1, Body=b"A"),
    "complete": lambda s3, upload: s3.complete_multipart_upload(**upload, MultipartUpload=PARTS),
    "abort": lambda s3, upload: s3.abort_multipart_upload(**upload),
    "list_parts": lambda s3, upload: s3.list_parts(**upload),
}


@pytest.fixture
def s3(local_aws: LocalAws) -> Any:
    client = local_aws.session().client("s3")
    client.create_bucket(Bucket="bucket")
    client.create_bucket(Bucket="other")
    return client


def begun(s3: Any) -> dict[str, str]:
    upload = {"Bucket": "bucket", "Key": "a key/with ü"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    CALLS["upload_part"](s3, upload)
    return upload


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("end", ["complete", "abort"])
def test_an_upload_that_is_over_is_none_to_all_who_come_later(s3: Any, end: str, call: str) -> None:
    upload = begun(s3)
    CALLS[end](s3, upload)

    with pytest.raises(ClientError) as refused:
        CALLS[call](s3, upload)
    assert refused.value.response["Error"]["Code"] == "NoSuchUpload"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "otherwise", [{"UploadId": "none"}, {"Key": "another"}, {"Bucket": "other"}]
)
def test_an_upload_is_known_by_its_bucket_and_key_as_well(
    s3: Any, otherwise: dict[str, str], call: str
) -> None:
    upload = begun(s3)
    with pytest.raises(ClientError) as refused:
        CALLS[call](s3, upload | otherwise)
    assert refused.value.response["Error"]["Code"] == "NoSuchUpload"

    CALLS["complete"](s3, upload)
    assert s3.get_object(Bucket="bucket", Key=upload["Key"])["Body"].read() == b"A"
    assert "Contents" not in s3.list_objects_v2(Bucket="other")
