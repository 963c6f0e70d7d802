"""The deployed alarms ring as CloudWatch would ring them: by their phase, after their warm-up, composites above."""

from __future__ import annotations

from typing import Any

import pytest

from alarms.assumptions import Assumptions
from alarms.spec import AlarmSpec, CompositeSpec, MetricQuery
from drills.bell import Belfry, sns_message, state_change
from drills.metrics import MetricStore
from sereno.service import Service
from sereno.signal import parse

START = 1_790_000_040.0  # a whole minute
ACCOUNT, REGION = "123456789012", "eu-west-1"


def alarm(name: str = "shop/read/throttles", period: int = 60, **changes: Any) -> AlarmSpec:
    fields: dict[str, Any] = {
        "name": name,
        "namespace": "AWS/Lambda",
        "metric_name": "Throttles",
        "dimensions": (("FunctionName", "shop-read"),),
        "statistic": "Sum",
        "period": period,
        "evaluation_periods": 1,
        "threshold": 0.0,
        "comparison_operator": "GreaterThanThreshold",
        "treat_missing_data": "notBreaching",
    }
    return AlarmSpec(**(fields | changes))


def throttled(
    store: MetricStore, minute: int, count: float, *, late_s: float = 0.0, function: str = "shop-read"
) -> None:
    """So many throttles in that minute of the drill, visible `late_s` after it ended."""
    begins = START + 60 * minute
    store.put(
        *("AWS/Lambda", "Throttles", {"FunctionName": function}, begins, 60),
        visible_at=begins + 60 + late_s,
        total=count,
        count=1,
        minimum=count,
        maximum=count,
    )


def hung(*specs: AlarmSpec, composites: tuple[CompositeSpec, ...] = (), seed: int = 1) -> Belfry:
    return Belfry.hang(specs, composites, MetricStore(), START, seed)


def rings(belfry: Belfry, until_s: float, number: int = 0) -> list[tuple[float, str, str]]:
    """(seconds since the start, previous, state) of every ring of one alarm."""
    moment, found = {number: moment for moment, number in belfry.first_ticks()}[number], []
    while moment <= START + until_s:
        found += [(ring.at - START, ring.previous, ring.state) for ring in belfry.evaluate(number, moment)]
        moment += belfry.bells[number].every
    return found


def test_every_alarm_has_a_phase_of_its_own_that_hangs_on_its_name_and_the_seed():
    one, other = alarm(), alarm("shop/write/throttles")
    phases = {
        spec.name: moment for spec, (moment, _) in zip((one, other), hung(one, other).first_ticks(), strict=True)
    }
    assert len(set(phases.values())) == 2
    assert all(START <= moment < START + 60 for moment in phases.values())
    (alone, _), *_ = hung(one).first_ticks()
    assert alone == phases[one.name], "whatever else hangs beside it"
    (elsewhere, _), *_ = hung(one, seed=2).first_ticks()
    assert elsewhere != alone


def test_a_high_resolution_alarm_is_looked_at_every_ten_seconds():
    assert [one.every for one in hung(alarm(), alarm("shop/read/fast", 10)).bells] == [10.0, 60.0]


def test_an_alarm_rings_once_when_its_state_changes_and_not_again():
    belfry = hung(alarm())
    for minute in range(10):
        throttled(belfry.store, minute, 5 if 3 <= minute < 6 else 0)
    found = rings(belfry, 600)
    assert [(previous, state) for _, previous, state in found] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]
    assert 4 * 60 <= found[1][0] < 5 * 60, "within a minute of the first bad minute's end"


def test_what_is_not_visible_yet_does_not_ring():
    prompt, tardy = hung(alarm()), hung(alarm())
    for minute in range(8):
        throttled(prompt.store, minute, 5 if minute >= 3 else 0)
        throttled(tardy.store, minute, 5 if minute >= 3 else 0, late_s=60)
    at = [next(moment for moment, _, state in rings(one, 480) if state == "ALARM") for one in (prompt, tardy)]
    assert at[1] - at[0] == pytest.approx(60)


def test_an_alarm_in_its_warm_up_is_not_looked_at():
    belfry = hung(alarm(warm_up_minutes=5))
    for minute in range(12):
        throttled(belfry.store, minute, 5)
    (first, previous, state), *more = rings(belfry, 600)
    assert (previous, state, more) == ("INSUFFICIENT_DATA", "ALARM", [])
    assert 300 <= first < 360


def test_a_composite_rings_with_the_alarm_below_it_and_in_the_order_of_the_rules():
    both = CompositeSpec("shop/shop/both", 'ALARM("shop/read/throttles") AND ALARM("shop/write/throttles")')
    above = CompositeSpec("shop/shop/above", 'ALARM("shop/shop/both")')
    read = alarm()
    write = alarm("shop/write/throttles", dimensions=(("FunctionName", "shop-write"),))
    belfry = hung(read, write, composites=(above, both))
    for minute in range(4):
        throttled(belfry.store, minute, 5)
        throttled(belfry.store, minute, 5, function="shop-write")
    now = START + 180
    (only,) = [ring for ring in belfry.evaluate(0, now) if ring.state == "ALARM"]
    assert only.spec.name == read.name
    rung = [ring for ring in belfry.evaluate(1, now) if ring.state == "ALARM"]
    assert [ring.spec.name for ring in rung] == [write.name, both.name, above.name]
    assert rung[1].reason == "shop/write/throttles transitioned to ALARM"
    assert belfry.state_of()["shop/shop/above"] == "ALARM"


def test_an_alarm_on_an_expression_reads_all_that_the_expression_reads():
    queries = (
        MetricQuery("rise", "t - 2", return_data=True),
        MetricQuery(
            "t", None, "AWS/Lambda", "Throttles", (("FunctionName", "shop-read"),), 60, "Sum", return_data=False
        ),
    )
    plain = dict.fromkeys(("namespace", "metric_name", "statistic", "period"))
    belfry = hung(alarm(metrics=queries, dimensions=(), **plain))
    for minute in range(6):
        throttled(belfry.store, minute, minute)
    found = rings(belfry, 400)
    assert [state for _, _, state in found] == ["OK", "ALARM"]
    assert 4 * 60 <= found[1][0] < 5 * 60, "3 - 2 is the first above 0"


def test_the_alarms_are_described_as_cloudwatch_describes_them():
    belfry = hung(alarm(), composites=(CompositeSpec("shop/shop/up", 'ALARM("shop/read/throttles")'),))
    for minute in range(3):
        throttled(belfry.store, minute, 5)
    belfry.evaluate(0, START + 125)
    told = belfry.described("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:")
    (metric,), (composite,) = told["MetricAlarms"], told["CompositeAlarms"]
    assert metric["AlarmArn"] == "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop/read/throttles"
    assert (metric["StateValue"], composite["StateValue"]) == ("ALARM", "ALARM")
    assert metric["StateTransitionedTimestamp"].timestamp() == START + 125


def test_a_ring_becomes_the_event_that_sereno_reads_and_the_message_that_people_get():
    belfry = hung(alarm(description="Customers are turned away."))
    for minute in range(3):
        throttled(belfry.store, minute, 5)
    (ring,) = belfry.evaluate(0, START + 125)
    event = state_change(ring, account=ACCOUNT, region=REGION)
    service = Service.from_json(
        {
            "service": "shop",
            "account": ACCOUNT,
            "regions": [REGION],
            "objectives": {},
            "functions": {"read": {"name": "shop-read"}},
        }
    )
    (signal,) = parse(event, service)
    assert (signal.name, signal.what, signal.state) == ("shop/read/throttles", "throttles", "ALARM")
    assert signal.target.name == "shop-read"
    assert signal.at.timestamp() == START + 125
    assert event["id"] == state_change(ring, account=ACCOUNT, region=REGION)["id"], "the same ring, the same event"
    told = sns_message(ring, account=ACCOUNT, region=REGION)
    assert (told["AlarmDescription"], told["NewStateValue"]) == ("Customers are turned away.", "ALARM")
    assert told["OldStateValue"] == "INSUFFICIENT_DATA"


def test_what_is_assumed_of_cloudwatch_is_an_argument_of_the_alarm_engine():
    """A silent metric is noticed when its datapoints have left the evaluation range, whose size is not published."""
    silent = alarm(treat_missing_data="breaching", comparison_operator="LessThanThreshold", threshold=1.0)
    at = {}
    for extra in (0, 10):
        belfry = Belfry.hang((silent,), (), MetricStore(), START, 1, Assumptions(range_extra=extra, phase_s=30.0))
        for minute in range(20):
            throttled(belfry.store, minute, 5)
        at[extra] = max(moment for moment, _, state in rings(belfry, 60 * 60) if state == "ALARM")
    assert at[10] - at[0] == pytest.approx(600)


def test_every_datapoint_of_a_minute_can_be_assumed_late_and_visible_in_part_meanwhile():
    store = MetricStore()
    for minute in range(3):
        throttled(store, minute, 10)
    window = ("AWS/Lambda", "Throttles", {"FunctionName": "shop-read"}, "Sum", 60, START, START + 180, START + 185)
    assert store.read(*window) == [10, 10, 10]
    store.late_s = 45.0
    assert store.read(*window) == [10, 10, None]
    store.partial = 0.4
    assert store.read(*window) == [10, 10, 4]
    assert store.read(*window[:-1], START + 230) == [10, 10, 10]
