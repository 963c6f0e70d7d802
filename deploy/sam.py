"""SAM to plain CloudFormation, offline: AWS's own translator, with placeholders where code would be uploaded.

The result is for reading and rehearsing (which functions, aliases, tables there are), not for deploying: the code's
location is a placeholder. `sam deploy` does the real thing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sereno.errors import InvalidInput, Problem

Template = dict[str, Any]

# Properties that name code on disk, and the type that has them.
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}

# What the translator would ask IAM for: the AWS managed policies that SAM templates name without an ARN.
MANAGED_POLICIES = {
    name: f"arn:aws:iam::aws:policy/{path}{name}"
    for path, names in {
        "": (
            "AWSLambdaExecute",
            "AWSLambda_ReadOnlyAccess",
            "AWSXRayDaemonWriteAccess",
            "AWSXrayWriteOnlyAccess",
            "AmazonDynamoDBFullAccess",
            "AmazonDynamoDBReadOnlyAccess",
            "AmazonS3ReadOnlyAccess",
            "CloudWatchLambdaInsightsExecutionRolePolicy",
        ),
        "service-role/": (
            "AWSLambdaBasicExecutionRole",
            "AWSLambdaDynamoDBExecutionRole",
            "AWSLambdaKinesisExecutionRole",
            "AWSLambdaRole",
            "AWSLambdaSQSQueueExecutionRole",
            "AWSLambdaVPCAccessExecutionRole",
        ),
    }.items()
    for name in names
}


def translate(template_path: Path, parameters: Mapping[str, str], *, region: str, account: str) -> Template:
    """The CloudFormation template that AWS would make of the SAM template. No network call.

    Values in `parameters` become the defaults of the result's parameters, so that it stands on its own. Raises
    InvalidInput naming each parameter or logical id at fault.
    """
    source = str(template_path)
    template = _load(template_path)
    problems = _shape_problems(template) or (_parameter_problems(template, parameters) + _untranslatable(template))
    if problems:
        raise InvalidInput(source, problems)
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    _place_code(template, template_path.parent, bucket=f"sereno-placeholder-{account}-{region}")
    return _translated(template, dict(parameters), source=source, region=region, account=account)


def _load(path: Path) -> Any:
    """The template as plain data. A loader of its own, because the translator's would teach the short forms of
    CloudFormation (`!Ref`) to every YAML reader of this process."""
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    class Loader(yaml.SafeLoader):
        """Dates stay text, as CloudFormation reads them: a policy's `Version: 2012-10-17` is no date."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name for it
            first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    Loader.add_multi_constructor("!", intrinsics_multi_constructor)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as error:
        raise InvalidInput(str(path), [Problem("file", None, "does not exist: name a SAM template")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), [Problem("file", None, f"is not YAML: {error}")]) from error


def _shape_problems(template: Any) -> list[Problem]:
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        return [Problem("Resources", None, "is missing: a SAM template has a mapping of resources")]
    problems = []
    for logical_id, resource in template["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            problems.append(Problem(f"Resources.{logical_id}", None, "must be a mapping with a Type"))
        elif not isinstance(resource.get("Properties") or {}, dict):
            problems.append(Problem(f"Resources.{logical_id}.Properties", None, "must be a mapping"))
    for section in ("Parameters", "Globals"):
        if not isinstance(template.get(section) or {}, dict):
            problems.append(Problem(section, None, "must be a mapping"))
    return problems


def _parameter_problems(template: Template, given: Mapping[str, str]) -> list[Problem]:
    declared = template.get("Parameters") or {}
    problems = [
        Problem(f"Parameters.{name}", given[name], f"is not declared: known are {', '.join(declared) or 'none'}")
        for name in given
        if name not in declared
    ]
    for name, parameter in declared.items():
        if name not in given and "Default" not in parameter:
            problems.append(Problem(f"Parameters.{name}", None, "has no default: give it a value"))
        allowed = parameter.get("AllowedValues")
        if name in given and allowed and given[name] not in [str(value) for value in allowed]:
            mend = f"must be one of {', '.join(str(value) for value in allowed)}"
            problems.append(Problem(f"Parameters.{name}", given[name], mend))
    return problems


def _untranslatable(template: Template) -> list[Problem]:
    """What could only be translated with a network call or a file upload."""
    problems = []
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Application":
            mend = "is fetched from the application repository; describe its resources here instead"
            problems.append(Problem(f"Resources.{logical_id}.Type", resource["Type"], mend))
        definition = (resource.get("Properties") or {}).get("DefinitionUri")
        if isinstance(definition, str) and not definition.startswith("s3://"):
            mend = "is a local file; put the definition inline, as DefinitionBody"
            problems.append(Problem(f"Resources.{logical_id}.Properties.DefinitionUri", definition, mend))
    return problems


def _place_code(template: Template, folder: Path, *, bucket: str) -> None:
    """Puts an S3 location where code on disk is named, as `sam package` would."""
    shared = (template.get("Globals") or {}).get("Function") or {}
    _place(shared, "CodeUri", folder, bucket)
    for resource in template["Resources"].values():
        if resource["Type"] in _CODE:
            _place(resource.get("Properties") or {}, _CODE[resource["Type"]], folder, bucket)


def _place(properties: dict[str, Any], name: str, folder: Path, bucket: str) -> None:
    code = properties.get(name)
    if isinstance(code, str) and not code.startswith("s3://"):
        key = f"{code.strip('./') or 'code'}/{_fingerprint(folder / code)}.zip"
        properties[name] = {"Bucket": bucket, "Key": key}


def _fingerprint(code: Path) -> str:
    """Changes when the code does: the translator names a function's version after its code's location, and a
    version that kept its name would not be published anew."""
    digest = hashlib.sha256()
    files = sorted(code.rglob("*")) if code.is_dir() else [code]
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(code)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _translated(
    template: Template, parameters: dict[str, str], *, source: str, region: str, account: str
) -> Template:
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    # It warns of toggles that only exist inside AWS; what is wrong with a template it raises.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    # The session is asked for its region only; without it the translator would look for one on this machine.
    translator = Translator(MANAGED_POLICIES, Parser(), boto_session=boto3.Session(region_name=region))
    values = {**parameters, "AWS::Region": region, "AWS::AccountId": account}
    try:
        result: Template = translator.translate(
            template, parameter_values=values, get_managed_policy_map=lambda: MANAGED_POLICIES
        )
    except InvalidDocumentException as error:
        raise InvalidInput(source, [_problem(cause) for cause in error.causes]) from error
    result.pop("Transform", None)
    return result


def _problem(cause: Any) -> Problem:
    """The translator's finding, at the logical id where it found one."""
    logical_id = getattr(cause, "_logical_id", None)
    return Problem(f"Resources.{logical_id}" if logical_id else "template", None, cause.message)
