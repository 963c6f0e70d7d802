"""All alarms of TechModa: legal for CloudWatch, sound by the catalogue, and known to CloudFormation."""

import json
from dataclasses import replace

import pytest
from cfnlint.api import lint_all

from alarms import packs
from alarms.composite import children, evaluate
from alarms.evaluator import states
from alarms.metric_math import resolve
from alarms.packs import all_alarms, watchman
from alarms.spec import AlarmSpec, CompositeSpec
from alarms.wire import DESCRIPTION_LIMIT, NAME_LIMIT
from deploy.synth import names, store
from deploy.synth.alarm import tells_people
from sereno.service import Api, Function, Objectives, Play, Recovery, Service, Table

TECHMODA = Service(
    "techmoda",
    "123456789012",
    ("eu-west-1", "eu-central-1"),
    Objectives(availability=0.9999, p99_ms=500, surge=9),
    {"catalogue": Api("catalogue", "techmoda-catalogue", "prod")},
    {
        "read": Function("read", "techmoda-read", "live", 120, 16, 10, 512, ("products",), fast_metric=True),
        "write": Function("write", "techmoda-write", reserved=40, normal=2.6),
        "health": Function("health", "techmoda-health", reserved=10, normal=0.12),
        "images": Function("images", "techmoda-images", timeout_s=1),
        "ledger": Function("ledger", "techmoda-ledger", reserved=1),
    },
    {"products": Table("products", "techmoda-products")},
    {"exhaustion": Play("exhaustion", (("raise_concurrency",), ("open_incident",)))},
)


@pytest.fixture(scope="module")
def alarms():
    return {spec.name: spec for spec in all_alarms(TECHMODA)}


def whats(alarms, resource):
    return {spec.what for name, spec in alarms.items() if name.startswith(f"techmoda/{resource}/")}


def test_a_function_is_watched_by_its_symptoms_and_by_what_it_declares(alarms):
    always = {"errors", "outage", "latency", "latency-p90", "throttles", "events-lost", "iterator-age"}
    assert whats(alarms, "read") == always | {"saturation", "exhaustion", "exhaustion-fast"}
    assert whats(alarms, "write") == always | {"saturation", "exhaustion"}
    assert whats(alarms, "images") == always


def test_a_function_meant_to_run_alone_is_not_called_saturated(alarms):
    assert whats(alarms, "ledger") == whats(alarms, "images")


def test_an_api_is_watched_by_what_its_customers_see(alarms):
    burns = {f"burn-{speed}{half}" for speed in ("fast", "slow", "steady") for half in ("", "-long", "-short")}
    traffic = {f"traffic-quiet{part}" for part in ("", "-silent", "-busy")}
    assert whats(alarms, "catalogue") == {"5xx", "outage", "latency", "latency-p90"} | burns | traffic


def test_customers_are_hurt_by_every_symptom_that_pages(alarms):
    hurt = alarms["techmoda/techmoda/customers-hurt"]
    calm = dict.fromkeys(children(hurt.rule), "OK")
    assert not evaluate(hurt.rule, calm)
    for child in calm:
        assert evaluate(hurt.rule, calm | {child: "ALARM"})
    pages = {name for name, spec in alarms.items() if spec.severity == "page" and name.startswith("techmoda/")}
    assert set(calm) == pages - {hurt.name}
    assert {"techmoda/catalogue/burn-fast", "techmoda/catalogue/outage", "techmoda/health/errors"} <= pages


def test_customers_hurt_alone_and_self_monitoring_notify_people_directly(alarms):
    """Five alarms once paged people directly for one outage."""
    direct = {name for name, spec in alarms.items() if tells_people(TECHMODA, spec) and spec.severity == "page"}
    assert {name for name in direct if name.startswith("techmoda/")} == {"techmoda/techmoda/customers-hurt"}
    assert "sereno-techmoda/round/heartbeat" in direct


def test_a_throttled_event_that_lambda_tries_again_pages_nobody(alarms):
    """Throttles counts asynchronous events too, and a single one once woke people."""
    throttles = alarms["techmoda/read/throttles"]
    assert throttles.severity == "ticket"
    assert throttles.name not in children(alarms["techmoda/techmoda/customers-hurt"].rule)
    alone = Service("shop", "123456789012", ("eu-west-1",), functions={"f": Function("f", "shop-f")})
    rejected = next(spec for spec in all_alarms(alone) if spec.what == "rejected")

    def state(events):
        data = {"throttled": [50.0] * 3, "requests": [50.0] * 3, "events": [events] * 3}
        return states_of(rejected, resolve(rejected.queries, data, 300))[-1]

    assert state(None) == "ALARM", "callers get an error"
    assert state(20.0) == "OK", "asynchronous events are tried again"


def test_silence_pages_where_its_longest_pause_is_declared_and_no_second_region_takes_the_traffic():
    web = {"web": Api("web", "shop-web", "prod", pause_s=600)}
    shop = Service("shop", "123456789012", ("eu-west-1", "eu-central-1"), apis=web)
    severities = {spec.what: spec.severity for spec in all_alarms(shop)}
    assert (severities["traffic-stopped"], "traffic-quiet" in severities) == ("page", False)
    urls = {"eu-west-1": "https://a", "eu-central-1": "https://b"}
    recovery = Recovery("eu-west-1", "eu-central-1", "eu-north-1", "https://shop", urls)
    severities = {spec.what: spec.severity for spec in all_alarms(replace(shop, recovery=recovery))}
    assert (severities["traffic-quiet"], "traffic-stopped" in severities) == ("ticket", False)


def states_of(spec, values):
    return list(states(spec, values))


def test_limits_follow_from_what_is_declared(alarms):
    assert alarms["techmoda/read/exhaustion"].threshold == 69.853
    assert alarms["techmoda/read/saturation"].threshold == 102
    assert alarms["techmoda/read/exhaustion-fast"].threshold == 69.853
    assert alarms["techmoda/read/latency"].threshold == 500
    assert alarms["techmoda/images/latency"].threshold == 500
    hasty = Service("shop", "123456789012", ("eu-west-1",), functions={"f": Function("f", "shop-f", timeout_s=1)})
    found = {spec.name: spec for spec in all_alarms(hasty)}
    assert found["shop/f/latency"].threshold == 800
    assert "timeout" in found["shop/f/latency"].description


def test_every_alarm_says_what_to_do_and_what_silence_means(alarms):
    for name, spec in alarms.items():
        assert spec.severity, name
        assert "#" in spec.runbook, name
        if isinstance(spec, AlarmSpec):
            assert spec.treat_missing_data, name
            assert spec.datapoints_to_alarm, name


def test_names_and_descriptions_fit_cloudwatch(alarms):
    for name, spec in alarms.items():
        assert len(name) <= NAME_LIMIT
        assert len(name.split("/")) == 3
        shown = spec.to_api()["AlarmDescription"]
        assert len(shown) <= DESCRIPTION_LIMIT
        assert f"\nRunbook: {spec.runbook}" in shown


def test_every_alarm_survives_the_way_to_cloudwatch_and_back(alarms):
    for spec in alarms.values():
        assert type(spec).from_api(json.loads(json.dumps(spec.to_api()))) == spec


def test_alarms_come_sorted_and_the_same_each_time(alarms):
    assert list(alarms) == sorted(alarms)
    assert all_alarms(TECHMODA) == tuple(alarms.values())


def test_a_runbook_of_the_services_own_is_linked():
    service = Service(
        "shop",
        "123456789012",
        ("eu-west-1",),
        functions={"f": Function("f", "shop-f")},
        runbook_url="https://wiki.example/shop",
    )
    found = {spec.name: spec.runbook for spec in all_alarms(service)}
    assert found["shop/f/throttles"] == "https://wiki.example/shop#throttles"


@pytest.mark.parametrize(
    ("availability", "burns"),
    [
        (0.9, {"burn-slow", "burn-steady"}),
        (0.8, {"burn-steady"}),
        (0.99, {"burn-fast", "burn-slow", "burn-steady"}),
    ],
)
def test_a_burn_rate_that_not_even_an_outage_reaches_is_left_out(availability, burns):
    web = {"web": Api("web", "shop-web", "prod")}
    service = Service("shop", "123456789012", ("eu-west-1",), Objectives(availability), web)
    found = {spec.name: spec for spec in all_alarms(service)}
    composites = {spec.what for spec in found.values() if isinstance(spec, CompositeSpec)}
    assert composites == burns | {"customers-hurt", "traffic-quiet"}
    pages = {"5xx", "outage", *(burns - {"burn-steady"})}
    assert set(children(found["shop/shop/customers-hurt"].rule)) == {f"shop/web/{what}" for what in pages}


def test_packs_are_found_by_being_there():
    found = [pack.__name__.rsplit(".", 1)[1] for pack in packs.packs()]
    assert {"customers", "http_api", "lambda_functions", "rest_api", "watchman"} <= set(found)


class TestWatchman:
    def test_no_rule_of_the_service_can_match_its_alarms(self):
        assert all(spec.name.startswith("sereno-techmoda/") for spec in watchman.alarms(TECHMODA))

    def test_the_names_it_takes_for_granted_are_those_that_are_deployed(self):
        functions = [names.function(TECHMODA, one) for one in ("raise_concurrency", "open_incident")]
        assert watchman.default_functions(TECHMODA) == [
            *functions,
            names.round_function(TECHMODA),
            names.notifier(TECHMODA),
            names.widget(TECHMODA),
        ]
        assert names.rule(TECHMODA, "raise_concurrency", 1) in watchman.default_rules(TECHMODA)
        queue = next(spec for spec in watchman.alarms(TECHMODA) if spec.what == "dead-letters")
        assert queue.dimensions == (("QueueName", names.dead_letters(TECHMODA)),)

    def test_names_may_be_given(self):
        found = all_alarms(TECHMODA, functions=["f"], rules=["r"])
        own = {spec.name for spec in found if spec.name.startswith("sereno-")}
        assert {"sereno-techmoda/f/errors", "sereno-techmoda/r/undelivered"} <= own
        assert len(own) == 11

    def test_the_ledger_that_it_takes_for_granted_is_the_one_that_is_deployed(self):
        table = store.ledger(TECHMODA)["Properties"]
        queries = [one for one in watchman.ledger_throttled(TECHMODA).metrics if one.dimensions]
        assert {dict(one.dimensions)["TableName"] for one in queries} == {names.ledger(TECHMODA)}
        assert {dict(one.dimensions).get("GlobalSecondaryIndexName") for one in queries} - {None} == {
            one["IndexName"] for one in table["GlobalSecondaryIndexes"]
        }

    def test_who_has_no_remediator_is_not_asked_whether_they_are_ready(self):
        found = {spec.what for spec in watchman.alarms(replace(TECHMODA, playbook={}))}
        assert "not-ready" not in found

    def test_a_silent_round_is_a_failure(self):
        from alarms.evaluator import timeline

        beats = [1.0] * 10 + [None] * 10
        spec = watchman.heartbeat(TECHMODA)
        changes = timeline(spec, resolve(spec.queries, {"completed": beats}))
        assert [change.evaluation.state for change in changes] == ["ALARM"]
        assert changes[0].index - 9 <= 5  # minutes after the last beat


def test_cloudformation_knows_every_property(alarms):
    resources = {}
    for number, spec in enumerate(alarms.values()):
        resources[f"Alarm{number}"] = {"Type": spec.resource_type, "Properties": spec.to_cloudformation()}
    assert {one["Type"] for one in resources.values()} == {AlarmSpec.resource_type, CompositeSpec.resource_type}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    # Rules beginning with I only give advice about the template around the alarms.
    assert [str(found) for found in lint_all(json.dumps(template)) if found.rule.id[0] in "EW"] == []


def test_more_symptoms_than_a_rule_watches_are_watched_in_parts():
    many = {f"f{number:03d}": Function(f"f{number:03d}", f"shop-f{number:03d}") for number in range(230)}
    specs = {spec.name: spec for spec in all_alarms(Service("shop", "123456789012", ("eu-west-1",), functions=many))}
    hurt = specs["shop/shop/customers-hurt"]
    parts = [specs[name] for name in children(hurt.rule)]
    assert (len(parts), hurt.severity) == (7, "page")
    assert {part.severity for part in parts} == {"info"}
    symptoms = {f"shop/{key}/{what}" for key in many for what in ("errors", "outage", "rejected")}
    assert {name for part in parts for name in children(part.rule)} == symptoms
