"""Two Regions of a global table never fight over one minimum, and the value from before is never lost."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from deploy.synth import functions
from remediators import evidence, flow, settle, shared
from remediators.actions._capacity_steps import on_demand_cost, provisioned_cost
from remediators.registry import load
from remediators.shared import Original, original_of
from sereno.model import Mode, Step, Target
from sereno.service import Recovery
from tests.remediators import conftest

OTHER = "eu-central-1"
NAME = "raise_capacity"
RECOVERY = Recovery("eu-west-1", OTHER, "eu-north-1", "https://a.example", {}, bucket="b")
WRITES = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/techmoda-products",
    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
}


@pytest.fixture
def both(house, make_products, table_load, monkeypatch):
    """A provisioned global table whose lanes auto scaling owns, and a ledger in each Region."""
    make_products()
    scaling = house.little.real.client("application-autoscaling")
    for index, path in (("", ""), ("index", "/index/by-category")):
        for kind in ("Read", "Write"):
            scaling.register_scalable_target(
                ServiceNamespace="dynamodb",
                ResourceId=f"table/techmoda-products{path}",
                ScalableDimension=f"dynamodb:{index or 'table'}:{kind}CapacityUnits",
                MinCapacity=50,
                MaxCapacity=400,
            )
    house.little.real.client("dynamodb", OTHER).create_table(
        TableName=conftest.TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    real = conftest._DynamoDB.describe_table

    def replicated(self, **params):
        answer = real(self, **params)
        answer["Table"]["Replicas"] = [{"RegionName": OTHER}, {"RegionName": "eu-west-1"}]
        return answer

    monkeypatch.setattr(conftest._DynamoDB, "describe_table", replicated)
    house.watch = replace(
        house.watch, service=replace(house.watch.service, recovery=RECOVERY, regions=("eu-west-1", OTHER))
    )
    table_load(read=250, write=40)
    yield house
    house.little.real.client("dynamodb", OTHER).delete_table(TableName=conftest.TABLE)


def bounds(house):
    (found,) = house.little.real.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="dynamodb",
        ResourceIds=[WRITES["ResourceId"]],
        ScalableDimension=WRITES["ScalableDimension"],
    )["ScalableTargets"]
    return [found["MinCapacity"], found["MaxCapacity"]]


def raised(house):
    return flow.start(house.watch, house.signal("read-throttles", "products"), NAME)


def write_step(remediation) -> Step:
    (step,) = [one for one in remediation.plan.steps if one.setting == "write target"]
    return step


def elsewhere(house):
    watch = replace(house.watch, service=replace(house.watch.service, regions=(OTHER, "eu-west-1")))
    return shared.read(house.aws, watch.service, "techmoda-products")


def test_a_raise_notes_the_original_in_both_regions(both):
    remediation = raised(both)
    step = write_step(remediation)
    assert (step.before, step.shared) == ([50, 400], (OTHER,))
    here = shared.read(both.aws, both.watch.service, "techmoda-products")
    assert here["write target"] == Original([50, 400], step.after)
    assert elsewhere(both) == {}
    settle.look(both.watch, remediation)
    assert elsewhere(both) == here


def test_a_region_that_finds_the_others_raise_goes_back_to_the_original(both):
    """The other Region has raised the shared minimum to 90: going back to that would lose the 50 in both."""
    client = both.little.real.client("application-autoscaling")
    client.register_scalable_target(**WRITES, MinCapacity=90, MaxCapacity=400)
    note(both, Original([50, 400], [90, 400]))
    remediation = raised(both)
    step = write_step(remediation)
    assert (step.before, step.superseded) == ([50, 400], ([90, 400],))
    assert bounds(both) == step.after
    units = {"ReadCapacityUnits": 4000, "WriteCapacityUnits": 2000}  # auto scaling acts on its new minima
    both.little.real.client("dynamodb").update_table(
        TableName="techmoda-products",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "by-category", "ProvisionedThroughput": units}}],
    )
    both.metrics.points.clear()
    both.rounds(25)
    assert str(both.get(remediation.id).status) == "REVERTED"
    assert bounds(both) == [50, 400]


def note(house, original):
    row = shared.items.item(
        "ORIGINAL#techmoda-products",
        "write target",
        doc=f'{{"before": {original.before}, "after": {original.after}}}',
    )
    house.little.real.client("dynamodb").put_item(TableName=evidence.table_of(house.watch.service), Item=row)


def test_a_region_that_cannot_be_reached_never_stops_a_raise(both):
    away = EndpointConnectionError(endpoint_url="x")
    real = both.little.client

    class OneRegion:
        def client(self, name, region=None):
            if region == OTHER:
                raise away
            return real(name, region)

    both.watch = replace(both.watch, aws=OneRegion())
    remediation = raised(both)
    assert str(remediation.status) == "VERIFYING"
    assert settle.look(both.watch, remediation) == remediation
    assert bounds(both) == write_step(remediation).after
    assert elsewhere(both) == {}


def test_a_ledger_that_cannot_tell_originals_stops_no_raise(both):
    both.aws.before = lambda number, label: (
        EndpointConnectionError(endpoint_url="x") if label == "dynamodb.query" else None
    )
    assert str(raised(both).status) == "VERIFYING"


@pytest.mark.parametrize(
    ("live", "known", "original"),
    [
        ([50, 400], None, [50, 400]),
        ([90, 400], Original([50, 400], [90, 400]), [50, 400]),
        ([50, 400], Original([50, 400], [90, 400]), [50, 400]),  # reverted meanwhile
        ([70, 400], Original([50, 400], [90, 400]), [70, 400]),  # a person has set it since
    ],
)
def test_only_what_sereno_has_set_has_an_original(live, known, original):
    assert original_of(live, known) == original


def test_the_region_that_does_not_serve_raises_nothing(both):
    both.watch = replace(both.watch, service=replace(both.watch.service, regions=(OTHER, "eu-west-1")))
    before = bounds(both)
    signal = both.signal("read-throttles", "products")
    target = Target("table", "techmoda-products", OTHER, conftest.ACCOUNT)
    remediation = flow.start(both.watch, replace(signal, target=target), NAME, target)
    assert remediation.mode in (Mode.OBSERVE, Mode.OFF)
    assert bounds(both) == before


def test_reads_stay_each_regions_own(both):
    steps = {step.setting: step for step in raised(both).plan.steps}
    assert steps["read target"].shared == ()


def test_every_replica_pays_its_own_writes():
    one = provisioned_cost({"read": 0, "write": 0}, {"read": 100, "write": 100})
    two = provisioned_cost({"read": 0, "write": 0}, {"read": 100, "write": 100}, 1)
    assert two - one == pytest.approx(100 * 0.000735 * 720)
    assert on_demand_cost({"write": 0}, {"write": 100}, 2) == pytest.approx(
        3 * on_demand_cost({"write": 0}, {"write": 100})
    )


def test_the_cost_of_a_plan_counts_each_replica(both):
    steps = raised(both).plan
    alone = sum((step.after[0] - 50) for step in steps.steps if "write" in step.setting)
    assert alone > 0
    assert steps.monthly_cost > 0


def test_the_role_may_note_originals_in_both_regions_and_nothing_else_there(both):
    code = functions.of_remediator(both.watch.service, load(NAME))
    notes = [one for one in code.permissions if "ORIGINAL#*" in str(one.condition)]
    assert {one.operation for one in notes} == {"dynamodb.put_item"}
    assert "dynamodb.put_item" not in {one.operation for one in load(NAME).permissions}, "no plan can hold it"
    other = functions.of_remediator(both.watch.service, load("raise_concurrency"))
    assert not [one for one in other.permissions if "ORIGINAL#*" in str(one.condition)]


# -- only the Region that serves writes


def serves(house, region):
    """Customers are served from there, as far as the ledger knows."""
    row = shared.items.item("EVIDENCE", "primary", serving=region)
    house.little.real.client("dynamodb").put_item(TableName=evidence.table_of(house.watch.service), Item=row)


def auto_scaling_acts(house):
    units = {"ReadCapacityUnits": 4000, "WriteCapacityUnits": 2000}
    house.little.real.client("dynamodb").update_table(
        TableName="techmoda-products",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "by-category", "ProvisionedThroughput": units}}],
    )
    house.metrics.points.clear()


def test_the_region_that_serves_no_more_leaves_a_shared_target_until_it_serves_again(both):
    """It reverted the minimum on which the other Region served its customers."""
    remediation = raised(both)
    after = bounds(both)
    auto_scaling_acts(both)
    serves(both, OTHER)
    both.rounds(40)
    found = both.get(remediation.id)
    assert (str(found.status), str(found.reason)) == ("HOLDING", "NOT_ACTIVE")
    assert bounds(both) == after
    assert "customers are served from eu-central-1" in found.detail
    serves(both, "eu-west-1")
    both.rounds(3)
    assert str(both.get(remediation.id).status) == "REVERTED"
    assert bounds(both) == [50, 400]


def test_a_person_may_revert_it_at_any_time(both):
    remediation = raised(both)
    auto_scaling_acts(both)
    serves(both, OTHER)
    both.rounds(3)
    both.watch.ledger.wish(remediation.id, "revert", "ana", both.clock.now())
    both.rounds(2)
    assert str(both.get(remediation.id).status) == "REVERTED"
    assert bounds(both) == [50, 400]


# -- maxima on demand


@pytest.fixture
def on_demand(both, make_products, table_load):
    """A global table on demand with a maximum: one setting for all its Regions."""
    products = make_products("PAY_PER_REQUEST")
    both.watch = replace(
        both.watch, service=replace(both.watch.service, recovery=RECOVERY, regions=("eu-west-1", OTHER))
    )
    table_load(read=250, write=40)
    products.maxima[""] = {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": 200}
    return products


def test_the_original_of_a_maximum_is_noted_and_given_back(both, on_demand):
    remediation = raised(both)
    (step,) = remediation.plan.steps
    assert (step.setting, step.shared) == ("on-demand maximum", (OTHER,))
    here = shared.read(both.aws, both.watch.service, "techmoda-products")
    assert here["on-demand maximum"] == Original(step.before, step.after)
    both.metrics.points.clear()
    both.rounds(25)
    assert str(both.get(remediation.id).status) == "REVERTED"
    assert on_demand.maxima[""] == {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": 200}


def test_a_maximum_that_the_other_region_raised_is_not_the_value_to_go_back_to(both, on_demand):
    """The other Region has raised the maximum from 300 to 500."""
    lanes = {"by-category read": -1, "by-category write": -1, "read": 500, "write": 200}
    original = Original({**lanes, "read": 300}, lanes)
    document = json.dumps({"before": original.before, "after": original.after})
    row = shared.items.item("ORIGINAL#techmoda-products", "on-demand maximum", doc=document)
    both.little.real.client("dynamodb").put_item(TableName=evidence.table_of(both.watch.service), Item=row)
    remediation = raised(both)
    (step,) = remediation.plan.steps
    assert (step.before, step.superseded) == (original.before, (original.after,))
    assert step.after["read"] > 500
    assert str(remediation.status) == "VERIFYING"
    both.metrics.points.clear()
    both.rounds(25)
    assert str(both.get(remediation.id).status) == "REVERTED"
    assert on_demand.maxima[""] == {"MaxReadRequestUnits": 300, "MaxWriteRequestUnits": 200}
