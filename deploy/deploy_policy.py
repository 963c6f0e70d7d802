"""The policies of whoever runs `sereno plan`, `deploy` and `destroy`: our own calls, and what CloudFormation needs.

CloudFormation makes each resource with the rights of the one who deploys (or of the role that --role-arn names). What
a resource type needs stands in its registry schema as `handlers.*.permissions`; `handlers.json` keeps those of the
types that the templates have.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy import policy_lint
from sereno.model import Json

HANDLERS = Path(__file__).with_name("handlers.json")
ACCOUNT = "123456789012"
# A managed policy: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_LIMIT = 6_144

# What `sereno plan` calls, by IAM action.
READS = (
    "apigateway:GET",
    "backup:ListBackupVaults",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:ListStackResources",
    "cloudwatch:DescribeAlarms",
    "dynamodb:DescribeTable",
    "events:DescribeRule",
    "events:ListTargetsByRule",
    "lambda:GetAccountSettings",
    "lambda:GetAlias",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "route53:GetHostedZone",
    "s3:GetAccountPublicAccessBlock",
    "s3:GetBucketPublicAccessBlock",
    "sts:GetCallerIdentity",
)
# What `sereno deploy` and `sereno destroy` call beside that.
WRITES = (
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:CreateChangeSet",
    "cloudformation:CreateStack",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DetectStackResourceDrift",
    "cloudformation:ExecuteChangeSet",
    # Change sets carry a tag, which takes an action of its own.
    "cloudformation:TagResource",
    "dynamodb:DeleteTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "dynamodb:UpdateTable",
    "events:DisableRule",
    "events:EnableRule",
    "dynamodb:DescribeLimits",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
)
# By service: the resources that a watch has there, where IAM can narrow an action to them. `*` elsewhere.
_OWN: Mapping[str, tuple[str, ...]] = {
    "cloudformation": (
        "arn:aws:cloudformation:*:{account}:stack/sereno-*",
        "arn:aws:cloudformation:*:{account}:changeSet/sereno-*",
    ),
    "dynamodb": ("arn:aws:dynamodb:*:{account}:table/sereno-*",),
    "events": ("arn:aws:events:*:{account}:rule/sereno-*",),
    "iam": ("arn:aws:iam::{account}:role/sereno-*", "arn:aws:iam::{account}:policy/sereno-*"),
    "kms": ("arn:aws:kms:*:{account}:key/*",),
    "lambda": ("arn:aws:lambda:*:{account}:function:sereno-*",),
    "logs": (
        "arn:aws:logs:*:{account}:log-group:/aws/lambda/sereno-*",
        "arn:aws:logs:*:{account}:log-group:/aws/vendedlogs/fis/sereno-*",
    ),
    "s3": ("arn:aws:s3:::sereno-*", "arn:aws:s3:::sereno-*/*"),
    "sns": ("arn:aws:sns:*:{account}:sereno-*",),
    "sqs": ("arn:aws:sqs:*:{account}:sereno-*",),
}
# These look at the service's own resources, whose names are not known here, or at what an id alone names.
_ANYWHERE = frozenset(
    {
        "cloudformation:DescribeStacks",
        "dynamodb:DescribeTable",
        "lambda:GetAlias",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "logs:DescribeLogGroups",
    }
)
# What handlers need for properties that no template of Sereno has: networks, file systems, streams, users and groups.
_SERVICES = frozenset(
    {
        *(
            "apigateway",
            "backup",
            "backup-storage",
            "cloudformation",
            "cloudwatch",
            "dynamodb",
            "events",
            "fis",
            "iam",
        ),
        *("kms", "lambda", "logs", "route53", "s3", "sns", "sqs", "sts"),
    }
)
_UNUSED = ("iam:CreateServiceLinkedRole", "Group", "User")
_PASSED = ("backup.amazonaws.com", "fis.amazonaws.com", "lambda.amazonaws.com")


def handlers() -> dict[str, dict[str, list[str]]]:
    """By resource type: the actions of its handlers that read, and of those that write."""
    found: dict[str, dict[str, list[str]]] = json.loads(HANDLERS.read_text(encoding="utf-8"))["types"]
    return found


def made() -> set[str]:
    """The actions with which CloudFormation makes, changes and deletes what the templates have."""
    every = {action for one in handlers().values() for actions in one.values() for action in actions}
    return {action for action in every if _is_needed(action)}


def _is_needed(action: str) -> bool:
    service, _, name = action.partition(":")
    if service not in _SERVICES or not policy_lint.arn_forms(action):
        return False  # some schemas name actions that IAM does not know
    return not (service == "iam" and (action in _UNUSED or any(part in name for part in _UNUSED[1:])))


PAGE = Path(__file__).parents[1] / "docs" / "deploy-policies.md"
_INTRODUCTION = f"""# The policies of whoever deploys

Generated from what the commands call and from what CloudFormation's handlers need for the resource types of Sereno's
templates (their registry schemas); `make golden` writes this page. Put your account in the place of {ACCOUNT}. A
policy longer than a managed policy may be ({POLICY_LIMIT:,} characters) is given in parts: attach all of them.

`*` stands where IAM takes no narrower resource, where AWS draws the id, and where the resource is the service's own
and so has a name of yours. A bucket that you name (`--bucket`, `recovery.bucket`) must be added to the buckets.
"""
_PARTS = (
    ("`sereno plan`", "It only reads.", "reading"),
    (
        "`sereno deploy` and `sereno destroy`",
        "CloudFormation acts with the rights of the caller, who needs all of these.",
        "deploying",
    ),
    (
        "The same with `--role-arn`",
        "CloudFormation acts with a service role; the caller needs less, and may hand over that role.",
        "calling",
    ),
    (
        "The service role of `--role-arn`",
        "Its trust policy lets `cloudformation.amazonaws.com` assume it. CloudFormation keeps the role for the "
        "stack: whoever may change the stack acts with it.",
        "handling",
    ),
)


def page() -> str:
    """The generated page of docs."""
    text = _INTRODUCTION
    for title, told, name in _PARTS:
        blocks = [f"```json\n{json.dumps(one, indent=2)}\n```\n" for one in globals()[name]()]
        text += f"\n## {title}\n\n{told}\n\n" + "\n".join(blocks)
    return text


def reading() -> list[Json]:
    """The policy documents of `sereno plan`."""
    return _documents(READS)


def deploying() -> list[Json]:
    """The policy documents of `sereno deploy` and `sereno destroy` with the rights of the caller."""
    return _documents({*READS, *WRITES, *made()})


def calling() -> list[Json]:
    """The policy documents of `sereno deploy` and `sereno destroy` with --role-arn: CloudFormation has its own."""
    role = f"arn:aws:iam::{ACCOUNT}:role/ROLE-OF-CLOUDFORMATION"
    return [*_documents({*READS, *WRITES}), _document([_pass_role([role], ["cloudformation.amazonaws.com"])])]


def handling() -> list[Json]:
    """The policy documents of the service role that --role-arn names."""
    # CloudFormation reads code and nested templates from the bucket.
    return _documents({*made(), "s3:GetObject"})


def allowed(documents: Iterable[Json]) -> dict[str, set[str]]:
    """Resources by action of some policy documents."""
    found: dict[str, set[str]] = {}
    for statement in (one for document in documents for one in document["Statement"]):
        for action in statement["Action"]:
            found.setdefault(action, set()).update(statement["Resource"])
    return found


def _documents(actions: Iterable[str]) -> list[Json]:
    """Documents of at most a managed policy's size that allow the actions."""
    by_place: dict[tuple[str, ...], list[str]] = {}
    for action in sorted({one for one in actions if "*" not in one}):
        if action == "iam:PassRole":
            continue
        by_place.setdefault(_places(action), []).append(action)
    statements = [
        {"Effect": "Allow", "Action": chunk, "Resource": list(places)}
        for places, held in sorted(by_place.items())
        for chunk in _chunks(held)
    ]
    if "iam:PassRole" in set(actions):
        statements.append(_pass_role([_OWN["iam"][0].format(account=ACCOUNT)], list(_PASSED)))
    documents: list[list[Json]] = [[]]
    for statement in statements:
        if _size(_document([*documents[-1], statement])) > POLICY_LIMIT:
            documents.append([])
        documents[-1].append(statement)
    return [_document(one) for one in documents]


def _chunks(actions: list[str]) -> list[list[str]]:
    """So many actions that a statement of them fits into a policy with room to spare."""
    return [actions[start : start + 80] for start in range(0, len(actions), 80)]


def _places(action: str) -> tuple[str, ...]:
    """The resources on which an action is allowed."""
    forms = policy_lint.arn_forms(action)
    own = _OWN.get(action.split(":", 1)[0])
    if own is None or action in _ANYWHERE or forms <= {"*"}:
        return ("*",)
    places = tuple(one.format(account=ACCOUNT) for one in own)
    if action.startswith("lambda:") and "EventSourceMapping" in action:
        return ("*",)  # a mapping is named by an id that Lambda draws
    return places


def _pass_role(roles: list[str], services: list[str]) -> Json:
    return {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": roles,
        "Condition": {"StringEquals": {"iam:PassedToService": services}},
    }


def _document(statements: list[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": statements}


def _size(document: Json) -> int:
    return len(json.dumps(document, separators=(",", ":")))
