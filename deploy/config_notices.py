"""How people are told: from `notifications:` in `sereno.yaml` to what the Lambdas carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from deploy import units
from deploy.config_model import NotificationsConfig
from sereno.errors import Problem
from sereno.model import Json

# No zone changes its offset twice in less.
WEEK_S = 7 * 86_400
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
        "pagerduty": {"secret": config.pagerduty.secret, "region": config.pagerduty.region}
        if config.pagerduty
        else None,
        "ops_center": config.opscenter,
        "routes": [
            {"severities": list(one.severity), "to": list(one.to), "hours": _hours(one.hours)}
            for one in config.routes
        ],
        "page_url": config.page or "",
        "offsets": [list(one) for one in offsets(config.timezone)],
    }


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
    """Routes to channels that are not declared. `raw` is `notifications` as it stands in the file."""
    routes = raw.get("routes")
    for number, route in enumerate(routes if isinstance(routes, list) else []):
        named = route.get("to") if isinstance(route, Mapping) else None
        for channel in named if isinstance(named, list) else []:
            key = CHANNELS.get(channel) if isinstance(channel, str) else None
            if key and not raw.get(key):
                mend = f"is not declared (write notifications.{key})"
                yield Problem(f"notifications.routes[{number}].to", channel, mend)
