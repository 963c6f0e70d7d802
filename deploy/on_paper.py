"""What a remediator would do in an account, and what it would do were there no limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from deploy.account import Account, FunctionFacts, LaneFacts, TableFacts
from deploy.account_paper import PaperAws
from remediators.watch import parameters
from sereno.model import Plan, Refusal, Signal, Target
from sereno.ports import Context, Remediator
from sereno.service import Play, Service

# More than any account has: what is planned in such a one is what is needed.
BOUNDLESS = 10**9

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a remediator plans, or why it does not, and the account afterwards."""

    decision: Plan | Refusal
    account: Account


@dataclass(frozen=True, slots=True)
class Paper:
    """A service in an account at a moment, and the remediators to ask."""

    service: Service
    account: Account
    remediators: Mapping[str, Remediator]
    now: datetime

    def targets(self, name: str) -> tuple[Target, ...]:
        """What a remediator could change of the service: its functions or its tables; nothing for other kinds."""
        kind, service = self.remediators[name].kind, self.service
        known: list[str] = []
        if kind == "function":
            known = [one.name for one in service.functions.values()]
        elif kind == "table":
            known = [one.name for one in service.tables.values()]
        return tuple(Target(kind, one, service.region, service.account) for one in known)

    def ask(self, name: str, target: Target, play: Play, signal: Signal | None) -> Answer:
        """What it would do after an ordinary hour: for the declared surge, or for the planned event of a signal."""
        remediator, aws = self.remediators[name], PaperAws(self.account, self.now)
        context = Context(
            service=self.service,
            play=play,
            target=target,
            now=self.now,
            params=parameters(remediator, play),
            signal=signal,
        )
        decision = remediator.plan(remediator.observe(aws, context), context)
        if isinstance(decision, Plan):
            for step in decision.steps:
                aws.carry_out(step.do)
        return Answer(decision, aws.account)

    def executions_needed(self, name: str, function: str, play: Play, signal: Signal | None) -> int | None:
        """The reserved concurrency that a remediator would choose for a function without any limit; None where
        nothing tells how much is normal."""
        facts = self.account.functions[function]
        if facts.normal is None:
            return None
        bare = replace(facts, reserved=1, provisioned=None, target=None)
        endless = _endless(self.account).with_function(function, bare)
        answer = self._without_limits(endless, name, function, play, signal)
        return answer.functions[function].reserved

    def units_needed(self, name: str, table: str, play: Play, signal: Signal | None) -> dict[Key, int | None]:
        """The units of each lane that a remediator would choose for a table without any limit; None as above."""
        facts = self.account.tables[table]
        lanes = {key: LaneFacts(units=1, normal=lane.normal) for key, lane in facts.lanes.items()}
        bare = TableFacts("provisioned", lanes, dict.fromkeys(facts.quota, BOUNDLESS))
        endless = _endless(self.account).with_table(table, bare)
        answer = self._without_limits(endless, name, table, play, signal)
        found = answer.tables[table].lanes
        return {key: None if lane.normal is None else found[key].units for key, lane in lanes.items()}

    def _without_limits(self, account: Account, name: str, target: str, play: Play, signal: Signal | None) -> Account:
        (at,) = [one for one in self.targets(name) if one.name == target]
        boundless = _endless_play(self.remediators[name], play)
        return replace(self, account=account).ask(name, at, boundless, signal).account


def _endless(account: Account) -> Account:
    functions = {name: FunctionFacts(normal=one.normal, rate=one.rate) for name, one in account.functions.items()}
    units = dict.fromkeys(account.units, BOUNDLESS)
    return replace(account, functions=functions, tables={}, concurrency=BOUNDLESS, units=units)


def _endless_play(remediator: Remediator, play: Play) -> Play:
    """The play without its ceilings: parameters of that name, each with a maximum of its own."""
    ceilings: Mapping[str, float] = {
        name: param.maximum or BOUNDLESS for name, param in remediator.params.items() if name.endswith("ceiling")
    }
    return replace(play, params={**play.params, **ceilings})
