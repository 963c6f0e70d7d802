"""The world's API may be an HTTP API: what it publishes is what the alarms of an HTTP API read."""

from datetime import UTC, datetime

from alarms.packs import http_api
from alarms.spec import AlarmSpec
from drills.clients import Traffic
from drills.faults import Fault
from drills.function_model import FunctionModel
from drills.world import World
from sereno.service import Api, Service

T = datetime(2026, 9, 29, 12, 0, tzinfo=UTC).timestamp()
MINUTES = 3


def sums(world, name, **dimensions):
    end = T + 60 * MINUTES
    return world.store.read("AWS/ApiGateway", name, dimensions, "Sum", 60, T, end, end + 100)


def lived(api_id):
    function = FunctionModel(name="shop-read", share=1.0, mean_ms=150, reserved=50)
    world = World(
        [function],
        Traffic.steady(20),
        1,
        T,
        api_name="shop-web",
        stage="$default",
        api_id=api_id,
        faults=[Fault("errors", 60, 120, 0.3)],
    )
    for second in range(10, 60 * MINUTES + 1, 10):
        world.advance(T + second)
    return world


def test_its_metrics_are_the_same_under_other_names_and_keys():
    http, rest = lived("a1b2c3d4e5"), lived(None)
    keyed, named = {"ApiId": "a1b2c3d4e5", "Stage": "$default"}, {"ApiName": "shop-web", "Stage": "$default"}
    failed = sums(http, "5xx", **keyed)
    assert failed == sums(rest, "5XXError", **named)
    assert failed[1] > 0
    assert sums(http, "Count", ApiId="a1b2c3d4e5") == sums(rest, "Count", ApiName="shop-web")
    assert sums(http, "5XXError", **named) == [None] * MINUTES


def test_every_metric_that_its_alarms_read_is_there():
    api = Api("web", "shop-web", "$default", "http", "a1b2c3d4e5")
    service = Service("shop", "123456789012", ("eu-west-1",), apis={"web": api})
    world = lived(api.id)
    for spec in http_api.alarms(service):
        for query in spec.stats if isinstance(spec, AlarmSpec) else ():
            assert None not in sums(world, query.metric_name, **dict(query.dimensions)), query.metric_name
