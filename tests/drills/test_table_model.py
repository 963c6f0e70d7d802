"""What a table and a use of it may be."""

import pytest

from drills.function_model import FunctionModel
from drills.table_model import TableModel, Use


def test_a_call_is_named_by_what_it_does_unless_it_has_a_name():
    assert Use("products", read_units=1).called == "GetItem"
    assert Use("products", "by-category", read_units=1).called == "Query"
    assert Use("products", write_units=1).called == "PutItem"
    assert Use("products", write_units=1, operation="DeleteItem").called == "DeleteItem"


def test_units_are_the_mean_of_an_invocation_and_a_call_takes_more_where_few_make_it():
    use = Use("products", read_units=0.5, ratio=0.25)
    assert (use.units("read"), use.units("write")) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"read_units": 0}, "reads or writes some units"),
        ({"read_units": -1}, "reads or writes some units"),
        ({"ratio": 0}, "ratio 0 is not within"),
        ({"ratio": 1.1}, "ratio 1.1 is not within"),
        ({"index": "by-category", "write_units": 1}, "its indexes follow"),
    ],
)
def test_a_use_out_of_range_is_told(changes, told):
    with pytest.raises(ValueError, match=told):
        Use(**{"table": "products", "read_units": 1, **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"read": 0}, "1 unit a second or more"),
        ({"indexes": {"by-category": (10, 0)}}, "1 unit a second or more"),
        ({"billing": "free"}, "neither provisioned nor on-demand"),
        ({"hot_share": 1.5}, "hot shares"),
        ({"partitions": 0}, "partitions"),
        ({"index_hot_share": {"by-brand": 0.5}}, "unknown indexes"),
    ],
)
def test_a_table_out_of_range_is_told(changes, told):
    with pytest.raises(ValueError, match=told):
        TableModel(**{"name": "products", "read": 10, "write": 10, **changes})


def test_an_on_demand_table_may_never_have_been_used():
    assert TableModel("products", 0, 0, "on-demand").read == 0


@pytest.mark.parametrize("changes", [{"sdk_attempts": 0}, {"sdk_base_s": -1}])
def test_an_sdk_makes_an_attempt_and_does_not_wait_backwards(changes):
    with pytest.raises(ValueError, match="sdk_attempts"):
        FunctionModel("read", 1.0, 150, **changes)
