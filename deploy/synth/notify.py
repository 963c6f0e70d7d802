"""How people are told: their topic, the queue, the notifier behind it, and the function behind Slack's buttons.

Remediators publish to `Topic`, for machines. Its messages go to the queue `Notices`, where they stay until every
channel has shown them. Page alarms go to `People` directly, past all of this.
"""

from __future__ import annotations

from deploy import iam
from deploy.synth import functions, names, rules, store
from deploy.synth.functions import Code
from remediators import partitions
from remediators.notifier import pagerduty_hook, routing
from sereno.model import Json
from sereno.ports import Permission
from sereno.service import Service

TIMEOUT_S = 60
# An SQS source needs at least two. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
CONCURRENCY = 2
# Six times the function's timeout, as AWS advises.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBLE_S = 6 * TIMEOUT_S
# A channel that is away for a day is tried again each quarter of an hour; then a person takes over.
RECEIVES = 100
RETENTION_S = 1_209_600
BATCH, WINDOW_S = 10, 1
ACTIONS_TIMEOUT_S = 10
# Slack cannot sign with IAM: the function checks Slack's own signature before anything else.
OPEN: Json = {"Open": "https://docs.slack.dev/authentication/verifying-requests-from-slack"}
OPS_PAGE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html"

_AROUND = tuple(one for one in iam.COMMON if one.operation.startswith(("xray.", "sqs.")))
_PEOPLE = Permission("sns.publish", "arn:{partition}:sns:{region}:{account}:sereno-{service}-people")
_SUBSCRIPTIONS = Permission("sns.list_subscriptions_by_topic", _PEOPLE.resource)
_QUEUE = "arn:{partition}:sqs:{region}:{account}:sereno-{service}-notices"


def resources(service: Service) -> Json:
    """All of it; the buttons only where Slack is declared and somebody may press them."""
    found: Json = {
        **topic_of_people(service),
        "Notices": _queue(service),
        "NoticesDead": _dead(service),
        "NoticesPolicy": _queue_policy("Notices"),
        "NoticesDeadPolicy": _queue_policy("NoticesDead"),
        "NoticesSubscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Notices", "Arn"]},
                "RawMessageDelivery": True,
                # What SNS cannot deliver (a key that does not admit it, say) is kept, and rings `undeliverable`.
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["NoticesDead", "Arn"]}},
            },
        },
        **functions.resources(service, notifier(service)),
        "NotifierSource": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["Notices", "Arn"]},
                "FunctionName": {"Ref": "Notifier"},
                "BatchSize": BATCH,
                "MaximumBatchingWindowInSeconds": WINDOW_S,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": CONCURRENCY},
            },
        },
        **rules.to_function(
            names.digest_rule(service),
            "Notifier",
            {"ScheduleExpression": "rate(2 minutes)", "Description": "What was folded together in a storm is told"},
            {"MaximumEventAgeInSeconds": 120, "MaximumRetryAttempts": 0},
            data='{"sereno":"digest"}',
        ),
    }
    found |= emails(service)
    return found | (_buttons(service) if has_buttons(service) else {})


def topic_of_people(service: Service) -> Json:
    """The topic of people, and what may publish to it."""
    return {"People": _people(service), "PeoplePolicy": _people_policy(service)}


def emails(service: Service) -> Json:
    """Who hears of it by email. A contact of the escalation hears what has come to them, and neither the rest nor
    what CloudWatch mails: the filter takes messages that name them.
    https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html"""
    return {
        names.logical("Email", email): {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "People"}, "Protocol": "email", "Endpoint": email}
            | ({"FilterPolicy": {"contact": [contact]}} if contact else {}),
        }
        for email, contact in service.addresses.items()
    }


def has_buttons(service: Service) -> bool:
    """Whether anybody may press a button in Slack, or PagerDuty calls back."""
    return service.notices.listens


def notifier(service: Service) -> Code:
    """The function of the notifier."""
    return Code(
        id="Notifier",
        name=names.notifier(service),
        description="Tells people, in Slack, PagerDuty, email and OpsCenter: each news once",
        handler="remediators.notifier.handler.handler",
        environment={"SERENO_PEOPLE": {"Ref": "People"}, "SERENO_QUEUE": {"Ref": "Notices"}},
        timeout_s=TIMEOUT_S,
        concurrency=CONCURRENCY,
        max_age_s=120,
        retries=0,
        permissions=(
            *partitions.READS,
            *partitions.may_write(*partitions.NOTIFIER),
            *_AROUND,
            *_channels(service),
            *_receiving(),
        ),
    )


def buttons(service: Service) -> Code:
    """The function behind Slack's buttons."""
    slack, hooks = service.notices.slack, pagerduty_hook.secrets_of(service.notices)
    named = dict.fromkeys((*((slack.secret,) if slack else ()), *hooks))
    secrets = tuple(_secret(one) for one in named)
    return Code(
        id="Actions",
        name=names.actions(service),
        description="Takes what people press in Slack and PagerDuty: checked, and noted for the round",
        handler="remediators.notifier.actions.handler",
        environment={},
        timeout_s=ACTIONS_TIMEOUT_S,
        concurrency=CONCURRENCY,
        max_age_s=60,
        retries=0,
        # Its URL is open to all, so it may ask and no more: a request beside a record, and that it was taken once.
        permissions=(
            *partitions.READS,
            *partitions.may_put(partitions.TAKEN),
            Permission("dynamodb.update_item", partitions.LEDGER, condition=partitions.requests("R#*", "I#*")),
            *_AROUND,
            *secrets,
        ),
    )


def _buttons(service: Service) -> Json:
    return {
        **functions.resources(service, buttons(service)),
        "ActionsUrl": {
            "Type": "AWS::Lambda::Url",
            "Metadata": OPEN,
            "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["Actions", "Arn"]}, "AuthType": "NONE"},
        },
        # Since October 2025 a function URL needs both.
        # https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
        "ActionsUrlLeave": {
            "Type": "AWS::Lambda::Permission",
            "Metadata": OPEN,
            "Properties": {
                "Action": "lambda:InvokeFunctionUrl",
                "FunctionName": {"Ref": "Actions"},
                "FunctionUrlAuthType": "NONE",
                "Principal": "*",
            },
        },
        "ActionsLeave": {
            "Type": "AWS::Lambda::Permission",
            "Metadata": OPEN,
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Actions"},
                "InvokedViaFunctionUrl": True,
                "Principal": "*",
            },
        },
    }


def _channels(service: Service) -> tuple[Permission, ...]:
    """What the declared channels need, and no more."""
    notices, found = service.notices, [_PEOPLE, *([_SUBSCRIPTIONS] if service.addresses else [])]
    declared = routing.channels(notices, service.emails)
    if routing.SLACK in declared and notices.slack:
        found.append(_secret(notices.slack.secret))
    if routing.PAGERDUTY in declared and notices.pagerduty:
        found.append(_secret(notices.pagerduty.secret))
    contacts = notices.escalation.contacts if notices.escalation else ()
    found += [_secret(one.pagerduty.secret) for one in contacts if one.pagerduty]
    if routing.OPS_CENTER in declared:
        item = "arn:{partition}:ssm:{region}:{account}:opsitem/*"
        found += [
            Permission("ssm.create_ops_item", "*", OPS_PAGE),
            Permission("ssm.describe_ops_items", "*", OPS_PAGE),
            Permission("ssm.update_ops_item", item),
        ]
    return tuple(found)


def _secret(name: str) -> Permission:
    """Secrets Manager adds six characters to a secret's name.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html"""
    place = "arn:{partition}:secretsmanager:{region}:{account}:secret:"
    return Permission("secretsmanager.get_secret_value", f"{place}{name}-??????")


def _receiving() -> tuple[Permission, ...]:
    operations = ("receive_message", "delete_message", "get_queue_attributes", "change_message_visibility")
    return tuple(Permission(f"sqs.{one}", _QUEUE) for one in operations)


def _people(service: Service) -> Json:
    found = store.topic(service)
    return {**found, "Properties": {**found["Properties"], "TopicName": names.people(service)}}


def _people_policy(service: Service) -> Json:
    return store.topic_policy(service, "People")


def _queue(service: Service) -> Json:
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {
            "QueueName": names.notices(service),
            "VisibilityTimeout": VISIBLE_S,
            "MessageRetentionPeriod": RETENTION_S,
            "RedrivePolicy": {
                "deadLetterTargetArn": {"Fn::GetAtt": ["NoticesDead", "Arn"]},
                "maxReceiveCount": RECEIVES,
            },
            **_kept(service),
        },
    }


def _dead(service: Service) -> Json:
    properties = {"QueueName": names.notices_dead(service), "MessageRetentionPeriod": RETENTION_S, **_kept(service)}
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def _kept(service: Service) -> Json:
    return {
        "KmsMasterKeyId": store.if_key(store.KEY),
        "SqsManagedSseEnabled": store.if_key(store.NOTHING, True),
        "Tags": store.tags(service),
    }


def _queue_policy(queue_id: str) -> Json:
    """The topic may send to the queue: its messages, or to the dead-letter queue those that it could not deliver.
    https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"""
    statement = {
        "Sid": "MessagesOfTheTopic",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": [queue_id, "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}},
    }
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": queue_id}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }
