"""Can the limits hold the surge that was promised? Function by function, table by table, then the account over all.

Pure: from a service and an `Account`. What is needed is asked of the remediators that would raise it, in an account
without limits; what they may raise it to is held against that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from deploy.headroom import functions, tables
from deploy.headroom.finding import RAISE, Finding, Look, State, Surge
from deploy.on_paper import Paper
from remediators.actions._pool import UNRESERVED_MINIMUM
from remediators.table_demand import KINDS
from sereno import planned
from sereno.model import instant
from sereno.service import PLANNED_EVENT, REGION_OUT, Service

__all__ = ["Finding", "State", "Surge", "check", "short", "surges"]

CONCURRENCY_QUOTA = "Lambda's quota of concurrent executions (L-B99A9384)"
API_QUOTA = "API Gateway's quota of requests a second (L-8A5B8E43)"
UNITS_QUOTA = {
    "read": "DynamoDB's quota for reads of the account (L-34F6A552)",
    "write": "DynamoDB's quota for writes of the account (L-34F8CCC8)",
}


def surges(service: Service, now: datetime) -> tuple[Surge, ...]:
    """The declared surge first, then the planned events that are not over, as they come."""
    sudden = tuple(
        play
        for what, play in service.playbook.items()
        if what not in (PLANNED_EVENT, REGION_OUT) and any(name in play.first for name in RAISE.values())
    )
    usual = service.playbook.get(PLANNED_EVENT)
    found = [Surge("surge", service.objectives.surge, sudden)]
    for event in sorted((one for one in service.events if now < instant(one.ends)), key=planned.begins):
        found.append(Surge(event.name, event.factor, (usual,) if usual else (), planned.signal_of(event, service)))
    return tuple(found)


def check(paper: Paper) -> tuple[Finding, ...]:
    """Every limit against every declared surge. When nothing is short, the promise can be kept. What is not known, or
    true whatever the surge, is told with the first alone."""
    first, *others = surges(paper.service, paper.now)
    found = list(_findings(Look(first, paper)))
    told = {(one.where, one.what) for one in found if one.need is None or one.what == functions.TIMEOUT}
    for surge in others:
        found += [one for one in _findings(Look(surge, paper)) if (one.where, one.what) not in told]
    return tuple(found)


def short(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What must be changed before the promise can be kept."""
    return tuple(one for one in findings if one.state is State.SHORT)


def _findings(look: Look) -> Iterator[Finding]:
    executions = {key: functions.needed(look, one) for key, one in look.service.functions.items()}
    for key, function in look.service.functions.items():
        yield from functions.findings(look, function, executions[key])
    units = {key: tables.needed(look, one) for key, one in look.service.tables.items()}
    for key, table in look.service.tables.items():
        yield from tables.findings(look, table, units[key])
    yield from _stages(look)
    yield from _executions(look, executions)
    yield from _units(look, units)
    yield from _requests(look)


def _executions(look: Look, needs: Mapping[str, int | None]) -> Iterator[Finding]:
    """The quota over everything: what is raised, Sereno's own, what others reserve, and what must stay unreserved."""
    if not needs:
        return
    account, floor = look.account, max(UNRESERVED_MINIMUM, look.service.unreserved_floor)
    raised = sum(
        max(account.functions[one.name].reserved or 0, needs[key] or 0) for key, one in look.service.functions.items()
    )
    parts = [f"{raised} for {len(needs)} function{'s' if len(needs) > 1 else ''}", f"{account.own} for Sereno"]
    parts += [f"{account.others} for others"] if account.others else []
    need, quota = raised + account.own + account.others + floor, account.concurrency
    yield look.holds(
        "account",
        "concurrency",
        "executions",
        need,
        quota,
        whose=f"{', '.join(parts)}; {floor} unreserved",
        mend=f"{CONCURRENCY_QUOTA}: {quota} -> {need}",
    )


def _units(look: Look, needs: Mapping[str, tables.Needs]) -> Iterator[Finding]:
    """The quota over all provisioned tables of the account, as far as they are this service's."""
    known = {key: look.account.tables[one.name] for key, one in look.service.tables.items()}
    provisioned = {key: facts for key, facts in known.items() if facts.provisioned}
    for kind in KINDS if provisioned else ():
        total = sum(tables.total(facts, needs[key], kind) for key, facts in provisioned.items())
        quota = look.account.units[kind]
        yield look.holds(
            "account",
            f"table {kind}",
            "units",
            total,
            quota,
            whose=f"{len(provisioned)} provisioned table{'s' if len(provisioned) > 1 else ''}",
            mend=f"{UNITS_QUOTA[kind]}: {quota} -> {total}",
        )


def _stages(look: Look) -> Iterator[Finding]:
    """A stage may allow less than the account does."""
    for key, rate in look.account.stages.items():
        api = look.service.apis[key]
        if key in look.account.rates:
            need = look.account.rates[key] * look.surge.factor
            mend = f"throttling of stage {api.stage} of {api.name}: {rate:g} -> {need:.0f} requests a second"
            yield look.holds(key, "requests", "a second", need, rate, whose=f"stage {api.stage}", mend=mend)


def _requests(look: Look) -> Iterator[Finding]:
    """All APIs of an account share one rate."""
    account, apis = look.account, look.service.apis
    if not apis:
        return
    if set(account.rates) != set(apis):
        mend = "--live reads how many requests an ordinary busy hour brings"
        yield look.unknown("account", "API requests", "a second", account.api_rate, mend)
        return
    need = sum(account.rates.values()) * look.surge.factor
    yield look.holds(
        "account",
        "API requests",
        "a second",
        need,
        account.api_rate,
        whose="shared by all APIs",
        mend=f"{API_QUOTA}: {account.api_rate:g} -> {need:.0f}",
    )
