"""A real account as the on-call page sees it: the ledger, its incidents, and CloudWatch, all by queries.

What every page shows is read at most once in a few seconds, however many people look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from alarms.api_metrics import NAMESPACE, REQUESTS, metrics_of
from dashboards import incident_story
from dashboards.page.room import (
    INCIDENT_VERBS,
    PAGE,
    VERBS,
    AlarmLight,
    Budget,
    Chart,
    Done,
    DrillNote,
    IncidentView,
    Kind,
    Overview,
    Purse,
    RemediationView,
)
from remediators import approvals, metrics, readiness, scorecard
from remediators.ledger import Ledger
from remediators.metrics import Series
from remediators.notifier import routing
from remediators.reading import READ_AT_ONCE
from remediators.scorecard import Score
from sereno.errors import LedgerUnavailable, Refused, SerenoError
from sereno.incident import Incident
from sereno.lifecycle import Remediation
from sereno.model import Mode, Status
from sereno.ports import Aws, Clock
from sereno.service import Service

S = Status
T = TypeVar("T")
FRESH_S = 2.0
METRICS_FRESH_S = 60.0
MONTH = timedelta(days=30)
MUTED_FOR = timedelta(minutes=30)
SCORED_DAYS = 30
TIMELINE_DAYS = 14
# The newest so many count on the page; the command looks at all.
SCORED = 300
# Remediations that the page of an incident shows.
MEMBERS = 50
# A read that failed is not tried again for so long: whoever looks meanwhile is told at once.
FAILED_FOR_S = 3.0
UNKNOWN_ALARMS = "The alarms cannot be read from CloudWatch just now"


class LedgerRoom:
    """A `Room` over a service's ledger. `wall` is seconds of a steady clock: how old what was read may be."""

    kind = Kind.ACCOUNT

    def __init__(
        self, service: Service, ledger: Ledger, aws: Aws, clock: Clock, wall: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._aws = aws
        self._clock = clock
        self._wall = wall
        self._kept: dict[str, tuple[float, Any]] = {}
        self._failed: dict[str, tuple[float, SerenoError]] = {}
        self._lock = threading.RLock()

    @property
    def title(self) -> str:
        """The service's name."""
        return self._service.name

    def now(self) -> datetime:
        """The time."""
        return self._clock.now()

    def version(self) -> str:
        """Changes with every write to what is open, every alarm's change, and each new remediation."""
        seen = self.overview()
        parts = [f"{one.id}{one.version}{one.wish}" for one in seen.working]
        parts += [f"{one.id}{one.version}{one.joined}" for one in seen.incidents]
        parts += [f"{one.name}{one.state}" for one in seen.alarms]
        parts += [f"{name}{mode}" for name, mode in seen.modes]
        parts += [one.id for one in self.timeline()[:1]]
        return "|".join((*parts, *seen.missing))

    def overview(self) -> Overview:
        """How things stand. Raises LedgerUnavailable; alarms that cannot be read are told as missing."""
        return self._fresh("overview", FRESH_S, self._overview)

    def timeline(self, before: datetime | None = None) -> Sequence[Remediation]:
        """The newest remediations; raises LedgerUnavailable."""
        if before is None:
            return self._fresh("timeline", FRESH_S, lambda: self._timeline(self.now()))
        return self._timeline(before)

    def _timeline(self, before: datetime) -> list[Remediation]:
        # A quiet service costs a query a day: two weeks are a tenth of a second on DynamoDB, and older ones a link.
        return self._ledger.newest(PAGE, before=before, days=TIMELINE_DAYS)

    def incidents(self) -> Sequence[Incident]:
        """The newest incidents; raises LedgerUnavailable."""
        return self._fresh("incidents", FRESH_S, lambda: self._ledger.incidents.newest(PAGE, before=self.now()))

    def incident(self, id: str) -> IncidentView | None:
        """One incident; raises LedgerUnavailable."""
        book = self._ledger.incidents
        found = book.get(id)
        if found is None:
            return None
        every = book.members(found)
        members = most_telling(every, MEMBERS)
        histories = self._ledger.histories(members)
        lines = incident_story.timeline(found, book.events(id), members, histories)
        return IncidentView(found, tuple(members), tuple(lines), len(every) - len(members))

    def remediation(self, id: str) -> RemediationView | None:
        """One remediation; raises LedgerUnavailable."""
        found = self._ledger.get(id)
        if found is None:
            return None
        heard = routing.channels(self._service.notices, self._service.emails)
        told = self._ledger.told(found.incident or id, id, heard)
        return RemediationView(found, tuple(self._ledger.events(id)), tuple(sorted(told.items())))

    def budget(self) -> Sequence[Budget]:
        """The error budgets, from CloudWatch; nothing where it cannot be read."""
        return self._fresh("budget", METRICS_FRESH_S, self._budget)

    def scorecard(self) -> Sequence[tuple[Score, str]]:
        """Of the last thirty days; raises LedgerUnavailable."""
        return self._fresh("scorecard", METRICS_FRESH_S, self._scorecard)

    def drills(self) -> Sequence[DrillNote]:
        """A real account keeps none."""
        return ()

    def charts(self) -> Sequence[Chart]:
        """CloudWatch's own dashboard draws them."""
        return ()

    def act(self, verb: str, id: str, *, actor: str, plan: str | None = None) -> Done:
        """Through the same gate as the command and Slack. Raises LedgerUnavailable."""
        now, book = self.now(), self._ledger.incidents
        try:
            if verb in VERBS:
                answer = approvals.ask(self._ledger, self._service, verb, id, by=actor, plan=plan, now=now)
                return Done(answer.ok, answer.text)
            if verb == "acknowledge":
                book.acknowledge(id, actor, now)
            elif verb == "resolve":
                book.resolve(id, actor, now)
            elif verb == "mute":
                book.mute(id, now + MUTED_FOR, actor, now)
            else:
                return Done(False, f"{verb} is nothing that can be asked ({', '.join((*VERBS, *INCIDENT_VERBS))})")
        except Refused as no:
            return Done(False, str(no))
        finally:
            self._forget()
        return Done(True, f"Noted: {verb} {id}. Everybody is told within a minute.")

    def controls(self) -> Sequence[tuple[str, str]]:
        """None of its own."""
        return ()

    def press(self, name: str, *, actor: str) -> Done:
        """There is nothing to press."""
        return Done(False, f"{actor} cannot press {name}: a real account has no such button")

    # -- reading

    def _overview(self) -> Overview:
        # The ledger first: where neither answers, whoever waits is told after one timeout and not two.
        incidents = tuple(one for one in reversed(self._ledger.incidents.open()) if one.is_open)
        found = {one.id: one for one in self._ledger.open() if not one.ended or one.wish}
        # What could not help has ended, and is a person's work until its incident is over. Ids begin with their time.
        others = sorted({id for one in incidents for id in one.members} - set(found), reverse=True)[:READ_AT_ONCE]
        found |= {one.id: one for one in self._ledger.many(others) if one.status in (S.ESCALATED, S.FAILED)}
        modes, alarms, missing = tuple(self._modes()), *self._alarms()
        return Overview(
            modes=modes,
            incidents=incidents,
            alarms=alarms,
            working=tuple(sorted(found.values(), key=lambda one: (one.created, one.id), reverse=True)),
            purses=tuple(self._purses()),
            missing=missing,
            ready=self._fresh("ready", METRICS_FRESH_S, self._ready),
        )

    def _ready(self) -> tuple[bool, str] | None:
        """Whether every remediator could act, by its last self-test."""
        proved = readiness.read(self._ledger)
        if not proved:
            return None
        used = dict.fromkeys(name for play in self._service.playbook.values() for name in play.remediators)
        return readiness.summary(proved, tuple(used), self.now())

    def _modes(self) -> list[tuple[str, str]]:
        """What each remediator may do: declared, and bounded by what operators set."""
        said = self._ledger.modes()
        bound = said.get("*", Mode.AUTO)
        known: dict[str, Mode] = {}
        for play in self._service.playbook.values():
            for name in play.remediators:
                mode = Mode.strictest(said.get(name, play.mode), bound)
                known[name] = Mode.strictest(mode, known.get(name, mode))
        whole = [("*", str(said["*"]))] if "*" in said else []
        return whole + [(name, str(mode)) for name, mode in sorted(known.items())]

    def _purses(self) -> list[Purse]:
        limits: dict[str, tuple[int, float]] = {}
        for play in self._service.playbook.values():
            for name in play.remediators:
                times, cost = limits.get(name, (0, 0.0))
                limits[name] = (max(times, play.per_day), max(cost, play.cost_per_day))
        spent = self._ledger.spent(sorted(limits), f"{self.now():%Y-%m-%d}")
        return [Purse(name, *_merged(spent.get(name, (0, 0.0)), limits[name])) for name in sorted(limits)]

    def _alarms(self) -> tuple[tuple[AlarmLight, ...], tuple[str, ...]]:
        found: list[AlarmLight] = []
        try:
            client = self._aws.client("cloudwatch", self._service.region)
            for page in client.get_paginator("describe_alarms").paginate(
                StateValue="ALARM",
                AlarmNamePrefix=f"{self._service.name}/",
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            ):
                for one in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())):
                    if one["StateValue"] != "ALARM":
                        continue  # a stand-in of AWS may not filter
                    since = one.get("StateTransitionedTimestamp") or one["StateUpdatedTimestamp"]
                    found.append(AlarmLight(one["AlarmName"], one["StateValue"], since, one.get("StateReason", "")))
        except (ClientError, BotoCoreError):
            return (), (UNKNOWN_ALARMS,)
        return tuple(sorted(found, key=lambda one: one.since, reverse=True)), ()

    def _budget(self) -> list[Budget]:
        now, service = self.now(), self._service
        wanted: dict[str, Series] = {}
        for number, api in enumerate(service.apis.values()):
            known, where = metrics_of(api), dict(metrics_of(api).dimensions)
            wanted[f"requests{number}"] = Series(NAMESPACE, REQUESTS, where, "Sum", 86_400)
            wanted[f"failed{number}"] = Series(NAMESPACE, known.failed, where, "Sum", 86_400)
        if not wanted:
            return []
        try:
            read = metrics.read(self._aws.client("cloudwatch", service.region), wanted, now - MONTH, now)
        except (ClientError, BotoCoreError) as error:
            raise LedgerUnavailable(f"the error budget cannot be read from CloudWatch: {error}") from error
        found = []
        for number, api in enumerate(service.apis.values()):
            failed = dict(read[f"failed{number}"])
            days = tuple(
                (datetime.fromtimestamp(at, tz=now.tzinfo), round(count), round(failed.get(at, 0)))
                for at, count in read[f"requests{number}"]
            )
            totals = (sum(one[1] for one in days), sum(one[2] for one in days))
            found.append(Budget(api.name, service.objectives.availability, *totals, days))
        return found

    def _scorecard(self) -> list[tuple[Score, str]]:
        modes = {name: mode for name, mode in self._modes() if name != "*"}
        known = {
            one.remediator: one
            for one in scorecard.scores(scorecard.read(self._ledger, self.now(), SCORED_DAYS, SCORED))
        }
        return [(known.get(name, Score(name)), modes.get(name, "")) for name in sorted({*modes, *known})]

    # -- keeping

    def _fresh(self, name: str, seconds: float, read: Callable[[], T]) -> T:
        with self._lock:
            kept: tuple[float, T] | None = self._kept.get(name)
            if kept is None or self._wall() - kept[0] >= seconds:
                failed = self._failed.get(name)
                if failed is not None and self._wall() - failed[0] < FAILED_FOR_S:
                    raise failed[1]
                try:
                    kept = (self._wall(), read())
                except SerenoError as error:
                    self._failed[name] = (self._wall(), error)
                    raise
                self._kept[name] = kept
            return kept[1]

    def _forget(self) -> None:
        with self._lock:
            self._kept.clear()
            self._failed.clear()


def most_telling(members: Sequence[Remediation], most: int) -> list[Remediation]:
    """At most so many remediations, the oldest first: what is not over or is a person's work, then what acted, then
    the newest of the rest."""

    def rank(one: Remediation) -> int:
        if not one.ended or one.status in (S.ESCALATED, S.FAILED):
            return 0
        return 1 if one.status is not S.SKIPPED else 2

    newest = sorted(members, key=lambda one: (one.created, one.id), reverse=True)
    return sorted(sorted(newest, key=rank)[:most], key=lambda one: (one.created, one.id))


def _merged(spent: tuple[int, float], most: tuple[int, float]) -> tuple[int, int, float, float]:
    return spent[0], most[0], spent[1], most[1]
