"""From a deployed stack: the template after all macros, real names, and the settings as they are now.

Every call only reads: `cloudformation` DescribeStacks, GetTemplate, ListStackResources, ListExports; `lambda`
GetFunctionConfiguration, GetFunctionConcurrency, GetProvisionedConcurrencyConfig; `dynamodb` DescribeTable;
`application-autoscaling` DescribeScalableTargets; `apigateway` GetRestApi; `apigatewayv2` GetApi. What may not be
read, or is not there any more, is told as unresolved, and the template's word stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from deploy.intake import decode, template
from deploy.intake.findings import Draft, Intake, Log
from deploy.intake.intake import Outside, Told, assemble
from deploy.intake.scope import STACKS, Given, Scope
from deploy.intake.values import Trace, Unknown, text_of
from sereno.errors import InvalidInput, Problem

Client = Callable[[str], Any]

_PARAMETER_UNKNOWN = "****"  # what DescribeStacks shows of a NoEcho parameter


def from_stack(name: str, client: Client, region: str, service: str | None = None) -> Intake:
    """Reads a stack and its nested ones. `client` gives a boto3 client of the stack's region.

    Raises InvalidInput when there is no such stack, or it holds nothing to watch; ClientError when CloudFormation
    itself may not be read.
    """
    log = Log()
    reader = _Reader(client, region, log)
    scopes = reader.open(name)
    outside = Outside(Told(reader.stack), Told(reader.account), Told(region), service)
    truth = _Truth(client, log)
    return assemble(scopes, outside, log, f"stack {reader.stack}", truth.amend)


class _Reader:
    """Opens a stack's template and those of its nested stacks."""

    def __init__(self, client: Client, region: str, log: Log) -> None:
        self.client = client
        self.region = region
        self.log = log
        self.stack = self.account = ""
        self._exports: dict[str, str] | None = None

    def open(self, name: str) -> list[Scope]:
        """The scope of the stack, and those of its nested ones behind it."""
        described = self._described(name)
        if described is None:
            raise InvalidInput(f"stack {name}", [Problem("--from-stack", name, f"does not exist in {self.region}")])
        self.stack, self.account = described["StackName"], described["StackId"].split(":")[4]
        scopes = [self._scope(described, "")]
        for parent in scopes:  # grows while children are found
            scopes += self._children(parent)
        return scopes

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
            if error.response["Error"]["Code"] in ("ValidationError", "AmazonCloudFormationException"):
                return None
            raise
        return found

    def _children(self, parent: Scope) -> list[Scope]:
        """The nested stacks of one stack, which its outputs are asked of."""
        found: dict[str, Scope | Unknown] = {}
        for logical_id in parent.of_kind(*STACKS):
            described = self._described(parent.given.physical[logical_id])
            if described is None:
                found[logical_id] = Unknown(logical_id, "is not there any more")
                self.log.cannot(
                    f"{parent.prefix}Resources.{logical_id}", logical_id, "is not there any more", "left out"
                )
            else:
                found[logical_id] = self._scope(described, f"{parent.prefix}{logical_id}/")
        parent.open_child = lambda wanted: found.get(wanted, Unknown(wanted, "is not deployed"))
        return [one for one in found.values() if isinstance(one, Scope)]

    def _scope(self, described: dict[str, Any], prefix: str) -> Scope:
        client = self.client("cloudformation")
        stack = described["StackId"]
        body = client.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
        source = f"stack {described['StackName']}"
        data = decode.decode(body if isinstance(body, str) else json.dumps(body, default=str), source)
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        physical = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages
            for one in page["StackResourceSummaries"]
            if one.get("PhysicalResourceId") and one.get("ResourceStatus") != "DELETE_COMPLETE"
        }
        given = Given(
            described["StackName"],
            self.region,
            described["StackId"].split(":")[4],
            parameters=_parameters(described),
            unknown=_secrets(described),
            physical=physical,
            exports=self._all_exports() if "ImportValue" in json.dumps(data) else {},
        )
        # The deployed template is beyond macros and includes, and its parameters are AWS's own word.
        scope = template.scope_of(
            data, given, source, self.log, lambda place: Unknown(place, "lies elsewhere"), prefix
        )
        scope.resources = {name: one for name, one in scope.resources.items() if name in physical}
        return scope

    def _all_exports(self) -> dict[str, str]:
        if self._exports is None:
            pages = self.client("cloudformation").get_paginator("list_exports").paginate()
            self._exports = {one["Name"]: one["Value"] for page in pages for one in page["Exports"]}
        return self._exports


def _parameters(described: dict[str, Any]) -> dict[str, str]:
    """The values in force; of a parameter in the parameter store the value, not the name."""
    return {
        one["ParameterKey"]: one.get("ResolvedValue", one.get("ParameterValue", ""))
        for one in described.get("Parameters", ())
        if one.get("ParameterValue") != _PARAMETER_UNKNOWN
    }


def _secrets(described: dict[str, Any]) -> dict[str, Unknown]:
    return {
        one["ParameterKey"]: Unknown(one["ParameterKey"], "is a secret parameter (NoEcho)")
        for one in described.get("Parameters", ())
        if one.get("ParameterValue") == _PARAMETER_UNKNOWN
    }


class _Truth:
    """The settings as they are now, over those of the template."""

    def __init__(self, client: Client, log: Log) -> None:
        self.client = client
        self.log = log

    def amend(self, scope: Scope, draft: Draft) -> None:
        """Corrects a draft; what cannot be read leaves the template's word."""
        try:
            if draft.section == "functions":
                self._function(draft)
            elif draft.section == "tables":
                self._table(draft)
            else:
                self._api(draft, scope.api_id(draft.logical_id, Trace()))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "an error")
            why = f"{error.operation_name} answered {code}"
            self.log.cannot(draft.place, str(draft.fields["name"]), why, "the template's settings are written")
            draft.doubt("name", f"unresolved: {why}; the template's settings are written")

    def _function(self, draft: Draft) -> None:
        client, name = self.client("lambda"), draft.identity
        settings = client.get_function_configuration(FunctionName=name)
        draft.fields |= {"timeout": f"{settings['Timeout']}s", "memory": settings["MemorySize"]}
        reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        draft.fields.pop("reserved", None)
        if reserved:
            draft.fields["reserved"] = reserved
        alias = draft.fields.get("alias")
        if alias and "provisioned" in draft.fields:
            minimum = self._scaled("lambda", f"function:{name}:{alias}").get("lambda:function:ProvisionedConcurrency")
            provisioned = minimum or self._provisioned(name, alias)
            draft.fields.pop("provisioned")
            if provisioned:
                draft.fields["provisioned"] = min(provisioned, reserved or provisioned)
        draft.fields = _in_order(draft.fields)

    def _provisioned(self, name: str, alias: str) -> int | None:
        try:
            found = self.client("lambda").get_provisioned_concurrency_config(FunctionName=name, Qualifier=alias)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ProvisionedConcurrencyConfigNotFoundException":
                return None
            raise
        requested: int = found["RequestedProvisionedConcurrentExecutions"]
        return requested

    def _table(self, draft: Draft) -> None:
        name = draft.identity
        table = self.client("dynamodb").describe_table(TableName=name)["Table"]
        mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        draft.fields = {"name": name}
        draft.doubts.pop("name", None)
        if mode != "PROVISIONED":
            return
        draft.fields |= {"billing": "provisioned", **self._units(f"table/{name}", "table", table)}
        indexes = {
            one["IndexName"]: self._units(f"table/{name}/index/{one['IndexName']}", "index", one)
            for one in table.get("GlobalSecondaryIndexes", ())
        }
        if indexes:
            draft.fields["indexes"] = indexes

    def _units(self, resource: str, kind: str, described: dict[str, Any]) -> dict[str, int]:
        """The declared units: auto scaling's minimum where it owns them, else what is provisioned."""
        minimums, units = self._scaled("dynamodb", resource), described["ProvisionedThroughput"]
        return {
            unit: minimums.get(f"dynamodb:{kind}:{word}CapacityUnits") or max(1, units[f"{word}CapacityUnits"])
            for unit, word in (("read", "Read"), ("write", "Write"))
        }

    def _scaled(self, namespace: str, resource: str) -> dict[str, int]:
        client = self.client("application-autoscaling")
        found = client.describe_scalable_targets(ServiceNamespace=namespace, ResourceIds=[resource])
        return {one["ScalableDimension"]: one["MinCapacity"] for one in found["ScalableTargets"]}

    def _api(self, draft: Draft, ident: str) -> None:
        if draft.fields.get("kind") == "http":
            draft.fields["name"] = self.client("apigatewayv2").get_api(ApiId=ident)["Name"]
            return
        draft.fields["name"] = self.client("apigateway").get_rest_api(restApiId=ident)["name"]
        draft.traces.pop("name", None)
        draft.identity = f"{text_of(draft.fields['name'])}/{draft.fields['stage']}"


def _in_order(fields: dict[str, Any]) -> dict[str, Any]:
    order = ("name", "alias", "reserved", "provisioned", "timeout", "memory")
    return {name: fields[name] for name in order if name in fields}
