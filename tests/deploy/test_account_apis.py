"""What stages allow, read from API Gateway as its two kinds of API tell it."""

from __future__ import annotations

import pytest
from moto import mock_aws

from deploy import account_apis
from remediators.clients import BotocoreAws
from sereno.service import Api


@pytest.fixture
def aws():
    with mock_aws():
        yield BotocoreAws("eu-west-1")


def rest_stage(aws, *patches):
    client = aws.client("apigateway")
    api = client.create_rest_api(name="shop-web")["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    client.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    client.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    client.create_deployment(restApiId=api, stageName="prod")
    client.update_stage(restApiId=api, stageName="prod", patchOperations=list(patches))


def test_a_rest_stage_tells_its_throttling(aws):
    rest_stage(aws, {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "250"})
    assert account_apis.stage_rates(aws, {"web": Api("web", "shop-web", "prod")}) == {"web": 250.0}


def test_an_http_stage_tells_its_throttling(aws):
    client = aws.client("apigatewayv2")
    api = client.create_api(Name="shop-app", ProtocolType="HTTP")["ApiId"]
    settings = {"ThrottlingRateLimit": 80.0, "ThrottlingBurstLimit": 40}
    client.create_stage(ApiId=api, StageName="live", DefaultRouteSettings=settings)
    assert account_apis.stage_rates(aws, {"app": Api("app", "shop-app", "live", "http", api)}) == {"app": 80.0}


def test_a_stage_without_a_limit_of_its_own_or_that_is_not_there_is_left_out(aws):
    rest_stage(aws)
    apis = {
        "web": Api("web", "shop-web", "prod"),
        "gone": Api("gone", "shop-gone", "prod"),
        "other": Api("other", "shop-web", "beta"),
        "app": Api("app", "shop-app", "live", "http", "a1b2c3"),
    }
    assert account_apis.stage_rates(aws, apis) == {}


def test_where_the_quota_may_not_be_read_aws_default_stands(aws):
    assert account_apis.account_rate(aws) == 10_000
