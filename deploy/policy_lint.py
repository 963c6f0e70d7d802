"""Holds every policy of a template to least privilege.

What AWS itself knows (which actions there are, which of them can be narrowed to a resource, and by which form of ARN)
is asked of `policy_sentry`, whose tables are made from the service authorization reference. What is asked beyond is
this house's own: nothing is allowed on everything without the page that says AWS offers nothing narrower, what AWS
narrows by condition keys alone carries them (`policy_conditions`), roles are for Lambda, AWS Backup and AWS FIS alone
and for each only on behalf of this account, and a resource lets in a service
only on behalf of this account or of a named source, and everybody only to read one named object of which a page says
why.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from deploy import policy_conditions
from deploy.apply import resolve
from deploy.synth.split import STACK
from sereno.errors import Problem
from sereno.model import Json

# Stands in where CloudFormation alone knows the value, so that ARNs keep their form.
_EXAMPLES = {
    "dynamodb": "arn:aws:dynamodb:eu-west-1:123456789012:table/example",
    "kms": "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    "lambda": "arn:aws:lambda:eu-west-1:123456789012:function:example",
    "logs": "arn:aws:logs:eu-west-1:123456789012:log-group:example:*",
    "s3": "arn:aws:s3:::example",
    "sns": "arn:aws:sns:eu-west-1:123456789012:example",
    "sqs": "arn:aws:sqs:eu-west-1:123456789012:example",
}
# Whose names are known when a template is made. (Ids that AWS gives, like an OpsItem's, are not.)
_NAMED = frozenset(
    {
        *(
            "application-autoscaling",
            "apigateway",
            "cloudformation",
            "codedeploy",
            "dynamodb",
            "events",
            "iam",
            "kms",
        ),
        *("lambda", "logs", "route53", "s3", "secretsmanager", "sns", "sqs", "states"),
    }
)
_MAY_ASSUME = tuple({"Service": service} for service in policy_conditions.SOURCES)
_PINS = frozenset({"aws:sourceaccount", "aws:sourcearn"})


def problems(template: Json, given: Mapping[str, str] | None = None) -> list[Problem]:
    """Every fault of the policies in a template, each by its place. `given` are values of parameters; conditions
    that cannot be decided are taken as they fall with the parameters' defaults."""
    found: list[Problem] = []
    resources = resolve.resources(template, given or {})
    own_policies = {logical_id for logical_id, one in resources.items() if one["Type"] == "AWS::IAM::ManagedPolicy"}
    for logical_id, one in resources.items():
        place, kind, properties = f"Resources.{logical_id}", one["Type"], one["Properties"]
        if kind == "AWS::IAM::Role":
            found += _role(place, one, own_policies)
        elif kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            found += _identity(place, properties["PolicyDocument"], one.get("Metadata", {}))
        elif kind in ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            found += _resource_policy(place, properties["PolicyDocument"], one.get("Metadata", {}))
        elif kind == "AWS::Lambda::Permission":
            found += _permission(place, properties, one.get("Metadata", {}))
        elif kind == STACK and "Capabilities" in properties:
            found.append(Problem(place, "Capabilities", "is for the one who deploys to give, not for a template"))
    return found


def _role(place: str, role: Json, own_policies: Collection[str]) -> Iterator[Problem]:
    properties = role["Properties"]
    for statement in _statements(properties["AssumeRolePolicyDocument"]):
        if statement.get("Principal") not in _MAY_ASSUME:
            mend = "must be lambda.amazonaws.com, backup.amazonaws.com or fis.amazonaws.com alone"
            yield Problem(f"{place}.trust", statement.get("Principal"), mend)
        else:
            service = statement["Principal"]["Service"]
            for key in policy_conditions.missing(statement, policy_conditions.SOURCES[service]):
                yield Problem(f"{place}.trust", service, f"may assume the role for any account (add {key})")
        if _listed(statement.get("Action")) != ["sts:AssumeRole"]:
            yield Problem(f"{place}.trust", statement.get("Action"), "must be sts:AssumeRole alone")
    for arn in properties.get("ManagedPolicyArns", []):
        if isinstance(arn, dict) and arn.get("Ref") in own_policies:
            continue  # its statements are held to the same
        yield Problem(f"{place}.ManagedPolicyArns", arn, "allows what nobody here has written (write statements)")
    for policy in properties.get("Policies", []):
        yield from _identity(f"{place}.{policy['PolicyName']}", policy["PolicyDocument"], role.get("Metadata", {}))


def _identity(place: str, document: Json, metadata: Json) -> Iterator[Problem]:
    """A policy of what somebody may do."""
    reasoned = reasoned_actions(metadata.get("Everything", {}))
    for number, statement in enumerate(_statements(document)):
        where = f"{place}.{statement.get('Sid', number)}"
        yield from _general(where, statement)
        if statement.get("Effect") != "Allow":
            continue
        actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
        yield from policy_conditions.problems(where, statement)
        if "*" in resources:
            for action in actions:
                if action not in reasoned:
                    yield Problem(where, action, "is allowed on everything without a reason in the role's metadata")
        yield from (
            Problem(where, resource, "reaches every resource of its kind (name them)")
            for resource in resources
            if isinstance(resource, str) and resource != "*" and _reaches_all(resource) and not _narrowed(statement)
        )
        yield from _asked(where, statement)


def _general(where: str, statement: Json) -> Iterator[Problem]:
    """What no statement may have, whoever it is for."""
    for name in ("NotAction", "NotResource", "NotPrincipal"):
        if name in statement:
            yield Problem(where, name, "allows what it does not name (name what is meant)")
    if statement.get("Effect") == "Deny":
        return
    for action in _listed(statement.get("Action")):
        if "*" in action or "?" in action:
            yield Problem(where, action, "has a wildcard (name each action)")


def _narrowed(statement: Json) -> bool:
    """Whether AWS's own condition keys narrow every action of a statement."""
    return all(action in policy_conditions.NARROWED for action in _listed(statement.get("Action")))


def _reaches_all(arn: str) -> bool:
    """An ARN whose resource is a wildcard alone: `arn:aws:lambda:eu-west-1:1:function:*`."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return True
    resource = parts[5]
    return parts[2] in _NAMED and bool(re.fullmatch(r"(?:[a-z-]+[:/])?\*", resource))


def reasoned_actions(everything: Mapping[str, str]) -> set[str]:
    """The actions for whose operation the metadata names the page that says why they are allowed on everything."""
    from deploy.iam import ACTIONS

    found: set[str] = set()
    for operation, because in everything.items():
        if "https://" in str(because):
            service, method = operation.split(".")
            own = f"{service}:{''.join(part.title() for part in method.split('_'))}"
            found |= {own, *ACTIONS.get(operation, ())}
    return found


def _resource_policy(place: str, document: Json, metadata: Json) -> Iterator[Problem]:
    """A policy of who may use a topic, a queue or a bucket."""
    for number, statement in enumerate(_statements(document)):
        where = f"{place}.{statement.get('Sid', number)}"
        yield from _general(where, statement)
        if statement.get("Effect") == "Deny":
            continue
        principal = statement.get("Principal")
        if principal == "*" and "https://" in str(metadata.get("Open", "")) and _reads_one_object(statement):
            continue
        if principal == "*" or (isinstance(principal, dict) and "*" in _listed(principal.get("AWS"))):
            yield Problem(where, principal, "lets everybody in (name a service or an account)")
        elif isinstance(principal, dict) and "Service" in principal and not _pinned(statement):
            mend = "is let in on anybody's behalf (add aws:SourceAccount or aws:SourceArn)"
            yield Problem(where, principal["Service"], mend)


def _reads_one_object(statement: Json) -> bool:
    resources = _listed(statement.get("Resource"))
    named = [one for one in resources if isinstance(one, str) and "/" in one and not re.search("[*?]", one)]
    return _listed(statement.get("Action")) == ["s3:GetObject"] and len(named) == len(resources) == 1


def _permission(place: str, properties: Json, metadata: Json) -> Iterator[Problem]:
    """Who may invoke a function. Everybody only by its URL, and where a page says why it must be open."""
    if "*" in str(properties.get("Action", "")):
        yield Problem(place, properties["Action"], "has a wildcard (lambda:InvokeFunction is meant)")
    by_url = properties.get("FunctionUrlAuthType") == "NONE" or properties.get("InvokedViaFunctionUrl") is True
    if properties.get("Principal") == "*":
        if not (by_url and "https://" in str(metadata.get("Open", ""))):
            yield Problem(place, "*", "lets everybody invoke the function")
    elif not {"SourceArn", "SourceAccount"} & properties.keys():
        yield Problem(place, properties.get("Principal"), "may invoke on anybody's behalf (add SourceArn)")


def _pinned(statement: Json) -> bool:
    keys = {key.lower() for test in statement.get("Condition", {}).values() for key in test}
    return bool(keys & _PINS)


def _asked(where: str, statement: Json) -> Iterator[Problem]:
    """What AWS's own reference says to an action and its resources: an action that it does not know, and one that no
    such resource can be named for (AWS would refuse the call, and only on the day on which it is made)."""
    resources = [one if isinstance(one, str) else _example(statement) for one in _listed(statement.get("Resource"))]
    for action in _listed(statement.get("Action")):
        forms = arn_forms(action)
        if not forms:
            yield Problem(where, action, "is no IAM action that AWS knows")
            continue
        for resource in resources:
            if resource != "*" and not any(form != "*" and _overlap(resource, form) for form in forms):
                wanted = " or ".join(sorted(forms))
                yield Problem(where, action, f"cannot be allowed on {resource} (AWS takes {wanted})")


def _example(statement: Json) -> str:
    service = str(_listed(statement.get("Action"))[0]).split(":", maxsplit=1)[0]
    return _EXAMPLES.get(service, "*")


@lru_cache(maxsize=1024)
def arn_forms(action: str) -> frozenset[str]:
    """The forms of ARN on which an action can be allowed, `*` for every name in them, and `*` alone where it takes no
    resource; empty for an action that AWS does not know."""
    from policy_sentry.querying.actions import get_action_data

    service, _, name = action.partition(":")
    found = get_action_data(service, name) or {}
    return frozenset(re.sub(r"\$\{\w+\}", "*", one["resource_arn_format"]) for one in found.get(service, ()))


def _overlap(one: str, other: str) -> bool:
    """Whether two patterns with `*` have a text in common."""

    @cache
    def common(left: int, right: int) -> bool:
        if left == len(one) and right == len(other):
            return True
        if left < len(one) and one[left] == "*":
            return common(left + 1, right) or (right < len(other) and common(left, right + 1))
        if right < len(other) and other[right] == "*":
            return common(left, right + 1) or (left < len(one) and common(left + 1, right))
        return left < len(one) and right < len(other) and one[left] == other[right] and common(left + 1, right + 1)

    return common(0, 0)


def _statements(document: Json) -> list[Json]:
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def every(templates: Iterable[Json], given: Mapping[str, str] | None = None) -> list[Problem]:
    """The problems of several templates."""
    return [problem for template in templates for problem in problems(template, given)]
