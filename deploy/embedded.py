"""A CloudFormation stack on the embedded AWS (moto, in this process), with nothing silently left out.

moto's CloudFormation skips types it does not know and still says CREATE_COMPLETE, and of some types that it knows it
drops properties. Here a type is created by moto, or by a shim (`deploy.embedded_shims.SHIMS`, each with its why), or
the stack is refused with a list of all that cannot be created. Shims join moto's own machinery as models, so that
dependencies, conditions and references are resolved by one resolver, in one order.

What the stack's functions would run is not run here: code is stored, never executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from deploy import embedded_changes, embedded_costs, embedded_limits, embedded_stacks
from deploy.apply import resolve
from deploy.embedded_shim import Clients, Made, Shim, Wanted
from deploy.embedded_shims import SHIMS
from deploy.embedded_throttling import exempt
from sereno.errors import SerenoError

Template = dict[str, Any]

# For `moto.mock_aws(config=MOCK_CONFIG)`: Lambda's state without Docker.
MOCK_CONFIG: dict[str, Any] = {"lambda": {"use_docker": False}}

# Exist in a template for its own sake; AWS creates nothing that could be asked for.
_NOTHING_TO_CREATE = frozenset(
    {"AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle", "AWS::CloudFormation::WaitCondition"}
)


class EmbeddedError(SerenoError):
    """The embedded AWS could not do what AWS would; the text names the logical id and the cause."""


class ResourceRefused(EmbeddedError, embedded_stacks.StackFailed):
    """The service behind a resource refused it. In a change set it makes the stack roll back."""

    def __init__(self, logical_id: str, kind: str, reason: str) -> None:
        embedded_stacks.StackFailed.__init__(self, logical_id, kind, reason)

    def __str__(self) -> str:
        return f"Resources.{self.logical_id} ({self.kind}): {self.args[0]}"


class UnsupportedResource(EmbeddedError):
    """Names every resource of a template whose type neither moto nor a shim can create."""

    def __init__(self, missing: Mapping[str, str]) -> None:
        self.missing = dict(missing)
        lines = [f"Resources.{logical_id}: {kind} cannot be created" for logical_id, kind in missing.items()]
        super().__init__("\n".join([*lines, "Add a shim to deploy/embedded_shims.py, or leave them out"]))


@dataclass(frozen=True, slots=True)
class Created:
    """What exists after `create_stack`.

    `resources` maps a logical id to its type and physical id (what `Ref` gives). `composites` maps the name of a
    composite alarm to its resolved properties: moto has none, so the caller evaluates them. `shims_used` names the
    types which a shim created.
    """

    name: str
    outputs: Mapping[str, str]
    resources: Mapping[str, tuple[str, str]]
    composites: Mapping[str, Mapping[str, Any]]
    shims_used: frozenset[str]

    def physical(self, logical_id: str) -> str:
        """What `Ref` gives for the logical id. Raises KeyError."""
        return self.resources[logical_id][1]

    def of_type(self, kind: str) -> dict[str, str]:
        """Physical ids by logical id, of one CloudFormation type."""
        return {one: physical for one, (known, physical) in self.resources.items() if known == kind}


@dataclass(slots=True)
class _Run:
    """The state of one create_stack: its clients (those of other regions once they are needed), and what its shims
    made."""

    clients: Clients
    used: set[str] = field(default_factory=set)
    composites: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    elsewhere: dict[str, Clients] = field(default_factory=dict)

    def clients_in(self, region: str) -> Clients:
        """The clients of a region."""
        if region == self.clients.region:
            return self.clients
        return self.elsewhere.setdefault(region, Clients(region))


_run: ContextVar[_Run] = ContextVar("run")


def create_stack(
    name: str,
    template: Template,
    *,
    region: str,
    account: str,
    parameters: Mapping[str, str] | None = None,
) -> Created:
    """Creates every resource of a plain CloudFormation template inside an active `moto.mock_aws`.

    Raises UnsupportedResource (all at once, before anything is created) and EmbeddedError: no mock is active (nothing
    must ever reach the real AWS from here), the mock plays another account, a resource could not be created, or a
    reference could not be resolved.
    """
    _require_mock()
    missing = unsupported(template, parameters or {})
    if missing:
        raise UnsupportedResource(missing)
    _teach_moto()
    clients = Clients(region)
    _require_account(clients, account)
    run = _Run(clients)
    token = _run.set(run)
    try:
        _submit(clients, name, template, parameters or {})
    finally:
        _run.reset(token)
    if failed := getattr(_stack(name, region, account), "failure", None):
        raise failed
    resource_map = _resource_map(name, region, account)
    _require_references(template, resource_map)
    stack = clients("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return Created(
        name=name,
        outputs={one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])},
        resources=_existing(template, resource_map),
        composites=run.composites,
        shims_used=frozenset(run.used),
    )


@contextmanager
def shims_at_work(region: str) -> Iterator[None]:
    """While this holds, whatever creates a stack in the active mock, by whichever call, gets the shims too."""
    _require_mock()
    _teach_moto()
    token = _run.set(_Run(Clients(region)))
    try:
        yield
    finally:
        _run.reset(token)


def unsupported(template: Template, parameters: Mapping[str, str] | None = None) -> dict[str, str]:
    """Type by logical id, of every resource that could not be created here. One whose condition does not hold with
    these parameters need not be."""
    from moto.cloudformation.parsing import get_model_map

    known = {*get_model_map(), *SHIMS, *_NOTHING_TO_CREATE}
    return {
        logical_id: resource["Type"]
        for logical_id, resource in resolve.resources(template, parameters or {}).items()
        if resource["Type"] not in known
    }


def _require_mock() -> None:
    from moto.core.models import botocore_stubber

    if not botocore_stubber.enabled:
        raise EmbeddedError("no mock is active: call this inside `with moto.mock_aws(config=MOCK_CONFIG):`")


def _require_account(clients: Clients, account: str) -> None:
    played = clients("sts").get_caller_identity()["Account"]
    if played != account:
        raise EmbeddedError(f"the embedded AWS plays account {played}, not {account}: set MOTO_ACCOUNT_ID={account}")


def _submit(clients: Clients, name: str, template: Template, parameters: Mapping[str, str]) -> None:
    from botocore.exceptions import ClientError

    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    body = {
        **template,
        "Resources": {
            logical_id: resource
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] not in _NOTHING_TO_CREATE
        },
    }
    try:
        clients("cloudformation").create_stack(
            StackName=name,
            TemplateBody=json.dumps(body),
            Parameters=given,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except ClientError as error:
        raise EmbeddedError(f"stack {name}: {error.response['Error']['Message']}") from error


@lru_cache(maxsize=1)
def _teach_moto() -> None:
    """Makes each shim a model of moto's CloudFormation, for this process.

    moto finds its models as subclasses of CloudFormationModel and takes the last of a type, so a shim also stands in
    for a model of moto's that drops properties.
    """
    from moto.cloudformation import parsing

    _read_json_fast()
    _name_what_fails()
    embedded_limits.install()
    embedded_costs.install()
    embedded_stacks.install()
    models = [_model(kind, shim) for kind, shim in SHIMS.items()]
    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()
    known = parsing.get_model_map()
    for kind, model in zip(SHIMS, models, strict=True):
        if known[kind] is not model:
            raise EmbeddedError(f"moto does not take the shim of {kind}: its registry of models has changed")
    # moto asks the first model of a type for the name of its name property, and a replaced one comes first.
    own_names = parsing.resource_name_property_from_type
    parsing.resource_name_property_from_type = lambda kind: (
        SHIMS[kind].name_property if kind in SHIMS else own_names(kind)
    )


def _read_json_fast() -> None:
    """moto reads every template as YAML in pure Python, a fifth of what a stack takes; those that come from here are
    JSON."""
    from moto.cloudformation.models import ChangeSet, Stack

    own = Stack.parse_template

    def parse(template: str) -> dict[str, Any]:
        found: dict[str, Any]
        try:
            found = json.loads(template)
        except ValueError:
            found = own(template)
        return found

    def parse_own(self: Any) -> None:
        self.template_dict = parse(self.template)

    Stack.parse_template = staticmethod(parse)
    ChangeSet._parse_template = parse_own


def _name_what_fails() -> None:
    """A refusal by the service behind a resource names the resource. moto hands on the service's own answer, which
    CloudFormation's client cannot read."""
    from moto.cloudformation import parsing
    from moto.cloudformation.exceptions import ValidationError
    from moto.core.exceptions import ServiceException
    from werkzeug.exceptions import HTTPException

    own = parsing.parse_and_create_resource

    def create(logical_id: str, resource_json: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return own(logical_id, resource_json, *args, **kwargs)
        except ValidationError:
            raise  # CloudFormation's own
        except (HTTPException, ServiceException) as error:
            message = getattr(error, "message", None) or str(error)
            raise ResourceRefused(logical_id, resource_json["Type"], message) from error

    parsing.parse_and_create_resource = create


def _model(kind: str, shim: Shim) -> Any:
    """A moto model whose creation is the shim's."""
    from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
    from moto.core.common_models import CloudFormationModel

    class Model(CloudFormationModel):  # type: ignore[misc]
        def __init__(self, made: Made) -> None:
            self.physical_resource_id = made.physical_id
            self.attributes = made.attributes

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @staticmethod
        def cloudformation_name_type() -> str:
            return shim.name_property

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:  # noqa: ARG003 - moto's signature
            return True  # get_cfn_attribute answers for the instance

        def get_cfn_attribute(self, attribute_name: str) -> str:
            if attribute_name not in self.attributes:
                raise UnformattedGetAttTemplateException
            return self.attributes[attribute_name]

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
        ) -> Any:
            if change := embedded_changes.UPDATES.get(kind):
                properties = _without_no_value(cloudformation_json["Properties"])
                logical_id = original_resource.logical_resource_id
                wanted = Wanted(logical_id, new_resource_name, properties, region_name, account_id)
                change(wanted, original_resource.physical_resource_id, embedded_stacks.clients(region_name))
            return original_resource

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
            **kwargs: Any,
        ) -> Any:
            properties = _without_no_value(cloudformation_json["Properties"])
            wanted = Wanted(kwargs["LogicalId"], resource_name, properties, region_name, account_id)
            return cls(_make(kind, shim, wanted))

    return Model


def _without_no_value(value: Any) -> Any:
    """AWS::NoValue leaves its place out; moto leaves a None in lists."""
    if isinstance(value, dict):
        return {key: _without_no_value(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_no_value(inner) for inner in value if inner is not None]
    return value


def _make(kind: str, shim: Shim, wanted: Wanted) -> Made:
    run = _run.get()
    try:
        # CloudFormation's calls do not count against the rates of who deploys.
        with exempt():
            made = shim.create(wanted, run.clients_in(wanted.region))
    except Exception as error:
        raise ResourceRefused(wanted.logical_id, kind, str(error)) from error
    run.used.add(kind)
    if kind == "AWS::CloudWatch::CompositeAlarm":
        run.composites[made.physical_id] = wanted.properties
    return made


def _resource_map(name: str, region: str, account: str) -> Any:
    return _stack(name, region, account).resource_map


def _stack(name: str, region: str, account: str) -> Any:
    from moto.backends import get_backend

    return get_backend("cloudformation")[account][region].get_stack(name)


def _wanted_ids(template: Template, resource_map: Any) -> list[str]:
    """The logical ids whose condition, if any, holds."""
    return [
        logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] not in _NOTHING_TO_CREATE
        and ("Condition" not in resource or resource_map.lazy_condition_map[resource["Condition"]])
    ]


def _existing(template: Template, resource_map: Any) -> dict[str, tuple[str, str]]:
    """Type and physical id by logical id. Raises EmbeddedError when one was skipped after all."""
    found = {}
    skipped = []
    for logical_id in _wanted_ids(template, resource_map):
        kind = template["Resources"][logical_id]["Type"]
        resource = resource_map[logical_id]
        physical = getattr(resource, "physical_resource_id", None)
        if resource is None:
            skipped.append(f"Resources.{logical_id}: {kind} was not created")
        found[logical_id] = (kind, str(physical or logical_id))
    if skipped:
        raise EmbeddedError("\n".join(skipped))
    return found


def _require_references(template: Template, resource_map: Any) -> None:
    """moto only logs an attribute that it cannot give, and leaves the property out: hold every one of them."""
    from moto.cloudformation.exceptions import ValidationError

    wanted = _wanted_ids(template, resource_map)
    broken = []
    for logical_id in wanted:
        for target, attribute in _attributes_in(template["Resources"][logical_id].get("Properties", {})):
            if target not in wanted:
                continue  # an attribute of a resource whose condition is false sits in a branch not taken
            try:
                value = resource_map[target].get_cfn_attribute(attribute)
            except (NotImplementedError, AttributeError, ValidationError):
                value = None
            if value is None:
                broken.append(f"Resources.{logical_id}: {target}.{attribute} is not known here")
    if broken:
        raise EmbeddedError("\n".join(broken))


def _attributes_in(value: Any) -> Iterator[tuple[str, str]]:
    """Every (logical id, attribute) that Fn::GetAtt or Fn::Sub asks for inside a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Fn::GetAtt":
                yield tuple(inner) if isinstance(inner, list) else tuple(inner.split(".", 1))
            elif key == "Fn::Sub":
                text, own = (inner, {}) if isinstance(inner, str) else inner
                yield from (
                    (one, attribute)
                    for one, attribute in re.findall(r"\$\{(\w+)\.([\w.]+)\}", text)
                    if one not in own
                )
                yield from _attributes_in(own)
            else:
                yield from _attributes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _attributes_in(inner)
