"""Text becomes plain data, or a sentence with the place that is wrong."""

from __future__ import annotations

import pytest

from deploy.intake import decode
from sereno.errors import InvalidInput


def test_short_tags_become_their_long_form():
    text = "a: !Ref x\nb: !GetAtt r.Arn.more\nc: !Sub ['${v}', {v: 1}]\nd: !If [C, 1, !Ref y]\ne: !Condition C\n"
    assert decode.decode(text, "t") == {
        "a": {"Ref": "x"},
        "b": {"Fn::GetAtt": ["r", "Arn.more"]},
        "c": {"Fn::Sub": ["${v}", {"v": 1}]},
        "d": {"Fn::If": ["C", 1, {"Ref": "y"}]},
        "e": {"Condition": "C"},
    }


def test_a_policys_version_is_no_date_and_keys_are_text():
    assert decode.decode("Version: 2012-10-17\n2: x\ntrue: y\n", "t") == {
        "Version": "2012-10-17",
        "2": "x",
        "true": "y",
    }


def test_json_is_read_as_json_tabs_and_all():
    assert decode.decode('{\n\t"a": ["b",\t1]\n}', "t") == {"a": ["b", 1]}


def test_flow_yaml_begins_with_a_brace_too():
    assert decode.decode("{a: !Ref b}", "t") == {"a": {"Ref": "b"}}


def test_aliases_are_copies():
    data = decode.decode("a: &x {k: 1}\nb: *x\n", "t")
    data["a"]["k"] = 2
    assert data["b"] == {"k": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, 2\nb: 3\n", "t: line 2, column"),
        ('{"a": \n\t1,, }', "t: line 2, column"),
        ("a: !!python/object:os.system x\n", "could not determine a constructor"),
        ("a: *nowhere\n", "undefined alias"),
        ("a: \x00\n", "is no YAML"),
        ("a: 1\n---\nb: 2\n", "found another document"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(text, said):
    with pytest.raises(InvalidInput) as refused:
        decode.decode(text, "t")
    assert said in str(refused.value)


OTHERS = [
    ("service: a\nprovider: {name: aws}\n", "serverless package"),
    ('service: a\naccount: "1"\nresources: {}\n', "is a sereno.yaml already"),
    ('{"app": "npx ts-node", "context": {}}', "cdk synth"),
    ("openapi: 3.0.1\npaths: {}\n", "is an API definition"),
    ("apiVersion: v1\nkind: Pod\n", "Kubernetes"),
    ("- a\n- b\n", "is no mapping with Resources"),
    ("just words\n", "is no mapping with Resources"),
    ("Parameters: {}\n", "Resources: is missing"),
    ("Resources: []\nParameters: 3\n", "Parameters: is no mapping"),
    ("Resources: {A: {}, B: {Type: X, Properties: 3}}\n", "Resources.B.Properties: is no mapping"),
]


@pytest.mark.parametrize(("text", "said"), OTHERS, ids=[said for _, said in OTHERS])
def test_what_is_another_file_is_told_with_the_one_to_name(taken, text, said):
    with pytest.raises(InvalidInput) as refused:
        taken(text + "\n")
    assert said in str(refused.value)
