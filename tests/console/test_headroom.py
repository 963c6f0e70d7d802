"""`sereno check headroom`, as a person and a pipeline read it; and the account that `--live` reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.client import BaseClient

from remediators import limits

ROOT = Path(__file__).resolve().parents[2]
TECHMODA, FASHION = ROOT / "examples/techmoda/sereno.yaml", ROOT / "examples/fashion-week.yaml"

SHOP = """\
service: shop
account: "123456789012"
region: eu-west-1
objectives: {surge: 9x}
resources:
  functions:
    read: {name: shop-read, reserved: 120, normal: 16, tables: [products]}
  tables:
    products:
      name: shop-products
      billing: provisioned
      read: 300
      write: 50
      normal: {read: 66, write: 13}
mode: auto
playbook:
  exhaustion: {limits: {ceiling: 200}}
"""


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "sereno.yaml"
    path.write_text(SHOP)
    return path


@pytest.mark.parametrize("example", [TECHMODA, FASHION], ids=["techmoda", "fashion-week"])
def test_the_examples_can_hold_what_they_promise(command, example):
    shown = command("check", "headroom", "--config", example)
    assert shown.exit_code == 0, shown.output
    assert "To change:" not in shown.stdout
    assert "\nEvery limit holds what is known to be needed." in shown.stdout


def test_a_limit_too_small_exits_with_1_and_names_the_number(command, shop):
    shown = command("check", "headroom", "--config", shop)
    assert shown.exit_code == 1
    assert "\nTo change:\n  sereno.yaml: playbook.exhaustion.limits.ceiling: 200 -> 240\n" in shown.stdout
    assert shown.stdout.endswith("1 limit too small.\n")


def test_the_number_it_names_is_enough(command, shop):
    shop.write_text(SHOP.replace("ceiling: 200", "ceiling: 240"))
    assert command("check", "headroom", "--config", shop).exit_code == 0


def test_the_file_may_be_named_before_the_question_too(command, shop):
    before = command("check", "--config", shop, "headroom")
    after = command("check", "headroom", "--config", shop)
    assert (before.exit_code, before.stdout) == (1, after.stdout)


def test_check_alone_is_what_it_was_and_tells_what_should_be_known(command):
    shown = command("check", "--config", FASHION)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{FASHION}: fine\n")
    assert "\nnote: Paris Fashion Week: 12x is over objectives.surge, 9x" in shown.stdout


def test_machines_get_one_document(command, shop):
    shown = command("check", "headroom", "--config", shop, "--json")
    told = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert (told["service"], told["live"], told["holds"]) == ("shop", False, False)
    (short,) = [one for one in told["findings"] if one["state"] == "short"]
    assert (short["where"], short["need"], short["limit"], short["unit"]) == ("read", 240, 200, "executions")
    assert short["mend"] == "playbook.exhaustion.limits.ceiling: 200 -> 240"


def test_who_only_watches_is_told_that_nothing_will_be_raised(command, shop):
    shop.write_text(SHOP.replace("mode: auto", "mode: observe"))
    shown = command("check", "headroom", "--config", shop)
    assert "in mode observe Sereno plans the raise and does not make it" in shown.stdout


@pytest.mark.parametrize("columns", [80, 120])
def test_it_can_be_read_on_a_small_and_a_large_screen(command, columns):
    shown = command("check", "headroom", "--config", FASHION, columns=columns)
    table = [line for line in shown.stdout.splitlines() if line.startswith("  ") and "  holds  " in line]
    assert max(map(len, table)) <= columns
    assert len(table) == 18


# -- the account as it is

NO_RAISE = "".join(
    f"  {what}: open_incident\n"
    for what in ("saturation", "read-capacity", "write-capacity", "read-throttles", "write-throttles")
)
READ_ONLY = ("Get", "Describe", "List")


def furnish(night):
    """A table with an index and a scalable target, a stranger's function, and Sereno's own round."""
    aws = night.watch.aws
    aws.client("dynamodb").create_table(
        TableName="shop-products",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "category")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-category",
                "KeySchema": [{"AttributeName": "category", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 900, "WriteCapacityUnits": 900},
            }
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 900, "WriteCapacityUnits": 60},
    )
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId="table/shop-products",
        ScalableDimension="dynamodb:table:WriteCapacityUnits",
        MinCapacity=60,
        MaxCapacity=150,
    )
    client = aws.client("lambda")
    role = client.get_function(FunctionName="shop-read")["Configuration"]["Role"]
    for name, reserved in (("strangers", 400), ("sereno-shop-round", 1)):
        code = {"ZipFile": b"PK\5\6" + bytes(18)}
        client.create_function(FunctionName=name, Runtime="python3.12", Role=role, Handler="a.b", Code=code)
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


def live(command, path):
    shown = command("check", "headroom", "--live", "--json", "--config", path)
    assert shown.exit_code in (0, 1), shown.output
    told = json.loads(shown.stdout)
    assert told["live"] is True
    return {(one["where"], one["what"]): one for one in told["findings"]}


def test_live_reads_what_the_file_does_not_say_and_changes_nothing(command, night, shop, monkeypatch):
    furnish(night)
    calls, plain = [], BaseClient._make_api_call
    monkeypatch.setattr(
        BaseClient, "_make_api_call", lambda self, name, params: calls.append(name) or plain(self, name, params)
    )
    shop.write_text(SHOP.replace(", normal: 16", ""))
    found = live(command, shop)

    # The busiest hour's 124 calls a second of 150 ms are 18.6 at once; 9 times that, and its chance.
    assert found["read", "calls"]["need"] == pytest.approx(9 * (55 * 106 + 5 * 318) / 60)
    assert found["read", "concurrency"]["need"] == 271
    assert (found["products", "read"]["limit"], found["products", "read"]["whose"]) == (900, "provisioned")
    assert found["products", "by-category read"]["state"] == "unknown"
    assert found["products", "write"]["whose"].startswith("ceiling of")
    # Sereno's round is there already: it is Sereno's, not a stranger's.
    assert (
        found["account", "concurrency"]["whose"]
        == "271 for 1 function, 25 for Sereno, 400 for others; 100 unreserved"
    )
    # The embedded AWS asks itself some of these; none of them changes anything.
    assert [name for name in calls if not name.startswith(READ_ONLY)] == []
    assert calls.count("DescribeLimits") == 1

    # AWS answers DescribeLimits once a minute.
    night.forward(minutes=1)
    # Somebody reserves more than the file says, and no play raises the table: auto scaling's maximum is its limit.
    night.watch.aws.client("lambda").put_function_concurrency(
        FunctionName="shop-read", ReservedConcurrentExecutions=300
    )
    quiet = "exhaustion: open_incident\n  exhaustion-fast: open_incident\n  throttles: open_incident\n"
    shop.write_text(SHOP.replace("exhaustion: {limits: {ceiling: 200}}\n", quiet + NO_RAISE))
    found = live(command, shop)

    assert (found["read", "concurrency"]["limit"], found["read", "concurrency"]["whose"]) == (300, "reserved")
    assert (found["products", "write"]["limit"], found["products", "write"]["state"]) == (150, "short")
    assert found["products", "write"]["mend"].startswith("auto scaling maximum of shop-products write: 150 -> 164")


def test_a_second_look_within_a_minute_takes_the_limits_that_the_ledger_keeps(command, night, shop):
    furnish(night)
    live(command, shop)
    refused = command("check", "headroom", "--live", "--config", shop)
    assert refused.exit_code == 2, "throttled, and no reading is kept"
    assert "DescribeLimits" in refused.stderr

    kept = limits.Limits({**limits.DEFAULTS, "table_write": 140}, read_at={"capacity": night.watch.clock.now()})
    night.watch.aws.client("dynamodb").put_item(TableName="sereno-shop-ledger", Item=kept.to_item())
    found = live(command, shop)
    assert found["products", "all write"]["limit"] == 140
    assert found["products", "all write"]["whose"] == "quota of a table with its indexes"


def test_all_that_does_not_exist_is_told_at_once(command, night, shop):
    shop.write_text(SHOP.replace("name: shop-read", "name: shop-raed"))
    shown = command("check", "headroom", "--live", "--config", shop)
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert 'resources.functions.read.name: "shop-raed" does not exist in 123456789012, eu-west-1' in shown.stderr
    assert 'resources.tables.products.name: "shop-products" does not exist' in shown.stderr


def test_every_function_of_the_watch_counts_as_serenos_own():
    """Whatever is synthesised with a reserved concurrency is taken from the account."""
    from console.on_paper import paper_of
    from deploy import config, synth
    from remediators import registry
    from sereno.service import Service

    compiled = config.compile_config(config.load(Path(__file__).parents[2] / "examples" / "techmoda" / "sereno.yaml"))
    service = Service.from_json(compiled)
    template = synth.synthesise(service, compiled, remediators=registry.all_remediators())
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    reserved = sum(one["Properties"]["ReservedConcurrentExecutions"] for one in functions)
    assert paper_of(service, live=False).account.own == reserved
