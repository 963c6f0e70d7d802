"""What the watch of the standby knows of the primary, in its own ledger.

    EVIDENCE  primary         what the standby's prober has folded together, and the last numbers it has heard
    EVIDENCE  moved           when customers were moved last, and how long they had gone without
    EVIDENCE  share           the primary's share of the records, while anything changes it
    WITNESS#<name>  WORD      what the prober of another region writes: a number that grows, and what it saw
    WITNESS#back    WORD      what the standby wrote last and has come to the primary
    SWITCH    primary         that traffic is to be elsewhere, where a metric and no object says so
    SWITCH    hold            that a standby which is lost for a moment gives no traffic back, likewise
    ASK       <what>          that a person wants traffic moved, or back

Each has a partition of its own because each has a writer of its own (`partitions`). The rows of other regions come by
a write from there into this table: the standby asks nobody. For one version the places where an earlier one wrote
(`EVIDENCE` with `witness#<name>` and `switch`) are read too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from remediators import items, partitions
from remediators.reading import read_many
from sereno.model import Json, instant, iso
from sereno.ports import Aws
from sereno.recovery import Evidence, Witness
from sereno.service import REGION_BACK, REGION_OUT, Service
from sereno.serving import active

PK, PRIMARY, MOVED, SHARE = partitions.EVIDENCE, "primary", "moved", "share"
SWITCH, HOLD = (partitions.SWITCH, "primary"), (partitions.SWITCH, "hold")
WORD = "WORD"
# Where an earlier version wrote. Read for one version, never written.
_OLD_WITNESS, _OLD_SWITCH = "witness#", "switch"
# The rows in which a plan may write that traffic is to be elsewhere.
SWITCH_ROWS = frozenset({SWITCH, HOLD})
# Whose word is no sighting: its number is what the standby wrote last and has come to the primary.
BACK = "back"


@dataclass(frozen=True, slots=True)
class Word:
    """What a prober elsewhere wrote last: a number that grows with each try, and what it saw of the primary. None
    in `ok` says that it only shows a sign of life. `readable` says whether it could read the switch's public object
    (None: it did not look)."""

    number: int
    ok: bool | None
    detail: str = ""
    readable: bool | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """That a person wants traffic moved (`region-out`) or back (`region-back`)."""

    what: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """That customers were moved to the standby, and how long (seconds) after the first failing try of the primary."""

    at: datetime
    took_s: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything that is known: the evidence (None before the first try), the last numbers that went into it, the
    words of others, what people asked for, whether the switch row says that traffic is to be elsewhere, the last
    move (None: there was none), the primary's share (percent, None: nothing has changed it), and whether the hold's
    row is there."""

    evidence: Evidence | None = None
    heard: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, Word] = field(default_factory=dict)
    canary: int = 0
    out: bool = False
    asks: tuple[Ask, ...] = ()
    moved: Moved | None = None
    share: int | None = None
    held: bool = False


def table_of(service: Service) -> str:
    """The ledger's name, the same in every region."""
    return f"sereno-{service.name}-ledger"


def place(witness: str) -> str:
    """The partition in which a prober elsewhere leaves word."""
    return f"{partitions.WITNESS}{witness}"


def read(client: Any, service: Service) -> Rows:
    """All of it, in two calls. Raises what AWS raises, LedgerUnavailable when the table answers only a part, and
    ValueError or KeyError on a row that cannot be read."""
    table = table_of(service)
    answer = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues=items.values(pk=PK),
        ConsistentRead=True,
    )
    found: dict[str, Json] = {row["sk"]["S"]: row for row in answer["Items"]}
    own = json.loads(found[PRIMARY]["doc"]["S"]) if PRIMARY in found else None
    names = (*map(str, Witness), BACK)
    keys = [items.key(place(name), WORD) for name in names]
    keys += [
        items.key(*SWITCH),
        items.key(*HOLD),
        *(items.key(partitions.ASK, what) for what in (REGION_OUT, REGION_BACK)),
    ]
    others = read_many(lambda operation, **asked: getattr(client, operation)(**asked), table, keys)
    by_place: dict[tuple[str, str], Json] = {(row["pk"]["S"], row["sk"]["S"]): row for row in others}
    said = {name: by_place.get((place(name), WORD)) or found.get(f"{_OLD_WITNESS}{name}") for name in names}
    words = {name: _word(json.loads(row["doc"]["S"])) for name, row in said.items() if row}
    asks = tuple(
        Ask(what, row["by"]["S"], instant(row["at"]["S"]))
        for (pk, what), row in by_place.items()
        if pk == partitions.ASK
    )
    out = SWITCH in by_place or _OLD_SWITCH in found
    held = HOLD in by_place
    moved = _moved(json.loads(found[MOVED]["doc"]["S"])) if MOVED in found else None
    share = int(found[SHARE]["share"]["N"]) if SHARE in found else None
    if own is None:
        return Rows(words=words, out=out, asks=asks, moved=moved, share=share, held=held)
    heard = {str(name): int(number) for name, number in own["heard"].items()}
    known, canary = Evidence.from_json(own["evidence"]), int(own.get("canary", 0))
    return Rows(known, heard, words, canary, out, asks, moved, share, held)


def _moved(data: Mapping[str, Any]) -> Moved:
    return Moved(instant(data["at"]), float(data["took_s"]))


def note_move(client: Any, service: Service, moved: Moved) -> None:
    """Keeps the last move. Raises what AWS raises."""
    doc = json.dumps({"at": iso(moved.at), "took_s": round(moved.took_s, 1)}, separators=(",", ":"))
    client.put_item(TableName=table_of(service), Item=items.item(PK, MOVED, doc=doc))


def note_share(client: Any, service: Service, share: int) -> None:
    """Keeps the primary's share of the records, as it was read last (percent). Raises what AWS raises."""
    client.put_item(TableName=table_of(service), Item=items.item(PK, SHARE, share=share))


def _word(data: Mapping[str, Any]) -> Word:
    ok = data["ok"]
    return Word(
        int(data["number"]), None if ok is None else bool(ok), str(data.get("detail", "")), data.get("readable")
    )


def write(client: Any, service: Service, evidence: Evidence, heard: Mapping[str, int], canary: int) -> None:
    """Notes the evidence. Only the standby's prober does, and it runs alone. Raises what AWS raises."""
    doc = json.dumps({"evidence": evidence.to_json(), "heard": dict(heard), "canary": canary}, separators=(",", ":"))
    serves = active(evidence, service.recovery) if service.recovery else evidence.serving
    row = items.item(PK, PRIMARY, doc=doc, serving=serves, number=int(evidence.at.timestamp() * 1000))
    client.put_item(TableName=table_of(service), Item=row)


def who_serves(client: Any, service: Service) -> tuple[str, int]:
    """The region that serves, as the standby noted it last, and a number that grows with each of its notes. Empty and
    0 where it has noted nothing. `client` is of the standby's region. Raises what AWS raises."""
    answer = client.get_item(
        TableName=table_of(service),
        Key=items.key(PK, PRIMARY),
        ProjectionExpression="serving, #number",
        ExpressionAttributeNames={"#number": "number"},
    )
    row = answer.get("Item", {})
    return row.get("serving", {}).get("S", ""), int(row.get("number", {}).get("N", "0"))


def tell(client: Any, service: Service, witness: str, word: Word) -> None:
    """Leaves word in the standby's ledger; `client` is of the standby's region. Raises what AWS raises."""
    said = {"number": word.number, "ok": word.ok, "detail": word.detail[:200], "readable": word.readable}
    doc = json.dumps(said, separators=(",", ":"))
    client.put_item(TableName=table_of(service), Item=items.item(place(witness), WORD, doc=doc))


def ask(client: Any, service: Service, wanted: Ask) -> None:
    """Notes what a person wants; the standby's prober or round begins it. Raises what AWS raises."""
    row = items.item(partitions.ASK, wanted.what, by=wanted.by, at=iso(wanted.at))
    client.put_item(TableName=table_of(service), Item=row)


def answered(client: Any, service: Service, wanted: Ask) -> None:
    """Forgets what was asked, unless it was asked anew. Raises what AWS raises."""
    try:
        client.delete_item(
            TableName=table_of(service),
            Key=items.key(partitions.ASK, wanted.what),
            ConditionExpression="#at = :at",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues=items.values(at=iso(wanted.at)),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def behind(rows: Rows, now: datetime) -> float | None:
    """How far the primary's data is behind the standby's (seconds): how old the newest canary of the standby is that
    the primary has told of. Both times are of the standby's clock. None where it never told."""
    word = rows.words.get(BACK)
    return None if word is None or not word.number else max(0.0, now.timestamp() - word.number / 1000)


def of(aws: Aws, service: Service) -> Rows:
    """What this region's watch knows, for a remediator. Raises what AWS raises."""
    return read(aws.client("dynamodb", service.region), service)
