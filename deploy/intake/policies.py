"""Which statements a function works under: its own policies, and those of its role wherever they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.intake.look import Look
from deploy.intake.scope import Scope, partition
from deploy.intake.values import Trace, Unknown, text_of, texts_in


@dataclass(frozen=True, slots=True)
class Granted:
    """What one statement allows: actions in lower case, resources as text, and those resources that are not told."""

    place: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    unknown: tuple[Unknown, ...] = ()

    @property
    def of_tables(self) -> bool:
        """Whether it is about DynamoDB."""
        return any(one.startswith("dynamodb:") or one == "*" for one in self.actions)


def statements(document: Any, place: str) -> Iterator[Granted]:
    """The statements of a resolved policy document that allow something."""
    written = document.get("Statement") if isinstance(document, dict) else None
    for one in written if isinstance(written, list) else [written]:
        if not isinstance(one, dict) or one.get("Effect", "Allow") != "Allow":
            continue
        resources = one.get("Resource")
        listed = resources if isinstance(resources, list) else [resources]
        yield Granted(
            place,
            tuple(action.lower() for action in texts_in([one.get("Action")])),
            tuple(texts_in(listed)),
            tuple(resource for resource in listed if isinstance(resource, Unknown)),
        )


class Roles:
    """The policies of every role of some templates, found by the role's name."""

    def __init__(self, scopes: list[Scope]) -> None:
        self._granted: dict[str, list[Granted]] = {}
        self._managed: dict[str, list[Granted]] = {}
        self._attached: dict[str, list[str]] = {}
        for scope in scopes:
            for logical_id in scope.of_kind("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
                self._read_policy(scope, logical_id)
            for logical_id in scope.of_kind("AWS::IAM::Role"):
                self._read_role(scope, logical_id)

    def known(self, role: str) -> bool:
        """Whether the role, by name or ARN, is in the templates."""
        return role_name(role) in self._attached

    def granted(self, role: str) -> list[Granted]:
        """What a role, by name or ARN, allows."""
        name = role_name(role)
        attached = [one for arn in self._attached.get(name, ()) for one in self._managed.get(arn, ())]
        return [*self._granted.get(name, ()), *attached]

    def attached(self, role: str) -> list[str]:
        """The managed policies of a role, as ARNs."""
        return self._attached.get(role_name(role), [])

    def managed(self, policy: str) -> list[Granted]:
        """What a managed policy of the templates allows, by its ARN."""
        return self._managed.get(policy, [])

    def _read_role(self, scope: Scope, logical_id: str) -> None:
        name = scope.name_of(logical_id, Trace())
        properties = scope.resolved(logical_id, Trace())
        place = f"{scope.prefix}Resources.{logical_id}"
        self._attached.setdefault(name, []).extend(texts_in(properties.get("ManagedPolicyArns")))
        policies = properties.get("Policies")
        for policy in policies if isinstance(policies, list) else []:
            if isinstance(policy, dict):
                self._granted.setdefault(name, []).extend(statements(policy.get("PolicyDocument"), place))

    def _read_policy(self, scope: Scope, logical_id: str) -> None:
        properties = scope.resolved(logical_id, Trace())
        place = f"{scope.prefix}Resources.{logical_id}"
        found = list(statements(properties.get("PolicyDocument"), place))
        if scope.kind(logical_id) == "AWS::IAM::ManagedPolicy":
            self._managed[scope.arn(logical_id, Trace())] = found
        for role in texts_in([properties.get("Roles"), properties.get("RoleName")]):
            self._granted.setdefault(role, []).extend(found)


def role_name(role: str) -> str:
    """The name in a role's ARN; a name as it is."""
    return role.rsplit("/", 1)[-1] if role.startswith("arn:") else role


def role_of(look: Look) -> str | Unknown | None:
    """The role that a function names, None when SAM makes one for it."""
    value = look.raw(("Role",), Trace())
    return value if isinstance(value, Unknown) else text_of(value)


def of_sam(look: Look) -> Iterator[Granted | str | Unknown]:
    """The `Policies` of a SAM function: a grant for each statement and policy template, a text for each managed
    policy that is only named.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-templates.html
    """
    value = look.scope.resolve(look.properties.get("Policies"), Trace())
    place = f"{look.place}.Properties.Policies"
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str | Unknown):
            yield one
        elif isinstance(one, dict) and "Statement" in one:
            yield from statements(one, place)
        elif isinstance(one, dict) and len(one) == 1:
            (name, parameters) = next(iter(one.items()))
            if name.startswith("DynamoDB") and isinstance(parameters, dict):
                yield _table_policy(look.scope, place, parameters.get("TableName"))


def _table_policy(scope: Scope, place: str, table: Any) -> Granted:
    name = text_of(table)
    if name is None:
        return Granted(place, ("dynamodb:*",), (), (table,) if isinstance(table, Unknown) else ())
    arn = name if name.startswith("arn:") else f"arn:{partition(scope.given.region)}:dynamodb:::table/{name}"
    return Granted(place, ("dynamodb:*",), (arn,))
