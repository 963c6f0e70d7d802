"""The table of `docs/alarms.md`: how late each alarm fires, under which assumption, and whether it is quiet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alarms import composite
from alarms.spec import AlarmSpec, AnySpec, CompositeSpec
from drills import replay, replay_incidents
from drills.replay import Assumed

# Alarms that are no alarm by themselves: they say when another one may count.
CONDITIONS = frozenset({"traffic-quiet-busy"})
# How many of the day's most telling moments of each kind are looked at.
FEW_MOMENTS, MANY_MOMENTS = 4, 60


@dataclass(frozen=True, slots=True)
class Row:
    """One alarm. `seconds` is the longest time to fire (None: under some assumption it never fires); `rings` the
    assumption under which an ordinary day fires it (None: none)."""

    name: str
    what: str
    incident: str
    seconds: float | None
    assumed: str
    rings: str | None


def representatives(specs: Iterable[AnySpec]) -> list[AnySpec]:
    """One alarm of each kind: the others differ in name and threshold. The function `read` comes first: the incidents
    are sized for it."""
    found: dict[tuple[str, ...], AnySpec] = {}
    for spec in sorted(specs, key=lambda one: ("/read/" not in one.name, one.name)):
        namespaces = {query.namespace or "" for query in spec.stats} if isinstance(spec, AlarmSpec) else set()
        found.setdefault((spec.name.split("/", maxsplit=1)[0], spec.what, *sorted(namespaces)), spec)
    return sorted(found.values(), key=lambda one: one.name)


def table(specs: Iterable[AnySpec], *, thin: bool = True) -> list[Row]:
    """A row for each kind of alarm. `thin` looks at the corners of what is assumed, and at the most telling moments
    of the day; all of it takes minutes."""
    day = replay_incidents.Day()
    chosen = representatives(specs)
    rows = {one.name: row(one, day, thin=thin) for one in chosen if isinstance(one, AlarmSpec)}
    for one in chosen:
        if isinstance(one, CompositeSpec) and (joined := _joined(one, rows)):
            rows[one.name] = joined
    return [rows[name] for name in sorted(rows)]


def row(spec: AlarmSpec, day: replay_incidents.Day, *, thin: bool = True) -> Row:
    """One alarm's row."""
    incident = replay_incidents.of(spec)
    most = incident.most_minutes * 60 // replay.slot_s(spec)
    fired = replay.worst(spec, replay_incidents.series(spec, incident), most, thin=thin)
    found: Assumed | None = None
    if spec.what not in CONDITIONS:
        data = day.series(spec)
        chosen = replay.moments(spec, data, FEW_MOMENTS if thin else MANY_MOMENTS)
        found = replay.rings(spec, data, chosen, thin=thin)
    return Row(spec.name, spec.what, incident.text, fired.seconds, str(fired.assumed), str(found) if found else None)


def _joined(spec: CompositeSpec, rows: dict[str, Row]) -> Row | None:
    """A composite over alarms of one incident fires with the last of them, and is quiet where one of them is.
    `customers-hurt`, which joins many incidents, fires with the first symptom and has no row of its own."""
    children = [rows[name] for name in composite.children(spec.rule) if name in rows]
    if " OR " in spec.rule or len(children) < 2:
        return None
    firing = [one for one in children if one.what not in CONDITIONS]
    never = next((one for one in firing if one.seconds is None), None)
    last = never or max(firing, key=lambda one: one.seconds or 0.0)
    noisy = None if any(one.rings is None for one in firing) else firing[0].rings
    return Row(spec.name, spec.what, last.incident, last.seconds, f"{last.assumed} ({last.what})", noisy)
