"""A deployed stack is read as it is now: real names, real limits, whatever the template once said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import pytest
from botocore.exceptions import ClientError

from deploy import config
from deploy.embedded import MOCK_CONFIG, create_stack
from deploy.intake import write
from deploy.intake.deployed import from_stack
from deploy.intake.findings import Intake
from deploy.sam import translate
from sereno.errors import InvalidInput
from sereno.service import Service

REGION, ACCOUNT = "eu-west-1", "123456789012"
Client = Callable[[str], Any]

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
KEYED: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


SHOP = {
    "Parameters": {
        "Memory": {"Type": "Number", "Default": 128},
        "Token": {"Type": "String", "NoEcho": True, "Default": "hunter2"},
    },
    "Resources": {
        "CartTable": resource("AWS::DynamoDB::Table", BillingMode="PAY_PER_REQUEST", **KEYED),
        "OrdersTable": resource(
            "AWS::DynamoDB::Table",
            ProvisionedThroughput={"ReadCapacityUnits": 30, "WriteCapacityUnits": 10},
            **KEYED,
        ),
        "CartRole": resource(
            "AWS::IAM::Role",
            AssumeRolePolicyDocument=TRUST,
            Policies=[
                {
                    "PolicyName": "carts",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "dynamodb:GetItem",
                                "Resource": {"Fn::GetAtt": ["CartTable", "Arn"]},
                            }
                        ],
                    },
                }
            ],
        ),
        "CartFunction": resource(
            "AWS::Lambda::Function",
            Role={"Fn::GetAtt": ["CartRole", "Arn"]},
            Handler="app.handler",
            Runtime="python3.12",
            Code={"ZipFile": "def handler(event, context): return {}"},
            MemorySize={"Ref": "Memory"},
            Timeout=7,
            Environment={"Variables": {"ORDERS": {"Ref": "OrdersTable"}, "TOKEN": {"Ref": "Token"}}},
        ),
    },
}


@pytest.fixture
def aws() -> Iterator[Client]:
    with moto.mock_aws(config=MOCK_CONFIG):
        clients: dict[str, Any] = {}
        yield lambda service: clients.setdefault(service, boto3.client(service, region_name=REGION))


def deploy(template: dict[str, Any], name: str = "shop", **parameters: str) -> Any:
    return create_stack(name, template, region=REGION, account=ACCOUNT, parameters=parameters)


def service_of(found: Intake) -> Service:
    return Service.from_json(config.compile_config(config.parse(write.text(found))))


def test_names_that_cloudformation_made_are_known_and_nothing_is_assumed_of_them(aws):
    made = deploy(SHOP, Memory="768")
    service = service_of(found := from_stack("shop", aws, REGION))

    assert service.functions["cart"].name == made.physical("CartFunction")
    assert service.functions["cart"].memory_mb == 768
    assert {one.name for one in service.tables.values()} == {made.physical("CartTable"), made.physical("OrdersTable")}
    assert service.functions["cart"].tables == ("cart-table", "orders")
    assert (service.account, service.region, service.stack) == (ACCOUNT, REGION, "shop")
    assert [one.place for one in found.log.assumed] == ["service", "objectives"]
    assert "hunter2" not in write.text(found) + json.dumps(found.to_json())


class WithHttpApi:
    """CloudFormation with an HTTP API in the stack, which the embedded AWS cannot create out of a template."""

    def __init__(self, real: Any, api_id: str) -> None:
        self._real, self._api_id = real, api_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_template(self, **asked: Any) -> Any:
        template = json.loads(json.dumps(self._real.get_template(**asked)["TemplateBody"]))
        template["Resources"] |= {
            "FrontApi": resource("AWS::ApiGatewayV2::Api", Name="front", ProtocolType="HTTP"),
            "FrontStage": resource("AWS::ApiGatewayV2::Stage", ApiId={"Ref": "FrontApi"}, StageName="$default"),
        }
        return {"TemplateBody": template}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_stack_resources"
        listed = self._real.list_stack_resources(StackName="shop")["StackResourceSummaries"]
        more = [("FrontApi", self._api_id), ("FrontStage", "$default")]
        added = [{"LogicalResourceId": logical, "PhysicalResourceId": physical} for logical, physical in more]
        return SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": listed + added}])


def test_an_http_api_is_known_by_its_real_id_and_its_name_of_today(aws):
    deploy(SHOP)
    api_id = aws("apigatewayv2").create_api(Name="renamed-since", ProtocolType="HTTP")["ApiId"]
    cloudformation = WithHttpApi(aws("cloudformation"), api_id)
    found = from_stack("shop", lambda name: cloudformation if name == "cloudformation" else aws(name), REGION)
    front = service_of(found).apis["front"]
    assert (front.kind, front.id, front.name, front.stage) == ("http", api_id, "renamed-since", "$default")
    assert [one.place for one in found.log.assumed] == ["service", "objectives"]


def test_what_was_changed_by_hand_since_is_what_is_written(aws):
    made = deploy(SHOP)
    function, orders = made.physical("CartFunction"), made.physical("OrdersTable")
    aws("lambda").update_function_configuration(FunctionName=function, Timeout=21, MemorySize=1024)
    aws("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=33)
    aws("dynamodb").update_table(
        TableName=orders, ProvisionedThroughput={"ReadCapacityUnits": 90, "WriteCapacityUnits": 10}
    )
    aws("application-autoscaling").register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId=f"table/{orders}",
        ScalableDimension="dynamodb:table:WriteCapacityUnits",
        MinCapacity=44,
        MaxCapacity=400,
    )
    service = service_of(from_stack("shop", aws, REGION))
    cart = service.functions["cart"]
    assert (cart.timeout_s, cart.memory_mb, cart.reserved) == (21, 1024, 33)
    assert (service.tables["orders"].read, service.tables["orders"].write) == (90, 44)


def test_what_may_not_be_read_is_told_and_the_templates_word_stands(aws):
    made = deploy(SHOP)
    aws("lambda").delete_function(FunctionName=made.physical("CartFunction"))
    found = from_stack("shop", aws, REGION)
    assert service_of(found).functions["cart"].timeout_s == 7
    (told,) = found.log.unresolved
    assert told.place == "Resources.CartFunction"
    assert told.why == "GetFunctionConfiguration answered ResourceNotFoundException"


def test_exports_of_other_stacks_are_looked_up(aws):
    exported = {"Alias": {"Value": "live", "Export": {"Name": "everyones-alias"}}}
    deploy({"Resources": {"Topic": resource("AWS::SNS::Topic")}, "Outputs": exported}, "platform")
    more = {
        "Version": resource("AWS::Lambda::Version", FunctionName={"Ref": "CartFunction"}),
        "Alias": resource(
            "AWS::Lambda::Alias",
            FunctionName={"Ref": "CartFunction"},
            FunctionVersion={"Fn::GetAtt": ["Version", "Version"]},
            Name={"Fn::ImportValue": "everyones-alias"},
        ),
    }
    deploy({**SHOP, "Resources": {**SHOP["Resources"], **more}})
    found = from_stack("shop", aws, REGION)
    assert service_of(found).functions["cart"].alias == "live"
    assert found.log.unresolved == []


def test_nested_stacks_are_read_with_what_they_were_given(aws):
    code = {"Handler": "app.handler", "Runtime": "python3.12", "Code": {"ZipFile": "def handler(e, c): return {}"}}
    child = {
        "Parameters": {"Table": {"Type": "String"}},
        "Resources": {
            "Role": resource("AWS::IAM::Role", AssumeRolePolicyDocument=TRUST),
            "Reader": resource(
                "AWS::Lambda::Function",
                Role={"Fn::GetAtt": ["Role", "Arn"]},
                Environment={"Variables": {"TABLE": {"Ref": "Table"}}},
                MemorySize=320,
                **code,
            ),
        },
    }
    aws("s3").create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws("s3").put_object(Bucket="templates", Key="child.json", Body=json.dumps(child))
    stack = resource(
        "AWS::CloudFormation::Stack",
        TemplateURL="https://s3.amazonaws.com/templates/child.json",
        Parameters={"Table": {"Ref": "CartTable"}},
    )
    made = deploy({"Resources": {"CartTable": SHOP["Resources"]["CartTable"], "Readers": stack}})
    found = from_stack("shop", aws, REGION)
    reader = service_of(found).functions["reader"]
    assert (reader.memory_mb, reader.tables) == (320, ("cart",))
    assert reader.name in [one["FunctionName"] for one in aws("lambda").list_functions()["Functions"]]
    assert found.of("functions")[0].place == "Readers/Resources.Reader"
    assert service_of(found).tables["cart"].name == made.physical("CartTable")


def test_the_example_as_deployed_is_the_example_as_written(aws):
    example = Path(__file__).parents[3] / "examples" / "techmoda"
    deploy(translate(example / "template.yaml", {}, region=REGION, account=ACCOUNT), "techmoda")
    found = from_stack("techmoda", aws, REGION)
    read, written = service_of(found), config.service(example / "sereno.yaml")

    assert {one.name: one.reserved for one in read.functions.values()} == {
        one.name: one.reserved for one in written.functions.values()
    }
    assert {one.alias for one in read.functions.values()} == {"live"}
    assert {one.tables for one in read.functions.values()} == {("products",)}
    assert [(one.name, one.stage) for one in read.apis.values()] == [("techmoda-catalogue", "prod")]
    table, person = read.tables["products"], written.tables["products"]
    assert (table.name, table.billing, table.read, table.write) == (
        person.name,
        person.billing,
        person.read,
        person.write,
    )
    assert {name: (one.read, one.write) for name, one in table.indexes.items()} == {
        name: (one.read, one.write) for name, one in person.indexes.items()
    }
    assert found.log.unresolved == []


def test_a_stack_that_is_not_there_is_bad_input(aws):
    with pytest.raises(InvalidInput, match=r'--from-stack: "nowhere" does not exist in eu-west-1'):
        from_stack("nowhere", aws, REGION)


def test_whoever_may_not_read_cloudformation_is_told_by_aws(aws):
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")

    client = aws("cloudformation")
    client.describe_stacks = denied
    with pytest.raises(ClientError, match="AccessDenied"):
        from_stack("shop", aws, REGION)
