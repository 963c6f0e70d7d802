"""A person writes `sereno.yaml`; what comes out is a service, or every problem at once."""

import json
from pathlib import Path

import jsonschema
import pytest

from deploy import config, config_yaml
from sereno.errors import InvalidInput
from sereno.model import Mode
from sereno.service import Service

ROOT = Path(__file__).parents[2]
BAD = sorted((Path(__file__).parent / "config" / "bad").glob("*.yaml"))
EXAMPLES = [ROOT / "examples" / one for one in ("minimal.yaml", "techmoda/sereno.yaml", "fashion-week.yaml")]
IN_THE_HOUSE = ["open_incident", "raise_capacity", "raise_concurrency", "request_quota"]

HEAD = 'service: shop\naccount: "123456789012"\nregion: eu-west-1\n'
ONE_FUNCTION = "resources: {functions: {checkout: {name: shop-checkout}}}\n"


def compiled(text: str) -> Service:
    read = config.parse(text, remediators=IN_THE_HOUSE)
    # Through JSON and back, as the Lambdas read it.
    return Service.from_json(json.loads(json.dumps(config.compile_config(read))))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_mistake_is_told_with_place_value_and_mend(path):
    with pytest.raises(InvalidInput) as told:
        config.load(path, remediators=IN_THE_HOUSE)
    assert f"{told.value}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_ten_mistakes_are_told_in_one_go():
    with pytest.raises(InvalidInput) as told:
        config.load(BAD[0].with_name("ten-at-once.yaml"), remediators=IN_THE_HOUSE)
    assert len({problem.path for problem in told.value.problems}) >= 10


def test_a_working_file_is_short():
    text = EXAMPLES[0].read_text(encoding="utf-8")
    assert len(text.splitlines()) < 15
    service = compiled(text)
    assert service.functions["checkout"].reserved == 50
    assert service.playbook["exhaustion"].rungs == (("raise_concurrency",), ("request_quota", "open_incident"))
    assert service.playbook["5xx"].remediators == ("open_incident",)


def test_whoever_says_nothing_about_modes_is_only_watched():
    service = compiled(HEAD + ONE_FUNCTION)
    assert {play.mode for play in service.playbook.values()} == {Mode.OBSERVE}


def test_techmoda_compiles_to_what_its_cto_asked_for():
    service = config.service(EXAMPLES[1], remediators=IN_THE_HOUSE)
    assert service.objectives.availability == 0.9999
    assert (service.objectives.rpo_s, service.objectives.rto_s) == (900, 1800)
    assert (service.objectives.p99_ms, service.objectives.surge) == (500, 9)
    read = service.functions["read"]
    assert (read.alias, read.reserved, read.normal, read.timeout_s, read.tables) == (
        "live",
        120,
        16,
        10,
        ("products",),
    )
    surge = service.playbook["exhaustion"]
    assert (surge.mode, surge.hold_s, surge.params) == (Mode.AUTO, 900, {"ceiling": 400})
    assert service.stack == "techmoda"


def test_a_play_may_be_a_name_a_list_or_a_section():
    service = compiled(
        HEAD
        + ONE_FUNCTION
        + "mode: approve\nplaybook:\n  exhaustion: raise_concurrency\n  errors: [open_incident]\n"
        + "  throttles: {mode: off, cooldown: 1m, limits: {per_day: 3, cost_per_day: 20, floor: 5}}\n"
    )
    assert service.playbook["exhaustion"].remediators == ("raise_concurrency",)
    assert service.playbook["exhaustion"].mode == Mode.APPROVE
    throttles = service.playbook["throttles"]
    assert throttles.mode == Mode.OFF  # YAML 1.1 would have made it false
    assert (throttles.cooldown_s, throttles.per_day, throttles.cost_per_day) == (60, 3, 20)
    assert throttles.params == {"floor": 5}
    assert throttles.remediators == ("raise_concurrency", "request_quota", "open_incident")


def test_quotas_of_an_account_are_aws_defaults_unless_they_are_told():
    usual, own = compiled(HEAD + ONE_FUNCTION), compiled(HEAD + ONE_FUNCTION + "quotas: {concurrency: 400}\n")
    assert (usual.quotas.concurrency, usual.quotas.requests) == (1000, 10_000)
    assert (own.quotas.concurrency, own.quotas.requests) == (400, 10_000)


def test_a_service_without_tables_has_no_plays_of_tables():
    tables = "resources:\n  functions:\n    f: {name: shop-f}\n  tables:\n    t: {name: shop-t}\n"
    without, beside = compiled(HEAD + ONE_FUNCTION).playbook, compiled(HEAD + tables).playbook
    assert set(beside) - set(without) == {
        "read-capacity",
        "write-capacity",
        "read-throttles",
        "write-throttles",
        "account-capacity",
        "table-errors",
        "hot-key",
    }
    assert "raise_capacity" not in {name for play in without.values() for name in play.remediators}
    assert beside["throttles"].first == ("raise_concurrency", "raise_capacity")
    assert beside["read-throttles"].after("raise_capacity") == ("request_quota", "open_incident")


def test_regions_begin_with_the_home_region():
    service = compiled(HEAD.replace("region: eu-west-1", "regions: [eu-west-1, eu-central-1]") + ONE_FUNCTION)
    assert (service.region, service.regions) == ("eu-west-1", ("eu-west-1", "eu-central-1"))


def test_a_known_surge_and_a_bound_alarm_reach_the_service():
    service = compiled(
        HEAD
        + ONE_FUNCTION
        + "events: [{name: sale, from: 2026-11-27T00:00:00Z, to: 2026-11-28T00:00:00Z, factor: 5x}]\n"
        + "bind: {LegacyErrors: {what: errors, resource: checkout}}\n"
    )
    assert (service.events[0].factor, service.events[0].prewarm_s) == (5, 1800)
    assert service.bindings == {"LegacyErrors": ("errors", "checkout")}


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(InvalidInput, match=r"sereno\.yaml: .*No such file.*begin with examples/minimal\.yaml"):
        config.load(tmp_path / "sereno.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_of_another_kind_says_so(text):
    with pytest.raises(InvalidInput, match="the file: is no mapping"):
        config.parse(text)


def test_remediators_are_found_by_being_there(tmp_path, monkeypatch):
    (tmp_path / "shift_traffic.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    (tmp_path / "_shared.py").touch()
    monkeypatch.setattr("remediators.actions.__path__", [str(tmp_path)])
    assert config.known_remediators() == ("shift_traffic",)


def test_the_schema_file_is_what_the_models_say():
    assert config.SCHEMA_PATH.read_text(encoding="utf-8") == config.schema_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_editor_accepts_the_examples(path):
    raw = config_yaml.read(path.read_text(encoding="utf-8"), path.name)
    jsonschema.Draft202012Validator(config.schema()).validate(raw)


@pytest.mark.parametrize("wrong", ["regions: [eu-west-1]\n", "objectives: {rpo: 15}\n", "playbook: {errors: 3}\n"])
def test_an_editor_marks_what_the_loader_refuses(wrong):
    raw = config_yaml.read(HEAD + ONE_FUNCTION + wrong, "sereno.yaml")
    assert not jsonschema.Draft202012Validator(config.schema()).is_valid(raw)


@pytest.mark.parametrize(
    "channel", ["slack: {channel: C0123456789, secret: %s}", "pagerduty: {secret: %s}", "slack: %s"]
)
@pytest.mark.parametrize("secret", ["xoxb-1234-planted", "xapp-1-planted", "R0" + "ab12" * 7 + "cd", "[planted]"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(channel, secret):
    with pytest.raises(InvalidInput) as refused:
        compiled(f"{HEAD}{ONE_FUNCTION}notifications:\n  {channel % secret}\n")
    assert '"(not shown)"' in str(refused.value)
    assert secret.strip("[]") not in str(refused.value)


def test_a_queue_is_watched_by_its_age_and_its_dead_letters():
    text = "resources:\n  queues:\n    orders: {name: shop-orders, age: 10m, dead_letters: shop-orders-dead}\n"
    service = compiled(HEAD + text)
    (queue,) = service.queues.values()
    assert (queue.key, queue.name, queue.age_s, queue.dead_letters) == (
        "orders",
        "shop-orders",
        600,
        "shop-orders-dead",
    )
    assert {"queue-age", "queue-dead-letters"} <= set(service.playbook)
    assert service.target("orders").kind == "queue"
    without = compiled(HEAD + ONE_FUNCTION)
    assert not {"queue-age", "queue-dead-letters"} & set(without.playbook), "nothing rings without a queue"


def test_an_api_declares_its_longest_ordinary_pause():
    service = compiled(HEAD + "resources: {apis: {web: {name: shop-web, pause: 20m}}}\n")
    assert service.apis["web"].pause_s == 1200
