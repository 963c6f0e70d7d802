"""What became of an alarm that a remediator only watched: the evidence of its scorecard.

The round follows an observed remediation until its alarm is no longer red, for an hour at most, and writes down
whether it recovered by itself, after a person had changed what would have been changed, or not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from remediators.watch import Watch
from sereno import planned
from sereno.errors import StillChanging
from sereno.guard import check_drift
from sereno.lifecycle import Remediation
from sereno.model import Event, Status
from sereno.ports import Remediator

FOLLOWED = timedelta(hours=1)
EACH = timedelta(minutes=2)


def begin(remediation: Remediation, remediator: Remediator) -> Remediation:
    """Lets the round follow it. Incidents change nothing, and what no alarm began has none that could recover."""
    unseen = remediation.signal.source == "manual" or planned.began(remediation.signal)
    if remediator.kind == "incident" or unseen:
        return remediation
    return replace(remediation, follow_until=remediation.created + FOLLOWED)


def follows(remediation: Remediation) -> bool:
    """Whether this look at it is about its aftermath."""
    watched = remediation.status is Status.OBSERVED and remediation.follow_until is not None
    return watched and not (remediation.unpublished or remediation.escalate_to or remediation.wish)


def follow(watch: Watch, remediation: Remediation, red: Collection[str]) -> Remediation:
    """One look: still red, recovered, or given up. Raises LedgerUnavailable and VersionConflict."""
    now = watch.clock.now()
    is_red = remediation.signal.name in red
    recovered = not is_red and _is_ok(watch, remediation.signal.name)
    if not recovered and remediation.follow_until and now < remediation.follow_until:
        return watch.ledger.save(replace(remediation, due_at=now + EACH), before=remediation, now=now)
    minutes = (now - remediation.signal.at).total_seconds() / 60
    if is_red:
        how, text = "not", f"the alarm has not recovered within {minutes:.0f} min"
    elif not recovered:
        how, text = "", "the alarm knows nothing since (INSUFFICIENT_DATA): what became of it cannot be told"
    else:
        changed = _changed_by_people(watch, remediation)
        how = "people" if changed else "alone"
        after = f"after {changed}" if changed else "by itself, without the change"
        text = f"the alarm recovered within {minutes:.0f} min {after}"
    event = Event(now, str(Status.OBSERVED), text)
    over = replace(
        remediation,
        detail=remediation.detail,
        aftermath=how,
        follow_until=None,
        due_at=None,
        sequence=remediation.sequence + 1,
        unpublished=(*remediation.unpublished, event),
    )
    # Evidence, and no news: nobody is told.
    return watch.ledger.save(over, before=remediation, now=now, published=True)


def _is_ok(watch: Watch, alarm: str) -> bool:
    """Whether an alarm that is not red is OK, and not without data. One call, at its end."""
    kinds = ["MetricAlarm", "CompositeAlarm"]
    try:
        answer = watch.aws.client("cloudwatch").describe_alarms(AlarmNames=[alarm], AlarmTypes=kinds)
    except (ClientError, BotoCoreError):
        return False
    found = (*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ()))
    return any(one["AlarmName"] == alarm and one["StateValue"] == "OK" for one in found)


def _changed_by_people(watch: Watch, remediation: Remediation) -> str:
    """What is no longer as it was when the plan was made; empty when nothing is, or it cannot be read."""
    remediator = watch.load(remediation.remediator)
    try:
        live = remediator.read(watch.aws, watch.context(remediation, remediator))
    except (ClientError, BotoCoreError, StillChanging):
        return ""
    steps = remediation.plan.steps if remediation.plan else ()
    changed = [
        f"{step.setting} {step.before} -> {live.get(step.setting)}"
        for step in steps
        if not check_drift(step, live, step.before).ok
    ]
    return ", ".join(changed)
