"""Keys are short, speak, and stand once in the file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.intake import keys
from deploy.intake.findings import SECTIONS, Draft


def assigned(*wanted: tuple[str, str], service: str = "shop", place: str = "Resources.X") -> list[str]:
    drafts = [Draft(section, place, logical_id, {"stage": "prod"}) for section, logical_id in wanted]
    keys.assign(drafts, service)
    return [one.key for one in drafts]


@pytest.mark.parametrize(
    ("section", "logical_id", "key"),
    [
        ("functions", "ReadFunction", "read"),
        ("functions", "GetTodoLambdaFunction", "get-todo"),
        ("functions", "ReadHandler5A1D9E77", "read"),
        ("functions", "LambdaFunction", "function"),
        ("functions", "HTTPProxy", "http-proxy"),
        ("tables", "ProductsTable", "products"),
        ("tables", "ProductsTable241ADBFF", "products"),
        ("apis", "CatalogueApi", "catalogue"),
        ("apis", "ServerlessRestApi", "api"),
        ("apis", "ApiGatewayRestApi", "api"),
        ("functions", "99Bottles", "function-99-bottles"),
        ("functions", "ßø", "function"),
        ("apis", "\u1040", "api"),  # a digit of Myanmar is a digit to `str`, and none in a key
    ],
)
def test_a_key_says_which_and_not_what(section, logical_id, key):
    assert assigned((section, logical_id)) == [key]


def test_the_same_word_twice_is_told_apart():
    found = assigned(("functions", "CartFunction"), ("tables", "CartTable"), ("tables", "Cart"), ("apis", "ShopApi"))
    assert found == ["cart", "cart-table", "cart-2", "shop-api"]


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), st.text(max_size=90)), max_size=12), st.text(max_size=50))
def test_any_names_give_keys_that_the_configuration_takes(wanted, stack):
    service = keys.service_name(stack)
    assert re.fullmatch("[a-z][a-z0-9-]{1,29}", service)
    found = assigned(*wanted, service=service)
    assert len({service, *found}) == len(found) + 1
    assert all(re.fullmatch("[a-z][a-z0-9-]{0,62}", key) for key in found)
