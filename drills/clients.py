"""The people at the other end: how many come, and how they try again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The "standard" retry mode of the AWS SDKs: three attempts in all, a wait of rand(0, 1) x min(2^i, 20) seconds
# before attempt i+1. Browsers' libraries copy it ("full jitter").
MAX_RETRIES = 2
FIRST_BACKOFF_S = 1.0
SECOND_BACKOFF_S = 2.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second over the drill, linear between points. Times are seconds since the start."""

    times: tuple[float, ...]
    rates: tuple[float, ...]

    def rate(self, times: Floats) -> Floats:
        """Requests a second at each time; the first and last point hold outside."""
        return np.interp(times, self.times, self.rates)

    @property
    def peak(self) -> float:
        return max(self.rates)

    @staticmethod
    def steady(rate: float) -> Traffic:
        return Traffic((0.0,), (rate,))

    @staticmethod
    def profile(normal: float, points: Sequence[tuple[float, float]], shift: float = 0.0) -> Traffic:
        """`points` are (seconds, factor over normal), in order; `shift` moves them all, in seconds."""
        return Traffic(tuple(at + shift for at, _ in points), tuple(normal * factor for _, factor in points))

    @staticmethod
    def daily(low: float, peak: float, duration: float, shift: float = 0.0) -> Traffic:
        """A smooth day that begins at midnight: `low` at 06:00, `peak` at 18:00, a point each minute."""
        minutes = range(0, int(duration) + 61, 60)
        rates = (low + (peak - low) * (1 - math.cos(math.tau * (at - shift - 21600) / 86400)) / 2 for at in minutes)
        return Traffic(tuple(float(at) for at in minutes), tuple(rates))


class Draws:
    """Random numbers of one kind, drawn in batches and taken one by one or several at once.

    `scales` are factors by which they may be taken as whole numbers: a batch is multiplied faster than its items.
    """

    def __init__(self, draw: Callable[[int], Floats], batch: int = 4096, scales: Sequence[float] = ()) -> None:
        self._draw = draw
        self._batch = batch
        self._numbers: list[float] = []
        self._scaled: dict[float, list[int]] = {scale: [] for scale in scales}
        self._place = 0

    def one(self) -> float:
        """The next number."""
        if self._place >= len(self._numbers):
            self._more(1)
        self._place += 1
        return self._numbers[self._place - 1]

    def some(self, many: int) -> list[float]:
        """The next so many numbers."""
        if self._place + many > len(self._numbers):
            self._more(many)
        self._place += many
        return self._numbers[self._place - many : self._place]

    def whole(self, many: int, scale: float) -> list[int]:
        """The next so many numbers, multiplied and cut off."""
        if self._place + many > len(self._numbers):
            self._more(many)
        self._place += many
        return self._scaled[scale][self._place - many : self._place]

    def _more(self, many: int) -> None:
        """Draws until so many are there; those already taken are let go."""
        for scaled in self._scaled.values():
            del scaled[: self._place]
        self._numbers, self._place = self._numbers[self._place :], 0
        while len(self._numbers) < many:
            drawn = self._draw(self._batch)
            self._numbers += drawn.tolist()
            for scale in self._scaled:
                self._scaled[scale] += (drawn * scale).astype(np.int64).tolist()


def uniforms(stream: np.random.Generator, batch: int = 4096, scales: Sequence[float] = ()) -> Draws:
    """Numbers from 0 to 1."""
    return Draws(stream.random, batch, scales)


def lognormals(stream: np.random.Generator, log_mean: float, sigma: float, batch: int = 4096) -> Draws:
    """Lognormal numbers."""
    return Draws(lambda size: stream.lognormal(log_mean, sigma, size), batch)
