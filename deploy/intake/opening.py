"""Opening a template on disk, and the nested ones that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.intake import decode, template
from deploy.intake.findings import Log
from deploy.intake.scope import STACKS, Given, Scope
from deploy.intake.values import Trace, Unknown, shown, text_of, unknown_in
from sereno.errors import InvalidInput

NESTING_LIMIT = 8
# More are a mistake, or made to hang a reader: ten nested stacks of ten nested stacks each.
TEMPLATES_LIMIT = 100
_LOCATION = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
_FAR = ("http://", "https://", "s3://")


class Opener:
    """Opens templates for one log. `scopes` are all that were opened, a parent before its children."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.scopes: list[Scope] = []

    def open(self, path: Path, given: Given, source: str) -> Scope:
        """The template at a path, with every nested one that can be read. Raises InvalidInput for the outermost."""
        scope = self._one(path, given, source, "", ())
        for parent in self.scopes:  # grows while children are found
            for logical_id in list(parent.of_kind(*STACKS)):
                if parent.present(logical_id, Trace()) is not False:
                    parent.open_child(logical_id)
        return scope

    def _one(self, path: Path, given: Given, source: str, prefix: str, chain: tuple[Path, ...]) -> Scope:
        folder = path.parent

        def include(location: str) -> Any:
            if location.startswith(_FAR):
                return Unknown(location, "lies elsewhere")
            try:
                return decode.read(folder / location, location)
            except InvalidInput as error:
                return Unknown(location, error.problems[0].mend)

        scope = template.scope_of(decode.read(path, source), given, source, self.log, include, prefix)
        opened: dict[str, Scope | Unknown] = {}

        def child(logical_id: str) -> Scope | Unknown:
            if logical_id not in opened:
                opened[logical_id] = Unknown(logical_id, "is a nested stack that refers to itself")
                opened[logical_id] = self._child(scope, logical_id, folder, (*chain, path.resolve()))
            return opened[logical_id]

        scope.open_child = child
        self.scopes.append(scope)
        return scope

    def _child(self, parent: Scope, logical_id: str, folder: Path, chain: tuple[Path, ...]) -> Scope | Unknown:
        place = f"{parent.prefix}Resources.{logical_id}"
        located = _location(parent, logical_id)
        found: Scope | Unknown
        if isinstance(located, Unknown):
            found = located
        elif (folder / located).resolve() in chain or len(chain) > NESTING_LIMIT:
            found = Unknown(located, "is nested in itself")
        elif len(self.scopes) >= TEMPLATES_LIMIT:
            found = Unknown(located, f"is one of more than {TEMPLATES_LIMIT} templates")
        else:
            try:
                found = self._open_child(parent, logical_id, folder / located, chain)
            except InvalidInput as error:
                found = Unknown(located, error.problems[0].mend)
        if isinstance(found, Unknown):
            self.log.cannot(place, found.expression, found.why, "what the nested stack holds is not seen")
        return found

    def _open_child(self, parent: Scope, logical_id: str, path: Path, chain: tuple[Path, ...]) -> Scope:
        given = passed(parent, logical_id, f"{parent.given.stack}-{logical_id}")
        given = replace(given, assumed=parent.given.assumed | {"AWS::StackName"})
        return self._one(path, given, path.name, f"{parent.prefix}{logical_id}/", chain)


def passed(parent: Scope, logical_id: str, stack: str) -> Given:
    """What a nested stack of this name is given: its parent's region and account, the values of its parameters."""
    known: dict[str, str] = {}
    unknown: dict[str, Unknown] = {}
    leans: dict[str, Trace] = {}
    written = parent.properties(logical_id).get("Parameters")
    for name, expression in (written if isinstance(written, dict) else {}).items():
        trace = Trace()
        value = parent.resolve(expression, trace)
        if isinstance(value, list) and not unknown_in(value):
            value = ",".join(filter(None, map(text_of, value)))
        text = text_of(value)
        if text is None:
            unknown[name] = value if isinstance(value, Unknown) else Unknown(shown(value), "is no text")
        else:
            known[name], leans[name] = text, trace
    return replace(parent.given, stack=stack, parameters=known, unknown=unknown, leans=leans, physical={})


def _location(parent: Scope, logical_id: str) -> str | Unknown:
    """The path of a nested template, as written; Unknown when it lies elsewhere."""
    metadata = parent.resources[logical_id].get("Metadata")
    asset = metadata.get("aws:asset:path") if isinstance(metadata, Mapping) else None
    if (
        isinstance(asset, str) and asset.isprintable()
    ):  # the CDK says beside the bucket's address where it put the template
        return asset
    written = parent.properties(logical_id).get(_LOCATION[parent.kind(logical_id)])
    value = parent.resolve(written, Trace())
    text = text_of(value)
    if text is None or not text.isprintable():
        if isinstance(value, Unknown):
            return value
        why = "is kept in the Serverless Application Repository" if isinstance(value, dict) else "names no template"
        return Unknown(shown(written), why)
    return Unknown(text, "lies elsewhere (name its template by itself)") if text.startswith(_FAR) else text
