"""Quantities are written with their units."""

import pytest

from deploy import units


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 500), ("15m", 900_000), ("1.5h", 5_400_000), ("2 d", 172_800_000), (" 10s ", 10_000)],
)
def test_durations(text, expected):
    assert units.milliseconds(text, usual="m") == expected


@pytest.mark.parametrize(
    ("value", "mend"), [(15, "write 15m"), ("15", "write 15m"), ("-3m", "no duration"), (None, "no duration")]
)
def test_a_duration_without_a_unit_proposes_the_usual_one(value, mend):
    with pytest.raises(ValueError, match=mend):
        units.milliseconds(value, usual="m")


def test_four_nines_leave_exactly_one_ten_thousandth():
    assert units.ratio("99.99%") == 0.9999
    assert units.ratio("99.9 %") == 0.999


@pytest.mark.parametrize(("value", "mend"), [(99.99, "write 99.99%"), (0.999, "write 99.9%"), ("most", "no percent")])
def test_a_percent_without_its_sign_is_not_guessed(value, mend):
    with pytest.raises(ValueError, match=mend):
        units.ratio(value)


@pytest.mark.parametrize(("value", "mend"), [(9, "write 9x"), ("many", "no factor"), ("9 times", "no factor")])
def test_a_factor_without_its_x_is_not_guessed(value, mend):
    assert units.factor("9x") == 9
    with pytest.raises(ValueError, match=mend):
        units.factor(value)
