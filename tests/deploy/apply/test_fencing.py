"""A fenced function behind a probed path is found by the routes of the APIs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from deploy.apply import fencing
from remediators.clients import BotocoreAws
from sereno.service import Api, Function, Recovery, Service

FIRST, STANDBY = "eu-west-1", "eu-central-1"
ROUTES = ("/", "/health", "/products", "/products/{id}", "/products/{id}/prices", "/admin/{proxy+}", "/{rest+}")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/health", "/health"),
        ("/products?limit=1", "/products"),
        ("/products/p-1", "/products/{id}"),
        ("/products/p-1/prices", "/products/{id}/prices"),
        ("/admin/a/b", "/admin/{proxy+}"),
        ("/unknown", "/{rest+}"),
        ("/", "/"),
    ],
)
def test_a_path_takes_the_most_exact_route(path, route):
    assert fencing.best(path, ROUTES) == route


def test_a_path_without_a_route_has_none():
    assert fencing.best("/health/deep", ("/health", "/products/{id}")) is None


@pytest.fixture
def aws() -> Iterator[BotocoreAws]:
    with mock_aws():
        yield BotocoreAws(FIRST)


def shop(api: Api, *, region: str = FIRST, paths: tuple[str, ...] = ("/health", "/orders/1")) -> Service:
    other = STANDBY if region == FIRST else FIRST
    recovery = Recovery(FIRST, STANDBY, "eu-north-1", "https://a.example", {}, paths=paths, fence=("save",))
    functions = {"save": Function("save", "shop-save"), "read": Function("read", "shop-read")}
    return Service("shop", "123456789012", (region, other), apis={"web": api}, functions=functions, recovery=recovery)


def arn(name: str) -> str:
    return f"arn:aws:lambda:{FIRST}:123456789012:function:{name}"


def rest(aws: BotocoreAws, **behind: str) -> Api:
    """A REST API with a resource for each, which a function answers."""
    client = aws.client("apigateway")
    api = client.create_rest_api(name="shop-web")["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    for segment, name in behind.items():
        made = client.create_resource(restApiId=api, parentId=root, pathPart=segment)["id"]
        made = client.create_resource(restApiId=api, parentId=made, pathPart="{proxy+}")["id"]
        client.put_method(restApiId=api, resourceId=made, httpMethod="ANY", authorizationType="NONE")
        client.put_integration(
            restApiId=api,
            resourceId=made,
            httpMethod="ANY",
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{FIRST}:lambda:path/2015-03-31/functions/{arn(name)}:live/invocations",
        )
    return Api("web", "shop-web", "prod")


def http(aws: BotocoreAws, **behind: str) -> Api:
    client = aws.client("apigatewayv2")
    api = client.create_api(Name="shop-http", ProtocolType="HTTP")["ApiId"]
    for segment, name in behind.items():
        made = client.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn(name))
        target = f"integrations/{made['IntegrationId']}"
        client.create_route(ApiId=api, RouteKey=f"GET /{segment}/{{id}}", Target=target)
    return Api("web", "shop-http", "$default", "http", api)


@pytest.mark.parametrize("made", [rest, http])
def test_a_fenced_function_behind_a_probed_path_is_named_whatever_its_key(aws, made):
    found = [str(one) for one in fencing.look(aws, shop(made(aws, orders="shop-save", health="shop-read")))]
    assert found == [
        'recovery.fence: "save" is fenced, and answers the probed path /orders/1 (leave it out of fence, or probe '
        "another path)"
    ]


@pytest.mark.parametrize("made", [rest, http])
def test_one_that_answers_other_paths_may_be_fenced(aws, made):
    api = made(aws, orders="shop-save", products="shop-read")
    assert list(fencing.look(aws, shop(api, paths=("/products/1",)))) == []


def test_only_the_first_region_is_asked(aws):
    assert list(fencing.look(aws, shop(rest(aws, orders="shop-save"), region=STANDBY))) == []


def test_an_api_that_is_not_there_is_told_elsewhere(aws):
    assert list(fencing.look(aws, shop(Api("web", "shop-http", "$default", "http", "gone1234")))) == []
