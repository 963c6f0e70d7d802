"""An HTTP API is watched like a REST API: the same whats, in metrics of its own names and under its own keys."""

import pytest

from alarms.api_metrics import metrics_of
from alarms.catalogue import check_all
from alarms.composite import children
from alarms.packs import all_alarms, http_api, rest_api
from alarms.spec import AlarmSpec
from sereno.service import Api, Objectives, Service

WEB = Api("web", "shop-web", "$default", "http", "a1b2c3d4e5")
OLD = Api("old", "shop-old", "prod")


def shop(*apis, availability=0.9999):
    named = {api.key: api for api in apis}
    return Service("shop", "123456789012", ("eu-west-1",), Objectives(availability, p99_ms=500), named)


def whats(specs):
    return {spec.what for spec in specs}


def stats(specs):
    """Every (metric, dimensions) that the alarms read."""
    return {
        (query.metric_name, tuple(sorted(query.dimensions)))
        for spec in specs
        if isinstance(spec, AlarmSpec)
        for query in spec.stats
    }


@pytest.mark.parametrize("availability", [0.9999, 0.99, 0.9, 0.8])
def test_both_kinds_of_api_have_the_same_whats_with_the_same_thresholds(availability):
    web = http_api.alarms(shop(WEB, availability=availability))
    old = rest_api.alarms(shop(OLD, availability=availability))
    assert whats(web) == whats(old)
    assert [getattr(spec, "threshold", None) for spec in web] == [getattr(spec, "threshold", None) for spec in old]


def test_its_metrics_are_those_that_an_http_api_publishes():
    where = (("ApiId", "a1b2c3d4e5"), ("Stage", "$default"))
    assert stats(http_api.alarms(shop(WEB))) == {("5xx", where), ("Count", where), ("Latency", where)}
    assert check_all(tuple(http_api.alarms(shop(WEB)))) == []


def test_each_pack_keeps_to_its_own_kind():
    both = shop(WEB, OLD)
    assert {spec.target for spec in http_api.alarms(both)} == {"web"}
    assert {spec.target for spec in rest_api.alarms(both)} == {"old"}


def test_customers_of_an_http_api_count_as_customers():
    found = {spec.name: spec for spec in all_alarms(shop(WEB, OLD))}
    hurt = children(found["shop/shop/customers-hurt"].rule)
    assert {"shop/web/burn-fast", "shop/old/burn-fast"} <= set(hurt)


def test_descriptions_name_the_api_and_its_stage_as_people_know_them():
    (spec,) = [one for one in http_api.alarms(shop(WEB)) if one.what == "5xx"]
    assert "Requests to shop-web ($default)" in spec.description


def test_what_is_refused_has_its_own_name_too():
    assert (metrics_of(WEB).refused, metrics_of(OLD).refused) == ("4xx", "4XXError")
