"""The same template by troposphere, the well-kept library for CloudFormation in Python.

It is handed every property ready made (names, patterns, policies, the dashboard's body), and does what it is for: its
typed objects, their checks, the JSON. So it does less than `deploy.synth`, which also works all of these out.
"""

from __future__ import annotations

from typing import Any

import troposphere
from troposphere import AWSProperty, Template, awslambda, cloudwatch, dynamodb, events, iam, logs, sns, sqs

from sereno.model import Json

CLASSES: dict[str, Any] = {
    "AWS::CloudWatch::Alarm": cloudwatch.Alarm,
    "AWS::CloudWatch::CompositeAlarm": cloudwatch.CompositeAlarm,
    "AWS::CloudWatch::Dashboard": cloudwatch.Dashboard,
    "AWS::DynamoDB::Table": dynamodb.Table,
    "AWS::Events::Rule": events.Rule,
    "AWS::IAM::Role": iam.Role,
    "AWS::Lambda::EventInvokeConfig": awslambda.EventInvokeConfig,
    "AWS::Lambda::EventSourceMapping": awslambda.EventSourceMapping,
    "AWS::Lambda::Function": awslambda.Function,
    "AWS::Lambda::Permission": awslambda.Permission,
    "AWS::Lambda::Url": awslambda.Url,
    "AWS::Logs::LogGroup": logs.LogGroup,
    "AWS::SNS::Subscription": sns.SubscriptionResource,
    "AWS::SNS::Topic": sns.Topic,
    "AWS::SNS::TopicPolicy": sns.TopicPolicy,
    "AWS::SQS::Queue": sqs.Queue,
    "AWS::SQS::QueuePolicy": sqs.QueuePolicy,
}


def text(template: Json) -> str:
    """The template built again from its resources' properties, packed."""
    made = Template(Description=template["Description"])
    made.set_version(template["AWSTemplateFormatVersion"])
    for name, one in template["Parameters"].items():
        made.add_parameter(troposphere.Parameter(name, **one))
    for name, one in template["Conditions"].items():
        made.add_condition(name, _value(one, None))
    for logical_id, one in template["Resources"].items():
        cls = CLASSES[one["Type"]]
        beside = {key: one[key] for key in ("DeletionPolicy", "UpdateReplacePolicy", "DependsOn") if key in one}
        resource = cls(logical_id, **_properties(cls, one["Properties"]), **beside)
        made.add_resource(resource)
    for name, one in template["Outputs"].items():
        made.add_output(troposphere.Output(name, **{key: _value(inner, None) for key, inner in one.items()}))
    packed: str = made.to_json(indent=None, separators=(",", ":"))
    return packed


def _properties(cls: Any, given: Json) -> Json:
    """The properties as its own classes, where the library does not know one (newer than its release) as they are."""
    return {name: _value(value, cls.props[name][0]) for name, value in given.items() if name in cls.props}


def _value(value: Any, wanted: Any) -> Any:
    if wanted is troposphere.Tags or (isinstance(wanted, tuple) and troposphere.Tags in wanted):
        return troposphere.Tags({one["Key"]: one["Value"] for one in value})
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref")):
        return troposphere.GenericHelperFn(value)
    if isinstance(wanted, list) and wanted and isinstance(value, list):
        return [_value(one, wanted[0]) for one in value]
    if isinstance(wanted, type) and issubclass(wanted, AWSProperty) and isinstance(value, dict):
        if not value.keys() <= getattr(wanted, "props").keys():  # noqa: B009 - mypy knows AWSProperty as a type only
            return troposphere.GenericHelperFn(value)  # newer than the library
        return wanted(**_properties(wanted, value))
    return value
