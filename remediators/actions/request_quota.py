"""Ask AWS for a higher quota when a quota is what keeps a surge from being served.

It is the second rung of a surge: the first could not help, or not enough. What the surge needs in all is held against
each quota that the service can meet, and an increase is asked for where one is too small. A request cannot be taken
back and AWS takes minutes to days over it, so it never runs by itself, and people are told beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators import limits, metrics, quotas
from remediators.actions._pool import OWN, others_peak, series_of
from remediators.actions._quota_needs import Need, all_needs
from remediators.demand import MINUTE, QUIET_BEFORE_S, measure
from remediators.metrics import Points, Series
from remediators.quotas import QUOTAS, Quota, relevant
from sereno.chance import median
from sereno.model import Call, Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator
from sereno.service import Api

LOOK_BACK = timedelta(minutes=60)
# Not answered yet. https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_RequestedServiceQuotaChange.html
PENDING = frozenset({"PENDING", "CASE_OPENED"})
# A value is asked for in steps of so many: a rounder number is easier to agree to.
ROUND_TO = 100

FUNCTION_ARN = "arn:{partition}:lambda:{region}:{account}:function:{function}"
_QUOTAS_PAGE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html"

PARAMS: Mapping[str, Param] = {
    "headroom": Param(2.5, "times the demand measured now", 1.0, 10.0),
    "surge_headroom": Param(1.4, "times the declared surge of normal demand", 1.0, 5.0),
    "sigmas": Param(8.0, "standard deviations of chance kept above the declared surge", 0.0, 20.0),
    "quota_margin": Param(1.25, "times the need is asked for", 1.0, 5.0),
    "quota_times": Param(5.0, "most times the present quota ever asked for", 1.0, 100.0),
}

PERMISSIONS = (
    Permission("lambda.get_function_concurrency", FUNCTION_ARN),
    Permission(
        "lambda.get_account_settings",
        "*",
        because="GetAccountSettings takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html",
    ),
    Permission(
        "cloudwatch.get_metric_data",
        "*",
        because="GetMetricData takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html",
    ),
    Permission("service-quotas.get_service_quota", "*", because=f"GetServiceQuota takes no resource: {_QUOTAS_PAGE}"),
    Permission(
        "service-quotas.get_aws_default_service_quota",
        "*",
        because=f"GetAWSDefaultServiceQuota takes no resource: {_QUOTAS_PAGE}",
    ),
    Permission(
        "service-quotas.list_requested_service_quota_change_history_by_quota",
        "*",
        because=f"ListRequestedServiceQuotaChangeHistoryByQuota takes no resource: {_QUOTAS_PAGE}",
    ),
    *(
        Permission(
            "service-quotas.request_service_quota_increase",
            f"arn:{{partition}}:servicequotas:{{region}}:{{account}}:{quota.service}/{quota.code}",
        )
        for quota in QUOTAS
    ),
)


def observe(aws: Aws, context: Context) -> Json:
    """The quotas that the service can meet, what is used of them, and requests that are not answered yet: one call
    for each quota, one for each function, and three more (the quotas' values are in the ledger; one that was never
    read is asked for, with one or two calls)."""
    service, now = context.service, context.now.timestamp()
    reserved = _reserved(aws, context)
    series = _series(aws, context, reserved)
    known = limits.of(aws, service)
    facts: Json = {
        "quotas": {quota.code: _quota(aws, context, known, quota) for quota in relevant(service)},
        "pending": read(aws, context),
        "account_used": {
            kind: max((value for _, value in series.get(f"account_{kind}", ())), default=0.0)
            for kind in ("read", "write")
        },
        "pool_peak": float(others_peak(series)),
        "normal": {},
    }
    if service.functions:
        settings = aws.client("lambda", context.target.region).get_account_settings()["AccountLimit"]
        facts["concurrency"] = settings["ConcurrentExecutions"]
        facts["unreserved"] = settings["UnreservedConcurrentExecutions"]
        facts["reserved"] = reserved
        for number, one in enumerate(service.functions.values()):
            demand = measure({name: series[f"{name}_{number}"] for name in ("invocations", "duration")}, now)
            facts["normal"][one.name] = demand.usual if demand else None
    if service.tables:
        facts["limits"] = dict(known.capacity)
    requests = {key: series[f"api_{number}"] for number, key in enumerate(service.apis)}
    facts["usual_requests"] = {key: _usual(points, now) for key, points in requests.items()}
    facts["newest_requests"] = {key: _newest(points, now) for key, points in requests.items()}
    return facts


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """Asks for more of each quota that the surge does not fit in, or refuses with a reason."""
    needs = all_needs(observation, context)
    quotas, pending = observation["quotas"], observation["pending"]
    told = "; ".join(f"{need.quota.name}: {need.units} of {quotas[need.quota.code]['value']:.0f}" for need in needs)
    short = [need for need in needs if need.units > quotas[need.quota.code]["value"]]
    if not short:
        return _no("limit", Reason.NOTHING_TO_DO, f"no quota is the limit ({told})")
    fixed = [need for need in short if not quotas[need.quota.code]["adjustable"]]
    open_ones = [need for need in short if need not in fixed and pending[need.quota.setting] is not None]
    free = [need for need in short if need not in fixed and need not in open_ones]
    if not free and fixed:
        names = ", ".join(need.quota.name for need in fixed)
        return _no("adjustable", Reason.NO_HEADROOM, f"AWS does not raise this quota ({names}); {told}")
    if not free:
        asked = ", ".join(f"{pending[need.quota.setting]:.0f} of {need.quota.name}" for need in open_ones)
        return _no("pending", Reason.NOTHING_TO_DO, f"AWS has been asked for {asked} and has not answered yet")
    gates = (("limit", Verdict.yes(told)),)
    steps = tuple(_step(need, quotas[need.quota.code]["value"], context) for need in free)
    before = f" ({context.signal.reason})" if context.signal and context.signal.reason else ""
    reason = "; ".join(step.why for step in steps) + before
    risk = "AWS takes minutes to days over it; a higher quota costs nothing by itself, and lets more be spent"
    return Plan(steps, reason, risk, gates=gates)


def read(aws: Aws, context: Context) -> Json:
    """The values asked for and not answered yet, by quota; None where nothing is asked for."""
    client = aws.client("service-quotas", context.target.region)
    return {quota.setting: _pending(client, quota) for quota in relevant(context.service)}


def symptom(aws: Aws, context: Context) -> Json:
    """A request has no symptom of its own: AWS answers it."""
    return {}


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Asking is all there is to do."""
    return Verdict.yes("AWS has been asked")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """A request cannot be taken back."""
    return Verdict.no(Reason.STILL_NEEDED, "a request for a quota cannot be taken back")


# -- planning


def _step(need: Need, value: float, context: Context) -> Step:
    """Need and margin, rounded up, and never more than so many times what there is (but what is needed, if that is
    less than a round number above)."""
    wanted = math.ceil(need.units * context.params["quota_margin"] / ROUND_TO) * ROUND_TO
    asked = float(max(min(wanted, math.floor(value * context.params["quota_times"])), math.floor(value) + 1))
    quota = need.quota
    return Step(
        do=Call(
            "service-quotas",
            "request_service_quota_increase",
            {"ServiceCode": quota.service, "QuotaCode": quota.code, "DesiredValue": asked},
        ),
        why=f"{quota.name}: {need.units} are needed ({need.why}), {value:.0f} are allowed",
        setting=quota.setting,
        before=None,
        after=asked,
    )


def _no(gate: str, reason: Reason, detail: str) -> Refusal:
    verdict = Verdict.no(reason, detail)
    return Refusal(verdict, ((gate, verdict),))


# -- what AWS tells


def _quota(aws: Aws, context: Context, known: limits.Limits, quota: Quota) -> Json:
    """The value as the ledger has it. What was never read is asked for; where AWS does not answer, its default
    stands."""
    found = known.quota(quota)
    if quota.code not in known.quotas:
        try:
            found = quotas.read(aws.client("service-quotas", context.target.region), quota)
        except ClientError as error:
            # A right that is missing must show; whatever else it is passes, and the default stands until then. A
            # request below the true value is refused by AWS, and does no harm.
            if error.response["Error"]["Code"].startswith("AccessDenied"):
                raise
        except BotoCoreError:
            pass
    return {"value": found.value, "adjustable": found.adjustable}


def _pending(client: Any, quota: Quota) -> float | None:
    """The value of the request that is open: a quota has one at a time."""
    token: Json = {}
    while True:
        answer = client.list_requested_service_quota_change_history_by_quota(
            ServiceCode=quota.service, QuotaCode=quota.code, **token
        )
        for one in answer["RequestedQuotas"]:
            if one["Status"] in PENDING:
                return float(one["DesiredValue"])
        if not answer.get("NextToken"):
            return None
        token = {"NextToken": answer["NextToken"]}


def _reserved(aws: Aws, context: Context) -> dict[str, int | None]:
    """What each function of the service has reserved; None for one that lives on the unreserved pool."""
    client = aws.client("lambda", context.target.region)
    return {
        one.name: client.get_function_concurrency(FunctionName=one.name).get("ReservedConcurrentExecutions")
        for one in context.service.functions.values()
    }


def _series(aws: Aws, context: Context, reserved: Mapping[str, int | None]) -> dict[str, Points]:
    """An hour of the functions' and the APIs' traffic, and what is used of the account: the pool, and what of its use
    is the service's own, whose surge is counted apart."""
    service = context.service
    wanted: dict[str, Series] = {}
    for number, function in enumerate(service.functions.values()):
        where = {"FunctionName": function.name}
        wanted[f"invocations_{number}"] = Series("AWS/Lambda", "Invocations", where, "Sum")
        wanted[f"duration_{number}"] = Series("AWS/Lambda", "Duration", where, "Average")
        if reserved[function.name] is None:
            wanted[f"{OWN}_{number}"] = series_of(function.name, reserved=False)[OWN]
    for number, api in enumerate(service.apis.values()):
        wanted[f"api_{number}"] = Series("AWS/ApiGateway", "Count", _api_dimensions(api), "Sum")
    if service.functions:
        wanted |= series_of("", reserved=True)
    if any(table.provisioned for table in service.tables.values()):
        for kind in ("read", "write"):
            metric = f"AccountProvisioned{kind.capitalize()}CapacityUtilization"
            wanted[f"account_{kind}"] = Series("AWS/DynamoDB", metric, {}, "Maximum")
    client = aws.client("cloudwatch", context.target.region)
    return metrics.read(client, wanted, context.now - LOOK_BACK, context.now)


def _api_dimensions(api: Api) -> Mapping[str, str]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html"""
    return (
        {"ApiId": api.id or "", "Stage": api.stage}
        if api.kind == "http"
        else {"ApiName": api.name, "Stage": api.stage}
    )


def _usual(points: Points, now_s: float) -> float:
    """Requests a second of the hour before the last ten minutes; 0 where nothing was published."""
    earlier = [value / MINUTE for start, value in points if start <= now_s - QUIET_BEFORE_S]
    return median(earlier) if earlier else 0.0


def _newest(points: Points, now_s: float) -> float:
    """Requests a second in the busiest of the last ten minutes."""
    return max((value / MINUTE for start, value in points if start > now_s - QUIET_BEFORE_S), default=0.0)


REMEDIATOR = Remediator(
    name="request_quota",
    summary="Asks AWS for a higher quota where a quota keeps a surge from being served; never by itself.",
    kind="account",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
)
