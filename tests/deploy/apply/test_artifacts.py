"""Code and templates lie in a bucket that is nobody else's."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.stub import Stubber

from deploy.apply import artifacts
from sereno.errors import InvalidInput

ACCOUNT, REGION = "123456789012", "eu-west-1"


class One:
    """An account with just this client."""

    def __init__(self, client):
        self._client = client

    def client(self, service, region=None):
        assert service == "s3"
        return self._client


@pytest.fixture(scope="module")
def client():
    return botocore.session.get_session().create_client("s3", region_name=REGION)


@pytest.fixture
def s3(client):
    with Stubber(client) as stub:
        yield One(client), stub
        stub.assert_no_pending_responses()


OWN = {"Bucket": "b", "ExpectedBucketOwner": ACCOUNT}


def test_the_bucket_is_private_encrypted_versioned_and_reached_over_tls_alone():
    template = artifacts.bootstrap(ACCOUNT, REGION)
    bucket = template["Resources"]["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"]["Status"] == "Enabled"
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (statement,) = template["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert template["Resources"]["Bucket"]["DeletionPolicy"] == "Retain"


def test_partitions_have_their_own_arns_and_hosts():
    statement = artifacts.bootstrap(ACCOUNT, "cn-north-1")["Resources"]["BucketPolicy"]["Properties"][
        "PolicyDocument"
    ]
    assert "arn:aws-cn:s3:::" in str(statement)
    assert artifacts.url("b", "cn-north-1", "k") == "https://b.s3.cn-north-1.amazonaws.com.cn/k"
    assert artifacts.url("b", REGION, "k") == "https://b.s3.eu-west-1.amazonaws.com/k"


def test_a_bucket_is_there_or_not(s3):
    aws, stub = s3
    stub.add_response("head_bucket", {"BucketRegion": REGION}, OWN)
    assert artifacts.check(aws, "b", ACCOUNT, REGION)
    stub.add_client_error("head_bucket", "404", http_status_code=404, expected_params=OWN)
    assert not artifacts.check(aws, "b", ACCOUNT, REGION)


def test_a_strangers_bucket_of_that_name_is_refused(s3):
    aws, stub = s3
    stub.add_client_error("head_bucket", "403", http_status_code=403, expected_params=OWN)
    with pytest.raises(InvalidInput, match="is not a bucket of 123456789012"):
        artifacts.check(aws, "b", ACCOUNT, REGION)


def test_a_bucket_in_another_region_is_refused(s3):
    aws, stub = s3
    stub.add_response("head_bucket", {"BucketRegion": "us-east-1"}, OWN)
    with pytest.raises(InvalidInput, match="lies in us-east-1; Lambda takes code from its own region"):
        artifacts.check(aws, "b", ACCOUNT, REGION)


def test_what_is_there_is_not_sent_again(s3):
    aws, stub = s3
    stub.add_response("head_object", {}, {**OWN, "Key": "k.zip"})
    assert not artifacts.put(aws, "b", ACCOUNT, "k.zip", b"x")
    # Without the right to list, S3 says 403 of what is not there.
    stub.add_client_error("head_object", "403", http_status_code=403)
    asked = {**OWN, "Key": "k.zip", "Body": b"x", "ContentType": "application/zip"}
    stub.add_response("put_object", {}, asked)
    assert artifacts.put(aws, "b", ACCOUNT, "k.zip", b"x")
