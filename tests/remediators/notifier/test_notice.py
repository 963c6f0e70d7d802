"""A message of the topic is read strictly, and what the outbox publishes is one."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from remediators.notifier import notice
from remediators.outbox import incident_message
from remediators.outbox import message as published
from sereno.errors import MalformedEvent
from sereno.incident import Incident, Stage
from sereno.lifecycle import Remediation
from sereno.model import Event, Signal, Status, Target

NOON = datetime(2026, 9, 29, 12, 0, tzinfo=UTC)
READ = Target("function", "shop-read", "eu-west-1", "123456789012")
SIGNAL = Signal("s", "cloudwatch", "shop/read/throttles", "throttles", "ALARM", "OK", READ, NOON)


def fits(body):
    """Whether a body has all that its schema asks for, and nothing of another type."""
    schema = notice.schema()
    (own,) = (one for one in schema["oneOf"] if one["properties"]["kind"]["const"] == body["kind"])
    needed = {*schema["required"], *own["required"]}
    assert needed <= set(body), needed - set(body)
    for name, rule in {**schema["properties"], **own["properties"]}.items():
        if "enum" in rule and name in body:
            assert body[name] in rule["enum"], name
        if "const" in rule:
            assert body[name] == rule["const"]
        if rule.get("type") == "string" and name in body:
            assert isinstance(body[name], str), name
    return True


@pytest.mark.parametrize("status", sorted(Status))
def test_what_the_outbox_publishes_fits_its_schema_and_is_read(status):
    event = Event(NOON, str(status), "so it goes")
    one = Remediation("r1", "raise_concurrency", SIGNAL, READ, NOON, status=status, unpublished=(event,), sequence=1)
    body = published(one)
    assert fits(body)
    read = notice.read(json.dumps(body))
    assert (read.kind, read.id, read.status, read.sequence, read.thread) == (
        "remediation",
        "r1",
        str(status),
        1,
        "r1",
    )


@pytest.mark.parametrize("stage", list(Stage))
def test_so_does_the_news_of_an_incident(stage):
    incident = Incident("incident-1", "shop", "shop/read", "shop-read: throttles", NOON, stage=stage, sequence=2)
    body = incident_message(incident, "eu-west-1", "123456789012", Event(NOON, str(stage), "", "ana"), "page")
    assert fits(body)
    read = notice.of(body)
    assert (read.id, read.thread, read.severity, read.by, read.is_over) == (
        "incident-1",
        "incident-1",
        "page",
        "ana",
        stage is Stage.RESOLVED,
    )


def test_the_schema_in_the_docs_is_this_one():
    from pathlib import Path

    text = (Path(__file__).parents[3] / "docs" / "notice.schema.json").read_text()
    assert json.loads(text) == notice.schema()


def test_snss_envelope_is_opened(message):
    wrapped = json.dumps({"Type": "Notification", "Message": json.dumps(message())})
    assert notice.read(wrapped) == notice.read(json.dumps(message()))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 2}, "message.version: 2 is not 1"),
        ({"version": None}, "message.version: None"),
        ({"kind": "gossip"}, "message.kind: 'gossip' is none of remediation, incident"),
        ({"key": ""}, "message.key: '' is no text"),
        ({"sequence": "3"}, "message.sequence: '3' is no number"),
        ({"sequence": True}, "message.sequence: True is no number"),
        ({"sequence": -1}, "message.sequence: -1"),
        ({"status": "GREAT"}, "message.status: 'GREAT' is none of"),
        ({"severity": "loud"}, "message.severity: 'loud'"),
        ({"mode": "fast"}, "message.mode: 'fast'"),
        ({"at": "yesterday"}, "message.at: "),
        ({"target": "read"}, "message.target: 'read' is no object"),
        ({"changes": "all"}, "message.changes: 'all' is no list"),
        ({"changes": [{}]}, "message.changes: {} names no setting"),
        ({"detail": 7}, "message.detail: 7 is no text"),
        ({"service": None}, "message.service: None is no text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(message, changed, said):
    with pytest.raises(MalformedEvent, match="^" + said.split(":")[0].replace(".", r"\.")) as refused:
        notice.of({**message(), **changed})
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["", "hello", "[]", "null", '{"Type": "Notification", "Message": "hello"}'])
def test_what_is_no_message_is_refused(text):
    with pytest.raises(MalformedEvent):
        notice.read(text)
