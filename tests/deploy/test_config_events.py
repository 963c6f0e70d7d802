"""Planned events in the file: what is wrong with them, and what is allowed but said."""

from __future__ import annotations

import json

import pytest

from deploy import config, config_events, synth
from deploy.synth import rules
from remediators import registry
from sereno.errors import InvalidInput
from sereno.model import Mode
from sereno.service import PLANNED_EVENT, Service

HEAD = 'service: shop\naccount: "123456789012"\nregion: eu-west-1\nobjectives: {surge: 9x}\n'
BODY = "resources: {functions: {checkout: {name: shop-checkout, normal: 8}}}\n"
MONDAY = "{name: sale, from: 2027-03-01T09:00:00+01:00, to: 2027-03-02T09:00:00+01:00, factor: 5x}"


def service(*events: str, more: str = "", body: str = BODY) -> Service:
    text = HEAD + body + more + "".join(["events:\n", *(f"  - {one}\n" for one in events)] if events else [])
    return Service.from_json(json.loads(json.dumps(config.compile_config(config.parse(text)))))


def told(*events: str) -> list[str]:
    with pytest.raises(InvalidInput) as found:
        service(*events)
    return [str(one) for one in found.value.problems]


def test_an_event_reaches_the_watch_with_a_play_of_its_own():
    found = service(MONDAY, more="mode: auto\n")
    (event,) = found.events
    assert (event.name, event.factor, event.prewarm_s) == ("sale", 5, 1800)
    play = found.playbook[PLANNED_EVENT]
    assert "raise_concurrency" in play.first
    assert play.rungs[-1] == ("open_incident",)
    assert play.mode is Mode.AUTO


def test_who_plans_no_event_has_no_play_for_one():
    assert PLANNED_EVENT not in service().playbook


def test_the_play_of_events_may_be_written_like_any_other():
    found = service(MONDAY, more="playbook: {planned-event: {mode: approve, limits: {ceiling: 400}}}\n")
    assert (found.playbook[PLANNED_EVENT].mode, found.playbook[PLANNED_EVENT].params) == (
        Mode.APPROVE,
        {"ceiling": 400},
    )


def test_one_may_begin_when_the_other_ends_in_whatever_zone():
    service(MONDAY, "{name: next, from: 2027-03-02T08:00:00Z, to: 2027-03-03T08:00:00Z, factor: 2x}")


def test_events_that_run_at_once_are_told_in_whatever_order_they_stand():
    inner = "{name: inner, from: 2027-03-01T10:00:00Z, to: 2027-03-01T11:00:00Z, factor: 2x}"
    late = "{name: late, from: 2027-03-02T07:59:00Z, to: 2027-03-04T08:00:00Z, factor: 2x}"
    found = told(late, inner, MONDAY)
    assert [one.partition(":")[0] for one in found] == ["events[0].from", "events[1].from"]
    assert all("lies in sale, which runs to 2027-03-02T08:00:00+00:00" in one for one in found)


def test_what_is_wrong_with_several_events_is_told_at_once():
    backwards = "{name: sale, from: 2027-03-09T10:00:00Z, to: 2027-03-09T10:00:00Z, factor: 2}"
    brief = "{name: brief, from: 2027-04-09T10:00:00Z, to: 2027-04-09T10:00:30Z, factor: 2x, prewarm: 30s}"
    found = "\n".join(told(MONDAY, backwards, brief))
    for said in (
        'events[1].name: "sale" stands twice',
        "events[1].to: ",
        'events[1].factor: "2" has no x (write 2x)',
        "events[2].to: ",
        'events[2].prewarm: "30s" must lie between 1m and 24h',
    ):
        assert said in found


def test_a_factor_over_the_declared_surge_is_allowed_and_said():
    (note,) = config_events.notes(service(MONDAY.replace("5x", "12x")))
    assert note.startswith("sale: 12x is over objectives.surge, 9x")
    assert list(config_events.notes(service(MONDAY))) == []


def test_a_prewarm_that_meets_the_event_before_is_said():
    after = "{name: next, from: 2027-03-02T08:20:00Z, to: 2027-03-03T08:00:00Z, factor: 2x}"
    (note,) = config_events.notes(service(MONDAY, after))
    assert note.startswith("next: its prewarm begins while sale still runs")


def test_a_prewarm_too_short_for_what_takes_minutes_is_said():
    short = MONDAY.replace("factor: 5x", "factor: 5x, prewarm: 5m")
    table = "    orders: {name: shop-orders, billing: provisioned, read: 10, write: 10}\n"
    found = service(short, more=f"resources:\n  tables:\n{table}", body="")
    (note,) = config_events.notes(found)
    assert note == "sale: a prewarm of 5m is short: AWS takes minutes to provision a table's capacity"
    assert list(config_events.notes(service(short))) == []


def test_a_play_that_no_event_starts_is_said():
    (note,) = config_events.notes(service(more="playbook: {planned-event: raise_concurrency}\n"))
    assert note == "playbook.planned-event: no event is planned, so nothing starts this play"


def test_no_rule_waits_for_what_the_round_starts():
    found = service(MONDAY, more="playbook: {planned-event: [raise_concurrency, open_incident]}\n")
    assert "exhaustion" in rules.first_rung(found, "raise_concurrency")
    assert PLANNED_EVENT not in rules.first_rung(found, "raise_concurrency")
    compiled = config.compile_config(config.parse(HEAD + BODY + f"events: [{MONDAY}]\n"))
    template = synth.synthesise(Service.from_json(compiled), compiled, remediators=registry.all_remediators())
    assert PLANNED_EVENT not in json.dumps([one for one in template["Resources"].values() if "Events" in one["Type"]])
