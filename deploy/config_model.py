"""The shape of `sereno.yaml`, as pydantic models. Quantities are parsed here; what joins two places is in
`deploy.config_checks`.

Texts of errors are mends: they follow the value in `sereno.yaml: objectives.rpo: "15" has no unit (write 15m)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from deploy import units
from sereno.model import Mode, instant

Scalar = str | int | float | bool


def mend(text: str) -> PydanticCustomError:
    """An error whose text is the mend."""
    return PydanticCustomError("mend", "{mend}", {"mend": text})


def _parsed(parse: Callable[[object], Any]) -> BeforeValidator:
    def run(value: object) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise mend(str(error)) from None

    return BeforeValidator(run)


def _duration_schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": units.DURATION_PATTERN, "examples": [example]})


def _between(low: float, high: float, text: str) -> AfterValidator:
    def run(value: float) -> float:
        if not low <= value <= high:
            raise mend(text)
        return value

    return AfterValidator(run)


def _whole_seconds(value: object, *, usual: str) -> int:
    exact = units.milliseconds(value, usual=usual) / 1000
    if exact != int(exact):
        raise ValueError("is not a whole number of seconds")
    return int(exact)


def _instant(value: object) -> str:
    try:
        instant(str(value))
    except ValueError:
        raise ValueError("is no moment with a time zone (write it like 2026-11-24T09:00:00+01:00)") from None
    return str(value)


def _pattern(pattern: str, text: str) -> AfterValidator:
    def run(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise mend(text)
        return value

    return AfterValidator(run)


def _text_like(pattern: str, text: str, no_text: str = "") -> tuple[Any, ...]:
    """Text of a pattern; `text` is the mend when it is another, `no_text` when it is no text at all."""

    def only_text(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(no_text or f'is not text (write "{value}", in quotes)')
        return value

    schema = WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$"})
    return (_parsed(only_text), _pattern(pattern, text), schema)


Minutes = Annotated[int, _parsed(lambda value: _whole_seconds(value, usual="m")), _duration_schema("15m")]
Seconds = Annotated[int, _parsed(lambda value: _whole_seconds(value, usual="s")), _duration_schema("10s")]
Milliseconds = Annotated[
    float, _parsed(lambda value: units.milliseconds(value, usual="ms")), _duration_schema("500ms")
]
Availability = Annotated[
    float,
    _parsed(units.ratio),
    # At 100 % the error budget is nothing, and every burn rate is a division by it.
    _between(0.5, 0.99999, "must lie between 50% and 99.999%: 100% leaves no error budget to burn"),
    WithJsonSchema({"type": "string", "pattern": units.PERCENT_PATTERN, "examples": ["99.99%"]}),
]
Factor = Annotated[
    float,
    _parsed(units.factor),
    _between(1, 1000, "must lie between 1x and 1000x: it is a factor over normal traffic"),
    WithJsonSchema({"type": "string", "pattern": units.FACTOR_PATTERN, "examples": ["9x"]}),
]
Moment = Annotated[str, _parsed(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]

# Short, because function names are sereno-<service>-<remediator> and Lambda allows 64 characters.
ServiceName = Annotated[
    str,
    *_text_like("[a-z][a-z0-9-]{1,29}", "must be 2 to 30 of a-z, 0-9 and -, and begin with a letter"),
]
_ACCOUNT = 'must be the 12 digits of an AWS account, in quotes (write account: "123456789012")'
# Text, because as a number an account that begins with 0 would lose it, or be read as octal.
Account = Annotated[str, *_text_like(r"\d{12}", _ACCOUNT, _ACCOUNT)]
Region = Annotated[str, *_text_like(r"[a-z]{2}(-[a-z]+)+-\d", "is no AWS region (write it like eu-west-1)")]
# A key is the middle of an alarm's name, <service>/<resource>/<what>.
Key = Annotated[str, *_text_like("[a-z][a-z0-9-]{0,62}", "must be of a-z, 0-9 and -, and begin with a letter")]
What = Annotated[
    str,
    *_text_like("[a-z0-9][a-z0-9-]{0,62}", "is no *what* (write lower-case words joined by -, like burn-fast)"),
]
Email = Annotated[str, *_text_like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "is no e-mail address")]
Url = Annotated[str, *_text_like(r"https?://\S+", "is no address (write it like https://wiki.example.com/x)")]
FunctionName = Annotated[
    str, *_text_like(r"[A-Za-z0-9_-]{1,64}", "is no function name (1 to 64 letters, digits, - and _; no ARN)")
]
ApiId = Annotated[
    str, *_text_like(r"[a-z0-9]{1,32}", "is no API id (ten letters and digits; aws apigatewayv2 get-apis lists them)")
]
IndexName = Annotated[
    str, *_text_like(r"[A-Za-z0-9_.-]{3,255}", "is no index name (3 to 255 letters, digits, -, _ and .)")
]
TableName = Annotated[
    str, *_text_like(r"[A-Za-z0-9_.-]{3,255}", "is no table name (3 to 255 letters, digits, -, _ and .)")
]
# It is printed in tables and told to people, so one short line.
EventName = Annotated[
    str, *_text_like(r"\S(?:[^\n\r\t]{0,62}\S)?", "is no event's name (1 to 64 characters on one line)")
]


class Model(BaseModel):
    """Closed and frozen: an unknown key is a typing error until shown otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectivesConfig(Model):
    """What the service promises."""

    availability: Availability = 0.999
    p99: Milliseconds = 1000.0
    surge: Factor = 3.0
    rpo: Minutes = 900
    rto: Minutes = 1800


class ApiConfig(Model):
    """A stage of a REST or HTTP API under watch."""

    name: str = Field(min_length=1, description="The API's name: a REST API's metrics are keyed by it.")
    stage: str = Field(default="prod", min_length=1)
    kind: Literal["rest", "http"] = "rest"
    id: ApiId | None = Field(default=None, description="The API's id: an HTTP API's metrics are keyed by it.")


class FunctionConfig(Model):
    """A Lambda function under watch."""

    name: FunctionName
    alias: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")] | None = None
    reserved: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Declared reserved concurrency; leave out for an unreserved function."
    )
    provisioned: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Provisioned concurrency of the alias; leave out where there is none."
    )
    normal: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Concurrent executions of an ordinary busy hour; left out: measured."
    )
    timeout: Annotated[Seconds, _between(1, 900, "must lie between 1s and 900s, as Lambda's does")] = 3
    memory: Annotated[int, Field(ge=128, le=10240)] = 128
    tables: tuple[Key, ...] = ()
    fast_metric: bool = Field(
        default=False, description="The application publishes a 10-second demand metric by EMF."
    )


class UnitsConfig(Model):
    """Capacity units that an ordinary busy hour consumes each second."""

    read: Annotated[float, Field(ge=0)] | None = None
    write: Annotated[float, Field(ge=0)] | None = None


class CapacityConfig(Model):
    """Declared capacity of a table or an index; where auto scaling owns it, its minimum."""

    read: Annotated[int, Field(ge=1)] | None = None
    write: Annotated[int, Field(ge=1)] | None = None
    normal: UnitsConfig = UnitsConfig()


class TableConfig(CapacityConfig):
    """A DynamoDB table under watch."""

    name: TableName
    billing: Literal["on-demand", "provisioned"] = "on-demand"
    indexes: dict[IndexName, CapacityConfig] = {}


class ResourcesConfig(Model):
    """What is watched, by keys that alarm names carry."""

    apis: dict[Key, ApiConfig] = {}
    functions: dict[Key, FunctionConfig] = {}
    tables: dict[Key, TableConfig] = {}


class LimitsConfig(BaseModel):
    """The bounds of a play. Names beyond these two are knobs of its remediators, such as `ceiling`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Scalar]

    per_day: Annotated[int, Field(ge=0)] = 12
    cost_per_day: Annotated[float, Field(ge=0, description="USD that its changes may cost in a day.")] = 100.0


def _rung(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_REMEDIATOR = {"type": "string"}
Rung = Annotated[
    tuple[str, ...],
    BeforeValidator(_rung),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_REMEDIATOR, {"type": "array", "items": _REMEDIATOR, "minItems": 1}]}),
]


class PlayConfig(Model):
    """Which remediators answer a *what*, rung by rung; left out, the usual ones of that *what*. The remediators of
    one rung, written as a list in the list, act together."""

    remediators: Annotated[tuple[Rung, ...], Field(min_length=1)] | None = None
    mode: Mode | None = None
    # The round looks once a minute: a shorter hold could not be kept.
    hold: Annotated[Minutes, _between(60, 86_400, "must lie between 1m and 24h")] = 900
    cooldown: Annotated[Minutes, _between(0, 86_400, "must lie between 0m and 24h")] = 300
    limits: LimitsConfig = Field(default_factory=lambda: LimitsConfig.model_validate({}))

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"remediators": [value]}
        if isinstance(value, list):
            return {"remediators": value}
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        rung = {"anyOf": [_REMEDIATOR, {"type": "array", "items": _REMEDIATOR, "minItems": 1}]}
        ladder = {"type": "array", "items": rung, "minItems": 1}
        return {"anyOf": [_REMEDIATOR, ladder, handler.resolve_ref_schema(handler(core))]}


class EventConfig(Model):
    """A surge that is known beforehand: from when to when, and over how much of normal traffic."""

    name: EventName
    starts: Moment = Field(alias="from")
    ends: Moment = Field(alias="to")
    factor: Factor
    # The round looks once a minute; what is warm for longer than a day costs more than it helps.
    prewarm: Annotated[Minutes, _between(60, 86_400, "must lie between 1m and 24h")] = 1800


class QuotasConfig(Model):
    """The account's quotas in the Region, where they are not AWS's defaults: alarms come before they are met."""

    concurrency: Annotated[int, Field(ge=1)] = 1000
    requests: Annotated[int, Field(ge=1)] = 10_000


_NO_NAME = "is no name of a secret (write it like sereno/techmoda/slack; its value stays in Secrets Manager)"
SecretName = Annotated[
    str,
    *_text_like(
        r"[A-Za-z0-9/_+=.@-]{1,512}",
        _NO_NAME,
        _NO_NAME,
    ),
    # A token of Slack, or a routing key of PagerDuty (32 letters and digits).
    _pattern(
        r"(?!xox[a-z]-|xapp-|(?=\D*\d)[A-Za-z0-9]{32}$).*",
        "looks like the secret itself (put it into Secrets Manager, write its name here, and have a new one made)",
    ),
]
SlackChannel = Annotated[
    str, *_text_like("[CG][A-Z0-9]{8,}", "is no channel id (Slack shows it at the end of the channel's details)")
]
SlackUser = Annotated[str, *_text_like("[UW][A-Z0-9]{8,}", "is no user id (Slack: profile, Copy member ID)")]
Severity = Literal["page", "ticket", "info"]
Channel = Literal["slack", "pagerduty", "email", "opscenter"]


class SlackConfig(Model):
    """A Slack channel, and who may press its buttons."""

    channel: SlackChannel
    secret: SecretName
    approvers: tuple[SlackUser, ...] = ()


class PagerDutyConfig(Model):
    """A PagerDuty service by its Events API v2 integration."""

    secret: SecretName


class RouteConfig(Model):
    """Which channels hear of which severities, and when."""

    severity: Annotated[tuple[Severity, ...], Field(min_length=1)]
    to: Annotated[tuple[Channel, ...], Field(min_length=1)]
    hours: Annotated[str, _parsed(units.hours_text)] | None = Field(
        default=None, description="Days and times in the time zone, such as Mon-Fri 08:00-20:00; left out: always."
    )


class NotificationsConfig(Model):
    """Who is told, how, and in which language."""

    emails: tuple[Email, ...] = ()
    language: Literal["en", "es"] = "en"
    timezone: Annotated[str, _parsed(units.timezone)] = "UTC"
    slack: SlackConfig | None = None
    pagerduty: PagerDutyConfig | None = None
    opscenter: bool = False
    routes: tuple[RouteConfig, ...] = ()
    page: Url | None = Field(default=None, description="Where the on-call page stands; messages link to it.")


class ApprovalsConfig(Model):
    """How a plan that asks is answered."""

    within: Annotated[Minutes, _between(60, 86_400, "must lie between 1m and 24h")] = 1800
    two_person: bool = Field(default=False, description="A plan of high risk needs two people.")


class DemotionConfig(Model):
    """When a remediator goes back to observe by itself: so many failures and reverts by people in so many days."""

    times: Annotated[int, Field(ge=1, le=100)] = 3
    days: Annotated[int, Field(ge=1, le=90)] = 7


class BindConfig(Model):
    """How an alarm that exists already is read: what it says, and of which resource."""

    what: What
    resource: Key


class Config(Model):
    """The whole of `sereno.yaml`."""

    service: ServiceName
    account: Account
    region: Region | None = None
    regions: Annotated[tuple[Region, ...], Field(min_length=1)] | None = Field(
        default=None, description="Home region first; instead of `region`."
    )
    stack: Annotated[str, *_text_like(r"[A-Za-z][A-Za-z0-9-]{0,127}", "is no stack name")] | None = Field(
        default=None, description="The CloudFormation stack of the service: while it changes, Sereno waits."
    )
    objectives: ObjectivesConfig = ObjectivesConfig()
    resources: ResourcesConfig
    quotas: QuotasConfig = QuotasConfig()
    mode: Mode = Mode.OBSERVE
    playbook: dict[What, PlayConfig] = {}
    events: tuple[EventConfig, ...] = ()
    notifications: NotificationsConfig = NotificationsConfig()
    approvals: ApprovalsConfig = ApprovalsConfig()
    demotion: DemotionConfig = DemotionConfig()
    bind: dict[str, BindConfig] = {}
    runbook: Url | None = None
