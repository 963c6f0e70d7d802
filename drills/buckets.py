"""A token bucket: so much a second, and some that is kept for later."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Units that may be taken: `rate` a second, and the `credit` kept from before, `most` at the highest.

    Who takes is let go first and counted afterwards, so the credit may fall below nothing; what comes next pays for
    that. In the long run no more is taken than `credit` at the beginning and `rate` a second.
    """

    rate: float
    most: float
    credit: float

    def available(self, seconds: float = 1.0) -> float:
        """What may be taken in the next `seconds`; never below nothing."""
        return max(0.0, self.credit + self.rate * seconds)

    def pass_ratio(self, wanted: float, seconds: float = 1.0) -> float:
        """The part of what is `wanted` in the next `seconds` that may be taken, 0 to 1."""
        return 1.0 if wanted <= 0 else min(1.0, self.available(seconds) / wanted)

    def settle(self, taken: float, seconds: float = 1.0) -> None:
        """Counts what was taken in the `seconds` past."""
        self.credit = min(self.most, self.credit + self.rate * seconds - taken)
