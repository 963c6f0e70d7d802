"""Time in the world's small units: steps of 20 ms, tens of seconds, and blocks of a minute."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

STEP_S = 0.02
STEP_MS = STEP_S * 1000
STEPS_A_SECOND = 50
BIN = 500  # steps in 10 s: the window of the scaling rate, and the resolution of the series
BLOCK = 3000  # steps in a minute
TAIL = BLOCK  # how far beyond its block anything begun in it may reach: a timeout is at most half of it


def shared(size: int) -> tuple[array[int], NDArray[np.int64]]:
    """One buffer with two faces: an array for single items, a numpy array for slices."""
    plain = array("q", bytes(8 * size))
    return plain, np.frombuffer(plain, dtype=np.int64)
