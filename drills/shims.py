"""API calls that the embedded AWS cannot answer, answered here; each with the reason why.

They sit in botocore's own event system, in front of the embedded AWS: parameters are validated as for AWS, and the
caller cannot tell the difference. A call that is neither here nor in moto fails loudly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.embedded_lambda import LambdaRules
from deploy.embedded_throttling import exempt
from drills import lambda_shims, table_shims
from drills.metrics import MetricStore
from drills.quota_shims import Quotas, default_of
from sereno.model import Json

Answer = Callable[["Answers", Json], Json | None]


@dataclass
class Answers:
    """What the answers are drawn from: the world's metrics, the account's quota, OpsItems, the alarms that the drill
    rings (until it does, the embedded AWS tells of those deployed), and the world's tables (None: there are none)."""

    store: MetricStore
    clock: Callable[[], float]
    quota: int = 1000
    alarms: Callable[[], Json] | None = None
    ops_items: list[Json] = field(default_factory=list)
    tables: table_shims.Tables | None = None
    # Set by every call that may have changed a function's concurrency; who applies it to the world clears it.
    limits_touched: bool = True
    # Set by every call that may have changed a scalable target; Application Auto Scaling acts on it at once.
    targets_touched: bool = False
    # Set by every message published; who reads the mailbox clears it.
    published: bool = True
    # While this holds, SNS cannot be reached.
    topic_down: bool = False
    quotas: Quotas = field(init=False)
    functions: LambdaRules = field(init=False)

    def __post_init__(self) -> None:
        self.functions = lambda_shims.rules(self.clock, lambda: self.quota)
        self.quotas = Quotas(lambda: self.quota, self.clock)


@dataclass(frozen=True, slots=True)
class ApiShim:
    """One operation: who answers (None: the embedded AWS does), and why it cannot alone."""

    answer: Answer
    why: str


@dataclass(frozen=True, slots=True)
class Patch:
    """One operation whose answer is completed: by whom, and what the embedded AWS leaves out."""

    complete: Callable[[Answers, Json, Json], None]
    why: str


def get_account_settings(answers: Answers, _: Json) -> Json:
    """The account's quota, and what no function has reserved of it."""
    return lambda_shims.account_settings(answers.quota)


def check_reserved(answers: Answers, params: Json) -> None:
    """Refused where the account's unreserved concurrency would fall too low, else left to the embedded AWS."""
    answers.functions.check_reserved(params)


def describe_function(answers: Answers, params: Json, found: Json) -> None:
    """Functions that do not scale as others do say so."""
    found.get("Configuration", found).update(answers.functions.describe(params["FunctionName"]))


def get_metric_data(answers: Answers, params: Json) -> Json:
    """Series from the world's metrics, as far as they are visible now."""
    asked, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    results = []
    for query in params["MetricDataQueries"]:
        stat = query["MetricStat"]
        metric, period = stat["Metric"], stat["Period"]
        # CloudWatch begins at a multiple of the period.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
        start = asked - asked % period
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", ())}
        last = end - (end - start) % period if (end - start) >= period else end
        values = answers.store.read(
            metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"], period, start, last, answers.clock()
        )
        points = [(start + number * period, value) for number, value in enumerate(values) if value is not None]
        if params.get("ScanBy") != "TimestampAscending":
            points.reverse()
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label", metric["MetricName"]),
                "Timestamps": [datetime.fromtimestamp(moment, UTC) for moment, _ in points],
                "Values": [value for _, value in points],
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results}


def create_ops_item(answers: Answers, params: Json) -> Json:
    """A new OpsItem. (OpsCenter refuses a second open one with the same deduplication string; so does this.)"""
    from botocore.exceptions import ClientError

    dedup = params.get("OperationalData", {}).get("/aws/dedup", {}).get("Value")
    for item in answers.ops_items:
        if dedup and item["dedup"] == dedup and item["Status"] == "Open":
            error = {"Error": {"Code": "OpsItemAlreadyExistsException", "Message": item["OpsItemId"]}}
            raise ClientError(error, "CreateOpsItem")
    made = {
        "OpsItemId": f"oi-{len(answers.ops_items) + 1:012x}",
        "Title": params["Title"],
        "Source": params["Source"],
        "Status": "Open",
        "Severity": params.get("Severity", "3"),
        "CreatedTime": datetime.fromtimestamp(answers.clock(), UTC),
        "dedup": dedup,
    }
    answers.ops_items.append(made)
    return {"OpsItemId": made["OpsItemId"]}


def describe_ops_items(answers: Answers, params: Json) -> Json:
    """OpsItems by title and source."""
    found = answers.ops_items
    for one in params.get("OpsItemFilters", ()):
        if one["Key"] == "Title":
            found = [item for item in found if any(text in item["Title"] for text in one["Values"])]
        elif one["Key"] == "Source":
            found = [item for item in found if item["Source"] in one["Values"]]
    return {"OpsItemSummaries": [{key: value for key, value in item.items() if key != "dedup"} for item in found]}


def describe_alarms(answers: Answers, params: Json) -> Json | None:
    """The alarms as they stand, by all the filters given."""
    if answers.alarms is None:
        return None
    state, prefix, names = params.get("StateValue"), params.get("AlarmNamePrefix", ""), params.get("AlarmNames")
    return {
        kind: [
            one
            for one in found
            if (state is None or one["StateValue"] == state)
            and one["AlarmName"].startswith(prefix)
            and (names is None or one["AlarmName"] in names)
        ]
        for kind, found in answers.alarms().items()
    }


def update_table(answers: Answers, params: Json) -> Json | None:
    """A change that takes its time."""
    return answers.tables.update(params) if answers.tables else None


def describe_table(answers: Answers, params: Json, found: Json) -> None:
    """The change under way, and the day's decreases."""
    if answers.tables:
        answers.tables.describe(params, found)


ANSWERED: Mapping[str, ApiShim] = {
    "cloudwatch.DescribeAlarms": ApiShim(
        describe_alarms, "moto takes one filter where AWS takes all, and has no composite alarms"
    ),
    "lambda.GetAccountSettings": ApiShim(get_account_settings, "moto does not implement it"),
    "lambda.PutFunctionConcurrency": ApiShim(
        check_reserved, "moto leaves no executions unreserved; AWS refuses to leave less than a hundred"
    ),
    "lambda.PutProvisionedConcurrencyConfig": ApiShim(
        lambda answers, params: answers.functions.put(params), "moto does not implement it"
    ),
    "lambda.GetProvisionedConcurrencyConfig": ApiShim(
        lambda answers, params: answers.functions.get(params), "moto does not implement it"
    ),
    "lambda.DeleteProvisionedConcurrencyConfig": ApiShim(
        lambda answers, params: answers.functions.delete(params), "moto does not implement it"
    ),
    "cloudwatch.GetMetricData": ApiShim(
        get_metric_data, "moto stores what is put; the world's metrics appear late, and AWS/ namespaces take no puts"
    ),
    "dynamodb.DescribeLimits": ApiShim(
        lambda _, __: dict(table_shims.LIMITS), "moto answers the quotas of years ago, below what a table gets today"
    ),
    "dynamodb.UpdateTable": ApiShim(
        update_table, "moto's takes effect at once; AWS's takes 20 s to minutes, one at a time, decreases counted"
    ),
    "service-quotas.GetServiceQuota": ApiShim(
        lambda answers, params: answers.quotas.get(params), "moto knows the quotas of VPC alone"
    ),
    "service-quotas.GetAWSDefaultServiceQuota": ApiShim(
        lambda _, params: default_of(params), "moto does not implement it"
    ),
    "service-quotas.ListRequestedServiceQuotaChangeHistoryByQuota": ApiShim(
        lambda answers, params: answers.quotas.history(params), "moto does not implement it"
    ),
    "service-quotas.RequestServiceQuotaIncrease": ApiShim(
        lambda answers, params: answers.quotas.request(params), "moto does not implement it"
    ),
    "ssm.CreateOpsItem": ApiShim(create_ops_item, "moto has no OpsCenter"),
    "ssm.DescribeOpsItems": ApiShim(describe_ops_items, "moto has no OpsCenter"),
}

COMPLETED: Mapping[str, Patch] = {
    "lambda.GetFunction": Patch(describe_function, "moto knows no managed instances and no isolation of tenants"),
    "lambda.GetFunctionConfiguration": Patch(
        describe_function, "moto knows no managed instances and no isolation of tenants"
    ),
    "dynamodb.DescribeTable": Patch(
        describe_table, "moto's tables are always ACTIVE, and it counts no decreases of capacity"
    ),
}

LIMITS = (
    "PutFunctionConcurrency",
    "DeleteFunctionConcurrency",
    "PutProvisionedConcurrencyConfig",
    "DeleteProvisionedConcurrencyConfig",
)
TARGETS = ("RegisterScalableTarget", "DeregisterScalableTarget")


@contextmanager
def installed(answers: Answers) -> Iterator[None]:
    """While this holds, every botocore session made sees the shims."""
    from botocore import handlers

    added: list[tuple[Any, ...]] = []
    for name, shim in ANSWERED.items():
        added += [
            (f"before-parameter-build.{name}", _keep_params),
            (f"before-call.{name}", _answering(shim.answer, answers)),
        ]
    for name, patch in COMPLETED.items():
        added += [
            (f"before-parameter-build.{name}", _keep_params),
            (f"after-call.{name}", _completing(patch.complete, answers)),
        ]
    added.append(("before-call.sns.Publish", _unreachable(answers)))
    added.append(("after-call.sns.Publish", _marking(answers, "published")))
    added += [(f"after-call.lambda.{name}", _marking(answers, "limits_touched")) for name in LIMITS]
    added += [
        (f"after-call.application-auto-scaling.{name}", _marking(answers, "targets_touched")) for name in TARGETS
    ]
    handlers.BUILTIN_HANDLERS.extend(added)
    try:
        yield
    finally:
        for one in added:
            handlers.BUILTIN_HANDLERS.remove(one)


def _keep_params(params: Json, context: Json, **_: Any) -> None:
    context["drill_params"] = params


def _answering(answer: Answer, answers: Answers) -> Callable[..., Any]:
    def before_call(context: Json, **_: Any) -> Any:
        from botocore.exceptions import ClientError

        try:
            with exempt():
                found = answer(answers, context["drill_params"])
        except ClientError as error:
            # As an answer, so that the caller gets the exception that the service's model has for the code.
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            return _Http(status), {**error.response, "ResponseMetadata": {"HTTPStatusCode": status}}
        return None if found is None else (_Http(200), {**found, "ResponseMetadata": {"HTTPStatusCode": 200}})

    return before_call


def _unreachable(answers: Answers) -> Callable[..., None]:
    def before_call(**_: Any) -> None:
        if answers.topic_down:
            from botocore.exceptions import EndpointConnectionError

            raise EndpointConnectionError(endpoint_url="sns")

    return before_call


def _marking(answers: Answers, mark: str) -> Callable[..., None]:
    """Notes that a call was answered."""

    def after_call(**_: Any) -> None:
        setattr(answers, mark, True)

    return after_call


def _completing(complete: Callable[[Answers, Json, Json], None], answers: Answers) -> Callable[..., None]:
    def after_call(parsed: Json, context: Json, **_: Any) -> None:
        complete(answers, context["drill_params"], parsed)

    return after_call


class _Http:
    """The HTTP answer that botocore looks at."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int) -> None:
        self.status_code = status
