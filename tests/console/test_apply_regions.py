"""A watch of two regions and a witness comes to an account, one stack a region, and is taken away again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from console import apply_regions
from deploy import embedded, package
from deploy.apply import change_set, places, removal, rollout
from drills import shims
from drills.metrics import MetricStore
from remediators.clients import BotocoreAws
from remediators.ledger import Ledger
from sereno.model import Mode
from tests.console.command_of import CommandOf

ACCOUNT, STACK = "123456789012", "sereno-shop"
FIRST, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
IN_ORDER = [STANDBY, WITNESS, FIRST]
CONFIG = """\
service: shop
account: "123456789012"
regions: [eu-west-1, eu-central-1]
resources:
  functions:
    read: {name: shop-read, reserved: 120}
recovery:
  witness: eu-north-1
  url: https://api.shop.example
  urls:
    eu-west-1: https://eu-west-1.api.shop.example
    eu-central-1: https://eu-central-1.api.shop.example
"""
pytestmark = [
    pytest.mark.filterwarnings("ignore:Tried to parse AWS"),
    pytest.mark.filterwarnings("ignore:Unable to delete .*, as it was never created"),
]


@dataclass
class Account(CommandOf):
    """The shop's account, which has a function in two regions, and the command beside it."""

    def statuses(self) -> dict[str, str]:
        """The status of the watch's stack, by region."""
        found = {}
        for region in IN_ORDER:
            stacks = BotocoreAws(region).client("cloudformation").describe_stacks()["Stacks"]
            found |= {one["StackId"].split(":")[3]: one["StackStatus"] for one in stacks if one["StackName"] == STACK}
        return found

    def functions(self, region: str) -> set[str]:
        """Sereno's own functions there."""
        found = BotocoreAws(region).client("lambda").list_functions()["Functions"]
        return {one["FunctionName"] for one in found if one["FunctionName"].startswith("sereno-")}


def _small_package(out: Path, compiled: Any, **_: Any) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("sereno.json"), json.dumps(compiled, sort_keys=True))
    return out


def _function(region: str) -> None:
    aws, code = BotocoreAws(region), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    name = f"shop-read-{region}"
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    aws.client("lambda").create_function(
        FunctionName="shop-read",
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(package, "build", _small_package)
    monkeypatch.setattr(package, "runtime", lambda: "python3.12")
    monkeypatch.setattr(change_set, "POLL_S", 0.0)
    config = tmp_path / "sereno.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    with ExitStack() as stack:
        stack.enter_context(mock_aws(config={"lambda": {"use_docker": False}}))
        clock: Callable[[], float] = lambda: datetime.now(UTC).timestamp()  # noqa: E731 - a shim's clock
        stack.enter_context(shims.installed(shims.Answers(MetricStore(), clock)))
        stack.enter_context(embedded.shims_at_work(FIRST))
        for region in (FIRST, STANDBY):
            _function(region)
        yield Account(config)


def place_of(told: str) -> list[int]:
    return [told.index(f"Deploying to {region}") for region in IN_ORDER]


def test_each_region_gets_its_stack_its_code_and_its_bucket_and_who_serves_comes_last(account):
    told = account.sereno("deploy", "--yes")
    assert place_of(told) == sorted(place_of(told))
    assert "Deploying to eu-central-1 (standby), 1 of 3." in told
    assert account.statuses() == dict.fromkeys(IN_ORDER, "CREATE_COMPLETE")
    for region in IN_ORDER:
        client = BotocoreAws(region).client("s3")
        held = client.list_objects_v2(Bucket=f"sereno-artifacts-{ACCOUNT}-{region}")["Contents"]
        (zipped,) = [one["Key"] for one in held if one["Key"].endswith(".zip")]
        code = client.get_object(Bucket=f"sereno-artifacts-{ACCOUNT}-{region}", Key=zipped)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            assert json.loads(archive.read("sereno.json"))["regions"][0] == region
    assert account.functions(WITNESS) == {"sereno-shop-prober"}
    assert {"sereno-shop-round", "sereno-shop-prober"} <= account.functions(FIRST) & account.functions(STANDBY)

    # Deploying again changes nothing anywhere.
    assert account.sereno("deploy", "--yes").count("Nothing to change") == 3


def test_the_plan_looks_at_each_region_and_makes_nothing(account):
    told = account.sereno("plan")
    for one in ("eu-central-1 (standby)", "eu-north-1 (witness)", "eu-west-1 (first)"):
        assert f"Stack {STACK} in {one} does not exist yet." in told
    document = json.loads(account.sereno("plan", "--json"))
    assert document["service"] == "shop"
    assert [(one["region"], one["role"]) for one in document["regions"]] == [
        (STANDBY, places.STANDBY),
        (WITNESS, places.WITNESS),
        (FIRST, places.FIRST),
    ]
    assert all(one["changes"] for one in document["regions"])
    assert account.statuses() == {}
    account.refused("plan", "--check")


def test_one_region_may_be_deployed_alone(account):
    told = account.sereno("deploy", "--yes", "--region", STANDBY)
    assert "1 of" not in told
    assert account.statuses() == {STANDBY: "CREATE_COMPLETE"}
    assert json.loads(account.sereno("plan", "--json", "--region", FIRST))["region"] == FIRST


def test_a_region_that_is_none_of_the_services_is_refused(account):
    for command in ("plan", "deploy", "destroy"):
        told = account.refused(command, "--region", "eu-west-3", code=2)
        assert '--region: "eu-west-3" is no region of shop (eu-central-1, eu-north-1, eu-west-1)' in told


def test_what_is_missing_in_any_region_keeps_all_of_them(account):
    BotocoreAws(STANDBY).client("lambda").delete_function(FunctionName="shop-read")
    told = account.refused("deploy", "--yes", code=2)
    assert 'sereno.yaml: eu-central-1: resources.functions.read.name: "shop-read" is no function' in told
    assert account.statuses() == {}
    # The witness is asked for nothing of the service.
    assert "eu-north-1:" not in told


def test_one_bucket_cannot_serve_three_regions(account):
    assert "lies in one region, and the watch stands in 3" in account.refused("deploy", "--bucket", "mine", code=2)


def test_a_first_deployment_observes_in_every_region(account):
    account.config.write_text(CONFIG + "mode: auto\n", encoding="utf-8")
    assert "a first deployment observes" in account.refused("deploy", "--yes")
    assert account.statuses() == {}


def test_a_stack_that_somebody_else_is_changing_keeps_all_of_them(account):
    from moto.backends import get_backend

    account.sereno("deploy", "--yes", "--region", FIRST)
    stacks = get_backend("cloudformation")[ACCOUNT][FIRST].stacks.values()
    next(one for one in stacks if one.name == STACK).status = "UPDATE_IN_PROGRESS"
    told = account.refused("deploy", "--yes")
    assert "eu-west-1 (first): the stack is UPDATE_IN_PROGRESS" in told
    assert account.statuses().keys() == {FIRST}
    assert "somebody else is changing it" in account.refused("destroy", "--yes")


def test_a_failure_in_one_region_says_how_far_it_came_and_leaves_the_rest_alone(account, monkeypatch):
    real = rollout.carry_out

    def fails_in_the_witness(aws: Any, intent: Any, *rest: Any) -> str:
        if intent.service.region == WITNESS:
            raise rollout.Failed(STACK, "ROLLBACK_COMPLETE", None)
        return real(aws, intent, *rest)

    monkeypatch.setattr(rollout, "carry_out", fails_in_the_witness)
    told = account.refused("deploy", "--yes")
    assert (
        "Stopped in eu-north-1 (witness). Done: eu-central-1 (standby). Not begun: eu-west-1 (first). "
        "The same command goes on from there." in told
    )
    assert f"{STACK} is ROLLBACK_COMPLETE" in told
    assert FIRST not in account.statuses()

    monkeypatch.setattr(rollout, "carry_out", real)
    BotocoreAws(WITNESS).client("cloudformation").delete_stack(StackName=STACK)
    assert "Nothing to change" in account.sereno("deploy", "--yes")
    assert account.statuses() == dict.fromkeys(IN_ORDER, "CREATE_COMPLETE")


def test_who_says_no_to_one_region_has_changed_nothing_there(account):
    account.sereno("deploy", "--yes", "--region", STANDBY)
    told = account.refused("deploy", typed="n\n")
    assert "nothing was changed in eu-north-1 (witness)" in told
    assert account.statuses().keys() == {STANDBY}


def test_destroying_begins_where_customers_are_served_and_ends_with_the_switch(account, monkeypatch):
    account.sereno("deploy", "--yes")
    gone = []
    real = removal.delete_stack

    def delete(aws: Any, stack: Any, *rest: Any, **options: Any) -> None:
        gone.append(stack.id.split(":")[3])
        real(aws, stack, *rest, **options)

    monkeypatch.setattr(removal, "delete_stack", delete)
    assert "nothing was changed" in account.refused("destroy", typed="shoq\n")
    told = account.sereno("destroy", typed="shop\n")
    assert gone == [FIRST, WITNESS, STANDBY]
    assert account.statuses() == {}
    assert "in 3 regions" in told
    assert "The watch of shop in eu-west-1 (first) is gone. Its ledger, sereno-shop-ledger, is kept" in told
    assert "The watch of shop in eu-north-1 (witness) is gone.\n" in told
    for region in (FIRST, STANDBY):
        client = BotocoreAws(region).client("dynamodb")
        assert "sereno-shop-ledger" in client.list_tables()["TableNames"]
        assert Ledger(client, "sereno-shop-ledger", "shop").modes()["*"] is Mode.AUTO


def test_the_ledgers_go_when_that_is_asked_for(account):
    account.sereno("deploy", "--yes")
    told = account.sereno("destroy", "--yes", "--delete-ledger")
    assert told.count("and its ledger too") == 2
    for region in (FIRST, STANDBY):
        assert BotocoreAws(region).client("dynamodb").list_tables()["TableNames"] == []


def test_a_change_in_force_in_one_region_keeps_the_watch_in_all(account, monkeypatch):
    account.sereno("deploy", "--yes")
    moved = SimpleNamespace(id="shop-fail-over-1", status="HOLDING", target=SimpleNamespace(name=FIRST))
    in_force = iter([[], [moved]])  # nothing in the first region, traffic moved by the standby
    monkeypatch.setattr(removal, "leases", lambda _: next(in_force))
    told = account.refused("destroy", "--yes")
    assert "1 change is in force" in told
    assert "shop-fail-over-1  HOLDING  eu-west-1" in told
    assert account.statuses() == dict.fromkeys(IN_ORDER, "CREATE_COMPLETE")


def test_taking_only_the_standby_away_says_what_is_lost(account):
    account.sereno("deploy", "--yes")
    told = account.refused("destroy", "--region", STANDBY, typed="\n")
    assert "Without the standby's stack nothing takes over when the first region is out." in told
    with_zone = CONFIG.replace("  url: ", "  zone: Z0123456789ABCDEFGHIJ\n  url: ")
    account.config.write_text(with_zone, encoding="utf-8")
    told = account.refused("destroy", typed="\n")
    assert "The records of api.shop.example go with the standby's stack" in told


def test_how_far_it_came_is_one_line():
    from deploy import config as configuration
    from deploy.golden import REGIONS

    found = places.of(configuration.compile_config(configuration.load(REGIONS)))
    assert apply_regions.where_it_stands(found, 1) == (
        "Stopped in eu-central-1 (standby). Not begun: eu-north-1 (witness), eu-west-1 (first). "
        "The same command goes on from there."
    )
    assert "Not begun" not in apply_regions.where_it_stands(found, 3)


def vaults(region: str) -> list[str]:
    """The vaults of backups there."""
    found = BotocoreAws(region).client("backup").list_backup_vaults()["BackupVaultList"]
    return [one["BackupVaultName"] for one in found if one["BackupVaultName"] == STACK]


@pytest.mark.evidence
def test_a_watch_of_two_regions_comes_goes_and_comes_again(account):
    account.config.write_text(WITH_TABLE, encoding="utf-8")
    for region in (FIRST, STANDBY):
        _table(region)
    for arguments in ([], ["--delete-ledger"], []):
        told = account.sereno("deploy", "--yes")
        assert account.statuses() == dict.fromkeys(IN_ORDER, "CREATE_COMPLETE")
        _written_by_the_prober()
        account.sereno("destroy", "--yes", *arguments)
        assert account.statuses() == {}
        assert vaults(FIRST) == vaults(STANDBY) == [STACK]
    # Last, the ledgers were gone and the vaults were there.
    assert told.count("Taken over as it was: Vault.") == 2


def test_recovery_is_removed_and_added_again(account):
    account.config.write_text(WITH_TABLE, encoding="utf-8")
    for region in (FIRST, STANDBY):
        _table(region)
    account.sereno("deploy", "--yes")
    account.config.write_text(ALONE, encoding="utf-8")
    account.sereno("deploy", "--yes")
    assert account.statuses()[FIRST] == "UPDATE_COMPLETE"
    assert "sereno-shop-prober" not in account.functions(FIRST)
    assert vaults(FIRST) == [STACK]
    account.config.write_text(WITH_TABLE, encoding="utf-8")
    told = account.sereno("deploy", "--yes")
    assert "Taken over as it was: Vault." in told
    assert account.statuses() == {STANDBY: "CREATE_COMPLETE", WITNESS: "CREATE_COMPLETE", FIRST: "UPDATE_COMPLETE"}
    assert account.sereno("deploy", "--yes").count("Nothing to change") == 3


WITH_TABLE = CONFIG.replace(
    "    read: {name: shop-read, reserved: 120}\n",
    "    read: {name: shop-read, reserved: 120, tables: [orders]}\n  tables: {orders: {name: shop-orders}}\n",
)
ALONE = WITH_TABLE[: WITH_TABLE.index("recovery:")].replace("regions: [eu-west-1, eu-central-1]", "region: eu-west-1")


def _table(region: str) -> None:
    BotocoreAws(region).client("dynamodb").create_table(
        TableName="shop-orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )


def _written_by_the_prober() -> None:
    """The bucket of the switch holds an object, as after any minute."""
    bucket = f"sereno-shop-switch-{ACCOUNT}-{STANDBY}"
    BotocoreAws(STANDBY).client("s3").put_object(Bucket=bucket, Key="shop/always", Body=b"1")


BUCKET = "sereno-shop-switch-123456789012-eu-central-1"
BOTH = {"BlockPublicPolicy": True, "RestrictPublicBuckets": True}


def block(**settings: bool) -> None:
    """Block Public Access of the account, as a person or the organisation sets it."""
    client = BotocoreAws(STANDBY).client("s3control")
    client.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=settings)


def test_block_public_access_of_the_account_is_named_before_anything_is_deployed(account):
    block(**BOTH)
    account.refused("plan")
    told = " ".join(account.refused("deploy", "--yes", code=2).split())
    assert "BlockPublicPolicy and RestrictPublicBuckets of account 123456789012 refuse and hide" in told
    assert "policy of the organisation" in told
    assert "strategy: metric-switch" in told
    assert account.statuses() == {}
    account.config.write_text(CONFIG.replace("  url: ", "  strategy: metric-switch\n  url: ", 1), encoding="utf-8")
    account.sereno("deploy", "--yes")
    assert account.statuses() == dict.fromkeys(IN_ORDER, "CREATE_COMPLETE")


def test_block_public_access_that_comes_later_is_told_and_keeps_no_deployment_back(account):
    account.sereno("deploy", "--yes")
    block(RestrictPublicBuckets=True)
    client = BotocoreAws(STANDBY).client("s3")
    client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    told = " ".join(account.sereno("plan").split())
    assert "RestrictPublicBuckets of account 123456789012 hides" in told
    assert f"BlockPublicPolicy of bucket {BUCKET} refuses (turn BlockPublicPolicy off for that bucket" in told
    account.sereno("deploy", "--yes")


def test_other_settings_of_block_public_access_are_no_finding(account):
    block(BlockPublicAcls=True, IgnorePublicAcls=True)
    assert "needs a public object" not in account.sereno("plan")
