"""Holds the emulator on a leash: when the test process ends, however it ends, the emulator ends with all its workers.

The test process holds the other end of standard input, and the system closes it even for a process that is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 5


def main() -> None:
    emulator = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_until_let_go, args=(emulator.pid,), daemon=True).start()
    emulator.wait()
    _end(emulator.pid, signal.SIGKILL)


def _until_let_go(group: int) -> None:
    sys.stdin.read()
    _end(group, signal.SIGTERM)
    time.sleep(GRACE_S)
    _end(group, signal.SIGKILL)


def _end(group: int, sign: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, sign)


main()
