"""Burn rates: an objective of 99.99 % is watched without waking anybody for a single failure."""

import pytest

from alarms import composite
from alarms.evaluator import evaluate
from alarms.metric_math import resolve
from alarms.slo import FAST, FLOOR, SLOW, STEADY, burn_alarms, failing_share
from sereno.errors import InvalidInput
from sereno.service import Api, Objectives, Service

API = Api("web", "shop-web", "prod")


def shop(availability):
    return Service("shop", "123456789012", ("eu-west-1",), Objectives(availability), {"web": API})


def windows(availability=0.9999, burn=FAST):
    joined, long, short = burn_alarms(shop(availability), API, burn)
    return joined, long, short


def state(spec, errors, requests):
    value = resolve(spec.queries, {"errors": [errors], "requests": [requests]}, spec.period_seconds)
    return evaluate(spec, value).state


def test_the_thresholds_are_multiples_of_the_budget():
    for burn, threshold in ((FAST, 0.00144), (SLOW, 0.0006)):
        _, long, short = windows(burn=burn)
        assert (long.threshold, short.threshold) == (threshold, threshold)
        assert (long.period_seconds, short.period_seconds) == (burn.long_s, burn.short_s)


def test_the_description_gives_the_arithmetic():
    told = windows()[0].description
    for part in ("99.99 %", "4.3 minutes", "14.4 x 0.01 % = 0.144 %", "2 % of it", "50 hours"):
        assert part in told


@pytest.mark.parametrize(
    ("errors", "requests", "expected"),
    [
        (1.0, 100.0, "OK"),  # a burn rate of 100, but one failure only
        (float(FLOOR - 1), 9.0, "OK"),
        (float(FLOOR), 12.0, "ALARM"),  # a full outage in a quiet night
        (52.0, 36_000.0, "ALARM"),  # 120 requests a second, 14.4 times too fast
        (51.0, 36_000.0, "OK"),
        (0.0, 36_000.0, "OK"),
        (None, None, "OK"),  # nobody there
        (0.0, 0.0, "OK"),
    ],
)
def test_a_window_fires_for_many_failures_that_are_a_large_share(errors, requests, expected):
    _, _, short = windows()
    assert state(short, errors, requests) == expected


def test_both_windows_must_agree():
    joined, long, short = windows()
    assert composite.children(joined.rule) == (long.name, short.name)
    for states, fires in ((("ALARM", "ALARM"), True), (("ALARM", "OK"), False), (("OK", "ALARM"), False)):
        assert composite.evaluate(joined.rule, dict(zip((long.name, short.name), states, strict=True))) is fires


def test_only_the_joined_alarm_calls_people():
    joined, long, short = windows()
    assert (joined.severity, long.severity, short.severity) == ("page", "info", "info")
    # Table 5-8 of the SRE Workbook's chapter 5.
    assert windows(burn=SLOW)[0].severity == "page"
    assert windows(burn=STEADY)[0].severity == "ticket"


@pytest.mark.parametrize("availability", [1.0, 0.9])
def test_an_objective_without_a_budget_or_without_an_end_is_refused(availability):
    with pytest.raises(InvalidInput, match=r"objectives\.availability"):
        windows(availability)


@pytest.mark.parametrize(
    ("availability", "share"), [(0.9999, 0.01), (0.999, 0.1), (0.99, 0.25), (0.99999, 0.01), (1.0, 0.01)]
)
def test_the_share_that_fails_a_minute_follows_from_the_objective(availability, share):
    found, why = failing_share(shop(availability))
    assert found == share
    assert f"{share * 100:g} %" in why
