"""Who may write which rows of the ledger: each function by its own role, and nobody more than its purpose needs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from deploy import config, golden, iam, roles
from deploy.roles import Asked
from deploy.synth import functions, notify, prober
from remediators import evidence, items, partitions, registry
from remediators.testing import MemoryTable
from sereno.recovery import Witness
from sereno.service import Service

HOUSE = registry.all_remediators()
PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
ACCOUNT = "123456789012"


def services():
    text = golden.REGIONS.read_text(encoding="utf-8")
    found = [Service.from_json(one) for one in config.watches(config.compile_config(config.parse(text)))]
    return {one.region: one for one in found}


SERVICES = services()
TABLE = f"sereno-{SERVICES[PRIMARY].name}-ledger"
CODES = {
    "raise_concurrency": (PRIMARY, functions.of_remediator(SERVICES[PRIMARY], HOUSE["raise_concurrency"])),
    "fail_over": (STANDBY, functions.of_remediator(SERVICES[STANDBY], HOUSE["fail_over"])),
    "round": (PRIMARY, functions.of_round(SERVICES[PRIMARY], [HOUSE["raise_concurrency"]])),
    "standby's round": (STANDBY, functions.of_round(SERVICES[STANDBY], HOUSE.values())),
    "notifier": (PRIMARY, notify.notifier(SERVICES[PRIMARY])),
    "actions": (PRIMARY, notify.buttons(SERVICES[PRIMARY])),
    "primary's prober": (PRIMARY, prober.of(SERVICES[PRIMARY], HOUSE)),
    "standby's prober": (STANDBY, prober.of(SERVICES[STANDBY], HOUSE)),
    "witness's prober": (WITNESS, prober.of(SERVICES[WITNESS], HOUSE)),
}
ACCOUNT = SERVICES[PRIMARY].account
STATEMENTS = {name: iam.allow(code.permissions, SERVICES[region]) for name, (region, code) in CODES.items()}
RUN_REMEDIATIONS = {"raise_concurrency", "fail_over", "round", "standby's round", "standby's prober"}


def writers(pk, region, action="PutItem", attributes=("pk", "sk", "doc")):
    """The functions whose role allows a write of a row in a region's ledger."""
    where = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{TABLE}"
    keys = {"dynamodb:LeadingKeys": (pk,), "dynamodb:Attributes": attributes}
    asked = Asked(f"dynamodb:{action}", where, keys)
    return {name for name, written in STATEMENTS.items() if roles.allows(written, asked)}


@pytest.mark.parametrize(
    ("pk", "region", "wanted"),
    [
        ("MODE", PRIMARY, set()),
        ("MODE", STANDBY, set()),
        ("CAP", PRIMARY, {"round"}),
        ("CAP", STANDBY, {"standby's round"}),
        ("LIMITS", PRIMARY, {"round"}),
        ("CHANGE", PRIMARY, {"round"}),
        ("READY", PRIMARY, {"raise_concurrency"}),
        ("R#1", PRIMARY, RUN_REMEDIATIONS & {"raise_concurrency", "round"}),
        ("T#1", STANDBY, RUN_REMEDIATIONS - {"raise_concurrency", "round"}),
        ("B#raise_concurrency#2026-11-24", PRIMARY, {"raise_concurrency", "round"}),
        ("N#thread#slack", PRIMARY, {"notifier"}),
        ("N#request", PRIMARY, {"notifier", "actions"}),
        ("EVIDENCE", PRIMARY, {"primary's prober"}),
        ("EVIDENCE", STANDBY, {"standby's prober", "standby's round"}),
        (evidence.place(Witness.THIRD), STANDBY, {"witness's prober"}),
        ("WITNESS#heartbeat", STANDBY, {"primary's prober"}),
        ("WITNESS#back", STANDBY, {"primary's prober"}),
        ("SWITCH", PRIMARY, set()),
        ("SWITCH", STANDBY, {"fail_over", "standby's round", "standby's prober"}),
        ("ASK", STANDBY, set()),
        ("SOMETHING", PRIMARY, set()),
    ],
)
def test_each_partition_has_its_writers(pk, region, wanted):
    assert writers(pk, region) == wanted


@pytest.mark.parametrize("pk", ["MODE", "CAP", "R#1", "EVIDENCE", "N#request"])
def test_nothing_but_what_is_in_force_while_it_is_there_is_ever_deleted(pk):
    assert writers(pk, STANDBY, "DeleteItem", ("pk", "sk")) == set()
    assert writers(pk, PRIMARY, "DeleteItem", ("pk", "sk")) == set()


def test_the_switch_and_what_a_person_asked_for_are_deleted_in_the_standby_alone():
    assert writers("ASK", STANDBY, "DeleteItem", ("pk", "sk", "at")) == {"standby's prober", "standby's round"}
    assert writers("SWITCH", STANDBY, "DeleteItem", ("pk", "sk")) >= {"fail_over", "standby's round"}


@pytest.mark.parametrize(
    ("attributes", "may"),
    [
        (("pk", "sk", "wish", "wish_by", "due_at", "open"), True),
        (("pk", "sk", "wish", "doc"), False),
        (("pk", "sk", "status"), False),
        ((), False),
    ],
)
def test_the_function_behind_slacks_buttons_may_ask_and_no_more(attributes, may):
    assert ("actions" in writers("R#1", PRIMARY, "UpdateItem", attributes)) is may
    assert "actions" not in writers("R#1", PRIMARY)
    assert "actions" not in writers("MODE", PRIMARY, "UpdateItem", attributes)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_function_scans_the_ledger_or_speaks_partiql_or_writes_without_a_key(name):
    for written in STATEMENTS[name]:
        actions = set(written["Action"])
        assert not {one for one in actions if one.startswith("dynamodb:PartiQL")}
        if TABLE not in str(written["Resource"]):
            continue
        assert "dynamodb:Scan" not in actions
        if actions & {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}:
            assert written["Condition"]["Null"]["dynamodb:LeadingKeys"] == "false"
            assert written["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        if "/index/" in str(written["Resource"]):
            assert actions == {"dynamodb:Query"}


def test_a_write_without_a_leading_key_is_refused_though_for_all_values_holds():
    where = f"arn:aws:dynamodb:{PRIMARY}:{ACCOUNT}:table/{TABLE}"
    assert not roles.allows(STATEMENTS["round"], Asked("dynamodb:PutItem", where, {}))


def held(name):
    region, _ = CODES[name]
    return roles.Held(MemoryTable(), STATEMENTS[name], region=region, account=ACCOUNT)


def test_a_transaction_is_refused_for_one_member_that_may_not_be_written():
    client = held("raise_concurrency")
    put = [{"Put": {"TableName": TABLE, "Item": items.item(pk, "x")}} for pk in ("R#1", "MODE")]
    client.transact_write_items(TransactItems=put[:1])
    with pytest.raises(ClientError, match=r"AccessDeniedException.*dynamodb:PutItem.*MODE"):
        client.transact_write_items(TransactItems=put)
    assert [dict(asked.keys)["dynamodb:LeadingKeys"] for asked in client.refused] == [("MODE",)]


def test_an_operator_that_is_not_known_is_an_error_and_not_a_yes():
    with pytest.raises(ValueError, match="NumericLessThan"):
        roles.holds({"NumericLessThan": {"aws:x": "1"}}, {"aws:x": ("0",)})


def test_every_purpose_has_a_partition_of_its_own():
    single = [partitions.MODE, partitions.CAP, partitions.READY, partitions.LIMITS, partitions.CHANGE]
    single += [partitions.EVIDENCE, partitions.SWITCH, partitions.ASK]
    assert len(set(single)) == len(single)
