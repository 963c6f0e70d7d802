"""What a drill is judged by: each objective with its target, what was measured, and whether it was met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drills.engine import Run
from drills.leases import changed_at
from drills.scenario import Objective
from drills.world import TOTAL, World
from sereno.errors import InvalidInput, Problem
from sereno.model import Json

QUIET_S = 30.0
# A raise that comes less than this before the first throttle was luck.
RAISED_BEFORE_S = 25.0
IN_FORCE = ("APPLYING", "VERIFYING", "HOLDING", "REVERTING")


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: the run (None for the unattended twin), its world, and the twin's world."""

    run: Run | None
    world: World
    twin: World


@dataclass(frozen=True, slots=True)
class Finding:
    """What was measured."""

    measured: object
    met: bool
    detail: str = ""
    target: object = None


def availability(world: World) -> float | None:
    """Served by offered; a retry that got through does not undo the failure."""
    totals = world.totals[TOTAL]
    return totals.served / totals.offered if totals.offered else None


def recovered_s(world: World) -> float | None:
    """Seconds from the first throttle until 30 s without a failed attempt began; 0 without a throttle, None when
    that did not come."""
    trouble = world.trouble(TOTAL, QUIET_S)
    if trouble is None:
        return 0.0
    return trouble.seconds


def table_recovered_s(world: World) -> float | None:
    """The same of the tables: seconds from the first throttled call until 30 s without one began."""
    trouble = world.table_trouble(TOTAL, QUIET_S)
    return 0.0 if trouble is None else trouble.seconds


def _availability(case: Case, target: object) -> Finding:
    measured = availability(case.world)
    return Finding(measured, measured is not None and measured >= float(str(target)))


def _p99(case: Case, target: object) -> Finding:
    measured = case.world.latency.percentile(99)
    return Finding(measured, measured is not None and measured <= float(str(target)))


def _zero_throttles(case: Case, _: object) -> Finding:
    measured = case.world.totals[TOTAL].throttled
    return Finding(measured, measured == 0, target=0)


def _zero_table_throttles(case: Case, _: object) -> Finding:
    measured = case.world.table_totals[TOTAL].throttled
    return Finding(measured, measured == 0, "calls to tables, each attempt of an SDK counted", 0)


def _raised_before(case: Case, target: object) -> Finding:
    """The smallest lead over the twin, function by function: a raise of one says nothing about another."""
    needed = float(str(target)) if target is not None else RAISED_BEFORE_S
    raised = case.run.raised_at if case.run else {}
    first = {name: at for name, at in case.twin.first_throttle.items() if name != TOTAL and at is not None}
    if not first:
        return Finding(None, True, "the unattended twin never throttled", needed)
    never = [name for name in first if name not in raised]
    if never:
        return Finding(None, False, f"the limit of {', '.join(never)} was never raised", needed)
    lead, name = min((at - raised[name], name) for name, at in first.items())
    return Finding(lead, lead >= needed, f"{name}, against its first throttle without Sereno", needed)


def _recovered_within(case: Case, target: object) -> Finding:
    measured = recovered_s(case.world)
    return Finding(measured, measured is not None and measured <= float(str(target)))


def _table_recovered_within(case: Case, target: object) -> Finding:
    measured = table_recovered_s(case.world)
    return Finding(measured, measured is not None and measured <= float(str(target)))


def _no_page(case: Case, _: object) -> Finding:
    pages = case.run.pages if case.run else []
    return Finding(len(pages), not pages, "; ".join(str(one["subject"]) for one in pages[:3]), 0)


def _no_remediation(case: Case, _: object) -> Finding:
    rows = case.run.remediations if case.run else []
    return Finding(len(rows), not rows, "; ".join(str(one["id"]) for one in rows[:3]), 0)


def _all_reverted(case: Case, _: object) -> Finding:
    if case.run is None:
        return Finding(None, True)
    left = [one["id"] for one in case.run.remediations if one["status"] in IN_FORCE]
    changed = {
        name: f"{before} -> {case.run.limits_after[name]}"
        for name, before in case.run.limits_before.items()
        if case.run.limits_after[name] != before
    }
    reverted = sum(one["status"] == "REVERTED" for one in case.run.remediations)
    detail = "; ".join([*left, *(f"{name} {change}" for name, change in changed.items())])
    return Finding(reverted, not left and not changed, detail, "every value back")


def _alarm_fires(case: Case, target: object) -> Finding:
    fired = case.run.transitions if case.run else {}
    at = [
        change["at_s"]
        for name, changes in fired.items()
        for change in changes
        if change["state"] == "ALARM" and (name.endswith(f"/{target}"))
    ]
    return Finding(min(at, default=None), bool(at), "seconds after the start")


def _refused_with(case: Case, target: object) -> Finding:
    """At least one remediation was refused for this reason; the first one's time and words."""
    rows = case.run.remediations if case.run else []
    refused = [one for one in rows if one["status"] == "SKIPPED" and one["reason"] == target]
    if not refused:
        found = sorted({str(one["reason"]) for one in rows if one["status"] == "SKIPPED"})
        return Finding(None, False, f"refused for {', '.join(found)}" if found else "nothing was refused")
    first = min(refused, key=lambda one: float(one["at_s"]))
    return Finding(first["at_s"], True, f"{first['remediator']}: {first['detail']}")


def _not_raised(case: Case, target: object) -> Finding:
    """No lease on anything of this kind."""
    rows = case.run.remediations if case.run else []
    raised = [one for one in rows if one["target"]["kind"] == target and changed_at(one) is not None]
    return Finding(len(raised), not raised, "; ".join(str(one["id"]) for one in raised[:3]))


def _told(case: Case, target: object) -> Finding:
    """People know: how many incidents were opened for them, or how often they were paged."""
    if case.run is None:
        return Finding(None, False)
    found = case.run.incidents if target == "incident" else case.run.pages
    titles = [str(one.get("Title") or one.get("subject")) for one in found]
    return Finding(len(found), bool(found), "; ".join(titles[:3]))


def _asks(case: Case, target: object) -> Finding:
    """The remediator has a plan, and asked for leave before it did anything."""
    rows = case.run.remediations if case.run else []
    asked = [
        (event["at_s"], one)
        for one in rows
        if one["remediator"] == target
        for event in one["events"]
        if event["phase"] == "AWAITING_APPROVAL"
    ]
    if not asked:
        return Finding(None, False, f"{target} asked nobody")
    at, one = min(asked, key=lambda pair: float(pair[0]))
    return Finding(at, True, str((one["plan"] or {}).get("reason", "")))


def _own_functions_ran(case: Case, _: object) -> Finding:
    """None of Sereno's own functions was throttled, though others had taken the account's concurrency."""
    if case.run is None:
        return Finding(None, True)
    runs, throttled = sum(case.run.own_runs.values()), sum(case.run.own_throttled.values())
    names = ", ".join(sorted(case.run.own_throttled))
    detail = f"throttled {throttled} times: {names}" if throttled else "each time they were started"
    return Finding(runs, runs > 0 and not throttled, detail, "never throttled")


JUDGES: Mapping[str, Callable[[Case, object], Finding]] = {
    "availability": _availability,
    "p99": _p99,
    "zero-throttles": _zero_throttles,
    "raised-before": _raised_before,
    "recovered-within": _recovered_within,
    "no-page": _no_page,
    "no-remediation": _no_remediation,
    "all-reverted": _all_reverted,
    "alarm-fires": _alarm_fires,
    "zero-table-throttles": _zero_table_throttles,
    "table-recovered-within": _table_recovered_within,
    "refused-with": _refused_with,
    "not-raised": _not_raised,
    "told": _told,
    "asks": _asks,
    "own-functions-ran": _own_functions_ran,
}


def judge(objectives: tuple[Objective, ...], case: Case) -> list[Json]:
    """One line for each objective. Raises InvalidInput for a name that nobody judges."""
    unknown = [one.name for one in objectives if one.name not in JUDGES]
    if unknown:
        known = ", ".join(JUDGES)
        raise InvalidInput(
            "scenario", [Problem("objectives", name, f"is not judged (known: {known})") for name in unknown]
        )
    lines = []
    for one in objectives:
        finding = JUDGES[one.name](case, one.target)
        lines.append(
            {
                "name": one.name,
                "target": finding.target if finding.target is not None else one.target,
                "measured": finding.measured,
                "met": finding.met,
                "detail": finding.detail,
            }
        )
    return lines
