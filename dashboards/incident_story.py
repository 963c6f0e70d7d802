"""One incident told: its timeline, what it cost customers, what Sereno did, and a post-mortem to begin with.

Everything but `impact` is pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from alarms.api_metrics import NAMESPACE, REQUESTS, metrics_of
from remediators import metrics
from remediators.metrics import Series
from sereno.escape import markdown
from sereno.incident import Incident
from sereno.lifecycle import Remediation
from sereno.model import Event, Json, Status, iso
from sereno.ports import Aws
from sereno.service import Service

# Customers suffered before the alarm did.
BEFORE = timedelta(minutes=10)
MONTH_S = 30 * 24 * 3600
# CloudWatch answers minutes for 15 days, then five of them in one.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
FINE = timedelta(days=15)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline: when, who, what happened, and of what (a remediation's id, or the incident's)."""

    at: datetime
    by: str
    phase: str
    detail: str
    of: str
    target: str = ""

    def to_json(self) -> Json:
        return {
            "at": iso(self.at),
            "by": self.by,
            "phase": self.phase,
            "detail": self.detail,
            "of": self.of,
            "target": self.target,
        }


@dataclass(frozen=True, slots=True)
class Impact:
    """What customers saw between two moments: requests, those answered with 5xx, and the part of a month's error
    budget that these spent (None: nothing is known of a month's requests)."""

    start: datetime
    end: datetime
    requests: int
    failed: int
    budget_spent: float | None

    @property
    def availability(self) -> float | None:
        """The part of the requests that was answered; None when there were none."""
        return 1 - self.failed / self.requests if self.requests else None

    def to_json(self) -> Json:
        return {
            "from": iso(self.start),
            "to": iso(self.end),
            "requests": self.requests,
            "failed": self.failed,
            "availability": self.availability,
            "budget_spent": self.budget_spent,
        }


def timeline(
    incident: Incident,
    events: Sequence[Event],
    members: Sequence[Remediation],
    histories: Mapping[str, Sequence[Event]],
) -> list[Line]:
    """Everything that happened, oldest first. `histories` are the events of the members by their ids."""
    lines = [Line(incident.opened, "cloudwatch", "OPENED", incident.title, incident.id)]
    lines += [Line(one.at, one.by, one.phase, one.detail, incident.id) for one in events]
    for member in members:
        what = f"{member.remediator} on {member.target.name}"
        lines += [
            Line(one.at, one.by, one.phase, one.detail, member.id, what) for one in histories.get(member.id, ())
        ]
    return sorted(lines, key=lambda line: line.at)


def impact(aws: Aws, service: Service, incident: Incident, now: datetime) -> Impact | None:
    """What customers saw, from CloudWatch: one GetMetricData call; None where no API is declared."""
    if not service.apis:
        return None
    start, end = incident.opened - BEFORE, min(incident.resolved_at or now, now)
    period = 60 if now - start < FINE else 300
    wanted: dict[str, Series] = {}
    for number, api in enumerate(service.apis.values()):
        known = metrics_of(api)
        where = dict(known.dimensions)
        wanted[f"requests{number}"] = Series(NAMESPACE, REQUESTS, where, "Sum", period)
        wanted[f"failed{number}"] = Series(NAMESPACE, known.failed, where, "Sum", period)
        wanted[f"day{number}"] = Series(NAMESPACE, REQUESTS, where, "Sum", 3600)
    client = aws.client("cloudwatch", service.region)
    found = metrics.read(client, wanted, start - timedelta(days=1), end)
    return measured(found, service.objectives.availability, start, end)


def measured(
    found: Mapping[str, Sequence[tuple[float, float]]], objective: float, start: datetime, end: datetime
) -> Impact:
    """The impact from the series of `impact`; a month's requests are thirty times those of the day before."""

    def total(prefix: str, since: datetime, until: datetime) -> float:
        first, last = since.timestamp() - 60, until.timestamp()
        return sum(
            v for key, points in found.items() if key.startswith(prefix) for at, v in points if first < at <= last
        )

    requests, failed = total("requests", start, end), total("failed", start, end)
    usual = total("day", start - timedelta(days=1), start)
    budget = usual * 30 * (1 - objective)
    return Impact(start, end, round(requests), round(failed), failed / budget if budget > 0 else None)


def follow_ups(incident: Incident, members: Sequence[Remediation], service: Service) -> list[str]:
    """What people should see to afterwards, from what happened."""
    found: list[str] = []
    for one in members:
        target, plan = one.target.name, one.plan
        if one.status is Status.KEPT and plan:
            found.append(f"{target}: {_changes(one)} was kept. Put it into the template, or: sereno revert {one.id}")
        if one.status is Status.ESCALATED and plan and plan.is_lease and one.steps_done:
            found.append(f"{target}: {_changes(one)} is still in force and did not help. sereno revert {one.id}")
        if one.status is Status.REVERTED and plan:
            found.append(f"{target}: {_changes(one)} was needed for a while. Is the value before still enough?")
        if one.status is Status.SKIPPED and str(one.reason) in WORTH_A_LOOK:
            found.append(f"{target}: refused, {one.detail}. See {service.runbook_link('reasons')}")
        if one.status is Status.OBSERVED:
            found.append(f"{target}: {one.remediator} only watched. sereno scorecard tells whether to promote it")
    if not incident.owner and incident.resolved_by == "sereno":
        found.append("Nobody took it: was nobody needed, or did nobody hear of it?")
    return list(dict.fromkeys(found))


# Refusals that a limit, a quota or a person caused, and that will come again unless somebody changes it.
WORTH_A_LOOK = frozenset(
    {
        "BUDGET_SPENT",
        "COST_CEILING",
        "OVER_CEILING",
        "NO_HEADROOM",
        "NOT_DEMAND",
        "HOT_KEY",
        "OPERATOR_STOP",
        "APPROVAL_EXPIRED",
        "NOT_TAKEN",
        "NOT_PERMITTED",
        "FAULTY",
        "AWS_ERROR",
    }
)


def _changes(one: Remediation) -> str:
    steps = one.plan.steps if one.plan else ()
    return ", ".join(f"{step.setting} {step.before} -> {step.after}" for step in steps)


def post_mortem(
    service: Service,
    incident: Incident,
    members: Sequence[Remediation],
    lines: Sequence[Line],
    cost: Impact | None,
    now: datetime,
) -> str:
    """A draft in Markdown. Raises nothing: what is not known is said to be so."""
    rendered = _template().render(
        service=service,
        incident=incident,
        members=members,
        lines=lines,
        cost=cost,
        now=now,
        changes=_changes,
        follow_ups=follow_ups(incident, members, service),
        duration=_span((incident.resolved_at or now) - incident.opened),
        to_mitigated=_span(incident.mitigated_at - incident.opened) if incident.mitigated_at else None,
        to_owner=_span(incident.acknowledged_at - incident.opened) if incident.acknowledged_at else None,
        cell=markdown,
    )
    return rendered.rstrip() + "\n"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(max(0, round(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment: Any = Environment(
        loader=PackageLoader("dashboards"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=select_autoescape(("html",)),  # Markdown: cells are cleaned by `cell`
    )
    template: Template = environment.get_template("incident.md.j2")
    return template
