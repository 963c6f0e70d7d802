"""What can be wrong with planned events, and what is allowed but worth saying.

A target carries one lease at a time, so two events may not run at once: the second would find it taken by the first,
sized to the first's factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sereno import planned
from sereno.errors import Problem
from sereno.model import instant
from sereno.service import PLANNED_EVENT, Service

# What lasts longer is no surge over the normal any more, but the normal.
LONGEST = timedelta(days=31)
SHORTEST = timedelta(minutes=1)
# UpdateTable takes up to several minutes, and so does the allocation of provisioned concurrency.
# https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
SLOW = timedelta(minutes=10)

Span = tuple[str, datetime, datetime]


def problems(events: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Every problem between the fields of an event and between events, from the raw `events` of the file."""
    spans: dict[int, Span] = {}
    names: set[str] = set()
    for place, event in enumerate(events):
        name = str(event.get("name"))
        if "name" in event and name in names:
            yield Problem(f"events[{place}].name", name, "stands twice (name each event once)")
        names.add(name)
        span = _span(event)
        if span is None:
            continue  # told by the model, with its own mend
        yield from _length(place, event, span)
        spans[place] = span
    yield from _overlaps(spans)


def notes(service: Service) -> Iterator[str]:
    """What is allowed and should be known: a factor over the declared surge, a prewarm that is short or meets another
    event, a play without an event."""
    surge, slow = service.objectives.surge, list(_slow(service))
    if PLANNED_EVENT in service.playbook and not service.events:
        yield f"playbook.{PLANNED_EVENT}: no event is planned, so nothing starts this play"
    for event in service.events:
        if event.prewarm_s < SLOW.total_seconds() and slow:
            yield (
                f"{event.name}: a prewarm of {event.prewarm_s // 60}m is short: AWS takes minutes to provision "
                f"{' and '.join(slow)}"
            )
        if event.factor > surge:
            yield (
                f"{event.name}: {event.factor:g}x is over objectives.surge, {surge:g}x: the event is sized to its "
                f"own factor; a surge that nobody announced is sized to {surge:g}x"
            )
        begins, starts = planned.begins(event), instant(event.starts)
        for other in service.events:
            if other is not event and begins < instant(other.ends) <= starts:
                yield (
                    f"{event.name}: its prewarm begins while {other.name} still runs and holds the same targets "
                    "(let the one end earlier, or write a shorter prewarm)"
                )


def _slow(service: Service) -> Iterator[str]:
    if any(one.provisioned for one in service.tables.values()):
        yield "a table's capacity"
    if any(one.provisioned for one in service.functions.values()):
        yield "concurrency"


def _span(event: Mapping[str, Any]) -> Span | None:
    try:
        return str(event.get("name")), instant(str(event["from"])), instant(str(event["to"]))
    except (KeyError, ValueError):
        return None


def _length(place: int, event: Mapping[str, Any], span: Span) -> Iterator[Problem]:
    _, starts, ends = span
    path = f"events[{place}].to"
    if ends <= starts:
        yield Problem(path, event["to"], f"is not after its start, {event['from']} (let it end later)")
    elif ends - starts < SHORTEST:
        yield Problem(path, event["to"], "is less than a minute after its start (the round looks once a minute)")
    elif ends - starts > LONGEST:
        days = (ends - starts) / timedelta(days=1)
        mend = f"is {days:.0f} days after its start (at most {LONGEST.days}: what lasts longer is the new normal)"
        yield Problem(path, event["to"], mend)


def _overlaps(spans: Mapping[int, Span]) -> Iterator[Problem]:
    found: dict[int, Problem] = {}
    latest: int | None = None
    for place in sorted(spans, key=lambda one: spans[one][1]):
        name, starts, ends = spans[place]
        if ends <= starts:
            continue
        if latest is not None and starts < spans[latest][2]:
            other, _, until = spans[latest]
            mend = f"lies in {other}, which runs to {until.isoformat()} (join the two, or let one wait for the other)"
            found[place] = Problem(f"events[{place}].from", name, mend)
        if latest is None or ends > spans[latest][2]:
            latest = place
    yield from (found[place] for place in sorted(found))
