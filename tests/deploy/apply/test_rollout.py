"""What a deployment intends, and how a watch that outgrows one template moves its alarms."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from deploy import config, package, synth
from deploy.apply import rollout, states
from deploy.apply.deployed import STACK, Deployed
from deploy.golden import ROOT
from remediators import registry
from sereno.errors import InvalidInput
from sereno.service import Service

HOUSE = registry.all_remediators()
MINIMAL = config.compile_config(config.load(ROOT / "examples" / "minimal.yaml"))


def grown(functions: int):
    one = MINIMAL["functions"]["checkout"]
    return MINIMAL | {"functions": {f"f{n:03d}": one | {"name": f"shop-f{n:03d}"} for n in range(functions)}}


@pytest.fixture(autouse=True)
def _small_package(monkeypatch):
    def build(out: Path, compiled, **_):
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("sereno.json"), str(compiled))
        return out

    monkeypatch.setattr(package, "build", build)
    monkeypatch.setattr(package, "runtime", lambda: "python3.12")


def intent(compiled, deployed, place, **more):
    service = Service.from_json(compiled)
    return rollout.intend(service, compiled, HOUSE, deployed, place / "code.zip", **more)


def as_deployed(made: rollout.Intent, **more) -> Deployed:
    nested = {
        name: Deployed(name, f"arn:{name}", "CREATE_COMPLETE", part, parameters={"Topic": "arn:topic"})
        for name, part in made.bundle.nested.items()
    }
    known = {
        "template": made.bundle.root,
        "parameters": made.parameters,
        "nested": nested,
        "physical": {"Topic": "arn:topic"},
    }
    return Deployed(made.stack, "arn:stack", "CREATE_COMPLETE", **(known | more))


def test_what_is_deployed_is_what_is_intended(tmp_path):
    first = intent(MINIMAL, None, tmp_path)
    assert (first.creates, first.stack, first.bucket) == (
        True,
        "sereno-shop",
        "sereno-artifacts-123456789012-eu-west-1",
    )
    again = intent(MINIMAL, as_deployed(first), tmp_path)
    assert (again.creates, again.changes) == (False, ())


def test_what_was_chosen_stays_until_something_else_is(tmp_path):
    chosen = {"Architecture": "x86_64", "KmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"}
    first = intent(MINIMAL, None, tmp_path, bucket="mine", chosen=chosen)
    again = intent(MINIMAL, as_deployed(first), tmp_path)
    assert again.bucket == "mine"
    assert {name: again.parameters[name] for name in chosen} == chosen
    other = intent(MINIMAL, as_deployed(first), tmp_path, chosen={"Architecture": "arm64"})
    assert {one.kind for one in other.changes} == {"AWS::Lambda::Function"}


def test_an_interpreter_that_is_no_lambda_runtime_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "runtime", lambda: "python3.99")
    with pytest.raises(InvalidInput, match=r'"python3.99" is no Lambda runtime \(run the command with one of'):
        intent(MINIMAL, None, tmp_path)


def test_a_watch_that_outgrows_one_template_moves_its_alarms_in_two_steps(tmp_path):
    small = intent(grown(20), None, tmp_path)
    assert not small.bundle.nested
    large = intent(grown(120), as_deployed(small), tmp_path)
    going = {one.logical_id for one in rollout.moved(large)}
    kinds = {small.bundle.root["Resources"][one]["Type"] for one in going}
    assert kinds == {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    between = rollout.without_moved(large)["Resources"]
    assert not going & between.keys()
    # Nothing of what stays refers to what goes; what ran goes on running.
    assert all(set(one.get("DependsOn", ())) <= between.keys() for one in between.values())
    functions = {name for name, one in small.bundle.root["Resources"].items() if "Lambda" in one["Type"]}
    assert functions <= between.keys()
    after = intent(grown(120), as_deployed(small, template={**small.bundle.root, "Resources": between}), tmp_path)
    assert rollout.moved(after) == []


def test_growing_further_moves_nothing(tmp_path):
    large = intent(grown(120), None, tmp_path)
    assert rollout.moved(intent(grown(121), as_deployed(large), tmp_path)) == []
    assert rollout.moved(large) == []


def test_a_failure_is_told_with_its_status(tmp_path):
    told = str(rollout.Failed("sereno-shop", "ROLLBACK_COMPLETE", None))
    assert told.startswith("sereno-shop is ROLLBACK_COMPLETE.")
    assert "names no cause" in told


def test_who_would_act_is_named():
    playbook = {what: play | {"mode": "auto"} for what, play in MINIMAL["playbook"].items() if what == "errors"}
    quiet = {what: play for what, play in MINIMAL["playbook"].items() if what != "errors"}
    service = Service.from_json(MINIMAL | {"playbook": quiet | playbook})
    assert rollout.in_auto(service) == ["errors"]
    assert rollout.in_auto(Service.from_json(MINIMAL)) == []


def test_a_nested_stack_takes_its_prefix_from_the_service(tmp_path):
    large = intent(grown(120), None, tmp_path)
    assert large.parameters["TemplatePrefix"] == "sereno/shop/"
    assert [one for one in large.bundle.root["Resources"].values() if one["Type"] == STACK]
    assert large.creates
    assert states.advice(None).way is states.Way.CREATE


def test_synthesis_is_what_is_uploaded(tmp_path):
    first = intent(MINIMAL, None, tmp_path)
    assert first.bundle.packed == synth.packed(first.bundle.root)
