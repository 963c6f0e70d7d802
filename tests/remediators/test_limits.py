"""What AWS allows the account is read once an hour, kept, and never in the way of a remediation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from remediators import evidence, flow, limits, readiness, round
from remediators.actions.request_quota import REMEDIATOR as REQUEST_QUOTA
from remediators.limits import Limits
from remediators.quotas import ACCOUNT, CONCURRENCY, QuotaValue
from remediators.watch import parameters
from sereno.model import Mode, Target
from sereno.ports import Context
from sereno.service import Play, Table

BUSY = ClientError({"Error": {"Code": "ThrottlingException", "Message": "once a minute"}}, "DescribeLimits")
NONE_APPLIED = ClientError({"Error": {"Code": "NoSuchResourceException", "Message": "none"}}, "GetServiceQuota")
PRODUCTS = Table("products", "techmoda-products", "provisioned", 300, 50, 66.0, 10.0)


class ServiceQuotas:
    """An account in which nobody ever changed a quota: AWS has defaults for it, and no applied values."""

    def __init__(self):
        self.asked = []

    def get_service_quota(self, **params):
        self.asked.append(("applied", params["QuotaCode"]))
        raise NONE_APPLIED

    def get_aws_default_service_quota(self, **params):
        self.asked.append(("default", params["QuotaCode"]))
        return {"Quota": {**params, "Value": 1000.0, "Adjustable": True}}

    def list_requested_service_quota_change_history_by_quota(self, **_):
        return {"RequestedQuotas": []}


@pytest.fixture
def counted(house, make_products):
    """A house with a provisioned table, whose calls of DescribeLimits are counted."""
    make_products("PROVISIONED")
    return house


def asked(house):
    return house.aws.calls.count("dynamodb.describe_limits")


def minutes(house, count):
    """So many reconcilers, from the next whole minute on."""
    for _ in range(count):
        house.clock.forward(60)
        round.make(house.watch)


def test_in_a_day_the_reconciler_asks_once_an_hour_at_the_services_own_minute(counted):
    at = []
    counted.aws.before = lambda number, label: (
        at.append(counted.clock.now()) if label == "dynamodb.describe_limits" else None
    )
    minutes(counted, 3 * 60)
    assert len(at) == 3
    assert {moment.minute for moment in at[1:]} == {at[0].minute}
    assert (at[0].minute - limits.minute_of(counted.watch.service)) % limits.RETRY_MINUTES == 0


def test_services_of_one_account_read_at_minutes_of_their_own(counted):
    service = counted.watch.service
    taken = {limits.minute_of(replace(service, name=f"service-{number}")) for number in range(200)}
    assert len(taken) == 60


def test_neither_a_raise_nor_a_self_test_asks_for_the_limits(counted, monkeypatch):
    monkeypatch.setattr(readiness, "_rights", lambda *_: iter(()))
    flow.start(counted.watch, counted.signal("read-throttles", "products"), "raise_capacity")
    readiness.run(counted.watch, "raise_capacity")
    assert asked(counted) == 0


@pytest.mark.parametrize("error", [BUSY, EndpointConnectionError(endpoint_url="x")])
def test_a_reading_that_fails_keeps_the_last_value_and_is_tried_again_ten_minutes_later(counted, error):
    limits.refresh(counted.watch)
    known = limits.of(counted.aws, counted.watch.service)
    counted.clock.forward(3600)
    counted.aws.before = lambda number, label: error if label == "dynamodb.describe_limits" else None
    assert limits.refresh(counted.watch) == ("capacity",)
    assert limits.of(counted.aws, counted.watch.service) == known
    counted.aws.before = None
    counted.clock.forward(600)
    assert limits.refresh(counted.watch) == ()
    assert limits.of(counted.aws, counted.watch.service).read_at["capacity"] == counted.clock.now()


def test_a_throttled_reading_never_blocks_a_raise(counted):
    counted.aws.before = lambda number, label: BUSY if label == "dynamodb.describe_limits" else None
    limits.refresh(counted.watch)
    remediation = flow.start(counted.watch, counted.signal("read-throttles", "products"), "raise_capacity")
    assert str(remediation.status) == "VERIFYING"


def test_a_raise_is_held_against_what_was_read_last(counted):
    known = Limits(
        {**limits.DEFAULTS, "table_read": 450, "table_write": 100}, read_at={"capacity": counted.clock.now()}
    )
    counted.little.real.client("dynamodb").put_item(
        TableName=evidence.table_of(counted.watch.service), Item=known.to_item()
    )
    remediation = flow.start(counted.watch, counted.signal("read-throttles", "products"), "raise_capacity")
    assert str(remediation.reason) == "NO_HEADROOM"
    assert "the table's quota of 450" in remediation.detail


def test_a_row_that_cannot_be_read_leaves_awss_defaults(counted):
    counted.little.real.client("dynamodb").put_item(
        TableName=evidence.table_of(counted.watch.service),
        Item={"pk": {"S": "LIMITS"}, "sk": {"S": "account"}, "doc": {"S": "{"}},
    )
    assert limits.of(counted.aws, counted.watch.service) == Limits()


def test_the_row_survives_its_way_through_the_ledger():
    known = Limits(
        {**limits.DEFAULTS, "account_read": 12},
        {CONCURRENCY.code: QuotaValue(1500.0, False)},
    )
    assert Limits.from_item(known.to_item()) == known


def test_deployment_writes_the_first_row_and_never_over_a_newer_one(counted):
    service, now = counted.watch.service, counted.clock.now()
    assert limits.seed(counted.aws, service, now) == ()
    assert limits.of(counted.aws, service).read_at == {"capacity": now}
    counted.clock.forward(24 * 3600)
    assert limits.seed(counted.aws, service, counted.clock.now()) == ()
    assert limits.of(counted.aws, service).read_at == {"capacity": now}


# -- quotas


def with_request(house):
    """The service may ask for quotas; Service Quotas as of an account that never changed one."""
    quotas = ServiceQuotas()
    house.on(
        playbook={"throttles": Play("throttles", (("request_quota",),), Mode.AUTO)}, tables={"products": PRODUCTS}
    )
    real = house.aws.client
    clients = {"service-quotas": quotas}

    class Aws:
        def client(self, service, region=None):
            return clients.get(service) or real(service, region)

    return Aws(), quotas


def test_a_quota_without_an_applied_value_has_awss_default(house):
    aws, quotas = with_request(house)
    limits.refresh(replace(house.watch, aws=aws))
    known = limits.of(house.aws, house.watch.service)
    assert known.quotas[CONCURRENCY.code] == QuotaValue(1000.0, True)
    assert ("default", CONCURRENCY.code) in quotas.asked
    before = list(quotas.asked)
    limits.refresh(replace(house.watch, aws=aws))
    assert quotas.asked == before, "read once an hour"


def test_asking_for_a_quota_takes_its_value_from_the_ledger_and_what_is_not_there_from_aws(house, monkeypatch):
    aws, quotas = with_request(house)
    service = house.watch.service
    target = Target("account", service.account, service.region, service.account)
    play = service.playbook["throttles"]
    context = Context(service, play, target, house.clock.now(), parameters(REQUEST_QUOTA, play))
    observed = REQUEST_QUOTA.observe(aws, context)
    assert observed["quotas"][CONCURRENCY.code] == {"value": 1000.0, "adjustable": True}
    limits.refresh(replace(house.watch, aws=aws))
    quotas.asked.clear()
    observed = REQUEST_QUOTA.observe(aws, context)
    assert quotas.asked == []
    assert observed["limits"]["account_read"] == int(ACCOUNT["read"].default)


def test_a_right_to_read_quotas_that_is_missing_shows(house, monkeypatch):
    aws, quotas = with_request(house)
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetServiceQuota")

    def refuse(**_):
        raise denied

    monkeypatch.setattr(quotas, "get_service_quota", refuse)
    monkeypatch.setattr(readiness, "_rights", lambda *_: iter(()))
    readiness.run(replace(house.watch, aws=aws), "request_quota")
    (found,) = readiness.read(house.books)
    assert [proof.ok for proof in found.proofs] == [False]


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"])
def test_a_self_test_that_aws_throttles_proves_nothing_and_raises_no_alarm(house, monkeypatch, code):
    monkeypatch.setattr(readiness, "_rights", lambda *_: iter(()))
    busy = ClientError({"Error": {"Code": code, "Message": "slow down"}}, "GetFunction")
    house.aws.before = lambda number, label: busy if label == "lambda.get_function" else None
    assert readiness.run(house.watch, "raise_concurrency")["ready"] is True
    (found,) = readiness.read(house.books)
    assert {proof.ok for proof in found.proofs} == {None}
    assert code in found.proofs[0].detail
    assert house.telemetry.total("NotReady") == 0
