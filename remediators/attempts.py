"""Trying again: when an alarm that stays red, or an event that nothing is ready for, gets another attempt. Pure."""

from __future__ import annotations

from dataclasses import replace

from sereno import planned
from sereno.model import Signal

# An event has this long to arrive before the round takes its alarm for missed.
GRACE_S = 90.0
# What was refused is tried again after 5, 10, 20, 40 ... minutes.
RETRY_S = 300.0


def attempt_number(age_s: float) -> int:
    """Which attempt is due at this age (seconds): 0 is the first, then 1, 2, 3 ... from 5, 10, 20 ... minutes on."""
    attempt = 0
    while age_s >= RETRY_S * 2**attempt:
        attempt += 1
    return attempt


def again(signal: Signal, attempt: int) -> Signal:
    """The signal of an alarm that is still red, or of an event that nothing is ready for yet, for another attempt.
    Its id follows from the attempt alone, so that an attempt is made once, however many rounds see it due."""
    source = signal.source if planned.began(signal) else "round"
    return replace(signal, id=f"{signal.id}#r{attempt}", root=signal.origin, source=source)
