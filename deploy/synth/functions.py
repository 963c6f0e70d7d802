"""The Lambda functions of a watch, each with its own role, log group and failure destination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy import iam
from deploy.synth import names, store
from remediators import shared
from sereno.model import Json
from sereno.ports import Permission, Remediator
from sereno.service import Service

LOG_DAYS = 30
# Room for a handful of alarms at once; it is taken from the account's pool, so no more than that.
REMEDIATOR_CONCURRENCY = 5
# Rounds never run side by side, and none outlives the 90 s of a claim.
ROUND_CONCURRENCY = 1
ROUND_TIMEOUT_S = 50
HANDLER_TIMEOUT_S = 30
DEAD_LETTERS: Json = {"OnFailure": {"Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}}


@dataclass(frozen=True, slots=True)
class Code:
    """One function: its name, entry, environment, timeout (s), reserved concurrency, how long (s) and how often
    Lambda tries a failed event again, and whether it then goes to the dead-letter queue."""

    id: str
    name: str
    description: str
    handler: str
    environment: Mapping[str, Any]
    timeout_s: int
    concurrency: int
    max_age_s: int
    retries: int
    permissions: tuple[Permission, ...]
    keeps_failures: bool = True
    # CPU comes with memory: at 512 MB a cold start takes half of what it takes at 256.
    memory_mb: int = 512


def of_remediator(service: Service, remediator: Remediator) -> Code:
    """The function of a remediator."""
    return Code(
        id=names.logical("Remediator", remediator.name),
        name=names.function(service, remediator.name),
        description=remediator.summary[:256],
        handler="remediators.handler.handler",
        environment={"SERENO_REMEDIATOR": remediator.name},
        timeout_s=HANDLER_TIMEOUT_S,
        concurrency=REMEDIATOR_CONCURRENCY,
        max_age_s=900,
        retries=2,
        permissions=(*remediator.permissions, *_originals(remediator), *iam.COMMON, *iam.SELF_TEST),
    )


def _originals(remediator: Remediator) -> tuple[Permission, ...]:
    """Who changes tables notes the originals of what Regions share. They are not the remediator's own permissions, so
    no plan can hold such a write."""
    return shared.PERMISSIONS if remediator.kind == "table" else ()


def of_round(service: Service, remediators: Iterable[Remediator]) -> Code:
    """The function of the round: it verifies, takes back and escalates for all, so it may do what each may do."""
    own = tuple(permission for one in remediators for permission in (*one.permissions, *_originals(one)))
    if service.is_standby:
        from remediators import parity  # only where there is a second region

        own += parity.PERMISSIONS
    elif service.recovery is not None:
        from remediators import region_settings

        own += region_settings.TELLS
    return Code(
        id="Round",
        name=names.round_function(service),
        description="Once a minute: verify, take back, escalate, and catch what no event told",
        handler="remediators.round.handler",
        environment={},
        timeout_s=ROUND_TIMEOUT_S,
        concurrency=ROUND_CONCURRENCY,
        # A stack's event that meets a running round waits for it; past five minutes it says nothing new.
        max_age_s=300,
        retries=1,
        permissions=(*own, *iam.COMMON, *iam.ROUND),
    )


def resources(service: Service, code: Code) -> Json:
    """The function, its role, its log group, and where its failures go."""
    return {
        code.id: _function(service, code),
        f"{code.id}Role": _role(service, code),
        f"{code.id}Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": f"/aws/lambda/{code.name}",
                "RetentionInDays": LOG_DAYS,
                "KmsKeyId": store.if_key(store.KEY),
                "Tags": store.tags(service),
            },
        },
        f"{code.id}Failures": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": code.id},
                "Qualifier": "$LATEST",
                "MaximumEventAgeInSeconds": code.max_age_s,
                "MaximumRetryAttempts": code.retries,
                **({"DestinationConfig": DEAD_LETTERS} if code.keeps_failures else {}),
            },
        },
    }


def _function(service: Service, code: Code) -> Json:
    environment = {
        "SERENO_CONFIG": "/var/task/sereno.json",
        "SERENO_LEDGER": {"Ref": "Ledger"},
        "SERENO_TOPIC": {"Ref": "Topic"},
        "POWERTOOLS_SERVICE_NAME": f"sereno-{service.name}",
        "POWERTOOLS_METRICS_NAMESPACE": "Sereno",
        **code.environment,
    }
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": code.name,
            "Description": code.description,
            "Runtime": {"Ref": "Runtime"},
            "Architectures": [{"Ref": "Architecture"}],
            "Handler": code.handler,
            "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
            "Role": {"Fn::GetAtt": [f"{code.id}Role", "Arn"]},
            "Timeout": code.timeout_s,
            "MemorySize": code.memory_mb,
            # Below 100 unreserved executions an account cannot reserve any.
            **({"ReservedConcurrentExecutions": code.concurrency} if service.own_concurrency == "reserved" else {}),
            "TracingConfig": {"Mode": {"Ref": "Tracing"}},
            "LoggingConfig": {"LogGroup": {"Ref": f"{code.id}Logs"}},
            "KmsKeyArn": store.if_key(store.KEY),
            "Environment": {"Variables": environment},
            "Tags": store.tags(service),
        },
    }


def _role(service: Service, code: Code) -> Json:
    statements: list[Json] = [
        *iam.allow(code.permissions, service),
        iam.log_statement({"Fn::GetAtt": [f"{code.id}Logs", "Arn"]}),
        store.if_key(
            {
                "Sid": "OwnKey",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": store.KEY,
            }
        ),
    ]
    trust = iam.trust("lambda.amazonaws.com", service.account)
    return {
        "Type": "AWS::IAM::Role",
        "Metadata": {"Everything": iam.reasons(code.permissions)},
        "Properties": {
            "Description": f"What {code.name} may do, and no more",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {
                    "PolicyName": "sereno",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                }
            ],
            "Tags": store.tags(service),
        },
    }
