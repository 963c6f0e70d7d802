"""The request rates that AWS documents for its control planes, as data: each with its refusal and its source.

A limit is shared by everybody in an account and Region (Route 53's by the whole account). Where AWS publishes no
burst, the bucket holds one second's requests. A rate that AWS raises on request is the default one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_CLOUDWATCH = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests"
_QUOTAS = "https://docs.aws.amazon.com/servicequotas/latest/userguide/reference_limits.html"
_LIMITS = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html"
_ROUTE_53 = "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests"
_SNS = "https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a service answers a request that is too many: error code, HTTP status, message, and fields beside them."""

    code: str
    status: int
    message: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`rate` requests a second with bursts of `burst`, for all `operations` together; none named: for all of the
    service that no other limit and no exemption names. `everywhere` counts all Regions as one."""

    name: str
    service: str
    operations: tuple[str, ...]
    rate: float
    burst: float
    refusal: Refusal
    source: str
    everywhere: bool = False


_RATE_EXCEEDED = Refusal("Throttling", 400, "Rate exceeded", {})
_TABLES_SAY = Refusal("ThrottlingException", 400, "Rate of requests exceeds the allowed throughput.", {})
# The fields are those of the service model: TooManyRequestsException of lambda 2015-03-31.
_LAMBDA_SAYS = Refusal(
    "TooManyRequestsException",
    429,
    "Rate exceeded",
    {"retryAfterSeconds": "1", "Type": "User", "message": "Rate exceeded", "Reason": "CallerRateLimitExceeded"},
)
_QUOTAS_SAY = Refusal("TooManyRequestsException", 429, "Rate exceeded", {"Message": "Rate exceeded"})


def _each(
    service: str, rates: Mapping[str, tuple[float, float]], says: Refusal, source: str
) -> tuple[RateLimit, ...]:
    """A limit for each operation by itself: its rate and burst by its name."""
    return tuple(
        RateLimit(f"{service} {name}", service, (name,), rate, burst, says, source)
        for name, (rate, burst) in rates.items()
    )


LIMITS: tuple[RateLimit, ...] = (
    # "You can expect throttling errors if you call it more than once in a minute."
    RateLimit("dynamodb DescribeLimits", "dynamodb", ("DescribeLimits",), 1 / 60, 1, _TABLES_SAY, _LIMITS),
    RateLimit("lambda GetFunction", "lambda", ("GetFunction",), 100, 100, _LAMBDA_SAYS, _LAMBDA),
    RateLimit("lambda GetPolicy", "lambda", ("GetPolicy",), 15, 15, _LAMBDA_SAYS, _LAMBDA),
    # "15 requests per second across all APIs (not 15 requests per second per API)."
    RateLimit("lambda control plane", "lambda", (), 15, 15, _LAMBDA_SAYS, _LAMBDA),
    *_each(
        "cloudwatch",
        {
            "DeleteAlarms": (3, 3),
            "DescribeAlarmHistory": (20, 20),
            "DescribeAlarms": (9, 9),
            "DescribeAlarmsForMetric": (9, 9),
            "DisableAlarmActions": (3, 3),
            "EnableAlarmActions": (3, 3),
            # 500 a second on the page of today, 50 on that of 2023: accounts keep what they once were given.
            "GetMetricData": (50, 50),
            "PutCompositeAlarm": (3, 3),
            "PutDashboard": (10, 10),
            "PutMetricAlarm": (3, 3),
            "SetAlarmState": (3, 3),
        },
        _RATE_EXCEEDED,
        _CLOUDWATCH,
    ),
    RateLimit("route53", "route53", (), 5, 5, _RATE_EXCEEDED, _ROUTE_53, everywhere=True),
    *_each("sns", {"ListSubscriptionsByTopic": (30, 30)}, _RATE_EXCEEDED, _SNS),
    # "Additional ... requests per second sent in one burst": the same number again.
    *_each(
        "service-quotas",
        {
            "GetAWSDefaultServiceQuota": (5, 10),
            "GetRequestedServiceQuotaChange": (5, 10),
            "GetServiceQuota": (5, 10),
            "ListAWSDefaultServiceQuotas": (10, 20),
            "ListRequestedServiceQuotaChangeHistory": (5, 10),
            "ListRequestedServiceQuotaChangeHistoryByQuota": (5, 10),
            "ListServiceQuotas": (10, 20),
            "RequestServiceQuotaIncrease": (3, 6),
        },
        _QUOTAS_SAY,
        _QUOTAS,
    ),
)

# Invocations are no control plane: they are bounded by concurrency.
EXEMPT: Mapping[str, tuple[str, ...]] = {"lambda": ("Invoke", "InvokeAsync", "InvokeWithResponseStream")}


def limit_of(service: str, operation: str, limits: tuple[RateLimit, ...] = LIMITS) -> RateLimit | None:
    """The limit that an operation counts against, by botocore's name of the service and AWS's of the operation."""
    if operation in EXEMPT.get(service, ()):
        return None
    own = [one for one in limits if one.service == service]
    named = next((one for one in own if operation in one.operations), None)
    return named or next((one for one in own if not one.operations), None)


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """The most entries that a request may have: at `path` (`*` stands for each element), and AWS's refusal."""

    name: str
    service: str
    operation: str
    path: tuple[str, ...]
    most: int
    refusal: Refusal
    source: str


SIZES: tuple[SizeLimit, ...] = (
    SizeLimit(
        "queries of one GetMetricData",
        "cloudwatch",
        "GetMetricData",
        ("MetricDataQueries",),
        500,
        Refusal(
            "ValidationError", 400, "The collection MetricDataQueries must not have a size greater than 500.", {}
        ),
        _CLOUDWATCH,
    ),
    SizeLimit(
        "metrics of one PutMetricData",
        "cloudwatch",
        "PutMetricData",
        ("MetricData",),
        1000,
        Refusal("ValidationError", 400, "The collection MetricData must not have a size greater than 1000.", {}),
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html",
    ),
    SizeLimit(
        # Beside the 1,000 metrics of a request: each Values array holds 150 unique values.
        "values of one datum of PutMetricData",
        "cloudwatch",
        "PutMetricData",
        ("MetricData", "*", "Values"),
        150,
        Refusal("InvalidParameterValue", 400, "The collection Values must not have a size greater than 150.", {}),
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html",
    ),
)
