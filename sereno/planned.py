"""Planned events: when a surge that is known beforehand is prepared for, and until when. All pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from sereno.model import Signal, Target, instant, iso
from sereno.service import PLANNED_EVENT, PlannedEvent, Service

SOURCE = "event"
_PREFIX = "event:"


def begins(event: PlannedEvent) -> datetime:
    """The moment from which everything should be raised: the prewarm before the start."""
    return instant(event.starts) - timedelta(seconds=event.prewarm_s)


def due(service: Service, now: datetime) -> tuple[PlannedEvent, ...]:
    """The events to be ready for at this moment: their prewarm has begun, and they are not over. One that is already
    running when it is first seen is due at once."""
    return tuple(event for event in service.events if begins(event) <= now < instant(event.ends))


def signal_of(event: PlannedEvent, service: Service) -> Signal:
    """The signal of an event. Its id is the event's name and start, so that it is one signal however many rounds see
    it due, and whatever else of it the configuration changes."""
    starts, ends = instant(event.starts), instant(event.ends)
    return Signal(
        id=f"{_PREFIX}{service.name}/{event.name}@{iso(starts)}",
        source=SOURCE,
        name=name_of(event, service),
        what=PLANNED_EVENT,
        state="ALARM",
        previous="",
        target=Target("service", service.name, service.region, service.account),
        at=starts,
        reason=f"{event.factor:g} times the normal traffic, {starts:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC",
        factor=event.factor,
    )


def name_of(event: PlannedEvent, service: Service) -> str:
    """What its signal is called, as an alarm would be: `<service>/<event>/planned-event`."""
    return f"{service.name}/{event.name}/{PLANNED_EVENT}"


def began(signal: Signal) -> bool:
    """Whether a planned event is what all began with; so it is for every rung and attempt that follow from it."""
    return signal.origin.startswith(_PREFIX)


def event_of(signal: Signal, service: Service) -> PlannedEvent | None:
    """The event as the configuration has it now; None when it was taken out, and for other signals."""
    if not began(signal):
        return None
    return next((event for event in service.events if name_of(event, service) == signal.name), None)


def until(signal: Signal, service: Service, now: datetime) -> datetime | None:
    """The end of the signal's event as it is planned now. None when it was taken out, or put off so far that its
    prewarm has not begun."""
    event = event_of(signal, service)
    if event is None or now < begins(event):
        return None
    return instant(event.ends)
