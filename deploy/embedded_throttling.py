"""Throttles the callers of the embedded AWS as AWS would, with the SDK's own retries, in virtual time.

What answers a call here (a shim, moto) answers inside botocore, before its retries: so these are modelled. A call
takes virtual time; one that is throttled waits in virtual time, as often as its client is configured to try, and then
raises what botocore would raise. Calls that AWS makes for itself (CloudFormation's, a shim's) are not counted.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from deploy.embedded_meter import Meter
from deploy.embedded_rates import RateLimit, Refusal, SizeLimit
from sereno.ports import Aws

# How long a call takes until its answer (seconds): no number is published, and these are of the order that traces
# show. A reconciler's calls follow each other at this distance.
CALL_S = 0.03
DATA_PLANE_S: Mapping[str, float] = {"dynamodb": 0.005, "sns": 0.015, "sqs": 0.015, "s3": 0.02}
# Attempts of a client that nobody configured, in botocore's legacy mode.
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
LEGACY_ATTEMPTS: Mapping[str, int] = {"dynamodb": 10}
LEGACY_DEFAULT = 5
# Standard mode doubles the wait up to this. https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
MOST_BACKOFF_S = 20.0


class Time(Protocol):
    """The clock of an emulated account, which waiting moves on."""

    def now(self) -> float: ...

    def wait(self, seconds: float) -> None: ...


class OwnTime:
    """A clock that is never behind another, and ahead of it by what has been waited: for tests whose own clock
    nobody moves."""

    def __init__(self, other: Callable[[], float] = time.time) -> None:
        self._other, self._at = other, float("-inf")

    def now(self) -> float:
        """Epoch seconds."""
        self._at = max(self._at, self._other())
        return self._at

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self._at = self.now() + seconds


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a client tries in all, and in which of botocore's modes."""

    most: int = LEGACY_DEFAULT
    mode: str = "legacy"

    def backoff(self, failed: int, draw: float) -> float:
        """Seconds before the next attempt, after so many that failed; `draw` lies in 0..1."""
        wait: float = draw * 2 ** (failed - 1)
        return min(wait, MOST_BACKOFF_S) if self.mode == "standard" else wait


def attempts_of(config: Any, service: str) -> Attempts:
    """What a client's configuration says (`botocore.config.Config`, or None)."""
    retries = getattr(config, "retries", None) or {}
    mode = str(retries.get("mode", "legacy"))
    default = 3 if mode != "legacy" else LEGACY_ATTEMPTS.get(service, LEGACY_DEFAULT)
    return Attempts(int(retries.get("total_max_attempts", default)), mode)


@dataclass
class Throttle:
    """Stands before an emulated account. `counts` says whether calls are counted now; the engine of a drill looks at
    its account without being a caller in it. `throttled` counts attempts turned away, `given_up` calls that ran out
    of attempts, both by limit."""

    meter: Meter = field(default_factory=Meter)
    time: Time = field(default_factory=OwnTime)
    draw: Callable[[], float] = field(default_factory=lambda: random.Random(1).random)  # noqa: S311 - no secret
    counts: bool = True
    throttled: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def admit(
        self, service: str, operation: str, region: str, params: Mapping[str, Any], attempts: Attempts
    ) -> RateLimit | SizeLimit | None:
        """Counts a call and lets time pass for it; answers the limit that refuses it in the end, or None."""
        if not self.counts or _exempt.get():
            return None
        large = self.meter.too_large(service, operation, params)
        if large is not None:
            return large
        self.calls[f"{service}.{operation}"] += 1
        failed = 0
        while True:
            limit = self.meter.take(service, operation, region, self.time.now())
            self.time.wait(_takes(service, operation))
            if limit is None:
                return None
            failed += 1
            self.throttled[limit.name] += 1
            if failed >= attempts.most:
                self.given_up[limit.name] += 1
                return limit
            self.time.wait(attempts.backoff(failed, self.draw()))


_TABLE_SETTINGS = ("Describe", "Update", "Create", "List", "Delete")


def _takes(service: str, operation: str) -> float:
    """Seconds until a call is answered."""
    if service == "dynamodb" and operation.startswith(_TABLE_SETTINGS) and not operation.endswith("Item"):
        return CALL_S
    return DATA_PLANE_S.get(service, CALL_S)


# -- what is not counted

_exempt: ContextVar[bool] = ContextVar("exempt", default=False)


@contextmanager
def exempt() -> Iterator[None]:
    """While this holds, calls are AWS's own: those of CloudFormation, or of a shim on its way to an answer."""
    token = _exempt.set(True)
    try:
        yield
    finally:
        _exempt.reset(token)


# -- in botocore

_throttles: list[Throttle] = []
_taught = False


@contextmanager
def limited(throttle: Throttle) -> Iterator[Throttle]:
    """While this holds, every botocore session made since the first such call meets this throttle; the innermost
    counts."""
    _teach_botocore()
    _throttles.append(throttle)
    try:
        yield throttle
    finally:
        _throttles.remove(throttle)


def current() -> Throttle | None:
    """The throttle in force."""
    return _throttles[-1] if _throttles else None


def _teach_botocore() -> None:
    """Its handlers of wildcards run before those of an operation, and with them before any shim's."""
    global _taught
    if _taught:
        return
    from botocore import handlers

    handlers.BUILTIN_HANDLERS.append(("before-parameter-build.*.*", _keep))
    handlers.BUILTIN_HANDLERS.append(("before-call.*.*", _before_call))
    _taught = True


def _keep(params: Any, context: Any, **_: Any) -> None:
    if _throttles:
        context["embedded_params"] = params


def _before_call(model: Any, context: Any, **_: Any) -> Any:
    if not _throttles:
        return None
    service, config = model.service_model.service_name, context.get("client_config")
    refused = _throttles[-1].admit(
        service,
        model.name,
        str(context.get("client_region")),
        context.get("embedded_params") or {},
        attempts_of(config, service),
    )
    return None if refused is None else (_Answer(refused.refusal.status), answer_of(refused.refusal))


def answer_of(refusal: Refusal) -> dict[str, Any]:
    """The parsed answer, as botocore would have it."""
    return {
        "Error": {"Code": refusal.code, "Message": refusal.message},
        "ResponseMetadata": {"HTTPStatusCode": refusal.status},
        **refusal.fields,
    }


class _Answer:
    """The HTTP answer that botocore looks at."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int) -> None:
        self.status_code = status


# -- in front of fakes


class LimitedAws:
    """An `Aws` port whose clients meet a throttle: for fakes that botocore never sees. `home` is the Region of a
    client that names none."""

    def __init__(self, inner: Aws, throttle: Throttle, home: str, attempts: Attempts) -> None:
        self.inner, self.throttle = inner, throttle
        self._home, self._attempts = home, attempts

    def client(self, service: str, region: str | None = None) -> Any:
        """The client behind the throttle."""
        return _LimitedClient(self, self.inner.client(service, region), service, region or self._home)

    def call(self, client: Any, service: str, region: str, operation: str, params: Mapping[str, Any]) -> Any:
        """One call, if the limits let it through. Raises ClientError."""
        refused = self.throttle.admit(service, api_name(operation), region, params, self._attempts)
        if refused is not None:
            from botocore.exceptions import ClientError

            raise ClientError(answer_of(refused.refusal), api_name(operation))
        with exempt():
            return getattr(client, operation)(**params)


class _LimitedClient:
    def __init__(self, aws: LimitedAws, client: Any, service: str, region: str) -> None:
        self._aws, self._client, self._service, self._region = aws, client, service, region

    def __getattr__(self, operation: str) -> Any:
        found = getattr(self._client, operation)
        if not callable(found) or operation in _NO_CALLS:
            return found

        def call(**params: Any) -> Any:
            return self._aws.call(self._client, self._service, self._region, operation, params)

        self.__dict__[operation] = call
        return call


_NO_CALLS = ("get_paginator", "get_waiter", "can_paginate", "exceptions", "meta")
_SPELLED = {
    "get_aws_default_service_quota": "GetAWSDefaultServiceQuota",
    "list_aws_default_service_quotas": "ListAWSDefaultServiceQuotas",
}


def api_name(operation: str) -> str:
    """AWS's name of boto3's method."""
    return _SPELLED.get(operation) or "".join(part.capitalize() for part in operation.split("_"))
