"""A shop's night in memory, for whoever tests or measures the page: a ledger with any number of remediations, and a
CloudWatch with one red alarm."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboards.page.ledger_room import LedgerRoom
from remediators.incidents import Thread
from remediators.ledger import Ledger
from remediators.testing import MemoryTable
from sereno.lifecycle import Remediation
from sereno.model import Call, Json, Mode, Plan, Reason, Signal, Status, Step, Target, Verdict
from sereno.service import Api, Function, Notices, Play, Service, Slack

S = Status
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PLAY = Play("exhaustion", (("raise_concurrency",),), Mode.APPROVE, per_day=100_000, cooldown_s=0)
GATES = (("mode", Verdict.yes("approve (from the playbook)")), ("headroom", Verdict.yes("600 are free")))
INCIDENT = "incident-20261124T025500-0123456789"


def shop() -> Service:
    """The service under watch."""
    return Service(
        name="shop",
        account="111122223333",
        regions=("eu-west-1",),
        apis={"api": Api("api", "shop-api", "live")},
        functions={"read": Function("read", "shop-read", reserved=120)},
        playbook={"exhaustion": PLAY},
        notices=Notices(slack=Slack("C1", "shop/slack")),
        emails=("night@example.org",),
    )


class CountingTable(MemoryTable):
    """Counts the calls that are made of it, by operation."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in ("get_item", "query", "batch_get_item", "scan"):
            _CALLS.setdefault(id(self), Counter())[name] += 1
        return found

    @property
    def calls(self) -> Counter[str]:
        """How often each reading operation was called."""
        return _CALLS.setdefault(id(self), Counter())


_CALLS: dict[int, Counter[str]] = {}


class LittleCloud:
    """CloudWatch with a red alarm and a month of requests."""

    def __init__(self) -> None:
        self.red = True
        self.calls = 0

    def client(self, service: str, region: str | None = None) -> Any:
        """Itself: there is one client."""
        assert (service, region) == ("cloudwatch", "eu-west-1")
        return self

    def get_paginator(self, name: str) -> Any:
        """Itself: there is one paginator."""
        assert name == "describe_alarms"
        return self

    def paginate(self, **asked: Any) -> list[Json]:
        """The red alarm."""
        self.calls += 1
        assert asked["StateValue"] == "ALARM"
        alarm = {
            "AlarmName": "shop/read/exhaustion",
            "StateValue": "ALARM",
            "StateUpdatedTimestamp": NOW - timedelta(minutes=5),
            "StateReason": "forecast 161 over 84",
        }
        return [{"MetricAlarms": [alarm] if self.red else [], "CompositeAlarms": []}]

    def get_metric_data(self, **asked: Any) -> Json:
        """A day is a million requests, of which the last one lost some."""
        days = [NOW.replace(hour=0) - timedelta(days=back) for back in range(29, -1, -1)]
        lost = [0.0] * 12 + [1800.0] + [40.0] * 16 + [2600.0]
        return {
            "MetricDataResults": [
                {
                    "Id": one["Id"],
                    "Timestamps": days,
                    "Values": [1e6] * 30 if one["Id"].startswith("requests") else lost,
                }
                for one in asked["MetricDataQueries"]
            ]
        }


class StillClock:
    """Three in the morning."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        """The time."""
        return self.at


class Shop:
    """A room over a ledger in memory. `past` remediations of earlier days are over."""

    def __init__(self, past: int = 0) -> None:
        self.table = CountingTable()
        self.ledger = Ledger(self.table, "sereno-shop", "shop", sleep=lambda _: None)
        self.cloud, self.clock = LittleCloud(), StillClock()
        for number in range(past):
            at = NOW - timedelta(hours=2, minutes=number * 7)
            self.put(f"r{number}", at, S.OBSERVED if number % 3 else S.REVERTED)

    def room(self) -> LedgerRoom:
        """The page's world, with nothing kept yet."""
        return LedgerRoom(shop(), self.ledger, self.cloud, self.clock)

    def put(self, name: str, at: datetime, status: Status, detail: str = "") -> Remediation:
        """A remediation that has come as far as `status`."""
        target = Target("function", f"shop-{name}", "eu-west-1", "111122223333")
        signal = Signal(
            name, "cloudwatch", "shop/read/exhaustion", "exhaustion", "ALARM", "OK", target, at, "161 over 84"
        )
        first = Remediation(f"{at:%Y%m%dT%H%M%S}-{name}", "raise_concurrency", signal, target, at, mode=Mode.APPROVE)
        assert self.ledger.admit(first, PLAY, at).verdict.ok
        one = first
        for step, moment in _way(status, at):
            more: Json = {"plan": plan(target), "incident": INCIDENT}
            if step in (S.APPLYING, S.VERIFYING, S.HOLDING):
                more |= {"steps_done": 1, "applied_at": at, "hold_until": NOW + timedelta(minutes=12)}
            if step is S.AWAITING_APPROVAL:
                more |= {"escalate_at": NOW + timedelta(minutes=20)}
            said = detail if step is status else ""
            gates = {"gates": [[gate, verdict.to_json()] for gate, verdict in GATES]} if step is S.PLANNED else {}
            after = one.move(step, moment, said, data=gates, **more)
            if step is S.SKIPPED:
                after = replace(after, reason=Reason.NO_HEADROOM)
            one = self.ledger.save(after, before=one, published=True, now=moment, release=after.ended)
        return one

    def incident(self, *members: Remediation) -> None:
        """An open incident with these remediations."""
        thread = Thread(INCIDENT, "shop/read", "opens")
        for one in members:
            self.ledger.incidents.join(thread, one, one.created)


def plan(target: Target) -> Plan:
    """Raises a function's concurrency."""

    def call(value: int) -> Call:
        params = {"FunctionName": target.name, "ReservedConcurrentExecutions": value}
        return Call("lambda", "put_function_concurrency", params)

    why = "in three minutes 161 are needed, and 120 are allowed"
    step = Step(call(240), why, "reserved_concurrency", 120, 240, call(120), "ReservedConcurrentExecutions")
    return Plan(
        (step,), "The function will be out of concurrency in three minutes", "other functions get less", 0.0, GATES
    )


def _way(status: Status, at: datetime) -> list[tuple[Status, datetime]]:
    ways = {
        S.OBSERVED: [S.PLANNED, S.OBSERVED],
        S.SKIPPED: [S.SKIPPED],
        S.AWAITING_APPROVAL: [S.PLANNED, S.AWAITING_APPROVAL],
        S.HOLDING: [S.PLANNED, S.APPLYING, S.VERIFYING, S.HOLDING],
        S.ESCALATED: [S.PLANNED, S.APPLYING, S.VERIFYING, S.ESCALATED],
        S.REVERTED: [S.PLANNED, S.APPLYING, S.VERIFYING, S.HOLDING, S.REVERTING, S.REVERTED],
    }
    return [(one, at + timedelta(seconds=2 * number + 1)) for number, one in enumerate(ways[status])]
