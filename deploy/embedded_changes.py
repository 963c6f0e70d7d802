"""How resources on the embedded AWS change and go when their stack does: moto's own way leaves them as they were.

By CloudFormation type; what is not named here is left to moto. Each takes the clients of the stack's region.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from deploy.embedded_shim import Clients, Wanted, text
from deploy.embedded_shims import SHIMS

Update = Callable[[Wanted, str, Clients], object]
Delete = Callable[[str, Clients], object]


def _again(kind: str) -> Update:
    """Of a type whose creating call replaces what is there."""
    return lambda wanted, _, aws: SHIMS[kind].create(wanted, aws)


def _function(wanted: Wanted, name: str, aws: Clients) -> None:
    client, properties = aws("lambda"), wanted.properties
    fields = ("Runtime", "Handler", "Timeout", "MemorySize", "Environment", "Description", "TracingConfig", "Role")
    client.update_function_configuration(FunctionName=name, **wanted.take(*fields))
    if "ReservedConcurrentExecutions" in properties:
        reserved = int(properties["ReservedConcurrentExecutions"])
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    else:
        client.delete_function_concurrency(FunctionName=name)


def _role(wanted: Wanted, name: str, aws: Clients) -> None:
    iam, properties = aws("iam"), wanted.properties
    _strip(iam, name)
    trust = text(properties["AssumeRolePolicyDocument"])
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    for policy in properties.get("Policies", []):
        document = text(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _strip(iam: Any, role: str) -> None:
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=attached["PolicyArn"])


def _delete_role(name: str, aws: Clients) -> None:
    _strip(aws("iam"), name)
    aws("iam").delete_role(RoleName=name)


def _delete_managed_policy(arn: str, aws: Clients) -> None:
    """Raises DeleteConflict while a role has the policy: moto would let it go.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html"""
    if aws("iam").list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]:
        told = "Cannot delete a policy attached to entities."
        raise ClientError({"Error": {"Code": "DeleteConflict", "Message": told}}, "DeletePolicy")
    aws("iam").delete_policy(PolicyArn=arn)


def _managed_policy(wanted: Wanted, arn: str, aws: Clients) -> None:
    iam = aws("iam")
    before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = text(wanted.properties["PolicyDocument"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    iam.delete_policy_version(PolicyArn=arn, VersionId=before)


def _log_group(wanted: Wanted, name: str, aws: Clients) -> None:
    if days := wanted.properties.get("RetentionInDays"):
        aws("logs").put_retention_policy(logGroupName=name, retentionInDays=int(days))


def _delete_table(name: str, aws: Clients) -> None:
    aws("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    aws("dynamodb").delete_table(TableName=name)


def _delete_invoke(ident: str, aws: Clients) -> None:
    name, qualifier = ident.split("|")
    aws("lambda").delete_function_event_invoke_config(FunctionName=name, Qualifier=qualifier)


UPDATES: Mapping[str, Update] = {
    "AWS::CloudWatch::Alarm": _again("AWS::CloudWatch::Alarm"),
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::EventInvokeConfig": _again("AWS::Lambda::EventInvokeConfig"),
    "AWS::Lambda::Function": _function,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::BucketPolicy": _again("AWS::S3::BucketPolicy"),
    "AWS::SNS::TopicPolicy": _again("AWS::SNS::TopicPolicy"),
    "AWS::SQS::QueuePolicy": _again("AWS::SQS::QueuePolicy"),
}
"""What a change of a resource does to it. The arguments are the resource as it shall be and its physical id."""

DELETES: Mapping[str, Delete] = {
    "AWS::Backup::BackupVault": lambda name, aws: aws("backup").delete_backup_vault(BackupVaultName=name),
    "AWS::CloudWatch::Alarm": lambda name, aws: aws("cloudwatch").delete_alarms(AlarmNames=[name]),
    "AWS::CloudWatch::Dashboard": lambda name, aws: aws("cloudwatch").delete_dashboards(DashboardNames=[name]),
    "AWS::DynamoDB::Table": _delete_table,
    "AWS::IAM::ManagedPolicy": _delete_managed_policy,
    "AWS::IAM::Role": _delete_role,
    "AWS::Lambda::EventInvokeConfig": _delete_invoke,
    "AWS::Route53::HealthCheck": lambda id_, aws: aws("route53").delete_health_check(HealthCheckId=id_),
    "AWS::Lambda::EventSourceMapping": lambda uuid, aws: aws("lambda").delete_event_source_mapping(UUID=uuid),
    "AWS::Lambda::Function": lambda name, aws: aws("lambda").delete_function(FunctionName=name),
    "AWS::Logs::LogGroup": lambda name, aws: aws("logs").delete_log_group(logGroupName=name),
    "AWS::SNS::Subscription": lambda arn, aws: aws("sns").unsubscribe(SubscriptionArn=arn),
    "AWS::SNS::Topic": lambda arn, aws: aws("sns").delete_topic(TopicArn=arn),
}
"""What takes a resource away, by its physical id."""
