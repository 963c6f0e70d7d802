"""A Lambda function as a drill describes it, and the streams of chance that it draws from."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

MAX_TIMEOUT_S = 29.0  # API Gateway's default integration timeout: nobody waits longer than that


@dataclass(frozen=True, slots=True)
class FunctionModel:
    """A function as the drill knows it.

    `share` is its part of the API's requests (0-1), `mean_ms` and `sigma` describe lognormal durations, `cold_ms`
    is the init time of a new environment, `reserved` its reserved concurrency (None: it draws from the unreserved
    pool), `error_ratio` the part of invocations that fail on an ordinary day.
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

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise ValueError(f"{self.name}: timeout_s {self.timeout_s} is not within 0..{MAX_TIMEOUT_S}")
        if self.mean_ms <= 0 or self.sigma < 0 or not 0 <= self.share <= 1 or not 0 <= self.cold_ms <= 10_000:
            raise ValueError(f"{self.name}: mean_ms > 0, sigma >= 0, share 0..1, cold_ms 0..10000 are needed")

    @property
    def log_mean(self) -> float:
        """The mean of the duration's logarithm (ms) that gives a mean duration of `mean_ms`."""
        return math.log(self.mean_ms) - self.sigma**2 / 2


def stream(seed: int, name: str, purpose: str) -> np.random.Generator:
    """A stream of random numbers of its own for each purpose: worlds that differ in one do not differ in others."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(purpose.encode())])
