"""The page of the embedded AWS: what answers instead of moto and why, and what a drill assumes about AWS.

The numbers are read from the code that uses them, so that the page cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Iterator

from alarms.assumptions import NAMED, USUAL
from console.docs_pages import cell
from deploy import embedded_lambda, embedded_limits, embedded_rates
from deploy.embedded_rates import RateLimit
from deploy.embedded_shims import SHIMS
from deploy.embedded_throttling import CALL_S, DATA_PLANE_S, attempts_of
from drills import (
    auto_scaling,
    bell,
    clients,
    engine,
    harvest,
    judge,
    lambda_model,
    metrics,
    publishing,
    shims,
    steps,
    table_model,
    table_shims,
    table_stage,
    table_state,
    table_updates,
    world,
)
from remediators.clients import CONFIG

ATTEMPTS = attempts_of(CONFIG, "any").most
INTRODUCTION = """\
# The embedded AWS

A drill and most tests run against an AWS in the same process: [moto](https://docs.getmoto.org) behind boto3, as any
caller would meet it, with its clock moved by the drill. No call leaves the machine. What moto cannot do is done by
the small functions listed here (*shims*), each with the reason why it is there. A type or a call that neither moto
nor a shim knows fails loudly; nothing is left out in silence.

The alarms of a drill are the deployed ones, evaluated by Sereno's own evaluator; the handlers are the deployed ones
too, run under the environment that the template gives them. The traffic, Lambda's limits and the metrics are a model,
told below with its numbers.
"""
LIMITS = """\
## What a drill does not show

* That the packaged zip starts in Lambda: handlers run from the source, with modelled cold starts.
* That the IAM roles suffice: moto does not hold calls against policies.
* What is in a table: calls take capacity and are throttled, but no item is read. Global tables, streams and backups
  are not rehearsed here.
* Outages of AWS itself, other than DynamoDB's errors that a scenario asks for.
* An answer to a request for a higher quota: it stays open to the drill's end.
"""
STRICTNESS = f"""\
## As strict as AWS

Whoever calls an embedded account, in a drill or in a test, meets the request rates that AWS documents. Each is a
token bucket for the account and Region on the virtual clock. A call takes virtual time ({CALL_S * 1000:g} ms; of
items in DynamoDB {DATA_PLANE_S["dynamodb"] * 1000:g} ms: an assumption), so the calls of reconcilers that begin
together do not fall on one moment. A throttled call is tried again in virtual time as often as its client is
configured to (Sereno's: {ATTEMPTS} attempts in all, exponential backoff with full jitter), and then fails with AWS's
error. The SDK's own retry quota is not modelled. CloudFormation's own calls are exempt. The emulator of the proof
enforces patterns and sizes only.
"""
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/"
_TABLES = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_MONITORING = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"


def render() -> str:
    """The page, in Markdown."""
    return "\n".join([INTRODUCTION, *_resources(), *_calls(), *_strictness(), *_assumptions(), LIMITS])


def _resources() -> Iterator[str]:
    yield "## CloudFormation types with a shim\n\n| type | why |\n|---|---|"
    for kind, shim in sorted(SHIMS.items()):
        yield f"| `{kind}` | {cell(shim.why)} |"
    yield "\nOther types are created by moto's own CloudFormation.\n"


def _calls() -> Iterator[str]:
    yield "## API calls with a shim\n"
    yield "They sit in botocore's event system, behind its parameter validation and before the network.\n"
    yield "| call | why moto does not answer it |\n|---|---|"
    for name, shim in sorted(shims.ANSWERED.items()):
        yield f"| `{name}` | {cell(shim.why)} |"
    yield "\nThese moto answers, and its answer is completed:\n"
    yield "| call | what is missing |\n|---|---|"
    for name, patch in sorted(shims.COMPLETED.items()):
        yield f"| `{name}` | {cell(patch.why)} |"
    yield ""


def _strictness() -> Iterator[str]:
    yield f"{STRICTNESS}\n| limit | calls | a second | burst | answer | source |\n|---|---|---|---|---|---|"
    for one in embedded_rates.LIMITS:
        called = ", ".join(one.operations) or f"{_rest(one)} together{_without(one.service)}"
        scope = " (all Regions together)" if one.everywhere else ""
        rate = "1 a minute" if one.rate < 1 else f"{one.rate:g}"
        refused = f"`{one.refusal.code}`, HTTP {one.refusal.status}"
        yield f"| {one.name}{scope} | {cell(called)} | {rate} | {one.burst:g} | {refused} | {one.source} |"
    yield "\nRequests that are too large are refused whatever the rate:\n"
    yield "| limit | most | answer | source |\n|---|---|---|---|"
    for size in embedded_rates.SIZES:
        yield f"| {size.name} | {size.most:,} | `{size.refusal.code}` | {size.source} |"
    yield "\nWhat takes time, is refused, or has no answer:\n"
    yield "| what | how it is here | source |\n|---|---|---|"
    for what, how, source in _states():
        yield f"| {cell(what)} | {cell(how)} | {source} |"
    yield ""


def _rest(limit: RateLimit) -> str:
    named = any(one.operations for one in embedded_rates.LIMITS if one.service == limit.service)
    return f"all others of {limit.service}" if named else f"all of {limit.service}"


def _without(service: str) -> str:
    exempt = embedded_rates.EXEMPT.get(service, ())
    return f" (but {', '.join(exempt)})" if exempt else ""


def _states() -> Iterator[tuple[str, str, str]]:
    yield (
        "an UpdateTable while the table is UPDATING",
        "`ResourceInUseException`; a table takes one change at a time",
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html",
    )
    yield (
        "provisioned concurrency",
        f"IN_PROGRESS, then READY or FAILED with its reason; allocated from {embedded_lambda.BEGINS_S:g} s to "
        f"{embedded_lambda.ENDS_S:g} s after the call, available {embedded_lambda.AVAILABLE_S:g} s later",
        "https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html",
    )
    yield (
        "executions that stay unreserved",
        f"`InvalidParameterValueException` where less than {embedded_lambda.UNRESERVED_FLOOR} would be left",
        "https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html",
    )
    yield (
        "functions on Managed Instances, functions with tenant isolation",
        "the first take no reserved concurrency, neither takes provisioned concurrency: "
        "`InvalidParameterValueException`; GetFunction tells the kind",
        "https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionScalingConfig.html",
    )
    yield (
        "a quota that nobody changed for the account",
        "GetServiceQuota answers `NoSuchResourceException`; the default comes from GetAWSDefaultServiceQuota",
        "https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html",
    )
    yield (
        "a global table in provisioned mode",
        "minimum, maximum and target of its writes are one for all Regions, the write capacity is each Region's own; "
        "UpdateTable sets no writes; DescribeTable tells the replicas",
        "https://docs.aws.amazon.com/prescriptive-guidance/latest/dynamodb-global-tables/throughput.html",
    )
    inline, managed = embedded_limits.INLINE_LIMIT, embedded_limits.MANAGED_LIMIT
    yield (
        "policies of a role",
        f"refused above {inline:,} characters inline, {managed:,} in a managed policy, "
        f"{embedded_limits.ATTACHED_LIMIT} managed policies",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    )
    yield (
        "event patterns",
        f"refused above {embedded_limits.PATTERN_LIMIT:,} characters, and above a wildcard complexity of "
        f"{embedded_limits.COMPLEXITY_LIMIT}",
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html",
    )


def _assumptions() -> Iterator[str]:
    yield "## What a drill assumes\n"
    yield "| what | value | where it comes from |\n|---|---|---|"
    for what, value, source in (*_events(), *_metrics(), *_lambda(), *_tables(), *_account()):
        yield f"| {cell(what)} | {cell(value)} | {cell(source)} |"
    yield ""


def _span(span: tuple[float, float]) -> str:
    return f"{span[0]:g} to {span[1]:g} s"


def _events() -> Iterator[tuple[str, str, str]]:
    yield (
        "from an alarm's state change over EventBridge to a running function",
        _span(engine.DELIVERY_S),
        "AWS says near real time and gives no number; the order is that of IngestionToInvocationStartLatency",
    )
    yield (
        "run of one of Sereno's functions, first and later",
        f"{_span(engine.COLD_S)}; {_span(engine.WARM_S)}; cold again after {engine.IDLE_S:g} s",
        "the order of a packaged Python function of this size; an assumption",
    )
    tries = " and ".join(f"{one:g} s" for one in engine.TRY_AGAIN_S)
    yield "a failed invocation is tried again", f"after {tries}", f"{_GUIDE}invocation-async-error-handling.html"
    yield (
        "a change of concurrency takes effect",
        f"after {engine.EFFECT_S:g} s",
        "no number is published; PutFunctionConcurrency answers at once, so a second is assumed",
    )
    yield "concurrent executions of the account", f"{engine.QUOTA:,}", f"{_GUIDE}gettingstarted-limits.html"


def _metrics() -> Iterator[tuple[str, str, str]]:
    yield (
        "a minute's datapoint is visible after the minute's end",
        f"{_span(publishing.DELAY_S)}, each metric for itself",
        "no number is published; minutely metrics are seen to be up to about a minute late",
    )
    yield (
        "the application's 10-second metric is visible",
        f"after {_span(publishing.FAST_DELAY_S)}",
        "embedded metric format goes through the log; an assumption",
    )
    yield (
        "an alarm is evaluated",
        f"once in {bell.MINUTE:g} s, at a second of its own drawn from the seed; every 10 s with a period under 60 s",
        f"{_MONITORING}alarm-evaluation.html; at which second is not published",
    )
    yield (
        "datapoints that a metric-math alarm reads before its evaluation range",
        f"{USUAL.lead}",
        "how far back CloudWatch reads is not published; no alarm of a pack depends on it (docs/alarms.md)",
    )
    for name, assume in NAMED.items():
        if assume.text:
            yield (f"with `--assume {name}`", assume.text, "what CloudWatch leaves open: alarms/assumptions.py")
    yield (
        "percentiles",
        f"from buckets that grow by {(metrics.GROWTH - 1) * 100:g} %",
        f"within {(metrics.GROWTH - 1) * 50:.2g} % of the true sample",
    )


def _lambda() -> Iterator[tuple[str, str, str]]:
    yield (
        "arrivals",
        f"Poisson, in steps of {steps.STEP_MS:g} ms; durations lognormal",
        "independent callers; means and spread are the scenario's",
    )
    yield (
        "new execution environments of one function",
        "1,000 in 10 s",
        f"{_GUIDE}lambda-concurrency.html (scaling rate)",
    )
    yield (
        "requests a second of one function",
        f"{lambda_model.REQUESTS_EACH_SECOND_AND_SLOT} times its concurrency",
        f"{_GUIDE}gettingstarted-limits.html",
    )
    yield (
        "an idle environment is kept",
        f"{lambda_model.IDLE_KEPT_BINS * 10} s",
        "not published; observations lie between 5 and 15 minutes",
    )
    yield (
        "provisioned concurrency is there",
        f"{world.PROVISIONING_S:g} s after it is asked for",
        f"{_GUIDE}provisioned-concurrency.html (a minute or two)",
    )
    invoke, gateway, throttled = harvest.INVOKE_MS, harvest.GATEWAY_MS, harvest.THROTTLED_MS
    yield (
        "time beside the function's own",
        f"invoke {invoke:g} ms, API Gateway {gateway:g} ms, a throttle {throttled:g} ms",
        "of the order that traces show; an assumption",
    )
    yield (
        "clients",
        f"{clients.MAX_RETRIES} retries, after up to {clients.FIRST_BACKOFF_S:g} and {clients.SECOND_BACKOFF_S:g} s",
        "the standard retry mode of the AWS SDKs: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    )
    yield (
        "trouble is over",
        f"after {judge.QUIET_S:g} s without a failed attempt",
        "Sereno's own definition, for `recovered-within`",
    )


def _tables() -> Iterator[tuple[str, str, str]]:
    yield (
        "one partition of a table takes",
        ", ".join(f"{units:,.0f} {kind} units a second" for kind, units in table_model.PARTITION_LIMIT.items()),
        f"{_TABLES}throttling-key-range-limit-exceeded-mitigation.html",
    )
    yield (
        "unused capacity is kept for a burst",
        f"of {table_state.BURST_S:g} s at most",
        f"{_TABLES}burst-adaptive-capacity.html",
    )
    yield (
        "a change of a table's capacity takes",
        f"{_span(table_updates.TAKES_S)}, drawn for each; meanwhile the old value holds; a table takes one at a time",
        f"{_TABLES}metrics-dimensions.html says 20 seconds to several minutes",
    )
    yield (
        "decreases of a table or an index on one day (UTC)",
        f"{table_updates.AT_ONCE} within an hour of the first, one after each hour without any, "
        f"{table_updates.MOST_A_DAY} in all",
        f"{_TABLES}ServiceQuotas.html",
    )
    yield (
        "DynamoDB's auto scaling, with Sereno and without",
        f"scales out after {auto_scaling.HIGH_MINUTES} minutes above its target, in after {auto_scaling.LOW_MINUTES} "
        f"more than {auto_scaling.LOW_POINTS * 100:g} points below it; it sees metrics as late as everybody",
        "https://repost.aws/knowledge-center/dynamodb-auto-scaling; an assumption: what it changes of a table at one "
        "moment is one UpdateTable",
    )
    yield (
        "a higher minimum of a scalable target is followed",
        f"after {table_stage.FOLLOWS_S:g} s by an UpdateTable",
        "at once: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html",
    )


def _account() -> Iterator[tuple[str, str, str]]:
    limits = ", ".join(f"{name} {value:,}" for name, value in table_shims.LIMITS.items())
    yield "quotas that DescribeLimits answers", limits, f"{_TABLES}ServiceQuotas.html"
    yield (
        "requests a second of all APIs of the account",
        "10,000 with bursts of 5,000, unless the scenario says otherwise; what is over is answered 429",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
    )
    yield (
        "one of Sereno's functions that reserved nothing finds no place",
        f"it is tried again after {engine.THROTTLED_S[0]:g} s, then ever later, up to {engine.THROTTLED_S[1]:g} s",
        f"{_GUIDE}invocation-async-error-handling.html",
    )
