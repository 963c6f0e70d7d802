"""A game day keeps the pace of the wall's clock, is calm until somebody presses, and can be looked at meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from drills import scenario
from drills.gameday import CALM, GameDay
from drills.rooms import DrillRoom, over
from drills.world import TOTAL
from sereno.errors import SerenoError
from sereno.model import Mode

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("paced")]


class Wall:
    """A clock on the wall that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def until(seen: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def wall() -> Wall:
    return Wall()


@pytest.fixture(scope="module")
def game(wall: Wall) -> Iterator[GameDay]:
    made = GameDay(scenario.load("surge-step"), speed=10.0, mode=Mode.APPROVE, monotonic=wall)
    made.begin()
    yield made
    made.end()


def test_it_waits_for_the_clock_on_the_wall(game, wall):
    time.sleep(0.2)
    assert game.at_s == 0.0
    wall.seconds += 6.0
    until(lambda: game.at_s >= 60.0)
    time.sleep(0.2)
    assert game.at_s == 60.0, "ten of the drill's seconds for each of the wall's, and not one more"
    assert game.now().timestamp() == game.scenario.start_s + 60.0


def test_all_is_calm_until_somebody_presses_and_again_afterwards(game, wall):
    def asked(begin: float, minutes: int) -> float:
        """The most requests a second in those minutes."""
        wall.seconds = (begin + 60 * minutes) / game.speed
        until(lambda: game.at_s >= begin + 60 * minutes)
        first = int(begin // 10)
        with game.still() as cloud:
            assert cloud.created.physical("Ledger")
            return float(game._run.world.series[TOTAL].offered[first : first + 6 * minutes - 1].max()) / 10

    normal = game.scenario.normal
    assert asked(60, 2) < 1.3 * normal
    assert "from minute 4 of the drill on" in game.press("surge-step")
    assert asked(240, 3) > 7 * normal
    game.press(CALM)
    assert asked(480, 2) < 1.3 * normal


def test_the_same_scenarios_are_offered_once_each_and_no_other_is_taken(game):
    names = [name for name, _ in game.controls()]
    assert names[0] == "surge-step"
    assert names[-1] == CALM
    assert len(names) == len(set(names))
    assert {"surge-ramp", "slow-downstream"} <= set(names)
    room = DrillRoom(game)
    assert not room.press("hot-key' OR 1", actor="maria").ok
    assert game.service.playbook["exhaustion"].mode is Mode.APPROVE


def test_looking_does_not_wait_for_the_wall(game):
    """The engine sleeps without the lock: a page is answered while nothing happens."""
    looked = threading.Event()

    def look() -> None:
        DrillRoom(game).overview()
        looked.set()

    threading.Thread(target=look, daemon=True).start()
    assert looked.wait(10)


def test_when_it_is_over_there_is_nothing_left_to_look_at(game):
    """The last of these: there is one embedded AWS in a process, so one game day at a time."""
    room = DrillRoom(game)
    game.end()
    assert over(game).startswith("The game day is over after 10 minutes of its own, with ")
    with pytest.raises(SerenoError, match="the game day is over"):
        room.overview()
    with pytest.raises(SerenoError, match="the game day is over"):
        game.press(CALM)
