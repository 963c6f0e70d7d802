"""TechModa in two regions: the same template in both, one table for both, and two names for each."""

from __future__ import annotations

import json

import pytest
import yaml

from deploy import config
from deploy.apply import resolve
from deploy.golden import REGIONS, ROOT, TECHMODA
from deploy.sam import translate

FOLDER = ROOT / "examples" / "techmoda"
ACCOUNT = "123456789012"
TWO_REGIONS = {
    "OwnTable": "0",
    "CustomersDomain": "api.techmoda.example",
    "HostedZone": "Z0123456789ABCDEFGHIJ",
}


class Loader(yaml.SafeLoader):
    """Short forms as their text."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix} {getattr(node, 'value', '')}")


def deployed(region: str, **given: str):
    """The resources of the application's stack in a region."""
    parameters = {
        **TWO_REGIONS,
        "RegionalDomain": f"{region}.api.techmoda.example",
        "CertificateArn": f"arn:aws:acm:{region}:{ACCOUNT}:certificate/1",
        **given,
    }
    return resolve.resources(translate(FOLDER / "template.yaml", parameters, region=region, account=ACCOUNT), {})


def of_type(resources, kind):
    return [one["Properties"] for one in resources.values() if one["Type"] == f"AWS::{kind}"]


def test_one_region_has_its_own_table_and_no_domain():
    resources = resolve.resources(translate(FOLDER / "template.yaml", {}, region="eu-west-1", account=ACCOUNT), {})
    assert of_type(resources, "DynamoDB::Table")
    assert not of_type(resources, "ApiGateway::DomainName")


@pytest.mark.parametrize("region", ["eu-west-1", "eu-central-1"])
def test_each_region_knows_the_customers_name_and_its_own(region):
    resources = deployed(region)
    named = {one["DomainName"] for one in of_type(resources, "ApiGateway::DomainName")}
    assert named == {"api.techmoda.example", f"{region}.api.techmoda.example"}
    (record,) = of_type(resources, "Route53::RecordSet")
    # The customers' name is not this stack's: its records follow what serves.
    assert record["Name"] == f"{region}.api.techmoda.example"
    recovery = config.service(REGIONS).recovery
    assert recovery is not None
    assert {f"https://{one}" for one in named} == {recovery.url, recovery.urls[region]}


def test_in_two_regions_the_table_is_neithers():
    resources = deployed("eu-central-1")
    assert not of_type(resources, "DynamoDB::Table")
    assert not of_type(resources, "ApplicationAutoScaling::ScalableTarget")
    assert "ProductsTable" not in json.dumps(resources)
    for one in of_type(resources, "Lambda::Function"):
        assert one["Environment"]["Variables"]["TABLE_NAME"] == "techmoda-products"


def test_the_global_table_is_the_one_tables_twin_in_every_region():
    alone = yaml.load((FOLDER / "template.yaml").read_text(encoding="utf-8"), Loader)["Resources"]
    both = yaml.load((FOLDER / "global-table.yaml").read_text(encoding="utf-8"), Loader)["Resources"]
    table, twin = alone["ProductsTable"]["Properties"], both["Products"]["Properties"]
    for field in ("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "StreamSpecification"):
        assert twin[field] == table[field]
    reads, writes = alone["TableReads"]["Properties"], alone["TableWrites"]["Properties"]
    own = twin["WriteProvisionedThroughputSettings"]["WriteCapacityAutoScalingSettings"]
    assert (own["MinCapacity"], own["MaxCapacity"]) == (writes["MinCapacity"], writes["MaxCapacity"])
    first, second = twin["Replicas"]
    assert {**first, "Region": ""} == {**second, "Region": ""}
    settings = first["ReadProvisionedThroughputSettings"]["ReadCapacityAutoScalingSettings"]
    assert (settings["MinCapacity"], settings["MaxCapacity"]) == (reads["MinCapacity"], reads["MaxCapacity"])
    assert first["PointInTimeRecoverySpecification"] == table["PointInTimeRecoverySpecification"]


def test_both_files_describe_the_same_service():
    one, two = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (TECHMODA, REGIONS))
    assert one.pop("region") == two.pop("regions")[0]
    del two["recovery"]
    assert one == two
