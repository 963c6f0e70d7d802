"""What a drill of many services is judged by: what happened in the account, and not what Sereno says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.embedded_lambda import UNRESERVED_FLOOR
from deploy.embedded_rates import LIMITS
from drills.scenario import Objective
from drills.services.engine import Party, Run
from drills.world import TOTAL, World
from sereno.model import Json

# Reasons and states that say "it could not", where a service must be able to.
ERRORS = ("AWS_ERROR", "FAULTY", "NOT_PERMITTED")
SURGE = ("exhaustion", "exhaustion-fast", "saturation", "throttles")
# A neighbour may fail so small a part of its requests more than without Sereno: arrivals of a pool that others share
# are not the same to the last one.
NOISE = 0.001
# The least part of the reconcilers that must have run to their end; the last minute's may still be under way.
RAN = 0.95


@dataclass(frozen=True, slots=True)
class Finding:
    """What was measured, and what was wanted."""

    measured: object
    target: object
    met: bool
    detail: str = ""


def judge(run: Run, beside: Sequence[World]) -> list[Json]:
    """Every objective of the scenario."""
    found = []
    for one in run.scenario.objectives:
        finding = _JUDGES[one.name](run, beside, one)
        found.append(
            {
                "name": one.name,
                "target": finding.target,
                "measured": finding.measured,
                "met": finding.met,
                "detail": finding.detail,
            }
        )
    return found


def raises(party: Party) -> list[Json]:
    """The service's raises that were applied."""
    return [one for one in party.rows if one["remediator"] == "raise_concurrency" and applied_at(one) is not None]


def applied_at(row: Json) -> float | None:
    """When a remediation changed something, in seconds since the start."""
    return next((float(event["at_s"]) for event in row["events"] if event["phase"] == "APPLYING"), None)


def refused_for_room(party: Party) -> list[Json]:
    """The service's raises that were refused because the account has no more."""
    return [one for one in party.rows if one["remediator"] == "raise_concurrency" and one["reason"] == "NO_HEADROOM"]


def needs_more(world: World) -> bool:
    """Whether the service is throttled without Sereno."""
    return world.totals[TOTAL].throttled > 0


def answered_s(party: Party) -> float | None:
    """Seconds from the first alarm of the surge to the first raise, or to the refusal for want of room; None without
    either."""
    begun = [one["at_s"] for one in party.signals if one["what"] in SURGE]
    ends = [at for one in raises(party) if (at := applied_at(one)) is not None]
    ends += [float(one["events"][-1]["at_s"]) for one in refused_for_room(party)]
    later = [at for at in ends if begun and at >= begun[0]]
    return min(later) - begun[0] if later else None


def _errors(run: Run, _: Sequence[World], __: Objective) -> Finding:
    rows = [one for party in run.parties for one in party.rows]
    wrong = [one for one in rows if one["reason"] in ERRORS or one["status"] == "FAILED"]
    counted = Counter(f"{one['service']} {one['reason']}" for one in wrong)
    detail = ", ".join(f"{name} {times}x" for name, times in sorted(counted.items())[:5])
    return Finding(len(wrong), 0, bool(rows) and not wrong, detail or f"of {len(rows)} remediations")


def _answered(run: Run, beside: Sequence[World], _: Objective) -> Finding:
    """Every service that is throttled without Sereno is raised, or refused while the account really has no more."""
    pairs = list(zip(run.parties, beside, strict=True))
    wanting = [party for party, world in pairs if needs_more(world) and raisable(party)]
    good = [party for party in wanting if raises(party) or honest(run, party)]
    raised = [party for party in wanting if raises(party)]
    missing = [party.member.service.name for party in wanting if party not in good]
    detail = f"{len(raised)} raised, {len(good) - len(raised)} refused while the account had no more"
    if missing:
        detail += f"; not answered: {', '.join(missing[:8])}"
    return Finding(len(good), len(wanting), bool(wanting) and len(good) == len(wanting), detail)


def raisable(party: Party) -> bool:
    """A function that lives on the unreserved pool has no limit of its own to raise."""
    return bool(party.signals) or party.world.reserved(party.member.function) is not None


def honest(run: Run, party: Party) -> bool:
    """Whether every refusal for want of room came while less was free than other services had been given by one
    raise, beside what must stay and what the pool's own users hold."""
    refused = refused_for_room(party)
    given = [(step["after"] or 0) - (step["before"] or 0) for other in run.parties for one in raises(other)
             for step in one["plan"]["steps"] if step["setting"] == "reserved concurrency"]  # fmt: skip
    if not refused or not given:
        return False
    return all(free_at(run, float(one["events"][-1]["at_s"])) < max(given) for one in refused)


def free_at(run: Run, at: float) -> int:
    """What a raise could take of the account then: unreserved, without what must stay and what was in use."""
    known = [one for one in run.levels if one[0] <= at]
    unreserved, in_use = known[-1][1:] if known else (0, 0)
    return unreserved - max(UNRESERVED_FLOOR, in_use)


def _in_time(run: Run, beside: Sequence[World], objective: Objective) -> Finding:
    times = {}
    for party, world in zip(run.parties, beside, strict=True):
        if needs_more(world) and any(one["what"] in SURGE for one in party.signals):
            times[party.member.service.name] = answered_s(party)
    missing = sorted(name for name, seconds in times.items() if seconds is None)
    known = {name: seconds for name, seconds in times.items() if seconds is not None}
    slowest = max(known, key=lambda name: known[name], default="")
    measured = None if missing or not known else round(known[slowest], 1)
    met = measured is not None and measured <= float(str(objective.target))
    detail = f"never: {', '.join(missing[:8])}" if missing else f"{slowest} was the last of {len(known)}"
    return Finding(measured, objective.target, met, detail)


def _harmed(run: Run, beside: Sequence[World], _: Objective) -> Finding:
    """No service fails more requests than without Sereno, and none is left below what it had."""
    harmed = []
    for party, world in zip(run.parties, beside, strict=True):
        mine, theirs = party.world.totals[TOTAL], world.totals[TOTAL]
        had = world.reserved(party.member.function)
        below = party.lowest is not None and had is not None and party.lowest < had
        if mine.failed > theirs.failed + NOISE * theirs.offered or below:
            harmed.append(f"{party.member.service.name} failed {mine.failed:,} for {theirs.failed:,}")
    return Finding(len(harmed), 0, not harmed, "; ".join(harmed[:5]) or f"of {len(run.parties)} services")


def _limits(run: Run, _: Sequence[World], __: Objective) -> Finding:
    """The shared limits were in force and were met, and the account kept its unreserved executions. What a throttled
    call led to is judged by the other objectives."""
    throttle = run.throttle
    in_force = sum(throttle.meter.limit(one.service, _operation(one)) is not None for one in LIMITS)
    calls, throttled, lost = (sum(one.values()) for one in (throttle.calls, throttle.throttled, throttle.given_up))
    kept = run.least_unreserved >= UNRESERVED_FLOOR
    met = in_force == len(LIMITS) and bool(throttled) and kept
    detail = f"{calls:,} calls, {throttled:,} attempts throttled, {lost} calls given up"
    if not kept:
        detail += f"; the account fell to {run.least_unreserved} unreserved"
    return Finding(in_force, len(LIMITS), met, detail)


def _operation(limit: object) -> str:
    operations = getattr(limit, "operations", ())
    return operations[0] if operations else "AnyOther"


def _ran(run: Run, _: Sequence[World], __: Objective) -> Finding:
    """Each service's reconciler came to its end each minute, and no self-test found anything wanting."""
    minutes = run.scenario.duration_s // 60
    least = min((party.reconciled for party in run.parties), default=0)
    failures = [one for party in run.parties for one in party.failures]
    named = "; ".join(sorted({one["error"][:80] for one in failures})[:3])
    unready = sum(metric == "NotReady" for party in run.parties for metric, *_ in party.telemetry.counts)
    detail = f"{len(failures)} invocations failed{': ' + named if named else ''}, {unready} self-tests were not ready"
    return Finding(least, minutes, not failures and not unready and least >= RAN * minutes - 1, detail)


def _reverted(run: Run, beside: Sequence[World], _: Objective) -> Finding:
    left = [
        party.member.service.name
        for party, world in zip(run.parties, beside, strict=True)
        if party.world.reserved(party.member.function) != world.reserved(party.member.function)
    ]
    count = sum(len(raises(party)) for party in run.parties)
    detail = f"left: {', '.join(left[:8])}" if left else f"{count} raises"
    return Finding(len(left), 0, bool(count) and not left, detail)


_JUDGES: Mapping[str, Callable[[Run, Sequence[World], Objective], Finding]] = {
    "none-skipped-for-errors": _errors,
    "all-answered": _answered,
    "answered-within": _in_time,
    "none-harmed": _harmed,
    "shared-limits-held": _limits,
    "own-functions-ran": _ran,
    "all-reverted": _reverted,
}
