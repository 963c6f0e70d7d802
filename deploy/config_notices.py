"""How people are told: from `notifications:` in `sereno.yaml` to what the Lambdas carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from deploy import units
from deploy.config_model import EscalationConfig, NotificationsConfig, PagerDutyConfig
from remediators.notifier import routing
from sereno.errors import Problem
from sereno.model import Json
from sereno.service import Service

# No zone changes its offset twice in less.
WEEK_S = 7 * 86_400
DAY_MIN, WEEK_MIN = 1440, 7 * 1440
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Channels that people hear. OpsCenter is a list that somebody must look at.
REACH_PEOPLE = frozenset({"slack", "pagerduty", "email"})
# What a route may name, and the key under `notifications` that makes it exist.
CHANNELS = {"slack": "slack", "pagerduty": "pagerduty", "email": "emails", "opscenter": "opscenter"}


def compiled(config: NotificationsConfig) -> Json:
    """What `Notices.from_json` reads."""
    return {
        "language": config.language,
        "timezone": config.timezone,
        "slack": {
            "channel": config.slack.channel,
            "secret": config.slack.secret,
            "approvers": list(config.slack.approvers),
            "mention": {severity: list(names) for severity, names in config.slack.mention.items()},
        }
        if config.slack
        else None,
        "pagerduty": _pagerduty(config.pagerduty) if config.pagerduty else None,
        "ops_center": config.opscenter,
        "routes": [
            {"severities": list(one.severity), "to": list(one.to), "hours": _hours(one.hours)}
            for one in config.routes
        ],
        "page_url": config.page or "",
        "escalation": _escalation(config.escalation) if config.escalation else None,
        "offsets": [list(one) for one in offsets(config.timezone)],
    }


def _escalation(config: EscalationConfig) -> Json:
    contacts = [
        {
            "name": one.name,
            "after_s": one.after,
            "mention": list(one.mention),
            "email": one.email or "",
            "pagerduty": _pagerduty(one.pagerduty) if one.pagerduty else None,
        }
        for one in config.contacts
    ]
    return {"repeat_s": config.repeat, "times": config.times, "contacts": contacts}


def _pagerduty(config: PagerDutyConfig) -> Json:
    return {"secret": config.secret, "region": config.region, "webhook": config.webhook}


@lru_cache(maxsize=8)
def offsets(zone: str) -> tuple[tuple[int, int], ...]:
    """(epoch second, seconds east of UTC) of a time zone at the start of 2025 and at each change until 2045."""
    place, found = ZoneInfo(zone), list[tuple[int, int]]()

    def offset(at: int) -> int:
        return int((datetime.fromtimestamp(at, place).utcoffset() or timedelta()).total_seconds())

    at, last = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2045, 1, 1, tzinfo=UTC).timestamp())
    known = offset(at)
    found.append((at, known))
    while at < last:
        after = at + WEEK_S
        if offset(after) != known:
            low, high = at, after
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == known else (low, middle)
            known = offset(high)
            found.append((high, known))
        at = after
    return tuple(found) if any(seconds for _, seconds in found) else ()


def _hours(text: str | None) -> Json | None:
    if text is None:
        return None
    days, start, end = units.hours(text)
    return {"days": list(days), "start": start, "end": end}


def problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Routes to channels that are not declared, declared channels without a route, and hours in which a page reaches
    nobody. `raw` is `notifications` as it stands in the file; what is malformed there is another's to name."""
    routes = raw.get("routes")
    routes = [one for one in routes if isinstance(one, Mapping)] if isinstance(routes, list) else []
    for number, route in enumerate(routes):
        for channel in _named(route):
            key = CHANNELS.get(channel)
            if key and not raw.get(key):
                mend = f"is not declared (write notifications.{key})"
                yield Problem(f"notifications.routes[{number}].to", channel, mend)
    yield from _contact_problems(raw)
    if not routes:
        return
    used = {channel for route in routes for channel in _named(route)}
    for channel, key in CHANNELS.items():
        if raw.get(key) and channel not in used:
            mend = "is declared, but no route leads to it (name it in notifications.routes, or take it out)"
            yield Problem(f"notifications.{key}", channel, mend)
    for start, end in uncovered(routes):
        span = "at any time" if end - start == WEEK_MIN else f"{_moment(start)} to {_moment(end)}"
        mend = "has no route for pages: nobody is paged then (add one without hours to slack, pagerduty or email)"
        yield Problem("notifications.routes", span, mend)


def unreached(service: Service) -> Iterator[Problem]:
    """A configuration whose pages reach nobody, because it declares no channel that does. (Hours without a route are
    `problems`; without routes each declared channel gets every page.)"""
    if not set(routing.channels(service.notices, service.emails)) & REACH_PEOPLE:
        mend = "pages reach nobody, by day or by night (write notifications.emails, or slack or pagerduty)"
        yield Problem("notifications", None, mend)


def _contact_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    escalation = raw.get("escalation")
    contacts = escalation.get("contacts") if isinstance(escalation, Mapping) else None
    seen: set[str] = set()
    for number, contact in enumerate(contacts if isinstance(contacts, list) else []):
        if not isinstance(contact, Mapping):
            continue
        place, name = f"notifications.escalation.contacts[{number}]", str(contact.get("name", ""))
        if not any(contact.get(way) for way in ("mention", "email", "pagerduty")):
            mend = "names nobody to reach (write mention: [U...], email: ... or pagerduty: {secret: ...})"
            yield Problem(place, name, mend)
        emails = raw.get("emails")
        if isinstance(emails, list) and contact.get("email") in emails:
            mend = "gets every page already by notifications.emails (SNS keeps one subscription of an address)"
            yield Problem(f"{place}.email", str(contact["email"]), mend)
        if contact.get("mention") and not raw.get("slack"):
            yield Problem(f"{place}.mention", name, "needs Slack, which is not declared (write notifications.slack)")
        if name in seen:
            yield Problem(f"{place}.name", name, "stands twice")
        seen.add(name)


def uncovered(routes: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """(first minute, minute after the last) of the week in which no route leads a page to a person; one that begins
    late on Sunday may end after the week."""
    covered = bytearray(WEEK_MIN)
    for route in routes:
        severities = route.get("severity")
        if not isinstance(severities, list) or "page" not in severities or not set(_named(route)) & REACH_PEOPLE:
            continue
        try:
            days, start, end = units.hours(route["hours"]) if route.get("hours") else (tuple(range(7)), 0, DAY_MIN)
        except ValueError:
            return []  # the hours are malformed: that is named already
        for day in days:
            for minute in range(day * DAY_MIN + start, day * DAY_MIN + end + (DAY_MIN if end <= start else 0)):
                covered[minute % WEEK_MIN] = 1
    if all(covered):
        return []
    if not any(covered):
        return [(0, WEEK_MIN)]
    # From a covered minute on, so that a gap over the week's end is one.
    first, gaps, began = covered.index(1), list[tuple[int, int]](), -1
    for minute in range(first, first + WEEK_MIN + 1):
        is_covered = bool(covered[minute % WEEK_MIN])
        if not is_covered and began < 0:
            began = minute
        elif is_covered and began >= 0:
            gaps.append((began, minute))
            began = -1
    return gaps


def _named(route: Mapping[str, Any]) -> list[str]:
    named = route.get("to")
    return [one for one in named if isinstance(one, str)] if isinstance(named, list) else []


def _moment(minute: int) -> str:
    day, rest = divmod(minute % WEEK_MIN, DAY_MIN)
    return f"{DAYS[day]} {rest // 60:02d}:{rest % 60:02d}"
