"""The Lambda behind Slack's buttons, reached by its function URL.

Slack cannot sign with IAM, so the URL is open to all and the signature is what counts: each request is checked
against the signing secret, may be five minutes old at most, and is taken once. Who pressed must be on the list, the
button must be of this service and this channel, and what it asks goes the same way as every approval.
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from slack_sdk.signature import Clock, SignatureVerifier

from remediators import approvals, items, partitions
from remediators.handler import invocation
from remediators.notifier import pagerduty_hook
from remediators.notifier.channels import OF_INCIDENT, VERBS, Refused, Unavailable
from remediators.notifier.handler import _secrets_of
from remediators.notifier.incoming import Forged, body_of, headers_of, path_of
from remediators.notifier.secrets import Secrets
from remediators.notifier.slack_blocks import ACTION
from remediators.watch import Watch
from sereno import people
from sereno.errors import LedgerUnavailable
from sereno.errors import Refused as NotPossible
from sereno.model import Json, Status
from sereno.service import Slack

# https://docs.slack.dev/authentication/verifying-requests-from-slack: older ones may be replayed.
WINDOW_S = 300
MUTE = timedelta(minutes=30)
_ID = re.compile(r"[A-Za-z0-9-]{1,120}")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_STAMP, _SIGNATURE = re.compile(r"[0-9]{1,12}"), re.compile(r"v0=[0-9a-f]{64}")
# Slack gives these URLs, and no others; what else stands there would be told what happened.
ANSWER_TO = "https://hooks.slack.com/"
# Slack waits for three seconds in all, and shows a fault to who pressed when they are over.
# https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Press:
    """A button that a person pressed."""

    verb: str
    id: str
    service: str
    plan: str | None
    expires: int | None
    user: str
    name: str
    channel: str
    answer_to: str


def handler(event: Mapping[str, Any], context: Any) -> Json:
    """Answers Slack within its three seconds: 200 when it is Slack, whatever came of it, and 401 when it is not."""
    with invocation(os.environ, context, "actions") as watch:
        if path_of(event) == pagerduty_hook.PATH:
            return _of_pagerduty(watch, event)
        slack = watch.service.notices.slack
        if slack is None:
            return _http(404)
        try:
            body = verified(event, _secrets_of(watch), slack, watch.clock.now())
            press = read(body, slack, watch.service.name)
            text = carry_out(watch, press, _mark(event), os.environ["SERENO_LEDGER"])
        except Forged as error:
            watch.telemetry.log("warning", "a request was refused", why=str(error))
            watch.telemetry.count("Forged")
            return _http(401)
        except (Refused, Unavailable) as error:
            watch.telemetry.log("error", "could not be checked", error=str(error))
            return _http(503)
        except LedgerUnavailable as error:
            watch.telemetry.log("error", "the ledger cannot be reached", error=str(error))
            text = "Nothing was noted: the ledger cannot be reached. Try again, or use the command."
        tell_back(press.answer_to, text)
        return _http(200)


def _of_pagerduty(watch: Watch, event: Mapping[str, Any]) -> Json:
    """Takes PagerDuty's webhook: 200 when PagerDuty sent it, whatever came of it."""
    names, now = pagerduty_hook.secrets_of(watch.service.notices), watch.clock.now()
    if not names:
        return _http(404)
    try:
        taken = pagerduty_hook.read(pagerduty_hook.verified(event, _secrets_of(watch), names), now)
        said = pagerduty_hook.carry_out(watch.ledger.incidents, taken) if taken else "no news of an incident"
    except Forged as error:
        watch.telemetry.log("warning", "a request was refused", why=str(error))
        watch.telemetry.count("Forged")
        return _http(401)
    except (Refused, Unavailable, LedgerUnavailable) as error:
        # PagerDuty tries again.
        watch.telemetry.log("error", "could not be taken", error=str(error))
        return _http(503)
    watch.telemetry.log("info", "PagerDuty's webhook", incident=taken.incident if taken else "", said=said)
    return _http(200)


def verified(event: Mapping[str, Any], secrets: Secrets, slack: Slack, now: datetime) -> bytes:
    """The body of a request that Slack signed, and signed just now. Raises Forged, Refused, Unavailable."""
    headers, body = headers_of(event), body_of(event)
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    # Anybody may write anything here, and what makes the function fail would wake somebody.
    if not _STAMP.fullmatch(stamp) or not _SIGNATURE.fullmatch(signature):
        raise Forged("no signature")
    if abs(now.timestamp() - int(stamp)) > WINDOW_S:
        raise Forged("signed too long ago, or in the future")
    verifier = SignatureVerifier(secrets.value(slack.secret, "signing_secret"), clock=_At(now))
    if not verifier.is_valid(body, stamp, signature):
        raise Forged("the signature does not fit")
    return body


class _At(Clock):
    """The time as it was given, for Slack's own check of the window."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> float:
        return self._now.timestamp()


def read(body: bytes, slack: Slack, service: str) -> Press:
    """What was pressed, by whom. Raises Forged for everything that no button of this service in this channel says."""
    try:
        payload = _json(parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"][0])
        if payload["type"] != "block_actions":
            raise Forged(f"a payload of type {payload['type']!r}")
        (action,) = payload["actions"]
        value = _json(action["value"])
        press = Press(
            verb=str(value["verb"]),
            id=str(value["id"]),
            service=str(value["service"]),
            plan=value["plan"],
            expires=value["expires"],
            user=str(payload["user"]["id"]),
            name=str(payload["user"].get("username") or payload["user"].get("name") or payload["user"]["id"]),
            channel=str((payload.get("channel") or payload["container"]).get("id", "")),
            answer_to=str(payload.get("response_url") or ""),
        )
    except Forged:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Forged(f"no press of a button: {type(error).__name__}") from None
    if press.service != service:
        raise Forged(f"a button of {press.service[:40]!r}")
    if press.channel != slack.channel:
        raise Forged("pressed in another channel")
    if press.verb not in VERBS or action.get("action_id") != f"{ACTION}{press.verb}" or not _ID.fullmatch(press.id):
        raise Forged("no button of Sereno")
    if press.plan is not None and not (isinstance(press.plan, str) and _DIGEST.fullmatch(press.plan)):
        raise Forged("a plan that is no digest")
    if press.expires is not None and not isinstance(press.expires, int):
        raise Forged("a deadline that is no moment")
    return press


def _json(text: Any) -> Any:
    """What Slack sent as JSON. Names may hold half a character, so only size and depth are bounded here."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def carry_out(watch: Watch, press: Press, mark: str, table: str) -> str:
    """Notes what was asked for; a sentence for who pressed. What cannot be leaves the ledger as it is. Raises Forged
    for a request that was taken before, and LedgerUnavailable."""
    now, by = watch.clock.now(), people.by_slack(press.name, press.user)
    slack = watch.service.notices.slack
    if slack is None or press.user not in slack.approvers:
        # A person of the channel, whom Slack itself vouches for: told why, and nothing is noted.
        watch.telemetry.log("warning", "who pressed may not", user=press.user[:20], verb=press.verb)
        watch.telemetry.count("NotAllowed")
        who = ", ".join(f"<@{one}>" for one in slack.approvers) if slack else ""
        return f"Nothing was noted: you are not among notifications.slack.approvers. Ask {who}."
    if press.verb in OF_INCIDENT:
        return _of_incident(watch, press, by, mark, table)
    verb = "revert" if press.verb == "refuse" else press.verb
    if press.expires is not None and now.timestamp() >= press.expires:
        return f"{press.id} can no longer be approved: its time is over."
    found = watch.ledger.get(press.id)
    if found is None:
        return f"There is no remediation {press.id}."
    if press.verb == "refuse" and found.status is not Status.AWAITING_APPROVAL:
        # An old button: to refuse a plan is not to take back the change that came of it.
        return f"{press.id} is {found.status} and asks no more. To take a change back, press its own button."
    answer = approvals.judge(found, watch.service, verb, by=by, plan=press.plan, now=now)
    if answer.ok:
        _take_once(watch, mark, table)
        answer = approvals.ask(watch.ledger, watch.service, verb, press.id, by=by, plan=press.plan, now=now)
    watch.telemetry.log("info", "pressed", verb=verb, id=press.id, by=press.user, answer=answer.reason)
    cost = found.plan.monthly_cost if found.plan and answer.ok and verb == "approve" else 0.0
    return f"{answer.text} It costs about {cost:,.2f} USD a month while it is active." if cost > 0 else answer.text


def _of_incident(watch: Watch, press: Press, by: str, mark: str, table: str) -> str:
    """What was asked of an incident: to take it, to end it, to silence it. The reconciler carries it out."""
    now, book = watch.clock.now(), watch.ledger.incidents
    incident = book.get(press.id)
    if incident is None or not incident.is_open:
        return f"{press.id} is over, or there is no such incident."
    _take_once(watch, mark, table)
    try:
        book.ask(press.id, press.verb, by, until=now + MUTE if press.verb == "mute" else None)
    except NotPossible as error:
        return str(error)
    return {
        "ack": f"Noted: {press.id} is yours. Everybody is told within a minute, and nobody else is called.",
        "resolve": f"Noted: {press.id} is resolved within a minute, and everybody is told.",
        "mute": f"Noted: {press.id} is silent for 30 minutes, from the next minute on. Its end will be told.",
    }[press.verb]


def tell_back(
    answer_to: str, text: str, *, pool: urllib3.PoolManager | None = None, allowed: str = ANSWER_TO
) -> bool:
    """Tells who pressed, and nobody else, what came of it. What was noted stands, whether this arrives or not."""
    if not answer_to.startswith(allowed):
        return False
    try:
        answer: Any = (pool or urllib3.PoolManager(retries=False)).request(
            "POST",
            answer_to,
            body=json.dumps({"response_type": "ephemeral", "replace_original": False, "text": text}).encode(),
            headers={"Content-Type": "application/json"},
            timeout=urllib3.Timeout(total=TIMEOUT_S),
            retries=False,
        )
    except urllib3.exceptions.HTTPError:
        return False
    return bool(answer.status == 200)


def _mark(event: Mapping[str, Any]) -> str:
    """Names a signed request."""
    return hashlib.sha256(headers_of(event)["x-slack-signature"].encode()).hexdigest()


def _take_once(watch: Watch, mark: str, table: str) -> None:
    """The same signed request twice is a replay. Raises Forged, LedgerUnavailable."""
    kept_until = int(watch.clock.now().timestamp()) + 4 * WINDOW_S
    try:
        watch.aws.client("dynamodb").put_item(
            TableName=table,
            Item=items.item(partitions.TAKEN, mark, ttl=kept_until),
            ConditionExpression="attribute_not_exists(pk)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise Forged("the same request once more") from None
        raise LedgerUnavailable(f"put_item: {error}") from error
    except BotoCoreError as error:
        raise LedgerUnavailable(f"put_item: {error}") from error


def _http(status: int) -> Json:
    return {"statusCode": status, "headers": {"Content-Type": "text/plain"}, "body": ""}
