"""Holds calls of the ledger against a role's statements, as IAM does.

For tests and the emulator: a function that writes a row it may not write is refused there as it is on AWS. Only what
Sereno's roles use is known: Allow statements, `*` in ARNs and patterns, and the operators below; anything else raises
ValueError.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from sereno.model import Json

_NAME = re.compile(r"#?[A-Za-z_]\w*")
_WORDS = frozenset(
    {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "contains", "begins_with"}
    | {"attribute_exists", "attribute_not_exists", "if_not_exists"}
)
_ACTIONS: Mapping[str, str] = {
    "batch_get_item": "BatchGetItem",
    "delete_item": "DeleteItem",
    "get_item": "GetItem",
    "put_item": "PutItem",
    "query": "Query",
    "scan": "Scan",
    "update_item": "UpdateItem",
}
_MEMBERS: Mapping[str, str] = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that IAM decides on: an action, a resource, and the values of its condition keys. A key without
    values is absent."""

    action: str
    resource: str
    keys: Mapping[str, tuple[str, ...]]


def allows(statements: Iterable[Json], asked: Asked) -> bool:
    """Whether any statement allows it. Statements that CloudFormation decides (`Fn::If`) allow nothing here."""
    return any(
        asked.action in _listed(one["Action"])
        and any(isinstance(arn, str) and fnmatchcase(asked.resource, arn) for arn in _listed(one["Resource"]))
        and holds(one.get("Condition", {}), asked.keys)
        for one in statements
        if one.get("Effect") == "Allow"
    )


def holds(condition: Json, keys: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a statement's condition holds. ForAllValues is true when the key is absent. Raises ValueError on an
    operator that it does not know."""
    return all(
        _test(operator, keys.get(key, ()), wanted) for operator, of in condition.items() for key, wanted in of.items()
    )


def _test(operator: str, values: Sequence[str], wanted: Any) -> bool:
    if operator == "Null":
        return (not values) is (str(wanted).lower() == "true")
    qualifier, _, plain = operator.rpartition(":")
    matches: Callable[[str], bool]
    if plain == "StringLike":
        matches = lambda value: any(fnmatchcase(value, pattern) for pattern in _listed(wanted))  # noqa: E731
    elif plain == "StringEquals":
        matches = lambda value: value in _listed(wanted)  # noqa: E731
    else:
        raise ValueError(f"{operator}: a condition operator that is not known here")
    if qualifier == "ForAllValues":
        return all(map(matches, values))
    if qualifier not in ("", "ForAnyValue"):
        raise ValueError(f"{operator}: a condition operator that is not known here")
    return any(map(matches, values))


def asked_of(operation: str, params: Json, *, region: str, account: str) -> list[Asked]:
    """What IAM decides on when a DynamoDB operation is called; each member of a transaction by itself. Raises
    ValueError for an operation that is not known here."""
    if operation == "transact_write_items":
        members = [(kind, member) for write in params["TransactItems"] for kind, member in write.items()]
        return [_one(_MEMBERS[kind], member, region, account) for kind, member in members]
    if operation == "batch_get_item":
        return [
            Asked(
                "dynamodb:BatchGetItem",
                _arn(table, region, account),
                {"dynamodb:LeadingKeys": tuple(key["pk"]["S"] for key in wanted["Keys"] if "pk" in key)},
            )
            for table, wanted in params["RequestItems"].items()
        ]
    if operation not in _ACTIONS:
        raise ValueError(f"{operation}: an operation of DynamoDB that is not known here")
    return [_one(_ACTIONS[operation], params, region, account)]


def _one(action: str, params: Json, region: str, account: str) -> Asked:
    resource = _arn(params["TableName"], region, account)
    if "IndexName" in params:
        resource += f"/index/{params['IndexName']}"
    row = params.get("Item") or params.get("Key") or {}
    keys = {"dynamodb:LeadingKeys": (row["pk"]["S"],)} if "pk" in row else {}
    attributes = (*row, *_named(params))
    return Asked(f"dynamodb:{action}", resource, {**keys, "dynamodb:Attributes": tuple(dict.fromkeys(attributes))})


def _named(params: Json) -> Iterable[str]:
    """The attributes that expressions name."""
    names = params.get("ExpressionAttributeNames", {})
    for field in ("UpdateExpression", "ConditionExpression", "ProjectionExpression"):
        text = re.sub(r":\w+", "", params.get(field, ""))
        for name in _NAME.findall(text):
            if name not in _WORDS:
                yield names.get(name, name)


def _arn(table: str, region: str, account: str) -> str:
    return table if table.startswith("arn:") else f"arn:aws:dynamodb:{region}:{account}:table/{table}"


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


class Held:
    """A DynamoDB client that carries out what a role may do, and refuses everything else as AWS does."""

    def __init__(self, client: Any, statements: Sequence[Json], *, region: str, account: str) -> None:
        self._client = client
        self._statements = statements
        self._where = {"region": region, "account": account}
        self.refused: list[Asked] = []

    def __getattr__(self, operation: str) -> Callable[..., Json]:
        method = getattr(self._client, operation)

        def call(**params: Any) -> Json:
            for asked in asked_of(operation, params, **self._where):
                if not allows(self._statements, asked):
                    self.refused.append(asked)
                    said = (
                        f"not authorized to perform: {asked.action} on resource: {asked.resource} {dict(asked.keys)}"
                    )
                    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": said}}, operation)
            answer: Json = method(**params)
            return answer

        return call
