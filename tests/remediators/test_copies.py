"""How old the newest copies in the standby's vault are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from remediators import copies
from tests.remediators.regions.conftest import service

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/"


class Vault:
    """AWS Backup as far as a vault is asked, two points a page."""

    def __init__(self, *points: Any, days: float = 30) -> None:
        self.points, self.days, self.asked = list(points), days, []

    def describe_backup_vault(self, **wanted: Any) -> Any:
        self.asked.append(wanted)
        return {"CreationDate": NOW - timedelta(days=self.days)}

    def list_recovery_points_by_backup_vault(self, **wanted: Any) -> Any:
        self.asked.append(wanted)
        begins = int(wanted.get("NextToken", 0))
        page = {"RecoveryPoints": self.points[begins : begins + 2]}
        return {**page, "NextToken": str(begins + 2)} if begins + 2 < len(self.points) else page


def point(table: str, hours: float, status: str = "COMPLETED") -> Any:
    return {"ResourceArn": f"{ARN}{table}", "Status": status, "CreationDate": NOW - timedelta(hours=hours)}


def read(*points: Any, days: float = 30) -> copies.Copies:
    return copies.read(Vault(*points, days=days), service(), NOW)


def test_the_newest_finished_copy_of_each_table_counts_whatever_the_pages():
    found = read(
        point("orders", 9, "PARTIAL"), point("products", 57), point("products", 9), point("orders", 33), point("x", 1)
    )
    assert found.newest["products"] == NOW - timedelta(hours=9)
    assert found.newest["orders"] == NOW - timedelta(hours=33), "what is not finished is no copy"


@pytest.mark.parametrize(("hours", "ok"), [(0, True), (24, True), (41.9, True), (42.1, False), (90, False)])
def test_a_copy_is_old_when_a_night_was_missed(hours, ok):
    judged = read(point("products", hours)).judged("products", NOW)
    assert judged == (ok, f"copied {hours:.0f} h ago, once a day", pytest.approx(hours * 3600))


@pytest.mark.parametrize(("days", "ok"), [(0.1, None), (1.7, None), (1.8, False), (30, False)])
def test_a_vault_of_yesterday_need_not_have_one(days, ok):
    assert read(days=days).judged("products", NOW)[0] is ok


def test_only_the_services_own_vault_and_the_last_days_are_asked_for():
    vault = Vault()
    copies.read(vault, service(), NOW)
    assert {one["BackupVaultName"] for one in vault.asked} == {"sereno-techmoda"}
    assert vault.asked[1]["ByCreatedAfter"] == NOW - timedelta(days=4)
