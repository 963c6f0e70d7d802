"""The standby must be as large as declared, all year."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remediators import copies, parity
from remediators.copies import Copies
from sereno.service import Table
from tests.remediators.regions.conftest import PRIMARY, STANDBY, Regions, function


@pytest.fixture
def sized(regions: Regions) -> Regions:
    """The standby has its function, its table and point-in-time recovery."""
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
    assert len(found.parts) == 6


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
    assert copy.detail.startswith("could not be asked")


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
