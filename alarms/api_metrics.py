"""What an API's metrics are called, and what they are keyed by: REST and HTTP APIs differ in both.

REST APIs publish `5XXError` and `4XXError` keyed by the API's name, HTTP APIs `5xx` and `4xx` keyed by its id;
`Count` and `Latency` are called the same in both.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
"""

from __future__ import annotations

from dataclasses import dataclass

from sereno.service import Api

NAMESPACE = "AWS/ApiGateway"
REQUESTS, LATENCY = "Count", "Latency"


@dataclass(frozen=True, slots=True)
class ApiMetrics:
    """The names of the metrics that count answers, and the dimensions of all metrics of one stage."""

    failed: str
    refused: str
    dimensions: tuple[tuple[str, str], ...]


def metrics_of(api: Api) -> ApiMetrics:
    """How CloudWatch knows this API's stage."""
    if api.kind == "http":
        return ApiMetrics("5xx", "4xx", (("ApiId", api.id or ""), ("Stage", api.stage)))
    return ApiMetrics("5XXError", "4XXError", (("ApiName", api.name), ("Stage", api.stage)))
