"""Whether a region is out, and whether traffic may be moved away from it. All pure.

Who decides is the standby region, and only the standby's own clock counts: its prober notes when *it* saw what each
witness says, so that clocks that differ between regions decide nothing.

A witness is a place from which the primary is tried as a customer would. Witnesses that share a way (the standby's
prober, and the heartbeat that the primary writes into the standby) are one vantage: when the regions cannot see each
other, both fall silent at once and nothing is out. So two vantages must agree, and none may say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sereno.model import Json, Reason, Signal, Target, Verdict, instant, iso
from sereno.service import REGION_OUT, Service

# How often a prober tries, and how many of its sightings are judged together.
PROBE_EVERY_S = 5
ROLL = 5
# So many of the last five failing are an outage, so many at most are none. What lies between is neither.
DOWN_FROM, UP_TO = 4, 1
# Sightings that are kept of each witness: two minutes.
KEPT = 24
# A try may take a moment longer than the one before it: that must not cost another five seconds.
UNEVEN = timedelta(seconds=PROBE_EVERY_S / 2)
# What nobody has confirmed for so long says nothing any more: three probes and their patience.
FRESH = timedelta(seconds=25)
# An outage of which nothing has come is answered anew after so many seconds, in the first minutes and later.
RETRY_S, HASTE_S = 30, 300
# Two vantages must agree: one is never enough.
QUORUM = 2


class View(StrEnum):
    """What a witness says of a region."""

    UP = "up"
    DOWN = "down"
    UNSURE = "unsure"
    SILENT = "silent"


class Witness(StrEnum):
    """Who may say something of the primary."""

    STANDBY = "standby"
    HEARTBEAT = "heartbeat"
    THIRD = "witness"
    EDGE = "edge"


# Which witnesses share a way, and so are one.
VANTAGE: Mapping[Witness, str] = {
    Witness.STANDBY: "standby",
    Witness.HEARTBEAT: "standby",
    Witness.THIRD: "witness",
    Witness.EDGE: "edge",
}
# Silence of a heartbeat is a reason to look, never a reason to act: a lost line looks the same.
ACTIVE = (Witness.STANDBY, Witness.THIRD, Witness.EDGE)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One try of a region, dated by the clock of the standby: whether it served, and what failed if not."""

    at: datetime
    ok: bool
    detail: str = ""

    def to_json(self) -> list[Any]:
        return [iso(self.at), self.ok, self.detail]

    @staticmethod
    def from_json(data: Sequence[Any]) -> Sighting:
        return Sighting(instant(data[0]), bool(data[1]), str(data[2]))


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a witness says, since when, and why."""

    view: View
    since: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the standby knows at a moment: the sightings of the primary by witness (oldest first), those of the
    standby itself, since when each witness has seen the primary serve without a break, and since when not, which
    region customers reach (by the name they use) and since when, and the replication delay (seconds, None: not
    measured). `sent` is the region to which the switch and the records send them, `sent_since` since when, and
    `out_since` when the outage began because of which they were sent to the standby (None: there was none).
    `hidden_from` names the probe locations that cannot read the switch's public object (None: there is no such
    object, or nobody has looked). `at` is when it was noted."""

    at: datetime
    primary: Mapping[str, tuple[Sighting, ...]] = field(default_factory=dict)
    standby: tuple[Sighting, ...] = ()
    up_since: Mapping[str, datetime] = field(default_factory=dict)
    down_since: Mapping[str, datetime] = field(default_factory=dict)
    serving: str = ""
    serving_since: datetime | None = None
    lag_s: float | None = None
    sent: str = ""
    sent_since: datetime | None = None
    out_since: datetime | None = None
    hidden_from: tuple[str, ...] | None = None

    def to_json(self) -> Json:
        return {
            "at": iso(self.at),
            "primary": {name: [one.to_json() for one in seen] for name, seen in self.primary.items()},
            "standby": [one.to_json() for one in self.standby],
            "up_since": {name: iso(since) for name, since in self.up_since.items()},
            "down_since": {name: iso(since) for name, since in self.down_since.items()},
            "serving": self.serving,
            "serving_since": iso(self.serving_since) if self.serving_since else None,
            "lag_s": self.lag_s,
            "sent": self.sent,
            "sent_since": iso(self.sent_since) if self.sent_since else None,
            "out_since": iso(self.out_since) if self.out_since else None,
            "hidden_from": None if self.hidden_from is None else list(self.hidden_from),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Evidence:
        return Evidence(
            instant(data["at"]),
            {name: tuple(Sighting.from_json(one) for one in seen) for name, seen in data["primary"].items()},
            tuple(Sighting.from_json(one) for one in data["standby"]),
            {name: instant(since) for name, since in data.get("up_since", {}).items()},
            {name: instant(since) for name, since in data.get("down_since", {}).items()},
            data.get("serving", ""),
            instant(data["serving_since"]) if data.get("serving_since") else None,
            data.get("lag_s"),
            data.get("sent", ""),
            instant(data["sent_since"]) if data.get("sent_since") else None,
            instant(data["out_since"]) if data.get("out_since") else None,
            None if data.get("hidden_from") is None else tuple(data["hidden_from"]),
        )


def noted(
    before: Evidence | None,
    now: datetime,
    *,
    primary: Mapping[str, Sighting],
    standby: Sighting | None = None,
    serving: str | None = None,
    lag_s: float | None = None,
) -> Evidence:
    """The evidence with what is new: at most one sighting of each witness, one that is not newer than its last being
    told already. What is not told anew (`serving`, `lag_s`) stays as it was."""
    old = before or Evidence(now)
    told = {name: list(kept) for name, kept in old.primary.items()}
    for name, one in primary.items():
        told[name] = _with(told.get(name, []), one)
    kept_primary = {name: tuple(kept) for name, kept in told.items()}
    up_since, down_since = {}, {}
    for name, kept in kept_primary.items():
        told_now = opinion(kept, now)
        if told_now.view is View.UP and told_now.since:
            # What nobody saw was not seen to be well: health begins anew after a gap.
            earlier = old.up_since.get(name) if _unbroken(old.primary.get(name, ()), kept) else None
            up_since[name] = min(earlier or told_now.since, told_now.since)
        elif name in old.down_since:
            down_since[name] = old.down_since[name]  # an outage ends when it is served again, not in a silence
        elif told_now.view is View.DOWN and told_now.since:
            down_since[name] = told_now.since
    return Evidence(
        now,
        kept_primary,
        tuple(_with(old.standby, standby)) if standby else old.standby,
        up_since,
        down_since,
        old.serving if serving is None else serving,
        old.serving_since if serving in (None, old.serving) else now,
        old.lag_s if lag_s is None else lag_s,
        old.sent,
        old.sent_since,
        old.out_since,
        old.hidden_from,
    )


def _unbroken(before: Sequence[Sighting], after: Sequence[Sighting]) -> bool:
    return bool(before) and after[-1].at - before[-1].at <= FRESH


def _with(before: Sequence[Sighting], new: Sighting) -> list[Sighting]:
    return list(before) if before and new.at <= before[-1].at else [*before, new][-KEPT:]


def opinion(sightings: Sequence[Sighting], now: datetime) -> Opinion:
    """What a witness says at this moment: four of its last five tries failed, or one at most."""
    if not sightings or not -FRESH <= now - sightings[-1].at <= FRESH:
        return Opinion(View.SILENT, sightings[-1].at if sightings else None, "says nothing")
    known = _since_gap(sightings)
    views = _rolled(known)
    since = known[-1].at
    for one, view in zip(reversed(known), reversed(views), strict=True):
        if view is not views[-1]:
            break
        since = one.at
    failed = next((one.detail for one in reversed(known) if not one.ok), "")
    return Opinion(views[-1], since, failed if views[-1] is not View.UP else "")


def _since_gap(sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """What was before a gap says nothing of what was after it."""
    for number in range(len(sightings) - 1, 0, -1):
        if sightings[number].at - sightings[number - 1].at > FRESH:
            return sightings[number:]
    return sightings


def _rolled(sightings: Sequence[Sighting]) -> list[View]:
    """The view at each sighting, by it and the four before it."""
    views, failing = [], 0
    for number, one in enumerate(sightings):
        failing += not one.ok
        if number >= ROLL:
            failing -= not sightings[number - ROLL].ok
        served = min(number + 1, ROLL) - failing
        if failing >= DOWN_FROM:
            views.append(View.DOWN)
        else:
            views.append(View.UP if failing <= UP_TO and served >= DOWN_FROM else View.UNSURE)
    return views


def opinions(evidence: Evidence, now: datetime) -> dict[str, Opinion]:
    """What each witness says of the primary."""
    return {name: opinion(sightings, now) for name, sightings in sorted(evidence.primary.items())}


def confirmed_out(evidence: Evidence, now: datetime, confirm_s: float) -> Verdict:
    """Whether the primary is out: two vantages say so, each for `confirm_s`, and none that tries it says otherwise.
    Never one alone. Who was served by the last try has no say for it: a pause between two tries must not make an
    outage of a blip that is over. `now` is when the evidence was noted: time alone confirms nothing."""
    told = opinions(evidence, now)
    trying = {name: one for name, one in told.items() if name in ACTIVE}
    against = [name for name, one in trying.items() if one.view is View.UP]
    if against:
        return Verdict.no(Reason.NO_QUORUM, f"served, says {' and '.join(against)}")
    for_it = {
        VANTAGE[Witness(name)]: f"{name}: {one.detail or 'no answer'}"
        for name, one in trying.items()
        if one.view is View.DOWN
        and not evidence.primary[name][-1].ok
        and one.since
        and now - one.since >= timedelta(seconds=confirm_s) - UNEVEN
    }
    said = "; ".join(for_it.values())
    if len(for_it) < QUORUM:
        silent = [name for name, one in trying.items() if one.view is not View.DOWN or evidence.primary[name][-1].ok]
        more = f" ({', '.join(silent)} says neither)" if silent else ""
        return Verdict.no(Reason.NO_QUORUM, f"{len(for_it)} of {QUORUM} vantages say that it is out{more}")
    heart = told.get(str(Witness.HEARTBEAT))
    silence = "" if heart is None or heart.view is View.UP else "; its heartbeat is silent"
    return Verdict.yes(f"out by {len(for_it)} vantages: {said}{silence}")


def still_out(evidence: Evidence, now: datetime, confirm_s: float) -> Verdict:
    """Whether the primary is out, as it was noted last: of an outage that nobody has seen since, time alone is no
    confirmation."""
    if now - evidence.at > FRESH:
        return Verdict.no(Reason.NO_QUORUM, f"nobody has looked since {evidence.at:%H:%M:%S}")
    return confirmed_out(evidence, evidence.at, confirm_s)


def out_since(evidence: Evidence, now: datetime) -> datetime:
    """When the outage began that is confirmed at this moment: the same however long it lasts."""
    told = opinions(evidence, now)
    return min(
        (since for name, since in evidence.down_since.items() if name in ACTIVE and told[name].view is View.DOWN),
        default=now,
    )


def suspected(evidence: Evidence, now: datetime) -> bool:
    """Whether any witness that tries the primary says that it is out: worth a look, not a move."""
    return any(one.view is View.DOWN for name, one in opinions(evidence, now).items() if name in ACTIVE)


def standby_ready(evidence: Evidence, now: datetime, rpo_s: float) -> Verdict:
    """Whether the standby could serve: it answers its own prober, and has what the primary wrote."""
    own = opinion(evidence.standby, now)
    if own.view is not View.UP:
        return Verdict.no(Reason.STANDBY_NOT_READY, f"the standby is {own.view}: {own.detail or 'no probe'}")
    if evidence.lag_s is not None and evidence.lag_s > rpo_s:
        lag = f"{evidence.lag_s:.0f} s behind, promised are {rpo_s:.0f} s"
        return Verdict.no(Reason.STANDBY_NOT_READY, f"the standby's data is {lag}")
    behind = "" if evidence.lag_s is None else f", {evidence.lag_s:.1f} s behind"
    return Verdict.yes(f"the standby serves{behind}")


def healthy_again(evidence: Evidence, now: datetime, for_s: float) -> Verdict:
    """Whether the primary could take traffic back: every witness that tries it has seen it serve for `for_s`."""
    told = {name: one for name, one in opinions(evidence, now).items() if name in ACTIVE}
    if not told:
        return Verdict.no(Reason.NO_QUORUM, "nobody tries the primary")
    for name, one in told.items():
        if one.view is not View.UP or name not in evidence.up_since:
            return Verdict.no(Reason.NO_QUORUM, f"{name} says {one.view}: {one.detail}")
    least = min((now - evidence.up_since[name]).total_seconds() for name in told)
    if least < for_s:
        return Verdict.no(Reason.NOT_TOLD, f"healthy for {least:.0f} s of {for_s:.0f} s")
    return Verdict.yes(f"healthy for {least:.0f} s, say {' and '.join(told)}")


def out_signal(service: Service, since: datetime, reason: str) -> Signal:
    """The signal that the primary is out. Its id is the outage's beginning: however often it is said, it is one."""
    recovery = service.recovery
    if recovery is None:
        raise ValueError(f"{service.name} has no recovery")
    return Signal(
        id=f"region-out:{service.name}/{recovery.primary}@{iso(since)}",
        source="evidence",
        name=f"{service.name}/{recovery.primary}/{REGION_OUT}",
        what=REGION_OUT,
        state="ALARM",
        previous="",
        target=Target("region", recovery.primary, service.region, service.account),
        at=since,
        reason=reason[:1023],
        factor=1.0,  # the standby must bear what is normal
    )


def attempt(signal: Signal, now: datetime) -> Signal:
    """The signal of an outage that lasts, for another attempt: what was refused (the standby was not ready, somebody
    held the target) is tried again every half a minute at first and every five minutes later, each attempt once."""
    age = (now - signal.at).total_seconds()
    number = int(min(age, HASTE_S) // RETRY_S + max(0.0, age - HASTE_S) // HASTE_S)
    return replace(signal, id=f"{signal.id}#{number}", root=signal.origin) if number > 0 else signal


def outage(service: Service, evidence: Evidence, now: datetime, reason: str) -> Signal:
    """The attempt of this moment to answer the outage that was noted last."""
    return attempt(out_signal(service, out_since(evidence, evidence.at), reason), now)


def asked_signal(service: Service, what: str, at: datetime, by: str) -> Signal:
    """The signal that a person wants traffic moved (`region-out`) or back (`region-back`)."""
    recovery = service.recovery
    if recovery is None:
        raise ValueError(f"{service.name} has no recovery")
    name = f"{service.name}/{recovery.primary}/{what}"
    return Signal(
        id=f"manual:{name}:{by}@{iso(at)}",
        source="manual",
        name=name,
        what=what,
        state="ALARM",
        previous="",
        target=Target("region", recovery.primary, service.region, service.account),
        at=at,
        reason=f"asked for by {by}",
        factor=1.0,
    )
