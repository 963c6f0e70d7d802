"""What a table lets through in a second."""

import pytest

from drills.table_state import BURST_S, Resource


def table(read=200, write=50, billing="provisioned", **changes):
    settings = {"partitions": 1, "hot_share": 0.0, "cold": True, **changes}
    return Resource("products", None, (read, write), billing, **settings)


def passage(resource, wanted, kind="read"):
    hottest, meter = resource.hottest, resource.meters[kind]
    meter.hot, meter.other = wanted * hottest, wanted * (1 - hottest)
    resource.look_ahead(kind)
    return meter.passage


def test_a_cold_table_gives_its_capacity_and_a_rested_one_five_minutes_of_it_too():
    assert passage(table(), 400).mean == pytest.approx(0.5)
    rested = table(cold=False)
    assert rested.meters["read"].bucket.credit == 200 * BURST_S
    assert passage(rested, 400).mean == 1


def test_reads_and_writes_are_apart():
    one = table()
    assert passage(one, 400, "read").mean == pytest.approx(0.5)
    assert passage(one, 50, "write").mean == 1


def test_a_hot_key_takes_what_one_partition_takes_whatever_the_capacity():
    for capacity in (8_000, 16_000, 32_000):
        one = table(read=capacity, hot_share=1.0)
        met = passage(one, 6_000)
        assert met.hot == pytest.approx(0.5)
        assert met.capacity == 1


def test_those_who_ask_for_other_keys_do_not_suffer_with_the_hot_one():
    met = passage(table(read=20_000, hot_share=0.6), 8_000)
    assert met.hot < 0.7
    assert met.other == 1


def test_capacity_brings_partitions_so_that_even_traffic_is_never_short_of_them():
    one = table(read=12_000, write=3_000)
    assert passage(one, 11_000).mean == 1
    one.set_capacity("read", 24_000)
    assert passage(one, 23_000).mean == 1
    one.set_capacity("read", 100)
    assert one.hottest == pytest.approx(1 / 11)  # 24,000 / 3,000 + 3,000 / 1,000 and they are never joined


def test_one_partition_bursts_no_higher_than_its_limit():
    assert passage(table(cold=False), 6_000).mean == pytest.approx(0.5)


def test_a_raise_keeps_the_credit_and_a_cut_keeps_what_it_may():
    one = table(read=100, cold=False)
    one.set_capacity("read", 300)
    assert one.meters["read"].bucket.credit == 100 * BURST_S
    one.set_capacity("read", 20)
    assert one.meters["read"].bucket.credit == 20 * BURST_S
    assert one.capacity == (20, 50)


@pytest.mark.parametrize(
    ("resource", "units", "told"),
    [(table(), 0, "below 1"), (table(billing="on-demand"), 500, "on-demand table has no read capacity")],
)
def test_a_capacity_that_cannot_be_set_is_told(resource, units, told):
    with pytest.raises(ValueError, match=told):
        resource.set_capacity("read", units)


def test_an_on_demand_table_takes_twice_the_peak_it_has_known_for_half_an_hour():
    one = table(read=9_000, write=0, billing="on-demand")
    assert one.capacity == (18_000, 4_000)
    for _ in range(30):
        one.end_minute("read", 15_000)
    assert one.capacity[0] == 18_000
    one.end_minute("read", 15_000)
    assert one.capacity[0] == 30_000
    for _ in range(90):
        one.end_minute("read", 10)
    assert one.capacity[0] == 30_000


def test_whether_ten_seconds_suffice_is_asked_second_by_second():
    one = table(read=100)
    assert one.suffices("read", [100.0] * 10)
    assert one.suffices("read", [50.0, 150.0, 100.0])
    assert not one.suffices("read", [150.0, 50.0, 100.0])
    assert not table(read=20_000, hot_share=1.0, cold=False).suffices("read", [3_100.0])
