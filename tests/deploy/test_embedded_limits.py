"""What AWS refuses is refused on the embedded AWS, whichever way the call takes."""

import json

import boto3
import moto
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy import embedded_limits
from deploy.embedded import MOCK_CONFIG, EmbeddedError, create_stack

REGION, ACCOUNT = "eu-west-1", "123456789012"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    embedded_limits.install()
    with moto.mock_aws(config=MOCK_CONFIG):
        yield lambda service: boto3.client(service, region_name=REGION)


def wildcards(number):
    return {"detail": {"alarmName": [{"wildcard": f"shop/*/what-{one}"} for one in range(number)]}}


@pytest.mark.parametrize(
    ("pattern", "cost"),
    [
        ({"source": ["aws.cloudwatch"]}, 0),
        ({"detail": {"alarmName": [{"prefix": "shop/"}, {"suffix": "/errors"}]}}, 0),
        (wildcards(1), 2),
        (wildcards(9), 18),
        ({"detail": {"key": [{"wildcard": "a/*"}, {"wildcard": ["*b", "*c*d"]}]}}, 6),
        ({"detail": {"key": [{"anything-but": {"wildcard": "*.json"}}]}}, 2),
    ],
)
def test_what_a_pattern_costs(pattern, cost):
    assert embedded_limits.complexity(pattern) == cost


def test_a_rule_of_several_wildcards_is_refused_in_the_words_of_aws(aws):
    events = aws("events")
    events.put_rule(Name="four", EventPattern=json.dumps(wildcards(4)))
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="Rule is too complex"):
        events.put_rule(Name="five", EventPattern=json.dumps(wildcards(5)))
    assert [one["Name"] for one in events.list_rules()["Rules"]] == ["four"]


def test_a_stack_with_a_rule_of_several_wildcards_fails(aws):
    rule = {"Type": "AWS::Events::Rule", "Properties": {"Name": "nine", "EventPattern": wildcards(9)}}
    with pytest.raises(EmbeddedError, match="Rule is too complex"):
        create_stack("watch", {"Resources": {"Rule": rule}}, region=REGION, account=ACCOUNT)


@pytest.mark.parametrize(("length", "taken"), [(2048, True), (2049, False)])
def test_a_pattern_has_at_most_2048_characters_without_spaces(aws, length, taken):
    frame = len(json.dumps({"source": [""]}, separators=(",", ":")))
    pattern = json.dumps({"source": ["x" * (length - frame)]})
    events = aws("events")
    if taken:
        events.put_rule(Name="long", EventPattern=pattern)
    else:
        with pytest.raises(events.exceptions.InvalidEventPatternException, match="2049 characters"):
            events.put_rule(Name="long", EventPattern=pattern)


def test_an_array_of_an_event_matches_when_any_of_its_values_does(aws):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html"""
    from moto.events.models import EventPattern

    pattern = {"resources": [{"prefix": "arn:shop/"}], "detail": {"alarmName": [{"suffix": "/errors"}]}}
    matches = EventPattern.load(json.dumps(pattern)).matches_event
    assert matches({"resources": ["arn:other", "arn:shop/read/errors"], "detail": {"alarmName": "shop/read/errors"}})
    assert not matches({"resources": ["arn:shop-eu/read/errors"], "detail": {"alarmName": "shop-eu/read/errors"}})
    assert not matches({"resources": [], "detail": {"alarmName": "shop/read/errors"}})
    assert not matches({"detail": {"alarmName": "shop/read/errors"}})


def policy(size):
    """A policy document of so many characters without white space, and with some."""
    frame = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": ""}]}
    arn = "arn:aws:s3:::".ljust(size - len(json.dumps(frame, separators=(",", ":"))), "x")
    frame["Statement"][0]["Resource"] = arn
    return json.dumps(frame, indent=4)


def test_the_inline_policies_of_a_role_hold_10240_characters_together(aws):
    iam = aws("iam")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    iam.put_role_policy(RoleName="role", PolicyName="one", PolicyDocument=policy(6_000))
    iam.put_role_policy(RoleName="role", PolicyName="one", PolicyDocument=policy(10_000))
    iam.put_role_policy(RoleName="role", PolicyName="two", PolicyDocument=policy(240))
    with pytest.raises(iam.exceptions.LimitExceededException, match="Maximum policy size of 10240 bytes exceeded"):
        iam.put_role_policy(RoleName="role", PolicyName="two", PolicyDocument=policy(241))


def test_a_managed_policy_holds_6144_characters(aws):
    iam = aws("iam")
    arn = iam.create_policy(PolicyName="fits", PolicyDocument=policy(6_144))["Policy"]["Arn"]
    with pytest.raises(iam.exceptions.LimitExceededException, match="PolicySize: 6144"):
        iam.create_policy(PolicyName="larger", PolicyDocument=policy(6_145))
    with pytest.raises(iam.exceptions.LimitExceededException, match="PolicySize: 6144"):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(6_145), SetAsDefault=True)


def test_a_role_attaches_ten_managed_policies(aws):
    iam = aws("iam")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=policy(200))["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in [*arns[:10], arns[0]]:
        iam.attach_role_policy(RoleName="role", PolicyArn=arn)
    with pytest.raises(iam.exceptions.LimitExceededException, match="PoliciesPerRole: 10"):
        iam.attach_role_policy(RoleName="role", PolicyArn=arns[10])


def test_a_vault_that_is_not_there_is_answered_as_one_that_nobody_may_see(aws):
    """https://github.com/aws/aws-sdk-js/issues/2625"""
    backup = aws("backup")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        backup.describe_backup_vault(BackupVaultName="absent")
    backup.create_backup_vault(BackupVaultName="present")
    assert backup.describe_backup_vault(BackupVaultName="present")["BackupVaultName"] == "present"


# -- Block Public Access


def public(bucket):
    read = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/open",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [read]})


@pytest.fixture
def bucket(aws):
    """A bucket with an object that everybody may read, and a reader without credentials."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="shop", Key="open", Body=b"text")
    return s3


def read(key="open"):
    """As a health checker asks: without a signature."""
    client = boto3.client("s3", region_name=REGION, config=Config(signature_version=UNSIGNED))
    try:
        return client.get_object(Bucket="shop", Key=key)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


OFF = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False)


def test_a_new_bucket_takes_no_public_policy_until_that_is_allowed(bucket):
    with pytest.raises(ClientError, match="BlockPublicPolicy"):
        bucket.put_bucket_policy(Bucket="shop", Policy=public("shop"))
    bucket.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration=OFF)
    bucket.put_bucket_policy(Bucket="shop", Policy=public("shop"))
    assert read() == 200


def test_the_account_overrides_the_bucket_at_any_later_time(aws, bucket):
    bucket.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration=OFF)
    bucket.put_bucket_policy(Bucket="shop", Policy=public("shop"))
    account = aws("s3control")

    def set_to(**settings):
        wanted = {**OFF, **settings}
        account.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=wanted)

    set_to(BlockPublicPolicy=True)
    assert read() == 200, "a policy that is there already stays"
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.put_bucket_policy(Bucket="shop", Policy=public("shop"))
    set_to(RestrictPublicBuckets=True)
    assert read() == 403
    assert bucket.get_object(Bucket="shop", Key="open")["Body"].read() == b"text", "the owner reads it"
    set_to()
    assert read() == 200


def test_a_stack_whose_bucket_policy_is_public_fails_where_the_account_forbids_it(aws):
    aws("s3control").put_public_access_block(
        AccountId=ACCOUNT, PublicAccessBlockConfiguration={**OFF, "BlockPublicPolicy": True}
    )
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {"BucketName": "shop", "PublicAccessBlockConfiguration": {"BlockPublicPolicy": False}},
    }
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": json.loads(public("shop"))},
    }
    with pytest.raises(EmbeddedError, match="BlockPublicPolicy"):
        create_stack("watch", {"Resources": {"Bucket": bucket, "Policy": policy}}, region=REGION, account=ACCOUNT)
