"""The service as the Lambdas read it from the compiled configuration."""

from __future__ import annotations

from sereno.model import Mode, Target
from sereno.service import Play, Service

COMPILED = {
    "service": "techmoda",
    "account": "123456789012",
    "regions": ["eu-west-1", "eu-central-1"],
    "objectives": {"availability": 0.9999, "p99_ms": 500, "surge": 9.0, "rpo_s": 900, "rto_s": 1800},
    "apis": {"catalogue": {"name": "techmoda-catalogue", "stage": "prod", "kind": "rest"}},
    "functions": {"read": {"name": "techmoda-read", "alias": "live", "reserved": 120, "tables": ["products"]}},
    "tables": {"products": {"name": "techmoda-products"}},
    "playbook": {"exhaustion": {"rungs": [["raise_concurrency"], ["open_incident"]], "mode": "auto", "hold_s": 600}},
    "events": [{"name": "Fashion Week", "starts": "2026-09-29T08:00Z", "ends": "2026-10-06T20:00Z", "factor": 9}],
    "bindings": {"OldAlarm": ["exhaustion", "read"]},
    "stack": "techmoda",
}


def test_everything_compiled_is_read():
    service = Service.from_json(COMPILED)
    assert (service.name, service.region, service.stack) == ("techmoda", "eu-west-1", "techmoda")
    assert service.functions["read"].tables == ("products",)
    assert service.apis["catalogue"].key == "catalogue"
    assert service.playbook["exhaustion"] == Play(
        "exhaustion", (("raise_concurrency",), ("open_incident",)), Mode.AUTO, hold_s=600
    )
    assert service.events[0].factor == 9
    assert service.bindings == {"OldAlarm": ("exhaustion", "read")}
    assert service.unreserved_floor == 100


def test_a_resource_key_names_its_target():
    service = Service.from_json(COMPILED)
    home = ("eu-west-1", "123456789012")
    assert service.target("read") == Target("function", "techmoda-read", *home)
    assert service.target("products") == Target("table", "techmoda-products", *home)
    assert service.target("catalogue") == Target("api", "techmoda-catalogue", *home)
    assert service.target("techmoda") == Target("service", "techmoda", *home)
    assert service.target("cart") is None


def test_a_function_is_found_by_its_name_on_aws():
    service = Service.from_json(COMPILED)
    assert service.function_named("techmoda-read").key == "read"
    assert service.function_named("read") is None


def test_a_play_knows_who_comes_next():
    play = Play("exhaustion", (("raise_concurrency", "raise_capacity"), ("shed_load",), ("open_incident",)))
    assert play.after("raise_concurrency") == play.after("raise_capacity") == ("shed_load",)
    assert play.after("open_incident") == ()
    assert play.after("roll_back") == ()
