"""What happened to a function over some tens of seconds, counted from the steps it went through."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drills.lambda_model import FunctionState
from drills.stalled import Decided
from drills.steps import BIN
from drills.table_retries import UNKNOWN_MS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Milliseconds beside the function's own time. AWS publishes none of them; they are of the order that traces show.
INVOKE_MS = 8.0  # from API Gateway to the function and back
GATEWAY_MS = 4.0  # API Gateway's own work: Latency minus IntegrationLatency
THROTTLED_MS = 10.0  # Lambda's 429 comes back at once


@dataclass(frozen=True, slots=True)
class Harvest:
    """Counts by 10 s and samples of one function. Arrays have one item for each ten seconds.

    `offered` are first attempts, `served` those of them that succeeded, `failed` the others. `throttled`,
    `rejected` (by the gateway), `limited` (by the account's throttle) and `started` count all attempts. `errors`
    counts invocations that failed, `refusals` those that answered 5xx for a table's sake. A first attempt that waits
    for a table counts as served or failed when that is known. `run_ms` and `answer_ms` hold one item for each attempt
    that ran: its Duration, and Duration with init. `answered` says which of those were first attempts that succeeded.
    """

    offered: Ints
    served: Ints
    failed: Ints
    throttled: Ints
    rejected: Ints
    limited: Ints
    started: Ints
    peak: Ints
    errors: int
    refusals: int
    run_ms: Floats
    answer_ms: Floats
    end_bin: Ints
    answered: NDArray[np.bool_]


def harvest(state: FunctionState, a: int, b: int) -> Harvest:
    """Counts the steps a..b of the block (whole tens of seconds), and forgets the retries noted meanwhile."""
    low, high = int(state.index[a]), int(state.index[b])
    ran = _ran(state, a, b)
    stalled = state.stalled[low:high] & ran
    failing = state.fails[low:high] & ran
    first_ms = state.ms[low:high]
    answer = first_ms
    if state.cold_first:
        answer = first_ms.copy()
        answer[np.array(state.cold_first) - low] += state.model.cold_ms
    ends = state.end[low:high]
    succeeded = ~failing
    refusals = int((state.refused[low:high] & failing).sum())
    undecided = _by_bin(np.bincount(state.step_of[low:high][stalled] - a, minlength=b - a))
    ran &= ~stalled
    if not ran.all():
        first_ms, answer, ends, succeeded = first_ms[ran], answer[ran], ends[ran], succeeded[ran]
    erred = _by_bin(np.bincount(state.step_of[low:high][failing] - a, minlength=b - a))
    admitted = _by_bin(state.admitted[a:b])
    offered = _by_bin(state.firsts[a:b])
    result = Harvest(
        offered=offered,
        served=admitted - erred - undecided,
        failed=offered - admitted + erred,
        throttled=_by_bin(state.throttled[a:b]),
        rejected=_by_bin(state.rejected[a:b]),
        limited=_by_bin(state.limited[a:b]),
        started=_by_bin(state.started[a:b]),
        peak=state.peak[a:b].reshape(-1, BIN).max(axis=1),
        errors=int(erred.sum()) - refusals + len(state.retry_failed),
        refusals=refusals + len(state.retry_refused),
        run_ms=first_ms,
        answer_ms=answer,
        end_bin=ends // BIN,
        answered=succeeded,
    )
    return _with_decided(state, _with_retries(state, result), a, b)


def _ran(state: FunctionState, a: int, b: int) -> NDArray[np.bool_]:
    """Which first attempts ran: in each step those after the gateway's share, as many as were admitted."""
    low, high = int(state.index[a]), int(state.index[b])
    if np.array_equal(state.admitted[a:b], state.firsts[a:b]):
        return np.ones(high - low, dtype=np.bool_)
    steps = state.step_of[low:high]
    place = np.arange(low, high) - state.index[steps] - state.gate[steps]
    ran: NDArray[np.bool_] = (place >= 0) & (place < state.admitted[steps])
    return ran


def _with_retries(state: FunctionState, result: Harvest) -> Harvest:
    """Adds the retries' samples, and empties the notes."""
    state.cold_first.clear()
    state.retry_failed.clear()
    state.retry_refused.clear()
    if not state.retry_ms:
        return result
    ms = np.array(state.retry_ms)
    answer = ms.copy()
    answer[state.cold_retry] += state.model.cold_ms
    ends = np.array(state.retry_step) + np.array(state.retry_length)
    for notes in (state.retry_ms, state.retry_step, state.retry_length, state.cold_retry):
        notes.clear()
    known = ms != UNKNOWN_MS
    return _joined(result, ms[known], answer[known], ends[known], np.zeros(int(known.sum()), dtype=np.bool_))


def _with_decided(state: FunctionState, result: Harvest, a: int, b: int) -> Harvest:
    """Adds those that waited for a table and whose fate became known, and empties the notes."""
    if state.calls is None or not state.calls.decided:
        return result
    some = Decided.together(state.calls.decided)
    state.calls.decided.clear()
    won, lost = some.first & ~some.failed, some.first & some.failed
    known = replace(
        result,
        served=result.served + _by_bin(np.bincount(some.step[won] - a, minlength=b - a)),
        failed=result.failed + _by_bin(np.bincount(some.step[lost] - a, minlength=b - a)),
        errors=result.errors + int((some.failed & ~some.refused).sum()),
        refusals=result.refusals + int(some.refused.sum()),
    )
    return _joined(known, some.ms, some.ms + some.cold * state.model.cold_ms, some.end, won)


def _joined(result: Harvest, ms: Floats, answer: Floats, ends: Ints, answered: NDArray[np.bool_]) -> Harvest:
    return replace(
        result,
        run_ms=np.concatenate([result.run_ms, ms]),
        answer_ms=np.concatenate([result.answer_ms, answer]),
        end_bin=np.concatenate([result.end_bin, ends // BIN]),
        answered=np.concatenate([result.answered, answered]),
    )


def _by_bin(steps: Ints) -> Ints:
    summed: Ints = steps.reshape(-1, BIN).sum(axis=1)
    return summed
