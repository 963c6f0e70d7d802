"""`sereno dr`: what an operator sees of two regions, asks of them, and does by hand."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore import xform_name
from moto import mock_aws
from typer.testing import CliRunner

from console.main import app
from console.regional_page import page
from deploy import config as configuration
from remediators import evidence
from remediators.actions import _switch
from sereno import recovery, serving
from sereno.ports import Context
from sereno.recovery import Evidence, Sighting
from sereno.service import Play

CONFIG = """\
service: techmoda
account: "123456789012"
regions: [eu-west-1, eu-central-1]
resources:
  functions: {read: {name: techmoda-read, reserved: 120}}
  tables: {products: {name: techmoda-products}}
recovery:
  witness: eu-north-1
  url: https://api.techmoda.example
  urls: {eu-west-1: https://eu-west-1.techmoda.example, eu-central-1: https://eu-central-1.techmoda.example}
  canary: products
"""
STANDBY = "eu-central-1"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An operator's desk: the file, the standby's ledger and the bucket."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sereno.yaml").write_text(CONFIG)
    with mock_aws():
        found = configuration.service(tmp_path / "sereno.yaml").seen_from(STANDBY)
        keys = [{"AttributeName": name, "KeyType": kind} for name, kind in (("pk", "HASH"), ("sk", "RANGE"))]
        boto3.client("dynamodb", STANDBY).create_table(
            TableName=evidence.table_of(found),
            BillingMode="PAY_PER_REQUEST",
            KeySchema=keys,
            AttributeDefinitions=[{"AttributeName": one["AttributeName"], "AttributeType": "S"} for one in keys],
        )
        assert found.recovery is not None
        boto3.client("s3", STANDBY).create_bucket(
            Bucket=found.recovery.bucket, CreateBucketConfiguration={"LocationConstraint": STANDBY}
        )
        yield found


def see(service: Any, primary: bool = True, **changes: Any) -> None:
    """Two minutes of tries that ended this moment."""
    now, known = datetime.now(UTC), None
    for number in range(24):
        at = now - timedelta(seconds=5 * (23 - number))
        one = Sighting(at, primary, "" if primary else "/health: no answer in 3 s")
        known = recovery.noted(
            known,
            at,
            primary={"standby": one, "witness": one, "heartbeat": one},
            standby=Sighting(at, True),
            serving="eu-west-1",
            lag_s=changes.get("lag_s", 1.5),
        )
    assert isinstance(known, Evidence)
    evidence.write(boto3.client("dynamodb", STANDBY), service, known, {}, 0)


def sereno(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["dr", *words], env={"COLUMNS": "160", "NO_COLOR": "1"})
    assert result.exit_code == code, result.output
    return result.output


def test_everything_is_ready(house):
    see(house)
    told = json.loads(sereno("status", "--json"))
    assert told["ready"]
    assert sum(told["rto_s"].values()) < 120
    assert "1.5 s, promised 900 s" in sereno("status")


def test_what_is_wanting_is_named_and_is_an_exit_code(house):
    see(house, primary=False, lag_s=1000)
    told = {one["name"]: one for one in json.loads(sereno("status", "--json", code=1))["items"]}
    assert told["eu-west-1 by witness"]["detail"] == "down (/health: no answer in 3 s)"
    assert [name for name, one in told.items() if one["ok"] is False] == [
        "eu-west-1 by standby",
        "eu-west-1 by witness",
        "eu-west-1 by heartbeat",
        "eu-central-1 serves",
        "RPO now",
    ]


def test_a_prober_that_never_ran_is_said(house):
    assert "has noted nothing" in sereno("status", code=1)


def test_a_person_asks_and_the_standby_is_told(house):
    see(house)
    told = sereno("failover", "--yes", "--by", "ana")
    assert "switch: None -> out" in told
    (asked,) = evidence.read(boto3.client("dynamodb", STANDBY), house).asks
    assert (asked.what, asked.by) == ("region-out", "ana")


def test_a_plan_asks_nothing(house):
    see(house)
    sereno("failover", "--plan")
    assert not evidence.read(boto3.client("dynamodb", STANDBY), house).asks


def test_nobody_there_to_be_asked_is_bad_input(house):
    see(house)
    sereno("failover", code=2)
    assert not evidence.read(boto3.client("dynamodb", STANDBY), house).asks


def test_what_cannot_be_is_refused_with_its_reason(house):
    see(house, lag_s=1000)
    assert "STANDBY_NOT_READY" in sereno("failover", "--yes", code=1)
    assert "NOTHING_TO_DO" in sereno("failback", "--yes", code=1)


def test_one_region_has_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = CONFIG.split("recovery:", maxsplit=1)[0].replace(
        "regions: [eu-west-1, eu-central-1]", "region: eu-west-1"
    )
    (tmp_path / "sereno.yaml").write_text(alone)
    assert "docs/regions.md" in sereno("status", code=2)


def by_hand(text: str, heading: str, tmp_path: Any) -> None:
    """Does what a chapter's block says, as a shell and the AWS CLI would."""
    chapter = text.split(f"## {heading}")[1].split("\n## ", maxsplit=1)[0]
    block = re.search(r"```\n(.*?)\n```", chapter, re.DOTALL)
    assert block
    for line in block[1].replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        if words[0] == "echo":
            assert words[2] == ">"
            (tmp_path / words[3]).write_text(f"{words[1]}\n")
            continue
        assert words[0] == "aws"
        name = {"s3api": "s3"}.get(words[1], words[1])
        given = dict(zip([one.removeprefix("--") for one in words[3::2]], words[4::2], strict=True))
        client = boto3.client(name, given.pop("region", STANDBY))
        operation = words[2].replace("-", "_")
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        members = {xform_name(one, "-"): (one, member) for one, member in shape.members.items()}
        params = {}
        for option, value in given.items():
            member, kind = members[option]
            structured = kind.type_name in ("structure", "map", "list")
            params[member] = json.loads(value) if structured else value
            if option == "body":
                params[member] = (tmp_path / value).read_bytes()
        getattr(client, operation)(**params)


@pytest.mark.parametrize("strategy", ["health-switch", "metric-switch"])
def test_what_the_page_says_does_what_sereno_would_do(house, tmp_path, strategy):
    (tmp_path / "sereno.yaml").write_text(CONFIG + f"  strategy: {strategy}\n")
    service = configuration.service(tmp_path / "sereno.yaml").seen_from(STANDBY)
    assert service.recovery is not None

    class Aws:
        def client(self, name: str, region: str | None = None) -> Any:
            return boto3.client(name, region or STANDBY)

    now = datetime.now(UTC)
    target = recovery.asked_signal(service, "region-out", now, "ana").target
    context = Context(service, Play("region-out", (("fail_over",),)), target, now, {})
    text = page(service, service.recovery)
    assert _switch.read(Aws(), context) is None
    by_hand(text, "Send customers", tmp_path)
    assert _switch.read(Aws(), context) == _switch.OUT
    if strategy == "health-switch":
        body = boto3.client("s3", STANDBY).get_object(Bucket=service.recovery.bucket, Key=_switch.key(context))
        assert serving.OUT_WORD in body["Body"].read().decode()
    by_hand(text, "Give", tmp_path)
    assert _switch.read(Aws(), context) is None


def test_the_page_is_printed(house):
    told = sereno("runbook")
    assert told.startswith("# techmoda: the loss of a region")
    assert "Route 53's records, IAM" in told
