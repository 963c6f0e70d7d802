"""What a template says once its parameters have values."""

from __future__ import annotations

import pytest

from deploy.apply import resolve

TEMPLATE = {
    "Parameters": {"Key": {"Type": "String", "Default": ""}, "Size": {"Type": "Number", "Default": 512}},
    "Conditions": {"HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Key"}, ""]}]}},
    "Resources": {
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {
                "KmsMasterKeyId": {"Fn::If": ["HasKey", {"Ref": "Key"}, {"Ref": "AWS::NoValue"}]},
                "Tags": [{"Fn::If": ["HasKey", "encrypted", {"Ref": "AWS::NoValue"}]}, "own"],
                "Size": {"Ref": "Size"},
            },
        },
        "Extra": {"Type": "AWS::SQS::Queue", "Condition": "HasKey", "Properties": {"Topic": {"Ref": "Topic"}}},
    },
}


def test_without_a_key_what_needs_one_is_left_out():
    (topic,) = resolve.resources(TEMPLATE, {}).values()
    assert topic["Properties"] == {"Tags": ["own"], "Size": "512"}


def test_with_a_key_it_is_there():
    found = resolve.resources(TEMPLATE, {"Key": "arn:key"}, {"Topic": "arn:topic"})
    assert found["Topic"]["Properties"] == {"KmsMasterKeyId": "arn:key", "Tags": ["encrypted", "own"], "Size": "512"}
    assert found["Extra"]["Properties"] == {"Topic": "arn:topic"}


def test_a_value_for_a_parameter_that_is_not_declared_is_nobodys():
    assert resolve.parameters(TEMPLATE, {"Other": "x"}) == {"Key": "", "Size": "512"}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"Fn::And": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["b", "b"]}]}, True),
        ({"Fn::And": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}]}, False),
        ({"Fn::Or": [{"Fn::Equals": ["a", "b"]}, {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}]}, True),
        ({"Condition": "Named"}, True),
        ("Unheard", False),
    ],
)
def test_conditions(condition, holds):
    known = resolve.Known({"AWS::Region": "eu-west-1"}, {"Named": {"Fn::Equals": [1, 1]}})
    assert resolve.holds(condition, known) is holds


def test_what_cloudformation_alone_knows_stays_open():
    known = resolve.Known()
    node = {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    assert resolve.value(node, known) == node
    assert resolve.is_open(node)
    assert not resolve.is_open({"Ref": "x", "beside": "y"})
