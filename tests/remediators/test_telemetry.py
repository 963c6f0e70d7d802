"""What the functions write: metrics in CloudWatch's embedded format, and traces when they are asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from remediators.telemetry import PowertoolsTelemetry, sampled, traced

HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="
ASKED = {"_X_AMZN_TRACE_ID": HEADER + "1"}


@pytest.fixture(scope="module", autouse=True)
def _quiet_recorder():
    """The SDK opens a socket to its daemon when it is imported, and leaves it open."""
    from aws_xray_sdk.core import xray_recorder

    yield
    xray_recorder.emitter._socket.close()


@pytest.fixture
def patched(monkeypatch):
    """The modules that X-Ray was asked to wrap; wrapping botocore for good would follow every later test."""
    asked: list[str] = []
    monkeypatch.setattr("aws_xray_sdk.core.patch", asked.extend)
    return asked


def metrics_in(text: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_counts_without_dimensions_share_one_line_under_the_service(capsys):
    voice = PowertoolsTelemetry("techmoda")
    voice.count("RoundCompleted")
    voice.count("Unpublished", 2)
    assert metrics_in(capsys.readouterr().out) == []
    voice.flush()
    (line,) = metrics_in(capsys.readouterr().out)
    assert (line["RoundCompleted"], line["Unpublished"], line["service"]) == ([1.0], [2.0], "techmoda")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Sereno", [["service"]])


def test_a_count_with_a_reason_is_a_line_of_its_own(capsys):
    PowertoolsTelemetry("techmoda").count("Refused", reason="COOLDOWN")
    (line,) = metrics_in(capsys.readouterr().out)
    assert (line["Refused"], line["reason"]) == ([1.0], "COOLDOWN")
    assert set(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == {"service", "reason"}


def test_nothing_counted_writes_nothing(capsys):
    PowertoolsTelemetry("techmoda").flush()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("environment", "wanted"), [({}, False), ({"_X_AMZN_TRACE_ID": HEADER + "0"}, False), (ASKED, True)]
)
def test_lambda_says_whether_an_invocation_is_sampled(environment, wanted):
    assert sampled(environment) is wanted


def test_an_invocation_that_is_not_sampled_never_loads_the_sdk():
    code = (
        "import sys; from remediators.telemetry import traced\n"
        "with traced({}, 'sereno.x'): pass\n"
        "sys.exit('aws_xray_sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sampled_invocation_is_a_subsegment_and_so_are_its_calls(monkeypatch, patched):
    from aws_xray_sdk.core import xray_recorder

    segment = xray_recorder.begin_segment("lambda")
    try:
        with traced(ASKED, "sereno.round"):
            assert xray_recorder.current_subsegment().name == "sereno.round"
        assert [one.name for one in segment.subsegments] == ["sereno.round"]
        assert patched == ["botocore"]
    finally:
        monkeypatch.setattr(xray_recorder, "emitter", type("Nowhere", (), {"send_entity": lambda *_: None})())
        xray_recorder.end_segment()
        xray_recorder.clear_trace_entities()


def test_a_trace_that_cannot_begin_does_not_fail_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "aws_xray_sdk.core", None)
    done = []
    with traced(ASKED, "sereno.round"):
        done.append("the work")
    assert done == ["the work"]


@pytest.mark.usefixtures("patched")
def test_an_error_in_the_work_is_not_swallowed_by_the_trace():
    with pytest.raises(ValueError, match="the work's own"), traced(ASKED, "sereno.round"):
        raise ValueError("the work's own")
