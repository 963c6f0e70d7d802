"""How much capacity a table's lanes get: sized once, from demand and from the declared surge. All pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remediators.table_demand import KINDS, Lane, LaneDemand, minute_peak
from sereno.model import Json, Reason, Verdict
from sereno.ports import Context
from sereno.service import Index, Table

# How many units may be added, and whose limit that is, in words: by kind for all lanes of it together, or by lane.
Room = Mapping[str, tuple[float, str]]

# A raise of less is not worth a change.
WORTHWHILE = 1.1


@dataclass(frozen=True, slots=True)
class Sizes:
    """The new units a second by lane (only those raised), why, and the gates. The last gate says no where none can
    be, or need be, raised."""

    values: Mapping[str, int]
    why: str
    gates: tuple[tuple[str, Verdict], ...]


@dataclass(frozen=True, slots=True)
class Need:
    """What a lane needs, and how that came about."""

    units: int
    why: str


def needs(by_lane: Mapping[str, LaneDemand | None], context: Context, traffic: float | None) -> dict[str, Need]:
    """What each lane needs. `traffic` is how many times more calls the table's functions get than before."""
    return {name: _need(name, demand, context, traffic) for name, demand in by_lane.items()}


def normal_units(name: str, context: Context) -> float | None:
    """What an ordinary busy hour consumes of a lane, as declared."""
    lane, table = Lane.named(name), context.service.table_named(context.target.name)
    part: Table | Index | None = table
    if table and lane.index:
        part = table.indexes.get(lane.index)
    if part is None:
        return None
    return part.normal_read if lane.kind == "read" else part.normal_write


def _need(name: str, demand: LaneDemand | None, context: Context, traffic: float | None) -> Need:
    """The largest of: what is asked now with room to grow; what the functions' traffic asks for as soon as it gets
    through; the surge to be ready for, over the normal hour (before a planned one, that is what is measured now)."""
    params = context.params
    parts: list[tuple[float, str]] = []
    if demand is not None:
        asked = params["headroom"] * demand.asked
        parts.append((asked, f"{params['headroom']:g} x demand {demand.asked:.0f}"))
        if demand.usual and traffic:
            coming = params["surge_headroom"] * traffic * demand.usual
            parts.append((coming, f"traffic x {traffic:.1f} of the usual {demand.usual:.0f}"))
    normal = normal_units(name, context) or (demand.usual if demand else None)
    if not normal and demand and context.planned:
        normal = demand.asked
    if normal:
        surge = context.factor * normal
        wanted = max(params["surge_headroom"] * surge, minute_peak(surge, params["sigmas"]))
        whose = "planned" if context.planned else "declared"
        parts.append((wanted, f"{whose} surge {context.factor:g} x {normal:g}"))
    units, why = max(parts, default=(0.0, "no demand"))
    return Need(math.ceil(units), f"{name} {math.ceil(units)} ({why})")


def size(
    needed: Mapping[str, Need],
    before: Mapping[str, int],
    context: Context,
    limits: Room,
) -> Sizes:
    """The new value of every lane that needs more than it has, within the ceilings and within `limits`."""
    short = {name: need.units for name, need in needed.items() if need.units >= before[name] * WORTHWHILE}
    told = "sized to " + ", ".join(needed[name].why for name in (short or needed))
    gates: list[tuple[str, Verdict]] = []
    if not short:
        return _no(gates, "size", Reason.NOTHING_TO_DO, f"{_values(before)} is enough: {told}")
    gates.append(("size", Verdict.yes(told)))
    ceilings = {kind: int(context.params[f"{kind}_ceiling"]) for kind in KINDS}
    allowed = {name: min(units, ceilings[Lane.named(name).kind]) for name, units in short.items()}
    raised = _worthwhile(allowed, before)
    if not raised:
        detail = "; ".join(
            f"{name} is {before[name]}, the ceiling is {ceilings[Lane.named(name).kind]}; {short[name]} is needed"
            for name in short
        )
        return _no(gates, "ceiling", Reason.OVER_CEILING, detail)
    bounded = _bounded(raised, before, limits)
    values = _worthwhile(bounded, before)
    if not values:
        tight = {_group(name, limits) for name in raised}
        wanted = ", ".join(f"{name} {units - before[name]} more" for name, units in raised.items())
        return _no(gates, "headroom", Reason.NO_HEADROOM, f"{_rooms(limits, sorted(tight))}; {wanted} is needed")
    gates.append(("headroom", Verdict.yes(_rooms(limits, limits))))
    less = [f"{name} {values.get(name, before[name])}" for name in short if values.get(name, 0) < short[name]]
    why = f"{told}; {', '.join(less)} is what ceiling and quotas allow" if less else told
    return Sizes(values, why, tuple(gates))


def _worthwhile(values: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {
        name: value for name, value in values.items() if value > before[name] and value >= before[name] * WORTHWHILE
    }


def _bounded(wanted: Mapping[str, int], before: Mapping[str, int], limits: Room) -> dict[str, int]:
    """Where a limit leaves less than is wanted, each lane gets its part of it."""
    found: dict[str, int] = {}
    for group, (left, _) in limits.items():
        ours = {name: units - before[name] for name, units in wanted.items() if _group(name, limits) == group}
        total, room = sum(ours.values()), max(0.0, left)
        part = min(1.0, room / total) if total else 1.0
        found |= {name: before[name] + math.floor(more * part) for name, more in ours.items()}
    return found


def quota_room(limits: Json, lanes: Mapping[str, int], used_percent: Mapping[str, float | None]) -> Room:
    """By kind, how many units the table may still get, and in whose words: a table's quota holds for it and its
    indexes together, the account's for all provisioned tables of the Region.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html

    `used_percent` is CloudWatch's use of the account's quota; where that is unknown, only this table is counted.
    """
    found = {}
    for kind in KINDS:
        own = sum(units for name, units in lanes.items() if Lane.named(name).kind == kind)
        by_table = limits[f"table_{kind}"] - own
        percent = used_percent[kind]
        used = own if percent is None else max(float(own), limits[f"account_{kind}"] * percent / 100)
        by_account = limits[f"account_{kind}"] - used
        if by_table <= by_account:
            found[kind] = (by_table, f"units are left of the table's quota of {limits[f'table_{kind}']}")
        else:
            found[kind] = (by_account, f"units are left of the account's quota of {limits[f'account_{kind}']}")
    return found


def _group(name: str, limits: Room) -> str:
    return name if name in limits else Lane.named(name).kind


def _rooms(limits: Room, groups: Iterable[str]) -> str:
    return "; ".join(f"{max(limits[group][0], 0):.0f} {group} {limits[group][1]}" for group in groups)


def _values(units: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in units.items())


def _no(gates: list[tuple[str, Verdict]], gate: str, reason: Reason, detail: str) -> Sizes:
    return Sizes({}, detail, (*gates, (gate, Verdict.no(reason, detail))))
