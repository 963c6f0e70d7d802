"""What joins two places of `sereno.yaml`: references, duplicates, order.

These checks read the raw data and tolerate any shape, so that one wrong value elsewhere does not hide them: all
problems are told at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from deploy import config_events, config_notices, config_recovery
from sereno.errors import Problem
from sereno.partition import partition

_KINDS = {"apis": "api", "functions": "function", "tables": "table", "queues": "queue"}


def nearest(word: str, known: Collection[str]) -> str:
    """` (did you mean x?)`, or nothing when no known word is near."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]}?)" if found else ""


def problems(raw: Mapping[str, Any], remediators: Collection[str], usual: Collection[str]) -> list[Problem]:
    """Every problem that lies between two places. `usual` are the *whats* with a default play."""
    checks: tuple[Callable[[], Iterator[Problem]], ...] = (
        lambda: _regions(raw),
        lambda: _keys(raw),
        lambda: _names(raw),
        lambda: _tables(raw),
        lambda: _provisioned(raw),
        lambda: _capacity(raw),
        lambda: _http_apis(raw),
        lambda: _plays(raw, remediators, usual),
        lambda: config_events.problems([_mapping(event) for event in _list(raw.get("events"))]),
        lambda: _bindings(raw),
        lambda: config_notices.problems(_mapping(raw.get("notifications"))),
        lambda: _recovery(raw),
    )
    return [problem for check in checks for problem in check()]


def _mapping(value: Any) -> Mapping[str, Any]:
    return {str(key): one for key, one in value.items()} if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _resources(raw: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    sections = _mapping(raw.get("resources"))
    for section in _KINDS:
        for key, one in _mapping(sections.get(section)).items():
            yield section, key, _mapping(one)


def _partitions(raw: Mapping[str, Any], named: Sequence[str]) -> Iterator[Problem]:
    """An account lies in one partition; and the switch between regions relies on Route 53's health checks as the
    partition `aws` has them."""
    known = dict.fromkeys(partition(region) for region in named)
    if len(known) > 1:
        fix = f"lie in different partitions of AWS ({', '.join(known)}): no account spans them (one file each)"
        yield Problem("regions", ", ".join(named), fix)
    elif raw.get("recovery") is not None and known and "aws" not in known:
        fix = (
            f"is not supported in the partition {next(iter(known))}: the switch relies on Route 53 health checks as "
            "the partition aws has them (leave recovery out and watch each region by a file of its own)"
        )
        yield Problem("recovery", None, fix)


def _regions(raw: Mapping[str, Any]) -> Iterator[Problem]:
    single, several = raw.get("region"), raw.get("regions")
    if single is not None and several is not None:
        yield Problem("regions", None, "stands beside region (keep one of the two; the home region comes first)")
    if single is None and several is None:
        yield Problem("region", None, "is missing (write region: eu-west-1)")
    seen: set[str] = set()
    for place, region in enumerate(_list(several)):
        if str(region) in seen:
            yield Problem(f"regions[{place}]", region, "stands twice (name each region once)")
        seen.add(str(region))
    witness = _mapping(raw.get("recovery")).get("witness")
    named = [single, *_list(several), witness]
    yield from _partitions(raw, [region for region in named if isinstance(region, str)])


def _keys(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """A key names one resource: alarm names and bindings carry the key alone."""
    seen: dict[str, str] = {str(raw.get("service")): "the service itself"}
    found = False
    for section, key, _ in _resources(raw):
        found = True
        path = f"resources.{section}.{key}"
        if key in seen:
            yield Problem(path, key, f"is already the key of {seen[key]} (give each resource its own key)")
        else:
            seen[key] = path
    if not found and isinstance(raw.get("resources"), Mapping):
        yield Problem("resources", None, "names nothing to watch (add apis, functions or tables)")


def _names(raw: Mapping[str, Any]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for section, key, one in _resources(raw):
        path = f"resources.{section}.{key}.name"
        name = str(one.get("name"))
        # One API has many stages, and each is watched apart; an HTTP API is known by its id.
        identity = (section, f"{_api(one)}/{one.get('stage', 'prod')}" if section == "apis" else name)
        if "name" not in one:
            continue
        if identity in seen:
            yield Problem(path, name, f"is the same {_KINDS[section]} as {seen[identity]} (keep one of the two)")
        else:
            seen[identity] = path


def _api(one: Mapping[str, Any]) -> str:
    return f"id {one.get('id') or one.get('ids')}" if one.get("kind") == "http" else str(one.get("name"))


def _http_apis(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Without its id an HTTP API's alarms would name metrics that nobody publishes; it has another in each region."""
    regions = [str(one) for one in _list(raw.get("regions"))]
    several = raw.get("recovery") is not None and len(regions) > 1
    for section, key, one in _resources(raw):
        if section == "apis":
            path = f"resources.apis.{key}"
            yield from _ids(path, one, regions)
            if one.get("kind") == "http":
                yield from _keyed(path, one, regions if several else [])


def _ids(path: str, one: Mapping[str, Any], regions: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with an id for each region, where it is written."""
    ids = one.get("ids")
    if ids is not None and one.get("id") is not None:
        yield Problem(f"{path}.ids", None, "stands beside id (one of them: ids where there is a second region)")
    for region in _mapping(ids):
        if region not in regions:
            known = ", ".join(regions) or "there are none"
            yield Problem(f"{path}.ids", region, f"is none of regions ({known})")


def _keyed(path: str, one: Mapping[str, Any], several: Sequence[str]) -> Iterator[Problem]:
    """An HTTP API without an id, or without one in one of several regions."""
    ids = _mapping(one.get("ids"))
    missing = [region for region in several if region not in ids]
    if missing:
        example = ", ".join(f"{region}: a1b2c3d4e5" for region in several)
        mend = f"has none for {', '.join(missing)} (an HTTP API has an id in each region: write ids: {{{example}}})"
        yield Problem(f"{path}.ids", None, mend)
    elif not several and one.get("id") is None and not ids:
        mend = "is missing (an HTTP API's metrics are keyed by its id; aws apigatewayv2 get-apis lists them)"
        yield Problem(f"{path}.id", None, mend)


def _tables(raw: Mapping[str, Any]) -> Iterator[Problem]:
    tables = [key for section, key, _ in _resources(raw) if section == "tables"]
    for section, key, one in _resources(raw):
        if section != "functions":
            continue
        for place, table in enumerate(_list(one.get("tables"))):
            if str(table) not in tables:
                known = f"those declared: {', '.join(tables)}" if tables else "none is declared"
                mend = f"is no key of resources.tables ({known}){nearest(str(table), tables)}"
                yield Problem(f"resources.functions.{key}.tables[{place}]", table, mend)


def _provisioned(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Lambda keeps provisioned concurrency on an alias or version, and never more of it than is reserved."""
    for section, key, one in _resources(raw):
        most, wanted = one.get("reserved"), one.get("provisioned")
        if section != "functions" or wanted is None:
            continue
        path = f"resources.functions.{key}.provisioned"
        if not one.get("alias"):
            yield Problem(path, wanted, "needs an alias (AWS provisions an alias, never $LATEST)")
        if isinstance(most, int) and isinstance(wanted, int) and wanted > most:
            yield Problem(path, wanted, f"is over reserved, {most} (provision at most what is reserved)")


def _ladder(play: Any) -> list[Any] | None:
    if isinstance(play, str):
        return [play]
    if isinstance(play, Mapping):
        return _list(play["remediators"]) if "remediators" in play else None
    return _list(play)


def _rungs(ladder: list[Any]) -> Iterator[tuple[str, Any]]:
    """(place in the file, name) of every remediator of a ladder."""
    for place, rung in enumerate(ladder):
        if isinstance(rung, list | tuple):
            yield from ((f"[{place}][{within}]", name) for within, name in enumerate(rung))
        else:
            yield f"[{place}]", rung


def _capacity(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """An on-demand table has no units to declare; a provisioned one without them has no limit to watch."""
    for section, key, one in _resources(raw):
        if section != "tables":
            continue
        path = f"resources.tables.{key}"
        parts = [(path, one)]
        parts += [(f"{path}.indexes.{name}", _mapping(index)) for name, index in _mapping(one.get("indexes")).items()]
        for place, part in parts:
            for unit in ("read", "write"):
                if one.get("billing") != "provisioned" and part.get(unit) is not None:
                    mend = "has no meaning for an on-demand table (write billing: provisioned, or leave it out)"
                    yield Problem(f"{place}.{unit}", part[unit], mend)
                if one.get("billing") == "provisioned" and part.get(unit) is None:
                    yield Problem(f"{place}.{unit}", None, f"is missing (write the {unit} capacity units it has)")


def _plays(raw: Mapping[str, Any], remediators: Collection[str], usual: Collection[str]) -> Iterator[Problem]:
    for what, play in _mapping(raw.get("playbook")).items():
        ladder = _ladder(play)
        path = f"playbook.{what}"
        if ladder is None:
            if what not in usual:
                mend = f"has no usual remediators (name them){nearest(what, usual)}"
                yield Problem(f"{path}.remediators", None, mend)
            continue
        seen: list[Any] = []
        for place, name in _rungs(ladder):
            if name not in remediators:
                there = ", ".join(sorted(remediators)) or "none"
                mend = f"is no remediator (there are: {there}){nearest(str(name), remediators)}"
                yield Problem(f"{path}.remediators{place}", name, mend)
            elif name in seen:
                yield Problem(f"{path}.remediators{place}", name, "stands twice (name each remediator once)")
            seen.append(name)


def _bindings(raw: Mapping[str, Any]) -> Iterator[Problem]:
    known = [key for _, key, _ in _resources(raw)] + [str(raw.get("service"))]
    for alarm, one in _mapping(raw.get("bind")).items():
        resource = _mapping(one).get("resource")
        if isinstance(resource, str) and resource not in known:
            mend = f"is neither a resource nor the service ({', '.join(known)}){nearest(resource, known)}"
            yield Problem(f"bind.{alarm}.resource", resource, mend)


def _recovery(raw: Mapping[str, Any]) -> Iterator[Problem]:
    regions = [str(one) for one in _list(raw.get("regions"))] or [str(one) for one in (raw.get("region"),) if one]
    keys = {
        wanted: [key for section, key, _ in _resources(raw) if section == wanted]
        for wanted in ("tables", "functions")
    }
    yield from config_recovery.problems(raw.get("recovery"), regions, keys, _mapping(raw.get("playbook")))
