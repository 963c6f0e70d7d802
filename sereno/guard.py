"""The checks before acting. Each answers with a `Verdict`: refuse with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sereno import planned
from sereno.model import Mode, Plan, Reason, Signal, Step, Target, Verdict
from sereno.service import Play, Service

# What is older is no longer news: the same age at which the asynchronous invocation gives the event up.
STALE_AFTER = timedelta(minutes=15)
# Clocks of two AWS services may differ; more than this is a forged or broken event.
FUTURE_AFTER = timedelta(minutes=2)
# What Sereno has just seen or decided itself is no late delivery, however long ago the alarm went red.
OWN_SOURCES = frozenset({"round", "escalation", "evidence"})

DAYS_IN_A_MONTH = 30.0

# Refusals after which a person must look, because the symptom stays and nothing was done about it.
WORTH_A_PERSON = frozenset(
    {
        Reason.BUDGET_SPENT,
        Reason.COST_CEILING,
        Reason.OVER_CEILING,
        Reason.NO_HEADROOM,
        Reason.NOT_DEMAND,
        Reason.HOT_KEY,
        Reason.NOT_SUPPORTED,
        Reason.OPERATOR_STOP,
        Reason.APPROVAL_EXPIRED,
        Reason.DRIFTED,
        Reason.AWS_ERROR,
        Reason.FAULTY,
        Reason.NOT_TAKEN,
        Reason.NOT_PERMITTED,
        Reason.STANDBY_NOT_READY,
    }
)


def check_signal(signal: Signal, service: Service, remediator: str, now: datetime) -> Verdict:
    """Whether a signal is this watch's business at all."""
    for verdict in (
        _own(signal, service),
        _timely(signal, service, now),
        _loud(signal),
        _bound(signal, service, remediator),
    ):
        if not verdict.ok:
            return verdict
    return Verdict.yes(f"{signal.name} is {signal.state} since {signal.at:%H:%M:%S} UTC")


def _own(signal: Signal, service: Service) -> Verdict:
    where = (signal.target.account, signal.target.region)
    if signal.target.account != service.account or signal.target.region not in service.regions:
        return Verdict.no(Reason.FOREIGN, f"{where[0]} in {where[1]} is not {service.name}'s account and region")
    if not signal.what:
        return Verdict.no(Reason.FOREIGN, f"alarm {signal.name} belongs to another service")
    if signal.target.kind == "unknown":
        return Verdict.no(Reason.FOREIGN, f"{signal.target.name} is not declared in {service.name}'s resources")
    return Verdict.yes()


def still_planned(signal: Signal, service: Service, now: datetime) -> Verdict:
    """Whether what follows from a planned event may still begin: an event that is over, or was taken out of the
    configuration, starts nothing. Yes for everything that no event began."""
    if not planned.began(signal):
        return Verdict.yes()
    until = planned.until(signal, service, now)
    if until is None:
        return Verdict.no(Reason.STALE, f"{signal.name} is not planned for this moment any more")
    if now >= until:
        return Verdict.no(Reason.STALE, f"{signal.name} was over at {until:%Y-%m-%d %H:%M} UTC")
    return Verdict.yes(f"{signal.name} lasts until {until:%Y-%m-%d %H:%M} UTC")


def _timely(signal: Signal, service: Service, now: datetime) -> Verdict:
    if signal.source in OWN_SOURCES:
        return Verdict.yes()
    if signal.source == planned.SOURCE:
        return still_planned(signal, service, now)
    age = now - signal.at
    if age > STALE_AFTER:
        return Verdict.no(
            Reason.STALE, f"{age.total_seconds():.0f} s old; news is at most {STALE_AFTER.total_seconds():.0f} s old"
        )
    if age < -FUTURE_AFTER:
        return Verdict.no(Reason.FUTURE, f"dated {-age.total_seconds():.0f} s in the future")
    return Verdict.yes()


def _loud(signal: Signal) -> Verdict:
    if signal.muted:
        return Verdict.no(Reason.MUTED, "a mute rule or a suppressor silences this alarm")
    if signal.state != "ALARM":
        return Verdict.no(Reason.NOT_ALARM, f"the alarm went to {signal.state}")
    return Verdict.yes()


def _bound(signal: Signal, service: Service, remediator: str) -> Verdict:
    play = service.playbook.get(signal.what)
    if play is None or remediator not in play.remediators:
        return Verdict.no(Reason.NOT_BOUND, f"the playbook does not bind {signal.what} to {remediator}")
    return Verdict.yes()


def effective_mode(
    play: Play, chosen: Mapping[str, Mode] | None, remediator: str, caps: Mapping[str, Mode] | None = None
) -> tuple[Mode, str]:
    """(mode, why). `chosen` holds what operators set at run time under `*` and the remediator's name; None means
    that it could not be read, and then Sereno only watches. `caps` hold the most that demoted remediators may do."""
    if chosen is None:
        return Mode.strictest(Mode.OBSERVE, play.mode), "the mode could not be read: fail closed"
    own = chosen.get(remediator, play.mode)
    mode = Mode.strictest(own, chosen["*"]) if "*" in chosen else own
    cap = (caps or {}).get(remediator)
    if cap is not None and cap.rank < mode.rank:
        return cap, f"demoted to {cap} until an operator sets its mode"
    if mode != own:
        return mode, f"the whole watch is set to {mode}"
    return mode, "set by an operator" if remediator in chosen else "from the playbook"


def check_active(service: Service, kind: str, signal: Signal, serving: str) -> Verdict:
    """Whether this region may change anything: the one that serves customers may, the other only looks on. `serving`
    is empty where it is not known: then it is the primary. Moving traffic, getting ready for it and telling people
    are for both."""
    recovery = service.recovery
    if recovery is None or kind in ("region", "traffic", "incident") or signal.target.kind == "region":
        return Verdict.yes()
    now_serving = serving or recovery.primary
    if now_serving == service.region:
        return Verdict.yes(f"{service.region} serves")
    return Verdict.no(Reason.NOT_ACTIVE, f"customers are served from {now_serving}")


def asked_for(signal: Signal, kind: str, mode: Mode, *, two_person: bool) -> tuple[Mode, str] | None:
    """(mode, why) when a person wants traffic moved: to ask is to approve, unless two must. None for everything else;
    what is off stays off."""
    if signal.source != "manual" or kind not in ("region", "traffic") or mode is Mode.OFF:
        return None
    return (Mode.APPROVE, "a person asked, another must agree") if two_person else (Mode.AUTO, "a person asked")


def check_mode(mode: Mode, why: str) -> Verdict:
    """Off refuses; every other mode goes on to a plan."""
    return Verdict.no(Reason.MODE_OFF, why) if mode is Mode.OFF else Verdict.yes(f"{mode} ({why})")


def daily_cost(plan: Plan) -> float:
    """USD a day if the plan stays in force."""
    return max(0.0, plan.monthly_cost) / DAYS_IN_A_MONTH


def check_drift(step: Step, live: Mapping[str, Any], expected: Any) -> Verdict:
    """Whether the live value is still the one this step relies on."""
    found = live.get(step.setting)
    if found == expected:
        return Verdict.yes(f"{step.setting} is {found}")
    if found in step.superseded:
        return Verdict.yes(f"{step.setting} is {found}, which Sereno has set before")
    return Verdict.no(Reason.DRIFTED, f"{step.setting} is {found}, expected {expected}: someone else changed it")


def targets_of(kind: str, signal: Signal, service: Service) -> tuple[Target, ...]:
    """What a remediator of this kind changes when this signal comes; nothing when the signal leads to no such thing.

    A surge that meets a function meets the tables behind it next, so its signal leads to them too; a planned event
    leads to every function and table that is declared, and so does a region that is out, for the standby's must bear
    it. An incident is a target of its own (one for each symptom), so that opening it never waits for a lease on the
    resource itself; the account's quotas are one target for each region.
    """
    at = signal.target
    if (planned.began(signal) or at.kind == "region") and kind in ("function", "table"):
        declared = service.functions if kind == "function" else service.tables
        return tuple(Target(kind, one.name, at.region, at.account) for one in declared.values())
    if kind == "incident":
        return (Target("incident", signal.name, at.region, at.account),)
    if kind == "writer":
        recovery = service.recovery
        writers = recovery.fence if recovery and at.kind == "region" else ()
        return tuple(Target(kind, service.functions[one].name, at.name, at.account) for one in writers)
    if kind in ("region", "traffic"):
        # Moving traffic away must not wait for whoever moves it back.
        return (Target(kind, at.name, at.region, at.account),) if at.kind == "region" else ()
    if kind == "account":
        return (Target("account", at.account, at.region, at.account),)
    if kind == "table" and at.kind == "function":
        return tuple(Target("table", table.name, at.region, at.account) for table in service.tables_of(at.name))
    return (at,) if at.kind == kind else ()
