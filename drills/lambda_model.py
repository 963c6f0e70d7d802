"""One Lambda function under load, in steps of 20 ms.

Time is counted in steps from the world's start, and in *blocks* of a minute for which arrivals and durations are
drawn at once. Within a block the function advances over slices in one of two ways that agree with each other:

* `forecast` adds up, vectorised, how many executions would be in flight if every arrival ran at once on a warm
  environment. Where that stays under the ceiling it is what happens, and `accept` makes it so.
* `exact` walks step by step where something else may happen: a throttle, a cold start, an error, a retry.

Within a step arrivals and departures come in any order. The highest point of such a walk between two known ends is
drawn from its exact law (reflection principle: P(highest >= k) = exp(-2 (k - begin)(k - end) / moves)), and what it
exceeds the ceiling by is throttled: a walk that loses what passes a barrier loses exactly its highest excess. Looking
at the steps' ends alone would halve the first throttles at the edge of a limit.

Environments are reused last in, first out, so that the k-th is in use whenever k executions are in flight. The warm
environments are therefore the most executions in flight at once during the time that an idle one is kept.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drills.clients import FIRST_BACKOFF_S, SECOND_BACKOFF_S, Traffic, lognormals, uniforms
from drills.faults import Fault, ratio_at, slowness_at
from drills.function_model import FunctionModel, stream
from drills.stalled import GIVEN_UP, WAITING
from drills.steps import BLOCK, STEP_MS, STEP_S, STEPS_A_SECOND, TAIL, shared
from drills.table_calls import Calls

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# For each function 1,000 new execution environments every 10 seconds; what is not used is not kept for later
# (Lambda developer guide, "Lambda scaling behavior").
NEW_ENVIRONMENTS_EACH_10_S = 1000
# Ten times the concurrency in requests a second, for synchronous calls (Lambda quotas). Counted by whole seconds.
REQUESTS_EACH_SECOND_AND_SLOT = 10
# How long an idle environment is kept is not published; observations lie between 5 and 15 minutes.
IDLE_KEPT_BINS = 36

_FIRST_BACKOFF_STEPS = FIRST_BACKOFF_S / STEP_S
_SECOND_BACKOFF_STEPS = SECOND_BACKOFF_S / STEP_S


class FunctionState:
    """The function in flight. Public fields are read by `drills.harvest` and `drills.world`."""

    def __init__(self, model: FunctionModel, seed: int, traffic: Traffic, faults: Sequence[Fault]) -> None:
        self.model = model
        self.traffic = traffic
        self.faults = tuple(faults)
        self.reserved = model.reserved
        self.provisioned = model.provisioned
        self.busy = 0
        self.turbulent = False
        self.pending = 0
        self.served_on_retry = 0
        self.cold_starts = 0
        self._arrivals = stream(seed, model.name, "arrivals")
        self._durations = stream(seed, model.name, "durations")
        self._marks = stream(seed, model.name, "marks")
        self._order = stream(seed, model.name, "order within steps")
        self._limits = stream(seed, model.name, "gateway throttles")
        retries = stream(seed, model.name, "retries")
        self._uniform = uniforms(retries, scales=(_FIRST_BACKOFF_STEPS, _SECOND_BACKOFF_STEPS))
        self._retry_ms = lognormals(stream(seed, model.name, "retry durations"), model.log_mean, model.sigma)
        # The service ran before the drill began: as many environments are warm as an ordinary peak needs.
        mean = float(traffic.rate(np.zeros(1))[0]) * model.share * model.mean_ms / 1000
        self.warm = max(math.ceil(mean + 4 * math.sqrt(mean)), model.provisioned)
        self._bin_peaks: deque[int] = deque([self.warm], maxlen=IDLE_KEPT_BINS)
        self._created = 0
        # Reaching over the block's end; shared with numpy without a copy, because single items of a numpy array
        # cost ten times as much to touch.
        self._ends, self.ends = shared(BLOCK + TAIL)
        self._due_first, self.due_first = shared(BLOCK + TAIL)
        self._due_second, self.due_second = shared(BLOCK + TAIL)
        self._failed, self.failed = shared(BLOCK + TAIL)
        # Of the block alone.
        self._admitted, self.admitted = shared(BLOCK)
        self._started, self.started = shared(BLOCK)
        self._throttled, self.throttled = shared(BLOCK)
        self._rejected, self.rejected = shared(BLOCK)
        self._limited, self.limited = shared(BLOCK)
        self._peak, self.peak = shared(BLOCK)
        self._level, self.level = shared(BLOCK)
        self.retry_ms: list[float] = []
        self.retry_step: list[int] = []
        self.retry_length: list[int] = []
        self.retry_failed: list[int] = []
        self.retry_refused: list[int] = []
        self.cold_first: list[int] = []
        self.cold_retry: list[int] = []
        self.calls = Calls(self, seed) if model.uses else None
        self.first_step = 0
        self.limit_ratio = 0.0

    # -- a new minute -------------------------------------------------------------------------------------------

    def begin_block(self, block: int) -> None:
        """Draws the arrivals of minute `block` with all that would befall them, and carries over what is under
        way. The draws do not depend on limits: two worlds with one seed meet the same requests."""
        model = self.model
        for carried in (self.ends, self.due_first, self.due_second, self.failed):
            carried[:TAIL] = carried[BLOCK:]
            carried[TAIL:] = 0
        for fresh in (self.admitted, self.started, self.throttled, self.rejected, self.peak, self.level):
            fresh[:] = 0
        self.limited[:] = 0
        self.first_step = block * BLOCK
        times: Floats = np.multiply(block * BLOCK + np.arange(BLOCK) + 0.5, STEP_S, dtype=np.float64)
        self.firsts: Ints = self._arrivals.poisson(self.traffic.rate(times) * (model.share * STEP_S))
        self.index: Ints = np.concatenate([[0], np.cumsum(self.firsts)])
        many = int(self.index[-1])
        self.step_of: Ints = np.repeat(np.arange(BLOCK), self.firsts)
        self.ms: Floats = np.exp(model.log_mean + model.sigma * self._durations.standard_normal(many))
        self._slowness = slowness_at(self.faults, model.name, times)
        if self._slowness is not None:
            self.ms *= self._slowness[self.step_of]
        timeout = model.timeout_s * 1000
        late = self.ms >= timeout
        np.minimum(self.ms, timeout, out=self.ms)
        # A request arrives anywhere in its step: floor(duration + that place) is right on average.
        steps = self.ms / STEP_MS + self._durations.random(many)
        self.steps: Ints = np.maximum(steps.astype(np.int64), 1)
        self.end: Ints = self.step_of + self.steps
        # Who waits for a table when the second of its arrival is over, and who answers 503 for the table's sake.
        self.stalled: Bools = np.zeros(many, dtype=np.bool_)
        self.refused: Bools = np.zeros(many, dtype=np.bool_)
        self._mark_failures(times, late)
        self.scatter: Floats = -2 * np.log1p(-self._order.random(BLOCK))
        seconds = self.firsts.reshape(-1, STEPS_A_SECOND).sum(axis=1)
        self.busiest_second = int(seconds.max())
        self._lists: tuple[list[int], list[int], list[int], list[int], list[bool], list[float]] | None = None

    def _mark_failures(self, times: Floats, late: NDArray[np.bool_]) -> None:
        """Which first attempts will fail if they run (an error, or no answer before the timeout), and how many
        of each step the gateway turns away."""
        name, many = self.model.name, len(self.ms)
        ratio = ratio_at(self.faults, "errors", name, times)
        usual = self.model.error_ratio
        if ratio is None and usual:
            ratio = np.full(BLOCK, usual)
        elif ratio is not None:
            ratio = 1 - (1 - ratio) * (1 - usual)
        self._error_ratio = ratio
        self.fails = late if ratio is None else late | (self._marks.random(many) < ratio[self.step_of])
        self._failing_steps = self.step_of[self.fails]
        self._gate_ratio = ratio_at(self.faults, "gateway", name, times)
        if self._gate_ratio is None:
            self.gate: Ints = np.zeros(BLOCK, dtype=np.int64)
        else:
            self.gate = self._marks.binomial(self.firsts, self._gate_ratio)

    def begin_second(self, a: int, limit_ratio: float) -> None:
        """A second begins at step `a` in which the account's throttle turns this part of all attempts away."""
        self.limit_ratio = limit_ratio
        if limit_ratio <= 0:
            return
        b = a + STEPS_A_SECOND
        self.limited[a:b] = np.minimum(
            self._limits.binomial(self.firsts[a:b], limit_ratio), self.firsts[a:b] - self.gate[a:b]
        )
        self.gate[a:b] += self.limited[a:b]
        if self._lists is not None:
            self._lists[3][a:b] = self.gate[a:b].tolist()

    def lengthen(self, which: Ints, steps: Ints, fails: Bools) -> None:
        """First attempts, by their number in the block, turn out to take so many steps, and to fail or not."""
        self.steps[which] = steps
        self.end[which] = self.step_of[which] + steps
        self.fails[which] = fails
        if self._lists is not None:
            lengths, failing = self._lists[2], self._lists[4]
            for k, length, fail in zip(which.tolist(), steps.tolist(), fails.tolist(), strict=True):
                lengths[k], failing[k] = length, fail

    def wanted(self, a: int, b: int) -> Ints:
        """Attempts that reach the gateway in each second of a..b (whole seconds), as far as is known."""
        attempts: Ints = self.firsts[a:b] + self.due_first[a:b] + self.due_second[a:b]
        seconds: Ints = attempts.reshape(-1, STEPS_A_SECOND).sum(axis=1)
        return seconds

    def begin_bin(self) -> None:
        """Ten seconds begin: idle environments have expired, the scaling rate starts anew."""
        self.warm = max(*self._bin_peaks, self.busy, self.provisioned)
        self._created = 0
        self.limit_ratio = 0.0
        if self.calls is not None:
            self.calls.rest()

    def note_peak(self, a: int, b: int) -> None:
        """Remembers how many environments the ten seconds a..b used."""
        self._bin_peaks.append(int(self.peak[a:b].max()))

    # -- the calm way -------------------------------------------------------------------------------------------

    def is_exact(self, limit: int) -> bool:
        """Whether the next slice must be walked: something is unsettled, or the request rate may bind."""
        if self.turbulent or self.pending or self._gate_ratio is not None or self.limit_ratio > 0:
            return True
        if self.calls is not None and self.calls.busy:
            return True
        return self.busiest_second > REQUESTS_EACH_SECOND_AND_SLOT * limit

    def forecast(self, a: int, b: int) -> tuple[Ints, Ints]:
        """Executions in flight at the end of each step, and the most within it, if every arrival runs at once."""
        low, high = self.index[a], self.index[b]
        arriving = self.firsts[a:b]
        leaving = self.ends[a:b] + np.bincount(self.end[low:high] - a, minlength=b - a)[: b - a]
        change = arriving - leaving
        after: Ints = self.busy + np.cumsum(change)
        spread = np.sqrt(change * change + self.scatter[a:b] * (arriving + leaving))
        highest: Ints = ((2 * after - change + spread) / 2).astype(np.int64)
        return after, np.minimum(highest, after + leaving)

    def calm_until(self, a: int, b: int) -> int:
        """The first step of a..b with a failing invocation: up to there the forecast may be accepted."""
        place = int(np.searchsorted(self._failing_steps, a))
        if place < len(self._failing_steps):
            return min(b, int(self._failing_steps[place]))
        return b

    def accept(self, a: int, b: int, after: Ints, highest: Ints) -> None:
        """Makes the forecast true for the steps a..b."""
        if a == b:
            return
        low, high = self.index[a], self.index[b]
        leaving = np.bincount(self.end[low:high] - a)
        self.ends[a : a + len(leaving)] += leaving
        self.admitted[a:b] = self.firsts[a:b]
        self.started[a:b] = self.firsts[a:b]
        self.peak[a:b] = highest[: b - a]
        self.level[a:b] = after[: b - a]
        self.busy = int(after[b - a - 1])

    # -- the exact way ------------------------------------------------------------------------------------------

    def exact(self, a: int, b: int, limit: int, concurrency: int) -> None:
        """Walks the steps a..b, which lie in one second, with at most `limit` executions in flight and the
        request rate that goes with `concurrency` (more than `limit` where others use the same pool)."""
        firsts, offsets, steps, gate, fails, scatter = self._as_lists()
        ends, due_first, due_second = self._ends, self._due_first, self._due_second
        # New environments only raise `warm` by what they take from the rate, so the sum holds for the slice.
        ceiling = min(limit, self.warm + NEW_ENVIRONMENTS_EACH_10_S - self._created)
        second = a - a % STEPS_A_SECOND
        tokens = REQUESTS_EACH_SECOND_AND_SLOT * concurrency - int(self.started[second:a].sum())
        gated = self._gate_ratio is not None or self.limit_ratio > 0
        failing = len(self._failing_steps) > 0 or (self.calls is not None and self.calls.chance > 0)
        busy, turbulent = self.busy, False
        for i in range(a, b):
            first, second_try, third_try = firsts[i], due_first[i], due_second[i]
            if second_try or third_try:
                self.pending -= second_try + third_try
            if gated:
                first, second_try, third_try = self._meet_gateway(i, first, second_try, third_try)
            demand, leaving = first + second_try + third_try, ends[i]
            change = demand - leaving
            highest = int((2 * busy + change + math.sqrt(change * change + scatter[i] * (demand + leaving))) / 2)
            highest = min(highest, busy + demand)
            if highest > ceiling or demand > tokens:
                excess = max(highest - ceiling, demand - tokens)
                if excess > 0 and demand:
                    turbulent = True
                    room = max(demand - excess, 0)
                    first, second_try, third_try = self._turn_away(i, first, second_try, third_try, room)
                    demand = room
                highest = min(highest, busy + demand, max(ceiling, busy))
            if demand:
                low = offsets[i] + gate[i]
                for length in steps[low : low + first]:
                    ends[i + length] += 1
                if second_try or third_try:
                    self._run_retries(i, second_try, third_try)
                if failing and first:
                    self._fail(i, low, first, steps, fails)
                if highest > self.warm:
                    self._start_cold(i, low + first, first, highest - self.warm)
                self._admitted[i], self._started[i] = first, demand
                tokens -= demand
            busy += demand - leaving
            self._peak[i], self._level[i] = highest, busy
        self.busy = busy
        self.turbulent = turbulent

    def _as_lists(self) -> tuple[list[int], list[int], list[int], list[int], list[bool], list[float]]:
        if self._lists is None:
            self._lists = (
                self.firsts.tolist(),
                self.index.tolist(),
                self.steps.tolist(),
                self.gate.tolist(),
                self.fails.tolist(),
                self.scatter.tolist(),
            )
        return self._lists

    def _meet_gateway(self, i: int, first: int, second: int, third: int) -> tuple[int, int, int]:
        """The gateway answers some attempts 5xx itself, or 429 for the account's throttle; the others go on."""
        fault = 0.0 if self._gate_ratio is None else float(self._gate_ratio[i])
        limit = self.limit_ratio
        ratio, turned = limit + (1 - limit) * fault, self._as_lists()[3][i]
        limited, lost_second, lost_third = self._limited[i], 0, 0
        for number, chance in enumerate(self._uniform.some(second + third)):
            if chance < ratio:
                limited += chance < limit
                lost_second += number < second
                lost_third += number >= second
        lost = turned + lost_second + lost_third
        if lost:
            self._limited[i] = limited
            self._rejected[i] += lost - limited
            self._failed[i] += lost
            self._try_again(i, turned, lost_second)
        return first - turned, second - lost_second, third - lost_third

    def _turn_away(self, i: int, first: int, second: int, third: int, room: int) -> tuple[int, int, int]:
        """Lambda prefers no attempt: the room is shared in proportion. The rest is throttled, which a REST proxy
        integration shows to the client as 500."""
        throttled = first + second + third - room
        first_in = _share(room, first, second + third, self._uniform.one())
        second_in = _share(room - first_in, second, third, self._uniform.one())
        third_in = room - first_in - second_in
        self._throttled[i] += throttled
        self._failed[i] += throttled
        self._try_again(i, first - first_in, second - second_in)
        return first_in, second_in, third_in

    def _try_again(self, i: int, firsts: int, seconds: int) -> None:
        """Clients wait and try again; the answer takes a step to reach them. Third attempts give up."""
        after = i + 1
        if firsts:
            due = self._due_first
            for wait in self._uniform.whole(firsts, _FIRST_BACKOFF_STEPS):
                due[after + wait] += 1
        if seconds:
            due = self._due_second
            for wait in self._uniform.whole(seconds, _SECOND_BACKOFF_STEPS):
                due[after + wait] += 1
        self.pending += firsts + seconds

    def _run_retries(self, i: int, seconds: int, thirds: int) -> None:
        many, ends = seconds + thirds, self._ends
        samples = self._retry_ms.some(many)
        timeout = self.model.timeout_s * 1000
        if self._slowness is not None:
            factor = float(self._slowness[i])
            samples = [ms * factor for ms in samples]
        if max(samples) >= timeout:
            samples = [min(ms, timeout) for ms in samples]
        chances = self._uniform.some(many)
        lengths = [int(ms / STEP_MS + chance) or 1 for ms, chance in zip(samples, chances, strict=True)]
        ratio = 0.0 if self._error_ratio is None else float(self._error_ratio[i])
        stalled: dict[int, int] = {}
        if self.calls is not None and self.calls.chance > 0:
            stalled = self.calls.retries.delay(i, seconds, samples, lengths, ratio, len(self.retry_ms))
        for length in lengths:
            ends[i + length] += 1
        self.retry_ms += samples
        self.retry_length += lengths
        self.retry_step += [i] * many
        failed = 0
        if ratio or max(samples) >= timeout:
            late = [ms >= timeout for ms in samples]
            failed = self._fail_retries(i, seconds, ratio, late, lengths, stalled)
        elif stalled:
            failed = len(stalled)
            for number, fate in stalled.items():
                if fate == GIVEN_UP:
                    self._lose_retry(i, lengths[number], number < seconds, refused=self.model.refuses)
        self.served_on_retry += many - failed

    def _fail_retries(
        self, i: int, seconds: int, ratio: float, late: list[bool], lengths: list[int], stalled: dict[int, int]
    ) -> int:
        """Failures among the retries that run; returns how many, with those that are not decided yet."""
        failed = 0
        for number, length in enumerate(lengths):
            fate = stalled.get(number)
            if fate == WAITING:
                failed += 1
            elif late[number] or fate == GIVEN_UP or self._uniform.one() < ratio:
                failed += 1
                refused = fate == GIVEN_UP and self.model.refuses and not late[number]
                self._lose_retry(i, length, number < seconds, refused=refused)
        return failed

    def _lose_retry(self, i: int, length: int, again: bool, *, refused: bool) -> None:
        """One fails that started in step `i`. Only second attempts try once more."""
        end = i + length
        self._failed[end] += 1
        (self.retry_refused if refused else self.retry_failed).append(i)
        if again:
            self._due_second[end + 1 + int(self._uniform.one() * _SECOND_BACKOFF_STEPS)] += 1
            self.pending += 1

    def _fail(self, i: int, low: int, first: int, steps: list[int], fails: list[bool]) -> None:
        """Function errors among the first attempts that run: the client learns it when the invocation ends."""
        for k in range(low, low + first):
            if fails[k]:
                self._failed[i + steps[k]] += 1
                self._try_again(i + steps[k], 1, 0)

    def _start_cold(self, i: int, after: int, first: int, cold: int) -> None:
        """The last `cold` of the step's attempts wait for a new environment: they occupy it during its init."""
        self.warm += cold
        self._created += cold
        self.cold_starts += cold
        init = int(self.model.cold_ms / STEP_MS)
        cold_again = max(0, cold - first)
        lengths = self._as_lists()[2]
        for k in range(after - (cold - cold_again), after):
            self._ends[i + lengths[k]] -= 1
            self._ends[i + lengths[k] + init] += 1
            self.cold_first.append(k)
        for k in range(len(self.retry_ms) - cold_again, len(self.retry_ms)):
            self._ends[i + self.retry_length[k]] -= 1
            self._ends[i + self.retry_length[k] + init] += 1
            self.cold_retry.append(k)


def _share(room: int, mine: int, others: int, chance: float) -> int:
    """How many of `mine` get into `room`, in proportion to `others`, rounded by chance."""
    if mine == 0 or room <= 0:
        return 0
    wanted = int(room * mine / (mine + others) + chance)
    return min(max(wanted, room - others), mine, room)
