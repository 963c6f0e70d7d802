"""SAM becomes CloudFormation offline, or says where it cannot."""

import json
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from deploy.sam import translate
from sereno.errors import InvalidInput

TECHMODA = Path(__file__).parents[2] / "examples" / "techmoda" / "template.yaml"
REGION, ACCOUNT = "eu-west-1", "123456789012"

HELLO = """
    Transform: AWS::Serverless-2016-10-31
    Resources:
      Hello:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: app/
          Handler: hello.handler
          Runtime: python3.12
          AutoPublishAlias: live
"""


@pytest.fixture
def write(tmp_path):
    def _write(text):
        path = tmp_path / "template.yaml"
        path.write_text(dedent(text))
        return path

    return _write


def translated(path, **parameters):
    return translate(path, parameters, region=REGION, account=ACCOUNT)


def refused(path, **parameters):
    with pytest.raises(InvalidInput) as error:
        translated(path, **parameters)
    return [str(problem) for problem in error.value.problems]


def of_type(template, kind):
    return {key: one for key, one in template["Resources"].items() if one["Type"] == kind}


def test_techmoda_has_its_three_functions_behind_the_alias_live():
    template = translated(TECHMODA, Release="7")
    assert "Transform" not in template
    functions = of_type(template, "AWS::Lambda::Function")
    assert {
        one["Properties"]["FunctionName"]: one["Properties"]["ReservedConcurrentExecutions"]
        for one in functions.values()
    } == {"techmoda-read": 120, "techmoda-write": 40, "techmoda-health": 20}
    aliases = of_type(template, "AWS::Lambda::Alias")
    assert [one["Properties"]["Name"] for one in aliases.values()] == ["live"] * 3


def test_parameters_given_become_the_results_defaults():
    template = translated(TECHMODA, Release="2026.11.24")
    assert template["Parameters"]["Release"]["Default"] == "2026.11.24"
    assert template["Parameters"]["DemandMetric"]["Default"] == "1"


def test_code_on_disk_becomes_a_placeholder_in_a_bucket():
    code = of_type(translated(TECHMODA), "AWS::Lambda::Function")["ReadFunction"]["Properties"]["Code"]
    assert code["S3Bucket"] == f"sereno-placeholder-{ACCOUNT}-{REGION}"
    assert code["S3Key"].startswith("app/")


def test_changed_code_is_published_as_a_new_version(write, tmp_path):
    (tmp_path / "app").mkdir()
    names = []
    for release in ("1", "1", "2"):
        (tmp_path / "app" / "hello.py").write_text(f"RELEASE = {release}\n")
        (name,) = of_type(translated(write(HELLO)), "AWS::Lambda::Version")
        names.append(name)
    assert names[0] == names[1] != names[2]


def test_dates_stay_text_and_other_yaml_readers_learn_nothing(write):
    path = write(
        """
        Transform: AWS::Serverless-2016-10-31
        Resources:
          Role:
            Type: AWS::IAM::Role
            Properties:
              AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}
              Description: !Sub "${AWS::Region}"
        """
    )
    role = translated(path)["Resources"]["Role"]["Properties"]
    assert role["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    assert role["Description"] == {"Fn::Sub": "${AWS::Region}"}
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load("!Sub x")


def test_no_network_and_no_credentials_are_needed(monkeypatch, write):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)

    def no_network(*_args, **_kwargs):
        raise AssertionError("a call left the machine")

    monkeypatch.setattr("botocore.endpoint.Endpoint.make_request", no_network)
    (role,) = of_type(translated(write(HELLO)), "AWS::IAM::Role").values()
    assert "AWSLambdaBasicExecutionRole" in json.dumps(role["Properties"]["ManagedPolicyArns"])


def test_every_bad_parameter_is_named_at_once(write):
    path = write(
        HELLO
        + """
    Parameters:
      Stage: {Type: String, AllowedValues: [test, prod]}
      Release: {Type: String}
"""
    )
    assert refused(path, Stage="live", Colour="red") == [
        'Parameters.Colour: "red" is not declared: known are Stage, Release',
        'Parameters.Stage: "live" must be one of test, prod',
        "Parameters.Release: has no default: give it a value",
    ]


def test_a_broken_resource_is_named_by_its_logical_id(write):
    problems = refused(write(HELLO.replace("Handler: hello.handler", "Colour: red")))
    assert len(problems) == 1
    assert problems[0].startswith("Resources.Hello: Resource with id [Hello] is invalid.")


def test_what_would_need_the_network_or_a_file_is_refused_with_a_mend(write):
    path = write(
        """
        Resources:
          Shared:
            Type: AWS::Serverless::Application
            Properties: {Location: other.yaml}
          Api:
            Type: AWS::Serverless::Api
            Properties: {StageName: prod, DefinitionUri: openapi.yaml}
        """
    )
    assert refused(path) == [
        'Resources.Shared.Type: "AWS::Serverless::Application" is fetched from the application repository; '
        "describe its resources here instead",
        'Resources.Api.Properties.DefinitionUri: "openapi.yaml" is a local file; put the definition inline, '
        "as DefinitionBody",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("just text", "Resources: is missing: a SAM template has a mapping of resources"),
        ("Resources: {One: 1}", "Resources.One: must be a mapping with a Type"),
        ("Resources: {One: {Type: X, Properties: []}, Two: {}}", "Resources.Two: must be a mapping with a Type"),
        ("Resources: {One: {Type: X, Properties: text}}", "Resources.One.Properties: must be a mapping"),
    ],
)
def test_what_is_no_template_is_refused(write, text, problem):
    assert refused(write(text)) == [problem]


def test_broken_yaml_and_a_missing_file_are_told_apart(write, tmp_path):
    assert refused(write("Resources: {"))[0].startswith("file: is not YAML: ")
    assert refused(tmp_path / "none.yaml") == ["file: does not exist: name a SAM template"]
