"""A Lambda function as a drill describes it, and the streams of chance that it draws from."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from drills.table_model import Use

MAX_TIMEOUT_S = 29.0  # API Gateway's default integration timeout: nobody waits longer than that


@dataclass(frozen=True, slots=True)
class FunctionModel:
    """A function as the drill knows it.

    `share` is its part of the API's requests (0-1), `mean_ms` and `sigma` describe lognormal durations, `cold_ms`
    is the init time of a new environment, `reserved` its reserved concurrency (None: it draws from the unreserved
    pool), `error_ratio` the part of invocations that fail on an ordinary day.

    `uses` are its calls to tables. A call that DynamoDB throttles is made again inside the invocation, `sdk_attempts`
    times in all; before the n-th attempt the SDK waits a random part of `sdk_base_s` x 2^(n-2) seconds, of 20 at
    most. (That is botocore's standard mode: `ExponentialBackoff` in botocore/retries/standard.py; its retry quota of
    500 tokens a client is left out. The legacy mode would be `sdk_attempts=10, sdk_base_s=0.05`.) When all attempts
    are throttled, a function that `refuses` answers 503 itself, which is no error to Lambda; any other fails.
    """

    name: str
    share: float
    mean_ms: float
    sigma: float = 0.5
    cold_ms: float = 400.0
    reserved: int | None = None
    provisioned: int = 0
    timeout_s: float = MAX_TIMEOUT_S
    error_ratio: float = 0.0
    uses: tuple[Use, ...] = ()
    sdk_attempts: int = 2
    sdk_base_s: float = 1.0
    refuses: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise ValueError(f"{self.name}: timeout_s {self.timeout_s} is not within 0..{MAX_TIMEOUT_S}")
        if self.mean_ms <= 0 or self.sigma < 0 or not 0 <= self.share <= 1 or not 0 <= self.cold_ms <= 10_000:
            raise ValueError(f"{self.name}: mean_ms > 0, sigma >= 0, share 0..1, cold_ms 0..10000 are needed")
        if self.sdk_attempts < 1 or self.sdk_base_s < 0:
            raise ValueError(f"{self.name}: sdk_attempts >= 1 and sdk_base_s >= 0 are needed")

    @property
    def log_mean(self) -> float:
        """The mean of the duration's logarithm (ms) that gives a mean duration of `mean_ms`."""
        return math.log(self.mean_ms) - self.sigma**2 / 2


def stream(seed: int, name: str, purpose: str) -> np.random.Generator:
    """A stream of random numbers of its own for each purpose: worlds that differ in one do not differ in others."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(purpose.encode())])
