"""Open an incident: an OpsItem in OpsCenter, and an urgent message on the topic. A person takes it from here.

It is no lease: what a person has been told cannot be untold. OpsCenter itself refuses a second open OpsItem with the
same deduplication string, so one symptom has one incident.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sereno.model import Call, Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator

SOURCE = "sereno"
TITLE_LIMIT = 1024  # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html
DESCRIPTION_LIMIT = 2048

PARAMS: Mapping[str, Param] = {
    "severity": Param("2", "severity of the OpsItem: 1 (critical) to 4 (low), as text"),
    "category": Param("Availability", "category of the OpsItem"),
}

PERMISSIONS = (
    Permission(
        "ssm.create_ops_item",
        "*",
        because="CreateOpsItem takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html",
    ),
    Permission(
        "ssm.describe_ops_items",
        "*",
        because="DescribeOpsItems takes no resource: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html",
    ),
)


def observe(aws: Aws, context: Context) -> Json:
    """Whether the symptom has an open incident already."""
    return {"incident": _open(aws, context)}


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """One OpsItem, unless one is open."""
    if observation["incident"]:
        verdict = Verdict.no(Reason.NOTHING_TO_DO, f"incident {observation['incident']} is open")
        return Refusal(verdict, (("open", verdict),))
    step = Step(
        do=Call("ssm", "create_ops_item", _ops_item(context)),
        why="a person must look",
        setting="incident",
        before=None,
        after="open",
    )
    reason = context.signal.reason if context.signal else "asked for"
    return Plan((step,), f"a person must look: {reason}", risk="wakes people")


def read(aws: Aws, context: Context) -> Json:
    """Open or not."""
    return {"incident": "open" if _open(aws, context) else None}


def symptom(aws: Aws, context: Context) -> Json:
    """An incident has no symptom of its own: the person who holds it judges."""
    return {}


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Opening it is all there is to do."""
    return Verdict.yes("the incident is open")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Only people close incidents."""
    return Verdict.no(Reason.STILL_NEEDED, "an incident is closed by a person")


def title(context: Context) -> str:
    """The incident's title: one for each symptom."""
    return f"[{context.service.name}] {context.target.name}"[:TITLE_LIMIT]


def _open(aws: Aws, context: Context) -> str | None:
    answer = aws.client("ssm", context.target.region).describe_ops_items(
        OpsItemFilters=[
            {"Key": "Source", "Values": [SOURCE], "Operator": "Equal"},
            {"Key": "Title", "Values": [title(context)], "Operator": "Contains"},
        ]
    )
    for item in answer["OpsItemSummaries"]:
        if item["Title"] == title(context) and item["Status"] not in ("Resolved", "Closed"):
            return str(item["OpsItemId"])
    return None


def _ops_item(context: Context) -> Json:
    signal = context.signal
    facts = {
        "alarm": signal.name if signal else "",
        "resource": f"{signal.target.kind} {signal.target.name}" if signal else "",
        "runbook": context.service.runbook_link(signal.what if signal else "reasons"),
    }
    described = signal.reason if signal else "asked for by a person"
    return {
        "Title": title(context),
        "Source": SOURCE,
        "Description": (described or "no reason given")[:DESCRIPTION_LIMIT],
        "Severity": str(context.params["severity"]),
        "Category": str(context.params["category"]),
        "OperationalData": {
            "/aws/dedup": {"Value": json.dumps({"dedupString": context.target.key}), "Type": "SearchableString"},
            **{name: {"Value": text, "Type": "String"} for name, text in facts.items() if text},
        },
    }


REMEDIATOR = Remediator(
    name="open_incident",
    summary="Opens an OpsItem and tells people: what no remediator can cure, a person must see.",
    kind="incident",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
)
