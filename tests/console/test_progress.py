"""What is seen while a drill runs: never ahead of its moment, never in the way of standard output."""

from __future__ import annotations

import io
import signal

import pytest
from rich.console import Console

from console import progress
from console.progress import Display, Live
from drills.engine import Happening


class RealTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard error as a terminal of eighty columns."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    monkeypatch.setattr(progress, "errors", lambda: console)
    return written


def live(shown: Display) -> tuple[Live, RealTime]:
    time = RealTime()
    return Live(300, shown, monotonic=time.monotonic, sleep=time.sleep), time


def test_the_bar_moves_and_is_gone_at_the_end(terminal, capsys):
    with progress.display("surge-ramp, seed 1") as shown:
        for percent in range(101):
            shown.advance(percent / 100)
    written = terminal.getvalue()
    for told in ("surge-ramp, seed 1", " 25 %", "100 %", "0:00:00"):
        assert told in written
    assert written.endswith("\x1b[2K"), "the line is wiped"
    assert capsys.readouterr().out == ""


def test_small_steps_are_not_drawn(terminal):
    with progress.display("a drill") as shown:
        for step in range(10_000):
            shown.advance(step / 10_000)
    assert terminal.getvalue().count("a drill") <= 105


def test_there_is_no_bar_in_a_pipe_nor_when_it_should_be_quiet(terminal, capsys):
    with progress.display("a drill", quiet=True) as shown:
        shown.advance(0.5)
    assert terminal.getvalue() == ""
    assert shown.progress is None


def test_real_time_is_kept_from_the_end_of_the_twin_on(terminal):
    with progress.display("a drill") as shown:
        follower, time = live(shown)
        follower.tick(0.1)
        follower.tick(0.2)
        assert time.slept == [], "the unattended twin runs at once"
        follower.tick(0.2 + 0.8 * 60 / 300)
        assert time.now == pytest.approx(1060)
        assert max(time.slept) <= progress.REFRESH_S, "the bar goes on moving meanwhile"


def test_a_happening_is_told_at_its_moment_and_not_before(terminal):
    with progress.display("a drill") as shown:
        follower, time = live(shown)
        follower.hear(Happening(90, "alarm", "techmoda/read/exhaustion is ALARM: [forecast] 161"))
        assert time.now == pytest.approx(1090)
    assert "1:30  " in terminal.getvalue()
    assert "[forecast] 161" in terminal.getvalue()


def test_the_bar_steps_aside_for_standard_output(terminal, capsys):
    with progress.display("a drill", ticking=True) as shown:
        shown.advance(0.5)
        with shown.aside():
            print("seed 1")  # noqa: T201
        shown.advance(1.0)
    assert capsys.readouterr().out == "seed 1\n"


def test_a_ctrl_c_that_python_had_to_ignore_is_not_lost(terminal):
    before = signal.getsignal(signal.SIGINT)
    with progress.display("a drill") as shown:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            shown.advance(0.5)
        shown.draw(0.6)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("quiet", [True, False])
def test_without_ctrl_c_nothing_is_interrupted(terminal, quiet):
    with progress.display("a drill", quiet=quiet) as shown:
        shown.advance(0.5)
        shown.advance(1.0)
