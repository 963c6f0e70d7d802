"""From the operations that code calls to the IAM statements that allow exactly these.

An operation and its permission often differ in name (a transaction has no permission of its own, an invocation is
called InvokeFunction), so the map is written out and an operation that it lacks is an error.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter

from remediators import authors, limits, partitions
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.partition import partition
from sereno.ports import Permission, Remediator
from sereno.service import Service

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "apigateway.get_stage": ("apigateway:GET",),
    "apigateway.update_stage": ("apigateway:PATCH",),
    "application-autoscaling.deregister_scalable_target": ("application-autoscaling:DeregisterScalableTarget",),
    "application-autoscaling.describe_scalable_targets": ("application-autoscaling:DescribeScalableTargets",),
    "application-autoscaling.register_scalable_target": ("application-autoscaling:RegisterScalableTarget",),
    "backup.describe_backup_vault": ("backup:DescribeBackupVault",),
    "backup.list_recovery_points_by_backup_vault": ("backup:ListRecoveryPointsByBackupVault",),
    "cloudformation.describe_stacks": ("cloudformation:DescribeStacks",),
    "cloudtrail.lookup_events": ("cloudtrail:LookupEvents",),
    "cloudwatch.describe_alarms": ("cloudwatch:DescribeAlarms",),
    "cloudwatch.describe_alarm_history": ("cloudwatch:DescribeAlarmHistory",),
    "cloudwatch.get_metric_data": ("cloudwatch:GetMetricData",),
    "cloudwatch.get_metric_statistics": ("cloudwatch:GetMetricStatistics",),
    "codedeploy.get_deployment": ("codedeploy:GetDeployment",),
    "codedeploy.list_deployments": ("codedeploy:ListDeployments",),
    "codedeploy.stop_deployment": ("codedeploy:StopDeployment",),
    "dynamodb.batch_get_item": ("dynamodb:BatchGetItem",),
    "dynamodb.batch_write_item": ("dynamodb:BatchWriteItem",),
    "dynamodb.delete_item": ("dynamodb:DeleteItem",),
    "dynamodb.describe_continuous_backups": ("dynamodb:DescribeContinuousBackups",),
    "dynamodb.describe_limits": ("dynamodb:DescribeLimits",),
    "dynamodb.describe_table": ("dynamodb:DescribeTable",),
    "dynamodb.get_item": ("dynamodb:GetItem",),
    "dynamodb.put_item": ("dynamodb:PutItem",),
    "dynamodb.query": ("dynamodb:Query",),
    "dynamodb.scan": ("dynamodb:Scan",),
    # There is no TransactWriteItems permission: each member is allowed, or not, by its own.
    "dynamodb.transact_get_items": ("dynamodb:GetItem",),
    "dynamodb.transact_write_items": (
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
    ),
    "dynamodb.update_item": ("dynamodb:UpdateItem",),
    "dynamodb.update_table": ("dynamodb:UpdateTable",),
    "events.put_events": ("events:PutEvents",),
    "iam.simulate_principal_policy": ("iam:SimulatePrincipalPolicy",),
    "lambda.delete_function_concurrency": ("lambda:DeleteFunctionConcurrency",),
    "lambda.delete_provisioned_concurrency_config": ("lambda:DeleteProvisionedConcurrencyConfig",),
    "lambda.get_account_settings": ("lambda:GetAccountSettings",),
    "lambda.get_alias": ("lambda:GetAlias",),
    "lambda.get_function": ("lambda:GetFunction",),
    "lambda.get_function_concurrency": ("lambda:GetFunctionConcurrency",),
    "lambda.get_function_configuration": ("lambda:GetFunctionConfiguration",),
    "lambda.get_provisioned_concurrency_config": ("lambda:GetProvisionedConcurrencyConfig",),
    "lambda.invoke": ("lambda:InvokeFunction",),
    "lambda.list_event_source_mappings": ("lambda:ListEventSourceMappings",),
    "lambda.list_functions": ("lambda:ListFunctions",),
    "lambda.list_provisioned_concurrency_configs": ("lambda:ListProvisionedConcurrencyConfigs",),
    "lambda.list_versions_by_function": ("lambda:ListVersionsByFunction",),
    "lambda.put_function_concurrency": ("lambda:PutFunctionConcurrency",),
    "lambda.put_provisioned_concurrency_config": ("lambda:PutProvisionedConcurrencyConfig",),
    "lambda.update_alias": ("lambda:UpdateAlias",),
    "route53.change_resource_record_sets": ("route53:ChangeResourceRecordSets",),
    "route53.list_resource_record_sets": ("route53:ListResourceRecordSets",),
    "s3.delete_object": ("s3:DeleteObject",),
    "s3.get_object": ("s3:GetObject",),
    "s3.list_objects_v2": ("s3:ListBucket",),
    "s3.put_object": ("s3:PutObject",),
    "secretsmanager.get_secret_value": ("secretsmanager:GetSecretValue",),
    "service-quotas.get_aws_default_service_quota": ("servicequotas:GetAWSDefaultServiceQuota",),
    "service-quotas.get_service_quota": ("servicequotas:GetServiceQuota",),
    "service-quotas.list_requested_service_quota_change_history_by_quota": (
        "servicequotas:ListRequestedServiceQuotaChangeHistoryByQuota",
    ),
    "service-quotas.request_service_quota_increase": ("servicequotas:RequestServiceQuotaIncrease",),
    "sns.list_subscriptions_by_topic": ("sns:ListSubscriptionsByTopic",),
    "sns.publish": ("sns:Publish",),
    "sqs.change_message_visibility": ("sqs:ChangeMessageVisibility",),
    "sqs.delete_message": ("sqs:DeleteMessage",),
    "sqs.get_queue_attributes": ("sqs:GetQueueAttributes",),
    "sqs.receive_message": ("sqs:ReceiveMessage",),
    "sqs.send_message": ("sqs:SendMessage",),
    "ssm.create_ops_item": ("ssm:CreateOpsItem",),
    "ssm.describe_ops_items": ("ssm:DescribeOpsItems",),
    "ssm.get_ops_item": ("ssm:GetOpsItem",),
    "ssm.get_parameter": ("ssm:GetParameter",),
    "ssm.update_ops_item": ("ssm:UpdateOpsItem",),
    "xray.put_telemetry_records": ("xray:PutTelemetryRecords",),
    "xray.put_trace_segments": ("xray:PutTraceSegments",),
}

_ACTION = re.compile(r"^[a-z0-9-]+:[A-Za-z]+$")
_EXPANDED = {"function": "functions", "table": "tables", "api": "apis"}
# The functions that are fenced in the primary, and the tables of which a sample is compared.
_WRITER, _COMPARED = "writer", "compared"
# What only a service with a second region has; without it a template that names one leads to nothing.
_OF_RECOVERY = ("standby", "primary", "bucket", "zone", "weighted", "canary", "shares")
_PLACES = {"partition", "region", "account", "service", *_EXPANDED, *_OF_RECOVERY, _WRITER, _COMPARED}

_METRICS_PAGE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html"

LEDGER_OPERATIONS = (
    "dynamodb.batch_get_item",
    "dynamodb.get_item",
    "dynamodb.put_item",
    "dynamodb.query",
    "dynamodb.transact_write_items",
    "dynamodb.update_item",
)

COMMON: tuple[Permission, ...] = (
    *partitions.READS,
    # Nothing of a remediation is ever deleted but by its TTL, so nobody may.
    *partitions.may_write(*partitions.REMEDIATION),
    Permission("sns.publish", "arn:{partition}:sns:{region}:{account}:sereno-{service}"),
    # A destination is delivered with the function's own role.
    Permission("sqs.send_message", "arn:{partition}:sqs:{region}:{account}:sereno-{service}-dlq"),
    Permission(
        "xray.put_trace_segments",
        "*",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
    ),
    Permission(
        "xray.put_telemetry_records",
        "*",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
    ),
)
"""What every function of the watch needs. Metrics go out as log lines (EMF) and need nothing of their own."""

SELF_TEST: tuple[Permission, ...] = (
    # CloudFormation names a role after its stack, which is called as the watch is.
    Permission("iam.simulate_principal_policy", "arn:{partition}:iam::{account}:role/sereno-{service}-*"),
    *partitions.may_put(partitions.READY),
)
"""What the self-test asks of IAM (what the function's own role may do), and where it notes what it proved."""

ROUND: tuple[Permission, ...] = (
    # Composite alarms are told only to those who may describe everything.
    Permission(
        "cloudwatch.describe_alarms",
        "*",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html",
    ),
    Permission("cloudwatch.get_metric_data", "*", _METRICS_PAGE),
    *authors.PERMISSIONS,
    *limits.PERMISSIONS,
    # It demotes by a cap; a mode is for operators alone.
    *partitions.may_write(partitions.CAP, partitions.CHANGE, partitions.LIMITS),
)
"""What the reconciler reads beside what its remediators do: which alarms are in ALARM, the demand, and who changed a
value in between."""


def statements(remediator: Remediator, service: Service) -> list[Json]:
    """The statements of a remediator's own permissions and of what every function needs.

    Raises InvalidInput, naming every operation without a known permission and every `*` without a reason.
    """
    return allow((*remediator.permissions, *COMMON), service)


def allow(permissions: Iterable[Permission], service: Service) -> list[Json]:
    """IAM statements, one for each set of resources and condition, in a stable order."""
    grouped: dict[tuple[tuple[str, ...], str], tuple[frozenset[str], Json]] = {}
    for template, key, allowed, condition in _by_template(tuple(permissions)):
        resources = arns(template, service)
        if resources:  # none: a knob of tables, say, and the service declares no table
            before, _ = grouped.get((resources, key), (frozenset(), condition))
            grouped[resources, key] = before | allowed, filled(condition, service)
    found: list[Json] = []
    for (resources, _), (together, condition) in sorted(grouped.items(), key=itemgetter(0)):
        statement: Json = {
            "Sid": _sid(resources, len(found)),
            "Effect": "Allow",
            "Action": sorted(together),
            "Resource": list(resources) if len(resources) > 1 else resources[0],
        }
        if condition:
            statement["Condition"] = condition
        found.append(statement)
    return found


@lru_cache(maxsize=1024)
def _by_template(permissions: tuple[Permission, ...]) -> tuple[tuple[str, str, frozenset[str], Json], ...]:
    """(ARN template, the condition as text, actions, the condition): what is the same for every service."""
    problems: list[Problem] = []
    grouped: dict[tuple[str, str], tuple[set[str], Json]] = {}
    for permission in permissions:
        allowed = actions(permission)
        unreasoned = permission.resource == "*" and not permission.because
        problems += _problems(permission.operation, allowed, unreasoned=unreasoned)
        key = repr(sorted(permission.condition.items())) if permission.condition else ""
        grouped.setdefault((permission.resource, key), (set(), permission.condition))[0].update(allowed)
    if problems:
        raise InvalidInput("remediator", problems)
    return tuple((one, key, frozenset(found), condition) for (one, key), (found, condition) in grouped.items())


def filled(condition: Json, service: Service) -> Json:
    """A condition with the places of its values filled in, as `arns` fills in those of a resource."""
    return {
        operator: {
            key: [arn for each in value for arn in arns(each, service)]
            if isinstance(value, list)
            else next(iter(arns(value, service)), value)
            for key, value in tests.items()
        }
        for operator, tests in condition.items()
    }


def trust(principal: str, account: str, source_arn: str = "") -> Json:
    """Lets one AWS service assume a role, on behalf of `account` alone.

    A service acts for many accounts, and another account could name this role to it (confused deputy). `source_arn`
    narrows further where the service documents it: AWS FIS does, Lambda and AWS Backup do not (see ADR 0040).
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    condition: Json = {"StringEquals": {"aws:SourceAccount": account}}
    if source_arn:
        condition["ArnLike"] = {"aws:SourceArn": source_arn}
    return {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }


def log_statement(log_group_arn: object) -> Json:
    """Writing to the function's own log group, which the template creates (so that its retention holds)."""
    return {
        "Sid": "OwnLogs",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": log_group_arn,
    }


def reasons(permissions: Iterable[Permission]) -> dict[str, str]:
    """Why an operation is allowed on everything: the page that says AWS offers nothing narrower. A policy holds no
    comments, so the template carries these as the role's metadata."""
    return {one.operation: one.because for one in permissions if one.resource == "*"}


def arns(template: str, service: Service) -> tuple[str, ...]:
    """The ARNs of a template, one for each resource that the service declares. Raises InvalidInput on a place that
    nobody knows."""
    names = _named_places(template)
    if unknown := names - _PLACES:
        known = ", ".join(sorted(_PLACES))
        problem = Problem("permissions", template, f"has unknown places {sorted(unknown)} (known: {known})")
        raise InvalidInput("remediator", [problem])
    if not names:
        return (template,)
    fixed = {
        "partition": partition(service.region),
        "region": service.region,
        "account": service.account,
        "service": service.name,
    }
    if names.intersection(_OF_RECOVERY):
        regional = service.recovery_places
        if not all(regional.get(name) for name in names.intersection(_OF_RECOVERY)):
            return ()
        fixed |= regional
    if _WRITER in names:
        writers = service.recovery.fence if service.recovery else ()
        return tuple(template.format(**fixed, writer=service.functions[one].name) for one in writers)
    if _COMPARED in names:
        tables = service.recovery.compare if service.recovery else ()
        return tuple(template.format(**fixed, compared=service.tables[one].name) for one in tables)
    kinds = sorted(names & _EXPANDED.keys())
    if not kinds:
        return (template.format_map(fixed),)
    found = [fixed]
    for kind in kinds:
        declared = getattr(service, _EXPANDED[kind]).values()
        found = [{**values, kind: one.name} for values in found for one in declared]
    return tuple(dict.fromkeys(template.format(**values) for values in found))


@lru_cache(maxsize=1024)
def _named_places(template: str) -> frozenset[str]:
    return frozenset(re.findall(r"{(\w*)}", template))


def _sid(resources: tuple[str, ...], number: int) -> str:
    """Says plainly where a statement reaches everything; only letters and digits are allowed in it."""
    return f"Everything{number}" if resources == ("*",) else f"Allow{number}"


def actions(permission: Permission) -> tuple[str, ...]:
    """The IAM actions of a permission: its own, or those that `ACTIONS` knows."""
    return permission.actions or ACTIONS.get(permission.operation, ())


def _problems(operation: str, found: tuple[str, ...], *, unreasoned: bool) -> list[Problem]:
    problems = []
    if not found:
        mend = "has no known IAM action (state it in the permission's actions)"
        problems.append(Problem("permissions", operation, mend))
    problems += [
        Problem("permissions", action, f"is no single IAM action of {operation} (write service:Action)")
        for action in found
        if not _ACTION.match(action)
    ]
    if unreasoned:
        mend = "is allowed on * without a reason (narrow it, or name the page in because)"
        problems.append(Problem("permissions", operation, mend))
    return problems
