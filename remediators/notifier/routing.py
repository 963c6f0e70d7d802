"""Who hears of what, and when: pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sereno.incident import SEVERITIES
from sereno.service import Hours, Notices, Route

EMAIL, SLACK, PAGERDUTY, OPS_CENTER = "email", "slack", "pagerduty", "opscenter"
# What these do not take is given up after a few minutes: a record beside the pages, which must not look like a page
# that reaches nobody.
BEST_EFFORT = frozenset({OPS_CENTER})


def channels(notices: Notices, emails: Sequence[str]) -> tuple[str, ...]:
    """The channels that are declared."""
    known = (
        (SLACK, notices.slack is not None),
        (PAGERDUTY, notices.pagerduty is not None),
        (OPS_CENTER, notices.ops_center),
        (EMAIL, bool(emails)),
    )
    return tuple(name for name, there in known if there)


def usual(there: Sequence[str]) -> tuple[Route, ...]:
    """Without routes everything goes everywhere, and only pages wake people."""
    calm = tuple(name for name in there if name != PAGERDUTY)
    return (Route(("page",), tuple(there)), Route(("ticket", "info"), calm))


def route(notices: Notices, emails: Sequence[str], severity: str, at: datetime, *, over: bool = False) -> list[str]:
    """The channels that hear of news of this severity at this moment. The end of an incident goes wherever any news
    of it may have gone, whatever the hour: who was woken must hear that it is over."""
    there = channels(notices, emails)
    found: dict[str, None] = {}
    for one in notices.routes or usual(there):
        if over or (severity in one.severities and is_open(one.hours, notices, at)):
            found |= dict.fromkeys(name for name in one.to if name in there)
    return list(found)


def deferred(notices: Notices, emails: Sequence[str], severity: str, at: datetime) -> dict[str, datetime]:
    """Where a ticket that no route takes now is told later, and when its route opens next. (A page is never deferred;
    what is good to know is not told late.)"""
    there, found = channels(notices, emails), dict[str, datetime]()
    for one in notices.routes:
        if severity != "ticket" or severity not in one.severities or one.hours is None:
            continue
        opens = _opens(one.hours, notices.offsets, int(at.timestamp()) // 60)
        for name in one.to:
            if name in there and opens is not None:
                moment = datetime.fromtimestamp(opens * 60, UTC)
                found[name] = min(moment, found.get(name, moment))
    return found


@lru_cache(maxsize=64)
def _opens(hours: Hours, offsets: tuple[tuple[int, int], ...], minute: int) -> int | None:
    """The next minute (since 1970) at which a route is open."""
    zone = Notices(offsets=offsets)
    for one in range(minute, minute + 8 * 1440):
        if is_open(hours, zone, datetime.fromtimestamp(one * 60, UTC)):
            return one
    return None


def is_open(hours: Hours | None, notices: Notices, at: datetime) -> bool:
    """Whether a route is open at a moment; its hours are those of the notifications' time zone."""
    if hours is None:
        return True
    local = local_time(notices, at)
    minute = local.hour * 60 + local.minute
    if hours.start < hours.end:
        return local.weekday() in hours.days and hours.start <= minute < hours.end
    # Over midnight: what began yesterday may still last.
    began_today = local.weekday() in hours.days and minute >= hours.start
    began_yesterday = (local.weekday() - 1) % 7 in hours.days and minute < hours.end
    return began_today or began_yesterday


def local_time(notices: Notices, at: datetime) -> datetime:
    """The wall clock of the notifications' time zone, as a moment whose fields are to be shown."""
    offsets = notices.offsets
    place = bisect_right(offsets, (int(at.timestamp()), 10**9)) - 1
    return at + timedelta(seconds=offsets[place][1] if place >= 0 else 0)


def louder(one: str, other: str) -> str:
    """The louder of two severities."""
    return min(one, other, key=SEVERITIES.index)
