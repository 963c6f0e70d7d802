"""A service of many functions keeps its roles within IAM's sizes, or is refused with the number that fits."""

import json

import boto3
import moto
import pytest

from deploy import config, policy_lint, synth
from deploy.embedded import MOCK_CONFIG, create_stack
from deploy.synth import policies
from remediators import registry
from sereno.errors import InvalidInput
from sereno.service import Service

REGION, ACCOUNT = "eu-west-1", "123456789012"
PLAYED = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::Logs::LogGroup")
LOGS = "arn:aws:logs:eu-west-1:123456789012:log-group:"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"


def shop(functions: int) -> tuple[Service, dict]:
    """A service with so many functions of 38-character names and 8 tables."""
    declared = {
        f"f{number}": {"name": f"a-shop-with-a-rather-long-name-f{number:06d}", "reserved": 1}
        for number in range(functions)
    }
    raw = {
        "service": "shop",
        "account": ACCOUNT,
        "region": REGION,
        "objectives": {"surge": "9x"},
        "resources": {
            "functions": declared,
            "tables": {f"t{number}": {"name": f"a-shop-table-{number}"} for number in range(8)},
        },
        "notifications": {"emails": ["oncall@example.com"]},
    }
    compiled = config.compile_config(config.parse(json.dumps(raw)))
    return Service.from_json(compiled), compiled


def root_of(functions: int) -> tuple[Service, dict]:
    service, compiled = shop(functions)
    return service, synth.bundle(service, compiled, remediators=registry.all_remediators()).root


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws(config=MOCK_CONFIG):
        yield lambda service: boto3.client(service, region_name=REGION)


def allowed(iam, role: str) -> dict[str, set[str]]:
    """Resources by action of everything that a role may do, inline and managed."""
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=one["PolicyArn"])["Policy"]
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        documents.append(version["PolicyVersion"]["Document"])
    found: dict[str, set[str]] = {}
    for statement in (one for document in documents for one in document["Statement"]):
        resources = statement["Resource"]
        for action in statement["Action"]:
            found.setdefault(action, set()).update([resources] if isinstance(resources, str) else resources)
    return found


@pytest.mark.parametrize("functions", [40, 120])
def test_the_roles_of_many_functions_are_taken_by_iam_and_lose_nothing(aws, functions):
    service, root = root_of(functions)
    only = {key: one for key, one in root["Resources"].items() if one["Type"] in PLAYED}
    parameters = {"CodeBucket": "b", "CodeKey": "k"}
    made = create_stack(
        "watch", {**root, "Resources": only, "Outputs": {}}, region=REGION, account=ACCOUNT, parameters=parameters
    )
    may = allowed(aws("iam"), made.physical("RoundRole"))
    names = {FUNCTION + one.name for one in service.functions.values()}
    assert names <= may["lambda:PutFunctionConcurrency"]
    assert {arn.removesuffix(":*") for arn in may["logs:PutLogEvents"]} == {f"{LOGS}/aws/lambda/sereno-shop-round"}
    attached = aws("iam").list_attached_role_policies(RoleName=made.physical("RoundRole"))["AttachedPolicies"]
    assert len(attached) == len(root["Resources"]["RoundRole"]["Properties"]["ManagedPolicyArns"]) >= 1
    if functions == 40:  # the linter takes a second for so many names
        assert [str(one) for one in policy_lint.problems(root)] == []


def test_too_many_functions_are_refused_with_the_number_that_fits():
    service, compiled = shop(400)
    with pytest.raises(InvalidInput, match='"400" functions are too many') as refused:
        synth.bundle(service, compiled, remediators=registry.all_remediators())
    told = str(refused.value)
    number = int(told.split(" of them fit", maxsplit=1)[0].rsplit("(", 1)[1])
    assert 120 < number < 400
    used = synth.used_remediators(*(shop(number)[0], registry.all_remediators()))
    for count, fits in ((number, True), (number + 1, False)):
        fewer = shop(count)[0]
        own = synth._own_functions(fewer, used)
        if fits:
            policies.fit(fewer, own)
        else:
            with pytest.raises(policies.TooLarge):
                policies.fit(fewer, own)


def test_a_small_role_stays_as_it_is():
    service, compiled = shop(2)
    root = synth.synthesise(service, compiled, remediators=registry.all_remediators())
    assert not [one for one in root["Resources"].values() if one["Type"] == policies.MANAGED]


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyName": "sereno", "PolicyDocument": {}}]}}


def role(*statements):
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return {"Role": {**ROLE, "Properties": {"Policies": [{"PolicyName": "sereno", "PolicyDocument": document}]}}}


def statement(number, length=90, action="lambda:GetFunction"):
    names = [f"arn:{one:06d}:".ljust(length, "x") for one in range(number)]
    return {"Sid": "Many", "Effect": "Allow", "Action": [action], "Resource": names}


def test_each_policy_is_within_its_limit_and_every_resource_stands_once():
    service, _ = shop(1)
    fitted = policies.fit(service, role(statement(500)))
    documents = [
        one["Properties"].get("PolicyDocument") or one["Properties"]["Policies"][0]["PolicyDocument"]
        for one in fitted.values()
    ]
    sizes = sorted(policies.size(service, {}, one) for one in documents)
    assert sizes[-1] <= policies.INLINE_LIMIT
    assert all(one <= policies.MANAGED_LIMIT for one in sizes[:-1])
    named = [arn for one in documents for part in one["Statement"] for arn in part["Resource"]]
    assert sorted(named) == sorted(statement(500)["Resource"])
    assert list(fitted)[-1] == "Role", "the role comes after the policies that it attaches"


def test_what_cloudformation_fills_in_counts_with_its_length():
    service, _ = shop(1)
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/sereno-shop-round"}}
    arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/sereno-shop-round:*"
    asked = {"Resource": {"Fn::GetAtt": ["RoundLogs", "Arn"]}}
    assert policies.size(service, {"RoundLogs": group}, asked) == len(f'{{"Resource":"{arn}"}}')
    key = {"Fn::If": ["HasKmsKey", {"Resource": {"Ref": "KmsKeyArn"}}, {"Ref": "AWS::NoValue"}]}
    assert policies.size(service, {}, key) == len('{"Resource":""}') + 100


def test_a_role_past_ten_managed_policies_does_not_fit():
    service, _ = shop(1)
    most = policies.INLINE_LIMIT + policies.ATTACHED_LIMIT * policies.MANAGED_LIMIT
    with pytest.raises(policies.TooLarge, match=r"IAM takes 10,240 in the role and 10 managed policies of 6,144"):
        policies.fit(service, role(statement(most // 93 + 1)))
    policies.fit(service, role(statement(most // 93 - 40)))
