"""CloudFormation on the embedded AWS, as strict as the real one where moto is generous.

- A resource with a fixed name that exists already fails the operation, unless the change set imports it:
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
- A first creation that fails ends in ROLLBACK_COMPLETE, which can only be deleted; an update that fails sets every
  resource back to what it was and ends in UPDATE_ROLLBACK_COMPLETE, or in UPDATE_ROLLBACK_FAILED when that fails too:
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
- An update deletes what the template leaves out last, once everything else has changed (the clean-up phase):
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-view-stack-data-resources.html
- UpdateStack without a change is a ValidationError:
  https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
- What a deletion policy keeps is kept, on an update that leaves it out too:
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
- Everything else goes with its stack; a bucket that holds objects does not, and the deletion fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from deploy.apply import resolve
from deploy.embedded_changes import DELETES, UPDATES
from deploy.embedded_shim import Clients, Made, Wanted

KEPT = ("Retain", "RetainExceptOnCreate")
LOG_GROUP = "AWS::Logs::LogGroup"
# The types that a change set takes over here; AWS takes over more.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
IMPORTABLE = ("AWS::Backup::BackupVault", "AWS::DynamoDB::Table", LOG_GROUP)
Exists = Callable[[Any, str], bool]


def _held(service: str, find: Exists) -> Callable[[str, str, str], bool]:
    """Whether a service's backend of an account and region holds a name."""

    def exists(account: str, region: str, name: str) -> bool:
        from moto.backends import get_backend

        own = region if service != "s3" else "aws"
        return find(get_backend(service)[account][own], name)

    return exists


NAMED: Mapping[str, tuple[str, Callable[[str, str, str], bool]]] = {
    "AWS::Backup::BackupVault": ("BackupVaultName", _held("backup", lambda held, name: name in held.vaults)),
    "AWS::CloudWatch::Alarm": ("AlarmName", _held("cloudwatch", lambda held, name: name in held.alarms)),
    "AWS::CloudWatch::Dashboard": ("DashboardName", _held("cloudwatch", lambda held, name: name in held.dashboards)),
    "AWS::DynamoDB::Table": ("TableName", _held("dynamodb", lambda held, name: name in held.tables)),
    "AWS::Events::Rule": ("Name", _held("events", lambda held, name: name in held.event_buses["default"].rules)),
    "AWS::Lambda::Function": (
        "FunctionName",
        _held("lambda", lambda held, name: name in {one.function_name for one in held._lambdas.all()}),
    ),
    LOG_GROUP: ("LogGroupName", _held("logs", lambda held, name: name in held.groups)),
    "AWS::S3::Bucket": ("BucketName", _held("s3", lambda held, name: name in held.buckets)),
    "AWS::SNS::Topic": (
        "TopicName",
        _held("sns", lambda held, name: name in {arn.rsplit(":", 1)[1] for arn in held.topics}),
    ),
    "AWS::SQS::Queue": ("QueueName", _held("sqs", lambda held, name: name in held.queues)),
}
"""By type: the property that names a resource, and whether one of that name exists."""


class StackFailed(Exception):
    """A resource could not be made; its text is what the service behind it says."""

    def __init__(self, logical_id: str, kind: str, reason: str) -> None:
        self.logical_id, self.kind = logical_id, kind
        super().__init__(reason)


@lru_cache(maxsize=32)
def clients(region: str) -> Clients:
    """The clients of a region, kept: making one takes longer than a resource."""
    return Clients(region)


@lru_cache(maxsize=1)
def install() -> None:
    """Makes moto's CloudFormation strict, for this process."""
    from moto.cloudformation import models, parsing, responses

    backend, resource_map = models.CloudFormationBackend, parsing.ResourceMap
    backend.create_change_set = _checked_change_set(backend.create_change_set)
    backend.execute_change_set = _executed
    backend.create_stack = _checked_stack(backend.create_stack)
    backend.update_stack = _checked_update(backend.update_stack)
    backend.delete_stack = _checked_deletion(backend.delete_stack)
    resource_map._delete_resource = _deleting(resource_map._delete_resource)
    resource_map.update = _updating(resource_map.update)
    parsing.parse_and_update_resource = _keeping(parsing.parse_and_update_resource)
    response = responses.CloudFormationResponse
    response.create_change_set = _importing(response.create_change_set)
    response.detect_stack_resource_drift = _detect_drift


def _importing(own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """CreateChangeSet with ImportExistingResources, which moto does not read."""

    def create_change_set(self: Any) -> Any:
        answer = own(self)
        found = self.cloudformation_backend.describe_change_set(answer.result["Id"])
        found.imports = self._get_bool_param("ImportExistingResources", False)
        if found.imports:
            added = dict(_conflicts(found.stack, found.template_dict, found.parameters))
            for change in found.changes:
                known = change.resource_change if hasattr(change, "resource_change") else change
                if known.action == "Add" and known.logical_resource_id in added:
                    known.action = "Import"
        return answer

    return create_change_set


def _checked_change_set(own: Callable[..., Any]) -> Callable[..., Any]:
    def create_change_set(self: Any, stack_name: str, *args: Any, **kwargs: Any) -> Any:
        from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError

        standing = [one for one in self.stacks.values() if one.name == stack_name]
        if kwargs.get("change_set_type") == "CREATE":
            if any(one.status != "REVIEW_IN_PROGRESS" for one in standing):
                raise AlreadyExistsException(f"Stack [{stack_name}] already exists and cannot be created again")
            for one in standing:
                self.stacks.pop(one.stack_id)
        elif standing and standing[0].status in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"):
            told = f"Stack:{standing[0].stack_id} is in {standing[0].status} state and can not be updated."
            raise ValidationError(stack_name, message=told)
        return own(self, stack_name, *args, **kwargs)

    return create_change_set


def _executed(self: Any, change_set_name: str, stack_name: str | None = None) -> None:  # noqa: ARG001 - moto's
    """ExecuteChangeSet, with a rollback when it fails."""
    found = self.describe_change_set(change_set_name)
    stack, creates = self.stacks[found.stack_id], found.change_set_type == "CREATE"
    doing = "CREATE" if creates else "UPDATE"
    stack.status = f"{doing}_IN_PROGRESS"
    stack._add_stack_event(stack.status, resource_status_reason="User Initiated")
    held = stack.resource_map
    before = (held._template, dict(held.input_parameters))
    try:
        _take_over(stack, found)
        found.apply()
    except StackFailed as failed:
        _roll_back(stack, failed, None if creates else before)
        found.execution_status = "EXECUTE_FAILED"
        return
    found.execution_status = "EXECUTE_COMPLETE"
    stack.template, stack.parameters = found.template, {**stack.parameters, **found.parameters}
    stack._parse_template()
    stack.output_map = stack._create_output_map()
    stack.status = f"{doing}_COMPLETE"
    stack._add_stack_event(stack.status)


def _take_over(stack: Any, change_set: Any) -> None:
    """Resources that exist become the stack's own where they are imported. Raises StackFailed for another."""
    for logical_id, resource in _conflicts(stack, change_set.template_dict, change_set.parameters):
        kind = resource["Type"]
        name = resource["Properties"][NAMED[kind][0]]
        if not (change_set.imports and kind in IMPORTABLE and resource.get("DeletionPolicy") in KEPT):
            raise StackFailed(logical_id, kind, f"{name} already exists")
        if owner := _owner(stack, kind, name):
            raise StackFailed(logical_id, kind, f"{name} already belongs to the stack {owner}")
        model = _model_of(stack, kind, name)
        model.cf_resource_type, model.logical_resource_id = kind, logical_id
        stack.resource_map._parsed_resources[logical_id] = model


def _conflicts(stack: Any, template: Mapping[str, Any], parameters: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The resources that the template adds to a stack and whose names are taken."""
    held = {} if stack is None else stack.resource_map._resource_json_map
    for logical_id, resource in resolve.resources(dict(template), parameters).items():
        if logical_id in held or resource["Type"] not in NAMED:
            continue
        field, exists = NAMED[resource["Type"]]
        name = resource["Properties"].get(field)
        if isinstance(name, str) and exists(stack.account_id, stack.resource_map._region_name, name):
            yield logical_id, resource


def _owner(stack: Any, kind: str, name: str) -> str:
    """The other stack that holds a resource; empty when none does."""
    from moto.backends import get_backend

    backend = get_backend("cloudformation")[stack.account_id][stack.resource_map._region_name]
    for other in backend.stacks.values():
        if other.stack_id == stack.stack_id:
            continue
        for resource in other.resource_map._resource_json_map.values():
            if resource["Type"] == kind and resource.get("Properties", {}).get(NAMED[kind][0]) == name:
                return str(other.name)
    return ""


def _model_of(stack: Any, kind: str, name: str) -> Any:
    """moto's model of a resource that exists already."""
    from moto.backends import get_backend
    from moto.cloudformation.parsing import get_model_map

    region = stack.resource_map._region_name
    if kind == LOG_GROUP:
        return get_backend("logs")[stack.account_id][region].groups[name]
    aws = clients(region)
    if kind == "AWS::DynamoDB::Table":
        arn = aws("dynamodb").describe_table(TableName=name)["Table"]["TableArn"]
        return get_model_map()[kind](Made(name, {"Arn": arn}))
    arn = aws("backup").describe_backup_vault(BackupVaultName=name)["BackupVaultArn"]
    return get_model_map()[kind](Made(name, {"BackupVaultArn": arn, "BackupVaultName": name}))


def _roll_back(stack: Any, failed: StackFailed, before: tuple[Any, Any] | None) -> None:
    """`before` is the template with its parameters that an update goes back to; None for a first creation."""
    from moto.cloudformation.models import Event

    told = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=failed.logical_id,
        physical_resource_id="",
        resource_type=failed.kind,
        resource_status="CREATE_FAILED",
        resource_status_reason=str(failed),
        resource_properties=None,
    )
    stack.events.append(told)
    stack.failure = failed
    if before is None:
        stack.status = "ROLLBACK_COMPLETE"
        # What is kept by its policy stays, also when the creation that made it is rolled back.
        stack.resource_map.delete()
    else:
        try:
            stack.resource_map.update(*before)
            stack.status = "UPDATE_ROLLBACK_COMPLETE"
        except StackFailed:
            stack.status = "UPDATE_ROLLBACK_FAILED"
    stack._add_stack_event(stack.status)


def _checked_stack(own: Callable[..., Any]) -> Callable[..., Any]:
    def create_stack(self: Any, name: str, template: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            made = own(self, name, template, parameters, *args, **kwargs)
        except StackFailed as failed:
            made = next(one for one in self.stacks.values() if one.name == name)
            _roll_back(made, failed, None)
        return made

    return create_stack


def _checked_update(own: Callable[..., Any]) -> Callable[..., Any]:
    def update_stack(self: Any, name: str, template: str, role_arn: Any, parameters: Any, tags: Any) -> Any:
        from moto.cloudformation.exceptions import ValidationError

        stack = self.get_stack(name)
        wanted = self._resolve_update_parameters(instance=stack, incoming_params=parameters)
        if stack.has_template(template) and stack.has_parameters(wanted):
            raise ValidationError(name, message="No updates are to be performed.")
        if stack.status == "ROLLBACK_COMPLETE":
            told = f"Stack:{stack.stack_id} is in ROLLBACK_COMPLETE state and can not be updated."
            raise ValidationError(name, message=told)
        return own(self, name, template, role_arn, parameters, tags)

    return update_stack


def _checked_deletion(own: Callable[..., Any]) -> Callable[..., Any]:
    """DeleteStack: a bucket that holds something keeps its stack."""

    def delete_stack(self: Any, name_or_stack_id: str) -> None:
        stack = self.stacks.get(name_or_stack_id) or next(
            (one for one in self.stacks.values() if one.name == name_or_stack_id), None
        )
        if stack is not None and (bucket := _full_bucket(stack)):
            stack.status = "DELETE_FAILED"
            reason = f"The bucket you tried to delete is not empty: {bucket}"
            stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
            stack._add_stack_event(stack.status, resource_status_reason=reason)
            return
        own(self, name_or_stack_id)

    return delete_stack


def _full_bucket(stack: Any) -> str:
    from moto.backends import get_backend

    buckets = get_backend("s3")[stack.account_id]["aws"].buckets
    for resource in stack.resource_map._resource_json_map.values():
        if resource["Type"] == "AWS::S3::Bucket" and resource.get("DeletionPolicy") not in KEPT:
            name = resource["Properties"].get("BucketName")
            if name in buckets and len(buckets[name].keys):
                return str(name)
    return ""


def _deleting(own: Callable[..., Any]) -> Callable[..., Any]:
    def delete_resource(self: Any, parsed_resource: Any, resource_json: dict[str, Any]) -> None:
        if resource_json.get("DeletionPolicy") in KEPT:
            return
        delete = DELETES.get(resource_json["Type"])
        if delete is None:
            own(self, parsed_resource, resource_json)
            return
        _delete_once(delete, parsed_resource.physical_resource_id, clients(self._region_name))

    return delete_resource


def _delete_once(delete: Any, physical_id: str, aws: Clients) -> None:
    """Deletes; what is gone already (by hand, or with the function that it belonged to) is no failure."""
    from botocore.exceptions import ClientError

    try:
        delete(physical_id, aws)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "NoSuchEntity", "NotFound"):
            raise


def _updating(own: Callable[..., Any]) -> Callable[..., Any]:
    """An update that deletes last. What it leaves out is the stack's no more: added again later, it is made again or
    imported."""

    def update(self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        held, planned = self._resource_json_map, self.build_resource_diff(template, parameters)
        self.build_resource_diff = lambda *_: {**planned, "Remove": []}
        try:
            own(self, template, parameters)
        finally:
            del self.build_resource_diff
        _remove(self, {logical_id: held[logical_id] for logical_id in planned["Remove"]})

    return update


def _remove(resource_map: Any, leaving: dict[str, Any]) -> None:
    """Deletes resources, those that others still use after those. Raises StackFailed."""
    from botocore.exceptions import ClientError

    failure: tuple[str, ClientError] | None = None
    for _ in range(len(leaving)):
        for logical_id in list(leaving):
            resource = resource_map._parsed_resources.get(logical_id)
            try:
                if resource is not None:
                    resource_map._delete_resource(resource, leaving[logical_id])
            except ClientError as error:
                failure = (logical_id, error)
                continue
            resource_map._parsed_resources.pop(logical_id, None)
            del leaving[logical_id]
    if leaving and failure:
        logical_id, refusal = failure
        raise StackFailed(logical_id, leaving[logical_id]["Type"], refusal.response["Error"]["Message"]) from refusal


def _keeping(own: Callable[..., Any]) -> Callable[..., Any]:
    """A type that moto cannot change is changed by `UPDATES`, or stays as it is. moto would forget it. What the
    service refuses fails the stack's update."""

    def change(logical_id: str, resource: dict[str, Any], resource_map: Any, account: str, region: str) -> Any:
        from moto.cloudformation.parsing import clean_json

        before = resource_map._parsed_resources.get(logical_id)
        changed = own(logical_id, resource, resource_map, account, region)
        if changed is not None or before is None:
            return changed
        if update := UPDATES.get(resource["Type"]):
            properties = clean_json(resource.get("Properties", {}), resource_map)
            physical_id = before.physical_resource_id
            update(Wanted(logical_id, physical_id, properties, region, account), physical_id, clients(region))
        return before

    def checked(
        logical_id: str, resource_json: dict[str, Any], resources_map: Any, account_id: str, region_name: str
    ) -> Any:
        from botocore.exceptions import ClientError

        try:
            return change(logical_id, resource_json, resources_map, account_id, region_name)
        except ClientError as error:
            reason = error.response["Error"]["Message"]
            raise StackFailed(logical_id, resource_json["Type"], reason) from error

    return checked


def _detect_drift(self: Any) -> Any:
    """DetectStackResourceDrift of a table, a vault or a log group."""
    from datetime import UTC, datetime

    from moto.core.responses import ActionResult

    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    logical_id = self._get_param("LogicalResourceId")
    resource = resolve.resources(stack.template_dict, stack.parameters)[logical_id]
    differences = list(_differences(clients(stack.resource_map._region_name), resource))
    drift = {
        "StackId": stack.stack_id,
        "LogicalResourceId": logical_id,
        "ResourceType": resource["Type"],
        "PropertyDifferences": differences,
        "StackResourceDriftStatus": "MODIFIED" if differences else "IN_SYNC",
        "Timestamp": datetime.now(UTC),
    }
    return ActionResult({"StackResourceDrift": drift})


def _differences(aws: Clients, resource: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    properties, live = resource["Properties"], {}
    if resource["Type"] == "AWS::DynamoDB::Table":
        table = aws("dynamodb").describe_table(TableName=properties["TableName"])["Table"]
        live["BillingMode"] = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        live["DeletionProtectionEnabled"] = table.get("DeletionProtectionEnabled", False)
    elif resource["Type"] == LOG_GROUP:
        name = properties["LogGroupName"]
        groups = aws("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        live["RetentionInDays"] = next(one for one in groups if one["logGroupName"] == name).get("retentionInDays")
    for name, actual in live.items():
        if name in properties and str(properties[name]) != str(actual):
            yield {
                "PropertyPath": f"/{name}",
                "ExpectedValue": str(properties[name]),
                "ActualValue": str(actual),
                "DifferenceType": "NOT_EQUAL",
            }
