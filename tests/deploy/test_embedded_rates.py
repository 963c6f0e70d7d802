"""Every request rate of the embedded AWS: reached, refused as AWS refuses, and let through again in time."""

from dataclasses import replace

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker
from moto import mock_aws

from deploy.embedded_meter import KEPT_S, Meter, TokenBucket
from deploy.embedded_rates import LIMITS, SIZES, limit_of
from deploy.embedded_throttling import (
    Attempts,
    LimitedAws,
    OwnTime,
    Throttle,
    api_name,
    attempts_of,
    exempt,
    limited,
)
from remediators.clients import CONFIG, BotocoreAws

REGION = "eu-west-1"
NOON = 1_760_000_000.0


@pytest.fixture(scope="module")
def models():
    session = botocore.session.get_session()
    return {name: session.get_service_model(name) for name in {limit.service for limit in LIMITS}}


def example(limit, models):
    """An operation that counts against the limit."""
    if limit.operations:
        return limit.operations[0]
    return next(name for name in models[limit.service].operation_names if limit_of(limit.service, name) is limit)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_burst_passes_and_one_more_is_refused_until_the_rate_allows_it(limit, models):
    meter, operation = Meter(LIMITS), example(limit, models)

    def take(at, region=REGION):
        return meter.take(limit.service, operation, region, at)

    assert [take(NOON) for _ in range(int(limit.burst))] == [None] * int(limit.burst)
    assert take(NOON) is limit
    assert take(NOON + 0.9 / limit.rate) is limit
    assert take(NOON + 1.01 / limit.rate) is None
    assert (take(NOON, "us-east-1") is limit) == limit.everywhere


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_limit_names_what_aws_has(limit, models):
    for name in limit.operations:
        assert name in models[limit.service].operation_names
    assert limit.source.startswith("https://docs.aws.amazon.com/")
    # A client tries again by itself only after codes that it knows.
    assert limit.refusal.code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES
    model = models[limit.service]
    shapes = [shape for shape in model.error_shapes if shape.error_code == limit.refusal.code]
    for shape in shapes:
        assert set(limit.refusal.fields) <= set(shape.members)


def test_lambdas_control_plane_is_one_limit_for_all_apis_but_three_kinds():
    shared = limit_of("lambda", "PutFunctionConcurrency")
    assert shared is limit_of("lambda", "GetAccountSettings")
    assert shared.name == "lambda control plane"
    assert limit_of("lambda", "GetFunction").rate == 100
    assert limit_of("lambda", "GetPolicy").rate == 15
    assert limit_of("lambda", "Invoke") is None
    assert limit_of("dynamodb", "GetItem") is None
    assert limit_of("s3", "PutObject") is None


# -- buckets


def test_a_call_is_judged_as_of_its_own_moment_whatever_was_counted_before():
    """A drill runs one handler to its end and then another that began earlier."""
    bucket = TokenBucket(1, 2)
    assert all(bucket.take(moment) for moment in (10.0, 10.1))
    assert bucket.take(9.0)
    assert not bucket.take(10.2), "9.0, 10.0 and 10.1 took all"
    assert bucket.take(11.1)


def test_a_bucket_never_lets_more_through_than_burst_and_rate():
    bucket, passed = TokenBucket(3, 5), 0
    for tenth in range(20 * 60 * 10):
        passed += bucket.take(tenth / 10)
    assert 5 + 3 * 1200 - 1 <= passed <= 5 + 3 * 1200
    assert len(bucket._taken) <= 3 * KEPT_S + 5, "what is long past is not kept one by one"


# -- the SDK's attempts


def throttle(limits=LIMITS, draw=1.0, at=NOON):
    return Throttle(Meter(limits), OwnTime(lambda: at), lambda: draw)


def test_a_throttled_call_waits_as_the_sdk_does_and_passes():
    used = throttle()
    attempts = attempts_of(CONFIG, "cloudwatch")
    assert attempts == Attempts(3, "standard")
    for _ in range(3):
        used.meter.take("cloudwatch", "PutMetricAlarm", REGION, NOON)
    assert used.admit("cloudwatch", "PutMetricAlarm", REGION, {}, attempts) is None
    assert used.throttled == {"cloudwatch PutMetricAlarm": 1}
    assert not used.given_up
    assert used.time.now() - NOON == pytest.approx(1.06), "30 ms, a second's wait, 30 ms"


def test_a_call_gives_up_after_as_many_attempts_as_its_client_makes():
    used = throttle()
    attempts = Attempts(3, "standard")
    assert used.admit("dynamodb", "DescribeLimits", REGION, {}, attempts) is None
    refused = used.admit("dynamodb", "DescribeLimits", REGION, {}, attempts)
    assert refused.name == "dynamodb DescribeLimits"
    assert used.throttled == {"dynamodb DescribeLimits": 3}
    assert used.given_up == {"dynamodb DescribeLimits": 1}
    assert used.time.now() - NOON == pytest.approx(0.03 * 4 + 1 + 2)


@pytest.mark.parametrize(
    ("config", "service", "expected"),
    [
        (None, "lambda", Attempts(5, "legacy")),
        (None, "dynamodb", Attempts(10, "legacy")),
        (Config(retries={"mode": "standard"}), "dynamodb", Attempts(3, "standard")),
        (Config(retries={"mode": "standard", "total_max_attempts": 2}), "sns", Attempts(2, "standard")),
        (Config(retries={"mode": "adaptive", "total_max_attempts": 4}), "sns", Attempts(4, "adaptive")),
    ],
)
def test_attempts_are_those_of_the_client(config, service, expected):
    assert attempts_of(config, service) == expected


def test_standard_mode_waits_twenty_seconds_at_most():
    assert [Attempts(9, "standard").backoff(failed, 1.0) for failed in (1, 2, 5, 6, 8)] == [1, 2, 16, 20, 20]


# -- in botocore


@pytest.fixture
def aws():
    with mock_aws(config={"lambda": {"use_docker": False}}), limited(throttle()) as used:
        yield used, BotocoreAws(REGION)


def test_a_caller_gets_what_aws_answers(aws):
    used, port = aws
    client = port.client("lambda")
    client.list_functions()
    used.meter = Meter(LIMITS)
    for _ in range(200):
        used.meter.take("lambda", "ListFunctions", REGION, used.time.now() + 60)
    used.time.wait(60)
    # Nothing comes back into the bucket between the attempts of a client that waits no time.
    used.draw = lambda: 0.0
    with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
        client.list_functions()
    assert refused.value.response["retryAfterSeconds"] == "1"
    assert refused.value.response["Reason"] == "CallerRateLimitExceeded"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_no_shim_answers_before_the_throttle(aws):
    """Handlers of one operation run after those of a wildcard; else shims would never be metered."""
    used, _ = aws
    client = boto3.Session().client("service-quotas", region_name=REGION, config=CONFIG)
    answered = []
    client.meta.events.register(
        "before-call.service-quotas.GetServiceQuota",
        lambda **_: answered.append(1) or (type("Http", (), {"status_code": 200})(), {"ResponseMetadata": {}}),
    )
    asked = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}
    used.meter = Meter((replace(limit_of("service-quotas", "GetServiceQuota"), rate=0.01, burst=2),))
    for _ in range(2):
        client.get_service_quota(**asked)
    assert len(answered) == 2
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.get_service_quota(**asked)


def test_calls_that_aws_makes_itself_are_not_counted(aws):
    used, port = aws
    with exempt():
        for _ in range(40):
            port.client("lambda").list_functions()
    assert not used.calls
    assert used.time.now() == NOON


def test_without_a_throttle_nothing_is_counted():
    used = throttle()
    with mock_aws(), limited(used):
        client = BotocoreAws(REGION).client("sns")
        client.list_topics()
    with mock_aws(), limited(throttle()):
        client.list_topics()
    assert used.calls == {"sns.ListTopics": 1}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_a_request_that_is_too_large_is_refused_whatever_the_rate(aws, size):
    _, port = aws
    client = port.client("cloudwatch")

    def send(number):
        if size.operation == "GetMetricData":
            stat = {"Metric": {"Namespace": "Shop", "MetricName": "Sold"}, "Period": 60, "Stat": "Sum"}
            queries = [{"Id": f"q{one}", "MetricStat": stat} for one in range(number)]
            client.get_metric_data(MetricDataQueries=queries, StartTime=NOON - 60, EndTime=NOON)
        elif size.path[-1] == "Values":
            values = [float(one) for one in range(number)]
            client.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Sold", "Values": values}])
        else:
            data = [{"MetricName": "Sold", "Value": 1.0}] * number
            client.put_metric_data(Namespace="Shop", MetricData=data)

    send(size.most)
    with pytest.raises(ClientError) as refused:
        send(size.most + 1)
    assert refused.value.response["Error"]["Code"] == size.refusal.code
    assert str(size.most) in str(refused.value)


# -- in front of fakes


class Fake:
    def client(self, service, region=None):
        return self

    def describe_limits(self):
        return {"AccountMaxReadCapacityUnits": 80_000}


def test_a_fake_behind_the_port_is_throttled_too():
    used = throttle()
    port = LimitedAws(Fake(), used, REGION, Attempts(3, "standard"))
    assert port.client("dynamodb").describe_limits()
    with pytest.raises(ClientError) as refused:
        port.client("dynamodb").describe_limits()
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    assert port.client("dynamodb", "us-east-1").describe_limits(), "another Region has its own"


def test_boto3s_methods_are_aws_operations(models):
    from botocore import xform_name

    for service, model in models.items():
        for name in model.operation_names:
            if limit_of(service, name) and limit_of(service, name).operations:
                assert api_name(xform_name(name)) == name, service


def test_the_page_lists_every_limit_with_its_source():
    from console import docs_embedded

    page = docs_embedded.render()
    for limit in (*LIMITS, *SIZES):
        (row,) = [line for line in page.splitlines() if line.startswith((f"| {limit.name} |", f"| {limit.name} ("))]
        assert limit.source in row
        assert limit.refusal.code in row
