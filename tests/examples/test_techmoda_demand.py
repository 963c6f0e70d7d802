"""The 10-second demand metric."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def lines():
    return []


@pytest.fixture
def meter(app, lines):
    return app.demand.Demand("Sereno/techmoda", "techmoda-read", lambda line: lines.append(json.loads(line)))


def written(lines):
    return [(line["_aws"]["Timestamp"], line["DemandMs"]) for line in lines]


def test_a_bucket_is_written_once_when_later_work_comes_in(meter, lines):
    meter.record(20_000, 20_150)
    meter.record(24_000, 24_050)
    assert lines == []
    meter.record(30_010, 30_020)
    assert written(lines) == [(20_000, 200)]
    meter.record(31_000, 31_001)
    assert written(lines) == [(20_000, 200)]


def test_work_across_buckets_counts_where_it_fell(meter, lines):
    meter.record(19_000, 42_000)
    assert written(lines) == [(10_000, 1_000), (20_000, 10_000), (30_000, 10_000)]
    meter.record(50_000, 50_001)
    assert written(lines)[-1] == (40_000, 2_000)


def test_a_line_is_an_embedded_metric_of_high_resolution(meter, lines):
    meter.record(10_000, 10_005)
    meter.record(20_000, 20_005)
    assert lines == [
        {
            "_aws": {
                "Timestamp": 10_000,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "Sereno/techmoda",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [
                            {"Name": "DemandMs", "Unit": "Milliseconds", "StorageResolution": 1},
                            {"Name": "DemandCalls", "Unit": "Count", "StorageResolution": 1},
                        ],
                    }
                ],
            },
            "FunctionName": "techmoda-read",
            "DemandMs": 5,
            "DemandCalls": 1,
        }
    ]


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 30_000)), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_work_is_lost_or_counted_twice(app, steps):
    lines, now, worked = [], 1_000_000, 0
    meter = app.demand.Demand("Sereno/techmoda", "techmoda-read", lambda line: lines.append(json.loads(line)))
    for rest, work in steps:
        meter.record(now + rest, now + rest + work)
        now, worked = now + rest + work, worked + work
    later = now - now % 10_000 + 10_000
    meter.record(later, later + 1)
    assert sum(line["DemandMs"] for line in lines) == worked
    assert sum(line["DemandCalls"] for line in lines) == sum(work > 0 for _, work in steps)
    stamps = [line["_aws"]["Timestamp"] for line in lines]
    assert stamps == sorted(set(stamps))


def test_the_metric_is_published_only_where_it_is_asked_for(app):
    assert app.demand.from_environment({}) is None
    assert app.demand.from_environment({"DEMAND_METRIC": "0"}) is None
    known = {"DEMAND_METRIC": "1", "WATCHED_AS": "techmoda", "AWS_LAMBDA_FUNCTION_NAME": "techmoda-read"}
    assert app.demand.from_environment(known).namespace == "Sereno/techmoda"


def test_the_handlers_work_reaches_the_log_also_when_it_fails(load, invoke, aws_answers, capsys, monkeypatch):
    app = load(DEMAND_METRIC="1")
    clock = iter([20_000, 20_120, 31_000, 31_050])
    monkeypatch.setattr(app.demand.time, "time_ns", lambda: next(clock) * 1_000_000)
    aws_answers(RuntimeError("a fault of our own"))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            invoke(app.read, "GET", "/products/wool-coat")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "DemandMs" in line]
    assert written(found) == [(20_000, 120)]
