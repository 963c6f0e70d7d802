"""Which of the account's quotas is the limit: what the surge to be ready for needs, against what AWS allows. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from remediators.actions._pool import UNRESERVED_MINIMUM
from remediators.quotas import ACCOUNT, CONCURRENCY, REQUESTS, TABLE, Quota
from sereno.chance import with_peaks
from sereno.model import Json
from sereno.ports import Context
from sereno.service import Function, Index, Table


@dataclass(frozen=True, slots=True)
class Need:
    """What a quota must allow, and how that came about."""

    quota: Quota
    units: int
    why: str


def all_needs(observation: Json, context: Context) -> list[Need]:
    """What every relevant quota must allow."""
    found: list[Need] = []
    if context.service.functions:
        found.append(_concurrency(observation, context))
    if context.service.tables:
        found += _tables(observation, context)
    if context.service.apis:
        found.append(_requests(observation, context))
    return found


def _concurrency(observation: Json, context: Context) -> Need:
    """Every function's surge, what others of the account have reserved (Sereno's own functions too), and a pool for
    those who reserve nothing."""
    ours = observation["reserved"]
    claimed = observation["concurrency"] - observation["unreserved"]
    others = max(0, claimed - sum(value or 0 for value in ours.values()))
    needed = {
        one.name: max(ours[one.name] or 0, _executions(one, observation, context))
        for one in context.service.functions.values()
    }
    pool = max(UNRESERVED_MINIMUM, context.service.unreserved_floor, math.ceil(observation["pool_peak"]))
    total = sum(needed.values()) + others + pool
    each = ", ".join(f"{name} {units}" for name, units in needed.items())
    return Need(CONCURRENCY, total, f"{each}, {others} reserved by others, {pool} unreserved")


def _executions(function: Function, observation: Json, context: Context) -> int:
    normal = function.normal or observation["normal"].get(function.name)
    if not normal:
        return function.reserved or 0
    surge, params = context.factor * normal, context.params
    wanted: float = max(params["surge_headroom"] * surge, with_peaks(surge, params["sigmas"]))
    return math.ceil(wanted)


def _tables(observation: Json, context: Context) -> list[Need]:
    """The most that one table or index needs, and what all provisioned ones need together."""
    found: list[Need] = []
    for kind in ("read", "write"):
        by_table = {one.name: _units(one, kind, context) for one in context.service.tables.values()}
        busiest = max(by_table, key=lambda name: by_table[name])
        found.append(Need(TABLE[kind], by_table[busiest], f"{busiest} with its indexes"))
        provisioned = [one for one in context.service.tables.values() if one.provisioned]
        if not provisioned:
            continue
        declared = sum(_declared(one, kind) for one in provisioned)
        used = observation["account_used"][kind] * observation["limits"][f"account_{kind}"] / 100
        others = max(0, math.ceil(used) - declared)
        total = sum(by_table[one.name] for one in provisioned)
        found.append(Need(ACCOUNT[kind], total + others, f"{total} of this service, {others} of others"))
    return found


def _units(table: Table, kind: str, context: Context) -> int:
    times = context.params["surge_headroom"] * context.factor
    wanted = [(_of(one, kind) or 0, math.ceil(times * (_normal(one, kind) or 0))) for one in _parts(table)]
    return sum(max(one) for one in wanted)


def _declared(table: Table, kind: str) -> int:
    return sum(_of(part, kind) or 0 for part in _parts(table))


def _parts(table: Table) -> list[Table | Index]:
    return [table, *table.indexes.values()]


def _of(part: Table | Index, kind: str) -> int | None:
    return part.read if kind == "read" else part.write


def _normal(part: Table | Index, kind: str) -> float | None:
    return part.normal_read if kind == "read" else part.normal_write


def _requests(observation: Json, context: Context) -> Need:
    """The surge over the hour's usual traffic, and the traffic there is: all APIs of the account share the quota, and
    only this service's are known."""
    usual: Mapping[str, float] = observation["usual_requests"]
    newest: Mapping[str, float] = observation["newest_requests"]
    surge = context.params["surge_headroom"] * context.factor * sum(usual.values())
    now = context.params["headroom"] * sum(newest.values())
    return Need(
        REQUESTS,
        math.ceil(max(surge, now)),
        f"surge {context.factor:g} x {sum(usual.values()):.0f} a second, {sum(newest.values()):.0f} now",
    )
