"""From an event to a signal.

CloudWatch tells of an alarm in three shapes: an EventBridge event, a direct Lambda action, an SNS notification.
A person or the round may start a remediation by hand. Every one becomes a `Signal`; anything else is a
`MalformedEvent`, which leaves the handler as an exception, so that the event ends in the OnFailure queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sereno import untrusted
from sereno.errors import MalformedEvent
from sereno.model import Signal, Target, instant, iso
from sereno.service import Service

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
NAME_LIMIT = 255  # PutMetricAlarm: AlarmName
SHOWN = 60


def parse(event: object, service: Service) -> list[Signal]:
    """All signals that an event carries (an SNS delivery may hold several records).

    Raises MalformedEvent naming the place and the value.
    """
    untrusted.check(event)
    if not isinstance(event, Mapping):
        raise MalformedEvent(f"event: expected an object, got {_show(event)}")
    if "Records" in event:
        return _from_sns(event, service)
    if "alarmData" in event:
        return [_from_lambda_action(event, service)]
    if "sereno" in event:
        return [_from_person(event["sereno"], service)]
    if event.get("source") == "aws.cloudwatch" and event.get("detail-type") == "CloudWatch Alarm State Change":
        return [_from_eventbridge(event, service)]
    raise MalformedEvent(
        f"event: neither an alarm state change nor a manual signal (source {_show(event.get('source'))}, "
        f"detail-type {_show(event.get('detail-type'))})"
    )


def alarm_signal(  # one argument for each fact that every shape carries
    service: Service,
    *,
    arn: str,
    name: str,
    state: str,
    previous: str,
    at: datetime,
    reason: str,
    muted: bool = False,
    source: str = "alarm",
    raw_ref: str = "",
) -> Signal:
    """The signal of an alarm's state change, whichever road told of it.

    The id is the alarm's ARN and the millisecond of the change: the same change is the same signal.
    """
    account, region = account_and_region(arn)
    what, resource = split_name(name, service)
    target = service.target(resource) if resource else None
    if target is None or (account, region) != (service.account, service.region):
        target = Target("unknown", resource or name, region, account)
    return Signal(
        id=f"{arn}@{iso(at)}",
        source=source,
        name=name,
        what=what,
        state=state,
        previous=previous,
        target=target,
        at=at,
        reason=reason[:1023],  # StateReason's own limit
        muted=muted,
        raw_ref=raw_ref,
    )


def account_and_region(arn: str) -> tuple[str, str]:
    """Account and region of an alarm's ARN. Raises MalformedEvent on anything else."""
    parts = arn.split(":", 6)
    if len(parts) != 7 or parts[0] != "arn" or parts[2] != "cloudwatch" or parts[5] != "alarm":
        raise MalformedEvent(
            f"alarm ARN: {_show(arn)} is not arn:<partition>:cloudwatch:<region>:<account>:alarm:<name>"
        )
    return parts[4], parts[3]


def split_name(name: str, service: Service) -> tuple[str, str]:
    """(*what*, resource key) of an alarm name: bound by the configuration, or `<service>/<resource>/<what>`.

    Both empty when the alarm is not this service's.
    """
    if name in service.bindings:
        what, resource = service.bindings[name]
        return what, resource
    parts = name.split("/")
    if len(parts) == 3 and parts[0] == service.name:
        return parts[2], parts[1]
    return "", ""


def _from_eventbridge(event: Mapping[str, Any], service: Service) -> Signal:
    detail = _object(event, "detail", "event")
    resources = event.get("resources")
    if not isinstance(resources, list) or not resources or not isinstance(resources[0], str):
        raise MalformedEvent(f"event.resources: expected the alarm's ARN, got {_show(resources)}")
    account, _ = account_and_region(resources[0])
    if event.get("account") != account:
        raise MalformedEvent(f"event.account: {_show(event.get('account'))} is not the alarm's own ({account})")
    return _from_detail(detail, resources[0], service, "event.detail", str(event.get("id", "")))


def _from_lambda_action(event: Mapping[str, Any], service: Service) -> Signal:
    detail = _object(event, "alarmData", "event")
    return _from_detail(detail, _text(event, "alarmArn", "event"), service, "event.alarmData", "")


def _from_detail(detail: Mapping[str, Any], arn: str, service: Service, place: str, ref: str) -> Signal:
    state = _object(detail, "state", place)
    previous = detail.get("previousState")
    before = previous.get("value", "") if isinstance(previous, Mapping) else ""
    return alarm_signal(
        service,
        arn=arn,
        name=_name(_text(detail, "alarmName", place), f"{place}.alarmName"),
        state=_state(_text(state, "value", f"{place}.state"), f"{place}.state.value"),
        previous=str(before),
        at=_time(_text(state, "timestamp", f"{place}.state"), f"{place}.state.timestamp"),
        reason=str(state.get("reason", "")),
        # A mute rule or a composite's suppressor keeps CloudWatch's own actions from running; the event comes
        # all the same, so the decision is ours.
        muted=bool(detail.get("muteDetail") or state.get("actionsSuppressedBy")),
        raw_ref=ref,
    )


def _from_sns(event: Mapping[str, Any], service: Service) -> list[Signal]:
    records = event["Records"]
    if not isinstance(records, list) or not records:
        raise MalformedEvent(f"event.Records: expected a list of SNS records, got {_show(records)}")
    return [_from_record(record, f"event.Records[{index}]", service) for index, record in enumerate(records)]


def _from_record(record: object, place: str, service: Service) -> Signal:
    if not isinstance(record, Mapping):
        raise MalformedEvent(f"{place}: expected an object, got {_show(record)}")
    sns = _object(record, "Sns", place)
    text = _text(sns, "Message", f"{place}.Sns")
    message = untrusted.load_json(text, f"{place}.Sns.Message")
    if not isinstance(message, Mapping):
        raise MalformedEvent(f"{place}.Sns.Message: expected an object, got {_show(message)}")
    inner = f"{place}.Sns.Message"
    return alarm_signal(
        service,
        arn=_text(message, "AlarmArn", inner),
        name=_name(_text(message, "AlarmName", inner), f"{inner}.AlarmName"),
        state=_state(_text(message, "NewStateValue", inner), f"{inner}.NewStateValue"),
        previous=str(message.get("OldStateValue", "")),
        at=_time(_text(message, "StateChangeTime", inner), f"{inner}.StateChangeTime"),
        reason=str(message.get("NewStateReason") or ""),
        raw_ref=str(sns.get("MessageId", "")),
    )


def _from_person(body: object, service: Service) -> Signal:
    if not isinstance(body, Mapping):
        raise MalformedEvent(f"event.sereno: expected an object, got {_show(body)}")
    what, resource = _text(body, "what", "event.sereno"), _text(body, "resource", "event.sereno")
    by = _text(body, "by", "event.sereno")
    at = _time(_text(body, "at", "event.sereno"), "event.sereno.at")
    target = service.target(resource)
    if target is None:
        raise MalformedEvent(f"event.sereno.resource: {_show(resource)} is not a resource of {service.name}")
    name = f"{service.name}/{resource}/{what}"
    return Signal(
        id=f"manual:{name}:{by}@{iso(at)}",
        source="manual",
        name=_name(name, "event.sereno"),
        what=what,
        state="ALARM",
        previous="",
        target=target,
        at=at,
        reason=f"asked for by {by}: {body.get('reason', '')}"[:1023],
    )


def _object(holder: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = holder.get(key)
    if not isinstance(value, Mapping):
        raise MalformedEvent(f"{place}.{key}: expected an object, got {_show(value)}")
    return value


def _text(holder: Mapping[str, Any], key: str, place: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedEvent(f"{place}.{key}: expected text, got {_show(value)}")
    return value


def _name(name: str, place: str) -> str:
    if len(name) > NAME_LIMIT:
        raise MalformedEvent(f"{place}: {_show(name)} has {len(name)} characters (CloudWatch allows {NAME_LIMIT})")
    return name


def _state(state: str, place: str) -> str:
    if state not in STATES:
        raise MalformedEvent(f"{place}: {_show(state)} is none of {', '.join(STATES)}")
    return state


def _time(text: str, place: str) -> datetime:
    try:
        return instant(text)
    except ValueError as error:
        raise MalformedEvent(f"{place}: {_show(text)} is not a time with a zone") from error


def _show(value: object) -> str:
    from sereno.escape import shown  # only where something is wrong: not on a signal's way

    text = repr(value) if isinstance(value, str) else shown(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
