"""Which region serves customers: what the switch and the records say, and when that has taken effect. All pure.

A health answer that names its region proves where customers are at once. Nothing here needs one: without it,
customers have reached a region when they have been sent there for as long as DNS takes, and their name answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from sereno.recovery import ACTIVE, Evidence, View, healthy_again, opinion, opinions
from sereno.service import Recovery

# From the moment the switch is seen set until customers have followed it (seconds). health-switch: four checks of
# 10 s, a few seconds to the name servers, the records' TTL of 20 s, and a margin. metric-switch: a metric is
# published once a minute and evaluated minutes later. weighted: a change of records is live "generally within 60
# seconds" (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html), then the TTL.
SETTLES_S: Mapping[str, int] = {"health-switch": 75, "metric-switch": 240, "weighted": 90}
# The primary does not hear the standby for so long: it serves customers itself until told otherwise.
SILENT_S = 120.0
# What an object of the switch's bucket says. Route 53 searches for the text in the first 5,120 bytes.
OUT_WORD = "sereno: primary out"
HOLD_WORD = "sereno: hold"
READABLE_WORD = "sereno: readable"
# The primary must have been seen to serve for so long before a dead standby may give traffic back to it.
RELEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where customers are sent: whether the switch is set (None: it could not be read), the primary's share of the
    records behind it (percent, None: there are no such records), and whether a dead standby gives traffic back."""

    out: bool | None
    share: int | None = None
    gives_back: bool = False


def sent_to(wanted: Recovery, route: Route) -> str | None:
    """The region to which the switch and the records send most customers. None when the switch could not be read."""
    if route.out is None:
        return None
    if route.out:
        return wanted.primary if route.gives_back else wanted.standby
    return wanted.standby if route.share is not None and route.share < 50 else wanted.primary


def gives_back(known: Evidence, now: datetime, *, held: bool | None) -> bool:
    """Whether Route 53 answers the primary although the switch is set: the standby fails its own prober, nothing
    holds customers there, and the primary is not seen to fail."""
    if held is not False or opinion(known.standby, now).view is not View.DOWN:
        return False
    trying = [one.view for name, one in opinions(known, now).items() if name in ACTIVE]
    return View.DOWN not in trying


def hold(known: Evidence, now: datetime, *, out: bool | None, held: bool | None) -> bool | None:
    """What is to become of the hold, which keeps customers in the standby when Route 53 loses it for a moment.

    True sets it: the switch is set, and a witness sees the primary fail. False releases it: every probe location has
    seen all paths of the primary served for a minute (its fences must be released too). None: it stays as it is."""
    if held is None:
        return None
    if held:
        return False if healthy_again(known, now, RELEASE_S).ok else None
    failing = any(one.view is View.DOWN for name, one in opinions(known, now).items() if name in ACTIVE)
    return True if out and failing else None


def sent(known: Evidence, wanted: Recovery, route: Route) -> Evidence:
    """The evidence with where customers are sent, since when, and for how long they had gone without when they were
    sent away."""
    target = sent_to(wanted, route)
    if target is None or target == known.sent:
        return known
    away = target == wanted.standby and known.sent == wanted.primary
    return replace(known, sent=target, sent_since=known.at, out_since=_began(known) if away else None)


def reached(known: Evidence, wanted: Recovery, *, named: str, answers: bool) -> Evidence:
    """The evidence with the region that customers reach. `named` is the region that the health answer under their
    name names (empty: it names none), `answers` whether their name answered at all."""
    target = named if named in wanted.urls else ""
    if not target and answers:
        settled = known.sent_since is not None and known.at - known.sent_since >= _settles(wanted)
        target = known.sent if settled or not known.serving else ""
    if not target or target == known.serving:
        return known
    return replace(known, serving=target, serving_since=known.at)


def _settles(wanted: Recovery) -> timedelta:
    return timedelta(seconds=SETTLES_S[wanted.strategy])


def active(known: Evidence, wanted: Recovery) -> str:
    """The region whose remediations may change anything: the one to which customers are sent or which they have
    reached. The standby wins: while customers are on their way it must already act. Empty: nothing is known."""
    places = (known.sent, known.serving)
    if wanted.standby in places:
        return wanted.standby
    return wanted.primary if wanted.primary in places else ""


def recovery_time(before: Evidence | None, known: Evidence, wanted: Recovery) -> float | None:
    """For how many seconds customers went without when they have just reached the standby: from the first failing try
    of a witness that found the primary out. None when they did not, or were moved for another reason."""
    if before is None or before.serving != wanted.primary or known.serving != wanted.standby:
        return None
    began = _began(known) or known.out_since
    return None if began is None else (known.at - began).total_seconds()


def _began(known: Evidence) -> datetime | None:
    """The first failing try of the outage that goes on; None when nobody sees one."""
    if not known.down_since:
        return None
    began = [*known.down_since.values()]
    for name in ACTIVE:
        failing = list(takewhile(lambda seen: not seen.ok, reversed(known.primary.get(str(name), ()))))
        began += [failing[-1].at] if failing else []
    return min(began)


def told(known: Evidence, now: datetime, wanted: Recovery, region: str) -> str | None:
    """What the primary takes for the region to which customers are sent: what the standby told last (`region`, empty:
    nothing new). Once the standby has been silent for two minutes, the primary. None: as before."""
    if region in wanted.urls:
        return region
    heard = [seen.at for seen in known.standby if seen.ok]
    first = known.standby[0].at if known.standby else now
    silent_since = heard[-1] if heard else first
    return wanted.primary if (now - silent_since).total_seconds() >= SILENT_S - 10 else None


def stayed(known: Evidence, wanted: Recovery, now: datetime) -> float | None:
    """For how many seconds customers have been with the standby; None when nothing says since when."""
    if known.serving == wanted.standby and known.serving_since is not None:
        return (now - known.serving_since).total_seconds()
    if known.sent == wanted.standby and known.sent_since is not None:
        return (now - known.sent_since).total_seconds()
    return None
