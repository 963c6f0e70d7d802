"""What a planned event would change, from what to what, when, and what it costs. Pure.

The remediators of the play `planned-event` are asked in the order in which the round starts them, each after what
those before it have taken from the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from deploy.account import Account
from deploy.on_paper import Paper
from remediators.actions._capacity_steps import USD_PER_REQUEST_UNIT
from remediators.table_demand import Lane
from sereno import planned, prices
from sereno.guard import DAYS_IN_A_MONTH, daily_cost
from sereno.model import Plan, Reason, Refusal, Signal, Step, Target, Verdict, instant
from sereno.service import PLANNED_EVENT, PlannedEvent, Play, Service


@dataclass(frozen=True, slots=True)
class Change:
    """One setting of a target; before and after as they are shown."""

    setting: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one remediator does with one target for the event: its changes and their cost (USD) for as long as they
    stay, or why there is none. `verdict` is no where a target stays smaller than the event needs."""

    remediator: str
    target: Target
    changes: tuple[Change, ...]
    cost: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the event's extra traffic costs at a place (USD, estimated): the service's own business."""

    where: str
    cost: float
    how: str


@dataclass(frozen=True, slots=True)
class EventPlan:
    """A planned event worked out. What is raised stays from `begins` at least to `until`."""

    event: PlannedEvent
    begins: datetime
    until: datetime
    outcomes: tuple[Outcome, ...]
    traffic: tuple[Traffic, ...]
    unpriced: tuple[str, ...]

    @property
    def cost(self) -> float:
        """USD of everything that is raised, for as long as it stays."""
        return sum(one.cost for one in self.outcomes)

    @property
    def traffic_cost(self) -> float:
        """USD of the extra traffic, as far as it can be estimated."""
        return sum(one.cost for one in self.traffic)

    @property
    def suffices(self) -> bool:
        """Whether everything will be as large as the event needs, as far as the normal is known."""
        return all(one.verdict.ok or one.verdict.reason is Reason.NO_DATA for one in self.outcomes)


def work_out(event: PlannedEvent, paper: Paper) -> EventPlan:
    """The plan of one event for a service in an account. What `paper.now` is does not matter: the prewarm's is."""
    service = paper.service
    play = service.playbook[PLANNED_EVENT]
    begins, until = planned.begins(event), instant(event.ends) + timedelta(seconds=play.hold_s)
    paper, signal = replace(paper, now=begins), planned.signal_of(event, service)
    days = (until - begins) / timedelta(days=1)
    budget, outcomes = _Budget(play), []
    for name in play.first:
        for target in paper.targets(name):
            answer = paper.ask(name, target, play, signal)
            verdict = budget.take(answer.decision, name)
            if verdict.ok and isinstance(answer.decision, Plan):
                paper = replace(paper, account=answer.account)
                changes = tuple(_changes(answer.decision.steps))
                cost = answer.decision.monthly_cost / DAYS_IN_A_MONTH * days
                outcomes.append(Outcome(name, target, changes, cost, _enough(name, target, play, signal, paper)))
            else:
                outcomes.append(Outcome(name, target, (), 0.0, verdict))
    seconds = (instant(event.ends) - instant(event.starts)).total_seconds()
    traffic, unpriced = _traffic(service, paper.account, event.factor - 1, seconds)
    return EventPlan(event, begins, until, tuple(outcomes), tuple(traffic), tuple(unpriced))


@dataclass(slots=True)
class _Budget:
    """What the ledger would still admit on the day: actions and money, each remediator apart."""

    play: Play
    used: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    def take(self, decision: Plan | Refusal, name: str) -> Verdict:
        """Yes where the plan is within both, or where nothing has to be done; otherwise the refusal."""
        if isinstance(decision, Refusal):
            enough = decision.verdict.reason is Reason.NOTHING_TO_DO
            return Verdict.yes(decision.verdict.detail) if enough else decision.verdict
        used, spent = self.used.get(name, 0) + 1, self.spent.get(name, 0.0) + daily_cost(decision)
        path = f"playbook.{self.play.what}.limits"
        if used > self.play.per_day:
            wanted = f"{self.play.per_day} actions a day are used up ({path}.per_day)"
            return Verdict.no(Reason.BUDGET_SPENT, wanted)
        if spent > self.play.cost_per_day:
            wanted = f"{spent:.2f} USD a day, the ceiling is {self.play.cost_per_day:g} ({path}.cost_per_day)"
            return Verdict.no(Reason.COST_CEILING, wanted)
        self.used[name], self.spent[name] = used, spent
        return Verdict.yes()


def _enough(name: str, target: Target, play: Play, signal: Signal, paper: Paper) -> Verdict:
    """Whether what was raised is all that is needed: ceilings and quotas may allow a part of it only."""
    if target.kind == "function":
        needed = paper.executions_needed(name, target.name, play, signal)
        has = paper.account.functions[target.name].reserved
        short = [f"{needed} is needed, {has} is what the limits allow"] if (needed or 0) > (has or 0) else []
    else:
        needs = paper.units_needed(name, target.name, play, signal)
        limits = {key: lane.limit for key, lane in paper.account.tables[target.name].lanes.items()}
        short = [
            f"{Lane(*key).name}: {needed} is needed, {limits[key]} is what the limits allow"
            for key, needed in needs.items()
            if needed is not None and (limits[key] or needed) < needed
        ]
    return Verdict.no(Reason.OVER_CEILING, "; ".join(short)) if short else Verdict.yes()


def _changes(steps: Iterable[Step]) -> Iterator[Change]:
    """A step may set several values at once, as UpdateTable does: each is a change of its own."""
    for step in steps:
        if isinstance(step.before, dict) and isinstance(step.after, dict):
            for name, after in step.after.items():
                if step.before.get(name) != after:
                    yield Change(f"{name} {step.setting}", _shown(step.before.get(name)), _shown(after))
        else:
            yield Change(step.setting, _shown(step.before), _shown(step.after))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "..".join(map(str, value))
    return "not set" if value is None else str(value)


def _traffic(service: Service, account: Account, more: float, seconds: float) -> tuple[list[Traffic], list[str]]:
    """What `more` times the normal traffic costs for so long, place by place, and the places whose normal is not
    known."""
    found, unknown = [], []
    for function in service.functions.values():
        facts = account.functions[function.name]
        if facts.normal is None:
            unknown.append(function.key)
            continue
        work = more * facts.normal * seconds * facts.memory_mb / 1024
        cost, how = work * prices.LAMBDA_GB_SECOND, f"{work:,.0f} GB-seconds"
        if facts.rate is not None:
            calls = more * facts.rate * seconds
            cost, how = cost + calls * prices.LAMBDA_REQUEST, f"{how}, {calls / 1e6:,.1f} million calls"
        found.append(Traffic(function.key, cost, how))
    for api in service.apis.values():
        if api.key in account.rates:
            calls = more * account.rates[api.key] * seconds
            found.append(
                Traffic(api.key, calls * prices.API_REQUEST[api.kind], f"{calls / 1e6:,.1f} million requests")
            )
        else:
            unknown.append(api.key)
    for table in service.tables.values():
        facts_of_table = account.tables[table.name]
        if facts_of_table.provisioned:
            continue  # paid by the hour, and counted where it is raised
        lanes = {key: lane.normal for key, lane in facts_of_table.lanes.items() if lane.normal is not None}
        if not lanes:
            unknown.append(table.key)
            continue
        units = {key: more * normal * seconds for key, normal in lanes.items()}
        cost = sum(amount * USD_PER_REQUEST_UNIT[kind] for (_, kind), amount in units.items())
        found.append(Traffic(table.key, cost, f"{sum(units.values()) / 1e6:,.1f} million request units"))
    return found, unknown
