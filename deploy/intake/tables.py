"""DynamoDB tables, their indexes, and who owns their capacity.

Where auto scaling owns the units, its minimum is what is declared: the live value moves between minimum and maximum.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.intake.findings import Draft, Log
from deploy.intake.functions import wanted
from deploy.intake.look import Look, named
from deploy.intake.scope import TABLES, Scope
from deploy.intake.values import Trace, Unknown, shown, text_of, unknown_in, whole

NAME = r"[A-Za-z0-9_.-]{3,255}"
UNITS = ("read", "write")
MOST = 10_000_000
_INSTEAD = "the table is written as on-demand"

Minimums = Mapping[tuple[str, str], tuple[int, Trace]]


def drafts(scope: Scope, log: Log) -> Iterator[Draft]:
    """A draft for each table of one template. `identity` is the table's name."""
    minimums = scaled(scope)
    for logical_id in scope.of_kind(*TABLES):
        look = Look(scope, logical_id, log)
        if wanted(look):
            yield _table(look, minimums)


def scaled(scope: Scope) -> Minimums:
    """The minimum of each scalable target of DynamoDB, by resource id (`table/x`, `table/x/index/y`) and unit."""
    found = {}
    for logical_id in scope.of_kind("AWS::ApplicationAutoScaling::ScalableTarget"):
        trace = Trace()
        properties = scope.resolved(logical_id, trace)
        if scope.present(logical_id, Trace()) is False:
            continue
        dimension, minimum = text_of(properties.get("ScalableDimension")), whole(properties.get("MinCapacity"))
        resource = text_of(properties.get("ResourceId"))
        if resource and minimum and 1 <= minimum <= MOST and dimension and dimension.startswith("dynamodb:"):
            found[resource, "read" if "Read" in dimension else "write"] = minimum, trace
    return found


def _table(look: Look, minimums: Minimums) -> Draft:
    draft = Draft("tables", look.place, look.logical_id, {})
    draft.identity = named(look, draft, "name", "TableName", NAME, 3, 255)
    draft.fields["name"] = draft.identity
    if not _is_provisioned(look, draft):
        return draft
    name = look.scope.name_of(look.logical_id, Trace())
    parts = {"": look.properties} | dict(_indexes(look))
    capacity = {}
    trace = draft.traces["read"] = Trace()
    for index, properties in parts.items():
        resource = f"table/{name}/index/{index}" if index else f"table/{name}"
        units = {}
        for unit in UNITS:
            minimum, own = minimums.get((resource, unit), (None, trace))
            trace.defaults |= own.defaults
            units[unit] = minimum or _declared(look, properties, unit, trace)
        if missing := [(unit, value) for unit, value in units.items() if not isinstance(value, int)]:
            _without_units(look, draft, index, *missing[0])
            if not index:
                return draft
            continue
        capacity[index] = units
    draft.fields |= {"billing": "provisioned", **capacity.pop("")}
    if capacity:
        draft.fields["indexes"] = capacity
    return draft


def _without_units(look: Look, draft: Draft, index: str, unit: str, value: Any) -> None:
    where, instead = (f"index {index}", "the index is not written") if index else ("the table", _INSTEAD)
    expression, why = (value.expression, value.why) if isinstance(value, Unknown) else (where, f"has no {unit} units")
    draft.doubt("name", f"unresolved: the {unit} capacity of {where} is not told; {instead}")
    look.cannot(("ProvisionedThroughput",), expression, why, instead)


def _is_provisioned(look: Look, draft: Draft) -> bool:
    """By its billing mode; a plain table without one is provisioned, a SimpleTable without units is not."""
    if look.scope.kind(look.logical_id) == "AWS::Serverless::SimpleTable":
        return look.has("ProvisionedThroughput")
    mode = look.raw(("BillingMode",), Trace())
    if isinstance(mode, Unknown):
        look.cannot(("BillingMode",), mode.expression, mode.why, _INSTEAD)
        draft.doubt("name", f"unresolved: its billing mode, {mode.expression}, {mode.why}")
        return False
    # A global table's default is the same as a table's:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html
    return mode is None or mode == "PROVISIONED"


def _indexes(look: Look) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and properties of the global secondary indexes; a global table keeps their reads with its replicas."""
    written = look.properties.get("GlobalSecondaryIndexes")
    found = look.raw(("GlobalSecondaryIndexes",), Trace())
    if isinstance(found, Unknown):
        look.cannot(("GlobalSecondaryIndexes",), shown(written), found.why, "its indexes are not written")
    for one in found if isinstance(found, list) else []:
        name = text_of(one.get("IndexName")) if isinstance(one, dict) else None
        if name and re.fullmatch(NAME, name):
            yield name, one
        else:
            unknown = unknown_in(one) or Unknown(shown(one), "names no index")
            look.cannot(("GlobalSecondaryIndexes",), unknown.expression, unknown.why, "the index is not written")


def _declared(look: Look, part: Mapping[str, Any], unit: str, trace: Trace) -> Any:
    """The units of a table or an index: a number, or `Unknown`, or None."""
    word = unit.capitalize()
    if part is look.properties:
        names = ("ProvisionedThroughput", f"{word}ProvisionedThroughputSettings")
        part = {name: look.raw((name,), trace) for name in names}
    if look.scope.kind(look.logical_id) == "AWS::DynamoDB::GlobalTable":
        holder = part if unit == "write" else _replica(look, part.get("IndexName"))
        return _of_global(holder.get(f"{word}ProvisionedThroughputSettings"), word)
    return _number(part.get("ProvisionedThroughput"), f"{word}CapacityUnits")


def _replica(look: Look, index: Any) -> Mapping[str, Any]:
    """The settings of the replica in this region (or the first), of the table or of one index."""
    replicas = look.raw(("Replicas",), Trace())
    found = [one for one in replicas if isinstance(one, dict)] if isinstance(replicas, list) else []
    here = next((one for one in found if one.get("Region") == look.scope.given.region), found[0] if found else {})
    if index is None:
        return here
    indexes = here.get("GlobalSecondaryIndexes")
    own = [one for one in indexes if isinstance(one, dict)] if isinstance(indexes, list) else []
    return next((one for one in own if one.get("IndexName") == index), {})


def _of_global(settings: Any, word: str) -> Any:
    if not isinstance(settings, dict):
        return settings if isinstance(settings, Unknown) else None
    fixed = _number(settings, f"{word}CapacityUnits")
    scaling = settings.get(f"{word}CapacityAutoScalingSettings")
    return fixed if fixed is not None else _number(scaling, "MinCapacity")


def _number(holder: Any, name: str) -> Any:
    if isinstance(holder, Unknown):
        return holder
    value = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(value, Unknown):
        return value
    number = whole(value)
    return number if number and 1 <= number <= MOST else None
