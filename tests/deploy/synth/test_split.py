"""A watch of any size fits CloudFormation, and growing moves no alarm from one stack to another."""

from __future__ import annotations

import cfnlint.api
import cfnlint.config
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from alarms.packs import all_alarms
from alarms.spec import CompositeSpec
from deploy import config, synth
from deploy.golden import ROOT
from deploy.synth import limits, split
from remediators import registry
from sereno.errors import InvalidInput
from sereno.service import Service

HOUSE = registry.all_remediators()
MINIMAL = config.compile_config(config.load(ROOT / "examples" / "minimal.yaml"))


def grown(functions: int):
    """The minimal service with so many functions."""
    one = MINIMAL["functions"]["checkout"]
    many = {f"f{number:03d}": one | {"name": f"shop-f{number:03d}"} for number in range(functions)}
    return MINIMAL | {"functions": many}


def bundle(compiled):
    return synth.bundle(Service.from_json(compiled), compiled, remediators=HOUSE)


def homes(found):
    """The stack of each alarm."""
    return {
        one["Properties"]["AlarmName"]: stack
        for stack, part in found.every()
        for one in part["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.fixture(scope="module")
def large():
    return bundle(grown(120))


def test_a_small_service_stays_in_one_template():
    found = bundle(MINIMAL)
    assert not found.nested
    assert found.root == synth.synthesise(Service.from_json(MINIMAL), MINIMAL, remediators=HOUSE)
    assert "TemplatePrefix" not in found.root["Parameters"]


def test_a_large_one_is_split_and_every_part_keeps_to_the_limits(large):
    assert len(homes(large)) > limits.RESOURCE_LIMIT
    assert large.nested
    for _, part in large.every():
        assert len(part["Resources"]) <= limits.SAFE_RESOURCES
        assert limits.size(part) <= limits.SAFE_BYTES


def test_nothing_is_lost_and_nothing_stands_twice(large):
    inside = [
        one for _, part in large.every() for one, held in part["Resources"].items() if held["Type"] != split.STACK
    ]
    assert len(inside) == len(set(inside))
    alarms = {
        one["Properties"]["AlarmName"]
        for _, part in large.every()
        for one in part["Resources"].values()
        if "AlarmName" in one["Properties"]
    }
    assert alarms == {spec.name for spec in all_alarms(Service.from_json(grown(120)))}


def test_one_more_function_moves_no_alarm(large):
    before, after = homes(large), homes(bundle(grown(121)))
    assert before.items() <= after.items()


def test_all_alarms_of_a_resource_lie_together(large):
    by_resource: dict[str, set[str]] = {}
    for name, stack in homes(large).items():
        by_resource.setdefault(name.rpartition("/")[0], set()).add(stack)
    assert all(len(stacks) == 1 for stacks in by_resource.values())


def test_a_composite_waits_for_the_stacks_that_hold_what_it_watches(large):
    composites = [one for one in large.root["Resources"].values() if one["Type"] == CompositeSpec.resource_type]
    assert composites
    where = homes(large)
    for one in composites:
        rule = one["Properties"]["AlarmRule"]
        watched = {stack for name, stack in where.items() if f'"{name}"' in rule and stack}
        assert watched <= set(one["DependsOn"])
        assert set(one["DependsOn"]) <= large.root["Resources"].keys()


def test_what_a_nested_template_refers_to_is_handed_to_it(large):
    for name, part in large.nested.items():
        stack = large.root["Resources"][name]
        assert stack["Properties"].get("Parameters", {}).keys() == part.get("Parameters", {}).keys()
    handed = [part for part in large.nested.values() if "People" in part.get("Parameters", {})]
    assert handed


def test_a_nested_template_is_named_by_its_content(large):
    other = bundle(grown(121))
    changed = [name for name in large.nested if large.nested[name] != other.nested[name]]
    for name in large.nested:
        assert (large.files[name] != other.files[name]) is (name in changed)
        assert large.files[name] in str(large.root["Resources"][name]["Properties"]["TemplateURL"])
    # One function more is one nested stack more to update, and the dashboard's.
    assert len(changed) <= 3


def test_cloudformation_accepts_what_splitting_adds(large):
    """The nested stacks and what depends on them; the rest is as in a single template, and linted there."""
    kinds = (split.STACK, CompositeSpec.resource_type, "AWS::SNS::Topic")
    resources = {name: one for name, one in large.root["Resources"].items() if one["Type"] in kinds}
    root = {key: large.root[key] for key in ("AWSTemplateFormatVersion", "Conditions")}
    names = ("CodeBucket", "TemplatePrefix", "KmsKeyArn")
    parameters = {name: large.root["Parameters"][name] for name in names}
    for part in (
        {**root, "Parameters": parameters, "Resources": resources},
        min(large.nested.values(), key=lambda one: len(one["Resources"])),
    ):
        found = cfnlint.api.lint(synth.text(part), config=cfnlint.config.ManualArgs(regions=["eu-west-1"]))
        assert [str(one) for one in found] == []


def test_a_single_template_is_refused_where_it_would_not_fit():
    compiled = grown(120)
    with pytest.raises(InvalidInput, match=r"resources, CloudFormation takes 500 \(\d+ CloudWatch::Alarm"):
        synth.synthesise(Service.from_json(compiled), compiled, remediators=HOUSE)


@settings(max_examples=60, deadline=None)
@given(some.text(min_size=1), some.sampled_from(split.SHARDS))
def test_a_shard_follows_from_the_resource_alone_and_is_a_logical_id(key, shards):
    assert split.shard_of(key, shards) == split.shard_of(key, shards)
    assert split.shard_of(key, shards).isalnum()


def test_shards_share_the_load_evenly():
    counts: dict[str, int] = {}
    for number in range(1600):
        shard = split.shard_of(f"shop/f{number}", 16)
        counts[shard] = counts.get(shard, 0) + 1
    assert len(counts) == 16
    assert max(counts.values()) < 2 * min(counts.values())


def test_a_resource_with_more_alarms_than_a_stack_holds_is_refused_by_name():
    one = {"Type": split.ALARM, "Properties": {"AlarmName": ""}}
    many = {f"A{number}": {**one, "Properties": {"AlarmName": f"shop/f/{number}"}} for number in range(600)}
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "x",
        "Metadata": {"Sereno": {"Service": "shop"}},
        "Parameters": {},
        "Resources": many,
    }
    with pytest.raises(InvalidInput, match=r'the nested template Alarms\w+: "600" resources'):
        split.apart(template)
