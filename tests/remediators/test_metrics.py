"""Which datapoints a decision about the hold reads."""

from __future__ import annotations

import pytest

from remediators.metrics import LATE_S, of_hold

NOW, HOLD = 10_000.0, 180.0


@pytest.mark.parametrize(
    ("ages", "read"),
    [
        ((400, 170, 60), (170, 60)),
        ((400, 200), (200,)),
        ((HOLD + LATE_S + 1,), ()),
        ((), ()),
    ],
    ids=["the hold alone", "late datapoints: the newest before the hold", "an idle resource", "nothing at all"],
)
def test_a_hold_without_a_datapoint_reads_the_newest_before_it(ages, read):
    points = [(NOW - age, 1.0) for age in ages]
    assert [NOW - moment for moment, _ in of_hold(points, NOW, HOLD)] == list(read)
