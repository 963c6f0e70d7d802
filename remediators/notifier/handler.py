"""The Lambda entry of the notifier: a batch of the queue, or the minute's tick that tells digests.

SERENO_PEOPLE  ARN of the topic to which people subscribe
SERENO_QUEUE   URL of the queue, to leave a message there for as long as a channel wants
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from remediators.handler import invocation
from remediators.notifier import routing, subscriptions, trial
from remediators.notifier.book import Book
from remediators.notifier.channels import VERBS, Channel
from remediators.notifier.email import Email
from remediators.notifier.escalation import mail_of, name_of
from remediators.notifier.notice import Notice, read
from remediators.notifier.notifier import Left, Notifier
from remediators.notifier.ops_center import OpsCenter
from remediators.notifier.pagerduty import ENDPOINTS, PagerDuty
from remediators.notifier.secrets import Secrets
from remediators.notifier.slack import SlackChannel
from remediators.notifier.wording import Wording
from remediators.watch import Watch
from sereno.errors import LedgerUnavailable, MalformedEvent
from sereno.escape import shown
from sereno.incident import SEVERITIES
from sereno.model import Json
from sereno.service import Notices, Slack

TICK = "digest"
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
LONGEST_S = 12 * 3600
# Between two tries of the same message, at most.
PATIENCE_S = 900
# From this age on (seconds) a message that is left counts as untold, and an alarm comes.
LATE_S = 300
_secrets: dict[str, Secrets] = {}


def handler(event: Any, context: Any) -> Json:
    """Tells of every message of the batch; those that are not done are answered as failures and stay in the queue."""
    with invocation(os.environ, context, "notifier") as watch:
        notifier = of(watch, os.environ)
        if isinstance(event, Mapping) and event.get("sereno") == TICK:
            _check_addresses(watch, os.environ)
            return {"digests": notifier.tick(), "reminders": notifier.remind()}
        if isinstance(event, Mapping) and event.get("sereno") == trial.EVENT:
            return {"channels": [one.to_json() for one in tried(watch, notifier, event.get("channels"))]}
        return answer(watch, notifier, records_of(event), os.environ.get("SERENO_QUEUE", ""))


def tried(watch: Watch, notifier: Notifier, wanted: object) -> list[trial.Result]:
    """A test message through each channel that is named."""
    named = wanted if isinstance(wanted, list) else list(notifier.channels)
    channels = {name: channel for name, channel in notifier.channels.items() if name in named}
    return trial.run(channels, watch.service.name, Wording(notifier.notices), watch.clock.now())


def _check_addresses(watch: Watch, environment: Mapping[str, str]) -> None:
    """Once an hour: whether each address still hears. What cannot be read says nothing."""
    emails = watch.service.addresses
    if not emails or watch.clock.now().minute >= 2:
        return
    try:
        there = subscriptions.read(watch.aws.client("sns"), environment["SERENO_PEOPLE"])
    except (ClientError, BotoCoreError) as error:
        watch.telemetry.log("warning", "subscriptions could not be read", error=str(error))
        return
    for email, state in subscriptions.states(tuple(emails), there).items():
        if state != subscriptions.CONFIRMED:
            watch.telemetry.log("error", "an address does not hear", email=email, state=state)
            watch.telemetry.count("Unsubscribed")


def records_of(event: object) -> list[Mapping[str, Any]]:
    """The messages of a batch. Raises MalformedEvent where they cannot be told apart: then all of them stay in the
    queue, and none is lost."""
    records = event.get("Records", []) if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise MalformedEvent(f"event.Records: expected a list of messages, got {shown(records)}")
    for number, record in enumerate(records):
        if not isinstance(record, Mapping) or not isinstance(record.get("messageId"), str):
            raise MalformedEvent(f"event.Records[{number}]: expected a message with its messageId")
    return records


def of(watch: Watch, environment: Mapping[str, str]) -> Notifier:
    """The notifier of an invocation."""
    service = watch.service
    return Notifier(
        notices=service.notices,
        emails=service.emails,
        channels=channels(watch, environment),
        book=Book(watch.aws.client("dynamodb"), environment["SERENO_LEDGER"], watch.owner),
        incidents=watch.ledger.incidents,
        clock=watch.clock,
        telemetry=watch.telemetry,
        time_left=watch.time_left,
    )


def channels(watch: Watch, environment: Mapping[str, str]) -> dict[str, Channel]:
    """The declared channels by their names."""
    service, found = watch.service, dict[str, Channel]()
    notices, secrets = service.notices, _secrets_of(watch)
    marks = {"page": Wording(notices).word("severity.page")}
    for name in routing.channels(notices, service.emails):
        if name == routing.EMAIL:
            found[name] = Email(watch.aws.client("sns"), environment["SERENO_PEOPLE"], words=marks)
        elif name == routing.OPS_CENTER:
            found[name] = OpsCenter(watch.aws.client("ssm"))
        elif name == routing.SLACK and notices.slack:
            found[name] = slack_channel(secrets, notices, notices.slack)
        elif name == routing.PAGERDUTY and notices.pagerduty:
            endpoint = ENDPOINTS[notices.pagerduty.region]
            found[name] = PagerDuty(secrets, notices.pagerduty.secret, endpoint=endpoint)
    for contact in notices.escalation.contacts if notices.escalation else ():
        if contact.email:
            sns, topic = watch.aws.client("sns"), environment["SERENO_PEOPLE"]
            found[mail_of(contact)] = Email(sns, topic, contact=contact.name, words=marks)
        if contact.pagerduty:
            endpoint, secret = ENDPOINTS[contact.pagerduty.region], contact.pagerduty.secret
            found[name_of(contact)] = PagerDuty(secrets, secret, contact=contact.name, endpoint=endpoint)
    return found


def slack_channel(secrets: Secrets, notices: Notices, slack: Slack) -> SlackChannel:
    """The channel of Slack, with its words in the notifications' language."""
    wording = Wording(notices)
    words = {severity: wording.word(f"severity.{severity}") for severity in SEVERITIES}
    words |= {"answer": wording.word("reply.answer"), "moved": wording.word("moved")}
    return SlackChannel(secrets, slack.secret, slack.channel, labels(notices), words=words, mentions=slack.mention)


def labels(notices: Notices) -> dict[str, str]:
    """The buttons' texts. Without anybody who may press them there are none."""
    if notices.slack is None or not notices.slack.approvers:
        return {}
    wording = Wording(notices)
    return {verb: wording.word(f"button.{verb}") for verb in VERBS}


def answer(watch: Watch, notifier: Notifier, records: Sequence[Mapping[str, Any]], queue: str) -> Json:
    """Lambda's partial batch response: the messages that are to come again.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""
    notices: list[tuple[int, Notice]] = []
    left: list[Left] = []
    for number, record in enumerate(records):
        try:
            notices.append((number, read(_body(record))))
        except MalformedEvent as error:
            # It goes to the dead letters after its tries, where an alarm calls a person.
            watch.telemetry.log("error", "malformed message", error=str(error))
            watch.telemetry.count("MalformedEvent")
            left.append(Left(number, 1.0))
    try:
        left += notifier.tell(notices)
    except LedgerUnavailable as error:
        watch.telemetry.log("error", "the ledger cannot be reached", error=str(error))
        left += [Left(number, 30.0) for number, _ in notices]
    for one in left:
        _leave(watch, records[one.number], one.after_s, queue)
    numbers = sorted({one.number for one in left})
    if late := sum(_age_s(records[number], watch.clock.now()) >= LATE_S for number in numbers):
        # The queue's own metric forgets a message that was received three times, as the alarm's comment tells.
        watch.telemetry.count("Untold", late)
    return {"batchItemFailures": [{"itemIdentifier": records[number]["messageId"]} for number in numbers]}


def _body(record: Mapping[str, Any]) -> str:
    body = record.get("body")
    return body if isinstance(body, str) else ""


def _age_s(record: Mapping[str, Any], now: datetime) -> float:
    """Seconds since a message came to the queue; 0 where SQS does not tell."""
    sent = _attribute(record, "SentTimestamp")
    return now.timestamp() - sent / 1000 if sent else 0.0


def _attribute(record: Mapping[str, Any], name: str) -> int:
    """A number that SQS tells of a message; 0 where it does not."""
    told = record.get("attributes")
    text = told.get(name) if isinstance(told, Mapping) else None
    return int(text) if isinstance(text, str) and re.fullmatch(r"[0-9]{1,15}", text) else 0


def _leave(watch: Watch, record: Mapping[str, Any], after_s: float, queue: str) -> None:
    """Leaves a message in the queue for as long as the channel wants, and longer each time it has failed."""
    tries = max(1, _attribute(record, "ApproximateReceiveCount"))
    wait = min(max(after_s, min(after_s * 2 ** min(tries - 1, 10), PATIENCE_S)), LONGEST_S)
    if not queue or not record.get("receiptHandle"):
        return
    try:
        watch.aws.client("sqs").change_message_visibility(
            QueueUrl=queue, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=int(wait)
        )
    except (ClientError, BotoCoreError) as error:
        # It comes again when the queue's own timeout is over.
        watch.telemetry.log("info", "could not be left for longer", error=str(error))


def _secrets_of(watch: Watch) -> Secrets:
    region = watch.service.region
    if region not in _secrets:
        _secrets[region] = Secrets(watch.aws.client("secretsmanager"), watch.clock)
    return _secrets[region]
