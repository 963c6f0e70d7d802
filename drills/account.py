"""What a service shares with all others in its account and Region: concurrency, and API Gateway's throttle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drills.buckets import Bucket
from drills.faults import Fault, strangers_at
from drills.lambda_model import FunctionState
from drills.steps import BIN, BLOCK, STEPS_A_SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Profile(Protocol):
    """Something that has a level at each time, as `drills.clients.Traffic` has."""

    def rate(self, times: Floats) -> Floats: ...


class Concurrency:
    """The account's concurrency: `limit`, of which `reserved_elsewhere` is reserved by functions outside the world.
    Strangers, functions outside it that reserve nothing, take theirs from the unreserved pool before anybody else.
    """

    def __init__(
        self, limit: int, reserved_elsewhere: int, strangers: Profile | None, faults: Sequence[Fault]
    ) -> None:
        self.limit = limit
        self.reserved_elsewhere = reserved_elsewhere
        self._profile = strangers
        self._faults = tuple(fault for fault in faults if fault.kind == "strangers")
        self.strangers = 0
        self._taken: Ints = np.zeros(BLOCK // BIN, dtype=np.int64)

    def take_from_pool(self, strangers: Profile) -> None:
        """Other strangers from now on."""
        self._profile = strangers

    def begin_bin(self, states: Iterable[FunctionState], a: int, at: float) -> None:
        """Ten seconds begin at step `a` of the block, `at` seconds after the start."""
        wanted = strangers_at(self._faults, at)
        if self._profile is not None:
            wanted += float(self._profile.rate(np.array([at]))[0])
        self.strangers = min(round(wanted), self.unreserved(states))
        self._taken[a // BIN] = self.strangers

    def unreserved(self, states: Iterable[FunctionState]) -> int:
        """What no function has reserved."""
        reserved = sum(state.reserved or 0 for state in states)
        return max(0, self.limit - self.reserved_elsewhere - reserved)

    def pool(self, states: Iterable[FunctionState]) -> int:
        """What strangers leave of it."""
        return max(0, self.unreserved(states) - self.strangers)

    def groups(self, states: Sequence[FunctionState]) -> list[tuple[int, list[FunctionState]]]:
        """Functions that share a limit: each with a reserve for itself, all others the unreserved pool."""
        alone = [(one.reserved, [one]) for one in states if one.reserved is not None]
        sharing = [one for one in states if one.reserved is None]
        return [*alone, (self.pool(states), sharing)] if sharing else alone

    def in_flight(self, states: Sequence[FunctionState], a: int, b: int) -> tuple[Ints, Ints]:
        """The most executions in flight in each step: of all functions, and of those that share the pool. Two
        functions reach their highest within a step at different moments, so only one of them counts with it."""
        nothing = np.zeros(b - a, dtype=np.int64)
        level, above, shared, shared_above = nothing, nothing, nothing, nothing
        for state in states:
            now, most = state.level[a:b], state.peak[a:b]
            level = level + now
            if state.reserved is None:
                shared, shared_above = shared + now, np.maximum(shared_above, most - now)
            else:
                above = np.maximum(above, most - now)
        pool = np.maximum(0, self.unreserved(states) - self._strangers_by_step(a, b))
        unreserved = np.maximum(np.minimum(shared + shared_above, pool), shared)
        return level + np.maximum(above, unreserved - shared), unreserved

    def _strangers_by_step(self, a: int, b: int) -> Ints:
        taken: Ints = np.repeat(self._taken, BIN)[a:b]
        return taken

    @property
    def met_strangers(self) -> bool:
        """Whether there were any in this minute."""
        return bool(self._taken.any())

    def gauges(self, states: Sequence[FunctionState]) -> Mapping[str, Ints]:
        """The account's own metrics of a whole minute, by step."""
        in_flight, unreserved = self.in_flight(states, 0, BLOCK)
        taken = self._strangers_by_step(0, BLOCK)
        # Unreserved executions plus all reserved plus all provisioned concurrency: claimed even when idle.
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
        reserved = sum(state.reserved or 0 for state in states) + self.reserved_elsewhere
        provisioned = sum(state.provisioned for state in states if state.reserved is None)
        return {
            "ConcurrentExecutions": in_flight + taken,
            "UnreservedConcurrentExecutions": unreserved + taken,
            "ClaimedAccountConcurrency": unreserved + taken + reserved + provisioned,
        }


class Throttle:
    """API Gateway's throttle: a token bucket for all APIs of the account in a Region. What it turns away is answered
    429 and costs no token. (AWS calls it a target, met with best effort; this one is exact to the second.)
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = Bucket(float(rate), float(burst), float(burst))

    def begin_bin(self, states: Iterable[FunctionState], a: int) -> bool:
        """Ten seconds begin; whether they may meet the throttle."""
        left = self._bucket.credit
        nobody = np.zeros(BIN // STEPS_A_SECOND, dtype=np.int64)
        for wanted in sum((state.wanted(a, a + BIN) for state in states), nobody).tolist():
            left = min(left + self._bucket.rate - wanted, self._bucket.most)
            if left < 0:
                return True
        return False

    def begin_second(self, states: Sequence[FunctionState], a: int) -> None:
        """A second begins at step `a`: tells the functions which part of their requests is turned away."""
        wanted = sum(int(state.wanted(a, a + STEPS_A_SECOND)[0]) for state in states)
        for state in states:
            state.begin_second(a, 1 - self._bucket.pass_ratio(wanted))

    def settle(self, states: Iterable[FunctionState], a: int, b: int) -> None:
        """The seconds a..b are over."""
        taken = sum(int((one.started[a:b] + one.throttled[a:b] + one.rejected[a:b]).sum()) for one in states)
        self._bucket.settle(taken, (b - a) / STEPS_A_SECOND)
