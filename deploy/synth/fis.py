"""Region drills on a real account: experiments of AWS Fault Injection Service (FIS), a stack for each region.

Apart from the watch, because a watch must not be able to hurt what it watches, and because whoever may deploy it need
not be allowed to break things. No experiment begins by itself.
https://docs.aws.amazon.com/fis/latest/userguide/experiment-templates.html
"""

from __future__ import annotations

import hashlib
import json

from deploy import iam
from deploy.config_recovery import BUCKET_LIMIT
from deploy.synth import names, store
from deploy.synth.experiments import ACTIONS_LIMIT, PAUSE, WAIT, Experiment, Fault, of
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.partition import partition
from sereno.service import Service

GUIDE = "https://docs.aws.amazon.com/fis/latest/userguide/"
PREFIX = "FisConfigs/"
LOG_DAYS = 90
_LAMBDA, _TABLES = "aws:lambda:", "aws:dynamodb:"
_TARGETS = {_LAMBDA: ("Functions", "aws:lambda:function"), _TABLES: ("Tables", "aws:dynamodb:global-table")}
_WORDS = {PAUSE: "replication", WAIT: "pause"}
# What takes no narrower resource, and the page that says so.
_TAGS = f"{GUIDE}fis-actions-reference.html"
_LOGS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html"
EVERYTHING = {
    "tag.get_resources": _TAGS,
    "logs.create_log_delivery": _LOGS,
    "logs.describe_log_groups": _LOGS,
    "logs.describe_resource_policies": _LOGS,
}


def has(service: Service) -> bool:
    """Whether anything can be rehearsed from this region: not from the witness's, where nothing serves."""
    return bool(of(service))


def template(service: Service) -> Json:
    """The stack of this region. Raises InvalidInput when FIS would refuse an experiment for its size."""
    found = of(service)
    _check(found)
    faulty = any(one.over(_LAMBDA) for one in found)
    resources = {
        **(_bucket(service) | _reads(service) if faulty else {}),
        "FaultRole": _role(service, found),
        **_log(service),
        **{_id(one): _experiment(service, one) for one in found},
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Rehearsals of lost regions for {service.name}: experiments of AWS Fault Injection Service",
        "Metadata": {"Sereno": {"Service": service.name}},
        "Resources": resources,
        "Outputs": _outputs(service, found, faulty=faulty),
    }


def _check(found: list[Experiment]) -> None:
    problems = []
    for one in found:
        actions = len(_actions(one))
        if actions > ACTIONS_LIMIT:
            mend = f"actions, FIS takes {ACTIONS_LIMIT} in an experiment: split the service"
            problems.append(Problem(one.scenario, actions, mend))
    if problems:
        raise InvalidInput("sereno synth --fis", problems)


def bucket_name(service: Service) -> str:
    """Where FIS leaves word for the extension in the functions. A name that is too long ends in a hash."""
    name = f"sereno-{service.name}-fis-{service.account}-{service.region}"
    if len(name) <= BUCKET_LIMIT:
        return name
    return f"{name[: BUCKET_LIMIT - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _bucket_arn(service: Service) -> str:
    return f"arn:{partition(service.region)}:s3:::{bucket_name(service)}"


def _bucket(service: Service) -> Json:
    """What lies there is of minutes. What an experiment that was broken off left behind goes after a day."""
    arn = _bucket_arn(service)
    tls = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "FaultBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "BucketName": bucket_name(service),
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                "LifecycleConfiguration": {
                    "Rules": [{"Id": "left-behind", "Status": "Enabled", "ExpirationInDays": 1}]
                },
                "Tags": store.tags(service),
            },
        },
        "FaultBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "FaultBucket"},
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [tls]},
            },
        },
    }


def _reads(service: Service) -> Json:
    """What a function's own role needs, so that its extension hears of a fault. It is attached by whoever owns the
    function: https://docs.aws.amazon.com/fis/latest/userguide/use-lambda-actions.html"""
    arn = _bucket_arn(service)
    statements = [
        {
            "Sid": "ListFaults",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": arn,
            "Condition": {"StringLike": {"s3:prefix": [f"{PREFIX}*"]}},
        },
        {"Sid": "ReadFaults", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"{arn}/{PREFIX}*"},
    ]
    return {
        "ReadsFaults": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "Description": f"For functions of {service.name} that carry the FIS extension",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
            },
        }
    }


def _role(service: Service, found: list[Experiment]) -> Json:
    """What FIS may do while it rehearses: to these functions and tables, for experiments of this account and region.
    https://docs.aws.amazon.com/fis/latest/userguide/getting-started-iam-service-role.html"""
    place = f"{partition(service.region)}:fis:{service.region}:{service.account}"
    trust = iam.trust("fis.amazonaws.com", service.account, f"arn:{place}:experiment/*")
    statements = [
        *_of_functions(service, found),
        *_of_tables(service, found),
        {"Sid": "LookUpTargets", "Effect": "Allow", "Action": ["tag:GetResources"], "Resource": "*"},
        {
            "Sid": "WriteTheLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"],
            "Resource": "*",
        },
    ]
    return {
        "Type": "AWS::IAM::Role",
        "Metadata": {"Everything": EVERYTHING},
        "Properties": {
            "Description": f"What a rehearsal of {service.name} may do, and no more",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {
                    "PolicyName": "sereno-fis",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                }
            ],
            "Tags": store.tags(service),
        },
    }


def _of_functions(service: Service, found: list[Experiment]) -> list[Json]:
    befallen = sorted({name for one in found for name in one.over(_LAMBDA)})
    if not befallen:
        return []
    return [
        {
            "Sid": "LeaveWordForFunctions",
            "Effect": "Allow",
            "Action": ["s3:DeleteObject", "s3:PutObject"],
            "Resource": f"{_bucket_arn(service)}/{PREFIX}*",
        },
        {
            "Sid": "LookAtFunctions",
            "Effect": "Allow",
            "Action": ["lambda:GetFunction"],
            "Resource": [_arn(service, _LAMBDA, name) for name in befallen],
        },
    ]


def _of_tables(service: Service, found: list[Experiment]) -> list[Json]:
    """Replication is paused by a statement in the policy of the table and of its stream, which FIS takes away."""
    befallen = sorted({name for one in found for name in one.over(_TABLES)})
    if not befallen:
        return []
    arns = [_arn(service, _TABLES, name) for name in befallen]
    policies = ["dynamodb:DeleteResourcePolicy", "dynamodb:GetResourcePolicy", "dynamodb:PutResourcePolicy"]
    return [
        {"Sid": "LookAtTables", "Effect": "Allow", "Action": ["dynamodb:DescribeTable"], "Resource": arns},
        {
            "Sid": "PauseReplication",
            "Effect": "Allow",
            "Action": policies,
            "Resource": [form for arn in arns for form in (arn, f"{arn}/stream/*")],
        },
    ]


def _arn(service: Service, kind: str, name: str) -> str:
    place = f"{service.region}:{service.account}"
    what = f"lambda:{place}:function:{name}" if kind == _LAMBDA else f"dynamodb:{place}:table/{name}"
    return f"arn:{partition(service.region)}:{what}"


def _log(service: Service) -> Json:
    """The log's policy stands here, so that the role needs no right to write policies of logs.
    https://docs.aws.amazon.com/fis/latest/userguide/monitoring-logging.html"""
    group = f"/aws/vendedlogs/fis/{names.fis_stack(service)}"
    place = f"{partition(service.region)}:logs:{service.region}:{service.account}"
    statement = {
        "Sid": "LogOfRehearsals",
        "Effect": "Allow",
        "Principal": {"Service": "delivery.logs.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:{place}:log-group:{group}:log-stream:*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": service.account},
            "ArnLike": {"aws:SourceArn": f"arn:{place}:*"},
        },
    }
    return {
        "FaultLog": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"LogGroupName": group, "RetentionInDays": LOG_DAYS, "Tags": store.tags(service)},
        },
        "FaultLogPolicy": {
            "Type": "AWS::Logs::ResourcePolicy",
            "Properties": {
                "PolicyName": names.fis_stack(service),
                "PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            },
        },
    }


def _experiment(service: Service, one: Experiment) -> Json:
    alarm = f"arn:{partition(service.region)}:cloudwatch:{service.region}:{service.account}:alarm"
    return {
        "Type": "AWS::FIS::ExperimentTemplate",
        # FIS looks at its log when the template is made.
        "DependsOn": ["FaultLogPolicy"],
        "Properties": {
            "Description": f"{one.scenario}: {one.does}"[:512],
            "RoleArn": {"Fn::GetAtt": ["FaultRole", "Arn"]},
            "Actions": _actions(one),
            "Targets": _targets(service, one),
            "StopConditions": [{"Source": "aws:cloudwatch:alarm", "Value": f"{alarm}:{name}"} for name in one.stops],
            "LogConfiguration": {
                "LogSchemaVersion": 2,
                "CloudWatchLogsConfiguration": {"LogGroupArn": {"Fn::GetAtt": ["FaultLog", "Arn"]}},
            },
            # A rehearsal that befalls nothing would pass.
            "ExperimentOptions": {"AccountTargeting": "single-account", "EmptyTargetResolutionMode": "fail"},
            "Tags": {
                "Name": f"{names.fis_stack(service)}-{one.scenario}",
                "sereno:service": service.name,
                "sereno:scenario": one.scenario,
            },
        },
    }


def _id(one: Experiment) -> str:
    return "".join(part.title() for part in one.scenario.split("-"))


def _actions(one: Experiment) -> Json:
    """Every action by its name. Those of a phase begin when all of the phase before are over."""
    found: Json = {}
    before: list[str] = []
    for number, phase in enumerate(one.phases, start=1):
        here = []
        for fault in phase:
            for part, over in enumerate(fault.parts(), start=1):
                name = "-".join(
                    [
                        _word(fault),
                        *([str(number)] if len(one.phases) > 1 else []),
                        *([str(part)] if part > 1 else []),
                    ]
                )
                here.append(name)
                found[name] = {
                    "ActionId": fault.action,
                    "Parameters": {"duration": f"PT{fault.minutes}M", **fault.parameters},
                    **({"Targets": {_kind(fault)[0]: _target(fault, over)}} if over else {}),
                    **({"StartAfter": before} if before else {}),
                }
        before = here
    return found


def _targets(service: Service, one: Experiment) -> Json:
    return {
        _target(fault, over): {
            "ResourceType": _kind(fault)[1],
            "ResourceArns": [_arn(service, _prefix(fault), name) for name in over],
            "SelectionMode": "ALL",
        }
        for phase in one.phases
        for fault in phase
        for over in fault.parts()
        if over
    }


def _target(fault: Fault, over: tuple[str, ...]) -> str:
    """The same resources are one target, however many actions befall them."""
    start = fault.over.index(over[0])
    return f"{_kind(fault)[0].lower()}{f'-{start + 1}' if start else ''}"


def _kind(fault: Fault) -> tuple[str, str]:
    return _TARGETS[_prefix(fault)]


def _prefix(fault: Fault) -> str:
    return _LAMBDA if fault.action.startswith(_LAMBDA) else _TABLES


def _word(fault: Fault) -> str:
    return _WORDS.get(fault.action, fault.action.rpartition(":")[2])


def _outputs(service: Service, found: list[Experiment], *, faulty: bool) -> Json:
    ids = {
        _id(one): {
            "Description": f"Begin: aws fis start-experiment --region {service.region} --experiment-template-id ...",
            "Value": {"Fn::GetAtt": [_id(one), "Id"]},
        }
        for one in found
    }
    if not faulty:
        return ids
    return {
        "ConfigLocation": {
            "Description": "AWS_FIS_CONFIGURATION_LOCATION of the functions that carry the extension",
            "Value": f"{_bucket_arn(service)}/{PREFIX}",
        },
        "ReadsFaults": {"Description": "The policy that their roles need", "Value": {"Ref": "ReadsFaults"}},
        **ids,
    }
