"""Which function uses which table: by its policies, its environment, its stream events and SAM's connectors."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.intake import functions, policies
from deploy.intake.findings import Draft, Log
from deploy.intake.look import Look
from deploy.intake.policies import Granted, Roles
from deploy.intake.scope import TABLES, Scope
from deploy.intake.values import Trace, Unknown, shown, text_of

_TABLE_ARN = re.compile(r"^arn:[^:]*:dynamodb:[^:]*:[^:]*:table/([^/]+)")
_NAMES_A_TABLE = re.compile(r"TABLE|DYNAMO|DDB", re.IGNORECASE)
_EVERY = "may use any table by its permissions; only the tables that it names are written"


def tables_of(scopes: list[Scope], found: list[tuple[Scope, Draft]], tables: list[Draft], log: Log) -> None:
    """Writes into each function's draft the names of the tables that it uses, in the tables' order.

    `found` are the functions with their scopes.
    """
    names = [one.identity for one in tables]
    roles = Roles(scopes)
    for scope, draft in found:
        use = _Use(Look(scope, draft.logical_id, log), names)
        use.policies(roles)
        use.environment()
        use.streams(draft.identity)
        use.connectors()
        if use.tables:
            draft.fields["tables"] = [name for name in names if name in use.tables]


class _Use:
    """What one function is seen to use."""

    def __init__(self, look: Look, names: list[str]) -> None:
        self.look = look
        self.names = names
        self.tables: set[str] = set()

    # -- permissions

    def policies(self, roles: Roles) -> None:
        role = policies.role_of(self.look)
        if isinstance(role, Unknown):
            why = f"{role.why}: what its role allows is not seen"
            self.look.cannot(("Role",), role.expression, why, "its tables are told by its environment alone")
        elif role is not None:
            if not roles.known(role) and role.startswith("arn:"):
                said = f"works under {shown(role)}, a role of another stack: its permissions are not seen"
                self.look.log.note(self.look.place, said)
            for one in roles.granted(role):
                self._granted(one)
            self._managed(roles.attached(role))
        else:
            for grant in policies.of_sam(self.look):
                if isinstance(grant, Granted):
                    self._granted(grant)
                elif isinstance(grant, str):
                    self._managed([grant])
                    for one in roles.managed(grant):
                        self._granted(one)
                else:
                    self.look.cannot(("Policies",), grant.expression, grant.why, "its tables are not seen there")

    def _managed(self, named: list[str]) -> None:
        if any("DynamoDBFullAccess" in one or "DynamoDBReadOnlyAccess" in one for one in named):
            self._any_table("a managed policy for all of DynamoDB")

    def _granted(self, grant: Granted) -> None:
        if not grant.of_tables:
            return
        for unknown in grant.unknown:
            instead = f"{self.look.logical_id} may use a table that is not told"
            self.look.log.cannot(grant.place, unknown.expression, unknown.why, instead)
        for resource in grant.resources:
            table = _TABLE_ARN.match(resource)
            if table is None:
                if resource == "*" and any(one.startswith("dynamodb:") for one in grant.actions):
                    self._any_table("a statement for every table")
            elif set(table[1]) & set("*?"):
                hit = fnmatch.filter(self.names, table[1])
                if table[1].strip("*?"):
                    self.tables.update(hit)
                else:
                    self._any_table("a statement for every table")
            else:
                self._uses(table[1], grant.place)

    def _any_table(self, why: str) -> None:
        self.look.log.note(self.look.place, f"{_EVERY} ({why})")

    def _uses(self, table: str, place: str) -> None:
        if table in self.names:
            self.tables.add(table)
        else:
            said = f"{self.look.logical_id} uses table {shown(table)}, which no template here creates"
            self.look.log.note(place, f"{said}: write it under resources.tables to have it watched")

    # -- the rest

    def environment(self) -> None:
        """A variable that is a table's name or ARN."""
        value = self.look.raw(("Environment", "Variables"), Trace())
        for name, one in (value if isinstance(value, dict) else {}).items():
            text = text_of(one)
            if isinstance(one, Unknown) and _NAMES_A_TABLE.search(name):
                path = ("Environment", "Variables", shown(name))
                self.look.cannot(path, one.expression, one.why, "the table that it names is not written")
            elif text is not None:
                found = _TABLE_ARN.match(text)
                table = found[1] if found else text
                if table in self.names:
                    self.tables.add(table)

    def streams(self, function: str) -> None:
        """Events from a table's stream, of SAM or as a mapping of their own."""
        for _, kind, properties in functions.events(self.look):
            if kind == "DynamoDB":
                self._stream(properties.get("Stream"))
        scope = self.look.scope
        for logical_id in scope.of_kind("AWS::Lambda::EventSourceMapping"):
            mapping = Look(scope, logical_id, self.look.log)
            target = text_of(mapping.raw(("FunctionName",), Trace()))
            if target is not None and functions.function_in(target) == function:
                self._stream(mapping.raw(("EventSourceArn",), Trace()))

    def _stream(self, arn: Any) -> None:
        found = _TABLE_ARN.match(text_of(arn) or "")
        if found:
            self._uses(found[1], self.look.place)

    def connectors(self) -> None:
        """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/managing-permissions-connectors.html"""
        scope, own = self.look.scope, self.look.logical_id
        embedded = scope.resources[own].get("Connectors")
        for one in embedded.values() if isinstance(embedded, Mapping) else ():
            self._connected(one)
        for logical_id in scope.of_kind("AWS::Serverless::Connector"):
            properties = scope.properties(logical_id)
            source = properties.get("Source")
            if isinstance(source, Mapping) and source.get("Id") == own:
                self._connected({"Properties": properties})

    def _connected(self, connector: Any) -> None:
        properties = connector.get("Properties") if isinstance(connector, Mapping) else None
        destination = properties.get("Destination") if isinstance(properties, Mapping) else None
        for one in _destinations(destination):
            if self.look.scope.kind(one) in TABLES:
                self.tables.update({self.look.scope.name_of(one, Trace())} & set(self.names))


def _destinations(written: Any) -> Iterator[str]:
    for one in written if isinstance(written, list) else [written]:
        if isinstance(one, Mapping) and isinstance(one.get("Id"), str):
            yield one["Id"]
