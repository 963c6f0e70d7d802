"""Whatever is lost, late or wrong: the primary moves nothing, nothing goes back by itself, one word is not enough.

Every night is a list of events: ways between regions are cut and mended, probers die, clocks of a region go wrong by
up to two minutes, the primary goes dark and comes back. After each event some tries pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediators import evidence, parity, prober
from remediators import round as rounds
from remediators.round import RoundIncomplete
from remediators.watch import Watch
from sereno.recovery import DOWN_FROM, FRESH, ROLL, Evidence, Witness
from tests.remediators.regions.conftest import PRIMARY, STANDBY, WITNESS, FakeEyes
from tests.remediators.regions.paper import PaperRegions, paper_regions

REGIONS = (PRIMARY, STANDBY, WITNESS)
ways = st.tuples(st.sampled_from(REGIONS), st.sampled_from(REGIONS)).filter(lambda way: way[0] != way[1])
events = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(st.just("cut"), ways),
            st.tuples(st.just("mend"), ways),
            st.tuples(st.just("dies"), st.sampled_from(REGIONS)),
            st.tuples(st.just("lives"), st.sampled_from(REGIONS)),
            st.tuples(st.just("clock"), st.tuples(st.sampled_from(REGIONS), st.floats(-120, 120))),
            st.tuples(st.just("dark"), st.none()),
            st.tuples(st.just("back"), st.none()),
        ),
        st.integers(1, 8),
    ),
    max_size=14,
)


@pytest.fixture(autouse=True, scope="module")
def no_parity() -> Iterator[None]:
    """The sizes of things are another story."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "due", lambda _: False)
        yield


class Night:
    """A night, and what must hold at each of its moments."""

    def __init__(self) -> None:
        self.regions: PaperRegions = paper_regions()
        self.dead: set[str] = set()
        self.moved = False
        # Of each of the two that try it: when, and whether it was served.
        self.tried: dict[str, list[tuple[datetime, bool]]] = {STANDBY: [], WITNESS: []}

    def happens(self, name: str, what: object) -> None:
        world, cut = self.regions.world, self.regions.cut
        match name, what:
            case "cut", (str() as here, str() as there):
                cut.add((here, there))
                world.unseen.add((here, there))
            case "mend", (str() as here, str() as there):
                cut.discard((here, there))
                world.unseen.discard((here, there))
            case "dies", str() as region:
                self.dead.add(region)
            case "lives", str() as region:
                self.dead.discard(region)
            case "clock", (str() as region, float() as by):
                self.regions.clocks[region].by = by
            case "dark", None:
                world.down[PRIMARY] = "no answer"
            case "back", None:
                world.down.pop(PRIMARY, None)

    def tries(self, count: int) -> None:
        regions = self.regions
        for number in range(count):
            regions.clock.forward(5)
            for region in REGIONS:
                if region in self.dead or region in regions.world.down:
                    continue
                eyes = FakeEyes(regions.world, region)
                prober.try_once(regions.watches[region], eyes)
                if region in self.tried:
                    ok = eyes.look(prober_url(regions.watches[region]), ("/health",)).ok
                    self.tried[region].append((regions.clock.now(), ok))
                # At each moment, for a region may come back between the try of the one and that of the other.
                self.holds()
            if number % 4 == 3:
                for region in (STANDBY, PRIMARY):
                    if region not in self.dead and region not in regions.world.down:
                        with suppress(RoundIncomplete):  # what was lost is looked at again
                            rounds.make(regions.watches[region])
            self.holds()

    def holds(self) -> None:
        regions = self.regions
        if self.moved:
            assert regions.switched, "nothing goes back without a person"
        elif regions.switched:
            self.moved = True
            for region, name in ((STANDBY, Witness.STANDBY), (WITNESS, Witness.THIRD)):
                told = self.known().primary[str(name)][-ROLL:]
                assert sum(not one.ok for one in told) >= DOWN_FROM, name
                assert not told[-1].ok, name
                # What is known was seen: words are lost, and none is made up.
                since = regions.clock.now() - ROLL * FRESH
                assert sum(not ok for at, ok in self.tried[region] if at >= since) >= DOWN_FROM, name
        for region in (PRIMARY, WITNESS):
            asked = {service for service, _, _ in regions.aws[region].calls}
            assert not asked & {"s3", "route53", "iam"}, "only the standby moves traffic"
        assert "route53" not in {service for service, _, _ in regions.aws[STANDBY].calls}
        assert PRIMARY not in {at for _, _, at in regions.aws[STANDBY].calls}

    def known(self) -> Evidence:
        found = evidence.of(self.regions.aws[STANDBY], self.regions.watches[STANDBY].service).evidence
        assert found is not None
        return found


def prober_url(watch: Watch) -> str:
    recovery = watch.service.recovery
    assert recovery is not None
    return recovery.urls[PRIMARY]


@settings(max_examples=40, deadline=None)
@given(events)
@example([(("cut", (STANDBY, PRIMARY)), 1), (("dark", None), 6), (("back", None), 1)])
def test_on_any_night_traffic_moves_by_two_vantages_once_and_never_back_by_itself(happenings):
    live(happenings)


@pytest.mark.evidence
@settings(max_examples=1000, deadline=None)
@given(events)
def test_on_a_thousand_nights_traffic_moves_by_two_vantages_once_and_never_back_by_itself(happenings):
    live(happenings)


def live(happenings):
    night = Night()
    night.tries(8)
    for (name, what), count in happenings:
        night.happens(name, what)
        night.tries(count)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(-120, 120), min_size=3, max_size=3),
    st.integers(0, 11),
)
def test_whatever_the_clocks_say_a_dark_region_is_left(skews, late):
    night = Night()
    for region, by in zip(REGIONS, skews, strict=True):
        night.regions.clocks[region].by = by
    night.tries(8 + late)
    night.happens("dark", None)
    night.tries(8)
    assert night.regions.switched


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([STANDBY, WITNESS, None]), st.integers(0, 20))
def test_a_region_that_serves_is_never_left(cut_off, count):
    """Whoever cannot see it, and though the regions cannot see each other."""
    night = Night()
    night.tries(8)
    night.happens("cut", (PRIMARY, STANDBY))
    if cut_off:
        night.happens("cut", (cut_off, PRIMARY))
    night.tries(10 + count)
    assert not night.regions.switched
