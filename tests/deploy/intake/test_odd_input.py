"""Whatever a file holds, the answer is a configuration that loads, or a refusal that says why, and nothing else."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy import config
from deploy.intake import decode, intake, write
from deploy.intake.intake import Outside, Told
from sereno.errors import InvalidInput

FOLDER = Path(__file__).parent / "templates"
TEMPLATES = {path.name: decode.read(path, path.name) for path in sorted(FOLDER.iterdir()) if path.is_file()}
OUTSIDE = Outside(Told("shop", "it was not given", "--stack"), Told("123456789012"), Told("eu-west-1"))


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, one in inner for found in [(*path, key), *places(one, (*path, key))]]


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


def keys(document: Any, section: str) -> list[str]:
    found = document.get(section) if isinstance(document, dict) else None
    return [*found, "Missing"] if isinstance(found, dict) else ["Missing"]


def odd(chance: random.Random, document: Any) -> Any:
    """A value that may stand somewhere else in a template, or nowhere."""
    one, other = (chance.choice(keys(document, "Resources")) for _ in range(2))
    condition, parameter = chance.choice(keys(document, "Conditions")), chance.choice(keys(document, "Parameters"))
    if chance.random() < 0.2 and places(document):
        return copy.deepcopy(at(document, chance.choice(places(document))))
    return chance.choice(
        [
            *(None, "", 0, -1, True, False, 1e308, float("inf"), float("nan"), 10**30, [], {}, [[]], "x" * 300),
            *("é\x00\ud800", f"${{{one}}}", f"${{{one}.Arn}}", "a b", "$default", "*", "{{resolve:ssm:x}}"),
            *({"Ref": one}, {"Ref": parameter}, {"Ref": None}, {"Ref": {"Ref": one}}, {"Ref": "AWS::NoValue"}),
            *({"Fn::GetAtt": [one, "Arn"]}, {"Fn::GetAtt": f"{one}.Arn"}, {"Fn::GetAtt": [one]}),
            *({"Fn::Sub": f"${{{one}}}-${{{other}}}"}, {"Fn::Sub": ["${A}", {"A": {"Ref": one}}]}),
            *({"Fn::If": [condition, {"Ref": one}, {"Ref": "AWS::NoValue"}]}, {"Fn::If": []}),
            *({"Fn::Join": ["", [{"Ref": one}, "x"]]}, {"Fn::Join": [",", {"Ref": one}]}),
            *({"Fn::Select": [5, [1]]}, {"Fn::Split": ["", ""]}, {"Fn::FindInMap": ["a", {"Ref": one}, "b"]}),
            {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "parts/data.yaml"}}},
            *({"Fn::Transform": []}, {"Fn::ForEach::X": ["Y", ["a", "b"], {"${Y}": {}}]}, {"Fn::Nope": 1}),
            *({"Fn::ToJsonString": {"a": {"Ref": one}}}, {"Fn::Length": {"Ref": one}}, {"Condition": condition}),
            *({"Fn::Cidr": ["10.0.0.0/16", 300, 3]}, {"Fn::Equals": [1, "1"]}, {"Fn::Not": [{"Ref": one}]}),
        ]
    )


def mutated(chance: random.Random, document: Any) -> Any:
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 6)):
        known = places(document)
        if not known:
            return document
        *path, last = chance.choice(known)
        holder, what = at(document, tuple(path)), chance.random()
        if what < 0.15:
            del holder[last]
        elif what < 0.25 and isinstance(holder, dict):
            names = ["Ref", "Fn::Sub", "Fn::Transform", "Fn::ForEach::Z", "", "a/b", "9", f"{last}2"]
            holder[chance.choice(names)] = holder[last]
        else:
            holder[last] = odd(chance, document)
    return document


def answer(path: Path) -> None:
    """Takes a file in. What is written loads, and so does what machines get."""
    try:
        found = intake.from_template(path, OUTSIDE)
    except InvalidInput:
        return
    text = write.text(found)
    text.encode()
    config.parse(text)
    json.dumps(found.to_json()).encode()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(TEMPLATES)), st.integers(0, 2**32))
def test_a_spoiled_template_is_read_or_refused_and_never_breaks_the_reader(tmp_path, name, seed):
    path = tmp_path / "template.json"
    path.write_text(json.dumps(mutated(random.Random(seed), TEMPLATES[name])), encoding="utf-8")
    answer(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_at_all_are_read_or_refused(tmp_path, content):
    path = tmp_path / "template.yaml"
    path.write_bytes(content)
    answer(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_spoiled_text_is_read_or_refused(tmp_path, seed):
    chance = random.Random(seed)
    text = list((FOLDER / "cfn-every-short-tag.yaml").read_text(encoding="utf-8"))
    for _ in range(chance.randint(1, 8)):
        text[chance.randrange(len(text))] = chance.choice([*"!&*{}[]:-\"'#|> \n\t$%@`\x00é", "!Ref ", "<<: "])
    path = tmp_path / "template.yaml"
    path.write_text("".join(text), encoding="utf-8")
    answer(path)


HANGS = {
    "an alias of its own parent": "Resources: &a\n  A: *a\n",
    "aliases of aliases": "\n".join(
        [
            "a0: &a0 [x, x]",
            *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)),
            "Resources: {A: *a11}",
        ]
    ),
    "deep nesting": "Resources: " + "[" * 400,
    "deep flow mappings": "{Resources: " + "{a: " * 500 + "1" + "}" * 501,
    "deep JSON": '{"Resources": ' + "[" * 1200 + "]" * 1200 + "}",
}


@pytest.mark.parametrize("text", HANGS.values(), ids=HANGS)
def test_text_made_to_hang_a_reader_is_refused(taken, text):
    with pytest.raises(InvalidInput):
        taken(f"{text}\n")


def function(name: Any) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": name}}


def chained(length: int) -> dict[str, Any]:
    """Functions each named twice after the next one."""
    names = [{"Fn::Sub": f"${{F{number + 1}}}${{F{number + 1}}}"} for number in range(length)]
    return {"Resources": {f"F{number}": function(name) for number, name in enumerate([*names, "x"])}}


@pytest.mark.parametrize("length", [30, 300])
def test_names_made_of_names_neither_grow_without_end_nor_take_for_ever(tmp_path, length):
    path = tmp_path / "template.json"
    path.write_text(json.dumps(chained(length)), encoding="utf-8")
    found = intake.from_template(path, OUTSIDE)
    assert len(found.of("functions")) == length + 1
    assert max(len(one.fields["name"]) for one in found.resources) <= 64


def test_a_name_of_itself_and_conditions_in_a_circle_are_told(taken):
    found = taken(
        """
Conditions: {A: !Not [!Condition B], B: !Condition A}
Resources:
  Loop:
    Type: AWS::Lambda::Function
    Condition: A
    Properties: {FunctionName: !Ref Loop}
"""
    )
    (told,) = found.log.unresolved
    assert (told.place, told.why) == ("Resources.Loop.Condition", "refers to itself")
    assert found.of("functions")[0].fields["name"] == "shop-Loop"
    assert "resources.functions.loop.name" in [one.place for one in found.log.assumed]


def test_keys_that_yaml_takes_for_something_else_are_quoted(taken):
    found = taken(
        """
Resources:
  TrueTable: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: "true"}}
  NullFunction:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: "007", Policies: [DynamoDBReadPolicy: {TableName: !Ref TrueTable}]}
"""
    )
    read = config.parse(write.text(found)).resources
    assert read.functions["null"].name == "007"
    assert read.functions["null"].tables == ("true",)
    assert read.tables["true"].name == "true"


def test_stacks_nested_without_end_are_bounded(tmp_path):
    for level in range(9):
        inner = {
            f"S{number}": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": f"{level + 1}.json"}}
            for number in range(10)
        }
        (tmp_path / f"{level}.json").write_text(json.dumps({"Resources": {**inner, "F": function("f")}}))
    found = intake.from_template(tmp_path / "0.json", OUTSIDE)
    assert any("more than 100 templates" in one.why for one in found.log.unresolved)


@pytest.mark.parametrize("value", ["!!int abc", "!!bool abc", "!!timestamp abc", "!!float [1]", "9" * 6000])
def test_a_tag_that_the_value_does_not_have_is_no_traceback(value):
    with contextlib.suppress(InvalidInput):
        decode.decode(f"Resources: {{A: {{Type: {value}}}}}\n", "template.yaml")


def test_a_file_of_30_megabytes_is_told_by_its_size(tmp_path):
    path = tmp_path / "template.yaml"
    path.write_bytes(b"#" * 30 * 1024 * 1024)
    with pytest.raises(InvalidInput, match="is larger than 2 MiB"):
        decode.read(path, "template.yaml")
