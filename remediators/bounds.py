"""What the executor may send: operations that the remediator declares, on the target of the remediation alone.

A plan comes from a ledger row, and whoever can write to the ledger can write one. IAM gives a role every function and
table of the service; these bounds are narrower: one row, one target. A call passes when its operation is declared,
it has a rule here, it carries no parameter beyond the rule's, and the resource it names is one that a permission of
the remediator names once the remediation's target is put into it. The value that it sets is the one that the step
records, which is what people saw and approved; a raise lowers nothing. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remediators import evidence
from sereno.model import Call, Json, Plan, Reason, Target, Verdict
from sereno.ports import Context, Permission, Remediator
from sereno.service import Service

# A change of these that lowers a value is none of theirs.
RAISES = frozenset({"raise_concurrency", "raise_capacity"})
# Stands on both sides of a comparison, so it need not be the real one.
_PARTITION = "aws"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a call of one operation may look like: the parameters it may carry, the resource that they name (an ARN
    after its partition, or `*` where AWS knows no resource), what else is wrong with it (empty: nothing), and whether
    it sets a value that a step records."""

    parameters: frozenset[str]
    resource: Callable[[Json, Target], str]
    problem: Callable[[Json, Context], str] = lambda _params, _context: ""
    sets: Callable[[Json, Any], bool] = lambda _params, _value: True


def check_plan(remediator: Remediator, context: Context, plan: Plan) -> Verdict:
    """Whether every call of a plan, and every way back, lies within the bounds."""
    for step in plan.steps:
        if remediator.name in RAISES and _lowers(step.before, step.after):
            return _no(f"{remediator.name} would lower {step.setting} from {step.before} to {step.after}"[:300])
        for call, value in ((step.do, step.after), (step.undo, step.before)):
            verdict = check_call(remediator, context, call, value) if call is not None else Verdict.yes()
            if not verdict.ok:
                return verdict
    return Verdict.yes(f"{len(plan.steps)} steps on {context.target.name}")


def check_call(remediator: Remediator, context: Context, call: Call, value: Any) -> Verdict:
    """Whether a call is one that the remediator declares, on the remediation's own target, with its step's value."""
    operation, target = f"{call.service}.{call.operation}", context.target
    declared = [one for one in remediator.permissions if one.operation == operation]
    if not declared:
        return _no(f"{remediator.name} does not declare {operation}")
    if misplaced := _misplaced(remediator, context.service, target):
        return _no(misplaced)
    rule = RULES.get(operation)
    if rule is None:
        return _no(f"no rule says which resource {operation} changes (fix: add one to remediators/bounds.py)")
    if unknown := sorted(map(str, call.params.keys() - rule.parameters)):
        return _no(f"{operation} carries {', '.join(unknown)[:100]}, which no step does")
    try:
        resource = rule.resource(call.params, target)
        problem = rule.problem(call.params, context)
        if not problem and not rule.sets(call.params, value):
            problem = f"sets another value than the {str(value)[:100]} that the step records"
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        return _no(f"{operation} has parameters of another shape: {type(error).__name__} {str(error)[:100]}")
    if problem:
        return _no(f"{operation} {problem}")
    if not any(_covers(arn, resource) for one in declared for arn in _arns(one, context.service, target)):
        return _no(f"{operation} names {resource[:150]}, which is not {target.kind} {target.name}")
    return Verdict.yes(f"{operation} on {target.name}")


def _lowers(before: Any, after: Any) -> bool:
    """Whether any number of a setting would be less than it was; what was not set at all (None) is no number."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return any(_lowers(units, after.get(name)) for name, units in before.items())
    if isinstance(before, Sequence) and isinstance(after, Sequence) and not isinstance(before, str):
        return any(_lowers(one, other) for one, other in zip(before, after, strict=False))
    if before is None or isinstance(before, str):
        return False
    return not isinstance(after, int | float) or after < before


def _no(detail: str) -> Verdict:
    return Verdict.no(Reason.NOT_PERMITTED, detail)


def _misplaced(remediator: Remediator, service: Service, target: Target) -> str:
    """Why a target is none of this remediator's, if it is not."""
    if target.kind != remediator.kind:
        return f"{remediator.name} changes a {remediator.kind}, and {target.name} is a {target.kind}"
    if target.account != service.account or target.region not in service.regions:
        return f"{target.name} in {target.account}/{target.region} is not in {service.name}'s account and regions"
    return ""


def _covers(pattern: str, resource: str) -> bool:
    """Whether an ARN of a permission covers a resource; `*` stands at its end alone."""
    if pattern.endswith("*"):
        return resource.startswith(pattern[:-1])
    return resource == pattern


def _arns(permission: Permission, service: Service, target: Target) -> Iterator[str]:
    """The ARNs of a permission's template for one target; none where the service does not declare it."""
    if permission.resource == "*":
        yield "*"
        return
    fixed = {
        "partition": _PARTITION,
        "region": service.region,
        "account": service.account,
        "service": service.name,
        **_of_recovery(service),
        **_of_target(service, target),
    }
    try:
        yield permission.resource.format_map(fixed)
    except KeyError:
        return  # it names a place that this target, or this service, does not have


def _of_target(service: Service, target: Target) -> dict[str, str]:
    declared: Mapping[str, Mapping[str, Any]] = {
        "function": service.functions,
        "table": service.tables,
        "api": service.apis,
    }
    if target.kind in declared:
        names = {one.name for one in declared[target.kind].values()}
    elif target.kind == "writer":
        fenced = service.recovery.fence if service.recovery else ()
        names = {service.functions[key].name for key in fenced}
    else:
        return {}
    return {target.kind: target.name} if target.name in names else {}


def _of_recovery(service: Service) -> dict[str, str]:
    return {place: name for place, name in service.recovery_places.items() if name}


# -- the rules, an operation each


def _arn(service: str, target: Target, resource: str) -> str:
    return f"arn:{_PARTITION}:{service}:{target.region}:{target.account}:{resource}"


def _function(params: Json, target: Target) -> str:
    """A function by its name; one that is given by an ARN is no name, and fits nothing."""
    return _arn("lambda", target, f"function:{_text(params['FunctionName'])}")


def _alias(params: Json, target: Target) -> str:
    return f"{_function(params, target)}:{_text(params['Qualifier'])}"


def _table(params: Json, target: Target) -> str:
    return _arn("dynamodb", target, f"table/{_text(params['TableName'])}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _updates_alone(params: Json, _context: Context) -> str:
    """Indexes are changed, never created or deleted."""
    for one in params.get("GlobalSecondaryIndexUpdates", ()):
        if set(one) != {"Update"}:
            return f"would {', '.join(sorted(one)).lower()} an index"
    return ""


def _own_scaling(params: Json, context: Context) -> str:
    """The scalable target must be the function's alias, or the table or an index of it."""
    name, resource = context.target.name, _text(params["ResourceId"])
    if context.target.kind == "function":
        own, namespace = resource.startswith(f"function:{name}:"), "lambda"
    else:
        own, namespace = resource == f"table/{name}" or resource.startswith(f"table/{name}/index/"), "dynamodb"
    dimension = _text(params["ScalableDimension"])
    if not own or params["ServiceNamespace"] != namespace or not dimension.startswith(f"{namespace}:"):
        return f"names {resource[:100]} ({dimension[:60]}), which is not {context.target.kind} {name}"
    return ""


def _ledger(params: Json, target: Target) -> str:
    """The ledger of the region that acts; `_own_row` says which row."""
    return _table(params, target)


def _own_row(params: Json, _context: Context) -> str:
    """In the ledger a plan may set and clear the switch, and nothing else."""
    row = params.get("Item") or params["Key"]
    place = (row["pk"].get("S"), row["sk"].get("S"))
    return "" if place in evidence.SWITCH_ROWS else f"names the ledger's row {place[0]}/{place[1]}"


def _object(params: Json, _target: Target) -> str:
    return f"arn:{_PARTITION}:s3:::{_text(params['Bucket'])}/{_text(params['Key'])}"


def _zone(params: Json, _target: Target) -> str:
    return f"arn:{_PARTITION}:route53:::hostedzone/{_text(params['HostedZoneId'])}"


def _own_records(params: Json, context: Context) -> str:
    """Of the hosted zone the two weighted records of the regions alone may change, and only where they lead by
    themselves."""
    recovery = context.service.recovery
    if recovery is None:
        return "changes records of a service without a second region"
    hosts = {region: url.removeprefix("https://").split("/")[0] for region, url in recovery.urls.items()}
    for change in params["ChangeBatch"]["Changes"]:
        record = change["ResourceRecordSet"]
        values = [one["Value"] for one in record.get("ResourceRecords", ())]
        own = record["Name"].rstrip(".") == recovery.shares and record["Type"] == "CNAME"
        if change["Action"] != "UPSERT" or not own or values != [hosts.get(record.get("SetIdentifier", ""))]:
            return f"would {change['Action']} {record['Type']} {str(record['Name'])[:100]}"
    return ""


def _quota(params: Json, target: Target) -> str:
    return _arn("servicequotas", target, f"{_text(params['ServiceCode'])}/{_text(params['QuotaCode'])}")


def _field(name: str) -> Callable[[Json, Any], bool]:
    """A call that sets its value by one parameter."""
    return lambda params, value: _same(params[name], value)


def _same(one: object, other: object) -> bool:
    """Equal, and both numbers: True is no 1."""
    return one == other and not isinstance(one, bool)


def _bounds_of_scaling(params: Json, value: Any) -> bool:
    """The minimum and the maximum, as the step records both."""
    return [params["MinCapacity"], params["MaxCapacity"]] == list(value)


def _units(params: Json, value: Any) -> bool:
    """Each number that a table's update carries is one of those that the step records."""
    return all(any(_same(number, known) for known in value.values()) for number in _numbers(params))


def _numbers(part: Any) -> Iterator[Any]:
    """Every value that is no name."""
    if isinstance(part, Mapping):
        for name, inner in part.items():
            if name not in ("TableName", "IndexName"):
                yield from _numbers(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _numbers(inner)
    else:
        yield part


def _share(params: Json, value: Any) -> bool:
    """The shares are the step's and the rest; where the records are the switch themselves, all or nothing."""
    weights = [change["ResourceRecordSet"]["Weight"] for change in params["ChangeBatch"]["Changes"]]
    whole = sum(weights) == 100 if len(weights) == 2 else False
    own = value in weights if isinstance(value, int) and not isinstance(value, bool) else sorted(weights) == [0, 100]
    return whole and own


def _names(*parameters: str) -> frozenset[str]:
    return frozenset(parameters)


RULES: Mapping[str, Rule] = {
    "application-autoscaling.register_scalable_target": Rule(
        _names("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity"),
        lambda params, target: _arn("application-autoscaling", target, f"scalable-target/{params['ResourceId']}"),
        _own_scaling,
        _bounds_of_scaling,
    ),
    "dynamodb.delete_item": Rule(_names("TableName", "Key"), _ledger, _own_row),
    "dynamodb.put_item": Rule(_names("TableName", "Item"), _ledger, _own_row),
    "dynamodb.update_table": Rule(
        _names(
            "TableName",
            "ProvisionedThroughput",
            "OnDemandThroughput",
            "WarmThroughput",
            "GlobalSecondaryIndexUpdates",
        ),
        _table,
        _updates_alone,
        _units,
    ),
    "lambda.delete_function_concurrency": Rule(
        _names("FunctionName"), _function, sets=lambda _params, value: value is None
    ),
    "lambda.put_function_concurrency": Rule(
        _names("FunctionName", "ReservedConcurrentExecutions"),
        _function,
        sets=_field("ReservedConcurrentExecutions"),
    ),
    "lambda.put_provisioned_concurrency_config": Rule(
        _names("FunctionName", "Qualifier", "ProvisionedConcurrentExecutions"),
        _alias,
        sets=_field("ProvisionedConcurrentExecutions"),
    ),
    "route53.change_resource_record_sets": Rule(_names("HostedZoneId", "ChangeBatch"), _zone, _own_records, _share),
    "s3.delete_object": Rule(_names("Bucket", "Key"), _object),
    "s3.put_object": Rule(_names("Bucket", "Key", "Body", "ContentType", "CacheControl"), _object),
    "service-quotas.request_service_quota_increase": Rule(
        _names("ServiceCode", "QuotaCode", "DesiredValue"), _quota, sets=_field("DesiredValue")
    ),
}
"""An operation that no rule describes is refused: a remediator with a new one adds its rule here."""


def without_rule(operations: Sequence[str]) -> list[str]:
    """Those of the operations that no rule describes."""
    return sorted(set(operations) - RULES.keys())
