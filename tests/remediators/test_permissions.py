"""Every call that a remediator emits is within what it declares, and everything declared maps to IAM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from deploy.iam import COMMON, ROUND, actions, statements
from remediators import flow
from remediators.registry import all_remediators, names
from sereno.service import Function, Recovery
from sereno.testing import WatchedAws

SPINE = {permission.operation for permission in (*COMMON, *ROUND)}


def in_two_regions(service):
    """Some permissions are of who has a second region."""
    recovery = Recovery(
        "eu-west-1",
        "eu-central-1",
        "eu-north-1",
        "https://a.example",
        {},
        bucket="b",
        zone="Z1",
        shares="s.a.example",
        fence=("read",),
        compare=tuple(service.tables),
    )
    return replace(service, recovery=recovery)


@dataclass
class Asked:
    """An `Aws` that notes who asked for what beside the ledger and the topic."""

    house: object

    def during(self, play):
        watched = self.house.aws
        before = len(watched.calls)
        play()
        return {call for call in watched.calls[before:] if not call.startswith(("dynamodb.", "sns."))}


@pytest.fixture
def asked(house):
    return Asked(house)


def declared(name):
    return {permission.operation for permission in all_remediators()[name].permissions}


def with_provisioned(house):
    house.little.provisioned["techmoda-read", "live"] = 10
    house.on(functions={"read": Function("read", "techmoda-read", "live", 120, 16.0, 10, 512, provisioned=10)})


@pytest.mark.parametrize("prepare", [lambda house: None, with_provisioned])
def test_raising_concurrency_stays_within_its_permissions_from_event_to_undo(house, asked, prepare):
    prepare(house)

    def whole_life():
        remediation = flow.start(house.watch, house.signal(), "raise_concurrency")
        house.metrics.points.clear()
        house.rounds(25)
        assert house.get(remediation.id).status == "REVERTED"

    emitted = asked.during(whole_life) - {"cloudwatch.describe_alarms"}
    assert emitted <= declared("raise_concurrency")
    assert {"lambda.put_function_concurrency", "cloudwatch.get_metric_data"} <= emitted


def test_an_unreserved_function_needs_only_what_is_declared(house, asked):
    house.little.real.client("lambda").delete_function_concurrency(FunctionName="techmoda-read")

    def whole_life():
        flow.start(house.watch, house.signal(), "raise_concurrency")
        house.metrics.points.clear()
        house.rounds(21)

    emitted = asked.during(whole_life) - {"cloudwatch.describe_alarms"}
    assert "lambda.delete_function_concurrency" in emitted
    assert emitted <= declared("raise_concurrency")


@pytest.mark.parametrize("billing", ["PROVISIONED", "PAY_PER_REQUEST"])
def test_raising_capacity_stays_within_its_permissions_from_event_to_undo(house, asked, make_products, billing):
    products = make_products(billing)
    if billing != "PROVISIONED":
        products.maxima[""] = {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": 200}
    calls = len(house.aws.calls)
    remediation = flow.start(house.watch, house.signal("read-throttles", "products"), "raise_capacity")
    house.metrics.points.clear()
    house.rounds(21)
    assert house.get(remediation.id).status == "REVERTED"
    ledger = ("dynamodb.batch", "dynamodb.get", "dynamodb.put", "dynamodb.query", "dynamodb.trans", "sns.")
    emitted = {call for call in house.aws.calls[calls:] if not call.startswith(ledger)}
    # The reconciler, and nobody else, reads the account's limits.
    emitted -= {"cloudwatch.describe_alarms", "dynamodb.update_item", "dynamodb.describe_limits"}
    assert emitted <= declared("raise_capacity")
    assert "dynamodb.update_table" in emitted
    assert "dynamodb.describe_limits" not in declared("raise_capacity") | declared("request_quota")


def test_the_tables_of_the_service_are_all_that_may_be_changed(make_products, house):
    make_products()
    written = statements(all_remediators()["raise_capacity"], house.watch.service)
    changing = [one for one in written if "dynamodb:UpdateTable" in one["Action"]]
    assert [one["Resource"] for one in changing] == [
        "arn:aws:dynamodb:eu-west-1:123456789012:table/techmoda-products"
    ]


def test_opening_an_incident_stays_within_its_permissions(house, asked):
    emitted = asked.during(lambda: flow.start(house.watch, house.signal("burn-fast"), "open_incident"))
    assert emitted == declared("open_incident")


def test_the_ledger_the_topic_and_the_round_stay_within_theirs(house):
    def whole_life():
        flow.start(house.watch, house.signal(), "raise_concurrency")
        house.red("throttles")
        house.rounds(21)

    whole_life()
    spine = {call for call in house.aws.calls if call.startswith(("dynamodb.", "sns.")) or "describe_alarms" in call}
    assert spine <= SPINE


@pytest.mark.parametrize("name", names())
def test_everything_declared_maps_to_iam_and_every_star_says_why(house, make_products, name):
    make_products()
    remediator = all_remediators()[name]
    for permission in remediator.permissions:
        assert actions(permission)
        assert permission.resource != "*" or "https://" in permission.because
    regional = in_two_regions(house.watch.service)
    # What only the weights need is written where the strategy is weighted.
    weighted = replace(regional, recovery=replace(regional.recovery, strategy="weighted"))
    written = [*statements(remediator, regional), *statements(remediator, weighted)]
    allowed = {action for statement in written for action in statement["Action"]}
    for permission in remediator.permissions:
        assert set(actions(permission)) <= allowed


def test_no_remediator_may_touch_what_sereno_needs_itself():
    for name in names():
        assert not {one for one in declared(name) if one.startswith(("dynamodb.transact", "sns.", "iam."))}


def test_calls_are_watched_by_their_boto_names(house):
    assert isinstance(house.aws, WatchedAws)
    house.aws.client("lambda").get_function_concurrency(FunctionName="techmoda-read")
    assert house.aws.calls[-1] == "lambda.get_function_concurrency"
