"""What the whole account shares in a Region: a stranger's traffic can take what this service counts on.

Each alarm comes before the quota is met, because AWS takes hours to days over a higher one.
"""

from __future__ import annotations

from alarms.api_metrics import NAMESPACE as API_NAMESPACE
from alarms.api_metrics import REQUESTS, metrics_of
from alarms.lateness import points
from alarms.slo import runbook_link
from alarms.spec import AlarmSpec, AnySpec, MetricQuery, dimensions
from alarms.wire import Api, alarm_name
from sereno.service import Service

NEARLY = 0.8  # of a quota
# Functions reserve in steps, and 100 executions must stay unreserved: a tenth is what is left then.
CLAIMED = 0.9
METRICS_LIMIT = 10


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of the quotas that the service can meet."""
    found: list[AnySpec] = []
    if service.functions:
        found.append(concurrency(service))
    if service.apis:
        found.append(requests(service))
    if any(table.provisioned for table in service.tables.values()):
        found.append(capacity(service))
    return found


def concurrency(service: Service) -> AlarmSpec:
    """Lambda's concurrency is nearly given away."""
    quota = service.quotas.concurrency
    return AlarmSpec(
        **_named(service, "account-concurrency", "ticket"),
        description=(
            f"{CLAIMED:.0%} or more of the account's {quota:,} concurrent executions are claimed: reserved by "
            "any function, provisioned, or in use without a reservation. What is reserved counts as claimed while "
            "idle. Beyond that no function can be raised, and those that reserve nothing are throttled. "
            f"{quota:,} is what sereno.yaml says (quotas.concurrency)."
        ),
        namespace="AWS/Lambda",
        metric_name="ClaimedAccountConcurrency",
        statistic="Maximum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=round(CLAIMED * quota, 6),
        evaluation_periods=points(2),
        datapoints_to_alarm=2,
        treat_missing_data="notBreaching",
    )


def requests(service: Service) -> AlarmSpec:
    """API Gateway's throttle of the account is near."""
    quota = service.quotas.requests
    apis = list(service.apis.values())[:METRICS_LIMIT]
    queries = [
        MetricQuery(
            f"m{number}",
            None,
            API_NAMESPACE,
            REQUESTS,
            dimensions(dict(metrics_of(api).dimensions)),
            60,
            "Sum",
            return_data=False,
        )
        for number, api in enumerate(apis)
    ]
    return AlarmSpec(
        **_named(service, "account-requests", "ticket"),
        description=(
            f"The APIs of {service.name} get {NEARLY:.0%} or more of the {quota:,} requests a second "
            "that API Gateway lets through for all APIs of the account in the Region. Beyond it requests are "
            "answered with 429, other services' too, and no function sees them. CloudWatch does not tell the other "
            f"APIs' part. {quota:,} is what sereno.yaml says (quotas.requests)."
        ),
        metrics=(MetricQuery("rate", "SUM(METRICS()) / 60", label="requests a second"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=round(NEARLY * quota, 6),
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def capacity(service: Service) -> AlarmSpec:
    """DynamoDB's capacity of the account is nearly provisioned."""
    names = tuple(
        f"{which}{kind}CapacityUtilization"
        for which in ("AccountProvisioned", "MaxProvisionedTable")
        for kind in ("Read", "Write")
    )
    queries = [
        MetricQuery(f"m{number}", None, "AWS/DynamoDB", name, (), 300, "Maximum", return_data=False)
        for number, name in enumerate(names)
    ]
    return AlarmSpec(
        **_named(service, "account-capacity", "ticket"),
        description=(
            f"{NEARLY:.0%} or more of the read or write capacity that the account may provision in DynamoDB are "
            "provisioned, over all its tables, or of what one table may have. Beyond it no table, or not that one, "
            "can be raised, by hand, by auto scaling or by Sereno. CloudWatch gives it as a percentage of the quota, "
            "every five minutes: one of three periods is enough, so that a pause in between does not read as relief."
        ),
        metrics=(MetricQuery("used", "MAX(METRICS())", label="percent of the quota"), *queries),
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=100 * NEARLY,
        evaluation_periods=3,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def _named(service: Service, what: str, severity: str) -> Api:
    return {
        "name": alarm_name(service.name, service.name, what),
        "severity": severity,
        "runbook": runbook_link(service, what),
    }
