"""Every few minutes each remediator proves that it could act, and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from deploy.iam import ACTIONS
from remediators import handler, readiness, registry
from remediators.actions._switch import RECORDS
from remediators.readiness import Proof, Readiness, action_of, summary, turn
from sereno.model import Target
from sereno.service import Function, Recovery

NAME = "raise_concurrency"
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetFunction")


class Iam:
    """IAM and STS that say what a role may do."""

    def __init__(self, *refused):
        self.refused, self.asked = refused, []

    def get_caller_identity(self):
        return {"Arn": "arn:aws:sts::123456789012:assumed-role/sereno-techmoda-Raise-1/raise"}

    def simulate_principal_policy(self, **asked):
        self.asked.append(asked)
        (action,) = asked["ActionNames"]
        decision = "implicitDeny" if action in self.refused else "allowed"
        results = [{"EvalResourceName": arn, "EvalDecision": decision} for arn in asked["ResourceArns"]]
        return {"EvaluationResults": results}


@pytest.fixture
def tested(house, monkeypatch):
    """One self-test with an IAM that refuses these actions; what it proved."""

    def run(*refused, name=NAME, iam=None):
        iam = iam or Iam(*refused)
        real = house.aws.client
        monkeypatch.setattr(
            type(house.aws),
            "client",
            lambda self, service, region=None: iam if service in ("iam", "sts") else real(service, region),
        )
        readiness.run(house.watch, name)
        monkeypatch.undo()
        (found,) = readiness.read(house.books)
        return found, iam

    return run


def test_a_remediator_that_may_and_can_is_ready_and_nothing_was_changed(house, tested):
    found, iam = tested()
    assert found.ok
    assert [proof.what for proof in found.proofs] == [
        "look at techmoda-read",
        "look at techmoda-write",
        "may lambda:PutFunctionConcurrency",
        "may lambda:DeleteFunctionConcurrency",
        "may lambda:PutProvisionedConcurrencyConfig",
        "may application-autoscaling:RegisterScalableTarget",
    ]
    assert iam.asked[0]["PolicySourceArn"] == "arn:aws:iam::123456789012:role/sereno-techmoda-Raise-1"
    assert iam.asked[0]["ResourceArns"] == [
        "arn:aws:lambda:eu-west-1:123456789012:function:techmoda-read",
        "arn:aws:lambda:eu-west-1:123456789012:function:techmoda-write",
    ]
    changing = ("put_", "update_", "delete_", "register_", "create_", "publish", "transact")
    done = [call for call in house.aws.calls if call.split(".")[1].startswith(changing)]
    assert done == ["dynamodb.put_item"], "only what was proved is written down"
    assert house.all() == []


def test_a_right_that_somebody_took_away_is_named(house, tested):
    found, _ = tested("lambda:PutFunctionConcurrency")
    assert not found.ok
    (wanting,) = [proof for proof in found.proofs if proof.ok is False]
    assert wanting.what == "may lambda:PutFunctionConcurrency"
    assert "function:techmoda-read" in wanting.detail
    assert house.telemetry.total("NotReady") == 1


def test_iam_is_asked_under_the_conditions_that_the_call_will_meet(house, tested):
    _, iam = tested()
    asked = {one["ActionNames"][0]: one["ContextEntries"] for one in iam.asked}
    assert asked["lambda:PutFunctionConcurrency"] == []
    given = {one["ContextKeyName"]: one for one in asked["application-autoscaling:RegisterScalableTarget"]}
    assert given["application-autoscaling:service-namespace"]["ContextKeyValues"] == ["lambda"]
    dimension = given["application-autoscaling:scalable-dimension"]
    assert dimension["ContextKeyValues"] == ["lambda:function:ProvisionedConcurrency"]
    recovery = Recovery(
        "eu-west-1", "eu-central-1", "eu-north-1", "https://a.example", {}, zone="Z1", shares="Shares.a.example"
    )
    records = next(one for one in RECORDS if one.condition)
    entries = readiness.context_entries(records, replace(house.watch.service, recovery=recovery))
    assert [(one["ContextKeyType"], one["ContextKeyValues"]) for one in entries] == [
        ("stringList", ["shares.a.example"]),
        ("stringList", ["CNAME"]),
        ("stringList", ["UPSERT"]),
    ]


def test_a_right_that_the_service_has_no_use_for_is_not_asked_for(house):
    """A metric switch has no bucket: IAM would refuse a right on an object of no bucket."""
    recovery = Recovery("eu-west-1", "eu-central-1", "eu-north-1", "https://a.example", {}, strategy="metric-switch")
    iam, out = Iam(), Target("region", "eu-west-1", "eu-central-1", "123456789012")
    here = replace(house.watch.service, regions=("eu-central-1", "eu-west-1"), recovery=recovery)
    watch = replace(house.watch, service=here, aws=SimpleNamespace(client=lambda *_: iam))
    list(readiness._rights(watch, registry.load("fail_over"), [out]))
    asked = {one["ActionNames"][0]: one["ResourceArns"] for one in iam.asked}
    ledger = ["arn:aws:dynamodb:eu-central-1:123456789012:table/sereno-techmoda-ledger"]
    assert asked == dict.fromkeys(("dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"), ledger)


def test_a_target_that_is_not_there_is_named(house, tested):
    functions = {**house.watch.service.functions, "gone": Function("gone", "techmoda-gone")}
    house.watch = replace(house.watch, service=replace(house.watch.service, functions=functions))
    found, _ = tested()
    assert [proof.what for proof in found.proofs if proof.ok is False] == ["look at techmoda-gone"]


def test_what_cannot_be_asked_is_not_known_and_no_alarm(house, tested):
    class Away(Iam):
        def simulate_principal_policy(self, **asked):
            raise DENIED

    found, _ = tested(iam=Away())
    assert found.ok
    assert found.proofs[-1] == Proof(
        "rights to change", None, "could not be asked: AccessDeniedException (simulation)"
    )

    house.aws.before = lambda number, label: (
        EndpointConnectionError(endpoint_url="x") if label == "lambda.get_function" else None
    )
    found, _ = tested()
    assert [proof.ok for proof in found.proofs][:2] == [None, None]


@pytest.fixture
def billed(house, monkeypatch):
    """Which metrics CloudWatch was asked for, and so bills."""
    asked, real = [], house.metrics.answer

    def answer(params):
        asked.extend(query["MetricStat"]["Metric"]["MetricName"] for query in params["MetricDataQueries"])
        return real(params)

    class Quotas:
        def get_service_quota(self, **params):
            return {"Quota": {**params, "Value": 1000.0, "Adjustable": True}}

        def list_requested_service_quota_change_history_by_quota(self, **_):
            return {"RequestedQuotas": []}

    client = type(house.little).client
    monkeypatch.setattr(
        type(house.little),
        "client",
        lambda self, name, region=None: Quotas() if name == "service-quotas" else client(self, name, region),
    )
    monkeypatch.setattr(house.metrics, "answer", answer)
    monkeypatch.setattr(readiness, "_rights", lambda *_: iter(()))
    return asked


@pytest.mark.parametrize("name", ["raise_concurrency", "raise_capacity", "request_quota"])
def test_a_self_test_is_billed_for_one_metric_whatever_it_looks_at(house, billed, make_products, name):
    make_products()
    readiness.run(house.watch, name)
    assert len(billed) == 1
    (found,) = readiness.read(house.books)
    assert found.ok


def test_all_self_tests_of_the_example_cost_a_quarter_of_a_dollar_a_month(house, billed, make_products):
    make_products()
    for name in registry.names():
        readiness.run(house.watch, name)
    tests_a_month = 30 * 24 * 12
    assert len(billed) == 3
    assert round(len(billed) * tests_a_month * 0.01 / 1000, 2) == 0.26


def test_the_right_to_read_metrics_is_proved_for_real(house, billed):
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData")
    house.aws.before = lambda number, label: denied if label == "cloudwatch.get_metric_data" else None
    assert readiness.run(house.watch, NAME)["ready"] is False


def test_the_functions_entry_tests_itself_and_starts_nothing(house, monkeypatch):
    monkeypatch.setenv("SERENO_REMEDIATOR", NAME)
    monkeypatch.setattr("remediators.handler.set_up", lambda environment: house.watch)
    monkeypatch.setattr(readiness, "_rights", lambda *_: iter(()))
    assert handler.handler({"sereno": "self-test"}, None) == {"ready": True, "proofs": 2}
    assert house.all() == []


def test_the_actions_that_iam_is_asked_for_are_those_of_the_role():
    for remediator in registry.all_remediators().values():
        for permission in remediator.permissions:
            if not permission.operation.split(".")[1].startswith(readiness.READS):
                assert (action_of(permission),) == (permission.actions or ACTIONS[permission.operation])


def test_a_large_service_is_looked_at_in_turns_and_everybody_comes(house):
    targets = [Target("function", f"f{number}", "eu-west-1", "1") for number in range(13)]
    now, seen = house.clock.now(), set()
    for _ in range(13):
        these = turn(targets, now)
        assert len(these) == 5
        seen |= set(these)
        now += timedelta(minutes=5)
    assert seen == set(targets)
    assert turn(targets[:3], now) == targets[:3]


def test_the_line_of_the_status(house):
    now = house.clock.now()
    good = Readiness("a", now, (Proof("x", True),))
    bad = Readiness("b", now, (Proof("x", False),))
    old = Readiness("c", now - timedelta(minutes=17), (Proof("x", True),))
    assert summary([good], ("a",), now) == (True, "1 of 1 remediators are ready, proved since 12:00 UTC")
    assert summary([good, bad, old], ("a", "b", "c", "d"), now) == (
        False,
        "not ready: b; no self-test in 16 min: c, d",
    )
    assert Readiness.from_json(bad.to_json()) == bad
