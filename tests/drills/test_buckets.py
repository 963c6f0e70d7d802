"""A token bucket never gives more than it got."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.buckets import Bucket

amounts = st.floats(0, 1e4)


def test_the_example_of_aws_lasts_fifteen_minutes():
    # https://repost.aws/knowledge-center/dynamodb-spiky-workloads-short-intervals: 150 units a second, five minutes
    # unused, then 200 units a second: 45,000 / (200 - 150) = 900 seconds.
    bucket = Bucket(rate=150, most=45_000, credit=0)
    for _ in range(400):
        bucket.settle(0)
    assert bucket.credit == 45_000
    lasted = 0
    while bucket.pass_ratio(200) == 1:
        bucket.settle(200)
        lasted += 1
    assert lasted == 900
    assert bucket.pass_ratio(200) == pytest.approx(150 / 200)


def test_what_was_let_go_beyond_the_credit_is_paid_by_the_next_second():
    bucket = Bucket(rate=100, most=0, credit=0)
    bucket.settle(130)
    assert bucket.available() == 70
    bucket.settle(400)
    assert bucket.available() == 0
    assert bucket.pass_ratio(50) == 0
    assert bucket.pass_ratio(0) == 1


@given(
    rate=amounts,
    most=amounts,
    seconds=st.lists(st.tuples(amounts, st.floats(0, 1.2)), max_size=60),
)
def test_in_the_long_run_no_more_than_the_credit_and_the_rate(rate, most, seconds):
    """Each second takes the part that passes of what was expected, more or less by what chance adds."""
    bucket, taken, overdrawn = Bucket(rate, most, most), 0.0, 0.0
    for wanted, luck in seconds:
        part = wanted * bucket.pass_ratio(wanted) * luck
        overdrawn = max(overdrawn, part - bucket.available())
        bucket.settle(part)
        taken += part
        assert bucket.credit <= most
    assert taken <= most + rate * len(seconds) + overdrawn + 1e-6 * (1 + taken)


@given(rate=amounts, most=amounts, taken=st.lists(amounts, min_size=1, max_size=20))
def test_seconds_may_be_settled_one_by_one_or_together_while_nothing_overflows(rate, most, taken):
    one, whole = Bucket(rate, most + 20 * rate, 0.0), Bucket(rate, most + 20 * rate, 0.0)
    for part in taken:
        one.settle(part)
    whole.settle(sum(taken), len(taken))
    assert whole.credit == pytest.approx(one.credit, abs=1e-6)
