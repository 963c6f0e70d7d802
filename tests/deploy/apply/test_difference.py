"""Two templates compared, resource by resource and property by property."""

from __future__ import annotations

import json

from deploy import synth
from deploy.apply import difference
from deploy.apply.deployed import Deployed
from deploy.apply.difference import Difference, changes
from deploy.synth.split import Bundle

OLD = {"CodeKey": "old.zip"}


def template(**resources):
    return {"Parameters": {"CodeKey": {"Type": "String"}}, "Resources": resources}


def alarm(name, **properties):
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": name, **properties}}


def function():
    return {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f", "Code": {"Ref": "CodeKey"}}}


def bundle(root, **nested):
    return Bundle(root, synth.packed(root), nested, {name: f"{name}.json" for name in nested})


def stack(root, **more):
    return Deployed("sereno-shop", "arn:stack", "CREATE_COMPLETE", root, parameters=OLD, **more)


def told(before, after, parameters=OLD):
    return {one.logical_id: one for one in changes(before, after, parameters)}


def test_without_a_stack_everything_is_new():
    found = told(None, bundle(template(A=alarm("shop/read/errors"))))
    assert (found["A"].what, found["A"].name) == ("added", "shop/read/errors")


def test_a_stack_that_was_never_carried_out_holds_nothing():
    review = Deployed("sereno-shop", "arn:stack", "REVIEW_IN_PROGRESS", {})
    assert [one.what for one in changes(review, bundle(template(A=alarm("x"))), OLD)] == ["added"]


def test_each_property_that_differs_is_told_by_its_path():
    before = stack(template(A=alarm("x", Threshold=1, Dimensions=[{"Name": "F", "Value": "a"}]), B=alarm("y")))
    after = bundle(template(A=alarm("x", Threshold=2, Dimensions=[{"Name": "F", "Value": "b"}], Period=60)))
    found = told(before, after)
    assert (found["A"].what, found["B"].what) == ("changed", "removed")
    assert set(found["A"].differences) == {
        Difference("Threshold", 1, 2),
        Difference("Dimensions[0].Value", "a", "b"),
        Difference("Period", difference.ABSENT, 60),
    }


def test_what_is_the_same_is_not_told():
    before = stack(template(A=alarm("x")))
    assert told(before, bundle(template(A=alarm("x")))) == {}


def test_new_code_is_a_change_of_each_function_that_runs_it():
    before = stack(template(F=function(), A=alarm("x")))
    found = told(before, bundle(template(F=function(), A=alarm("x"))), {"CodeKey": "new.zip"})
    assert found.keys() == {"F"}
    assert found["F"].differences == (Difference("Code", "old.zip", "new.zip"),)


def test_text_that_holds_json_is_compared_by_what_it_holds():
    one, other = json.dumps({"a": 1, "b": [1, 2]}), json.dumps({"b": [1, 3], "a": 1})
    assert list(difference.compare({"Body": one}, {"Body": other})) == [Difference("Body.b[1]", 2, 3)]


def test_an_alarm_that_goes_to_a_nested_stack_moves():
    before = stack(template(A=alarm("x")))
    found = told(before, bundle(template(Nested={"Type": difference.STACK}), AlarmsA=template(A=alarm("x"))))
    assert (found["A"].what, found["A"].stack) == ("moved", "AlarmsA")


def test_what_a_nested_stack_is_handed_is_no_change():
    part = {
        "Parameters": {"People": {"Type": "String"}},
        "Resources": {"A": alarm("x", AlarmActions=[{"Ref": "People"}])},
    }
    inner = Deployed("nested", "arn:n", "CREATE_COMPLETE", part, parameters={"People": "arn:topic"})
    before = stack(template(), nested={"AlarmsA": inner}, physical={"People": "arn:topic"})
    assert told(before, bundle(template(), AlarmsA=part)) == {}


def test_json_for_machines():
    (one,) = changes(None, bundle(template(A=alarm("x"))), OLD)
    assert json.loads(json.dumps(one.to_json()))["what"] == "added"
