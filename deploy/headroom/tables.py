"""A table's limits, lane by lane (reads or writes of the table or of an index), and its quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.account import LaneFacts, TableFacts
from deploy.headroom.finding import RAISE, Finding, Look, State
from remediators.table_demand import KINDS, Lane
from sereno.service import Play, Table

QUOTA = {
    "read": "DynamoDB's quota for reads of a table (L-CF0CBE56)",
    "write": "DynamoDB's quota for writes of a table (L-AB614373)",
}

Key = tuple[str, str]
Needs = Mapping[Key, int | None]


def needed(look: Look, table: Table) -> dict[Key, int | None]:
    """The units of each lane that hold the surge; None where the normal is not known."""
    found: dict[Key, int | None] = {}
    for play in look.surge.raising("table") or (Play("surge", ()),):
        needs = look.paper.units_needed(RAISE["table"], table.name, play, look.surge.signal)
        for key, need in needs.items():
            found[key] = need if need is None else max(need, found.get(key) or 0)
    return found


def findings(look: Look, table: Table, needs: Needs) -> Iterator[Finding]:
    """Everything about one table."""
    facts = look.account.tables[table.name]
    for key, need in needs.items():
        lane = facts.lanes[key]
        if need is None:
            index, kind = key
            place = f"resources.tables.{table.key}" + (f".indexes.{index}" if index else "")
            mend = f"{place}.normal.{kind}: write how many units an ordinary busy hour consumes each second"
            yield look.unknown(table.key, Lane(*key).name, "units", lane.limit, mend)
        elif facts.provisioned or lane.limit is not None:
            yield _bounded(look, table, key, lane, need)
        else:
            yield _on_demand(look, table, key, lane)
    for kind in KINDS:
        yield from _quota(look, table, facts, kind, needs)


def total(facts: TableFacts, needs: Needs, kind: str) -> int:
    """Units of a kind that the table and its indexes have together once all are as large as they need be."""
    return sum(max(lane.limit or 0, needs[key] or 0) for key, lane in facts.lanes.items() if key[1] == kind)


def _bounded(look: Look, table: Table, key: Key, lane: LaneFacts, need: int) -> Finding:
    what, unit, has = Lane(*key).name, "units", lane.limit or 0
    if has >= need:
        whose = "provisioned" if lane.units else "on-demand maximum"
        return look.holds(table.key, what, unit, need, has, whose=whose, mend="")
    if look.surge.raising("table"):
        return look.ceiling("table", f"{key[1]}_ceiling", table.key, what, unit, need)
    most = lane.target[1] if lane.target else has
    whose = "auto scaling's maximum" if lane.target else "no play raises it"
    mend = f"{_place(table, key, lane)}: {most} -> {need}, or a play with {RAISE['table']}"
    found = look.holds(table.key, what, unit, need, most, whose=whose, mend=mend)
    if found.state is State.HOLDS:
        late = "auto scaling follows within minutes; what comes faster is throttled"
        return look.say(State.LOOK, table.key, what, unit, need, most, whose, late)
    return found


def _place(table: Table, key: Key, lane: LaneFacts) -> str:
    """Where the number stands: what auto scaling owns, and an on-demand maximum, are on AWS alone."""
    index, kind = key
    if lane.target or not lane.units:
        name = "auto scaling maximum" if lane.target else "on-demand maximum"
        return f"{name} of {table.name} {Lane(*key).name}"
    return f"resources.tables.{table.key}{f'.indexes.{index}' if index else ''}.{kind}"


def _on_demand(look: Look, table: Table, key: Key, lane: LaneFacts) -> Finding:
    """It is not sized, it follows: what counts is what is asked for, and how much of it comes at once."""
    asked, whose = look.surge.factor * (lane.normal or 0.0), "on demand, at once"
    if asked <= lane.warm:
        return look.holds(table.key, Lane(*key).name, "units", asked, lane.warm, whose=whose, mend="")
    mend = "more comes only with half an hour of growth: pre-warm it (limits.warm: true asks first)"
    return look.say(State.LOOK, table.key, Lane(*key).name, "units", asked, lane.warm, whose, mend)


def _quota(look: Look, table: Table, facts: TableFacts, kind: str, needs: Needs) -> Iterator[Finding]:
    """It holds for a table with its indexes, whatever the billing. Told where it comes near."""
    if facts.provisioned:
        units: float = total(facts, needs, kind)
    else:
        asked = [look.surge.factor * (lane.normal or 0.0) for (_, one), lane in facts.lanes.items() if one == kind]
        units = max(asked, default=0.0)
    quota = facts.quota[kind]
    if units > quota / 2:
        whose = "quota of a table with its indexes" if facts.provisioned else "quota of a table"
        mend = f"{QUOTA[kind]}: {quota} -> {units:.0f}"
        yield look.holds(table.key, f"all {kind}", "units", units, quota, whose=whose, mend=mend)
