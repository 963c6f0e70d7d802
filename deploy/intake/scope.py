"""What the names in a template stand for: parameters, pseudo parameters, resources, mappings, conditions, outputs.

A scope is one template with the values it is given; a nested stack's scope hangs under its parent's. Everything is
resolved to plain data with `Unknown` where the template does not tell. Names that only a deployment makes are assumed
to be `<stack>-<LogicalId>`, and the trace says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.intake import intrinsics, sam_globals
from deploy.intake.values import NO_VALUE, Trace, Unknown, text_of

# Which property names a resource, where `Ref` gives that name.
NAME_PROPERTY: Mapping[str, str] = {
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Serverless::SimpleTable": "TableName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
FUNCTIONS = ("AWS::Serverless::Function", "AWS::Lambda::Function")
TABLES = ("AWS::Serverless::SimpleTable", "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
REST_APIS = ("AWS::Serverless::Api", "AWS::ApiGateway::RestApi")
HTTP_APIS = ("AWS::Serverless::HttpApi", "AWS::ApiGatewayV2::Api")
STACKS = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
# SAM makes these where an event of a function names no API.
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html
IMPLICIT_REST, IMPLICIT_HTTP = "ServerlessRestApi", "ServerlessHttpApi"
# Deeper chains of references are a mistake, or made to hang a reader.
REFERENCE_DEPTH = 40

_ARN_SHAPES: Mapping[str, str] = {
    **dict.fromkeys(FUNCTIONS, "lambda:{region}:{account}:function:{name}"),
    **dict.fromkeys(TABLES, "dynamodb:{region}:{account}:table/{name}"),
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::S3::Bucket": "s3:::{name}",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What is known from outside a template.

    `assumed` names the pseudo parameters (`AWS::StackName`, ...) that nobody gave. `physical` maps logical ids to
    the names of what is deployed (empty for a template alone), `exports` the account's exports. What a parent passes
    to a nested stack is in `parameters`, each with its trace in `leans`, or in `unknown`.
    """

    stack: str
    region: str
    account: str
    assumed: frozenset[str] = frozenset()
    parameters: Mapping[str, str] = field(default_factory=dict)
    physical: Mapping[str, str] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, Unknown] = field(default_factory=dict)
    leans: Mapping[str, Trace] = field(default_factory=dict)


class Scope:
    """One template, with what is given from outside. Its methods never raise on odd input: they give `Unknown`."""

    def __init__(self, template: Mapping[str, Any], given: Given, prefix: str = "") -> None:
        self.given = given
        self.prefix = prefix
        self.parameters = _section(template, "Parameters")
        self.mappings = _section(template, "Mappings")
        self.conditions = _section(template, "Conditions")
        self.outputs = _section(template, "Outputs")
        self.globals = _section(template, "Globals")
        self.resources: dict[str, Mapping[str, Any]] = {
            logical_id: one for logical_id, one in _section(template, "Resources").items() if isinstance(one, dict)
        }
        # Set by whoever opens nested stacks: a logical id gives the child's scope, or why there is none.
        self.open_child: Callable[[str], Scope | Unknown] = lambda logical_id: Unknown(
            logical_id, "is a nested stack that cannot be read from here"
        )
        # Set by whoever knows the template's folder: reads a local file that `AWS::Include` names.
        self.include: Callable[[str], Any] = lambda location: Unknown(location, "is not read from here")
        self._busy: list[str] = []
        # Each is worked out once: names made of names made of names would take for ever otherwise.
        self._properties: dict[str, dict[str, Any]] = {}
        self._names: dict[str, tuple[str, Trace]] = {}
        self._holds: dict[str, tuple[bool | Unknown, Trace]] = {}

    # -- values

    def resolve(self, node: Any, trace: Trace) -> Any:
        """The value of an expression: plain data, `Unknown` where it is not told."""
        return intrinsics.resolve(self, node, trace)

    def ref(self, name: str, trace: Trace) -> Any:
        """What `Ref` gives."""
        if name.startswith("AWS::"):
            return self._pseudo(name, trace)
        if name in self.parameters:
            return self._parameter(name, trace)
        return self._guarded(f"Ref {name}", lambda: self._resource_ref(name, trace))

    def attribute(self, logical_id: str, name: str, trace: Trace) -> Any:
        """What `Fn::GetAtt` gives."""
        return self._guarded(f"{logical_id}.{name}", lambda: self._attribute(logical_id, name, trace))

    def condition(self, name: str, trace: Trace) -> bool | Unknown:
        """Whether a condition of the template holds."""
        if name not in self.conditions:
            return Unknown(name, "is no condition of this template")
        if name not in self._holds:
            own = Trace()
            expression = self.conditions[name]
            found = self._guarded(f"Condition {name}", lambda: intrinsics.condition(self, expression, own))
            self._holds[name] = (found, own)
        found, own = self._holds[name]
        trace.add(own)
        return found

    def output(self, name: str, trace: Trace) -> Any:
        """The value of an output of this template."""
        one = self.outputs.get(name)
        if not isinstance(one, dict) or "Value" not in one:
            return Unknown(f"Outputs.{name}", "is no output of the nested stack")
        return self.resolve(one["Value"], trace)

    def present(self, logical_id: str, trace: Trace) -> bool | Unknown:
        """Whether a resource is created: its condition, if it has one."""
        wanted = self.resources[logical_id].get("Condition")
        if wanted is None:
            return True
        if not isinstance(wanted, str):
            return Unknown(str(wanted), "is no name of a condition")
        return self.condition(wanted, trace)

    # -- resources

    def kind(self, logical_id: str) -> str:
        """The resource's type; empty where it has none."""
        kind = self.resources.get(logical_id, {}).get("Type")
        return kind if isinstance(kind, str) else ""

    def of_kind(self, *kinds: str) -> Iterator[str]:
        """Logical ids of these types, in the template's order."""
        return (logical_id for logical_id in self.resources if self.kind(logical_id) in kinds)

    def properties(self, logical_id: str) -> dict[str, Any]:
        """The properties as written, with SAM's Globals; empty when there are none."""
        if logical_id not in self._properties:
            own = self.resources.get(logical_id, {}).get("Properties")
            own = own if isinstance(own, dict) else {}
            self._properties[logical_id] = sam_globals.merged(self.globals, self.kind(logical_id), own)
        return self._properties[logical_id]

    def resolved(self, logical_id: str, trace: Trace) -> dict[str, Any]:
        """The properties with every expression resolved; empty when a macro makes them."""
        found = self.resolve(self.properties(logical_id), trace)
        return found if isinstance(found, dict) else {}

    def name_of(self, logical_id: str, trace: Trace) -> str:
        """The resource's name on AWS: as deployed, as its property says, or as CloudFormation would begin it."""
        if logical_id not in self._names:
            own = Trace()
            self._names[logical_id] = (self._name(logical_id, own), own)
        name, own = self._names[logical_id]
        trace.add(own)
        return name

    def api_id(self, logical_id: str, trace: Trace) -> str:
        """The id of an API: as deployed, or a stand-in that no API has (real ids have ten characters)."""
        if logical_id in self.given.physical:
            return self.given.physical[logical_id]
        trace.generated.add(f"{self.prefix}{logical_id}")
        return intrinsics.stand_in(f"{self.prefix}{logical_id}")

    # -- the parts

    def _name(self, logical_id: str, trace: Trace) -> str:
        if logical_id in self.given.physical:
            return self.given.physical[logical_id]
        written = self.properties(logical_id).get(NAME_PROPERTY.get(self.kind(logical_id), ""))
        if written is not None:
            own = Trace()
            found = self._guarded(f"name of {logical_id}", lambda: self.resolve(written, own))
            if name := text_of(found):
                trace.add(own)
                return name
        return self._generated(logical_id, trace)

    def _generated(self, logical_id: str, trace: Trace) -> str:
        """The name that CloudFormation would make, without the random part at its end."""
        trace.generated.add(f"{self.prefix}{logical_id}")
        if "AWS::StackName" in self.given.assumed:
            trace.pseudo.add("AWS::StackName")
        return f"{self.given.stack}-{logical_id}"

    def _pseudo(self, name: str, trace: Trace) -> Any:
        given = self.given
        values: dict[str, Any] = {
            "AWS::StackName": given.stack,
            "AWS::Region": given.region,
            "AWS::AccountId": given.account,
            "AWS::Partition": partition(given.region),
            "AWS::URLSuffix": "amazonaws.com.cn" if given.region.startswith("cn-") else "amazonaws.com",
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
        }
        if name not in values:
            return Unknown(name, "is known only to a deployment")
        if name in given.assumed:
            trace.pseudo.add(name)
        return values[name]

    def _parameter(self, name: str, trace: Trace) -> Any:
        declared = self.parameters[name]
        declared = declared if isinstance(declared, dict) else {}
        kind = str(declared.get("Type", "String"))
        if name in self.given.unknown:
            return self.given.unknown[name]
        if name in self.given.parameters:
            trace.add(self.given.leans.get(name, Trace()))
            return _typed(self.given.parameters[name], kind)
        if "Default" not in declared:
            return Unknown(name, "is a parameter without a default")
        if str(declared.get("NoEcho", "")).lower() == "true":
            return Unknown(name, "is a secret parameter (NoEcho), whose default is not read")
        if "AWS::SSM::Parameter::Value" in kind:
            return Unknown(name, "is kept in the Systems Manager parameter store")
        default = declared["Default"]
        text = text_of(default)
        if text is None:
            return Unknown(name, "has a default that is no text")
        trace.defaults.add(f"{self.prefix}{name}")
        return _typed(text, kind)

    def _resource_ref(self, name: str, trace: Trace) -> Any:
        if name not in self.resources:
            return self._made_by_sam(name, trace)
        kind = self.kind(name)
        if kind in REST_APIS or kind in HTTP_APIS:
            return self.api_id(name, trace)
        if kind == "AWS::IAM::ManagedPolicy":
            return self.arn(name, trace)
        if kind in ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"):
            return self.resolve(self.properties(name).get("StageName"), trace)
        return self.name_of(name, trace)

    def _made_by_sam(self, name: str, trace: Trace) -> Any:
        """Resources that no template writes: implicit APIs, a function's alias, version and role."""
        if name in (IMPLICIT_REST, IMPLICIT_HTTP):
            return self.api_id(name, trace)
        owner, _, part = name.partition(".")
        if part == "Alias" and self.kind(owner) == "AWS::Serverless::Function":
            alias = text_of(self.resolve(self.properties(owner).get("AutoPublishAlias"), trace))
            if alias:
                return f"{self.arn(owner, trace)}:{alias}"
        if self.kind(name.removesuffix("Role")) == "AWS::Serverless::Function":
            return self._generated(name, trace)
        return Unknown(name, "is neither a parameter nor a resource of this template")

    def _attribute(self, logical_id: str, name: str, trace: Trace) -> Any:
        kind = self.kind(logical_id)
        if kind in STACKS and name.startswith("Outputs."):
            child = self.open_child(logical_id)
            return child if isinstance(child, Unknown) else child.output(name.removeprefix("Outputs."), trace)
        if name == "Arn" and kind in _ARN_SHAPES:
            return self.arn(logical_id, trace)
        if name == "StreamArn" and kind in TABLES:
            return f"{self.arn(logical_id, trace)}/stream/latest"
        if name in ("QueueName", "TopicName", "FunctionName", "TableName") and kind in NAME_PROPERTY:
            return self.name_of(logical_id, trace)
        if name in ("RestApiId", "ApiId") and (kind in REST_APIS or kind in HTTP_APIS):
            return self.api_id(logical_id, trace)
        if not kind and name == "Arn" and self.kind(logical_id.removesuffix("Role")) in FUNCTIONS:
            role = self._generated(logical_id, trace)
            return f"arn:{partition(self.given.region)}:iam::{self.given.account}:role/{role}"
        return Unknown(f"{logical_id}.{name}", "is known only to a deployment")

    def arn(self, logical_id: str, trace: Trace) -> str:
        """The ARN of a resource whose type has an ARN of a known shape."""
        shape = _ARN_SHAPES[self.kind(logical_id)]
        name = self.name_of(logical_id, trace)
        if name.startswith("arn:"):  # a deployed policy's physical id is its ARN
            return name
        place = shape.format(region=self.given.region, account=self.given.account, name=name)
        return f"arn:{partition(self.given.region)}:{place}"

    def _guarded(self, what: str, work: Callable[[], Any]) -> Any:
        """Names refer to names: a circle ends as Unknown."""
        if what in self._busy:
            return Unknown(what, "refers to itself")
        if len(self._busy) >= REFERENCE_DEPTH:
            return Unknown(what, "stands at the end of too long a chain of references")
        self._busy.append(what)
        try:
            return work()
        finally:
            self._busy.pop()


def partition(region: str) -> str:
    """The partition of a region, as ARNs have it."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _section(template: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = template.get(name)
    return found if isinstance(found, dict) else {}


def _typed(text: Any, kind: str) -> Any:
    """A parameter's value by its type: lists are written with commas."""
    if isinstance(text, str) and (kind == "CommaDelimitedList" or kind.startswith("List<")):
        return [one.strip() for one in text.split(",")] if text.strip() else []
    return text
