"""On a quiet day nothing fires; on the way to Fashion Week the limit is seen coming two minutes into the ramp.

The traffic is random as real traffic is: Poisson arrivals, lognormal durations, and minutes that are the sum of them.
"""

import math

import numpy as np
import pytest

from alarms.evaluator import states, timeline
from alarms.metric_math import resolve
from alarms.packs import all_alarms
from alarms.packs.lambda_functions import SATURATED
from sereno.service import Api, Function, Objectives, Service

# key: (requests a second at the daily peak, mean ms, reserved). 120 requests a second in all but the health checks.
LOADS = {"read": (107.0, 150.0, 120), "write": (12.0, 220.0, 40), "health": (6.0, 20.0, 10)}
SPREAD = 0.45  # sigma of the lognormal durations: the 99th percentile is 2.6 times the mean
PEAK = 1.5  # a quiet day has peaks of 180 requests a second

SERVICE = Service(
    "techmoda",
    "123456789012",
    ("eu-west-1",),
    Objectives(0.9999, 700, 9),
    {"catalogue": Api("catalogue", "techmoda-catalogue", "prod")},
    {
        key: Function(key, f"techmoda-{key}", reserved=reserved, timeout_s=10, fast_metric=True)
        for key, (_, _, reserved) in LOADS.items()
    },
)
ALARMS = {spec.name: spec for spec in all_alarms(SERVICE)}


def world(key, factors, seed):
    """Minutes of one function whose traffic is `factors` times its normal peak: series by (metric, statistic)."""
    rate, mean_ms, _ = LOADS[key]
    draw = np.random.default_rng([seed, *key.encode()])
    mu = math.log(mean_ms) - SPREAD**2 / 2
    found = {name: [] for name in ("Duration.Sum", "Duration.p99", "Invocations.Sum", "Errors.Sum", "Throttles.Sum")}
    found["ConcurrentExecutions.Maximum"] = []
    for factor in factors:
        count = int(draw.poisson(rate * factor * 60))
        durations = draw.lognormal(mu, SPREAD, count)
        found["Duration.Sum"].append(float(durations.sum()))
        found["Duration.p99"].append(float(np.quantile(durations, 0.99)) if count else None)
        found["Invocations.Sum"].append(float(count))
        found["Errors.Sum"].append(float(draw.binomial(count, 2e-5)))
        found["Throttles.Sum"].append(0.0)
        # Instants of a minute that know nothing of each other lie about a mean duration apart.
        mean = rate * factor * mean_ms / 1000
        instants = draw.poisson(mean, int(60_000 / mean_ms))
        found["ConcurrentExecutions.Maximum"].append(float(instants.max()))
    return found


def fast_world(key, factors, seed):
    """The same in buckets of ten seconds: milliseconds of work in each."""
    rate, mean_ms, _ = LOADS[key]
    draw = np.random.default_rng([seed, 10, *key.encode()])
    mu = math.log(mean_ms) - SPREAD**2 / 2
    return [
        float(draw.lognormal(mu, SPREAD, int(draw.poisson(rate * factor * 10))).sum())
        for factor in np.repeat(factors, 6)
    ]


def values(spec, minutes):
    known = {**minutes, "Duration.SampleCount": minutes["Invocations.Sum"]}
    data = {query.id: known[f"{query.metric_name}.{query.stat}"] for query in spec.queries if query.stat}
    return resolve(spec.queries, data, spec.period_seconds)


def fired(key, what, minutes):
    spec = ALARMS[f"techmoda/{key}/{what}"]
    changes = timeline(spec, values(spec, minutes))
    return [change.index for change in changes if change.evaluation.state == "ALARM"]


def quiet_day(seed):
    """Four hours around the daily peak: a wave, and on its top peaks of up to half an hour, each coming within one
    minute (a mailing, a television spot)."""
    draw = np.random.default_rng(seed)
    factors = 0.55 - 0.45 * np.cos(np.linspace(0, 2 * np.pi, 240))
    for start in draw.integers(105, 135, 3):
        factors[start : start + int(draw.integers(3, 30))] = PEAK
    return factors


@pytest.mark.parametrize("seed", range(8))
def test_a_quiet_day_fires_nothing(seed):
    factors = quiet_day(seed)
    for key in LOADS:
        minutes = world(key, factors, seed)
        for what in ("errors", "latency", "throttles", "saturation", "exhaustion"):
            assert fired(key, what, minutes) == [], (key, what)


@pytest.mark.parametrize("seed", range(4))
def test_a_quiet_day_fires_nothing_in_ten_seconds_either(seed):
    for key in LOADS:
        spec = ALARMS[f"techmoda/{key}/exhaustion-fast"]
        demand = resolve(spec.queries, {"work": fast_world(key, quiet_day(seed), seed)}, 10)
        assert timeline(spec, demand) == []


@pytest.mark.parametrize("key", LOADS)
def test_chance_stays_five_sigma_away_from_the_fast_alarm(key):
    rate, mean_ms, _ = LOADS[key]
    expected = rate * PEAK * mean_ms / 1000
    # A sum of a Poisson number of durations has the variance rate x time x E[duration^2].
    second_moment = mean_ms**2 * math.exp(SPREAD**2)
    sigma = math.sqrt(rate * PEAK * 10 * second_moment) / 10_000
    assert ALARMS[f"techmoda/{key}/exhaustion-fast"].threshold > expected + 5 * sigma


@pytest.mark.parametrize("seed", range(25))
def test_a_ramp_to_nine_times_is_seen_by_the_end_of_its_second_minute(seed):
    before = 5
    ramp = [1 + 8 * (minute + 0.5) / 10 for minute in range(10)]
    minutes = world("read", [1.0] * before + ramp[:3], seed)
    first = fired("read", "exhaustion", minutes)
    assert first
    assert first[0] <= before + 1
    # At that moment less than half of the limit is in use: there is time to act.
    assert minutes["Duration.Sum"][before + 1] / 60_000 < 0.5 * 120
    assert minutes["ConcurrentExecutions.Maximum"][before + 1] < SATURATED * 120


@pytest.mark.parametrize("offset", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("seed", range(5))
def test_a_ramp_that_begins_within_a_minute_is_seen_with_the_first_minute_that_ends_after_two(seed, offset):
    """The minutes of a ramp need not be those of the clock."""
    before = 5
    first = 1 + 8 / 10 * (1 - offset) ** 2 / 2  # the mean over the minute in which the ramp begins
    ramp = [first] + [1 + 8 / 10 * (minute + 0.5 - offset) for minute in range(1, 3)]
    minutes = world("read", [1.0] * before + ramp, seed)
    seen = fired("read", "exhaustion", minutes)
    assert seen
    assert seen[0] - before <= 2


@pytest.mark.parametrize("seed", range(5))
def test_the_fast_alarm_sees_a_surge_within_one_bucket(seed):
    spec = ALARMS["techmoda/read/exhaustion-fast"]
    demand = resolve(spec.queries, {"work": fast_world("read", [1.0, 5.0], seed)}, 10)
    assert next(change.index for change in timeline(spec, demand)) == 6


def test_a_function_that_nobody_calls_is_calm():
    spec = ALARMS["techmoda/read/exhaustion"]
    idle = resolve(spec.queries, {"duration": [None] * 10}, 60)
    assert set(states(spec, idle)) == {"OK"}


def test_a_single_missing_minute_makes_no_surge():
    spec = ALARMS["techmoda/read/exhaustion"]
    work = [16 * 60_000.0] * 10
    work[5] = None
    assert timeline(spec, resolve(spec.queries, {"duration": work}, 60)) == []
