"""Fail back: the primary region serves again, a share at a time, because a person wants it to.

First the records behind the switch send everything to the standby too, then the switch is taken away (nobody
notices), and then the primary gets a tenth, half, and all of the traffic. Between two steps it waits; when a witness
sees the primary fail, everything is taken back and customers stay with the standby.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from remediators import evidence, sample
from remediators.actions import _switch
from remediators.sample import Compared
from sereno import recovery, serving
from sereno.model import Json, Plan, Reason, Refusal, Step, Verdict
from sereno.ports import Aws, Context, Param, Permission, Remediator
from sereno.recovery import Evidence, View
from sereno.service import Recovery

PARAMS: Mapping[str, Param] = {
    "first": Param(10, "percent of the traffic that the primary gets first", 1, 50),
    "second": Param(50, "percent of the traffic that the primary gets then", 10, 99),
}
_HERE = "arn:{partition}:dynamodb:{region}:{account}:table/{compared}"
_THERE = "arn:{partition}:dynamodb:{primary}:{account}:table/{compared}"
PERMISSIONS: tuple[Permission, ...] = (
    *_switch.PERMISSIONS,
    *_switch.RECORDS,
    Permission("dynamodb.describe_table", _HERE),
    Permission("dynamodb.scan", _HERE),
    Permission("dynamodb.batch_get_item", _HERE),
    Permission("dynamodb.batch_get_item", _THERE),
)
# How far the primary's data may be behind what customers have written to the standby: the first of them comes there
# no sooner than `SETTLES` later.
BEHIND_S = 60
# Both canaries' keys begin so; they are not compared.
CANARIES = "sereno-canary"
# Of a sample so much may differ: what is written at this moment.
APART = 0.02
# What the switch's absence takes to be seen by everybody: two looks of the health checkers, and the records' TTL. A
# change of records takes no longer: "generally within 60 seconds", and the TTL.
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
SETTLES = timedelta(seconds=90)


def observe(aws: Aws, context: Context) -> Json:
    """What the witnesses say, where traffic is sent, and whether the primary has what was written meanwhile."""
    rows = evidence.of(aws, context.service)
    known, settings = rows.evidence, _switch.settings(aws, context)
    return {
        "evidence": known.to_json() if known else None,
        "behind_s": evidence.behind(rows, context.now),
        "compared": [one.to_json() for one in _compared(aws, context, settings)],
        **settings,
    }


def _compared(aws: Aws, context: Context, settings: Json) -> list[Compared]:
    """A sample of each table, where there is anything to move."""
    wanted = _switch.recovery_of(context)
    if settings[_switch.SWITCH] != _switch.OUT and settings[_switch.SHARE] in (None, _switch.FULL):
        return []
    here, there = (aws.client("dynamodb", region) for region in (context.service.region, wanted.primary))
    names = [context.service.tables[key].name for key in wanted.compare]
    return [sample.compare(here, there, name, context.now, leave_out=CANARIES) for name in names]


def plan(observation: Json, context: Context) -> Plan | Refusal:
    """The steps back, when the primary has been healthy long enough and has what was written meanwhile."""
    wanted = _switch.recovery_of(context)
    share = observation[_switch.SHARE]
    known = Evidence.from_json(observation["evidence"]) if observation["evidence"] else None
    gates: list[tuple[str, Verdict]] = []
    if observation[_switch.SWITCH] != _switch.OUT and share in (None, _switch.FULL):
        gates.append(("traffic", Verdict.no(Reason.NOTHING_TO_DO, f"traffic goes to {wanted.primary} already")))
    if known is None:
        gates.append(("primary", Verdict.no(Reason.NO_QUORUM, "the prober of the standby has noted nothing")))
    else:
        healthy = recovery.healthy_again(known, context.now, wanted.healthy_s)
        if healthy.reason is Reason.NOT_TOLD:
            healthy = Verdict.no(Reason.TOO_SOON, healthy.detail)
        gates.append(("primary", healthy))
        gates.append(("stay", _stayed(known, context)))
        gates.append(("data", _caught_up(observation, context)))
        gates += [(f"sample of {one['table']}", _alike(one, wanted)) for one in observation["compared"]]
    refused = next((verdict for _, verdict in gates if not verdict.ok), None)
    if refused:
        return Refusal(refused, tuple(gates))
    steps = tuple(_steps(observation, context))
    return Plan(
        steps,
        f"{wanted.primary} serves again: {'; '.join(verdict.detail for _, verdict in gates)}",
        risk="customers meet a region that was out",
        gates=tuple(gates),
        high_risk=True,
    )


def _stayed(known: Evidence, context: Context) -> Verdict:
    """Traffic that goes to and fro is worse than either place."""
    wanted = _switch.recovery_of(context)
    seconds = serving.stayed(known, wanted, context.now)
    if seconds is None:
        return Verdict.no(Reason.TOO_SOON, f"nothing says yet since when customers are in {wanted.standby}")
    if seconds < wanted.minimum_stay_s:
        detail = f"in {wanted.standby} for {seconds / 60:.0f} min of {wanted.minimum_stay_s / 60:.0f}"
        return Verdict.no(Reason.TOO_SOON, detail)
    return Verdict.yes(f"{seconds / 60:.0f} min in {wanted.standby}")


def _caught_up(observation: Json, context: Context) -> Verdict:
    """What was written to the standby must be where customers are sent."""
    wanted, behind = _switch.recovery_of(context), observation["behind_s"]
    if wanted.canary is None:
        return Verdict.yes("the replication delay is not measured")
    if behind is None:
        return Verdict.no(Reason.DATA_APART, f"{wanted.primary} has not told what has come there")
    detail = f"{wanted.primary} is {behind:.1f} s behind {wanted.standby}"
    if behind > BEHIND_S:
        return Verdict.no(Reason.DATA_APART, f"{detail}; at most {BEHIND_S} s")
    return Verdict.yes(detail)


def _alike(found: Json, wanted: Recovery) -> Verdict:
    if found["problem"]:
        return Verdict.no(Reason.DATA_APART, f"could not be compared: {found['problem']}")
    detail = f"{found['read'] - found['apart']} of {found['read']} items are the same in {wanted.primary}"
    if found["apart"] > APART * found["read"]:
        return Verdict.no(Reason.DATA_APART, detail)
    return Verdict.yes(detail)


def _steps(observation: Json, context: Context) -> list[Step]:
    wanted, share = _switch.recovery_of(context), observation[_switch.SHARE]
    out = observation[_switch.SWITCH] == _switch.OUT and wanted.strategy != "weighted"
    if share is None:
        return [_switch.back_step(context, f"customers are served from {wanted.primary}")]
    steps, now = [], int(share)
    if out and now:
        steps.append(_switch.share_step(context, now, 0, f"the records alone would keep {wanted.standby} serving"))
        now = 0
    if out:
        steps.append(_switch.back_step(context, "the records decide again; nobody is moved by it"))
    for percent in (int(context.params["first"]), int(context.params["second"]), _switch.FULL):
        if percent > now:
            steps.append(_switch.share_step(context, now, percent, f"{percent} % are served from {wanted.primary}"))
            now = percent
    return steps


def may_go_on(aws: Aws, context: Context, plan: Plan, done: int) -> Verdict:
    """The next share follows when the last one has been borne for a while, and nobody sees the primary fail."""
    wanted = _switch.recovery_of(context)
    known = evidence.of(aws, context.service).evidence
    told = recovery.opinions(known, context.now) if known else {}
    for name, one in told.items():
        if name in recovery.ACTIVE and one.view is View.DOWN:
            return Verdict.no(Reason.SYMPTOM_PERSISTS, f"{name} sees {wanted.primary} fail: {one.detail}")
    last = plan.steps[done - 1]
    # Nobody is moved by the records behind the switch, but all would be, were the switch gone before the name servers
    # have them.
    settles = last.setting == _switch.SWITCH or last.after == 0
    waits = SETTLES if settles else timedelta(seconds=wanted.stage_s)
    if context.since is None or context.now - context.since >= waits:
        return Verdict.yes(f"borne for {waits.total_seconds():.0f} s")
    left = waits - (context.now - context.since)
    detail = f"{last.setting} is {last.after}; the next step in {left.total_seconds():.0f} s"
    return Verdict.no(Reason.CHANGE_IN_PROGRESS, detail)


def read(aws: Aws, context: Context) -> Json:
    """Where traffic is sent, and the primary's share."""
    return _switch.settings(aws, context)


def symptom(aws: Aws, context: Context) -> Json:
    """Which region customers reach by the name they use, and what the witnesses say of the primary."""
    known = evidence.of(aws, context.service).evidence
    told = recovery.opinions(known, context.now) if known else {}
    views = {name: str(one.view) for name, one in told.items() if name in recovery.ACTIVE}
    return {"serving": known.serving if known else "", "views": views}


def verify(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """Whether customers reach the primary, and it serves them."""
    wanted = _switch.recovery_of(context)
    failing = [name for name, view in symptom["views"].items() if view == View.DOWN]
    if failing:
        return Verdict.no(Reason.SYMPTOM_PERSISTS, f"{' and '.join(failing)} sees {wanted.primary} fail")
    if symptom["serving"] != wanted.primary:
        where = symptom["serving"] or "nobody"
        return Verdict.no(Reason.SYMPTOM_PERSISTS, f"customers reach {where} and not {wanted.primary}")
    return Verdict.yes(f"customers reach {wanted.primary}")


def may_release(plan: Plan, symptom: Json, context: Context) -> Verdict:
    """It is for good: the next outage is another failover."""
    return Verdict.no(Reason.STILL_NEEDED, "traffic is where it belongs")


REMEDIATOR = Remediator(
    name="fail_back",
    summary="Gives the primary region its traffic back, a share at a time, when a person wants it.",
    kind="traffic",
    params=PARAMS,
    permissions=PERMISSIONS,
    observe=observe,
    plan=plan,
    read=read,
    symptom=symptom,
    verify=verify,
    may_release=may_release,
    may_go_on=may_go_on,
    lasting=True,
)
