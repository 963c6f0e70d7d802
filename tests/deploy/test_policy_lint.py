"""A policy that allows more than it must is found, whichever way it does."""

from __future__ import annotations

import pytest

from deploy import config, golden, iam, policy_lint
from deploy.apply import artifacts
from remediators import registry
from sereno.ports import scalable
from sereno.service import Service

ACCOUNT = "123456789012"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
READ = "arn:aws:lambda:eu-west-1:123456789012:function:shop-read"
PAGE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html"


def role(*statements, trust=None, everything=None, **more):
    trust = trust or iam.trust("lambda.amazonaws.com", ACCOUNT)
    return {
        "Type": "AWS::IAM::Role",
        "Metadata": {"Everything": everything or {}},
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": {"Statement": list(statements)}}],
            **more,
        },
    }


def allow(action, resource, **more):
    return {"Sid": "One", "Effect": "Allow", "Action": action, "Resource": resource, **more}


def told(resource):
    return [str(one) for one in policy_lint.problems({"Resources": {"It": resource}})]


def test_what_sereno_synthesises_is_tight_with_and_without_a_customer_key():
    template = golden.template_of(golden.TECHMODA)
    assert policy_lint.problems(template) == []
    assert policy_lint.problems(template, {"KmsKeyArn": KEY}) == []
    assert policy_lint.problems(artifacts.bootstrap("123456789012", "eu-west-1")) == []


def test_a_narrow_statement_is_fine():
    assert told(role(allow(["lambda:GetFunctionConfiguration"], READ))) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (allow("lambda:*", READ), "has a wildcard"),
        (allow("*", READ), "has a wildcard"),
        (allow("lambda:Get*", READ), "has a wildcard"),
        (allow("lambda:FlyAway", READ), "is no IAM action that AWS knows"),
        (allow("lambda:UpdateAlias", "*"), "is allowed on everything without a reason"),
        (allow("lambda:UpdateAlias", READ.replace("shop-read", "*")), "reaches every resource of its kind"),
        (allow("dynamodb:PutItem", READ), "cannot be allowed on arn:aws:lambda"),
        (allow("ssm:CreateOpsItem", "arn:aws:ssm:eu-west-1:123456789012:opsitem/*"), "(AWS takes *)"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": READ}, "NotAction"),
        ({"Effect": "Allow", "Action": "lambda:GetAlias", "NotResource": READ}, "NotResource"),
        (allow("iam:PassRole", "arn:aws:iam::123456789012:role/x"), "needs a condition"),
    ],
)
def test_too_much_is_told_with_its_place(statement, said):
    found = told(role(statement))
    assert any(said in line and line.startswith("Resources.It.own.") for line in found), found


def test_everything_needs_the_page_that_says_why():
    statement = allow("lambda:GetAccountSettings", "*")
    assert told(role(statement, everything={"lambda.get_account_settings": PAGE})) == []
    assert told(role(statement, everything={"lambda.get_account_settings": "because"})) != []
    assert told(role(statement, everything={"lambda.list_functions": PAGE})) != []


def test_a_role_is_for_lambda_backup_or_fis_alone():
    for principal in ("*", {"AWS": "123456789012"}, {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}):
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        assert any(
            "must be lambda.amazonaws.com, backup.amazonaws.com or fis.amazonaws.com alone" in line
            for line in told(role(trust=trust))
        ), principal
    managed = role(ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])
    assert any("AdministratorAccess" in line for line in told(managed))


@pytest.mark.parametrize("service", ["lambda", "backup", "fis"])
def test_a_service_assumes_a_role_for_this_account_alone(service):
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    source = f"arn:aws:{service}:eu-west-1:{ACCOUNT}:experiment/*"
    assert any(
        "may assume the role for any account (add aws:SourceAccount)" in line for line in told(role(trust=trust))
    )
    for refuses_nothing in (
        {"StringNotEquals": {"aws:SourceAccount": "1"}},
        {"StringLike": {"aws:SourceAccount": "*"}},
    ):
        assert told(role(trust={**trust, "Condition": refuses_nothing})) != []
    assert told(role(trust=iam.trust(f"{service}.amazonaws.com", ACCOUNT, source))) == []


def test_fis_names_the_experiments_too_for_it_passes_their_arn():
    without = told(role(trust=iam.trust("fis.amazonaws.com", ACCOUNT)))
    assert [line for line in without if "add aws:SourceArn" in line]


def test_every_role_of_sereno_is_assumed_for_its_own_account_alone():
    templates = [*golden.templates_of(golden.REGIONS).values(), *golden.rehearsals_of(golden.REGIONS).values()]
    roles = [one for each in templates for one in each["Resources"].values() if one["Type"] == "AWS::IAM::Role"]
    assert len(roles) > 20
    for one in roles:
        (statement,) = one["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


TARGETS = f"arn:aws:application-autoscaling:eu-west-1:{ACCOUNT}:scalable-target/*"
ZONE = "arn:aws:route53:::hostedzone/Z1"
SCALING, RECORDS = "application-autoscaling:RegisterScalableTarget", "route53:ChangeResourceRecordSets"
OF_LAMBDA = {
    "application-autoscaling:service-namespace": "lambda",
    "application-autoscaling:scalable-dimension": "lambda:function:ProvisionedConcurrency",
}
OF_SHARES = {
    "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["shares.example.com"],
    "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
    "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
}
PRESENT = {"Null": dict.fromkeys(OF_SHARES, "false")}


@pytest.mark.parametrize(
    ("action", "resource", "condition", "said"),
    [
        (SCALING, TARGETS, {"StringEquals": OF_LAMBDA}, None),
        (SCALING, TARGETS, {}, "needs a condition (application-autoscaling:service-namespace)"),
        (
            SCALING,
            TARGETS,
            {"StringEquals": dict(list(OF_LAMBDA.items())[:1])},
            "(application-autoscaling:scalable-dim",
        ),
        (SCALING, TARGETS, {"StringNotEquals": OF_LAMBDA}, "needs a condition"),
        (SCALING, TARGETS, {"StringLike": dict.fromkeys(OF_LAMBDA, "*")}, "which refuses nothing"),
        (
            SCALING,
            TARGETS,
            {"StringEquals": {**OF_LAMBDA, "application-autoscaling:dimension": "x"}},
            "no condition key",
        ),
        (RECORDS, ZONE, {"ForAllValues:StringEquals": OF_SHARES, **PRESENT}, None),
        (RECORDS, ZONE, {"ForAllValues:StringEquals": OF_SHARES}, "also holds when the key is absent"),
        (RECORDS, ZONE, {}, "needs a condition (route53:ChangeResourceRecordSetsNormalizedRecordNames)"),
        (RECORDS, ZONE, {}, "needs a condition (route53:ChangeResourceRecordSetsRecordTypes)"),
        (RECORDS, ZONE, {}, "needs a condition (route53:ChangeResourceRecordSetsActions)"),
        (RECORDS, ZONE.replace("Z1", "*"), {"ForAllValues:StringEquals": {}}, "needs a condition"),
        (
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/x",
            {"Bool": {"aws:SecureTransport": "true"}},
            "PassedToService",
        ),
    ],
)
def test_what_aws_narrows_by_condition_keys_alone_carries_them(action, resource, condition, said):
    found = told(role(allow(action, resource, **({"Condition": condition} if condition else {}))))
    assert any(said in line for line in found) if said else found == [], found


def conditions(remediator, action):
    """The conditions under which the example of two regions allows a remediator an action."""
    watch = config.watches(config.compile_config(config.load(golden.REGIONS)))[0]
    found = iam.allow(registry.all_remediators()[remediator].permissions, Service.from_json(watch))
    return [one["Condition"] for one in found if action in one["Action"]]


def test_the_roles_of_sereno_register_and_change_no_more_than_they_need():
    assert conditions("raise_concurrency", SCALING) == [scalable("lambda", "lambda:function:ProvisionedConcurrency")]
    lanes = [f"dynamodb:{owner}:{kind}CapacityUnits" for owner in ("index", "table") for kind in ("Read", "Write")]
    assert conditions("raise_capacity", SCALING) == [scalable("dynamodb", *lanes)]
    (records,) = conditions("fail_back", RECORDS)
    assert list(records["ForAllValues:StringEquals"].values()) == [
        ["shares.api.techmoda.example"],
        ["CNAME"],
        ["UPSERT"],
    ]


def resource_policy(**statement):
    statement = {"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "Topic"}, **statement}
    return {"Type": "AWS::SNS::TopicPolicy", "Properties": {"PolicyDocument": {"Statement": statement}}}


def test_a_service_is_let_in_on_this_accounts_behalf_alone():
    service = {"Service": "cloudwatch.amazonaws.com"}
    assert any("on anybody's behalf" in line for line in told(resource_policy(Principal=service)))
    pin = {"StringEquals": {"AWS:SourceAccount": "123456789012"}}
    assert told(resource_policy(Principal=service, Condition=pin)) == []
    assert any("lets everybody in" in line for line in told(resource_policy(Principal="*", Condition=pin)))
    assert told(resource_policy(Effect="Deny", Principal="*", Action="sns:*")) == []


@pytest.mark.parametrize(
    ("changed", "page", "found"),
    [
        ({}, PAGE, 0),
        ({}, "", 1),
        ({"Action": ["s3:GetObject", "s3:ListBucket"]}, PAGE, 1),
        ({"Resource": "arn:aws:s3:::switch/*"}, PAGE, 1),
        ({"Resource": "arn:aws:s3:::switch"}, PAGE, 1),
        ({"Resource": ["arn:aws:s3:::switch/one", "arn:aws:s3:::switch/two"]}, PAGE, 1),
    ],
)
def test_everybody_may_read_one_named_object_of_which_a_page_says_why(changed, page, found):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::switch/one"}
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Metadata": {"Open": page},
        "Properties": {"Bucket": "switch", "PolicyDocument": {"Statement": [{**statement, **changed}]}},
    }
    assert len(told(policy)) == found


def test_a_function_is_invoked_on_a_named_sources_behalf_alone():
    open_door = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    kind = "AWS::Lambda::Permission"
    assert any("SourceArn" in line for line in told({"Type": kind, "Properties": open_door}))
    assert told({"Type": kind, "Properties": {**open_door, "SourceArn": "arn:x"}}) == []
    assert told({"Type": kind, "Properties": {**open_door, "Principal": "*"}}) != []


def test_the_key_statement_is_looked_at_where_the_key_is_given():
    template = {
        "Parameters": {"KmsKeyArn": {"Type": "String", "Default": ""}},
        "Conditions": {"HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]}},
        "Resources": {
            "It": role({"Fn::If": ["HasKey", allow("kms:*", {"Ref": "KmsKeyArn"}), {"Ref": "AWS::NoValue"}]})
        },
    }
    assert policy_lint.problems(template) == []
    assert any("has a wildcard" in str(one) for one in policy_lint.problems(template, {"KmsKeyArn": KEY}))


@pytest.mark.parametrize(
    ("changed", "metadata", "found"),
    [
        ({"FunctionUrlAuthType": "NONE"}, {"Open": "https://docs.slack.dev/x"}, 0),
        ({"InvokedViaFunctionUrl": True}, {"Open": "https://docs.slack.dev/x"}, 0),
        ({"FunctionUrlAuthType": "NONE"}, {"Open": "because"}, 1),
        ({"FunctionUrlAuthType": "NONE"}, {}, 1),
        ({"FunctionUrlAuthType": "AWS_IAM"}, {"Open": "https://docs.slack.dev/x"}, 1),
        ({}, {"Open": "https://docs.slack.dev/x"}, 1),
    ],
)
def test_everybody_may_come_by_a_url_only_and_with_a_page_that_says_why(changed, metadata, found):
    properties = {"Action": "lambda:InvokeFunction", "FunctionName": "f", "Principal": "*", **changed}
    one = {"Type": "AWS::Lambda::Permission", "Properties": properties, "Metadata": metadata}
    assert len(policy_lint.problems({"Resources": {"Leave": one}})) == found
