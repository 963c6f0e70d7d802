"""How old the newest copy of each table is that lies in the standby's vault: what helps against bad data, which is
replicated like good data. Only the standby's own region is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sereno.model import Json
from sereno.ports import Permission
from sereno.service import Service

# One a day, with an hour until it begins, eight until it is done, and as long for the copy.
OLD = timedelta(hours=42)
# Looked for so far back, for older ones change nothing.
WITHIN = timedelta(days=4)
_VAULT = "arn:{partition}:backup:{region}:{account}:backup-vault:sereno-{service}"
PERMISSIONS: tuple[Permission, ...] = (
    Permission("backup.describe_backup_vault", _VAULT),
    Permission("backup.list_recovery_points_by_backup_vault", _VAULT),
)


@dataclass(frozen=True, slots=True)
class Copies:
    """When the vault was made, and when the newest finished copy of each table in it was, by the table's name."""

    made: datetime
    newest: Mapping[str, datetime]

    def judged(self, table: str, now: datetime) -> tuple[bool | None, str, float]:
        """Whether there is a copy that is not too old (None: the vault is too young to have one), in words, and its
        age in seconds (0: there is none)."""
        newest = self.newest.get(table)
        if newest is not None:
            age = now - newest
            hours = age.total_seconds() / 3600
            return age <= OLD, f"copied {hours:.0f} h ago, once a day", age.total_seconds()
        if now - self.made <= OLD:
            return None, "no copy yet; the vault is younger than two nights", 0.0
        return False, f"no copy in {WITHIN.days} days", 0.0


def read(client: Any, service: Service, now: datetime) -> Copies:
    """What the vault of this region has. Raises what AWS raises."""
    vault = f"sereno-{service.name}"
    made = client.describe_backup_vault(BackupVaultName=vault)["CreationDate"]
    wanted: Json = {
        "BackupVaultName": vault,
        "ByResourceType": "DynamoDB",
        "ByCreatedAfter": now - WITHIN,
        "MaxResults": 1000,
    }
    newest: dict[str, datetime] = {}
    while True:
        answer = client.list_recovery_points_by_backup_vault(**wanted)
        for point in answer["RecoveryPoints"]:
            # A copy keeps the ARN of the table that it was made of, which lies in the first region.
            name = point["ResourceArn"].rpartition("/")[2]
            if point["Status"] == "COMPLETED":
                newest[name] = max(point["CreationDate"], newest.get(name, point["CreationDate"]))
        if not answer.get("NextToken"):
            return Copies(made, newest)
        wanted["NextToken"] = answer["NextToken"]
