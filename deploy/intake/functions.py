"""Lambda functions: SAM's, plain ones, their aliases, provisioned concurrency and addresses of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deploy.intake.findings import Draft, Log
from deploy.intake.look import Look, named
from deploy.intake.scope import FUNCTIONS, Scope
from deploy.intake.values import Trace, Unknown, text_of, whole

NAME = r"[A-Za-z0-9_-]{1,64}"
ALIAS = r"(?![0-9]+$)[A-Za-z0-9_-]{1,128}"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
TIMEOUT_S, MEMORY_MB = (1, 900), (128, 10_240)
MOST = 1_000_000
# What the CDK and the Serverless Framework deploy for their own sake: it runs while a stack changes, and never else.
_HELPERS = re.compile(
    r"^(CustomS3AutoDeleteObjects|CustomCDKBucketDeployment|CustomResource|CustomDash|LogRetention[0-9a-f]{8}|"
    r"BucketNotificationsHandler|AWS679f53fac002430cb0da5b7982bd2287|AWSCDK|.*CustomResourceProvider)"
)


def drafts(scope: Scope, log: Log) -> Iterator[Draft]:
    """A draft for each function of one template. `identity` is the function's name."""
    for logical_id in scope.of_kind(*FUNCTIONS):
        look = Look(scope, logical_id, log)
        if not wanted(look):
            continue
        if _HELPERS.match(logical_id):
            log.note(look.place, "runs only while a stack changes; it is left out")
            continue
        yield _function(look)


def wanted(look: Look) -> bool:
    """Whether the resource is created, as far as its condition can be told."""
    name, trace = look.scope.resources[look.logical_id].get("Condition"), Trace()
    present = look.scope.present(look.logical_id, trace)
    if isinstance(present, Unknown):
        look.log.cannot(f"{look.place}.Condition", present.expression, present.why, "the resource is taken as there")
        return True
    if not present:
        by = f", with {', '.join(sorted(trace.defaults))} at the default" if trace.defaults else ""
        look.log.note(look.place, f"is not created, as condition {name} does not hold{by}")
    return present


def _function(look: Look) -> Draft:
    draft = Draft("functions", look.place, look.logical_id, {})
    draft.identity = named(look, draft, "name", "FunctionName", NAME, 1, 64)
    draft.fields["name"] = draft.identity
    _alias(look, draft)
    _reserved(look, draft)
    _provisioned(look, draft)
    timeout = look.whole(draft, "timeout", ("Timeout",), *TIMEOUT_S, "Lambda's default, 3 seconds, is written")
    draft.fields["timeout"] = f"{timeout or 3}s"
    memory = look.whole(draft, "memory", ("MemorySize",), *MEMORY_MB, "Lambda's default, 128 MB, is written")
    draft.fields["memory"] = memory or 128
    if look.has("FunctionUrlConfig") or _has_url(look):
        said = "has an address of its own (function URL): it is watched as a function, without an API"
        look.log.note(look.place, said)
    return draft


def _reserved(look: Look, draft: Draft) -> None:
    path = ("ReservedConcurrentExecutions",)
    if whole(look.raw(path, Trace())) == 0:
        look.log.note(look.place, "is stopped (reserved concurrency 0): it is watched as an unreserved function")
        draft.doubt("name", "stopped: its reserved concurrency is 0")
        return
    reserved = look.whole(draft, "reserved", path, 1, MOST, "the function is written as unreserved")
    if reserved:
        draft.fields["reserved"] = reserved


# -- aliases


def _alias(look: Look, draft: Draft) -> None:
    """The alias that callers use: SAM's own, or the one that a resource declares."""
    alias = look.text(draft, "alias", ("AutoPublishAlias",), ALIAS, "no alias is written")
    if alias is None:
        declared = {name: one for one in _aliases_of(look) if (name := _alias_name(one))}
        if len(declared) > 1:
            chosen = next((name for name, one in declared.items() if one.has("ProvisionedConcurrencyConfig")), None)
            said = f"has {len(declared)} aliases ({', '.join(declared)})"
            look.log.note(look.place, f"{said}: {chosen or 'none'} is written")
            alias = chosen
        else:
            alias = next(iter(declared), None)
    if alias:
        draft.fields["alias"] = alias


def _alias_name(alias: Look) -> str | None:
    name = text_of(alias.raw(("Name",), Trace()))
    return name if name and re.fullmatch(ALIAS, name) else None


def _aliases_of(look: Look) -> Iterator[Look]:
    for logical_id in look.scope.of_kind("AWS::Lambda::Alias"):
        alias = Look(look.scope, logical_id, look.log)
        if look.scope.present(logical_id, Trace()) is not False and _is_of(look, alias, "FunctionName"):
            yield alias


def _is_of(look: Look, other: Look, name: str) -> bool:
    """Whether a property of another resource names this function, by name or ARN."""
    value = text_of(other.raw((name,), Trace()))
    return value is not None and function_in(value) == look.scope.name_of(look.logical_id, Trace())


def function_in(text: str) -> str:
    """The function's name in a name, a partial or a whole ARN, with or without an alias."""
    parts = text.split(":")
    if "function" in parts[:-1]:
        return parts[parts.index("function") + 1]
    return parts[0] if len(parts) <= 2 else text


def _has_url(look: Look) -> bool:
    urls = (Look(look.scope, one, look.log) for one in look.scope.of_kind("AWS::Lambda::Url"))
    return any(_is_of(look, url, "TargetFunctionArn") for url in urls)


# -- provisioned concurrency


def _provisioned(look: Look, draft: Draft) -> None:
    """Of the alias; where auto scaling owns it, its minimum."""
    alias = draft.fields.get("alias")
    if alias is None:
        return
    path = ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")
    instead = "no provisioned concurrency is written"
    found = look.whole(draft, "provisioned", path, 0, MOST, instead)
    for declared in _aliases_of(look):
        if _alias_name(declared) == alias:
            found = declared.whole(draft, "provisioned", path, 0, MOST, instead) or found
    found = _scaled(look, f"function:{draft.identity}:{alias}") or found
    reserved = draft.fields.get("reserved")
    if found and reserved and found > reserved:
        look.cannot(path, str(found), f"is more than is reserved, {reserved}", f"{reserved} is written")
        found = reserved
    if found:
        draft.fields["provisioned"] = found


def _scaled(look: Look, resource: str) -> int | None:
    for logical_id in look.scope.of_kind("AWS::ApplicationAutoScaling::ScalableTarget"):
        target = Look(look.scope, logical_id, look.log)
        if text_of(target.raw(("ResourceId",), Trace())) == resource:
            minimum = whole(target.raw(("MinCapacity",), Trace()))
            return minimum if minimum and 1 <= minimum <= MOST else None
    return None


# -- events


def events(look: Look) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, type, properties) of a SAM function's events."""
    found = look.scope.resolve(look.properties.get("Events"), Trace())
    for name, event in (found if isinstance(found, dict) else {}).items():
        if isinstance(event, dict) and isinstance(event.get("Type"), str):
            properties = event.get("Properties")
            yield name, event["Type"], properties if isinstance(properties, dict) else {}
