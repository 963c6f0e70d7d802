"""Logs, metrics and traces of the Lambdas: Powertools Logger and Metrics, and X-Ray only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricResolution, Metrics, MetricUnit, single_metric

NAMESPACE = "Sereno"
# What is measured every few seconds is kept by the second.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/publishingMetrics.html#high-resolution-metrics
BY_THE_SECOND = frozenset({"Availability", "ProbeLatency", "ReplicationDelay"})


class PowertoolsTelemetry:
    """The `Telemetry` port on Powertools: JSON log lines, and metrics in CloudWatch's embedded format."""

    def __init__(self, service: str) -> None:
        self._logger = Logger(service=f"sereno-{service}")
        self._metrics = Metrics(namespace=NAMESPACE, service=service)
        self._service = service

    def log(self, level: str, message: str, **facts: Any) -> None:
        """One log line with its facts."""
        getattr(self._logger, level)(message, extra={"facts": facts})

    def count(self, metric: str, value: float = 1, **dimensions: str) -> None:
        """One metric; those without further dimensions share a line, written by `flush`."""
        fine: MetricResolution = MetricResolution.High if metric in BY_THE_SECOND else MetricResolution.Standard
        if not dimensions:
            self._metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value, resolution=fine)
            return
        with single_metric(
            name=metric, unit=MetricUnit.Count, value=value, namespace=NAMESPACE, resolution=fine
        ) as one:
            one.add_dimension(name="service", value=self._service)
            for name, text in dimensions.items():
                one.add_dimension(name=name, value=text)

    def flush(self) -> None:
        """Writes what was counted."""
        if self._metrics.metric_set:
            self._metrics.flush_metrics()


def sampled(environment: Mapping[str, str]) -> bool:
    """Whether X-Ray wants this invocation: Lambda says so in the trace header."""
    return "Sampled=1" in environment.get("_X_AMZN_TRACE_ID", "")


@contextmanager
def traced(environment: Mapping[str, str], name: str) -> Iterator[None]:
    """A subsegment around an invocation, when it is sampled.

    The X-Ray SDK costs half a second to import and is in maintenance since February 2026: it stays behind this door.
    """
    with _subsegment(name) if sampled(environment) else nullcontext():
        yield


def _subsegment(name: str) -> AbstractContextManager[Any]:
    """A trace that cannot be begun never fails a remediation."""
    try:
        from aws_xray_sdk.core import patch, xray_recorder

        patch(("botocore",))
        segment: AbstractContextManager[Any] = xray_recorder.in_subsegment(name)
    except Exception:
        return nullcontext()
    return segment
