"""Empties a bucket, or what lies in it under a prefix: open uploads, too, which nothing lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def empty(s3: S3Client, bucket: str, prefix: str = "") -> None:
    """Delete every object and abort every upload whose key begins so."""
    for uploads in s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Prefix=prefix
    ):
        for upload in uploads.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            s3.delete_objects(
                Bucket=bucket,
                Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item]
            )
