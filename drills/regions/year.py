"""A year of noise, at the level of the evidence: what three witnesses say, folded as the standby's prober folds it.

Only the minutes in which anything happens are played, with a minute before and after: between them every witness is
well, and evidence of well witnesses decides nothing. Before each stretch the prober remembers what it remembered at
the end of the last one; that this is long ago, it sees itself.

What the standby and the witness both cannot reach for twenty seconds and more is an outage, whatever its cause: noise
that would make both fail for longer is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from deploy.config_checks import nearest
from drills import scenario_values as values
from drills.engine import Happening
from drills.function_model import stream
from drills.regions.ground import prepared
from drills.regions.year_prober import MINUTE, Event, Prober
from drills.scenario import Objective
from drills.scenario_reader import document
from drills.scenario_reading import Reading
from sereno.errors import InvalidInput
from sereno.model import Json
from sereno.service import Service

DAY = 86_400.0
# Played before and after whatever happens.
LEAD_S, AFTER_S = 60.0, 45.0
# What both vantages may miss together and is no outage.
BOTH_S = 19.0
# Of an outage its beginning is played, and its end.
BEGINNING_S = 420.0
# The kinds of noise: who fails, and for how long (seconds, from and to).
NOISE: Mapping[str, tuple[tuple[str, ...], tuple[float, float]]] = {
    "standby": (("standby",), (1.0, 600.0)),
    "witness": (("witness",), (1.0, 600.0)),
    "both": (("standby", "witness"), (1.0, BOTH_S)),
    "partition": (("standby", "heartbeat"), (30.0, 3600.0)),
    "witness-restart": (("witness-silent",), (5.0, 300.0)),
    "prober-restart": (("prober-silent",), (5.0, 120.0)),
    "clock-step": (("clock",), (30.0, 120.0)),
}


@dataclass(frozen=True, slots=True)
class YearScenario:
    """One year. `noise` is how often each kind of it comes; `outages` are the lengths of the true ones (seconds)."""

    name: str
    title: str
    story: str
    service: str
    start: datetime
    days: int
    noise: Mapping[str, int]
    outages: tuple[float, ...]
    objectives: tuple[Objective, ...]

    @property
    def duration_s(self) -> int:
        """The year's length."""
        return int(self.days * DAY)

    @property
    def start_s(self) -> float:
        """Epoch seconds."""
        return self.start.timestamp()


@dataclass(frozen=True, slots=True)
class Judged:
    """A year as it was judged: each true outage with the seconds until it was found (None: it was missed), and every
    move without one."""

    found: tuple[tuple[Event, float | None], ...]
    false_moves: tuple[float, ...]
    events: tuple[Event, ...]
    tries: int


def load(path: Path) -> YearScenario:
    """Reads the scenario. Raises InvalidInput with every problem found."""
    reading = Reading(document(path))
    raw, take = reading.raw, reading.take
    keys = ("kind", "name", "title", "story", "base", "service", "start", "days", "noise", "outages", "objectives")
    reading.unknown(raw, (*keys, "peak"), "")
    noise = reading.mapping("noise")
    for kind in noise:
        if kind not in NOISE:
            reading.say(f"noise.{kind}", None, f"is no noise{nearest(kind, NOISE)}; known: {', '.join(NOISE)}")
    lengths = raw.get("outages")
    if not isinstance(lengths, list):
        reading.say("outages", lengths, "is no list of lengths (write [3m, 3h])")
    found = YearScenario(
        name=take(raw, "name", values.text, "", ""),
        title=take(raw, "title", values.text, "", ""),
        story=take(raw, "story", values.text, "", ""),
        service=take(raw, "service", values.text, "", ""),
        start=take(raw, "start", values.start, "", datetime(2026, 1, 1, tzinfo=UTC)),
        days=take(raw, "days", values.count, "", 0),
        noise={kind: reading.parse(count, values.count, f"noise.{kind}", 0) for kind, count in noise.items()},
        outages=tuple(
            reading.parse(one, values.duration, f"outages[{number}]", 0.0)
            for number, one in enumerate(lengths if isinstance(lengths, list) else [])
        ),
        objectives=tuple(_objectives(reading)),
    )
    if not found.days:
        reading.say("days", raw.get("days"), "is no length of time (write 365)")
    if not any(found.noise.values()) and not found.outages:
        reading.say("noise", None, "and outages are nothing (a year in which nothing happens proves nothing)")
    if found.name and found.name != path.stem:
        reading.say("name", found.name, f"differs from the file's name (write {path.stem}, or rename the file)")
    if reading.problems:
        raise InvalidInput(path.name, reading.problems)
    return found


def _objectives(reading: Reading) -> Iterator[Objective]:
    known = ("no-false-moves", "none-missed", "found-within")
    raw = reading.raw.get("objectives")
    for number, one in enumerate(raw if isinstance(raw, list) else []):
        name, value = next(iter(one.items())) if isinstance(one, Mapping) and len(one) == 1 else (str(one), None)
        path = f"objectives[{number}]"
        if name not in known:
            reading.say(path, name, f"is no objective{nearest(str(name), known)}; known: {', '.join(known)}")
        elif name != "found-within" and value is not None:
            reading.say(f"{path}.{name}", value, f"takes no target (write - {name})")
        elif name == "found-within":
            yield Objective(name, reading.parse(value, values.duration, path, 0.0))
        else:
            yield Objective(name)
    if not isinstance(raw, list) or not raw:
        reading.say("objectives", raw, "is missing or no list (a drill without an objective proves nothing)")


def happenings(scenario: YearScenario, seed: int) -> list[Event]:
    """Everything of this year, oldest first."""
    rng = stream(seed, scenario.name, "noise")
    length = float(scenario.duration_s)
    events = [
        Event("outage", ("standby", "witness", "heartbeat", "out"), at, at + lasts)
        for at, lasts in zip(_apart(rng, len(scenario.outages), length), scenario.outages, strict=True)
    ]
    for kind, count in sorted(scenario.noise.items()):
        who, (least, most) = NOISE[kind]
        for _ in range(count):
            at = float(rng.uniform(MINUTE, length - DAY / 4))
            lasts = float(np.exp(rng.uniform(np.log(least), np.log(most))))
            by = float(rng.choice([-1, 1]) * rng.uniform(1, 120)) if kind == "clock-step" else 0.0
            events.append(Event(kind, who, at, at + lasts, by))
    return _without_long_overlaps(sorted(events, key=lambda one: one.start))


def _apart(rng: np.random.Generator, count: int, length: float) -> list[float]:
    """So many moments, one in each equal part of the year."""
    part = length / max(count, 1)
    return [number * part + float(rng.uniform(0.2, 0.8)) * part for number in range(count)]


def _without_long_overlaps(events: list[Event]) -> list[Event]:
    """Cuts noise of one vantage where it would meet noise of the other for longer than both may fail together."""
    kept: list[Event] = []
    for one in events:
        mine = {"standby", "witness"} & set(one.who)
        end = one.end
        for other in kept[-40:]:
            theirs = {"standby", "witness"} & set(other.who)
            if one.kind == "outage" or other.kind == "outage" or not mine or not theirs:
                continue
            if (mine | theirs) == {"standby", "witness"} and other.end > one.start:
                # Less than both may fail, together with what else they fail at its edges.
                end = min(end, one.start + BOTH_S / 3, other.end)
        kept.append(Event(one.kind, one.who, one.start, max(end, one.start + 1.0), one.by))
    return kept


def _stretches(events: list[Event]) -> Iterator[tuple[float, float, list[Event]]]:
    """What is played: from, to, and all that goes on meanwhile or shortly before. Of what lasts long the middle is
    left out, as far as nothing else happens in it."""
    edges: list[tuple[float, float]] = []
    for one in events:
        if one.end - one.start > 2 * BEGINNING_S:
            edges.append((one.start - LEAD_S, one.start + BEGINNING_S))
            edges.append((one.end - LEAD_S, one.end + AFTER_S))
        else:
            edges.append((one.start - LEAD_S, one.end + AFTER_S))
    joined: list[tuple[float, float]] = []
    for begins, ends in sorted(edges):
        if joined and begins <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(ends, joined[-1][1]))
        else:
            joined.append((begins, ends))
    for begins, ends in joined:
        yield begins, ends, [one for one in events if one.start < ends and one.end + MINUTE > begins]


def judged(
    scenario: YearScenario, seed: int, service: Service, tick: Callable[[float], None] = lambda _: None
) -> Judged:
    """The year under this seed."""
    events = happenings(scenario, seed)
    prober = Prober(service, scenario.start, stream(seed, scenario.name, "prober"))
    for begins, ends, inside in _stretches(events):
        prober.play(begins, ends, inside)
        tick(ends / scenario.duration_s)
    outages = [one for one in events if one.kind == "outage"]
    found = tuple(
        (one, next((at - one.start for at in prober.moves if one.start <= at < one.end), None)) for one in outages
    )
    false = tuple(at for at in prober.moves if not any(one.start <= at < one.end for one in outages))
    return Judged(found, false, tuple(events), prober.tries)


def run(
    scenario: YearScenario,
    seed: int = 1,
    *,
    config: Path | None = None,
    watch_over: Callable[[Happening], None] = lambda _: None,
    tick: Callable[[float], None] = lambda _: None,
) -> Json:
    """Plays the year and answers its result. Raises InvalidInput."""
    service = prepared(scenario.service, config)
    year = judged(scenario, seed, service, lambda part: tick(min(part, 1.0)))
    for one, seconds in year.found:
        watch_over(Happening(one.start, "outage", f"found after {seconds:.0f} s" if seconds else "missed"))
    return {
        "kind": "evidence",
        "scenario": scenario.name,
        "title": scenario.title,
        "story": scenario.story,
        "seed": seed,
        "service": service.name,
        "start": scenario.start.astimezone(UTC).isoformat(),
        "duration_s": scenario.duration_s,
        "objectives": [_objective(one, year) for one in scenario.objectives],
        "noise": dict(scenario.noise),
        "events": len(year.events),
        "happenings": [{"kind": one.kind, "from_s": round(one.start), "to_s": round(one.end)} for one in year.events],
        "tries": year.tries,
        "outages": [
            {"from_s": one.start, "to_s": one.end, "found_s": None if seconds is None else round(seconds, 1)}
            for one, seconds in year.found
        ],
        "false_moves": list(year.false_moves),
        "without": {"objectives": []},
        "remediations": [],
    }


def _objective(one: Objective, year: Judged) -> Json:
    measured: Any
    target: Any
    if one.name == "no-false-moves":
        measured, met = len(year.false_moves), not year.false_moves
        target, detail = 0, f"in {len(year.events)} happenings"
    elif one.name == "none-missed":
        missed = [event for event, seconds in year.found if seconds is None]
        measured, met = len(missed), not missed
        target, detail = 0, f"of {len(year.found)} outages"
    else:
        times = [seconds for _, seconds in year.found if seconds is not None]
        measured, target = max(times, default=None), one.target
        met = measured is not None and measured <= float(str(one.target))
        detail = f"the slowest of {', '.join(f'{seconds:.0f} s' for seconds in times)}"
    return {"name": one.name, "target": target, "measured": measured, "met": met, "detail": detail}
