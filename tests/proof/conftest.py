"""One emulator for the whole proof, with the shop and its watch on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from proving import emulator as emulators
from proving import shop as shops
from proving import watch as watches
from proving.emulator import Emulator
from proving.shop import Shop
from proving.stand_in import SETTINGS, StandIn, standing_in
from proving.watch import Shipped, Watch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without its environment there is no emulator to run on."""
    for item in items:
        if {"emulator", "regions"} & {*getattr(item, "fixturenames", ())} and not emulators.READY.exists():
            item.add_marker(pytest.mark.skip(reason="the emulator is not installed: make proof"))


@pytest.fixture(autouse=True)
def _callers_are_throttled() -> None:
    """The emulator of the proof runs on a clock that nobody moves by waiting: no request rates here."""


@pytest.fixture(scope="package")
def stand_in() -> Iterator[StandIn]:
    with standing_in() as here:
        yield here


@pytest.fixture(scope="package")
def emulator(stand_in: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    place, settings = tmp_path_factory.mktemp("emulator"), dict.fromkeys(SETTINGS, stand_in.url)
    with emulators.running(place, **settings) as running, pytest.MonkeyPatch.context() as patch:
        # It refuses, as AWS does, what is signed minutes from its own time.
        patch.setattr("botocore.auth.get_current_datetime", lambda: running.clock.now().replace(tzinfo=None))
        yield running


@pytest.fixture(scope="package")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    return watches.ship(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="package")
def shop(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return shops.open_shop(emulator, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="package")
def watch(emulator: Emulator, shop: Shop, shipped: Shipped) -> Watch:
    return watches.stand_watch(emulator, shipped)
