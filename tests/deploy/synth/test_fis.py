"""The stack of rehearsals: it hurts only what it names, stops at Sereno's own alarms, and CloudFormation takes it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deploy import check, config, golden, synth
from deploy.synth import fis
from remediators import registry
from sereno.errors import InvalidInput
from sereno.service import Function, Service

PRIMARY, STANDBY = "eu-west-1", "eu-central-1"
TEMPLATES = golden.rehearsals_of(golden.REGIONS)
WATCHES = {
    (service := Service.from_json(compiled)).region: synth.synthesise(
        service, compiled, remediators=registry.all_remediators()
    )
    for compiled in config.watches(config.compile_config(config.load(golden.REGIONS)))
}


def of_type(template, kind):
    return {key: one["Properties"] for key, one in template["Resources"].items() if one["Type"] == f"AWS::{kind}"}


def experiments_of(region):
    return of_type(TEMPLATES[region], "FIS::ExperimentTemplate")


ALL = [(region, name) for region in TEMPLATES for name in experiments_of(region)]


def allowed(region):
    (role,) = of_type(TEMPLATES[region], "IAM::Role").values()
    found = {}
    for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
        for action in statement["Action"]:
            resources = statement["Resource"]
            found.setdefault(action, set()).update(resources if isinstance(resources, list) else [resources])
    return found


def test_both_regions_that_serve_have_a_stack_and_the_witness_has_none():
    assert list(TEMPLATES) == [PRIMARY, STANDBY]
    assert set(experiments_of(PRIMARY)) == {
        "RegionOutage",
        "GrayFailure",
        "FlappingRegion",
        "ControlPlaneDown",
        "AzLoss",
    }
    assert set(experiments_of(STANDBY)) == {"Partition"}


@pytest.mark.parametrize("region", TEMPLATES)
def test_cloudformation_takes_it_and_its_policies_are_tight(region):
    text = synth.text(TEMPLATES[region])
    assert check.lint(text, region, region) == []
    assert check.loose(TEMPLATES[region], region) == []
    # `aws cloudformation deploy` sends a larger one by a bucket only.
    assert len(text.encode()) < 51_200


@pytest.mark.parametrize(("region", "name"), ALL)
def test_it_stops_at_alarms_that_the_watch_of_the_same_region_has(region, name):
    stops = experiments_of(region)[name]["StopConditions"]
    assert 1 <= len(stops) <= 5
    known = {one["AlarmName"] for one in of_type(WATCHES[region], "CloudWatch::Alarm").values()}
    for one in stops:
        assert one["Source"] == "aws:cloudwatch:alarm"
        place, _, alarm = one["Value"].partition(":alarm:")
        assert place == f"arn:aws:cloudwatch:{region}:123456789012"
        assert alarm in known


def test_the_standby_stops_when_it_is_ready_no_more():
    values = [one["Value"] for one in experiments_of(STANDBY)["Partition"]["StopConditions"]]
    assert values[0].endswith("sereno-techmoda/standby/standby-ready")


@pytest.mark.parametrize(("region", "name"), ALL)
def test_each_action_has_its_targets_and_its_end(region, name):
    experiment = experiments_of(region)[name]
    for action in experiment["Actions"].values():
        assert action["Parameters"]["duration"].startswith("PT")
        assert set(action.get("Targets", {}).values()) <= experiment["Targets"].keys()
        assert set(action.get("StartAfter", ())) <= experiment["Actions"].keys()
        assert ("Targets" in action) == (action["ActionId"] != "aws:fis:wait")
    assert experiment["ExperimentOptions"]["EmptyTargetResolutionMode"] == "fail"
    assert experiment["Tags"]["sereno:service"] == "techmoda"
    assert experiment["LogConfiguration"]["LogSchemaVersion"] == 2


def test_what_befalls_functions_and_tables_has_the_names_that_fis_knows():
    outage = experiments_of(PRIMARY)["RegionOutage"]
    assert outage["Actions"]["invocation-error"]["Targets"] == {"Functions": "functions"}
    assert outage["Actions"]["replication"]["Targets"] == {"Tables": "tables"}
    assert {one["ResourceType"] for one in outage["Targets"].values()} == {
        "aws:lambda:function",
        "aws:dynamodb:global-table",
    }


def test_spells_wait_for_each_other():
    actions = experiments_of(PRIMARY)["FlappingRegion"]["Actions"]
    assert actions["pause-2"]["StartAfter"] == ["invocation-error-1"]
    assert actions["invocation-error-3"]["StartAfter"] == ["pause-2"]


def test_the_role_reaches_these_functions_and_tables_and_no_others():
    here = allowed(PRIMARY)
    functions = {one.rpartition(":")[2] for one in here["lambda:GetFunction"]}
    assert functions == {"techmoda-read", "techmoda-write", "techmoda-health"}
    assert all("table/techmoda-products" in one for one in here["dynamodb:PutResourcePolicy"])
    assert {action for action, where in here.items() if where == {"*"}} == {
        "tag:GetResources",
        "logs:CreateLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
    }
    # In the standby no function is touched, so nothing of functions is allowed, and there is no bucket for them.
    assert not [action for action in allowed(STANDBY) if action.startswith(("lambda:", "s3:"))]
    assert of_type(TEMPLATES[STANDBY], "S3::Bucket") == {}


def test_fis_may_use_the_role_for_experiments_of_this_account_and_region_alone():
    (role,) = of_type(TEMPLATES[PRIMARY], "IAM::Role").values()
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:fis:eu-west-1:123456789012:experiment/*"},
    }


def test_a_function_hears_of_faults_by_a_policy_and_a_place_that_the_stack_names():
    outputs = TEMPLATES[PRIMARY]["Outputs"]
    assert outputs["ConfigLocation"]["Value"] == "arn:aws:s3:::sereno-techmoda-fis-123456789012-eu-west-1/FisConfigs/"
    (policy,) = of_type(TEMPLATES[PRIMARY], "IAM::ManagedPolicy").values()
    assert {action for one in policy["PolicyDocument"]["Statement"] for action in one["Action"]} == {
        "s3:ListBucket",
        "s3:GetObject",
    }


def test_the_log_may_be_written_on_this_accounts_behalf_alone():
    (policy,) = of_type(TEMPLATES[PRIMARY], "Logs::ResourcePolicy").values()
    (statement,) = json.loads(policy["PolicyDocument"])["Statement"]
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


def service(functions):
    compiled = config.compile_config(config.load(golden.REGIONS))
    return replace(
        Service.from_json(compiled), functions={str(one): Function(str(one), f"f-{one}") for one in range(functions)}
    )


def test_more_functions_than_a_target_takes_are_several_targets():
    found = fis.template(service(12))["Resources"]["RegionOutage"]["Properties"]
    targets = [one for one in found["Targets"].values() if one["ResourceType"] == "aws:lambda:function"]
    assert [len(one["ResourceArns"]) for one in targets] == [5, 5, 2]
    assert {"invocation-error", "invocation-error-2", "invocation-error-3"} <= found["Actions"].keys()


def test_more_actions_than_fis_takes_are_refused_with_their_number():
    with pytest.raises(InvalidInput) as refused:
        fis.template(service(101))
    assert 'region-outage: "22" actions, FIS takes 20 in an experiment' in str(refused.value)


def test_a_long_name_still_has_a_bucket():
    long = replace(service(1), name="a" * 40)
    assert len(fis.bucket_name(long)) == 63
