"""The AWS of a regional drill: what is away fails as AWS would, and what was tried against the rule is kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from drills.regions import ground, judge
from drills.regions.account import Account, Canary, Rules, opened
from drills.regions.engine import Run
from drills.regions.region import Regions, Trouble
from drills.regions.replication import MOST_S
from drills.regions.scenario import RegionScenario, load
from drills.regions.world import Place, World
from drills.scenario import Objective
from sereno.service import Service

PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
NAMES = (PRIMARY, STANDBY, WITNESS)
OUTAGE = (100.0, 200.0)
DARK = Trouble("dark", PRIMARY, *OUTAGE)
GRAY = Trouble("gray", PRIMARY, *OUTAGE, 0.7)
CUT = (
    Trouble("unseen", PRIMARY, *OUTAGE, seen_from=(STANDBY,)),
    Trouble("unseen", STANDBY, *OUTAGE, seen_from=(PRIMARY,)),
)
ITEM = {"id": {"S": "sereno-canary"}, "written_ms": {"N": "1"}}


def rules(*troubles: Trouble, at: float = 150.0, **more: object) -> Rules:
    """The rules in the middle of what befalls the regions."""
    outages = tuple((one.start, one.end) for one in troubles if one.out)
    found = Rules(Regions(NAMES, troubles), PRIMARY, outages, **more)
    found.now = lambda: at
    return found


# -- what cannot be reached


def test_a_dark_region_does_not_answer_and_that_is_remembered():
    some = rules(DARK)
    with pytest.raises(EndpointConnectionError, match=r"https://dynamodb\.eu-west-1\.amazonaws\.com"):
        some.check(WITNESS, "dynamodb", "put_item", PRIMARY)
    (refused,) = some.refused
    assert refused.to_json() == {
        "at_s": 150.0,
        "by": WITNESS,
        "call": "dynamodb.put_item",
        "region": PRIMARY,
        "error": "EndpointConnectionError",
    }
    some.check(WITNESS, "dynamodb", "put_item", STANDBY)
    assert (some.calls, len(some.refused)) == (2, 1), "who calls the standby is served"


@pytest.mark.parametrize(("at", "served"), [(99.9, True), (100.0, False), (199.9, False), (200.0, True)])
def test_a_region_answers_until_it_is_dark_and_again_afterwards(at, served):
    some = rules(DARK, at=at)
    if served:
        some.check(STANDBY, "dynamodb", "query", PRIMARY)
    else:
        with pytest.raises(EndpointConnectionError):
            some.check(STANDBY, "dynamodb", "query", PRIMARY)
    assert bool(some.refused) is not served


def test_across_a_cut_line_nobody_is_reached_and_the_witness_reaches_both():
    some = rules(*CUT)
    for home, region in ((PRIMARY, STANDBY), (STANDBY, PRIMARY)):
        with pytest.raises(EndpointConnectionError):
            some.check(home, "dynamodb", "put_item", region)
        some.check(WITNESS, "dynamodb", "put_item", region)
        some.check(home, "dynamodb", "put_item", home)


def test_without_its_control_plane_a_region_serves_and_changes_nothing():
    some = rules(Trouble("control-plane", STANDBY, *OUTAGE))
    for service, operation in (("dynamodb", "update_item"), ("s3", "put_object"), ("sns", "publish")):
        some.check(STANDBY, service, operation, STANDBY)
    assert some.refused == []
    for service, operation in (("dynamodb", "update_table"), ("lambda", "put_function_concurrency")):
        with pytest.raises(ClientError) as told:
            some.check(STANDBY, service, operation, STANDBY)
        assert told.value.response["Error"]["Code"] == "ServiceUnavailable"
        assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert [one.call for one in some.refused] == ["dynamodb.update_table", "lambda.put_function_concurrency"]


@pytest.mark.parametrize("service", ["route53", "iam"])
def test_a_global_control_plane_fails_in_an_outage_and_when_it_is_away_itself(service):
    for some in (rules(DARK), rules(global_away=((0.0, 300.0),))):
        with pytest.raises(ClientError, match="the control plane is away"):
            some.check(STANDBY, service, "list_tags", "us-east-1")
        assert [(one.region, one.error) for one in some.refused] == [("global", "ServiceUnavailable")]
    rules(DARK, at=250.0).check(STANDBY, service, "list_tags", "us-east-1")


# -- what must not be tried at all


def verdict(some: Rules, scenario: RegionScenario, service: Service) -> dict[str, object]:
    """What the objective says of a run that called what these rules have seen."""
    world = World("test", 1, Place(*NAMES), (), 10.0, 18.0)
    case = judge.Case(Run(scenario, 1, service, world, some), world, (OUTAGE,), (OUTAGE,), [], None)
    (line,) = judge.judge([Objective("no-control-plane-calls")], case)
    return line


@pytest.mark.parametrize(
    ("home", "service", "operation", "region", "what"),
    [
        (STANDBY, "route53", "change_resource_record_sets", STANDBY, "route53.change_resource_record_sets"),
        (STANDBY, "iam", "get_role", "us-east-1", "iam.get_role"),
        (STANDBY, "dynamodb", "query", PRIMARY, "dynamodb.query"),
        (WITNESS, "sns", "publish", PRIMARY, "sns.publish"),
    ],
)
def test_who_calls_what_fails_with_the_region_misses_the_objective(home, service, operation, region, what):
    some = rules(GRAY)
    try:
        some.check(home, service, operation, region)
    except ClientError:
        assert service in ("route53", "iam"), "a gray region answers its APIs, and must be left alone all the same"
    line = verdict(some, load("region-outage"), ground.prepared("techmoda"))
    assert (line["met"], line["measured"]) == (False, 1)
    assert line["detail"] == f"{what} by {home} at 150 s"


@pytest.mark.parametrize(
    ("at", "home", "service", "region"),
    [
        (99.0, STANDBY, "route53", STANDBY),
        (200.0, STANDBY, "dynamodb", PRIMARY),
        (150.0, PRIMARY, "dynamodb", PRIMARY),
        (150.0, WITNESS, "dynamodb", STANDBY),
        (150.0, STANDBY, "s3", STANDBY),
    ],
)
def test_before_and_after_an_outage_or_at_home_everything_may_be_called(at, home, service, region):
    some = rules(GRAY, at=at)
    some.check(home, service, "put_object", region)
    assert verdict(some, load("region-outage"), ground.prepared("techmoda"))["met"]


# -- the canary


def seen(some: Rules, canary: Canary, region: str, at: float) -> str | None:
    """The number that the canary shows in a region at a moment."""
    some.now = lambda: at
    found = canary.seen_in(region, {"id": ITEM["id"]})
    return found["written_ms"]["N"] if found else None


def written(some: Rules, canary: Canary, at: float, number: str) -> None:
    some.now = lambda: at
    canary.put(PRIMARY, {**ITEM, "written_ms": {"N": number}})


def test_the_canary_is_there_at_once_and_elsewhere_after_its_lag():
    some = rules()
    canary = Canary(some, np.random.default_rng(1))
    written(some, canary, 10.0, "1")
    due = canary.on_the_way[PRIMARY][0][0]
    assert 10.0 < due <= 10.0 + MOST_S
    assert seen(some, canary, PRIMARY, 10.0) == "1"
    assert seen(some, canary, STANDBY, due - 0.01) is None
    assert seen(some, canary, STANDBY, due) == "1"


@pytest.mark.parametrize("troubles", [CUT, (DARK,)], ids=["cut", "dark"])
def test_the_canary_crosses_no_line_that_is_cut_and_leaves_no_dark_region(troubles):
    some = rules(*troubles)
    canary = Canary(some, np.random.default_rng(1))
    written(some, canary, 50.0, "1")
    assert seen(some, canary, STANDBY, 99.0) == "1"
    written(some, canary, 99.9, "2")
    assert seen(some, canary, STANDBY, 199.0) == "1", "it was on its way"
    assert seen(some, canary, STANDBY, 200.0) == "2"


def test_each_region_has_a_canary_and_sees_the_others_whoever_looks_first():
    some = rules()
    canary = Canary(some, np.random.default_rng(1))
    back = {"id": {"S": "back"}, "written_ms": {"N": "7"}}
    some.now = lambda: 10.0
    canary.put(STANDBY, back)
    written(some, canary, 10.0, "1")
    some.now = lambda: 60.0
    assert canary.seen_in(STANDBY, {"id": back["id"]}) == back, "it looks at its own first"
    assert canary.seen_in(PRIMARY, {"id": back["id"]}) == back
    assert canary.seen_in(STANDBY, {"id": ITEM["id"]}) is not None


def test_a_canary_that_arrives_behind_a_later_one_changes_nothing():
    some = rules()
    canary = Canary(some, np.random.default_rng(1))
    written(some, canary, 10.0, "1")
    written(some, canary, 12.0, "2")
    (_, *first), (_, *second) = canary.on_the_way[PRIMARY]
    canary.on_the_way[PRIMARY] = [(18.0, *first), (13.0, *second)]
    assert seen(some, canary, STANDBY, 14.0) == "2"
    assert seen(some, canary, STANDBY, 20.0) == "2", "the last writer wins, however late the first one comes"


# -- the account that is laid out


@pytest.fixture
def account() -> Iterator[Account]:
    service = ground.prepared("techmoda")
    world = World("test", 1, Place(*NAMES), (DARK,), 10.0, 18.0)
    some = Rules(world.regions, PRIMARY, (OUTAGE,))
    with opened(service, world, some, 1_795_000_000.0, np.random.default_rng(1)) as found:
        yield found


def test_what_sereno_writes_where_the_check_looks_takes_effect_in_the_world(account):
    aws, bucket = account.aws(STANDBY), account.recovery.bucket
    account.rules.now = lambda: 150.0
    aws.client("s3").put_object(Bucket=bucket, Key="techmoda/primary-out", Body=b"out")
    assert account.world.switchings == [(150.0, True)]
    assert not account.world.object_there(149.0)
    aws.client("s3").delete_object(Bucket=bucket, Key="techmoda/primary-out")
    assert not account.world.object_there(150.0)


def test_a_call_that_is_refused_takes_no_effect(account):
    account.rules.now = lambda: 150.0
    change = {"Action": "UPSERT", "ResourceRecordSet": {"SetIdentifier": STANDBY, "Weight": 100}}
    with pytest.raises(ClientError):
        account.aws(STANDBY).client("route53").change_resource_record_sets(
            HostedZoneId=account.recovery.zone, ChangeBatch={"Changes": [change]}
        )
    account.world.advance(300)
    assert PRIMARY in account.world.answered(), "no record was changed"
    assert len(account.rules.forbidden) == 1


def test_each_region_has_a_ledger_of_its_own_and_one_table_is_replicated(account):
    ledger, products = f"sereno-{account.service.name}-ledger", account.service.tables["products"].name
    account.rules.now = lambda: 10.0
    here, there = (account.aws(one).client("dynamodb") for one in (PRIMARY, STANDBY))
    row = {"pk": {"S": "EVIDENCE"}, "sk": {"S": "primary"}}
    here.put_item(TableName=ledger, Item=row)
    here.put_item(TableName=products, Item=ITEM)
    account.rules.now = lambda: 10.0 + MOST_S
    assert here.get_item(TableName=ledger, Key=row) == {"Item": row}
    assert there.get_item(TableName=ledger, Key=row) == {}
    assert there.get_item(TableName=products, Key={"id": ITEM["id"]}) == {"Item": ITEM}
