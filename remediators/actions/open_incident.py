"""Open an incident: a page to people, by the message on the topic. A person takes it from here.

Opening it is a write to the ledger and calls no AWS API, so nothing that AWS answers can keep the page from people.
An OpsItem in OpsCenter is an effect of the notifier, as a message in Slack is. It is no lease: a page cannot be
recalled.
"""

from __future__ import annotations

from sereno.model import Json, Plan, Reason, Refusal, Verdict
from sereno.ports import Aws, Context, Remediator


def observe(aws: Aws, context: Context) -> Json:
    """Nothing: whether the incident has its page already stands in the ledger, where `paged` reads it."""
    return {}


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """No step: the plan is that a person looks."""
    reason = context.signal.reason if context.signal else "asked for by a person"
    return Plan((), reason or "no reason was given", risk="wakes people")


def read(aws: Aws, context: Context) -> Json:
    """Nothing: it changes no setting."""
    return {}


def symptom(aws: Aws, context: Context) -> Json:
    """An incident has no symptom of its own: the person who holds it judges."""
    return {}


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Opening it is all there is to do."""
    return Verdict.yes("the incident is open")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Only people close incidents."""
    return Verdict.no(Reason.STILL_NEEDED, "an incident is closed by a person")


REMEDIATOR = Remediator(
    name="open_incident",
    summary="Opens an incident and pages people, for what no remediator can fix.",
    kind="incident",
    params={},
    permissions=(),
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
)
