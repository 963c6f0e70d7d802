"""DynamoDB's control plane as callers meet it: UpdateTable that takes minutes, DescribeTable that says so, limits.

What is true of capacity is in `drills.table_updates`; the embedded AWS learns of it when a change is through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from drills.table_model import KINDS
from drills.table_updates import Lane, Refused, TableUpdates, Update
from sereno.model import Json

UNITS = {"read": "ReadCapacityUnits", "write": "WriteCapacityUnits"}
WHO = "UpdateTable"
# Defaults of an account in a Region, which DescribeLimits answers.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
LIMITS: Mapping[str, int] = {
    "AccountMaxReadCapacityUnits": 80_000,
    "AccountMaxWriteCapacityUnits": 80_000,
    "TableMaxReadCapacityUnits": 40_000,
    "TableMaxWriteCapacityUnits": 40_000,
}


class Tables:
    """The answers about a drill's tables. `client` is the embedded AWS's DynamoDB, `clock` answers epoch seconds.

    Tables that are not the world's (the ledger) are left to the embedded AWS.
    """

    def __init__(self, updates: TableUpdates, clock: Callable[[], float], client: Callable[[], Any]) -> None:
        self._updates = updates
        self._clock = clock
        self._client = client
        self._ours = False

    def update(self, params: Json) -> Json | None:
        """UpdateTable: begun, and answered with the table as it still is. Raises ClientError as AWS refuses."""
        table = params["TableName"]
        if self._ours or not self._known(table):
            return None
        try:
            self._updates.begin(table, wanted(params), self._clock(), by=WHO, params=params)
        except Refused as refused:
            from botocore.exceptions import ClientError

            error = {"Error": {"Code": refused.code, "Message": refused.message}}
            raise ClientError(error, "UpdateTable") from None
        return {"TableDescription": self._client().describe_table(TableName=table)["Table"]}

    def describe(self, params: Json, answer: Json) -> None:
        """DescribeTable: the embedded AWS's answer, with the change under way and the day's decreases."""
        name, table = params["TableName"], answer.get("Table")
        if table is None or not self._known(name):
            return
        running = self._updates.running(name)
        # While an index alone is changed, its table is UPDATING too.
        table["TableStatus"] = "UPDATING" if running else "ACTIVE"
        self._count(name, None, table)
        for index in table.get("GlobalSecondaryIndexes") or ():
            busy = running is not None and running.touches(index["IndexName"])
            index["IndexStatus"] = "UPDATING" if busy else "ACTIVE"
            self._count(name, index["IndexName"], index)

    def apply(self, update: Update) -> None:
        """A change is through: the embedded AWS is told what it holds now."""
        self._ours = True
        try:
            self._client().update_table(**(update.params or self._call(update)))
        finally:
            self._ours = False

    def _known(self, table: str) -> bool:
        return self._updates.knows(table)

    def _count(self, table: str, index: str | None, part: Json) -> None:
        throughput = part.setdefault("ProvisionedThroughput", {})
        throughput["NumberOfDecreasesToday"] = len(self._updates.decreases(table, index, self._clock()))
        for name, moment in (
            ("LastDecreaseDateTime", self._updates.decreased(table, index)),
            ("LastIncreaseDateTime", self._updates.increased(table, index)),
        ):
            if moment is not None:
                throughput[name] = datetime.fromtimestamp(moment, UTC)

    def _call(self, update: Update) -> Json:
        """The UpdateTable of a change that Application Auto Scaling made: each part with its reads and writes."""
        params: Json = {"TableName": update.table}
        for index in sorted({lane[1] or "" for lane in update.wanted}):
            values = {UNITS[kind]: self._updates.units((update.table, index or None, kind)) for kind in KINDS}
            if index:
                change = {"Update": {"IndexName": index, "ProvisionedThroughput": values}}
                params.setdefault("GlobalSecondaryIndexUpdates", []).append(change)
            else:
                params["ProvisionedThroughput"] = values
        return params


def wanted(params: Json) -> dict[Lane, int]:
    """The capacities that an UpdateTable names; none for one that is about something else."""
    table, found = params["TableName"], {}
    parts: list[tuple[str | None, Json]] = [(None, params.get("ProvisionedThroughput") or {})]
    for change in params.get("GlobalSecondaryIndexUpdates", ()):
        one = change.get("Update", {})
        parts.append((one.get("IndexName"), one.get("ProvisionedThroughput") or {}))
    for index, values in parts:
        for kind in KINDS:
            if UNITS[kind] in values:
                found[table, index, kind] = int(values[UNITS[kind]])
    return found
