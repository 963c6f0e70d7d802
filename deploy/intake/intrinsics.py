"""CloudFormation's intrinsic functions, each as the pages say, with `Unknown` where its arguments are not known.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deploy.intake.values import NO_VALUE, Trace, Unknown, shown, text_of, unknown_in, whole

if TYPE_CHECKING:
    from deploy.intake.scope import Scope

Function = Callable[["Scope", Any, Trace], Any]

_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")
_DYNAMIC = "{{resolve:"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html
CIDR_LIMIT = 256
# No name, ARN or address is longer; text that doubles with every reference would fill the memory.
TEXT_LIMIT = 8_192


def resolve(scope: Scope, node: Any, trace: Trace) -> Any:
    """The value of an expression. Members that are AWS::NoValue are left out."""
    if isinstance(node, str):
        outside = _DYNAMIC in node
        return Unknown(shown(node), "is a secret or parameter kept outside the template") if outside else node
    if isinstance(node, list):
        items = [resolve(scope, one, trace) for one in node]
        return [one for one in items if one is not NO_VALUE]
    if not isinstance(node, dict):
        return node
    if is_call(node):
        (name, argument) = next(iter(node.items()))
        function = FUNCTIONS.get(name)
        if function is None:
            return Unknown(shown(node), f"uses {shown(name)}, which no page of CloudFormation knows")
        return function(scope, argument, trace)
    values = {key: resolve(scope, one, trace) for key, one in node.items()}
    return {key: one for key, one in values.items() if one is not NO_VALUE}


def condition(scope: Scope, node: Any, trace: Trace) -> bool | Unknown:
    """Whether a condition's expression holds."""
    if isinstance(node, dict) and set(node) == {"Condition"} and isinstance(node["Condition"], str):
        return scope.condition(node["Condition"], trace)
    found = resolve(scope, node, trace)
    if isinstance(found, bool):
        return found
    return found if isinstance(found, Unknown) else Unknown(shown(node), "is no condition")


def stand_in(logical_id: str) -> str:
    """The id of an API that does not exist yet: longer than any real one, and always the same."""
    return f"unknown{hashlib.sha256(logical_id.encode('utf-8', 'replace')).hexdigest()[:8]}"


def is_call(node: Any) -> bool:
    """Whether a mapping is a call of an intrinsic function."""
    if not isinstance(node, dict) or len(node) != 1:
        return False
    name = str(next(iter(node)))
    return name == "Ref" or name.startswith("Fn::")


def included(scope: Scope, node: Any) -> Any:
    """What a local `AWS::Include` stands for, as it is written; any other node as it is."""
    call = node.get("Fn::Transform") if isinstance(node, dict) and len(node) == 1 else None
    parameters = call.get("Parameters") if isinstance(call, dict) and call.get("Name") == "AWS::Include" else None
    if not isinstance(parameters, dict):
        return node
    location = text_of(resolve(scope, parameters.get("Location"), Trace()))
    found = scope.include(location) if location else None
    return node if found is None or isinstance(found, Unknown) else found


# -- the functions


def _ref(scope: Scope, argument: Any, trace: Trace) -> Any:
    # AWS::LanguageExtensions lets a function make the name.
    name = argument if isinstance(argument, str) else text_of(resolve(scope, argument, trace))
    return _odd("Ref", argument) if name is None else scope.ref(name, trace)


def _get_att(scope: Scope, argument: Any, trace: Trace) -> Any:
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    parts = [text_of(resolve(scope, one, trace)) for one in argument] if isinstance(argument, list) else []
    if len(parts) < 2 or None in parts:
        return _odd("Fn::GetAtt", argument)
    logical_id, *names = (str(one) for one in parts)
    return scope.attribute(logical_id, ".".join(names), trace)


def _sub(scope: Scope, argument: Any, trace: Trace) -> Any:
    text, own = argument, {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
        text, own = argument
    if not isinstance(text, str):
        return _odd("Fn::Sub", argument)
    unknown: list[Unknown] = []

    def filled(match: re.Match[str]) -> str:
        literal, name = match[1], match[2].strip()
        if literal:
            return "${" + match[2] + "}"
        value = resolve(scope, own[name], trace) if name in own else _named(scope, name, trace)
        plain = text_of(value)
        if plain is None:
            unknown.append(value if isinstance(value, Unknown) else Unknown(match[0], "is no text"))
        return plain or ""

    result = _PLACEHOLDER.sub(filled, text)
    if unknown:
        return Unknown(shown(text), f"{unknown[0].expression} {unknown[0].why}")
    return _bounded(scope, result, trace)


def _bounded(scope: Scope, text: str, trace: Trace) -> Any:
    """Text that was put together: it may name a dynamic reference, and is of a length that has a use."""
    if len(text) > TEXT_LIMIT:
        return Unknown(shown(text), "is longer than any name")
    return resolve(scope, text, trace)


def _named(scope: Scope, name: str, trace: Trace) -> Any:
    found = scope.ref(name, trace)
    if isinstance(found, Unknown) and "." in name:
        logical_id, attribute = name.split(".", 1)
        return scope.attribute(logical_id, attribute, trace)
    return found


def _join(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
        return _odd("Fn::Join", argument)
    parts = resolve(scope, argument[1], trace)
    if unknown := unknown_in(parts):
        return unknown
    texts = [text_of(one) for one in parts] if isinstance(parts, list) else [None]
    if None in texts:
        return _odd("Fn::Join", argument)
    return _bounded(scope, argument[0].join(str(one) for one in texts), trace)


def _select(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        return _odd("Fn::Select", argument)
    index, choices = whole(resolve(scope, argument[0], trace)), resolve(scope, argument[1], trace)
    if isinstance(choices, Unknown):
        return choices
    if index is None or not isinstance(choices, list) or not 0 <= index < len(choices):
        return _odd("Fn::Select", argument)
    return choices[index]


def _split(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str) or not argument[0]:
        return _odd("Fn::Split", argument)
    value = resolve(scope, argument[1], trace)
    if isinstance(value, Unknown):
        return value
    text = text_of(value)
    return _odd("Fn::Split", argument) if text is None else text.split(argument[0])


def _if(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        return _odd("Fn::If", argument)
    holds = scope.condition(argument[0], trace) if isinstance(argument[0], str) else _odd("Fn::If", argument)
    if isinstance(holds, bool):
        return resolve(scope, argument[1 if holds else 2], trace)
    either = [resolve(scope, one, trace) for one in argument[1:]]
    if either[0] == either[1]:
        return either[0]
    return Unknown(shown({"Fn::If": argument}), f"condition {shown(argument[0])}: {holds.expression} {holds.why}")


def _find_in_map(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) not in (3, 4):
        return _odd("Fn::FindInMap", argument)
    found: Any = scope.mappings
    for one in argument[:3]:
        key = resolve(scope, one, trace)
        if isinstance(key, Unknown):
            return key
        found = found.get(text_of(key)) if isinstance(found, dict) else None
    if found is None and len(argument) == 4 and isinstance(argument[3], dict):
        return resolve(scope, argument[3].get("DefaultValue"), trace)
    return _odd("Fn::FindInMap", argument, "names nothing in Mappings") if found is None else found


def _import(scope: Scope, argument: Any, trace: Trace) -> Any:
    name = text_of(resolve(scope, argument, trace))
    if name is not None and name in scope.given.exports:
        return scope.given.exports[name]
    said = shown({"Fn::ImportValue": argument if name is None else name})
    return Unknown(said, "is exported by another stack")


def _base64(scope: Scope, argument: Any, trace: Trace) -> Any:
    value = resolve(scope, argument, trace)
    text = text_of(value)
    if text is None:
        return value if isinstance(value, Unknown) else _odd("Fn::Base64", argument)
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _zones(scope: Scope, argument: Any, trace: Trace) -> Any:  # noqa: ARG001 - the functions' one shape
    return Unknown(shown({"Fn::GetAZs": argument}), "depends on the account's Availability Zones")


def _cidr(scope: Scope, argument: Any, trace: Trace) -> Any:
    values = resolve(scope, argument, trace)
    if unknown := unknown_in(values):
        return unknown
    if not isinstance(values, list) or len(values) not in (2, 3):
        return _odd("Fn::Cidr", argument)
    block, count, bits = text_of(values[0]), whole(values[1]), whole(values[2]) if len(values) == 3 else 8
    try:
        network = ipaddress.ip_network(block or "", strict=False)
        if count is None or bits is None or not 1 <= count <= CIDR_LIMIT:
            raise ValueError
        parts = network.subnets(new_prefix=network.max_prefixlen - bits)
        return [str(one) for one in itertools.islice(parts, count)]
    except ValueError:
        return _odd("Fn::Cidr", argument)


def _length(scope: Scope, argument: Any, trace: Trace) -> Any:
    value = resolve(scope, argument, trace)
    if isinstance(value, Unknown):
        return value
    return len(value) if isinstance(value, list) else _odd("Fn::Length", argument)


def _json_text(scope: Scope, argument: Any, trace: Trace) -> Any:
    value = resolve(scope, argument, trace)
    if value is NO_VALUE:
        return _odd("Fn::ToJsonString", argument)
    return unknown_in(value) or json.dumps(value)


def _transform(scope: Scope, argument: Any, trace: Trace) -> Any:
    """`AWS::Include` of a local file is read in its place; any other macro could give anything."""
    if not isinstance(argument, dict):
        return _odd("Fn::Transform", argument)
    name, parameters = argument.get("Name"), argument.get("Parameters")
    if name == "AWS::Include" and isinstance(parameters, dict):
        location = text_of(resolve(scope, parameters.get("Location"), trace))
        if location:
            found = scope.include(location)
            return found if isinstance(found, Unknown) else resolve(scope, found, trace)
    return Unknown(shown({"Fn::Transform": argument}), f"is made by the macro {shown(name)}")


def _equals(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) != 2:
        return _odd("Fn::Equals", argument)
    left, right = (resolve(scope, one, trace) for one in argument)
    if unknown := unknown_in([left, right]):
        return unknown
    # Parameters are text: `true` in YAML and "true" from the command line are one value.
    one, other = text_of(left), text_of(right)
    return bool(left == right) if one is None or other is None else one == other


def _not(scope: Scope, argument: Any, trace: Trace) -> Any:
    if not isinstance(argument, list) or len(argument) != 1:
        return _odd("Fn::Not", argument)
    holds = condition(scope, argument[0], trace)
    return holds if isinstance(holds, Unknown) else not holds


def _all(scope: Scope, argument: Any, trace: Trace) -> Any:
    return _joined(scope, argument, trace, decides=False)


def _any(scope: Scope, argument: Any, trace: Trace) -> Any:
    return _joined(scope, argument, trace, decides=True)


def _joined(scope: Scope, argument: Any, trace: Trace, *, decides: bool) -> Any:
    """One false decides an And, one true an Or, whatever the others are."""
    if not isinstance(argument, list) or not argument:
        return _odd("Fn::Or" if decides else "Fn::And", argument)
    found = [condition(scope, one, trace) for one in argument]
    if any(one is decides for one in found):
        return decides
    return next((one for one in found if isinstance(one, Unknown)), not decides)


def _odd(name: str, argument: Any, why: str = "is not what this function takes") -> Unknown:
    return Unknown(shown({name: argument}), why)


FUNCTIONS: Mapping[str, Function] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import,
    "Fn::Base64": _base64,
    "Fn::GetAZs": _zones,
    "Fn::Cidr": _cidr,
    "Fn::Length": _length,
    "Fn::ToJsonString": _json_text,
    "Fn::Transform": _transform,
    "Fn::Equals": _equals,
    "Fn::Not": _not,
    "Fn::And": _all,
    "Fn::Or": _any,
}
