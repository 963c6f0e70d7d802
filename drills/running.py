"""How functions that share a limit go through their time: the calm way where nothing happens, else step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drills.lambda_model import FunctionState
from drills.steps import STEPS_A_SECOND

Ints = NDArray[np.int64]


def run(group: Sequence[FunctionState], a: int, b: int, limit: int) -> None:
    """Lets the functions that share `limit` go through the steps a..b of one ten seconds."""
    while a < b:
        if not any(state.is_exact(limit) for state in group):
            a = _run_calm(group, a, b, limit)
        if a < b:
            end = min(b, a - a % STEPS_A_SECOND + STEPS_A_SECOND)
            if len(group) == 1:
                group[0].exact(a, end, limit, limit)
            else:
                _run_together(group, a, end, limit)
            a = end


def _run_calm(group: Sequence[FunctionState], a: int, b: int, limit: int) -> int:
    """Accepts the forecasts up to the first step that needs a closer look, and returns that step."""
    forecasts = [state.forecast(a, b) for state in group]
    calm = min(state.calm_until(a, b) for state in group)
    most = [highest for _, highest in forecasts]
    excess = _claimed(group, most) - limit
    for state, highest in zip(group, most, strict=True):
        np.maximum(excess, highest - state.warm, out=excess)
    unsettled = np.flatnonzero(excess > 0)
    if len(unsettled):
        calm = min(calm, a + int(unsettled[0]))
    for state, (after, highest) in zip(group, forecasts, strict=True):
        state.accept(a, calm, after, highest)
    return calm


def _claimed(group: Sequence[FunctionState], most: Sequence[Ints]) -> Ints:
    """What a group takes of its limit. Provisioned environments are claimed from the shared pool, busy or not."""
    if len(group) == 1:
        return most[0]
    claimed = np.zeros_like(most[0])
    for state, highest in zip(group, most, strict=True):
        claimed += np.maximum(highest, state.provisioned)
    return claimed


def _run_together(group: Sequence[FunctionState], a: int, b: int, limit: int) -> None:
    """Functions of the unreserved pool, step by step in turns: whoever comes first takes the last place."""
    for step in range(a, b):
        turn = step % len(group)
        turbulent = False
        for state in (*group[turn:], *group[:turn]):
            others = sum(max(one.busy, one.provisioned) for one in group if one is not state)
            state.exact(step, step + 1, max(0, limit - others), limit)
            turbulent |= state.turbulent
        for state in group:
            state.turbulent = turbulent
