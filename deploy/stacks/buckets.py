"""The platform's bucket: where in it all lies, and emptied, with versions and open uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

    from steadyspot.deploy.target import Target


def bucket_of(target: Target) -> tuple[str, str]:
    """Return the platform's bucket, and the prefix of all its keys: empty, or with a slash."""
    bucket, _, prefix = target.platform["Bucket"].partition("/")
    return bucket, f"{prefix}/" if prefix else ""


def empty(s3: S3Client, bucket: str, prefix: str = "") -> None:
    """Delete every version of every object and abort every upload whose key begins so."""
    for uploads in s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Prefix=prefix
    ):
        for upload in uploads.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if keys:
            s3.delete_objects(
                Bucket=bucket,
                Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item]
            )
