"""Fail over: customers are served by the standby region.

It lives in the standby and asks nothing of the primary, of IAM or of Route 53's control plane: one object is written
where a health check looks. (`strategy: weighted` changes records instead, and is for planned moves.) It is held until
a person fails back; nothing that is measured takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping

from remediators import evidence
from remediators.actions import _switch
from sereno import recovery
from sereno.model import Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator
from sereno.recovery import Evidence
from sereno.service import Recovery

PARAMS: Mapping[str, Param] = {}
PERMISSIONS: tuple[Permission, ...] = (*_switch.PERMISSIONS, *_switch.WEIGHTED)

# What hides the object from the probe locations hides the switch from Route 53's checkers.
HIDDEN = "the switch cannot be read from outside (S3 Block Public Access?), so it may move nobody"


def observe(aws: Aws, context: Context) -> Json:
    """What the witnesses say, and whether traffic is moved already."""
    return {
        "evidence": _evidence(aws, context),
        "switch": _switch.read(aws, context),
    }


def _evidence(aws: Aws, context: Context) -> Json | None:
    found = evidence.of(aws, context.service).evidence
    return found.to_json() if found else None


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """The hold and the switch, when two vantages say that the primary is out, or a person does, and the standby can
    serve."""
    wanted = _switch.recovery_of(context)
    person = context.signal is not None and context.signal.source == "manual"
    known = Evidence.from_json(observation["evidence"]) if observation["evidence"] else None
    gates: list[tuple[str, Verdict]] = [("place", _place(context))]
    if observation["switch"] == _switch.OUT:
        gates.append(("traffic", Verdict.no(Reason.NOTHING_TO_DO, f"traffic goes to {wanted.standby} already")))
    if known is None:
        gates.append(("evidence", Verdict.no(Reason.NO_QUORUM, "the prober of the standby has noted nothing")))
    else:
        out = recovery.still_out(known, context.now, wanted.confirm_s)
        gates.append(("out", Verdict.yes(f"asked for by a person; {out.detail}") if person else out))
        gates.append(("standby", recovery.standby_ready(known, context.now, context.service.objectives.rpo_s)))
    if wanted.strategy == "weighted" and not person:
        detail = "records need Route 53's control plane: this strategy is for planned moves (sereno dr failover)"
        gates.append(("strategy", Verdict.no(Reason.STANDBY_NOT_READY, detail)))
    refused = next((verdict for _, verdict in gates if not verdict.ok), None)
    if refused:
        return Refusal(refused, tuple(gates))
    said = "; ".join(verdict.detail for name, verdict in gates if name in ("out", "standby"))
    return Plan(
        _steps(context, wanted),
        f"{wanted.primary} is out: {said}",
        risk="writes that were not replicated yet stay behind until the region is back"
        + (f"; {HIDDEN}" if known and known.hidden_from else ""),
        gates=tuple(gates),
        high_risk=True,
    )


def _steps(context: Context, wanted: Recovery) -> tuple[Step, ...]:
    """The hold comes first: from the switch on, nothing but the standby's own loss may give traffic back."""
    move = _switch.out_step(context, f"customers are served from {wanted.standby}")
    return (move,) if wanted.strategy == "weighted" else (_switch.hold_step(context.service), move)


def _place(context: Context) -> Verdict:
    if context.service.is_standby:
        return Verdict.yes(f"decided in {context.service.region}")
    return Verdict.no(Reason.NOT_BOUND, f"only the standby moves traffic, and this is {context.service.region}")


def read(aws: Aws, context: Context) -> Json:
    """Where traffic is sent."""
    switch = _switch.read(aws, context)
    if _switch.recovery_of(context).strategy == "weighted":
        return {_switch.SWITCH: switch}
    return {_switch.SWITCH: switch, _switch.HOLD: _switch.read_hold(aws, context, switch)}


def symptom(aws: Aws, context: Context) -> Json:
    """Which region customers reach by the name they use, as the prober of the standby saw it last."""
    known = evidence.of(aws, context.service).evidence
    return {
        "serving": known.serving if known else "",
        "hidden_from": list(known.hidden_from or ()) if known else [],
        "at": known.to_json()["at"] if known else None,
    }


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Whether customers reach the standby."""
    wanted = _switch.recovery_of(context)
    if symptom["serving"] == wanted.standby:
        return Verdict.yes(f"customers reach {wanted.standby}")
    where = symptom["serving"] or "nobody"
    hidden = f"; {HIDDEN}" if symptom.get("hidden_from") else ""
    return Verdict.no(Reason.SYMPTOM_PERSISTS, f"customers reach {where} and not {wanted.standby}{hidden}")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Only a person lets the primary serve again."""
    return Verdict.no(Reason.STILL_NEEDED, "a person fails back (sereno dr failback)")


REMEDIATOR = Remediator(
    name="fail_over",
    summary="Sends customers to the standby region when two vantages say that the primary is out.",
    kind="region",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
    undone_by="traffic",
)
