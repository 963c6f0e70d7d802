"""Provisioned concurrency of an alias, and who owns it: the function's settings or Application Auto Scaling."""

from __future__ import annotations

import math

from botocore.exceptions import ClientError

from sereno.model import Call, Json, Plan, Reason, Step, Verdict
from sereno.ports import Aws, Context
from sereno.service import Function

NAMESPACE = "lambda"
SETTING, OWNED = "provisioned concurrency", "provisioned target"
DIMENSION = "lambda:function:ProvisionedConcurrency"
# USD for a GB-second of provisioned concurrency on arm64, eu-west-1; x86_64 and other regions differ by at most a
# third. https://aws.amazon.com/lambda/pricing/
USD_PER_GB_SECOND = 0.0000033334
SECONDS_IN_A_MONTH = 30 * 86_400


def observe_provisioned(aws: Aws, context: Context, declared: Function | None) -> Json | None:
    """What is provisioned on the declared alias, and the scalable target that owns it; None where nothing is
    declared (and then nothing is asked)."""
    if not _is_declared(declared):
        return None
    owned = _scalable_target(aws, context, declared)
    return {"requested": _requested(aws, context, declared), "target": owned}


def read_provisioned(aws: Aws, context: Context, declared: Function | None) -> Json:
    """The settings that `provisioned_steps` may change, as they are now."""
    if not _is_declared(declared):
        return {}
    target = _scalable_target(aws, context, declared)
    if target is not None:
        return {OWNED: target}
    return {SETTING: _requested(aws, context, declared)}


def provisioned_state(aws: Aws, context: Context, declared: Function | None) -> Json | None:
    """Whether the warm environments are there: the status as AWS tells it, and how many are requested, allocated and
    available; None where nothing is declared, or nothing is provisioned."""
    if not _is_declared(declared):
        return None
    found = _config(aws, context, declared)
    if found is None:
        return None
    return {
        "status": found.get("Status", "READY"),
        "why": found.get("StatusReason", ""),
        "requested": int(found.get("RequestedProvisionedConcurrentExecutions", 0)),
        "allocated": int(found.get("AllocatedProvisionedConcurrentExecutions", 0)),
        "available": int(found.get("AvailableProvisionedConcurrentExecutions", 0)),
    }


def ready(plan: Plan, state: Json | None) -> Verdict:
    """Whether what the plan provisions is READY. AWS takes minutes over it, and may fail.
    https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html
    """
    step = next((one for one in plan.steps if one.setting in (SETTING, OWNED)), None)
    if step is None:
        return Verdict.yes("nothing is provisioned")
    wanted = step.after if step.setting == SETTING else step.after[0]
    if state is None:
        return Verdict.no(Reason.CHANGE_IN_PROGRESS, f"none of {wanted} warm environments is requested yet")
    counts = f"{state['allocated']} of {state['requested']} warm environments are allocated"
    if state["status"] == "FAILED":
        why = state["why"] or "AWS gives no reason"
        return Verdict.no(Reason.NOT_TAKEN, f"provisioned concurrency is FAILED ({why}); {counts}")
    if state["status"] != "READY" or state["requested"] < wanted:
        return Verdict.no(Reason.CHANGE_IN_PROGRESS, f"provisioned concurrency is {state['status']}; {counts}")
    return Verdict.yes(f"provisioned concurrency is READY; {counts}")


def provisioned_steps(observation: Json, context: Context, reserved: int) -> list[tuple[Step, float]]:
    """(step, USD a month) pairs: provisioned concurrency for the declared surge's mean, within the reserved limit
    (AWS allows no more)."""
    found, declared = observation["provisioned"], context.service.function_named(context.target.name)
    if found is None or declared is None or not declared.normal:
        return []
    most = context.params["provisioned_ceiling"] or reserved
    wanted = min(math.ceil(declared.normal * context.factor), int(most), reserved)
    if found["target"] is not None:
        return _target_step(context, declared, found["target"], wanted, observation["memory_mb"])
    before = found["requested"]
    if before is None or wanted <= before:
        return []
    name = {"FunctionName": context.target.name, "Qualifier": declared.alias}
    field = "ProvisionedConcurrentExecutions"
    step = Step(
        do=Call("lambda", "put_provisioned_concurrency_config", {**name, field: wanted}),
        why=f"warm environments for the mean of the surge to be ready for ({wanted}); they take minutes to come",
        setting=SETTING,
        before=before,
        after=wanted,
        undo=Call("lambda", "put_provisioned_concurrency_config", {**name, field: before}),
        echo="RequestedProvisionedConcurrentExecutions",
    )
    return [(step, _cost(wanted - before, observation["memory_mb"]))]


def _target_step(
    context: Context, declared: Function, before: list[int], wanted: int, memory_mb: int
) -> list[tuple[Step, float]]:
    if wanted <= before[0]:
        return []
    after = [wanted, max(before[1], wanted)]

    def register(bounds: list[int]) -> Call:
        return Call(
            "application-autoscaling",
            "register_scalable_target",
            {
                "ServiceNamespace": NAMESPACE,
                "ResourceId": _resource(context, declared),
                "ScalableDimension": DIMENSION,
                "MinCapacity": bounds[0],
                "MaxCapacity": bounds[1],
            },
        )

    # RegisterScalableTarget with a higher minimum acts at once.
    # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
    step = Step(
        do=register(after),
        why=f"Application Auto Scaling owns the provisioned concurrency: its minimum goes to {wanted}",
        setting=OWNED,
        before=before,
        after=after,
        undo=register(before),
    )
    return [(step, _cost(wanted - before[0], memory_mb))]


def _is_declared(declared: Function | None) -> bool:
    return bool(declared and declared.provisioned and declared.alias)


def _resource(context: Context, declared: Function) -> str:
    return f"function:{context.target.name}:{declared.alias}"


def _requested(aws: Aws, context: Context, declared: Function | None) -> int | None:
    found = _config(aws, context, declared)
    return None if found is None else int(found["RequestedProvisionedConcurrentExecutions"])


def _config(aws: Aws, context: Context, declared: Function | None) -> Json | None:
    client = aws.client("lambda", context.target.region)
    alias = declared.alias if declared else None
    try:
        answer: Json = client.get_provisioned_concurrency_config(FunctionName=context.target.name, Qualifier=alias)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException":
            return None
        raise
    return answer


def _scalable_target(aws: Aws, context: Context, declared: Function | None) -> list[int] | None:
    if declared is None:
        return None
    answer = aws.client("application-autoscaling", context.target.region).describe_scalable_targets(
        ServiceNamespace=NAMESPACE, ResourceIds=[_resource(context, declared)], ScalableDimension=DIMENSION
    )
    for target in answer["ScalableTargets"]:
        return [int(target["MinCapacity"]), int(target["MaxCapacity"])]
    return None


def _cost(units: int, memory_mb: int) -> float:
    return units * memory_mb / 1024 * SECONDS_IN_A_MONTH * USD_PER_GB_SECOND
