"""Templates of every kind that people have: what is found, what is told, and that a sound watch comes of each."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import check, config, synth
from deploy.intake import write
from deploy.intake.findings import SECTIONS, Intake
from deploy.intake.intake import Told
from remediators import registry
from sereno.errors import InvalidInput
from sereno.service import Service

HERE = Path(__file__).parent
EXPECTED: dict[str, Any] = yaml.safe_load((HERE / "expected.yaml").read_text(encoding="utf-8"))
TEMPLATES = [name for name, one in EXPECTED.items() if "refused" not in one]
REFUSED = [name for name, one in EXPECTED.items() if "refused" in one]
# Told of every template: what people decide.
ALWAYS = {"service", "objectives", "stack"}


def watch(found: Intake) -> dict[str, Any]:
    """The template of the watch over what was found, all the way through the written file."""
    compiled = config.compile_config(config.parse(write.text(found)))
    service = Service.from_json(json.loads(json.dumps(compiled)))
    return synth.synthesise(service, compiled, remediators=registry.all_remediators())


def test_every_template_of_the_folder_is_expected():
    assert sorted(EXPECTED) == sorted(path.name for path in (HERE / "templates").iterdir() if path.is_file())
    assert len(TEMPLATES) >= 24


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_found_is_all_there_is_and_every_doubt_is_told(taken, name):
    found, wanted = taken(name), EXPECTED[name]
    assert {s: {one.key: one.fields for one in found.of(s)} for s in SECTIONS if found.of(s)} == wanted["found"]
    assert [f"{one.place}: {one.why}" for one in found.log.unresolved] == wanted.get("unresolved", [])
    assert [one.place for one in found.log.assumed if one.place not in ALWAYS] == wanted.get("assumed", [])
    assert [str(one) for one in found.log.notes] == wanted.get("notes", [])


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_written_is_a_configuration_of_the_same_resources(taken, name):
    found = taken(name)
    service = Service.from_json(config.compile_config(config.parse(write.text(found))))
    assert {key: one.name for key, one in service.functions.items()} == {
        one.key: one.fields["name"] for one in found.of("functions")
    }
    for function in found.of("functions"):
        compiled = service.functions[function.key]
        assert (compiled.reserved, compiled.provisioned) == (
            function.fields.get("reserved"),
            function.fields.get("provisioned"),
        )
        assert f"{compiled.timeout_s}s" == function.fields["timeout"]
        assert compiled.memory_mb == function.fields["memory"]
        assert list(compiled.tables) == function.fields.get("tables", [])
    for table in found.of("tables"):
        assert service.tables[table.key].read == table.fields.get("read")
        assert set(service.tables[table.key].indexes) == set(table.fields.get("indexes", {}))
    for api in found.of("apis"):
        assert (service.apis[api.key].kind, service.apis[api.key].id) == (
            api.fields.get("kind", "rest"),
            api.fields.get("id"),
        )


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_doubt_stands_beside_its_line_in_the_file(taken, name):
    found = taken(name)
    text = " ".join(write.text(found).replace("#", "").split())
    for assumption in found.log.assumed:
        if assumption.place.startswith("resources."):
            assert f"assumed: {assumption.why} ({assumption.mend})" in text
    assert "mode: observe" in text


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_with_nothing_to_watch_is_refused_with_the_reason(taken, name):
    with pytest.raises(InvalidInput) as refused:
        taken(name)
    assert refused.value.problems[0].mend == EXPECTED[name]["refused"]


def test_the_watch_over_each_of_them_passes_cfn_lint(taken):
    """cfn-lint takes two seconds for each watch, of which nearly all goes to what is the same in every one. So what
    differs by more than names and numbers is gathered in one template, each under a name of its own, and linted
    once."""
    union: dict[str, Any] = {}
    known: dict[str, str] = {}
    for number, name in enumerate(TEMPLATES):
        made = watch(taken(name))
        union = union or {**made, "Resources": {}}
        add(union["Resources"], made["Resources"], known, f"X{number}" if number else "")
    kinds = Counter(one["Type"] for one in union["Resources"].values())
    assert kinds["AWS::CloudWatch::Alarm"] > 30
    assert kinds["AWS::IAM::Role"] >= 5
    found = check.lint(json.dumps(union), "watch")
    # Watches of different services may share an alarm's name.
    assert [line for line in found if " E3019 " not in line] == []


def add(union: dict[str, Any], resources: dict[str, Any], known: dict[str, str], suffix: str) -> None:
    shapes = {name: json.dumps(shape(one)) for name, one in resources.items()}
    names = {name: known.get(shape, f"{name}{suffix}") for name, shape in shapes.items()}
    for name, resource in resources.items():
        if names[name] not in union:
            union[names[name]] = renamed(resource, names)
            known[shapes[name]] = names[name]


def shape(node: Any) -> Any:
    """A resource without its names and numbers, and each list with one of each kind of member. Words such as
    `GreaterThanThreshold` and actions such as `lambda:GetFunction` stay."""
    if isinstance(node, dict):
        return {key: shape(one) for key, one in sorted(node.items())}
    if isinstance(node, list):
        return sorted({json.dumps(shape(one)) for one in node})
    return node if re.fullmatch(r"([A-Z][a-z]+)+|[a-z-]+:[A-Z][A-Za-z]+", str(node)) else type(node).__name__


def renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: renamed(one, names) for key, one in node.items()}
    if isinstance(node, list):
        return [renamed(one, names) for one in node]
    return names.get(node, node) if isinstance(node, str) else node


# -- the same templates with other words from outside


def names(found: Intake) -> list[str]:
    return [one.fields["name"] for one in found.resources]


def test_a_given_parameter_decides_conditions_and_is_no_assumption(taken):
    found = taken("sam-conditions.yaml", Environment="production", WithReports="true", Audit="no")
    (checkout, report) = found.of("functions")
    assert checkout.fields == {"name": "checkout", "reserved": 200, "timeout": "10s", "memory": 2048}
    assert report.fields["name"] == "shop-ReportFunction"
    assert found.log.unresolved == []
    assert not [one for one in found.log.assumed if one.place.startswith("Parameters.")]


def test_a_mapping_by_region_is_looked_up_in_the_given_region(taken):
    found = taken("sam-mappings.yaml", region="us-east-1", Stage="dev")
    price, stock = found.of("functions")
    assert price.fields == {"name": "price-prod", "reserved": 5, "timeout": "5s", "memory": 128}
    assert stock.fields["name"] == "stock-use1"
    assert found.log.unresolved == []


def test_a_global_table_is_read_where_the_watch_stands(taken):
    found = taken("cfn-global-table.yaml", region="us-east-1")
    assert found.of("tables")[0].fields["read"] == 99


def test_a_stack_that_was_given_leaves_only_random_names_assumed(taken):
    found = taken("sam-hello-implicit-api.yaml", stack=Told("hello"))
    assert names(found) == ["hello", "hello-HelloWorldFunction"]
    assert [one.place for one in found.log.assumed] == [
        "service",
        "objectives",
        "resources.functions.hello-world.name",
    ]
    assert "stack: hello" in write.text(found)


def test_a_secret_parameter_is_neither_read_nor_shown(taken):
    found = taken("cfn-imports-and-secrets.yaml")
    assert "hunter2" not in write.text(found) + json.dumps(found.to_json())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Stge": "prod"}, 'Parameters.Stge: "prod" is not declared (there are: Stage) (did you mean Stage?)'),
        ({"Stage": "test"}, 'Parameters.Stage: "test" must be one of dev, prod'),
    ],
)
def test_a_parameter_that_the_template_cannot_take_is_refused(taken, given, said):
    with pytest.raises(InvalidInput) as refused:
        taken("sam-mappings.yaml", **given)
    assert said in str(refused.value)


def test_machines_get_the_same_as_people(taken: Callable[..., Intake]):
    told = json.loads(json.dumps(taken("cfn-nested-stacks.yaml").to_json()))
    assert told["found"]["functions"]["reader"]["tables"] == ["items"]
    assert told["found"]["tables"]["items"]["from"] == "DataStack/Resources.ItemsTable"
    assert told["unresolved"][0]["expression"] == "https://s3.amazonaws.com/templates/network.yaml"
    assert {one["place"] for one in told["assumed"]} >= {"objectives", "resources.tables.items.name"}
