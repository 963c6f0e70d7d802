"""The account of a drill: service and watch from their templates, the real handlers, and time that is moved."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy import config as configuration
from drills.bell import Ring, state_change
from drills.cloud import Cloud, embedded_aws
from drills.metrics import MetricStore
from sereno.service import Service

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drill-cloud")]

TECHMODA = Path(__file__).resolve().parents[2] / "examples/techmoda"
START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC).timestamp()
RAISER, CAPACITY = "sereno-techmoda-raise-concurrency", "sereno-techmoda-raise-capacity"
ROUND = "sereno-techmoda-round"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    compiled = configuration.compile_config(configuration.load(TECHMODA / "sereno.yaml"))
    service, template = Service.from_json(compiled), TECHMODA / "template.yaml"
    with embedded_aws(service, compiled, template, MetricStore(), START, fast=False, quota=1000) as found:
        yield found


def alarm_event(cloud: Cloud, name: str = "techmoda/read/exhaustion", state: str = "ALARM") -> dict[str, Any]:
    spec = next(one for one in cloud.alarms if one.name == name)
    ring = Ring(spec, datetime.now(UTC).timestamp(), state, "OK", START, "forecast 161 over 84")
    return state_change(ring, account=cloud.service.account, region=cloud.service.region)


def test_the_watch_is_deployed_with_its_warm_up_and_its_composites(cloud):
    specs = {one.name: one for one in cloud.alarms}
    assert {"techmoda/read/exhaustion", "techmoda/catalogue/5xx", "sereno-techmoda/round/heartbeat"} <= set(specs)
    assert specs["sereno-techmoda/round/heartbeat"].warm_up_minutes is not None
    assert "techmoda/techmoda/customers-hurt" in {one.name for one in cloud.composites}
    assert not [name for name in specs if name.startswith("TargetTracking-")], "Auto Scaling's own are no watch"


def test_the_limits_are_those_that_the_configuration_declares(cloud):
    functions = cloud.service.functions.values()
    assert {one.name: cloud.reserved(one.name) for one in functions} == {one.name: one.reserved for one in functions}
    own = {one.name for one in cloud.service.functions.values()}
    assert cloud.reserved_by_others(own) > 0, "Sereno's own functions take from the same account"


def test_a_deployed_rule_sends_an_alarm_to_its_rung_of_remediators_and_to_nobody_else(cloud):
    surge, table = alarm_event(cloud), alarm_event(cloud, name="techmoda/products/read-capacity")
    assert sorted(function for _, function in cloud.matching(surge)) == [CAPACITY, RAISER]
    assert [function for _, function in cloud.matching(table)] == [CAPACITY]
    assert cloud.matching(alarm_event(cloud, state="OK")) == []
    for name in ("another/read/exhaustion", "techmoda-eu/read/exhaustion"):
        foreign = alarm_event(cloud)
        foreign["detail"]["alarmName"] = name
        foreign["resources"] = [cloud.arn_prefix + name]
        assert cloud.matching(foreign) == []


def test_the_round_is_on_a_schedule(cloud):
    assert [one.functions for one in cloud.rules if one.schedule == "rate(1 minute)"] == [(ROUND,)]


def test_time_stands_still_until_it_is_moved_for_everything(cloud):
    cloud.at(START + 90)
    assert time.time() == START + 90
    sent = cloud.clients("sqs").create_queue(QueueName="clock")["QueueUrl"]
    told = cloud.clients("sqs").get_queue_attributes(QueueUrl=sent, AttributeNames=["CreatedTimestamp"])
    assert float(told["Attributes"]["CreatedTimestamp"]) == START + 90


def test_the_real_handler_answers_and_its_log_is_read(cloud):
    list(cloud.printed())
    assert cloud.invoke(RAISER, alarm_event(cloud)) is None
    lines = list(cloud.printed())
    assert any("_aws" in line for line in lines), "its metrics"
    assert list(cloud.printed()) == []
    # Nothing ran in this world, so the remediator refuses to size a limit.
    row = cloud.clients("dynamodb").scan(TableName=cloud.created.physical("Ledger"))["Items"]
    assert "NO_DATA" in json.dumps(row)
    assert cloud.reserved("techmoda-read") == 120


def test_an_event_that_cannot_be_read_fails_the_invocation_with_its_reason(cloud):
    before = dict(os.environ)
    failure = cloud.invoke(RAISER, {"source": "nobody"})
    assert failure is not None
    assert failure.error.startswith("MalformedEvent: event: neither an alarm state change")
    assert dict(os.environ) == before, "a function's environment is its own"


def test_dead_letters_and_messages_are_counted_where_they_lie(cloud):
    before = cloud.dead_letters()
    cloud.dead_letter({"requestPayload": {}, "error": "MalformedEvent"})
    assert cloud.dead_letters() == before + 1
    list(cloud.messages())
    cloud.tell("A subject " + "x" * 200, {"AlarmName": "techmoda/catalogue/5xx"})
    (told,) = cloud.messages()
    assert len(told["Subject"]) <= 100, "SNS allows no longer one"
    assert json.loads(told["Message"]) == {"AlarmName": "techmoda/catalogue/5xx"}
    assert list(cloud.messages()) == []
