"""A row of the ledger is no licence: the executor sends what the remediator declares, on the row's own target."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediators import bounds, flow, items, round
from remediators.registry import all_remediators, load
from sereno.lifecycle import CLAIM
from sereno.model import Call, Plan, Reason, Status, Step, Target
from sereno.ports import Context
from sereno.service import Function, Play, Recovery, Service, Table

ACCOUNT, REGION, STANDBY = "123456789012", "eu-west-1", "eu-central-1"
READS = ("describe_", "get_", "list_", "batch_get_", "query", "scan")
SERVICE = Service(
    "techmoda",
    ACCOUNT,
    (REGION, STANDBY),
    functions={"read": Function("read", "techmoda-read", "live"), "write": Function("write", "techmoda-write")},
    tables={"products": Table("products", "techmoda-products")},
    recovery=Recovery(
        REGION,
        STANDBY,
        "eu-north-1",
        "https://a.example",
        {REGION: "https://w.example", STANDBY: "https://c.example/x"},
        bucket="b",
        zone="Z1",
        shares="s.a.example",
        fence=("write",),
    ),
)
FUNCTION = Target("function", "techmoda-read", REGION, ACCOUNT)
TABLE = Target("table", "techmoda-products", REGION, ACCOUNT)
WRITER = Target("writer", "techmoda-write", REGION, ACCOUNT)
OUT = Target("region", REGION, STANDBY, ACCOUNT)
BACK = Target("traffic", REGION, STANDBY, ACCOUNT)


def context(target, service=SERVICE):
    return Context(service, Play("x", ()), target, None, {})  # type: ignore[arg-type]


# What a genuine step records beside the calls of these tests.
VALUES = {
    "put_function_concurrency": 5,
    "register_scalable_target": [1, 2],
    "update_table": {"read": 200, "write": 20},
    "change_resource_record_sets": 1,
}


def judge(name, target, service, operation, params, *, of=SERVICE, value="as recorded"):
    value = VALUES.get(operation) if value == "as recorded" else value
    return bounds.check_call(load(name), context(target, of), Call(service, operation, params), value)


def put(name="techmoda-read", **more):
    return {"FunctionName": name, "ReservedConcurrentExecutions": 5, **more}


def row(pk, sk):
    return {"TableName": "sereno-techmoda-ledger", "Item": items.item(pk, sk, out=1)}


def scaling(resource, namespace="dynamodb", dimension="dynamodb:table:ReadCapacityUnits"):
    return {
        "ServiceNamespace": namespace,
        "ResourceId": resource,
        "ScalableDimension": dimension,
        "MinCapacity": 1,
        "MaxCapacity": 2,
    }


def weights(name="s.a.example", value="w.example", region=REGION, action="UPSERT", kind="CNAME"):
    rest = {"w.example": (STANDBY, "c.example")}.get(value, (REGION, "w.example"))
    changes = [
        {
            "Action": action,
            "ResourceRecordSet": {
                "Name": name,
                "Type": kind,
                "SetIdentifier": where,
                "Weight": weight,
                "TTL": 20,
                "ResourceRecords": [{"Value": host}],
            },
        }
        for where, host, weight in ((region, value, 1), (*rest, 99))
    ]
    return {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": changes}}


IN_STANDBY = replace(SERVICE, regions=(STANDBY, REGION))
OWN = [
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put()),
    ("raise_concurrency", FUNCTION, "lambda", "delete_function_concurrency", {"FunctionName": "techmoda-read"}),
    (
        "raise_concurrency",
        FUNCTION,
        "application-autoscaling",
        "register_scalable_target",
        scaling("function:techmoda-read:live", "lambda", "lambda:function:ProvisionedConcurrency"),
    ),
    ("raise_capacity", TABLE, "dynamodb", "update_table", {"TableName": "techmoda-products"}),
    (
        "raise_capacity",
        TABLE,
        "application-autoscaling",
        "register_scalable_target",
        scaling("table/techmoda-products/index/by-brand", dimension="dynamodb:index:ReadCapacityUnits"),
    ),
]
IN_THE_STANDBY = [
    ("fence_primary", WRITER, "lambda", "put_function_concurrency", put("techmoda-write")),
    ("fail_over", OUT, "s3", "put_object", {"Bucket": "b", "Key": "techmoda/primary-out", "Body": "x"}),
    ("fail_back", BACK, "route53", "change_resource_record_sets", weights()),
    ("fail_back", BACK, "route53", "change_resource_record_sets", weights(value="c.example", region=STANDBY)),
]


@pytest.mark.parametrize(("name", "target", "service", "operation", "params"), OWN)
def test_what_a_remediator_plans_on_its_own_target_passes(name, target, service, operation, params):
    assert judge(name, target, service, operation, params).ok


@pytest.mark.parametrize(("name", "target", "service", "operation", "params"), IN_THE_STANDBY)
def test_what_the_standby_plans_passes(name, target, service, operation, params):
    verdict = judge(name, target, service, operation, params, of=IN_STANDBY)
    assert verdict.ok, verdict.detail


def units(read, write=20, **more):
    return {"TableName": "techmoda-products", "ProvisionedThroughput": {"Read": read, "Write": write}, **more}


INDEX = [{"Update": {"IndexName": "by-brand", "ProvisionedThroughput": {"Read": 9, "Write": 20}}}]
OTHER_VALUES = [
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put(ReservedConcurrentExecutions=0), 240),
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put(ReservedConcurrentExecutions=241), 240),
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put(ReservedConcurrentExecutions=True), 1),
    ("raise_concurrency", FUNCTION, "lambda", "delete_function_concurrency", {"FunctionName": "techmoda-read"}, 120),
    (
        "raise_capacity",
        TABLE,
        "application-autoscaling",
        "register_scalable_target",
        {**scaling("table/techmoda-products"), "MaxCapacity": 40_000},
        [1, 2],
    ),
    ("raise_capacity", TABLE, "dynamodb", "update_table", units(40_000), {"read": 200, "write": 20}),
    (
        "raise_capacity",
        TABLE,
        "dynamodb",
        "update_table",
        units(200, GlobalSecondaryIndexUpdates=INDEX),
        {"read": 200},
    ),
    ("fail_back", BACK, "route53", "change_resource_record_sets", weights(), 100),
]


@pytest.mark.parametrize(("name", "target", "service", "operation", "params", "value"), OTHER_VALUES)
def test_a_call_that_sets_another_value_than_its_step_records_is_refused(
    name, target, service, operation, params, value
):
    """What people read and approve is the step's value: a call beside it with another one is forged."""
    of = SERVICE if target.region == REGION else IN_STANDBY
    verdict = judge(name, target, service, operation, params, of=of, value=value)
    assert verdict.reason is Reason.NOT_PERMITTED
    assert "sets another value than" in verdict.detail


@pytest.mark.parametrize(
    ("before", "after", "ok"),
    [(120, 240, True), (120, 5, False), (None, 5, True), (120, 120, True), (120, None, False)],
)
def test_a_raise_lowers_nothing(before, after, ok):
    call = Call("lambda", "put_function_concurrency", put(ReservedConcurrentExecutions=after))
    back = (
        Call("lambda", "put_function_concurrency", put(ReservedConcurrentExecutions=before))
        if before is not None
        else Call("lambda", "delete_function_concurrency", {"FunctionName": "techmoda-read"})
    )
    plan = Plan((Step(call, "w", "reserved concurrency", before, after, back),), "forged")
    verdict = bounds.check_plan(load("raise_concurrency"), context(FUNCTION), plan)
    assert verdict.ok is ok, verdict.detail


def test_a_raise_of_a_table_lowers_no_lane_of_it():
    def judged(after):
        call = Call("dynamodb", "update_table", units(after["read"], after["write"]))
        back = Call("dynamodb", "update_table", units(200, 20))
        step = Step(call, "w", "capacity", {"read": 200, "write": 20}, after, back)
        return bounds.check_plan(load("raise_capacity"), context(TABLE), Plan((step,), "forged"))

    assert judged({"read": 400, "write": 20}).ok
    assert "would lower capacity" in judged({"read": 400, "write": 1}).detail


FORGED = [
    # An operation that the remediator does not declare.
    ("raise_concurrency", FUNCTION, "route53", "change_resource_record_sets", weights(), "does not declare"),
    ("raise_concurrency", FUNCTION, "lambda", "delete_function", {"FunctionName": "techmoda-read"}, "not declare"),
    ("raise_concurrency", FUNCTION, "lambda", "__class__", {}, "does not declare"),
    ("fence_primary", WRITER, "s3", "delete_object", {"Bucket": "b", "Key": "x"}, "does not declare"),
    # Another resource than the target.
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put("techmoda-write"), "is not function"),
    (
        "raise_concurrency",
        FUNCTION,
        "lambda",
        "put_function_concurrency",
        put(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:techmoda-read"),
        "is not function",
    ),
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put(f"{ACCOUNT}:techmoda-read"), "is not"),
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put("techmoda-read:live"), "is not"),
    (
        "raise_concurrency",
        FUNCTION,
        "application-autoscaling",
        "register_scalable_target",
        scaling("table/techmoda-products"),
        "is not function",
    ),
    (
        "raise_capacity",
        TABLE,
        "application-autoscaling",
        "register_scalable_target",
        scaling("table/techmoda-products-2"),
        "is not table",
    ),
    ("raise_capacity", TABLE, "dynamodb", "update_table", {"TableName": "sereno-techmoda-ledger"}, "is not table"),
    ("fail_over", OUT, "s3", "put_object", {"Bucket": "b", "Key": "other/x", "Body": ""}, "is not region"),
    ("fail_over", OUT, "dynamodb", "put_item", row("MODE", "*"), "names the ledger's row MODE/*"),
    ("fail_back", BACK, "route53", "change_resource_record_sets", weights("www.a.example"), "UPSERT CNAME www"),
    ("fail_back", BACK, "route53", "change_resource_record_sets", weights(value="evil.example"), "would UPSERT"),
    ("fail_back", BACK, "route53", "change_resource_record_sets", weights(action="DELETE"), "would DELETE"),
    # Its own target, but more than a step carries.
    (
        "raise_capacity",
        TABLE,
        "dynamodb",
        "update_table",
        {"TableName": "techmoda-products", "ReplicaUpdates": [{"Delete": {"RegionName": STANDBY}}]},
        "carries ReplicaUpdates",
    ),
    (
        "raise_capacity",
        TABLE,
        "dynamodb",
        "update_table",
        {"TableName": "techmoda-products", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-brand"}}]},
        "would delete an index",
    ),
    # Another shape.
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", {}, "another shape"),
    ("raise_concurrency", FUNCTION, "lambda", "put_function_concurrency", put(["techmoda-read"]), "another shape"),
    ("fail_back", BACK, "route53", "change_resource_record_sets", {"HostedZoneId": "Z1"}, "another shape"),
]


@pytest.mark.parametrize(("name", "target", "service", "operation", "params", "why"), FORGED)
def test_a_forged_call_is_refused(name, target, service, operation, params, why):
    of = SERVICE if target.region == REGION and name != "fence_primary" else IN_STANDBY
    verdict = judge(name, target, service, operation, params, of=of)
    assert verdict.reason is Reason.NOT_PERMITTED
    assert why in verdict.detail


@pytest.mark.parametrize(
    "target",
    [
        replace(FUNCTION, region="us-east-1"),
        replace(FUNCTION, region=STANDBY),  # a region of the service, but not the one that this role is for
        replace(FUNCTION, account="999999999999"),
        replace(FUNCTION, kind="table"),
        replace(FUNCTION, name="techmoda-other"),
    ],
)
def test_a_forged_target_is_refused_with_its_own_name_in_the_call(target):
    verdict = judge("raise_concurrency", target, "lambda", "put_function_concurrency", put(target.name))
    assert verdict.reason is Reason.NOT_PERMITTED


NAMES = st.text("abcdefgh-:/*?techmoda", max_size=20).map(lambda text: f"techmoda-{text}") | st.sampled_from(
    ["techmoda-read", "techmoda-write", "*", "", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:techmoda-read"]
)


@settings(max_examples=150, deadline=None)
@given(
    operation=st.sampled_from(sorted(bounds.RULES)),
    remediator=st.sampled_from(sorted(all_remediators())),
    name=NAMES,
    kind=st.sampled_from(["function", "table", "writer", "region", "traffic", "account", "incident"]),
    region=st.sampled_from([REGION, STANDBY, "us-east-1"]),
    extra=st.dictionaries(st.text(max_size=5), st.integers(), max_size=1),
)
def test_whatever_a_row_says_a_function_changes_only_as_its_own_target(
    operation, remediator, name, kind, region, extra
):
    """No forged row gets past with another operation, name, region or kind than its remediator and its target say."""
    service, method = operation.split(".")
    target = Target(kind, "techmoda-read", region, ACCOUNT)
    params = {**put(name), **extra} if method == "put_function_concurrency" else {"FunctionName": name, **extra}
    verdict = judge(remediator, target, service, method, params)  # with the value that a step records
    allowed = (
        remediator == "raise_concurrency"
        and operation in ("lambda.put_function_concurrency", "lambda.delete_function_concurrency")
        and (name, kind, region, extra) == ("techmoda-read", "function", REGION, {})
    )
    assert verdict.ok is allowed, verdict.detail


def test_every_operation_that_a_remediator_may_change_something_with_has_its_rule():
    declared = {one.operation for remediator in all_remediators().values() for one in remediator.permissions}
    changing = [one for one in declared if not one.split(".")[1].startswith(READS)]
    assert bounds.without_rule(changing) == []
    assert not [one for one in bounds.RULES if one not in declared], "a rule that no remediator needs"


# -- forged rows of the ledger


def forge(house, *, remediator="raise_concurrency", call, undo=None, target=None, done=0, status=Status.APPLYING):
    """Writes a row as somebody would who can write to the ledger: the reconciler finds it due."""
    signal, now = house.signal(), house.clock.now()
    genuine = flow.new(house.watch, signal, remediator, target or signal.target)
    step = Step(call, "forged", "reserved concurrency", 5, 5, undo or call)
    row = replace(
        genuine,
        id=f"forged-{status}-{call.operation}",
        status=status,
        plan=Plan((step,), "forged"),
        steps_done=done,
        claim_until=now - timedelta(seconds=1),
        due_at=now,
        hold_until=now,
        applied_at=now - CLAIM,
    )
    item = items.put_new("sereno-techmoda-ledger", row, "techmoda")["Put"]["Item"]
    house.little.real.client("dynamodb").put_item(TableName="sereno-techmoda-ledger", Item=item)
    return row


RECORDS = Call("route53", "change_resource_record_sets", weights())
OTHER = Call("lambda", "put_function_concurrency", put("techmoda-write"))
ABROAD = Call("lambda", "put_function_concurrency", put())


@pytest.mark.parametrize(
    ("call", "target"),
    [(RECORDS, None), (OTHER, None), (ABROAD, Target("function", "techmoda-read", "us-east-1", ACCOUNT))],
    ids=["another-operation", "another-function", "another-region"],
)
def test_a_forged_row_changes_nothing_and_people_hear_of_it(house, call, target):
    row = forge(house, call=call, target=target)
    before = len(house.aws.calls)
    round.make(house.watch)
    sent = [one for one in house.aws.calls[before:] if one.startswith(("lambda.put", "lambda.delete", "route53."))]
    ended = house.get(row.id)
    assert sent == []
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.NOT_PERMITTED)
    assert ended.detail.endswith("nothing was sent")
    assert house.telemetry.total("Refused") == 1
    # The play's next one opens an incident for people.
    assert "open_incident" in {one.remediator for one in house.all()} or ended.escalate_to == ("open_incident",)


@pytest.mark.parametrize("status", [Status.REVERTING, Status.HOLDING])
def test_a_forged_way_back_is_refused_too(house, status):
    good = Call("lambda", "put_function_concurrency", put())
    house.set_reserved(5)
    row = forge(house, call=good, undo=OTHER, done=1, status=status)
    house.metrics.points.clear()
    house.rounds(3)
    assert house.reserved("techmoda-write") == 40
    assert house.get(row.id).reason is Reason.NOT_PERMITTED


def test_a_genuine_plan_of_which_one_call_is_forged_is_not_begun(house):
    good = Call("lambda", "put_function_concurrency", put())
    remediation = forge(house, call=good)
    plan = Plan((Step(good, "w", "reserved concurrency", 5, 5, good), Step(OTHER, "w", "x", 1, 2)), "forged")
    verdict = bounds.check_plan(
        load("raise_concurrency"), house.watch.context(remediation, load("raise_concurrency")), plan
    )
    assert verdict.reason is Reason.NOT_PERMITTED
