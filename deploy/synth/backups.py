"""Backups of the service's tables, and their copies in the standby region.

A second region does not help against bad data: a wrong write is replicated within a second. What helps is a backup,
and one that lies where the first region's loss does not reach it.
"""

from __future__ import annotations

from deploy import iam
from deploy.synth import names, store
from sereno.model import Json
from sereno.partition import partition
from sereno.service import Recovery, Service

# Point-in-time recovery reaches as far back; a copy in the other region should too.
KEEP_DAYS = 35
# Once a day, at night in Europe; what lies between is point-in-time recovery's.
SCHEDULE = "cron(0 3 * * ? *)"
START_MINUTES, COMPLETE_MINUTES = 60, 480
# The managed policy's statements, as far as they are of DynamoDB and of copies.
_POLICY = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html"
_EVERYTHING = (
    "backup.copy_from_backup_vault",
    "kms.create_grant",
    "kms.decrypt",
    "kms.describe_key",
    "kms.generate_data_key",
)


def resources(service: Service) -> Json:
    """A vault in the first region and in the standby, and in the first the plan that fills both."""
    recovery = service.recovery
    if recovery is None or not service.tables or service.region not in (recovery.primary, recovery.standby):
        return {}
    found = {"Vault": _vault(service)}
    return found if service.is_standby else found | _plan(service, recovery)


def _vault(service: Service) -> Json:
    """Kept when the stack goes, and encrypted with AWS Backup's own key, which a copy between regions can use."""
    return {
        "Type": "AWS::Backup::BackupVault",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BackupVaultName": names.vault(service),
            "BackupVaultTags": {"sereno:service": service.name},
        },
    }


def _plan(service: Service, recovery: Recovery) -> Json:
    copy = {
        "DestinationBackupVaultArn": _vault_arn(service, recovery.standby),
        "Lifecycle": {"DeleteAfterDays": KEEP_DAYS},
    }
    rule = {
        "RuleName": "daily",
        "TargetBackupVault": {"Ref": "Vault"},
        "ScheduleExpression": SCHEDULE,
        "StartWindowMinutes": START_MINUTES,
        "CompletionWindowMinutes": COMPLETE_MINUTES,
        "Lifecycle": {"DeleteAfterDays": KEEP_DAYS},
        "CopyActions": [copy],
        "RecoveryPointTags": {"sereno:service": service.name},
    }
    return {
        "BackupPlan": {
            "Type": "AWS::Backup::BackupPlan",
            "Properties": {
                "BackupPlan": {"BackupPlanName": names.vault(service), "BackupPlanRule": [rule]},
                "BackupPlanTags": {"sereno:service": service.name},
            },
        },
        "BackupSelection": {
            "Type": "AWS::Backup::BackupSelection",
            "Properties": {
                "BackupPlanId": {"Ref": "BackupPlan"},
                "BackupSelection": {
                    "SelectionName": "tables",
                    "IamRoleArn": {"Fn::GetAtt": ["BackupRole", "Arn"]},
                    "Resources": _tables(service),
                },
            },
        },
        "BackupRole": _role(service, recovery),
    }


def _role(service: Service, recovery: Recovery) -> Json:
    tables, regions = _tables(service), (recovery.primary, recovery.standby)
    statements = [
        _allow(
            "Tables",
            [
                f"dynamodb:{one}"
                for one in ("CreateBackup", "DescribeTable", "ListTagsOfResource", "StartAwsBackupJob")
            ],
            tables,
        ),
        _allow(
            "Backups", ["dynamodb:DeleteBackup", "dynamodb:DescribeBackup"], [f"{one}/backup/*" for one in tables]
        ),
        _allow(
            "Vaults",
            ["backup:CopyIntoBackupVault", "backup:DescribeBackupVault"],
            [_vault_arn(service, region) for region in regions],
        ),
        _allow("CopiesOfOwnBackups", ["backup:CopyFromBackupVault"], "*"),
        _allow(
            "TagsOfBackups",
            ["backup:TagResource"],
            [f"arn:{partition(one)}:backup:{one}:{service.account}:recovery-point:*" for one in regions],
        ),
        # A table may be encrypted with a key that only its owner knows.
        {
            **_allow("KeysOfTables", ["kms:Decrypt", "kms:GenerateDataKey"], "*"),
            "Condition": {"StringLike": {"kms:ViaService": [f"dynamodb.{one}.amazonaws.com" for one in regions]}},
        },
        _allow("KeysAreDescribed", ["kms:DescribeKey"], "*"),
        {
            **_allow("KeysAreLent", ["kms:CreateGrant"], "*"),
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]
    trust = iam.trust("backup.amazonaws.com", service.account)
    return {
        "Type": "AWS::IAM::Role",
        "Metadata": {"Everything": dict.fromkeys(_EVERYTHING, _POLICY)},
        "Properties": {
            "Description": f"What AWS Backup may do for {service.name}: its tables, and their copies",
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


def _allow(sid: str, actions: object, resources: object) -> Json:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _tables(service: Service) -> list[str]:
    place = f"arn:{partition(service.region)}:dynamodb:{service.region}:{service.account}:table"
    return sorted(f"{place}/{one.name}" for one in service.tables.values())


def _vault_arn(service: Service, region: str) -> str:
    return f"arn:{partition(region)}:backup:{region}:{service.account}:backup-vault:{names.vault(service)}"
