"""From a decoded document to a scope: is it a template at all, which macros work on it, what do loops say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deploy import config_checks
from deploy.intake import foreach
from deploy.intake.findings import Log
from deploy.intake.scope import Given, Scope
from deploy.intake.values import Trace, Unknown, shown, text_of
from sereno.errors import InvalidInput, Problem

Include = Callable[[str], Any]

SAM = "AWS::Serverless-2016-10-31"
# Macros that add nothing which is watched, or are unrolled here.
HARMLESS = (SAM, "AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen", "AWS::SecretsManager")
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Outputs", "Globals")
# Documents that people have beside their template, by keys that only these have.
_OTHERS: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"service", "provider"}),
        "is a serverless.yml (run `serverless package`, and name "
        ".serverless/cloudformation-template-update-stack.json)",
    ),
    (frozenset({"service", "account", "resources"}), "is a sereno.yaml already (sereno check --config FILE)"),
    (frozenset({"app", "context"}), "is a cdk.json (run `cdk synth`, and name cdk.out/STACK.template.json)"),
    (frozenset({"artifacts", "version"}), "is a CDK manifest (name cdk.out/STACK.template.json)"),
    (frozenset({"openapi"}), "is an API definition (name the template that uses it)"),
    (frozenset({"swagger"}), "is an API definition (name the template that uses it)"),
    (frozenset({"apiVersion", "kind"}), "is a Kubernetes manifest"),
    (frozenset({"terraform"}), "is Terraform"),
)


def scope_of(data: Any, given: Given, source: str, log: Log, include: Include, prefix: str = "") -> Scope:
    """The scope of a decoded template. `include` reads a local file that AWS::Include names (data, or `Unknown`).

    Raises InvalidInput, with every problem, when the document is no template.
    """
    if not isinstance(data, dict):
        mend = "is no mapping with Resources (name a CloudFormation or SAM template)"
        raise InvalidInput(source, [Problem("the file", None, mend)])
    other = next((mend for keys, mend in _OTHERS if keys <= set(data) and "Resources" not in data), None)
    if other:
        raise InvalidInput(source, [Problem("the file", None, other)])
    data = _macros(dict(data), given, log, include, prefix)
    if problems := _sections(data) + _given(data, given):
        raise InvalidInput(source, problems)
    data = _unrolled(data, given, log, prefix)
    data["Resources"] = _included(data["Resources"], given, data, log, include, prefix)
    if problems := _resources(data["Resources"]):
        raise InvalidInput(source, problems)
    scope = Scope(data, given, prefix)
    scope.include = include
    return scope


def _sections(data: Mapping[str, Any]) -> list[Problem]:
    if "Resources" not in data:
        return [Problem("Resources", None, "is missing (name a CloudFormation or SAM template)")]
    wrong = [name for name in ("Resources", *_SECTIONS) if not isinstance(data.get(name) or {}, dict)]
    return [Problem(name, None, "is no mapping") for name in wrong]


def _given(data: Mapping[str, Any], given: Given) -> list[Problem]:
    """Values for parameters that are not there, or that the template does not allow."""
    declared = data.get("Parameters") or {}
    problems = []
    for name, value in given.parameters.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            near = config_checks.nearest(name, list(declared))
            problems.append(Problem(f"Parameters.{name}", value, f"is not declared (there are: {known}){near}"))
            continue
        one = declared[name]
        allowed = one.get("AllowedValues") if isinstance(one, dict) else None
        texts = [text_of(choice) for choice in allowed] if isinstance(allowed, list) else []
        if texts and value not in texts:
            problems.append(Problem(f"Parameters.{name}", value, f"must be one of {', '.join(map(str, texts))}"))
    return problems


def _macros(data: dict[str, Any], given: Given, log: Log, include: Include, prefix: str) -> dict[str, Any]:
    """What `Transform` names: includes are read, macros that nobody can know from here are told."""
    wanted = data.get("Transform", [])
    for one in wanted if isinstance(wanted, list) else [wanted]:
        name = one.get("Name") if isinstance(one, dict) else one
        if isinstance(one, dict) and name == "AWS::Include":
            found = _include(one, Scope(data, given, prefix), include)
            if isinstance(found, dict):
                for key, value in found.items():
                    own: Any = data.get(key, value)
                    both = isinstance(own, dict) and isinstance(value, dict)
                    data[key] = {**value, **own} if both else own
                continue
            log.cannot(f"{prefix}Transform", shown(one), found.why, "what it adds is not seen")
        elif not str(name).startswith(HARMLESS):
            why = "is a macro of your own account, which may change anything"
            log.cannot(f"{prefix}Transform", shown(name), why, "the template is read as it stands")
    return data


def _include(transform: Mapping[str, Any], scope: Scope, include: Include) -> dict[str, Any] | Unknown:
    parameters = transform.get("Parameters")
    location = parameters.get("Location") if isinstance(parameters, dict) else None
    value = scope.resolve(location, Trace())
    text = text_of(value)
    if text is None:
        return value if isinstance(value, Unknown) else Unknown(shown(transform), "names no location")
    found = include(text)
    if isinstance(found, dict | Unknown):
        return found
    return Unknown(text, "holds no mapping")


def _unrolled(data: dict[str, Any], given: Given, log: Log, prefix: str) -> dict[str, Any]:
    """Loops of AWS::LanguageExtensions written out."""
    scope = Scope(data, given, prefix)
    trace = Trace()
    unroller = foreach.Unroller(lambda items: scope.resolve(items, trace))
    for section in ("Conditions", "Resources", "Outputs"):
        data[section] = unroller.unrolled(data.get(section) or {})
    for name, unknown in unroller.unknown.items():
        place = f"{prefix}Fn::ForEach::{name}"
        log.cannot(place, unknown.expression, unknown.why, "what the loop makes is not seen")
    for name in sorted(trace.defaults):
        value = shown(scope.parameters[name.removeprefix(prefix)].get("Default"))
        why = "is the parameter's default, and a loop runs over it"
        log.assume(f"{prefix}Parameters.{name.removeprefix(prefix)}", value, why, f"--parameter {name}=VALUE")
    return data


def _included(
    resources: dict[str, Any], given: Given, data: dict[str, Any], log: Log, include: Include, prefix: str
) -> dict[str, Any]:
    """`Fn::Transform` among the resources, and inside one of them."""
    result: dict[str, Any] = {}
    for logical_id, one in resources.items():
        if logical_id != "Fn::Transform":
            result[logical_id] = _plain_resource(logical_id, one, log, prefix)
            continue
        for call in one if isinstance(one, list) else [one]:
            known = isinstance(call, dict) and call.get("Name") == "AWS::Include"
            found = _include(call, Scope(data, given, prefix), include) if known else None
            if isinstance(found, dict):
                result.update(found)
                continue
            why = found.why if found else "is a macro, which may add resources"
            log.cannot(f"{prefix}Resources.Fn::Transform", shown(call), why, "what it adds is not seen")
    return result


def _plain_resource(logical_id: str, resource: Any, log: Log, prefix: str) -> Any:
    """A macro beside a resource's own properties may change them."""
    properties = resource.get("Properties") if isinstance(resource, dict) else None
    for place, holder in (("", resource), (".Properties", properties)):
        if isinstance(holder, dict) and "Fn::Transform" in holder:
            where = f"{prefix}Resources.{logical_id}{place}.Fn::Transform"
            why = "is a macro, which may change the resource"
            log.cannot(where, shown(holder["Fn::Transform"]), why, "the resource is read as it stands")
    return resource


def _resources(resources: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for logical_id, one in resources.items():
        place = f"Resources.{shown(logical_id)}"
        if not isinstance(one, dict) or not isinstance(one.get("Type"), str):
            problems.append(Problem(place, None, "is no mapping with a Type"))
        elif not isinstance(one.get("Properties") or {}, dict):
            problems.append(Problem(f"{place}.Properties", None, "is no mapping"))
    return problems
