"""The remediations of a drill, as its result holds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drills.cloud import Cloud
from remediators.ledger import Ledger
from sereno.model import Json


def raw(cloud: Cloud) -> list[Json]:
    """Every item of the ledger as DynamoDB holds it, by key: for a recording."""
    pages = cloud.clients("dynamodb").get_paginator("scan").paginate(TableName=cloud.created.physical("Ledger"))
    found: list[Json] = [one for page in pages for one in page["Items"]]
    return sorted(found, key=lambda one: (one["pk"]["S"], one["sk"]["S"]))


def ledger_rows(cloud: Cloud, start: float, end: float) -> list[Json]:
    """Every remediation in the ledger with its history, oldest first, for the result. `start` and `end` are epoch
    seconds."""
    table = cloud.created.physical("Ledger")
    ledger = Ledger(cloud.clients("dynamodb"), table, cloud.service.name)
    day, last = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    ids: list[str] = []
    while day.date() <= last.date():
        ids += ledger.day(f"{day:%Y-%m-%d}")
        day += timedelta(days=1)
    rows = []
    for one in ids:
        found = ledger.get(one)
        if found is None:
            continue
        rows.append(
            {
                "id": found.id,
                "incident": found.incident,
                "signal": found.signal.name,
                "source": found.signal.source,
                "remediator": found.remediator,
                "target": found.target.to_json(),
                "status": str(found.status),
                "reason": str(found.reason),
                "detail": found.detail,
                "mode": str(found.mode),
                "what": found.signal.what,
                "at_s": found.created.timestamp() - start,
                "plan": found.plan.to_json() if found.plan else None,
                "events": [{**event.to_json(), "at_s": event.at.timestamp() - start} for event in ledger.events(one)],
            }
        )
    return rows


def opened(rows: list[Json]) -> list[Json]:
    """The incidents that were opened for a person, out of the result's remediations."""
    pages = [one for one in rows if one["remediator"] == "open_incident" and one["status"] == "ESCALATED"]
    return [{"id": one["incident"], "title": one["target"]["name"]} for one in pages]
