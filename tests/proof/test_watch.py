"""What stands once the template is deployed, and what its parts do by themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import time

import pytest
from proving.watch import TICK

from deploy.synth import names

pytestmark = pytest.mark.xdist_group("proof")

WITHIN_S = 45.0


def until(seen, within_s=WITHIN_S):
    """What `seen` answers once it is something."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = seen()
        if found:
            return found
        time.sleep(0.2)
    return seen()


@pytest.fixture
def functions(watch):
    """The configurations of Sereno's functions, by name."""
    found = watch.emulator.client("lambda").list_functions()["Functions"]
    return {one["FunctionName"]: one for one in found if one["FunctionName"].startswith("sereno-")}


def test_every_function_runs_from_the_very_package(functions, shipped):
    digest = base64.b64encode(hashlib.sha256(shipped.package.read_bytes()).digest()).decode()
    wanted = {
        one["Properties"]["FunctionName"]
        for one in shipped.template["Resources"].values()
        if one["Type"] == "AWS::Lambda::Function"
    }
    assert {name: one["CodeSha256"] for name, one in functions.items()} == dict.fromkeys(wanted, digest)


def test_every_resource_of_the_template_stands(watch, shipped):
    wanted = shipped.template["Resources"]
    alarms = {one["Properties"]["AlarmName"] for one in wanted.values() if "Alarm" in one["Type"]}
    found = watch.emulator.client("cloudwatch").describe_alarms(
        AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
    )
    there = {one["AlarmName"] for one in (*found["MetricAlarms"], *found["CompositeAlarms"])}
    assert alarms == {name for name in there if not name.startswith("contract-")}
    apart = {key for key, one in wanted.items() if "Alarm" in one["Type"]} - watch.stack.physical.keys()
    assert wanted.keys() - apart == watch.stack.physical.keys()


def test_every_function_answers_its_first_event_and_has_its_slice_of_concurrency(watch, functions, shipped):
    """The zip has all that a cold start needs, and the role allows what the Init phase does."""
    lambda_ = watch.emulator.client("lambda")
    assert "sereno-techmoda-round" in functions
    for name in functions:
        event = TICK if name.endswith("-round") else {"sereno": manual(watch)}
        answer = lambda_.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, (name, json.load(answer["Payload"]))
        assert lambda_.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] >= 1


def manual(watch):
    """A signal for which no play is bound: it is read, judged and recorded, and nothing is done."""
    now = watch.emulator.clock.now().isoformat()
    return {"what": "rehearsal", "resource": "health", "by": "ana", "at": now, "reason": "does it answer?"}


def test_an_event_that_nobody_can_read_ends_in_the_dead_letter_queue(watch):
    broken = {"detail-type": "nothing that Sereno knows"}
    name = names.function(watch.service, "raise_concurrency")
    watch.emulator.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(broken).encode()
    )
    (letter,) = until(watch.dead_letters)
    assert letter["requestPayload"] == broken
    assert "neither an alarm state change nor a manual signal" in json.dumps(letter["responsePayload"])
    watch.burn_dead_letters()


def test_the_schedule_starts_a_round_each_minute(watch):
    """The emulator looks at its schedules every ten seconds by this machine's clock, and counts a minute from its
    first look at a rule: two looks, with a minute between them."""
    events, name = watch.emulator.client("events"), f"sereno-{watch.service.name}-minute"
    before = watch.rounds_completed()
    events.enable_rule(Name=name)

    def a_minute_later():
        watch.emulator.clock.forward(61)
        time.sleep(2)
        return watch.rounds_completed() > before

    try:
        assert until(a_minute_later)
    finally:
        events.disable_rule(Name=name)
