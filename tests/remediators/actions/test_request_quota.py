"""Asking AWS for a higher quota: only where a quota is the limit, once, and never by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediators import flow
from remediators.actions.request_quota import REMEDIATOR, observe, plan
from remediators.quotas import QUOTAS, relevant
from remediators.watch import parameters
from sereno.model import Mode, Plan, Reason, Signal, Status, Target
from sereno.ports import Context
from sereno.service import Api, Function, Index, Objectives, Play, Service, Table

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
NAME = "request_quota"
ACCOUNT = Target("account", "123456789012", "eu-west-1", "123456789012")
READ = Target("function", "techmoda-read", "eu-west-1", "123456789012")


def context(normal=16.0, surge=9.0, tables=None, reason="", **params):
    play = Play("throttles", ((NAME,),), Mode.AUTO, params=params)
    service = Service(
        "techmoda",
        "123456789012",
        ("eu-west-1",),
        Objectives(surge=surge),
        apis={"catalogue": Api("catalogue", "techmoda-catalogue", "prod")},
        functions={
            "read": Function("read", "techmoda-read", "live", 120, normal),
            "write": Function("write", "techmoda-write", "live", 40, 2.6),
        },
        tables={"products": tables} if tables else {},
        playbook={"throttles": play},
    )
    name = "techmoda/read/throttles"
    signal = Signal(name, "escalation", name, "throttles", "ALARM", "", READ, NOON, reason)
    return Context(service, play, ACCOUNT, NOON, parameters(REMEDIATOR, play), signal)


def quota(value, adjustable=True):
    return {"value": float(value), "adjustable": adjustable}


def observation(
    told, concurrency=1000, others=0, reads=(0.0, 0.0), api=120.0, api_now=None, quotas=None, pending=None
):
    """`others` executions are reserved by others; `reads` percent of the account's capacity are used."""
    return {
        "quotas": {
            "L-B99A9384": quota(concurrency),
            "L-8A5B8E43": quota(10_000),
            "L-CF0CBE56": quota(40_000),
            "L-AB614373": quota(40_000),
            "L-34F6A552": quota(80_000),
            "L-34F8CCC8": quota(80_000),
            **(quotas or {}),
        },
        "pending": {one.setting: None for one in relevant(told.service)} | (pending or {}),
        "account_used": {"read": reads[0], "write": reads[1]},
        "limits": {"account_read": 80_000, "account_write": 80_000},
        "pool_peak": 0.0,
        "normal": {},
        "concurrency": concurrency,
        "unreserved": concurrency - 160 - others,
        "reserved": {"techmoda-read": 120, "techmoda-write": 40},
        "usual_requests": {"catalogue": api},
        "newest_requests": {"catalogue": api if api_now is None else api_now},
    }


def asked(answer):
    return [(step.do.params["QuotaCode"], step.after) for step in answer.steps]


PRODUCTS = Table(
    "products",
    "techmoda-products",
    "provisioned",
    300,
    50,
    66.0,
    10.0,
    {"by-category": Index("by-category", 150, 50, 33.0, 10.0)},
)


def test_no_quota_is_the_limit_of_techmoda():
    told = context(tables=PRODUCTS)
    verdict = plan(observation(told), told).verdict
    assert verdict.reason is Reason.NOTHING_TO_DO
    # read: 144 and eight times its root; write: 23.4 and the same; 100 must stay unreserved.
    assert "Lambda's concurrent executions: 403 of 1000" in verdict.detail
    # 1.4 x 9 x 66 for the table, 1.4 x 9 x 33 for its index.
    assert "read units of a DynamoDB table: 1248 of 40000" in verdict.detail
    assert "API Gateway's requests a second: 1512 of 10000" in verdict.detail


@pytest.mark.parametrize(
    ("told", "observed", "steps"),
    [
        ({"normal": 80.0}, {}, [("L-B99A9384", 1500.0)]),  # 1008 and 63 and 100, a quarter more, rounded up
        ({}, {"others": 700}, [("L-B99A9384", 1400.0)]),  # what strangers reserve is not there for us
        ({"normal": 800.0}, {}, [("L-B99A9384", 5000.0)]),  # 10,243 are needed; five times what there is
        ({"normal": 800.0, "quota_times": 20}, {}, [("L-B99A9384", 12_900.0)]),
        ({}, {"api": 800.0}, [("L-8A5B8E43", 12_600.0)]),  # 1.4 x 9 x 800
        ({}, {"api_now": 5000.0}, [("L-8A5B8E43", 15_700.0)]),  # 2.5 x what comes now
        ({"normal": 80.0}, {"api": 800.0}, [("L-B99A9384", 1500.0), ("L-8A5B8E43", 12_600.0)]),
    ],
)
def test_what_the_surge_needs_in_all_is_asked_for_with_a_margin(told, observed, steps):
    told = context(**told)
    answer = plan(observation(told, **observed), told)
    assert isinstance(answer, Plan), answer
    assert asked(answer) == steps
    assert not answer.is_lease, "it must never run by itself"


def test_a_table_and_all_tables_together_have_quotas_of_their_own():
    big = Table("products", "techmoda-products", "provisioned", 9000, 50, 3200.0, 10.0)
    told = context(tables=big)
    assert asked(plan(observation(told), told)) == [("L-CF0CBE56", 50_400.0)]
    # 90 % of 80,000 are in use, 9,000 of it by this table: 63,000 are others'.
    both = plan(observation(told, reads=(90.0, 0.0)), told)
    assert asked(both) == [("L-CF0CBE56", 50_400.0), ("L-34F6A552", 129_200.0)]


def test_the_reason_says_why_the_rung_before_could_not_help():
    told = context(normal=80.0, reason="raise_concurrency SKIPPED (NO_HEADROOM: room for 200, 1008 is needed)")
    answer = plan(observation(told), told)
    assert "Lambda's concurrent executions: 1171 are needed" in answer.reason
    assert "1000 are allowed" in answer.reason
    assert answer.reason.endswith("(raise_concurrency SKIPPED (NO_HEADROOM: room for 200, 1008 is needed))")


def test_a_quota_that_aws_does_not_raise_is_told():
    told = context(normal=80.0)
    verdict = plan(observation(told, quotas={"L-B99A9384": quota(1000, adjustable=False)}), told).verdict
    assert (verdict.reason, "AWS does not raise this quota" in verdict.detail) == (Reason.NO_HEADROOM, True)


def test_aws_is_not_asked_twice():
    told = context(normal=80.0)
    pending = {"request for Lambda's concurrent executions": 3000.0}
    verdict = plan(observation(told, pending=pending), told).verdict
    assert verdict.reason is Reason.NOTHING_TO_DO
    assert "asked for 3000 of Lambda's concurrent executions and has not answered yet" in verdict.detail


def test_only_quotas_that_the_service_can_meet_are_looked_at():
    service = Service("s", "123456789012", ("eu-west-1",), tables={"t": Table("t", "t")})
    told = Context(service, Play("x", ()), ACCOUNT, NOON, {})
    assert [one.code for one in relevant(told.service)] == ["L-CF0CBE56", "L-AB614373"]


@given(st.floats(0.1, 10_000), st.integers(200, 100_000), st.floats(1, 5), st.floats(1, 100))
def test_whatever_is_needed_more_than_there_is_is_asked_for_and_never_too_much(normal, concurrency, margin, times):
    told = context(normal=normal, quota_margin=margin, quota_times=times)
    answer = plan(observation(told, concurrency=concurrency), told)
    if isinstance(answer, Plan):
        for step in answer.steps:
            assert concurrency < step.after <= max(concurrency * times, concurrency + 1)


# -- on the embedded AWS


@dataclass
class ServiceQuotas:
    """Service Quotas with Lambda's value; moto knows the quotas of VPC alone."""

    concurrency: int
    requests: list = field(default_factory=list)

    def get_service_quota(self, **params):
        values = {"L-B99A9384": self.concurrency, "L-8A5B8E43": 10_000}
        return {"Quota": {**params, "Value": float(values.get(params["QuotaCode"], 40_000)), "Adjustable": True}}

    def list_requested_service_quota_change_history_by_quota(self, **params):
        found = [one for one in self.requests if one["QuotaCode"] == params["QuotaCode"]]
        start = int(params.get("NextToken", 0))
        page = {"RequestedQuotas": found[start : start + 1]}
        return {**page, "NextToken": str(start + 1)} if start + 1 < len(found) else page

    def request_service_quota_increase(self, **params):
        self.requests.append({**params, "Status": "PENDING"})
        return {"RequestedQuota": self.requests[-1]}


@pytest.fixture
def quotas(house, monkeypatch):
    """A house whose account has 400 executions, of which the read function's surge needs 240."""
    found, rest = ServiceQuotas(400), house.little.client
    monkeypatch.setattr(
        house.little, "client", lambda name, region=None: found if name == "service-quotas" else rest(name, region)
    )
    house.little.quota = 400
    plays = {"throttles": Play("throttles", (("raise_concurrency",), (NAME, "open_incident")), Mode.AUTO)}
    house.on(playbook=plays)
    return found


def test_a_request_waits_for_a_person_even_in_auto_and_is_then_made_once(house, quotas):
    remediation = flow.start(house.watch, house.signal("throttles"), NAME)
    assert remediation.status is Status.AWAITING_APPROVAL, remediation.detail
    assert (remediation.target.kind, quotas.requests) == ("account", [])
    house.watch.ledger.wish(remediation.id, "approve", "ana", house.clock.forward(60))
    house.rounds(1)
    assert house.get(remediation.id).status is Status.ESCALATED
    assert [(one["QuotaCode"], one["DesiredValue"]) for one in quotas.requests] == [("L-B99A9384", 600.0)]
    house.clock.forward(3600)
    again = flow.start(house.watch, house.signal("throttles"), NAME)
    assert (again.status, again.reason) == (Status.SKIPPED, Reason.NOTHING_TO_DO)
    assert "has not answered yet" in again.detail


def test_an_old_request_that_was_answered_does_not_count(house, quotas):
    quotas.requests += [
        {"QuotaCode": "L-B99A9384", "DesiredValue": 350.0, "Status": status} for status in ("DENIED", "APPROVED")
    ]
    assert flow.start(house.watch, house.signal("throttles"), NAME).status is Status.AWAITING_APPROVAL


def test_it_calls_nothing_that_its_role_does_not_allow(house, quotas):
    before = len(house.aws.calls)
    remediation = flow.start(house.watch, house.signal("throttles"), NAME)
    house.watch.ledger.wish(remediation.id, "approve", "ana", house.clock.forward(60))
    house.rounds(1)
    own = {call for call in house.aws.calls[before:] if not call.startswith(("dynamodb.", "sns.", "ssm."))}
    allowed = {permission.operation for permission in REMEDIATOR.permissions} | {"cloudwatch.describe_alarms"}
    assert own <= allowed
    assert "service-quotas.request_service_quota_increase" in own


def test_only_the_quotas_it_knows_may_be_asked_for():
    asking = [one for one in REMEDIATOR.permissions if one.operation.endswith("request_service_quota_increase")]
    assert sorted(one.resource.rpartition("/")[2] for one in asking) == sorted(quota.code for quota in QUOTAS)


def test_what_a_function_uses_of_the_pool_is_not_counted_beside_its_surge(house, quotas):
    """Without a reservation its use is in the pool's too: the surge of the same function stood twice in the need."""
    house.little.real.client("lambda").delete_function_concurrency(FunctionName="techmoda-read")
    house.metrics.minutes(
        house.clock,
        UnreservedConcurrentExecutions=200.0,
        **{"techmoda-read/ConcurrentExecutions": 180.0, "techmoda-write/ConcurrentExecutions": 30.0},
    )
    watch = house.watch
    play = watch.service.playbook["throttles"]
    seen = observe(watch.aws, Context(watch.service, play, ACCOUNT, NOON, parameters(REMEDIATOR, play)))
    assert seen["reserved"]["techmoda-read"] is None
    assert seen["pool_peak"] == 20.0, "the writes are reserved, and so not in the pool"
