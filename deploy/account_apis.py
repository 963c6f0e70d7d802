"""What API Gateway lets through: the account's rate, and what a stage has been told to allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import API_RATE
from sereno.ports import Aws
from sereno.service import Api

QUOTA = "L-8A5B8E43"
# The settings of a REST stage for every method of every resource.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
EVERYTHING = "*/*"


def account_rate(aws: Aws) -> float:
    """The quota in force, requests a second; AWS's default where it has never been changed, or may not be read."""
    try:
        answer = aws.client("service-quotas").get_service_quota(ServiceCode="apigateway", QuotaCode=QUOTA)
    except ClientError:
        return API_RATE
    return float(answer["Quota"]["Value"])


def stage_rates(aws: Aws, apis: Mapping[str, Api]) -> dict[str, float]:
    """Requests a second that each stage allows, by API key; without those that set no limit, or may not be read."""
    found = {}
    for key, api in apis.items():
        try:
            rate = _http(aws, api) if api.kind == "http" else _rest(aws, api)
        except ClientError:
            continue
        # API Gateway writes "no limit of its own" as nothing, or as -1.
        if rate is not None and rate >= 0:
            found[key] = float(rate)
    return found


def _http(aws: Aws, api: Api) -> float | None:
    stage = aws.client("apigatewayv2").get_stage(ApiId=api.id, StageName=api.stage)
    rate: float | None = stage.get("DefaultRouteSettings", {}).get("ThrottlingRateLimit")
    return rate


def _rest(aws: Aws, api: Api) -> float | None:
    client = aws.client("apigateway")
    api_id = next((one["id"] for one in _rest_apis(client) if one["name"] == api.name), None)
    if api_id is None:
        return None
    stage = client.get_stage(restApiId=api_id, stageName=api.stage)
    rate: float | None = stage.get("methodSettings", {}).get(EVERYTHING, {}).get("throttlingRateLimit")
    return rate


def _rest_apis(client: Any) -> Iterator[Mapping[str, Any]]:
    for page in client.get_paginator("get_rest_apis").paginate():
        yield from page["items"]
