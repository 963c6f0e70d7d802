"""A table in two regions: what was acknowledged and had not left is lost for the time being, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.regions.replication import Journal, Writes, recovery_point

PRIMARY, STANDBY = 0, 1


def writes(*rows: tuple[float, int, int, float]) -> Writes:
    """(when, item, region, lag), in their order."""
    times, items, regions, lags = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Writes(
        np.array(times, dtype=float),
        np.array(items, dtype=np.int64),
        np.array(regions, dtype=np.int64),
        np.array(lags, dtype=float),
    )


def test_a_write_that_was_on_its_way_is_lost_and_arrives_late():
    found = writes((98.0, 7, PRIMARY, 1.0), (99.5, 8, PRIMARY, 1.0), (300.0, 1, STANDBY, 1.0))
    (lost,) = found.lost(PRIMARY, [(100.0, 200.0)])
    assert (lost.id, lost.item, lost.at_s) == ("w0000001", 8, 99.5)
    assert lost.arrived_s == 201.0
    assert lost.superseded_s is None
    assert recovery_point([lost], 100.0) == pytest.approx(0.5)
    dark = [(PRIMARY, 100.0, 200.0)]
    assert found.shown(8, STANDBY, 150.0, dark) is None, "the standby has never heard of it"
    assert found.shown(8, STANDBY, 202.0, dark) == 1
    assert found.shown(7, STANDBY, 150.0, dark) == 0


def test_what_was_written_anew_meanwhile_wins_over_what_arrives_late():
    found = writes((99.5, 8, PRIMARY, 1.0), (150.0, 8, STANDBY, 1.0), (400.0, 0, STANDBY, 1.0))
    (lost,) = found.lost(PRIMARY, [(100.0, 200.0)])
    assert lost.superseded_s == 150.0
    for region in (PRIMARY, STANDBY):
        assert found.shown(8, region, 300.0, [(PRIMARY, 100.0, 200.0)]) == 1


def test_a_region_that_is_not_back_within_the_drill_has_given_nothing_back():
    (lost,) = writes((99.5, 8, PRIMARY, 1.0)).lost(PRIMARY, [(100.0, 200.0)])
    assert lost.arrived_s is None


def test_a_journal_keeps_what_each_second_brought_in_order():
    journal = Journal(np.random.default_rng(1))
    journal.write(5.0, STANDBY, 3)
    journal.write(4.0, PRIMARY, 2)
    journal.write(6.0, PRIMARY, 0)
    closed = journal.closed()
    assert len(journal) == len(closed) == 5
    assert list(closed.times) == sorted(closed.times)
    assert list(closed.regions) == [PRIMARY] * 2 + [STANDBY] * 3
    assert all(0 < lag <= 8 for lag in closed.lags)
    assert len(Journal(np.random.default_rng(1)).closed()) == 0


rows = st.lists(
    st.tuples(
        st.floats(0, 100, allow_nan=False),
        st.integers(0, 3),
        st.sampled_from([PRIMARY, STANDBY]),
        st.floats(0.01, 8, allow_nan=False),
    ),
    max_size=30,
)


@given(rows=rows, begins=st.floats(10, 60), lasts=st.floats(5, 30))
def test_no_write_is_lost_but_those_within_the_lag(rows, begins, lasts):
    """Against the table itself: a write is lost when the standby, at the end of the dark, has never had it."""
    ends = begins + lasts
    # A dark region acknowledges nothing.
    kept = sorted(one for one in rows if not (one[2] == PRIMARY and begins <= one[0] < ends))
    # The last write of an item is what the table shows; give each its own item to see every one of them.
    alone = [(at, number, region, lag) for number, (at, _, region, lag) in enumerate(kept)]
    found = writes(*alone)
    lost = {one.item for one in found.lost(PRIMARY, [(begins, ends)])}
    dark = [(PRIMARY, begins, ends)]
    for number, (at, _, region, lag) in enumerate(alone):
        if region == PRIMARY and at < begins:
            hidden = found.shown(number, STANDBY, ends - 1e-9, dark) is None
            assert hidden == (number in lost) == (at + lag >= begins)
    assert lost <= {number for number, one in enumerate(alone) if begins - 8 <= one[0] < begins}


@given(rows=rows, begins=st.floats(10, 60), lasts=st.floats(5, 30))
def test_when_all_has_arrived_both_regions_show_the_last_write_of_every_item(rows, begins, lasts):
    ends = begins + lasts
    found = writes(*sorted(one for one in rows if not (one[2] == PRIMARY and begins <= one[0] < ends)))
    dark = [(PRIMARY, begins, ends)]
    for item in set(found.items.tolist()):
        newest = int(np.flatnonzero(found.items == item)[-1])
        assert found.shown(item, PRIMARY, 1000.0, dark) == found.shown(item, STANDBY, 1000.0, dark) == newest
