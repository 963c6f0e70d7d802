"""When the world was unwell, and for how long."""

import numpy as np
import pytest

from drills.series import Failures, Totals


def failures(*times):
    kept = Failures()
    kept.add(np.array(times[:2], dtype=float))
    kept.add(np.array(times[2:], dtype=float))
    return kept


def test_trouble_ends_with_the_last_failure_before_thirty_quiet_seconds():
    trouble = failures(100, 110, 135, 180).trouble(100, now=400, quiet=30)
    assert (trouble.began, trouble.ended, trouble.seconds) == (100, 135, 35)


def test_failures_before_the_first_throttle_are_another_matter():
    assert failures(10, 100, 120).trouble(100, now=400, quiet=30).seconds == 20


def test_trouble_that_is_not_over_has_no_end():
    trouble = failures(100, 110, 130).trouble(100, now=155, quiet=30)
    assert trouble.ended is None
    assert trouble.seconds is None


def test_without_a_throttle_there_was_no_trouble():
    assert failures(100).trouble(None, now=400, quiet=30) is None


def test_totals_add_up():
    total = Totals(offered=10, served=9, failed=1, throttled=2, invocations=9) + Totals(offered=10, served=10)
    assert (total.offered, total.failed, total.attempts) == (20, 1, 11)
    assert total.availability == pytest.approx(0.95)
