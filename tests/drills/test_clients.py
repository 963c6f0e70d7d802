"""How many requests come, and when."""

import numpy as np
import pytest

from drills.clients import Traffic, lognormals, uniforms


def test_a_profile_is_a_factor_over_normal_and_holds_at_its_ends():
    traffic = Traffic.profile(120, [(60, 1), (120, 9)], shift=30)
    assert traffic.rate(np.array([0.0, 90.0, 120.0, 150.0, 9999.0])).tolist() == [120, 120, 600, 1080, 1080]
    assert traffic.peak == 1080


def test_a_day_swings_between_its_lowest_and_its_highest():
    traffic = Traffic.daily(20, 120, 86400)
    hours = traffic.rate(np.array([0, 6, 12, 18, 24]) * 3600.0)
    assert hours == pytest.approx([70, 20, 70, 120, 70])


def test_a_day_may_come_late():
    late = Traffic.daily(20, 120, 86400, shift=600)
    assert late.rate(np.array([18 * 3600 + 600.0]))[0] == pytest.approx(120)


def test_numbers_one_by_one_and_several_at_once_are_those_drawn_in_batches():
    drawn = uniforms(np.random.default_rng(1), batch=4)
    stream = np.random.default_rng(1)
    assert [drawn.one(), *drawn.some(6), drawn.one()] == [*stream.random(4), *stream.random(4)]
    assert drawn.some(0) == []
    sample = lognormals(np.random.default_rng(1), 5.0, 0.5).some(20_000)
    assert np.mean(np.log(sample)) == pytest.approx(5.0, abs=0.02)


def test_numbers_may_be_taken_as_whole_waits_in_between():
    drawn = uniforms(np.random.default_rng(1), batch=4, scales=(50.0, 100.0))
    plain = uniforms(np.random.default_rng(1)).some(9)
    taken = [drawn.one(), *drawn.whole(4, 50.0), *drawn.whole(1, 100.0), *drawn.some(3)]
    assert taken == [plain[0], *(int(one * 50) for one in plain[1:5]), int(plain[5] * 100), *plain[6:]]
