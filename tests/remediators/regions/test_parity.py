"""The standby must be as large as declared, all year."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from remediators import copies, parity, region_settings
from remediators.copies import Copies
from remediators.region_settings import Settings
from sereno.service import Table
from tests.remediators.regions.conftest import PRIMARY, STANDBY, Regions, function


@pytest.fixture
def sized(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> Regions:
    """The standby has its function, its table and point-in-time recovery."""
    # moto does not know the account's settings.
    monkeypatch.setattr(region_settings, "concurrency", lambda _: 1000)
    real = regions.real[STANDBY]
    function(real, "techmoda-read", 120)
    function(real, "techmoda-write", None)
    real.client("dynamodb").update_continuous_backups(
        TableName="techmoda-products", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    return regions


def missing(regions: Regions) -> dict[str, str]:
    return {one.name: one.detail for one in parity.check(regions.standby).missing}


def declared(regions: Regions, **changes: Any) -> None:
    service = regions.standby.service
    table = replace(service.tables["products"], **changes)
    regions.watches[STANDBY] = replace(regions.standby, service=replace(service, tables={"products": table}))


def test_a_standby_that_has_everything_lacks_nothing(sized: Regions):
    assert missing(sized) == {}
    found = parity.read(sized.real[STANDBY].client("dynamodb"), sized.standby.service)
    assert found is not None
    assert found.at == sized.clock.now()
    assert len(found.parts) == 7


def test_a_copy_that_is_too_old_is_named_and_its_age_is_a_metric(sized: Regions, monkeypatch):
    now = sized.clock.now()
    old = Copies(now - timedelta(days=30), {"techmoda-products": now - timedelta(hours=60)})
    monkeypatch.setattr(copies, "read", lambda *_: old)
    assert missing(sized) == {"copy of techmoda-products": "copied 60 h ago, once a day"}
    assert sized.told.total("BackupAge") == 60 * 3600


def test_a_vault_that_cannot_be_asked_is_not_known_and_no_reason_for_an_alarm(sized: Regions):
    """The embedded AWS has no vault here."""
    found = parity.check(sized.standby)
    (copy,) = [one for one in found.parts if one.name.startswith("copy of")]
    assert copy.ok is None
    assert copy.detail.startswith("could not be asked: AccessDenied")
    assert copy.detail.endswith("the vault sereno-techmoda is absent: deploy the standby again")


def test_a_function_that_may_do_less_is_named(sized: Regions):
    client = sized.real[STANDBY].client("lambda")
    client.put_function_concurrency(FunctionName="techmoda-read", ReservedConcurrentExecutions=40)
    assert missing(sized) == {"function techmoda-read": "reserved 40, declared 120"}
    client.delete_function_concurrency(FunctionName="techmoda-read")
    assert missing(sized) == {"function techmoda-read": "unreserved, declared 120"}
    assert sized.told.total("ParityMissing") == 2


def test_a_table_without_recovery_or_of_less_capacity_is_named(sized: Regions):
    client = sized.real[STANDBY].client("dynamodb")
    client.update_continuous_backups(
        TableName="techmoda-products", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    assert missing(sized) == {"recovery of techmoda-products": "point-in-time recovery is off"}
    client.update_table(
        TableName="techmoda-products",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 50},
    )
    declared(sized, billing="provisioned", read=300, write=50)
    assert missing(sized)["table techmoda-products"] == "10 read units, declared 300"
    declared(sized, billing="on-demand")
    assert missing(sized)["table techmoda-products"] == "provisioned, declared on demand"


def test_what_is_not_there_is_missing_and_what_cannot_be_asked_is_not_known(sized: Regions):
    service = sized.standby.service
    tables = {**service.tables, "orders": Table("orders", "techmoda-orders")}
    sized.watches[STANDBY] = replace(sized.standby, service=replace(service, tables=tables))
    assert missing(sized) == {"table techmoda-orders": "is not there"}


def test_the_round_looks_every_five_minutes_and_at_its_own_region_alone(sized: Regions):
    sized.called[STANDBY].calls.clear()
    sized.tries(600)
    asked = [call for call in sized.called[STANDBY].calls if call[1] == "describe_continuous_backups"]
    assert len(asked) == 2
    assert PRIMARY not in {region for _, _, region in sized.called[STANDBY].calls}


# -- as in the first region


def first_told(regions: Regions, **changes: Any) -> None:
    """The first region's reconciler leaves word; `changes` are of what it finds."""
    found = replace(region_settings.collect(regions.real[PRIMARY], regions.watches[PRIMARY].service), **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(region_settings, "collect", lambda *_: found)
        region_settings.tell(regions.watches[PRIMARY])


def test_quotas_are_held_against_what_the_first_region_told(sized: Regions):
    first_told(sized, concurrency=3000)
    assert missing(sized) == {"concurrency as in the first region": "1000 executions, 3000 there"}
    first_told(sized, concurrency=1000)
    assert missing(sized) == {}


def test_the_capacity_limits_of_dynamodb_too():
    there = Settings(1000, {"table_read": 80_000, "table_write": 40_000}, {})
    here = Settings(1000, {"table_read": 40_000, "table_write": 40_000}, {})
    found = {name: (ok, detail) for name, ok, detail in region_settings.compare(there, here)}
    assert found["DynamoDB quota table_read"] == (False, "40000 units, 80000 there")
    assert found["DynamoDB quota table_write"][0] is True
    unread = {name for name, _, _ in region_settings.compare(there, replace(here, capacity={}))}
    assert unread == {"concurrency as in the first region"}


@pytest.mark.parametrize(
    ("source", "there", "here", "ok"),
    [
        ("sqs:orders", "Enabled", "Enabled", True),
        ("sqs:orders", "Enabled", "Disabled", False),
        ("sqs:orders", "Enabled", None, False),
        ("dynamodb:table/products", "Enabled", "Disabled", None),
        ("sqs:orders", "Disabled", None, "not asked"),
    ],
)
def test_event_sources_are_enabled_as_in_the_first_region(source, there, here, ok):
    first = Settings(1000, {}, {"write": {source: there}})
    own = Settings(1000, {}, {"write": {source: here}} if here else {})
    found = {name: said for name, said, _ in region_settings.compare(first, own)}
    assert found.get(f"events of write from {source}", "not asked") is ok


@pytest.mark.parametrize(
    ("arn", "source"),
    [
        ("arn:aws:sqs:eu-west-1:1:orders", "sqs:orders"),
        ("arn:aws:dynamodb:eu-west-1:1:table/products/stream/2026-01-01T00:00:00.000", "dynamodb:table/products"),
        ("arn:aws:kinesis:eu-west-1:1:stream/clicks", "kinesis:stream/clicks"),
        ("arn:aws:kafka:eu-west-1:1:cluster/shop/5f2c1a-7", "kafka:cluster/shop"),
    ],
)
def test_a_source_has_the_same_name_in_every_region(arn, source):
    assert region_settings.source_of(arn) == source


def test_mappings_are_read_from_both_regions_and_the_standby_asks_only_its_own(sized: Regions):
    real = sized.real[PRIMARY]
    function(real, "techmoda-read", 120)
    function(real, "techmoda-write", None)
    url = real.client("sqs").create_queue(QueueName="orders")["QueueUrl"]
    arn = f"arn:aws:sqs:{PRIMARY}:123456789012:orders"
    made = real.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="techmoda-write")
    region_settings.tell(sized.watches[PRIMARY])
    sized.called[STANDBY].calls.clear()
    assert missing(sized) == {"events of write from sqs:orders": "not there, Enabled in the first region"}
    assert PRIMARY not in {region for _, _, region in sized.called[STANDBY].calls}
    real.client("lambda").delete_event_source_mapping(UUID=made["UUID"])
    real.client("sqs").delete_queue(QueueUrl=url)


def test_a_standby_that_cannot_be_reached_fails_no_reconciler_of_the_first(sized: Regions):
    sized.called[PRIMARY].before = lambda service, operation, region: (
        EndpointConnectionError(endpoint_url="x") if region == STANDBY else None
    )
    region_settings.tell(sized.watches[PRIMARY])
    (part,) = (one for one in parity.check(sized.standby).parts if one.name == "settings of the first region")
    assert part.ok is None
