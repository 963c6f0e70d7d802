"""The page of the embedded AWS: what answers instead of moto and why, and what a drill assumes about AWS.

The numbers are read from the code that uses them, so that the page cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.docs_pages import cell
from deploy.embedded_shims import SHIMS
from drills import bell, clients, engine, harvest, judge, lambda_model, metrics, publishing, shims, world

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
* DynamoDB: the catalogue's table is created, but it has neither load nor limits here.
* API Gateway's account throttle, other accounts' load, and outages of AWS itself.
"""
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/"
_MONITORING = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"


def render() -> str:
    """The page, in Markdown."""
    return "\n".join([INTRODUCTION, *_resources(), *_calls(), *_assumptions(), LIMITS])


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
    yield ""


def _assumptions() -> Iterator[str]:
    yield "## What a drill assumes\n"
    yield "| what | value | where it comes from |\n|---|---|---|"
    for what, value, source in (*_events(), *_metrics(), *_lambda()):
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
        f"{bell.LEAD}",
        "how far back CloudWatch reads is not published; DIFF(DIFF()) needs two",
    )
    yield (
        "percentiles",
        f"from buckets that grow by {(metrics.GROWTH - 1) * 100:g} %",
        f"within {(metrics.GROWTH - 1) * 50:.2g} % of the true sample",
    )


def _lambda() -> Iterator[tuple[str, str, str]]:
    yield (
        "arrivals",
        f"Poisson, in steps of {lambda_model.STEP_MS:g} ms; durations lognormal",
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
