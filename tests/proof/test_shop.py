"""The example's own application runs: its API, its functions, its table."""

import pytest

pytestmark = pytest.mark.xdist_group("proof")

PRODUCT = {"name": "Linen shirt", "category": "shirts", "price": {"cents": 4990, "currency": "EUR"}, "stock": 12}


def test_a_product_is_created_found_by_its_category_and_changed_by_nobody_else(shop):
    created, product = shop.ask("/products", "POST", PRODUCT)
    listed, page = shop.ask("/products?category=shirts")
    again, found = shop.ask(f"/products/{product['id']}")

    assert (created, listed, again) == (201, 200, 200)
    assert page["items"] == [product] == [found]
    assert (product["version"], product["release"]) == (1, "1")
    assert shop.ask(f"/products/{product['id']}", "PUT", {**PRODUCT, "version": 7})[0] == 409


def test_every_fault_of_a_request_is_told_at_once(shop):
    status, answer = shop.ask("/products", "POST", {"name": "", "price": {"cents": -1, "currency": "EUR"}})
    assert status == 400
    assert {problem["path"] for problem in answer["problems"]} >= {"name", "category", "price.cents"}


def test_health_asks_the_table(shop):
    status, answer = shop.ask("/health")
    assert (status, answer["status"]) == (200, "healthy")
