"""The Lambda behind the custom widgets of CloudWatch's dashboards: open incidents with what is in force, and how far
back each table can be restored.

It reads and never acts. What CloudWatch hands over names a dashboard and an account but no user, so nothing here
could say who approved; and CloudWatch drops scripts, so all is plain HTML with links. Every text is escaped.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.handler import invocation
from remediators.watch import Watch
from sereno.errors import LedgerUnavailable
from sereno.escape import shown
from sereno.incident import Incident, Stage, loudest
from sereno.lifecycle import Remediation
from sereno.model import Status
from sereno.service import Service

# More than these are a storm, which the on-call page is for.
INCIDENTS, MEMBERS = 10, 8
SHOWS = ("incidents", "restorable")
# The latest moment that a table can be restored to lies this far back, says AWS.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
BEHIND = timedelta(minutes=5)
DOCS = """\
## Sereno's widget
Shows what Sereno knows, read-only: CloudWatch does not say who looks, so it takes no approvals.

### Parameters
| name | value |
|---|---|
| show | `incidents` (open incidents and changes in force) or `restorable` (how far back each table goes) |

### Example
``` yaml
show: incidents
```
"""
_COLOURS = {Stage.OPEN: "#d13212", Stage.ACKNOWLEDGED: "#b7791f", Stage.MITIGATED: "#1166bb"}
_GREEN, _GREY, _RED = "#1d8102", "#687078", "#d13212"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Since when a table can be restored (None: it cannot), or why that is not known."""

    table: str
    earliest: datetime | None = None
    latest: datetime | None = None
    unknown: str = ""


def handler(event: Any, context: Any) -> str:
    """HTML for the widget, or its documentation when CloudWatch asks for that. Never raises for what the ledger or
    AWS refuse: a widget says what it could not read."""
    given = event if isinstance(event, Mapping) else {}
    if given.get("describe"):
        return DOCS
    show = wanted(given)
    if show not in SHOWS:
        return _note(f"show: {show!r} is nothing this widget knows (known: {', '.join(SHOWS)})", _RED)
    with invocation(os.environ, context, "widget") as watch:
        now = watch.clock.now()
        if show == "restorable":
            return restorable(recoveries(watch), watch.service, now)
        try:
            return _incidents(watch, now)
        except LedgerUnavailable as error:
            watch.telemetry.log("error", "the ledger cannot be reached", error=str(error))
            return _note("The ledger cannot be read; `sereno status` tells why.", _RED)


def wanted(event: Mapping[str, Any]) -> str:
    """What the dashboard asks for: its parameters stand on the event, and once more in the widget's context."""
    inside = event.get("widgetContext")
    params = inside.get("params") if isinstance(inside, Mapping) else None
    found = event.get("show") or (params.get("show") if isinstance(params, Mapping) else None)
    return shown(found or "incidents")[:40]


def _incidents(watch: Watch, now: datetime) -> str:
    book = watch.ledger.incidents
    found = [one for one in reversed(book.open()) if one.is_open]
    told = [(one, book.members(one)) for one in found[:INCIDENTS]]
    members = {member.id for _, those in told for member in those}
    hidden = {id for one in found[INCIDENTS:] for id in one.members}
    # A change outlives its incident when a person has closed that.
    alone = [one for one in watch.ledger.open() if one.active and one.id not in members | hidden]
    return page(watch.service, told, alone, len(found), now)


def page(
    service: Service,
    told: Sequence[tuple[Incident, Sequence[Remediation]]],
    alone: Sequence[Remediation],
    open_incidents: int,
    now: datetime,
) -> str:
    """Open incidents, the newest first, each with its remediations; then changes in force that belong to none."""
    parts = [_incident(service, one, members, now) for one, members in told]
    if open_incidents > len(told):
        more = _link(service, "", f"{open_incidents - len(told)} more") or f"{open_incidents - len(told)} more"
        parts.append(f"<p>{more}: see <code>sereno incident list</code></p>")
    if alone:
        parts.append("<h4>In force without an open incident</h4>" + _table(service, alone, now))
    if not parts:
        parts.append(_note("All calm: no incident is open and no change is in force.", _GREEN))
    written = f'<p style="color:{_GREY}">Read at {now:%H:%M:%S} UTC. Approve, revert or keep on the on-call page, in '
    return "".join(parts) + written + "Slack or by the command: this widget only shows.</p>"


def _incident(service: Service, one: Incident, members: Sequence[Remediation], now: datetime) -> str:
    mark = f'<svg width="12" height="12"><circle cx="6" cy="6" r="6" fill="{_COLOURS.get(one.stage, _GREY)}"/></svg>'
    has = f", {escape(one.owner)} has it" if one.owner else ", nobody has it yet"
    title = _link(service, one.id, one.title) or escape(one.title)
    how = f"{escape(str(one.stage))}, {escape(loudest(members))}, {_age(now - one.opened)}{has}"
    head = f"<h4>{mark} {title}: {how}</h4>"
    alarms = f'<p style="color:{_GREY}">{escape(one.id)} | {escape(", ".join(one.alarms[:5]))}</p>'
    return head + alarms + _table(service, members[-MEMBERS:], now)


def _table(service: Service, members: Sequence[Remediation], now: datetime) -> str:
    if not members:
        return ""
    head = "<tr><th>remediation</th><th>status</th><th>target</th><th>change</th><th>until</th></tr>"
    return f"<table>{head}{''.join(_row(service, one, now) for one in members)}</table>"


def _row(service: Service, one: Remediation, now: datetime) -> str:
    colour = _RED if one.status in (Status.ESCALATED, Status.FAILED) else "inherit"
    cells = (
        _link(service, one.incident, one.id) or escape(one.id),
        f'<span style="color:{colour}">{escape(str(one.status))}</span>',
        escape(one.target.name),
        escape(_change(one)),
        escape(_until(one, now)),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _change(one: Remediation) -> str:
    """What it set, as far as it came; otherwise why it did not."""
    if one.plan is None or not one.plan.steps or one.status is Status.SKIPPED:
        return f"{one.reason}: {one.detail}"[:120]
    return ", ".join(f"{step.setting} {step.before} -> {step.after}" for step in one.plan.steps)[:160]


def _until(one: Remediation, now: datetime) -> str:
    if one.status is Status.AWAITING_APPROVAL and one.escalate_at:
        return f"approval expires in {_age(one.escalate_at - now)}"
    if not one.active or one.hold_until is None:
        return ""
    if one.hold_until <= now:
        return "held while demand needs it"
    return f"taken back from {one.hold_until:%H:%M} UTC"


def recoveries(watch: Watch) -> list[Recovery]:
    """How far back each declared table goes; one that cannot be asked says so."""
    return [_recovery(watch.aws.client("dynamodb"), one.name) for one in watch.service.tables.values()]


def _recovery(client: Any, table: str) -> Recovery:
    try:
        answer = client.describe_continuous_backups(TableName=table)
    except ClientError as error:
        return Recovery(table, unknown=str(error.response["Error"].get("Code", "an error")))
    except BotoCoreError as error:
        return Recovery(table, unknown=type(error).__name__)
    found = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if found.get("PointInTimeRecoveryStatus") != "ENABLED":
        return Recovery(table)
    return Recovery(table, found.get("EarliestRestorableDateTime"), found.get("LatestRestorableDateTime"))


def restorable(found: Sequence[Recovery], service: Service, now: datetime) -> str:
    """Since when and until when each table can be restored, against the promised RPO."""
    if not found:
        return _note("No table is declared.", _GREY)
    head = "<tr><th>table</th><th>from</th><th>to</th><th>would lose</th></tr>"
    rows = "".join(_recovery_row(one, service.objectives.rpo_s, now) for one in found)
    promised = f'<p style="color:{_GREY}">Promised RPO: {service.objectives.rpo_s / 60:g} min.</p>'
    return f"<table>{head}{rows}</table>{promised}"


def _recovery_row(one: Recovery, rpo_s: int, now: datetime) -> str:
    name = f"<td>{escape(one.table)}</td>"
    if one.unknown:
        return f'<tr>{name}<td colspan="3" style="color:{_RED}">cannot be read: {escape(one.unknown)}</td></tr>'
    if one.earliest is None:
        return f'<tr>{name}<td colspan="3" style="color:{_RED}">point-in-time recovery is off</td></tr>'
    latest = one.latest or now - BEHIND
    lost = now - latest
    colour = _RED if lost.total_seconds() > rpo_s else _GREEN
    cells = f"<td>{one.earliest:%Y-%m-%d %H:%M} UTC</td><td>{latest:%Y-%m-%d %H:%M} UTC</td>"
    return f'<tr>{name}{cells}<td style="color:{colour}">{_age(lost)}</td></tr>'


def _link(service: Service, incident: str, text: str) -> str:
    """A link to the on-call page, where one is declared."""
    base = service.notices.page_url
    if not base.startswith(("https://", "http://")):
        return ""
    place = f"{base.rstrip('/')}/incidents/{incident}" if incident else base
    return f'<a href="{escape(place)}" target="_blank">{escape(text)}</a>'


def _note(text: str, colour: str) -> str:
    return f'<p style="color:{colour}">{escape(text)}</p>'


def _age(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} d"
