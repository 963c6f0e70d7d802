"""Several services in one stack, for one account and region or for a whole stack set."""

from __future__ import annotations

import json
import sys

import cfnlint.api
import cfnlint.config
import pytest

from deploy import config, synth
from deploy.apply import resolve
from deploy.golden import ROOT
from deploy.synth import fleet, limits
from remediators import registry
from sereno.errors import InvalidInput
from sereno.service import Service

HOUSE = registry.all_remediators()
MINIMAL = config.compile_config(config.load(ROOT / "examples" / "minimal.yaml"))
IRELAND = {"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1"}


def compiled(name: str, account: str = "123456789012", region: str = "eu-west-1"):
    functions = {key: one | {"name": f"{name}-{key}"} for key, one in MINIMAL["functions"].items()}
    return MINIMAL | {"service": name, "account": account, "regions": [region], "functions": functions}


def member(name: str, *place: str) -> fleet.Member:
    data = compiled(name, *place)
    service = Service.from_json(data)
    return fleet.Member(service, synth.bundle(service, data, remediators=HOUSE))


def made(parent, place):
    """The services that a parent makes where it is deployed, by their templates' files."""
    known = resolve.Known({**place, "CodeBucket": "", "CodePrefix": "sereno/"}, parent["Conditions"])
    return {
        json.dumps(one["Properties"]["TemplateURL"])
        for one in parent["Resources"].values()
        if one["Type"] == "AWS::CloudFormation::Stack"
        and ("Condition" not in one or resolve.holds(one["Condition"], known))
    }


def test_one_template_makes_in_each_place_what_lives_there():
    found = fleet.gather(
        [member("shop"), member("till", "123456789012", "eu-central-1"), member("blog", "999999999999")]
    )
    assert ["shop." in one for one in made(found.parent, IRELAND)] == [True]
    (till,) = made(found.parent, IRELAND | {"AWS::Region": "eu-central-1"})
    assert "till." in till
    assert made(found.parent, IRELAND | {"AWS::Region": "us-east-1"}) == set()
    assert "Parent" in found.parent["Resources"]


def test_no_parameter_names_an_account_or_a_region():
    found = fleet.gather([member("shop")])
    assert "123456789012" not in json.dumps(found.parent["Parameters"])
    assert all("Default" in one for one in found.parent["Parameters"].values())


def test_the_bucket_is_that_of_the_place_unless_one_is_given():
    found = fleet.gather([member("shop")])
    known = resolve.Known({"CodeBucket": "mine"}, found.parent["Conditions"])
    assert resolve.value(fleet.BUCKET, known) == "mine"
    known = resolve.Known({"CodeBucket": ""}, found.parent["Conditions"])
    assert "sereno-artifacts-" in json.dumps(resolve.value(fleet.BUCKET, known))


def test_every_service_gets_what_its_template_asks_for():
    found = fleet.gather([member("shop"), member("till")])
    for one in found.parent["Resources"].values():
        if one["Type"] != "AWS::CloudFormation::Stack":
            continue
        url = json.dumps(one["Properties"]["TemplateURL"])
        template = next(json.loads(text) for file, text in found.files.items() if file in url)
        needed = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
        assert needed <= one["Properties"]["Parameters"].keys() <= template["Parameters"].keys()


def test_a_change_of_one_service_touches_no_other():
    before = fleet.gather([member("shop"), member("till")])
    data = compiled("shop") | {"objectives": MINIMAL["objectives"] | {"surge": 7.0}}
    service = Service.from_json(data)
    changed = fleet.Member(service, synth.bundle(service, data, remediators=HOUSE))
    after = fleet.gather([changed, member("till")])
    differ = [name for name, one in before.parent["Resources"].items() if after.parent["Resources"][name] != one]
    assert [name.startswith("Shop") for name in differ] == [True]
    assert before.code_keys != after.code_keys


def test_the_same_service_twice_in_a_place_is_refused_and_no_service_too():
    with pytest.raises(InvalidInput, match="stands twice in 123456789012, eu-west-1"):
        fleet.gather([member("shop"), member("shop")])
    fleet.gather([member("shop"), member("shop", "123456789012", "us-east-1")])
    with pytest.raises(InvalidInput, match="none is given"):
        fleet.gather([])


def test_a_thousand_services_of_fifteen_alarms_fit_with_a_layer_of_groups():
    one = member("shop")
    assert sum(part["Type"].endswith("Alarm") for part in one.bundle.root["Resources"].values()) >= 15
    services = [Service.from_json(compiled(f"shop{number:04d}")) for number in range(1000)]
    # The same templates under a thousand names: what is asked here is of the parents alone.
    found = fleet.gather(fleet.Member(service, one.bundle) for service in services)
    parents = [found.parent, *(json.loads(text) for file, text in found.files.items() if file.startswith("group"))]
    for parent in parents:
        assert len(parent["Resources"]) <= limits.SAFE_RESOURCES
        assert limits.size(parent) <= limits.SAFE_BYTES
    children = [name for parent in parents[1:] for name in parent["Resources"] if name != "Parent"]
    assert len(children) == len(set(children)) == 1000


def calls(services: int) -> int:
    """How many functions synthesis calls for so many services: what it costs, whatever the machine."""
    count = 0

    def note(frame, happening, argument):
        nonlocal count
        count += happening == "call"

    sys.setprofile(note)
    try:
        fleet.gather(member(f"shop{number:04d}") for number in range(services))
    finally:
        sys.setprofile(None)
    return count


def test_twice_the_services_are_twice_the_work():
    fleet.gather([member("warm")])
    assert calls(24) <= 2.02 * calls(12)


def test_cloudformation_accepts_the_parent():
    found = fleet.gather([member("shop"), member("till", "123456789012", "eu-central-1")])
    lint = cfnlint.api.lint(synth.text(found.parent), config=cfnlint.config.ManualArgs(regions=["eu-west-1"]))
    assert [str(one) for one in lint] == []
