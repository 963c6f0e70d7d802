"""The page of permissions: each policy statement of a deployment, and why it is as wide as it is.

The statements are those of the templates that `sereno synth` gives for the example of two regions with every channel,
its rehearsals and the artifact bucket. A reason belongs to a form of resource or to a condition key: a new statement
of a known form has its reason already, and one of a new form has none until somebody writes it, which a test refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy import golden, policy_lint
from deploy.apply import artifacts, resolve
from sereno.escape import markdown
from sereno.model import Json

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
UNREASONED = "**no reason is written**"
HEAD = """\
# Permissions

Every policy statement of a deployment, and why it is as wide as it is. The deployment is
[examples/techmoda/regions.yaml](../examples/techmoda/regions.yaml) with a customer key, its rehearsals on AWS FIS,
and the artifact bucket. Statements that differ by Region, or by the name of a function's own log group, stand once.
`REGION` and `ACCOUNT` stand in their places.

`make check` fails when this page is not what the templates say, and `make test` when a statement has no reason. The
policy linter holds each statement beyond that: no wildcard in an action, no resource that reaches every one of its
kind, nothing on `*` without the page that says AWS offers nothing narrower, and the condition keys of
[ADR 40](adr/0040-roles-are-narrowed-by-conditions.md).
"""

# (action or resource, a pattern of the whole; why nothing narrower). The first that fits counts.
REASONS: tuple[tuple[str, str], ...] = (
    (r"table/sereno-[^/]*-ledger/index/open", "The one index: reads of open remediations."),
    (
        r"table/sereno-[^/]*-ledger",
        "The service's own ledger. Reads are table-wide, because a history is read by many keys; one remediator's "
        "rows cannot be told from another's by a key.",
    ),
    (r"table/[^/*]+/backup/\*", "AWS gives a backup its id. The table is named."),
    (r"table/[^/*]+/stream/\*", "AWS gives a stream its label. The table is named."),
    (r":dynamodb:.*table/[^/*]+", "Exactly the tables that the service declares."),
    (r":function:[^:*]+:\*", "Provisioned concurrency belongs to a version or an alias of a declared function."),
    (r":function:[^:*]+", "Exactly the functions that the service declares for this purpose."),
    (r":log-group:.*|Fn::GetAtt:\w+Logs\.Arn", "The function's own log group. A log stream's name is Lambda's."),
    (
        r":iam::.*:role/sereno-[^*]+-\*",
        "CloudFormation ends a role's name itself. It is only asked about.",
    ),
    (r":scalable-target/\*", "AWS gives a scalable target its id; the condition keys say what may be registered."),
    (r":hostedzone/\w+", "The zone is the narrowest resource. Changes are held to one record by condition keys."),
    (r":s3:::[^*/]+/FisConfigs/\*", "AWS FIS writes an object for each experiment; the prefix is fixed by AWS."),
    (r":s3:::[^*/]+/[^*]+", "One named object."),
    (r":s3:::[^*/]+(/\*)?", "The deployment's own bucket."),
    (r":secret:[^*]+-\?{6}", "Secrets Manager adds six characters to a name. The secret is named."),
    (r":servicequotas:.*/L-[0-9A-F]+", "One quota each."),
    (r":opsitem/\*", "AWS gives an OpsItem its id."),
    (r":backup-vault:[^*]+", "The service's own vaults."),
    (r":recovery-point:\*", "AWS gives a recovery point its id."),
    (r":sns:.*|Ref:\w+", "The deployment's own topic."),
    (r":sqs:.*|Fn::GetAtt:\w+\.Arn", "The deployment's own queue."),
    (r":kms:.*:key/.*|Fn::Join.*:kms:.*", "The customer key that was given, and no other."),
    (r".*:cloudformation:.*:stack/[^*]+/\*", "AWS ends a stack's id in characters of its own. The stack is named."),
)
CONDITIONS: Mapping[str, str] = {
    "dynamodb:leadingkeys": "Held to rows whose partition key is listed.",
    "dynamodb:attributes": "Held to the attributes listed.",
    "application-autoscaling:service-namespace": "Held to one kind of capacity.",
    "application-autoscaling:scalable-dimension": "Held to one kind of capacity.",
    **dict.fromkeys(
        (f"route53:changeresourcerecordsets{part}" for part in ("normalizedrecordnames", "recordtypes", "actions")),
        "Held to one record's name, type and action.",
    ),
    "iam:passedtoservice": "Held to one service that takes the role.",
    "kms:viaservice": "Held to calls that come through the services listed.",
    "kms:grantisforawsresource": "Held to grants that an AWS service asks for.",
    "aws:sourceaccount": "Held to this account: no other can have the service act here.",
    "aws:sourcearn": "Held to the source named.",
    "aws:securetransport": "Denies what comes without TLS.",
    "s3:prefix": "Held to one prefix of the bucket.",
}
ANYBODY = {
    "lambda:InvokeFunctionUrl": "Slack cannot sign with IAM: the signature of each request is checked instead.",
    "lambda:InvokeFunction": "Only by the function's URL, for the same reason.",
    "s3:GetObject": "Route 53's health checkers have no identity. It is one object that says one word.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One statement: whose it is, and why it is as wide as it is."""

    holders: tuple[str, ...]
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[str, ...]
    why: str


def rows() -> list[Row]:
    """Every statement, those that are alike together, in a stable order."""
    found: dict[tuple[Any, ...], set[str]] = {}
    for holder, statement, everything in statements():
        effect = str(statement.get("Effect", "Allow"))
        actions = tuple(sorted(map(str, _listed(statement.get("Action")))))
        resources = tuple(dict.fromkeys(_place(one) for one in _listed(statement.get("Resource", "*"))))
        conditions = tuple(
            _general(f"{operator} {key} = {', '.join(_place(value) for value in _listed(values))}")
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
        why = reason(statement, everything)
        found.setdefault((effect, actions, resources, conditions, why), set()).add(holder)
    return [Row(tuple(sorted(holders)), *key) for key, holders in sorted(found.items())]


def statements() -> Iterator[tuple[str, Json, Mapping[str, str]]]:
    """(whose it is, a statement, the operations that are allowed on everything with the page that says why)."""
    templates = [
        *golden.templates_of(golden.REGIONS).values(),
        *golden.rehearsals_of(golden.REGIONS).values(),
        artifacts.bootstrap(ACCOUNT, "eu-west-1"),
    ]
    for template in templates:
        for logical_id, resource in resolve.resources(template, {"KmsKeyArn": KEY}).items():
            name = re.sub(r"[0-9a-f]{6}(?=Role$|Policy\d*$|$)", "", logical_id)
            everything = resource.get("Metadata", {}).get("Everything", {})
            for document in _documents(resource):
                yield from ((name, one, everything) for one in _listed(document["Statement"]))
            if resource["Type"] == "AWS::Lambda::Permission":
                properties = resource["Properties"]
                source = properties.get("SourceArn")
                yield (
                    "Permission to invoke",
                    {
                        "Action": properties["Action"],
                        "Principal": properties["Principal"],
                        "Resource": "the function",
                        "Condition": {"ArnEquals": {"aws:SourceArn": "the rule or schedule"}} if source else {},
                    },
                    everything,
                )


def _documents(resource: Json) -> Iterator[Json]:
    properties = resource["Properties"]
    for policy in properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []:
        yield policy["PolicyDocument"]
    for field in ("PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy"):
        if field in properties:
            document = properties[field]
            yield json.loads(document) if isinstance(document, str) else document


def reason(statement: Json, everything: Mapping[str, str]) -> str:
    """Why a statement is as wide as it is."""
    actions = [str(one) for one in _listed(statement.get("Action"))]
    if statement.get("Principal") == "*" and statement.get("Effect", "Allow") == "Allow":
        return " ".join(dict.fromkeys(ANYBODY.get(action, UNREASONED) for action in actions))
    parts = [CONDITIONS.get(key.lower(), UNREASONED) for key in _keys(statement)]
    if actions == ["sts:AssumeRole"]:
        return " ".join(dict.fromkeys(parts)) or UNREASONED
    for one in _listed(statement.get("Resource", "*")):
        parts.append(_of_resource(_place(one), actions, everything, narrowed=bool(parts)))
    return " ".join(dict.fromkeys(part for part in parts if part))


def _of_resource(place: str, actions: list[str], everything: Mapping[str, str], *, narrowed: bool) -> str:
    if place == "the function":
        return ""
    if place == "*":
        told = policy_lint.reasoned_actions(everything)
        if all(action in told for action in actions):
            pages = sorted({url for text in everything.values() for url in re.findall(r"https://\S+", str(text))})
            return "AWS takes no resource for these: " + (" ".join(pages) or "see each operation's page.")
        return "" if narrowed else UNREASONED
    return next((why for form, why in REASONS if re.search(f"(?:{form})$", place)), UNREASONED)


def _keys(statement: Json) -> list[str]:
    """The condition keys, but those that only have to be present."""
    tests = statement.get("Condition", {})
    return sorted({key for operator, each in tests.items() if operator != "Null" for key in each})


def _place(value: Any) -> str:
    """A resource or a value as the page shows it."""
    if isinstance(value, dict):
        ((name, inner),) = value.items()
        return f"{name}:{'.'.join(map(str, inner)) if isinstance(inner, list) and name == 'Fn::GetAtt' else inner}"
    return str(value)


def _general(text: str) -> str:
    """Without what differs from one Region, account or function to the next."""
    text = re.sub(r"\b(?:eu|us|ap|sa|ca|me|af|il)-[a-z]+-\d\b", "REGION", text).replace(ACCOUNT, "ACCOUNT")
    text = text.replace(KEY.rpartition("/")[2], "KEY")
    return re.sub(r"Fn::GetAtt:\w+Logs\.Arn", "its own log group", text)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def render() -> str:
    """The page, in Markdown."""
    merged: dict[tuple[Any, ...], set[str]] = {}
    for row in rows():
        places = tuple(sorted({_general(place) for place in row.resources}))
        key = (row.effect, row.actions, places, row.conditions, _general(row.why))
        merged.setdefault(key, set()).update(row.holders)
    lines = [
        HEAD,
        f"{len(merged)} statements.\n",
        "| who | may | on | under | why not narrower |",
        "|---|---|---|---|---|",
    ]
    for (effect, actions, places, conditions, why), holders in sorted(merged.items()):
        may = "<br>".join([*(["**denied**"] if effect == "Deny" else []), *(f"`{one}`" for one in actions)])
        on = "<br>".join(f"`{place}`" for place in places)
        under = "<br>".join(f"`{one}`" for one in conditions)
        who = ", ".join(sorted({re.sub(r"^Remediator", "", one).removesuffix("Role") for one in holders}))
        shown = why if UNREASONED in why or "https://" in why else markdown(why)
        lines.append(f"| {who} | {may} | {on} | {under} | {shown} |")
    return "\n".join(lines)
