"""Faults by time and by function."""

import numpy as np
import pytest

from drills.faults import Fault, hot_share_at, ratio_at, slowness_at, strangers_at

TIMES = np.array([0.0, 60.0, 119.9, 120.0, 180.0])


def test_a_fault_begins_with_its_window_and_is_gone_at_its_end():
    faults = [Fault("errors", 60, 120, 0.2, "read")]
    assert ratio_at(faults, "errors", "read", TIMES).tolist() == [0, 0.2, 0.2, 0, 0]


def test_a_fault_concerns_its_own_function_and_kind():
    faults = [Fault("errors", 60, 120, 0.2, "read")]
    assert ratio_at(faults, "errors", "write", TIMES) is None
    assert ratio_at(faults, "gateway", "read", TIMES) is None
    assert slowness_at(faults, "read", TIMES) is None


def test_independent_faults_combine():
    faults = [Fault("errors", 0, 120, 0.5), Fault("errors", 60, 200, 0.5, "read")]
    assert ratio_at(faults, "errors", "read", TIMES).tolist() == [0.5, 0.75, 0.75, 0.5, 0.5]
    slow = [Fault("slow", 0, 120, 2), Fault("slow", 60, 200, 3)]
    assert slowness_at(slow, "read", TIMES).tolist() == [2, 6, 6, 3, 3]


@pytest.mark.parametrize(("start", "end"), [(180.1, 200), (-10, 0)])
def test_a_fault_outside_of_the_times_costs_nothing(start, end):
    assert ratio_at([Fault("errors", start, end, 0.2)], "errors", "read", TIMES) is None


def test_a_hot_key_lies_in_one_table_or_index_and_adds_nothing_to_a_hotter_one():
    faults = [Fault("hot-key", 60, 120, 0.6, table="products"), Fault("hot-key", 60, 120, 0.9, index="by-category")]
    assert hot_share_at(faults, "products", None, 0.1, 60) == 0.6
    assert hot_share_at(faults, "products", None, 0.7, 60) == 0.7
    assert hot_share_at(faults, "products", "by-category", 0.0, 60) == 0.9
    assert hot_share_at(faults, "orders", None, 0.0, 60) == 0.0
    assert hot_share_at(faults, "products", None, 0.1, 120) == 0.1


def test_strangers_add_up():
    faults = [Fault("strangers", 0, 120, 300), Fault("strangers", 60, 200, 200)]
    assert [strangers_at(faults, at) for at in (0, 60, 120, 200)] == [300, 500, 200, 0]
