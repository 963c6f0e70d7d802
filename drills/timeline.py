"""What happened, in order: alarm changes, signals, remediations and notifications merged into minutes. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from drills import narrative
from drills.leases import acted
from sereno.model import Json


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline. `kind` is what the filters know it by: alarm, signal, remediation, notification."""

    at_s: float
    kind: str
    title: str
    detail: str = ""
    mark: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Minute:
    """The happenings of one minute of the drill."""

    elapsed: str
    clock: str
    happenings: tuple[tuple[str, Happening], ...]


def happenings(result: Json) -> list[Happening]:
    """Everything that happened, oldest first; at one moment, causes stand before their effects."""
    merged = [*_alarms(result), *_signals(result), *_remediations(result), *_notifications(result)]
    return sorted(merged, key=lambda one: one.at_s)


def minutes(result: Json) -> list[Minute]:
    """The same, by minute; minutes in which nothing happened are left out."""
    start = narrative.started(result)
    grouped: dict[int, list[tuple[str, Happening]]] = {}
    for one in happenings(result):
        grouped.setdefault(int(one.at_s // 60), []).append((narrative.clock(start, one.at_s), one))
    return [
        Minute(f"{minute} min", narrative.clock(start, minute * 60, with_seconds=False), tuple(lines))
        for minute, lines in grouped.items()
    ]


def _alarms(result: Json) -> list[Happening]:
    """Each change of an alarm, but the first ones of many alarms in one minute as one line: a watch that begins
    would otherwise fill a page with alarms that are OK."""
    lines, settled = [], defaultdict[tuple[int, str], list[Happening]](list)
    for alarm in result["alarms"]:
        fired = False
        for change in sorted(alarm["transitions"], key=lambda one: one["at_s"]):
            fired = fired or change["state"] == "ALARM"
            line = _alarm_line(alarm["name"], change)
            if fired:
                lines.append(line)
            else:
                settled[int(change["at_s"] // 60), change["state"]].append(line)
    for (_, state), alike in settled.items():
        if len(alike) == 1:
            lines.extend(alike)
        else:
            first = min(one.at_s for one in alike)
            lines.append(Happening(first, "alarm", f"{len(alike)} alarms are in {state}", _names(alike)))
    return lines


def _names(alike: list[Happening]) -> str:
    """Up to ten names; the table of alarms has them all."""
    names = [one.title.split(" ")[0] for one in alike]
    more = f", and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _alarm_line(name: str, change: Json) -> Happening:
    mark = {"ALARM": "bad", "OK": "good"}.get(change["state"], "")
    return Happening(change["at_s"], "alarm", f"{name} is in {change['state']}", change.get("reason") or "", mark)


def _signals(result: Json) -> list[Happening]:
    """Signals that are not an alarm's change, which stands in the timeline already."""
    alarms = {alarm["name"] for alarm in result["alarms"]}
    return [
        Happening(one["at_s"], "signal", f"{one['name']} is {one['state']}", one.get("reason") or "")
        for one in result["signals"]
        if one["name"] not in alarms
    ]


def _remediations(result: Json) -> list[Happening]:
    lines = []
    for number, one in enumerate(acted(result), start=1):
        for event in one["events"]:
            phase = event["phase"]
            mark = {"REVERTED": "good", "FAILED": "bad", "ESCALATED": "bad"}.get(phase, "act")
            title = f"{one['remediator']} on {one['target']['name']}: {phase}"
            lines.append(
                Happening(
                    event["at_s"],
                    "remediation",
                    title,
                    event.get("detail") or "",
                    mark,
                    f"remediation-{number}",
                )
            )
    return lines


def _notifications(result: Json) -> list[Happening]:
    return [Happening(one["at_s"], "notification", one["subject"], one["text"]) for one in result["notifications"]]
