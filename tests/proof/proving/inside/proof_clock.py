"""The clock of the emulator and of the Lambdas it runs: the real one, and some seconds ahead of it.

`SERENO_PROOF_CLOCK` names the file that holds the seconds. They only ever grow. A Lambda that sleeps sleeps by this
clock: it wakes when so much of it has passed.
"""

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import time_machine

LOOK_EVERY_S = 0.02
_nap = time.sleep


def _ahead(place: Path) -> float:
    """A file that is being written counts for what it said before."""
    try:
        return float(place.read_text())
    except (OSError, ValueError):
        return 0.0


def _follow(place: Path) -> None:
    reached = 0.0
    moved = time_machine.travel(datetime.now(UTC), tick=True).start()
    while True:
        ahead = _ahead(place)
        if ahead > reached:
            moved.shift(ahead - reached)
            reached = ahead
        started.set()
        _nap(LOOK_EVERY_S)


def _sleep(seconds: float) -> None:
    until = time.time() + seconds
    while (left := until - time.time()) > 0:
        _nap(min(left, LOOK_EVERY_S))


started = threading.Event()
if "SERENO_PROOF_CLOCK" in os.environ:
    threading.Thread(target=_follow, args=(Path(os.environ["SERENO_PROOF_CLOCK"]),), daemon=True).start()
    started.wait(5)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        time.sleep = _sleep
