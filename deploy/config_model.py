"""The shape of `sereno.yaml`, as pydantic models. Quantities are parsed by `deploy.config_types`; what joins two
places is in `deploy.config_checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from deploy import units
from deploy.config_recovery import RecoveryConfig
from deploy.config_types import (
    CLOSED,
    Account,
    ApiId,
    Availability,
    Channel,
    Email,
    EventName,
    Factor,
    FunctionName,
    IndexName,
    Key,
    Milliseconds,
    Minutes,
    Moment,
    QueueName,
    Region,
    Scalar,
    Seconds,
    SecretName,
    ServiceName,
    Severity,
    SlackChannel,
    SlackMention,
    SlackUser,
    TableName,
    Url,
    What,
    between,
    parsed,
    text_like,
)
from sereno.model import Mode


class Model(BaseModel):
    """Closed and frozen."""

    model_config = CLOSED


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
    ids: dict[str, ApiId] = Field(
        default_factory=dict, description="Instead of id, in each region of a service with a second one: its own."
    )
    pause: Annotated[Minutes, between(300, 86_400, "must lie between 5m and 24h")] | None = Field(
        default=None,
        description="The longest ordinary time between two requests. Silence of that length pages; left out: silence "
        "of 15 minutes in busy hours is a ticket.",
    )


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
    timeout: Annotated[Seconds, between(1, 900, "must lie between 1s and 900s, as Lambda's does")] = 3
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


class QueueConfig(Model):
    """An SQS queue under watch."""

    name: QueueName
    age: Annotated[Minutes, between(60, 1_209_600, "must lie between 1m and 14 days")] = Field(
        default=900, description="How old its oldest message may ordinarily be."
    )
    dead_letters: QueueName | None = Field(default=None, description="The queue of what could not be handled.")


class ResourcesConfig(Model):
    """What is watched, by keys that alarm names carry."""

    apis: dict[Key, ApiConfig] = {}
    functions: dict[Key, FunctionConfig] = {}
    tables: dict[Key, TableConfig] = {}
    queues: dict[Key, QueueConfig] = {}


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
    hold: Annotated[Minutes, between(60, 86_400, "must lie between 1m and 24h")] = 900
    cooldown: Annotated[Minutes, between(0, 86_400, "must lie between 0m and 24h")] = 300
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
    prewarm: Annotated[Minutes, between(60, 86_400, "must lie between 1m and 24h")] = 1800


class QuotasConfig(Model):
    """The account's quotas in the Region, where they are not AWS's defaults: alarms come before they are met."""

    concurrency: Annotated[int, Field(ge=1)] = 1000
    requests: Annotated[int, Field(ge=1)] = 10_000


class SlackConfig(Model):
    """A Slack channel, and who may press its buttons."""

    channel: SlackChannel
    secret: SecretName
    approvers: tuple[SlackUser, ...] = ()
    mention: dict[Severity, tuple[SlackMention, ...]] = Field(
        default_factory=dict,
        description="Whom the first message of a severity notifies: ids of users and user groups, here, channel.",
    )


class PagerDutyConfig(Model):
    """A PagerDuty service by its Events API v2 integration."""

    secret: SecretName
    region: Literal["us", "eu"] = Field(default="us", description="The service region of the PagerDuty account.")
    webhook: bool = Field(default=False, description="PagerDuty tells by a signed webhook who acknowledges.")


class RouteConfig(Model):
    """Which channels hear of which severities, and when."""

    severity: Annotated[tuple[Severity, ...], Field(min_length=1)]
    to: Annotated[tuple[Channel, ...], Field(min_length=1)]
    hours: Annotated[str, parsed(units.hours_text)] | None = Field(
        default=None, description="Days and times in the time zone, such as Mon-Fri 08:00-20:00; left out: always."
    )


class ContactConfig(Model):
    """Whom a page goes to that nobody has acknowledged."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,29}$")]
    after: Annotated[Minutes, between(60, 86_400, "must lie between 1m and 24h")]
    mention: tuple[SlackMention, ...] = ()
    email: Email | None = None
    pagerduty: PagerDutyConfig | None = None


class EscalationConfig(Model):
    """What happens to a page that nobody acknowledges."""

    repeat: Annotated[Minutes, between(60, 86_400, "must lie between 1m and 24h")] = Field(
        default=900, description="It is repeated in Slack and email so often."
    )
    times: Annotated[int, Field(ge=0, le=20)] = 3
    contacts: tuple[ContactConfig, ...] = ()


class NotificationsConfig(Model):
    """Who is told, how, and in which language."""

    emails: tuple[Email, ...] = ()
    language: Literal["en", "es"] = "en"
    timezone: Annotated[str, parsed(units.timezone)] = "UTC"
    slack: SlackConfig | None = None
    pagerduty: PagerDutyConfig | None = None
    opscenter: bool = False
    routes: tuple[RouteConfig, ...] = ()
    escalation: EscalationConfig | None = None
    page: Url | None = Field(default=None, description="Where the on-call page stands; messages link to it.")


class ApprovalsConfig(Model):
    """How a plan that asks is answered."""

    within: Annotated[Minutes, between(60, 86_400, "must lie between 1m and 24h")] = 1800
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
    stack: Annotated[str, *text_like(r"[A-Za-z][A-Za-z0-9-]{0,127}", "is no stack name")] | None = Field(
        default=None, description="The CloudFormation stack of the service: while it changes, Sereno waits."
    )
    objectives: ObjectivesConfig = ObjectivesConfig()
    resources: ResourcesConfig
    quotas: QuotasConfig = QuotasConfig()
    own_concurrency: Literal["reserved", "unreserved"] = Field(
        default="reserved",
        alias="ownConcurrency",
        description="`unreserved`: Sereno's own functions reserve no concurrency (for a small quota).",
    )
    mode: Mode = Mode.OBSERVE
    playbook: dict[What, PlayConfig] = {}
    events: tuple[EventConfig, ...] = ()
    notifications: NotificationsConfig = NotificationsConfig()
    approvals: ApprovalsConfig = ApprovalsConfig()
    demotion: DemotionConfig = DemotionConfig()
    recovery: RecoveryConfig | None = None
    bind: dict[str, BindConfig] = {}
    runbook: Url | None = None
