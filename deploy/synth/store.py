"""What outlives every invocation: the ledger, the topic, the dead-letter queue."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.synth import names
from sereno.model import Json
from sereno.service import Service

HAS_KEY = "HasKmsKey"
KEY: Json = {"Ref": "KmsKeyArn"}
NOTHING: Json = {"Ref": "AWS::NoValue"}


def if_key(value: object, otherwise: object = NOTHING) -> Json:
    """A value where a customer key is given."""
    return {"Fn::If": [HAS_KEY, value, otherwise]}


def tags(service: Service) -> list[Json]:
    """Tags of everything that can carry them."""
    return [{"Key": "sereno:service", "Value": service.name}]


def resources(service: Service, rule_names: Sequence[str]) -> Json:
    """The ledger, the topic and the queue; `rule_names` may send dead letters to it."""
    return {
        "Ledger": ledger(service),
        "Topic": topic(service),
        "DeadLetters": queue(service),
        "DeadLettersPolicy": queue_policy(service, rule_names),
    }


def ledger(service: Service) -> Json:
    """The table of remediations. It is kept when the stack goes: it is the record of what was done to production."""
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": names.ledger(service),
            # A storm of alarms must not find a capacity to exhaust.
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "open", "AttributeType": "S"},
                {"AttributeName": "due_at", "AttributeType": "N"},
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "open",
                    "KeySchema": [
                        {"AttributeName": "open", "KeyType": "HASH"},
                        {"AttributeName": "due_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "DeletionProtectionEnabled": True,
            "SSESpecification": if_key({"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}),
            "Tags": tags(service),
        },
    }


def topic(service: Service) -> Json:
    """The topic. Without a customer key it is not encrypted, because CloudWatch cannot use the key alias/aws/sns."""
    return {
        "Type": "AWS::SNS::Topic",
        "Properties": {
            "TopicName": names.topic(service),
            "KmsMasterKeyId": if_key(KEY),
            "Tags": tags(service),
        },
    }


def topic_policy(service: Service, topic_id: str) -> Json:
    """Alarms of this account may publish to a topic."""
    statement = {
        "Sid": "AlarmsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": topic_id},
        "Condition": {"StringEquals": {"AWS:SourceAccount": service.account}},
    }
    return {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {
            "Topics": [{"Ref": topic_id}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }


def queue(service: Service) -> Json:
    """The dead-letter queue. It keeps 14 days, SQS's longest: somebody may be on holiday."""
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "QueueName": names.dead_letters(service),
            "MessageRetentionPeriod": 1_209_600,
            "KmsMasterKeyId": if_key(KEY),
            "SqsManagedSseEnabled": if_key(NOTHING, True),
            "Tags": tags(service),
        },
    }


def queue_policy(service: Service, rule_names: Sequence[str]) -> Json:
    """EventBridge may send the dead letters of these rules. Lambda's destinations need nothing here: they are sent
    with the function's own role."""
    statement = {
        "Sid": "DeadLettersOfTheRules",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": [names.rule_arn(service, name) for name in rule_names]}},
    }
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": "DeadLetters"}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }
