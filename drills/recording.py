"""The recording of a drill that is over: a file that holds what the on-call page shows of it, and the page's room.

The ledger's rows are kept as DynamoDB had them, so that the page reads them by the same queries as an account's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dashboards.page.ledger_room import LedgerRoom
from dashboards.page.room import Budget, Chart, Done, DrillNote, IncidentView, Kind, Overview, RemediationView
from drills import contract, narrative
from drills.engine import Run
from remediators.ledger import Ledger
from remediators.scorecard import Score
from remediators.testing import MemoryTable
from sereno.errors import InvalidInput, Problem, SerenoError
from sereno.incident import Incident
from sereno.lifecycle import Remediation
from sereno.model import Json, instant
from sereno.service import Service

VERSION = 1
TABLE = "ledger"
MEND = "is no recording of a drill (make one: sereno drill surge-ramp --record FILE)"
OVER = "A recording cannot be changed: it shows what was done."


def recorded(result: Json, run: Run, compiled: Json) -> Json:
    """What a file keeps of a drill: its result with the series, its configuration, and its ledger."""
    return {"recording": VERSION, "result": result, "config": compiled, "ledger": run.ledger}


def write(recording: Json, path: Path) -> Path:
    """Writes the file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recording, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def load(path: Path) -> RecordingRoom:
    """The room of a recording. All of it is looked at once, so that no page fails later. Raises InvalidInput."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), [Problem(str(path), None, "cannot be read")]) from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(str(path), [Problem(str(path), None, f"is no JSON: {MEND}")]) from error
    if not isinstance(given, dict) or given.get("recording") != VERSION:
        raise InvalidInput(str(path), [Problem("recording", None, MEND)])
    result = contract.check(given.get("result"))
    part = "config"
    try:
        service = Service.from_json(given["config"])
        part = "ledger"
        table = MemoryTable()
        for one in given["ledger"]:
            table.rows[(one["pk"]["S"], one["sk"]["S"])] = one
        room = RecordingRoom(result, service, table)
        room.look_through()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, SerenoError) as error:
        raise InvalidInput(str(path), [Problem(part, None, f"cannot be read by this version: {error!r}")]) from error
    return room


class RecordingRoom:
    """A `Room` over a drill that is over. Its time stands still at the drill's end, and nothing can be pressed."""

    kind = Kind.RECORDING

    def __init__(self, result: Json, service: Service, table: MemoryTable) -> None:
        self._result = result
        self._service = service
        self._start = instant(result["start"])
        ledger = Ledger(table, TABLE, service.name)
        self._room = LedgerRoom(service, ledger, _Alarms(result), _Still(self.now()))

    @property
    def title(self) -> str:
        """The scenario's."""
        return str(self._result["title"])

    def now(self) -> datetime:
        """The end of the drill."""
        return self._start + timedelta(seconds=float(self._result["duration_s"]))

    def version(self) -> str:
        """Always the same."""
        return f"{self._result['scenario']}|{self._result['seed']}"

    def overview(self) -> Overview:
        """How things stood at the end. Nobody looked after the functions that would prove they can act."""
        return replace(self._room.overview(), ready=None)

    def timeline(self, before: datetime | None = None) -> Sequence[Remediation]:
        """The newest remediations."""
        return self._room.timeline(before)

    def incidents(self) -> Sequence[Incident]:
        """The incidents, newest first."""
        return self._room.incidents()

    def incident(self, id: str) -> IncidentView | None:
        """One incident."""
        return self._room.incident(id)

    def remediation(self, id: str) -> RemediationView | None:
        """One remediation."""
        return self._room.remediation(id)

    def budget(self) -> Sequence[Budget]:
        """What customers asked for and did not get in the drill, as all that the month knows."""
        requests = self._result["requests"]
        asked, failed = round(requests["offered"]), round(requests["failed"])
        objective = self._service.objectives.availability
        name = next((one.name for one in self._service.apis.values()), self._service.name)
        return (Budget(name, objective, asked, failed, ((self._start, asked, failed),)),)

    def scorecard(self) -> Sequence[tuple[Score, str]]:
        """How each remediator did in the drill."""
        return self._room.scorecard()

    def drills(self) -> Sequence[DrillNote]:
        """This one."""
        missed = sum(not one["met"] for one in self._result["objectives"])
        of = f"{missed} of {len(self._result['objectives'])} objectives missed"
        verdict = of if missed else "all objectives met"
        name = f"{self._result['scenario']}, seed {self._result['seed']}"
        return (DrillNote(name, self._start, verdict, narrative.headline(self._result)),)

    def charts(self) -> Sequence[Chart]:
        """What was asked for, and what was turned away with Sereno and without, over the whole drill."""
        series, unit = self._result["series"], "requests a second"
        begin = self._start.timestamp()
        times = [begin + at for at in series["t"]]
        wanted = (
            ("Asked for", series["with"]["offered"]),
            ("Turned away with Sereno", series["with"]["failed"]),
            ("Turned away without Sereno", series["without"]["failed"]),
        )
        # Both of what was turned away are drawn to one scale.
        most = max((float(one) for side in ("with", "without") for one in series[side]["failed"]), default=0.0)
        return [
            Chart(
                title,
                unit,
                tuple(zip(times, map(float, values), strict=True)),
                () if title == "Asked for" else (("the most of both", most),),
            )
            for title, values in wanted
        ]

    def act(self, verb: str, id: str, *, actor: str, plan: str | None = None) -> Done:  # noqa: ARG002 - as any room
        """Refuses."""
        return Done(False, OVER)

    def controls(self) -> Sequence[tuple[str, str]]:
        """None."""
        return ()

    def press(self, name: str, *, actor: str) -> Done:  # noqa: ARG002 - as any room
        """Refuses."""
        return Done(False, OVER)

    def look_through(self) -> None:
        """Reads all that any page may show. Raises what a malformed part raises."""
        self.overview(), self.scorecard(), self.budget(), self.charts(), self.drills()
        for one in self.timeline():
            self.remediation(one.id)
        for incident in self.incidents():
            self.incident(incident.id)


@dataclass(frozen=True, slots=True)
class _Still:
    """A clock that stands."""

    at: datetime

    def now(self) -> datetime:
        return self.at


class _Alarms:
    """CloudWatch as far as a recording has it: the alarms that were red at the end."""

    def __init__(self, result: Json) -> None:
        self._result = result

    def client(self, service: str, region: str | None = None) -> Any:  # noqa: ARG002 - there is one
        return self

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Iterator[Json]:
        start = instant(self._result["start"])
        found = []
        for one in self._result["alarms"]:
            last = one["transitions"][-1] if one["transitions"] else None
            if last and last["state"] == "ALARM":
                since = (start + timedelta(seconds=last["at_s"])).astimezone(UTC)
                reason = str(last.get("reason", ""))
                red = {"AlarmName": one["name"], "StateValue": "ALARM", "StateTransitionedTimestamp": since}
                found.append({**red, "StateReason": reason})
        yield {"MetricAlarms": found}
