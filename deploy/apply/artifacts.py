"""Where code and templates lie before CloudFormation takes them: a bucket of the account, in the stack's region.

Keys are named by content, so what is there already is not sent again, and what a rollback needs is never overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.partition import partition
from sereno.ports import Aws
from sereno.service import Service

STACK = "sereno-artifacts"
# Long enough for every rollback, and for the question what ran last quarter.
KEEP_OLD_DAYS = 90


def bucket_name(account: str, region: str) -> str:
    """The bucket that Sereno makes when none is given: one for all services of an account and region."""
    return f"sereno-artifacts-{account}-{region}"


def prefix(service: Service) -> str:
    """Where in the bucket a service's files lie."""
    return f"sereno/{service.name}/"


def bootstrap(account: str, region: str) -> Json:
    """The template of the bucket: versioned, encrypted, never public, reached over TLS alone. It outlives its stack,
    because the stacks made from it need it to roll back."""
    name = bucket_name(account, region)
    arn = f"arn:{partition(region)}:s3:::{name}"
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Sereno's code and templates, before CloudFormation takes them",
        "Resources": {
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "BucketName": name,
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "BucketEncryption": {
                        "ServerSideEncryptionConfiguration": [
                            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                        ]
                    },
                    "PublicAccessBlockConfiguration": {
                        "BlockPublicAcls": True,
                        "BlockPublicPolicy": True,
                        "IgnorePublicAcls": True,
                        "RestrictPublicBuckets": True,
                    },
                    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                    "LifecycleConfiguration": {
                        "Rules": [
                            {
                                "Id": "old-versions",
                                "Status": "Enabled",
                                "NoncurrentVersionExpiration": {"NoncurrentDays": KEEP_OLD_DAYS},
                                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                            }
                        ]
                    },
                    "Tags": [{"Key": "sereno:service", "Value": "artifacts"}],
                },
            },
            "BucketPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Bucket"},
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Sid": "TlsAlone",
                                "Effect": "Deny",
                                "Principal": "*",
                                "Action": "s3:*",
                                "Resource": [arn, f"{arn}/*"],
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        ],
                    },
                },
            },
        },
        "Outputs": {"Bucket": {"Description": "The bucket", "Value": {"Ref": "Bucket"}}},
    }


def check(aws: Aws, bucket: str, account: str, region: str) -> bool:
    """Whether the bucket is there. Raises InvalidInput when it belongs to somebody else or lies in another region:
    its name alone proves nothing, for anybody may have taken it."""
    client = aws.client("s3")
    try:
        answer = client.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket", "NotFound"):
            return False
        if code in ("403", "AccessDenied", "301", "PermanentRedirect"):
            mend = f"is not a bucket of {account} in {region} that these credentials may use (name another: --bucket)"
            raise InvalidInput("sereno deploy", [Problem("--bucket", bucket, mend)]) from None
        raise
    found = answer.get("BucketRegion", region)
    if found != region:
        mend = f"lies in {found}; Lambda takes code from its own region, {region}, only (name another: --bucket)"
        raise InvalidInput("sereno deploy", [Problem("--bucket", bucket, mend)])
    return True


def put(aws: Aws, bucket: str, account: str, key: str, body: bytes) -> bool:
    """Sends a file unless it is there. True when it was sent."""
    client = aws.client("s3")
    if _there(client, bucket, account, key):
        return False
    client.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ExpectedBucketOwner=account,
        ContentType="application/zip" if key.endswith(".zip") else "application/json",
    )
    return True


def put_all(aws: Aws, bucket: str, account: str, files: Mapping[str, bytes]) -> int:
    """Sends what is not there yet; how many files that were."""
    return sum(put(aws, bucket, account, key, body) for key, body in files.items())


def code_key(service: Service, package: Path) -> str:
    """The key of a package, named by its bytes."""
    return f"{prefix(service)}{hashlib.sha256(package.read_bytes()).hexdigest()[:32]}.zip"


def template_key(service: Service, packed: str) -> str:
    """The key of the root template, named by its text."""
    return f"{prefix(service)}watch.{hashlib.sha256(packed.encode()).hexdigest()[:16]}.template.json"


def url(bucket: str, region: str, key: str) -> str:
    """Where CloudFormation finds a template."""
    suffix = "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"
    return f"https://{bucket}.s3.{region}.{suffix}/{key}"


def _there(client: Any, bucket: str, account: str, key: str) -> bool:
    """Whether a file is there. (Without s3:ListBucket S3 says 403 of one that is not: then it is sent.)
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""
    try:
        client.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("403", "404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True
