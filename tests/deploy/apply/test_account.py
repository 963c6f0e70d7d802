"""What the account has to say: to the names in sereno.yaml, to what was changed by hand, and to a watch's removal."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from moto import mock_aws

from deploy import embedded
from deploy.apply import deployed, presence, removal
from drills import shims
from drills.metrics import MetricStore
from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from sereno.lifecycle import Remediation
from sereno.model import Mode, Signal, Status, Target
from sereno.service import Api, Function, Index, Recovery, Service, Table

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def aws():
    with mock_aws(config={"lambda": {"use_docker": False}}):
        answers = shims.Answers(MetricStore(), NOON.timestamp)
        with shims.installed(answers), embedded.shims_at_work(REGION):
            yield BotocoreAws(REGION)


def shop(**changes):
    return Service("shop", ACCOUNT, (REGION,), **changes)


def told(aws, service):
    found = presence.look(aws, service)
    return [str(one) for one in found.missing], [str(one) for one in found.otherwise]


def function(aws, name):
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Timeout=10,
        MemorySize=512,
        Code={"ZipFile": code.getvalue()},
    )


def test_a_function_is_there_with_its_alias_and_as_declared(aws):
    function(aws, "shop-read")
    declared = Function("read", "shop-read", alias="live", timeout_s=10, memory_mb=256)
    missing, otherwise = told(aws, shop(functions={"read": declared}))
    assert missing == ['resources.functions.read.alias: "live" is no alias of shop-read']
    assert otherwise == ['resources.functions.read.memory: "256 MB" is 512 MB on the account']


def test_a_table_is_there_with_its_indexes_and_billed_as_declared(aws):
    aws.client("dynamodb").create_table(
        TableName="shop-orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    declared = Table("orders", "shop-orders", "provisioned", 10, 10, indexes={"day": Index("by-day")})
    missing, otherwise = told(aws, shop(tables={"orders": declared, "gone": Table("gone", "shop-gone")}))
    assert missing == [
        "resources.tables.orders.indexes.day: is no index of shop-orders",
        'resources.tables.gone.name: "shop-gone" is no table in this account and region',
    ]
    assert otherwise == ['resources.tables.orders.billing: "provisioned" is on-demand on the account']


def test_an_api_is_there_with_its_stage(aws):
    client = aws.client("apigateway")
    api = client.create_rest_api(name="shop-web")["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    client.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    client.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    client.create_deployment(restApiId=api, stageName="prod")
    http = aws.client("apigatewayv2").create_api(Name="shop-http", ProtocolType="HTTP")["ApiId"]
    apis = {
        "web": Api("web", "shop-web", "prod"),
        "old": Api("old", "shop-web", "beta"),
        "gone": Api("gone", "shop-gone", "prod"),
        "fast": Api("fast", "shop-http", "$default", "http", http),
        "lost": Api("lost", "shop-lost", "$default", "http", "abc123"),
    }
    missing, _ = told(aws, shop(apis=apis))
    assert missing == [
        'resources.apis.old.stage: "beta" is no stage of shop-web',
        'resources.apis.gone.name: "shop-gone" is no REST API in this account and region',
        'resources.apis.fast.stage: "$default" is no stage of shop-http',
        'resources.apis.lost.id: "abc123" is no HTTP API in this account and region',
    ]


def test_a_stack_that_is_declared_is_there(aws):
    missing, _ = told(aws, shop(stack="shop"))
    assert missing == ['stack: "shop" is no stack in this account and region']


@pytest.mark.parametrize(
    ("zone", "wanted"),
    [
        ("shop.example.", []),
        ("api.shop.example.", ['recovery.url: "https://api.shop.example" is the apex of its zone']),
        ("other.example.", ["is a name outside the hosted zone"]),
    ],
)
def test_the_name_of_the_switch_lies_below_the_apex_of_its_zone(aws, zone, wanted):
    made = aws.client("route53").create_hosted_zone(Name=zone, CallerReference="1")["HostedZone"]["Id"]
    url = "https://api.shop.example"
    recovery = Recovery(
        primary="eu-central-1",
        standby=REGION,
        witness="eu-north-1",
        url=url,
        urls={},
        name="api.shop.example",
        zone=made.removeprefix("/hostedzone/"),
    )
    found, _ = told(aws, shop(recovery=recovery))
    assert len(found) == len(wanted)
    assert all(text in one for text, one in zip(wanted, found, strict=True))
    absent = replace(recovery, zone="Z0123456789ABCDEFGHIJ")
    assert "is no hosted zone of this account" in told(aws, shop(recovery=absent))[0][0]


@pytest.mark.parametrize(("status", "told_of"), [(None, 1), ("DISABLED", 1), ("ENABLED", 0), ("ENABLING", 0)])
def test_a_zone_without_accelerated_recovery_is_advice_and_no_finding(aws, status, told_of):
    """The embedded Route 53 does not know the feature."""

    class Route53:
        def get_hosted_zone(self, **_):
            features = {"Features": {"AcceleratedRecoveryStatus": status}} if status else {}
            return {"HostedZone": {"Name": "shop.example.", **features}}

    class Aws:
        def client(self, name, region=None):
            return Route53() if name == "route53" else aws.client(name, region)

    recovery = Recovery("eu-central-1", REGION, "eu-north-1", "https://api.shop.example", {}, name="api.shop.example")
    found = presence.look(Aws(), shop(recovery=replace(recovery, zone="Z1")))
    assert (found.missing, found.otherwise) == ((), ())
    assert len(found.advice) == told_of
    assert all("within about 60 minutes" in str(one) for one in found.advice)


def test_another_account_is_told_alone(aws):
    elsewhere = Service("shop", "999999999999", (REGION,), tables={"gone": Table("gone", "shop-gone")})
    missing, _ = told(aws, elsewhere)
    assert [line.split(":")[0] for line in missing] == ["account"]


def test_a_stack_that_is_not_there_is_none(aws):
    assert deployed.read(aws, "sereno-shop") is None


def test_a_stack_is_read_with_its_template_and_its_values(aws):
    template = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}}},
        "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}},
    }
    aws.client("cloudformation").create_stack(
        StackName="sereno-shop",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Name", "ParameterValue": "alarms"}],
    )
    found = deployed.read(aws, "sereno-shop")
    assert found is not None
    assert (found.template, found.parameters) == (template, {"Name": "alarms"})
    assert found.physical["Topic"] == found.outputs["Topic"]


class Book:
    """A ledger with these remediations open."""

    def __init__(self, *remediations, mode=None, later=()):
        self.pages = [list(remediations), list(remediations) + list(later)]
        self.mode = mode
        self.set: list[Mode] = []

    def open(self):
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]

    def modes(self):
        return {"*": self.mode} if self.mode else {}

    def set_mode(self, remediator, mode, by, now):
        assert (remediator, by) == ("*", "ana")
        self.set.append(mode)


def remediation(status):
    target = Target("function", "shop-read", REGION, ACCOUNT)
    signal = Signal("x", "alarm", "shop/read/throttles", "throttles", "ALARM", "OK", target, NOON)
    return Remediation(f"id-{status}", "raise_concurrency", signal, target, NOON, status=status)


def test_only_changes_in_force_hold_a_removal_back():
    book = Book(*(remediation(status) for status in Status))
    assert {one.status for one in removal.leases(book)} == {
        Status.APPLYING,
        Status.VERIFYING,
        Status.HOLDING,
        Status.REVERTING,
    }


def test_a_remediation_that_began_while_a_person_was_thinking_stops_the_removal():
    book = Book(mode=Mode.APPROVE, later=[remediation(Status.APPLYING)])
    assert removal.leases(book) == []
    with pytest.raises(removal.LeasesInForce, match="id-APPLYING  APPLYING  shop-read"):
        removal.stop(book, "ana", NOON)
    # Off first, so that nothing new begins; then back to what an operator had set.
    assert book.set == [Mode.OFF, Mode.APPROVE]


def test_a_ledger_that_is_not_there_is_not_deleted(aws):
    assert not removal.delete_ledger(aws, shop())


def test_a_removal_reads_a_real_ledger(aws):
    aws.client("dynamodb").create_table(
        TableName="sereno-shop-ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "S"), ("open", "S"), ("due_at", "N"))
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open",
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        DeletionProtectionEnabled=True,
    )
    ledger = Ledger(aws.client("dynamodb"), "sereno-shop-ledger", "shop", sleep=lambda _: None)
    stopped = removal.stop(ledger, "ana", NOON)
    assert ledger.modes() == {"*": Mode.OFF}
    stopped.undo(NOON)
    assert ledger.modes() == {"*": Mode.AUTO}
    assert removal.delete_ledger(aws, shop())
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
