"""What a person sees while a drill runs: a bar, and with `--speed live` a line for whatever happens.

The drill stops this process's wall clock, so the bar is drawn when the drill reports progress, not by a thread;
`time.monotonic`, from which the elapsed time comes, goes on.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from console.show import errors

if TYPE_CHECKING:
    from drills.engine import Happening

# The unattended twin is this part of a drill's progress (see drills.drill.run).
TWIN = 0.2
# In real time the bar moves this often.
REFRESH_S = 0.5
STYLE = {"alarm": "yellow", "limit": "bold green", "failure": "bold red", "told": "cyan"}


class Interrupts:
    """Ctrl-C that cannot get lost. Python can only ignore what is raised in a finaliser or in a weak reference's
    callback, and a drill has many of both: so the wish is remembered, and the next tick raises it again."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Notes Ctrl-C while this holds. Signals reach the main thread only; elsewhere this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def check(self) -> None:
        """Raises KeyboardInterrupt when it has been asked for."""
        if self.asked:
            raise KeyboardInterrupt

    def _ask(self, *_: object) -> None:
        self.asked = True
        raise KeyboardInterrupt


@dataclass(slots=True)
class Display:
    """A bar on standard error; nothing at all when standard error is no terminal."""

    progress: Progress | None
    task: TaskID
    shown: float = 0.0
    interrupts: Interrupts = field(default_factory=Interrupts)

    def advance(self, part: float) -> None:
        """A drill's tick: draws the part done (0-1). Raises KeyboardInterrupt after a Ctrl-C."""
        self.interrupts.check()
        self.draw(part)

    def draw(self, part: float) -> None:
        """Draws the part done (0-1), at most a hundred times; from any thread."""
        if self.progress is not None and (part - self.shown >= 0.01 or part >= 1):
            self.shown = part
            self.progress.update(self.task, completed=part, refresh=True)

    def say(self, line: Text) -> None:
        """A line above the bar."""
        console = self.progress.console if self.progress is not None else errors()
        console.print(line, soft_wrap=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the bar away while something is written to standard output."""
        if self.progress is not None:
            self.progress.stop()
        yield
        if self.progress is not None:
            self.progress.start()


@contextmanager
def display(label: str, *, quiet: bool = False, ticking: bool = False) -> Iterator[Display]:
    """A bar while this holds, with the part done, the time taken, and gone at the end. `ticking` draws it anew twice
    a second: only where no drill stops the clock of this process."""
    console, interrupts = errors(), Interrupts()
    if quiet or not console.is_terminal:
        with interrupts.noted():
            yield Display(None, TaskID(0), interrupts=interrupts)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    # Standard output stays what it is: it may be a pipe while the bar is on a terminal.
    with (
        Progress(
            *columns,
            console=console,
            transient=True,
            auto_refresh=ticking,
            refresh_per_second=1 / REFRESH_S,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as progress,
        interrupts.noted(),
    ):
        shown = Display(progress, progress.add_task(label, total=1.0), interrupts=interrupts)
        progress.refresh()
        yield shown


@dataclass(slots=True)
class Live:
    """Keeps a drill to real time and tells what happens. The unattended twin runs at once.

    `monotonic` and `sleep` count in seconds.
    """

    duration_s: float
    shown: Display
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    began: float | None = field(default=None, init=False)

    def tick(self, part: float) -> None:
        """The drill has come to this part (0-1) of its progress."""
        if part <= TWIN:
            self.shown.advance(part)
        else:
            self._wait_until((part - TWIN) / (1 - TWIN) * self.duration_s)

    def hear(self, happening: Happening) -> None:
        """Something happens now: not told before its moment."""
        self._wait_until(happening.at_s)
        minutes, seconds = divmod(int(happening.at_s), 60)
        style = STYLE.get(happening.kind, "")
        self.shown.say(
            Text.assemble((f"{minutes:4d}:{seconds:02d}  ", "dim"), (f"{happening.kind:8}", style), happening.text)
        )

    def _wait_until(self, at_s: float) -> None:
        if self.began is None:
            self.began = self.monotonic()
        while (ahead := at_s - (passed := self.monotonic() - self.began)) > 0:
            self.shown.advance(TWIN + (1 - TWIN) * passed / self.duration_s)
            self.sleep(min(ahead, REFRESH_S))
        self.shown.advance(TWIN + (1 - TWIN) * at_s / self.duration_s)
