"""A stack on the embedded AWS is whole, or it is refused."""

import json
from pathlib import Path

import boto3
import moto
import pytest

from deploy import embedded_service
from deploy.embedded import MOCK_CONFIG, EmbeddedError, UnsupportedResource, create_stack
from deploy.sam import translate

REGION, ACCOUNT = "eu-west-1", "123456789012"


def trust(service):
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


WATCH = json.loads((Path(__file__).parent / "watch.template.json").read_text(encoding="utf-8"))


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws(config=MOCK_CONFIG):
        yield lambda service: boto3.client(service, region_name=REGION)


def stack(template, **parameters):
    return create_stack("watch", template, region=REGION, account=ACCOUNT, parameters=parameters)


@pytest.fixture(scope="module")
def techmoda():
    template = Path(__file__).parents[2] / "examples" / "techmoda" / "template.yaml"
    return translate(template, {"Release": "7"}, region=REGION, account=ACCOUNT)


def only(resource, **more):
    return {"Resources": {"One": resource, **more}}


def test_the_callers_template_is_left_as_it_was(aws):
    before = json.dumps(WATCH)
    stack(WATCH, Service="techmoda")
    assert json.dumps(WATCH) == before


def test_two_regions_hold_the_same_stack(aws):
    queue = only({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failed"}})
    for region in ("eu-west-1", "eu-central-1"):
        made = create_stack("watch", queue, region=region, account=ACCOUNT)
        assert region in made.physical("One")


def test_all_types_that_cannot_be_created_are_named_at_once_and_nothing_is_made(aws):
    template = only(
        {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failed"}},
        Plan={"Type": "AWS::Backup::BackupPlan"},
        Canary={"Type": "AWS::Synthetics::Canary"},
    )
    with pytest.raises(UnsupportedResource) as refused:
        stack(template)
    assert refused.value.missing == {
        "Plan": "AWS::Backup::BackupPlan",
        "Canary": "AWS::Synthetics::Canary",
    }
    assert "Resources.Canary: AWS::Synthetics::Canary cannot be created" in str(refused.value)
    assert "QueueUrls" not in aws("sqs").list_queues()


def test_metadata_is_no_resource(aws):
    made = stack(only({"Type": "AWS::SQS::Queue"}, Note={"Type": "AWS::CDK::Metadata"}))
    assert list(made.resources) == ["One"]


def test_a_property_that_aws_does_not_know_names_its_resource(aws):
    alarm = {**WATCH["Resources"]["Errors5xx"]["Properties"], "AlarmName": "a", "Treshold": 1}
    with pytest.raises(EmbeddedError, match=r"Resources\.One \(AWS::CloudWatch::Alarm\): [\s\S]*Treshold"):
        stack(only({"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}))


def test_an_attribute_that_nobody_knows_is_an_error_and_no_missing_property(aws):
    reader = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"DisplayName": {"Fn::GetAtt": ["Round", "Nonsense"]}},
    }
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")},
    }
    with pytest.raises(EmbeddedError, match="Nonsense"):
        stack({"Resources": {"Round": role, "Reader": reader}})


def test_a_managed_policy_that_is_not_loaded_says_how_to_load_it(aws):
    role = {
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"],
    }
    with pytest.raises(EmbeddedError, match=r"AWSXrayWriteOnlyAccess is not loaded.*load_aws_managed_policies"):
        stack(only({"Type": "AWS::IAM::Role", "Properties": role}))


def test_a_statement_without_value_is_left_out(aws):
    role = {
        "RoleName": "reader",
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "Policies": [
            {
                "PolicyName": "own",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"},
                        {"Fn::If": ["Never", {"Effect": "Allow"}, {"Ref": "AWS::NoValue"}]},
                    ],
                },
            }
        ],
    }
    never = {"Fn::Equals": ["a", "b"]}
    template = only({"Type": "AWS::IAM::Role", "Properties": role})
    stack({**template, "Conditions": {"Never": never}})
    policy = aws("iam").get_role_policy(RoleName="reader", PolicyName="own")["PolicyDocument"]
    assert len(policy["Statement"]) == 1


def test_a_missing_parameter_is_named(aws):
    with pytest.raises(EmbeddedError, match="Service"):
        stack(WATCH)


def test_another_account_is_refused(aws):
    with pytest.raises(EmbeddedError, match="plays account 123456789012, not 111111111111"):
        create_stack("watch", WATCH, region=REGION, account="111111111111")


def test_without_a_mock_nothing_is_called():
    with pytest.raises(EmbeddedError, match="no mock is active"):
        stack(WATCH, Service="techmoda")


def test_the_watch_as_synthesised_stands_whole_beside_its_service(aws, techmoda):
    golden = Path(__file__).parent / "golden" / "techmoda.template.json"
    watch = json.loads(golden.read_text(encoding="utf-8"))
    embedded_service.create(techmoda, region=REGION, account=ACCOUNT)
    made = stack(watch, CodeBucket="artifacts", CodeKey="sereno.zip")
    assert set(made.resources) == set(watch["Resources"])
    assert set(made.composites) == set(made.of_type("AWS::CloudWatch::CompositeAlarm").values())


def test_code_at_another_place_is_other_code(aws):
    def function(key):
        return {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": key,
                "Handler": "index.handler",
                "Runtime": "python3.12",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"S3Bucket": "artifacts", "S3Key": f"{key}.zip"},
            },
        }

    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")},
    }
    stack({"Resources": {"One": function("one"), "Two": function("two"), "Role": role}})
    found = aws("lambda").list_functions()["Functions"]
    assert len({one["CodeSha256"] for one in found}) == 2
