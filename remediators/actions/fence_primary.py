"""Fence the primary: its writers write nothing more once traffic has been moved.

Best effort, after the switch and beside it: `fail_over` never waits for it, for it calls the region that may be dark.
Where that region is half alive (it answers, and customers fail), clients that still hold the old address would go on
writing there, and the last writer wins over what customers have written to the standby since. It is a lease: when the
witnesses have seen the primary serve for a while, its writers get their concurrency back, before traffic does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from remediators import evidence
from remediators.actions import _switch
from sereno import recovery
from sereno.model import Call, Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator
from sereno.recovery import Evidence

PARAMS: Mapping[str, Param] = {}
_WRITER = "arn:{partition}:lambda:{primary}:{account}:function:{writer}"
# How it sees that traffic is moved.
_LOOKS = ("s3.list_objects_v2", "dynamodb.query", "route53.list_resource_record_sets")
PERMISSIONS: tuple[Permission, ...] = (
    *(one for one in (*_switch.PERMISSIONS, *_switch.WEIGHTED) if one.operation in _LOOKS),
    Permission("lambda.get_function_concurrency", _WRITER),
    Permission("lambda.put_function_concurrency", _WRITER),
    Permission("lambda.delete_function_concurrency", _WRITER),
)
RESERVED = "reserved concurrency"
# How long the move of traffic is waited for: a failover is decided within a minute or asks a person.
PATIENCE = timedelta(minutes=5)


def observe(aws: Aws, context: Context) -> Json:
    """Whether traffic is moved already, and what the writer may do."""
    moved = _switch.read(aws, context)
    return {"switch": moved, RESERVED: _reserved(aws, context) if moved == _switch.OUT else None}


def _reserved(aws: Aws, context: Context) -> int | None:
    """Of the primary's function: `context.target` lies there."""
    client = aws.client("lambda", context.target.region)
    found = client.get_function_concurrency(FunctionName=context.target.name).get("ReservedConcurrentExecutions")
    return None if found is None else int(found)


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """No concurrency, once traffic is elsewhere."""
    if observation["switch"] != _switch.OUT:
        patient = context.signal is not None and context.now - context.signal.at < PATIENCE
        reason = Reason.NOT_TOLD if patient else Reason.NOTHING_TO_DO
        verdict = Verdict.no(reason, "traffic is not moved: nobody is fenced before that")
        return Refusal(verdict, (("traffic", verdict),))
    before = observation[RESERVED]
    if before == 0:
        verdict = Verdict.no(Reason.NOTHING_TO_DO, f"{context.target.name} may do nothing already")
        return Refusal(verdict, (("writer", verdict),))
    name = {"FunctionName": context.target.name}
    back = (
        Call("lambda", "delete_function_concurrency", name)
        if before is None
        else Call("lambda", "put_function_concurrency", {**name, "ReservedConcurrentExecutions": before})
    )
    step = Step(
        do=Call("lambda", "put_function_concurrency", {**name, "ReservedConcurrentExecutions": 0}),
        undo=back,
        why="customers are served elsewhere; what is written here would win over what they write there",
        setting=RESERVED,
        before=before,
        after=0,
    )
    where = _switch.recovery_of(context)
    return Plan(
        (step,), f"traffic goes to {where.standby}", risk=f"{context.target.name} answers nobody", high_risk=True
    )


def read(aws: Aws, context: Context) -> Json:
    """What the writer may do."""
    return {RESERVED: _reserved(aws, context)}


def symptom(aws: Aws, context: Context) -> Json:
    """What the witnesses say of the primary."""
    known = evidence.of(aws, context.service).evidence
    return {"evidence": known.to_json() if known else None}


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """It is fenced by the setting alone."""
    return Verdict.yes(f"{context.target.name} writes nothing")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """When the primary has been seen to serve for half as long as a failback waits: its writers must work before
    traffic comes back."""
    if symptom["evidence"] is None:
        return Verdict.no(Reason.STILL_NEEDED, "nobody has seen the primary")
    known = Evidence.from_json(symptom["evidence"])
    healthy = recovery.healthy_again(known, context.now, _switch.recovery_of(context).healthy_s / 2)
    return healthy if healthy.ok else Verdict.no(Reason.STILL_NEEDED, healthy.detail)


REMEDIATOR = Remediator(
    name="fence_primary",
    summary="Stops the primary region's writers once traffic has moved, as far as that region answers.",
    kind="writer",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
)
