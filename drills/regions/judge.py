"""What a regional drill is judged by: each objective with its target, what was measured, and whether it was met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alarms.evaluator import timeline
from alarms.lateness import LATE
from alarms.packs.regions import unreadable
from drills.judge import Finding
from drills.regions import measures
from drills.regions.engine import Run
from drills.regions.replication import Lost
from drills.regions.world import World
from drills.scenario import Objective
from sereno.model import Json

LEAST_MOVES = 1
# A probe is dated when it ends, and DNS's answer by whole seconds.
CLOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: the run (None for the world without Sereno), its world, the outages and the lost writes, and
    when a person asked for the primary again (None: nobody did)."""

    run: Run | None
    world: World
    outages: tuple[tuple[float, float], ...]
    dark: tuple[tuple[float, float], ...]
    lost: Sequence[Lost]
    back_at: float | None

    @property
    def parts(self) -> measures.Parts:
        """What the first outage's way to the standby took."""
        confirmed = self.run.confirmed if self.run else ()
        return measures.parts(self.world, self.outages[0], confirmed) if self.outages else measures.Parts()


def _within(measured: float | None, target: object, detail: str = "") -> Finding:
    return Finding(measured, measured is not None and measured <= float(str(target)), detail)


def _served_within(case: Case, target: object) -> Finding:
    return _within(case.parts.served, target, "99 % of the customers' calls, and so until the outage ends")


def _found_within(case: Case, target: object) -> Finding:
    return _within(case.parts.confirmed, target, "two vantages agree")


def _availability(case: Case, target: object) -> Finding:
    stretch = case.outages[0] if case.outages else None
    measured = measures.availability(case.world, stretch)
    detail = "while the primary is out" if stretch else ""
    return Finding(measured, measured is not None and measured >= float(str(target)), detail)


def _lost_writes_within(case: Case, target: object) -> Finding:
    oldest = measures.oldest_lost_s(case.lost, case.dark)
    beyond = [one for one in case.lost if not any(one.at_s < at <= one.at_s + one.lag_s for at, _ in case.dark)]
    detail = f"{len(case.lost)} writes had not left the region; the oldest was made so long before"
    if beyond:
        detail = f"{len(beyond)} of {len(case.lost)} lost writes had been replicated: {beyond[0].id}"
    return Finding(oldest, not beyond and oldest <= float(str(target)), detail)


def _moved_once(case: Case, _: object) -> Finding:
    """There once, and nobody back before a person asks."""
    arrived = measures.arrivals(case.world, float("inf") if case.back_at is None else case.back_at)
    back = [one.at_s for one in case.world.moves if one.chances.get(case.world.place.primary, 0.0) > 0]
    early = [at for at in back if case.back_at is None or at < case.back_at]
    detail = f"sent back {early[0]:.0f} s in, and nobody had asked for it" if early else ""
    return Finding(arrived, arrived == 1 and not early, detail, LEAST_MOVES)


def _never_moved(case: Case, _: object) -> Finding:
    away = measures.away_s(case.world)
    switched = [at for at, there in case.world.switchings if there]
    detail = (
        f"the switch was set {switched[0]:.0f} s in" if switched else "seconds in which anybody was sent elsewhere"
    )
    return Finding(away, not away and not switched, detail, 0)


def _back_unnoticed(case: Case, target: object) -> Finding:
    if case.back_at is None:
        return Finding(None, False, "nobody asked for the primary")
    last = case.world.moves[-1] if case.world.moves else None
    if last is None or last.chances.get(case.world.place.primary, 0.0) < 1.0:
        return Finding(None, False, "customers were never all back in the primary")
    measured = measures.worst(case.world, (case.back_at, float(case.world.second)))
    detail = f"all back {last.at_s - case.back_at:.0f} s after a person asked"
    return Finding(measured, measured is not None and measured >= float(str(target)), detail)


def _back_gradually(case: Case, target: object) -> Finding:
    if case.back_at is None:
        return Finding(None, False, "nobody asked for the primary")
    measured = measures.largest_step(case.world, case.back_at)
    detail = "the largest share of the customers that was sent back at once"
    return Finding(measured, measured is not None and measured <= float(str(target)), detail)


def _no_control_plane_calls(case: Case, _: object) -> Finding:
    made = case.run.rules.forbidden if case.run else []
    told = "; ".join(f"{one.call} by {one.by} at {one.at_s:.0f} s" for one in made[:3])
    return Finding(len(made), not made, told, 0)


def _verified(case: Case, _: object) -> Finding:
    moved = _failovers(case)
    words = [f"{event['phase']} at {event['at_s']:.0f} s" for one in moved for event in one["events"]]
    held = [word for word in words if word.startswith("HOLDING")]
    return Finding(moved[-1]["status"] if moved else None, bool(held), held[0] if held else "", "HOLDING")


def _failovers(case: Case) -> list[Json]:
    found = case.run.remediations if case.run else []
    return [one for one in found if one["remediator"] == "fail_over" and one["plan"]]


def _recovery_time_measured(case: Case, _: object) -> Finding:
    """The published figure must not promise more than customers got: it is no less than what DNS took."""
    published = case.run.recovery_times if case.run else []
    answered = case.parts.answered
    once = len(published) == 1 and answered is not None
    honest = once and answered is not None and published[0] >= answered - CLOCK_S
    detail = (
        f"DNS first answered with the standby {answered:.0f} s in" if answered is not None else "nobody was moved"
    )
    return Finding(published[0] if published else None, honest, detail)


def _knows_who_serves(case: Case, target: object) -> Finding:
    """The standby takes over as soon as the switch is set; both regions know of the way back."""
    if case.run is None or not case.world.switchings:
        return Finding(None, False, "the switch was never set")
    place, set_at = case.world.place, case.world.switchings[0][0]
    took = next((at - set_at for at, *who in case.run.serving if who == [place.standby] * 2 and at >= set_at), None)
    last = {home: serves for _, home, serves in case.run.serving}
    ends = case.world.moves[-1].chances if case.world.moves else {}
    right = place.primary if ends.get(place.primary, 0.0) == 1.0 else place.standby
    wrong = [home for home, serves in last.items() if serves != right]
    detail = f"at the end {' and '.join(wrong)} does not know that {right} serves" if wrong else ""
    return Finding(took, took is not None and took <= float(str(target)) and not wrong, detail)


def _given_back_within(case: Case, target: object) -> Finding:
    """Of each loss of the standby that lasts longer than that, with a primary that is well: the slowest."""
    world, took = case.world, []
    primary, standby = world.place.serving
    for lost in world.regions.troubles:
        lasts = lost.end - lost.start
        if lost.region != standby or lost.kind not in ("dark", "down") or lasts <= float(str(target)):
            continue
        if not world.regions.at(primary, lost.start).well:
            continue
        at = [one.at_s for one in world.moves if one.at_s >= lost.start and one.chances.get(primary, 0.0) == 1.0]
        took.append(at[0] - lost.start if at and at[0] < lost.end else lasts)
    slowest = max(took, default=None)
    told = f"of {len(took)} losses of the standby: {', '.join(f'{seconds:.0f} s' for seconds in took)}"
    return Finding(slowest, slowest is not None and slowest <= float(str(target)), told)


def _flaps_move_nobody(case: Case, _: object) -> Finding:
    """From the first answer with the standby on."""
    world = case.world
    primary, standby = world.place.serving
    away = next((one.at_s for one in world.moves if one.chances.get(standby) == 1.0), None)
    flaps = [one for one in world.regions.troubles if one.region == standby and one.kind in ("dark", "down")]
    if away is None or not flaps:
        return Finding(None, False, "customers were never in the standby, or it was never lost")
    sent = [
        one.at_s
        for one in world.moves
        if one.at_s > away and one.chances.get(primary, 0.0) > 0 and world.regions.at(primary, one.at_s).ill
    ]
    detail = (
        f"sent to a primary that is not well {sent[0]:.0f} s in" if sent else f"{len(flaps)} losses of the standby"
    )
    return Finding(len(sent), not sent, detail, 0)


def _minimum_stay(case: Case, _: object) -> Finding:
    if case.run is None or case.run.service.recovery is None or not case.world.switchings:
        return Finding(None, False, "the switch was never set")
    least, set_at = case.run.service.recovery.minimum_stay_s, case.world.switchings[0][0]
    back = [one.at_s for one in case.world.moves if one.at_s > set_at and one.chances.get(case.world.place.primary)]
    refused = [one["detail"] for one in case.run.remediations if one["reason"] == "TOO_SOON"]
    stay = back[0] - set_at if back else float(case.world.second) - set_at
    return Finding(stay, stay >= least, "; ".join(refused), least)


def _hidden_switch_pages_within(case: Case, target: object) -> Finding:
    """By the shipped alarm, on what the standby's prober published, with metrics as late as they may be. CloudWatch
    pages people itself: nothing of Sereno need run for it."""
    hidden = [one.start for one in case.world.regions.troubles if one.kind == "hidden"]
    if case.run is None or not hidden:
        return Finding(None, False, "the switch's bucket was never hidden")
    spec = unreadable(case.run.service)
    series = [case.run.readable.get(minute) for minute in range(case.world.second // 60)]
    fired = [(one.index + 1 + LATE) * 60.0 for one in timeline(spec, series) if one.evaluation.state == "ALARM"]
    early = [at for at in fired if at < hidden[0]]
    took = next((at - hidden[0] for at in fired if at >= hidden[0]), None)
    met = took is not None and took <= float(str(target)) and not early and spec.severity == "page"
    return Finding(took, met, f"{spec.name}, {spec.severity}; fired {len(fired)} times")


def _no_move_and_told_within(case: Case, target: object) -> Finding:
    """What a hidden switch costs: the failover is written and not seen, customers stay, and people hear of it."""
    if case.run is None or not case.outages:
        return Finding(None, False, "there was no outage")
    begins, ends = case.outages[0]
    moved = [one.at_s for one in case.world.moves if begins <= one.at_s < ends]
    escalated = [
        event["at_s"] - begins
        for one in _failovers(case)
        for event in one["events"]
        if event["phase"] == "ESCALATED" and "cannot be read from outside" in event["detail"]
    ]
    told = [one["at_s"] - begins for one in case.run.notifications if "ESCALATED" in one["subject"]]
    at = max(escalated[0], told[0]) if escalated and told else None
    detail = f"traffic moved {moved[0]:.0f} s in" if moved else "nobody was moved: the switch could not be seen"
    return Finding(at, at is not None and at <= float(str(target)) and not moved, detail)


def _told(case: Case, _: object) -> Finding:
    if case.run is None:
        return Finding(None, False)
    moved = [one for one in case.run.notifications if one["remediator"] == "fail_over"]
    return Finding(len(moved), bool(moved), moved[0]["subject"] if moved else "")


JUDGES: Mapping[str, Callable[[Case, object], Finding]] = {
    "served-within": _served_within,
    "found-within": _found_within,
    "availability": _availability,
    "lost-writes-within": _lost_writes_within,
    "moved-once": _moved_once,
    "never-moved": _never_moved,
    "back-unnoticed": _back_unnoticed,
    "back-gradually": _back_gradually,
    "no-control-plane-calls": _no_control_plane_calls,
    "told": _told,
    "verified": _verified,
    "recovery-time-measured": _recovery_time_measured,
    "knows-who-serves": _knows_who_serves,
    "minimum-stay": _minimum_stay,
    "given-back-within": _given_back_within,
    "flaps-move-nobody": _flaps_move_nobody,
    "hidden-switch-pages-within": _hidden_switch_pages_within,
    "no-move-and-told-within": _no_move_and_told_within,
}
# What can be told of a world without Sereno: the others speak of a watch that it does not have.
OF_THE_WORLD = ("served-within", "availability", "lost-writes-within", "moved-once", "never-moved")


def judge(objectives: Sequence[Objective], case: Case) -> list[Json]:
    """One line for each objective."""
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
