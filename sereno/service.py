"""The service under watch, as the compiled configuration describes it.

`deploy.config` validates `sereno.yaml` and compiles it to the JSON that `Service.from_json` reads. The Lambdas
carry that JSON; nothing here validates again beyond the shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sereno.model import Json, Mode, Target

# The *what* of a planned event. No alarm says it: the round starts it when the prewarm begins.
PLANNED_EVENT = "planned-event"
# That the primary region is out, and that a person wants it to serve again. No alarm says them either: the standby's
# prober does, and `sereno dr failback`.
REGION_OUT, REGION_BACK = "region-out", "region-back"
# The composite over every symptom of customers that pages: the only alarm of a service that notifies people directly.
CUSTOMERS_HURT = "customers-hurt"
WITHOUT_ALARM = frozenset({PLANNED_EVENT, REGION_OUT, REGION_BACK})


@dataclass(frozen=True, slots=True)
class Objectives:
    """What the service promises. `availability` is a ratio, `p99_ms` milliseconds, `surge` a factor over normal
    traffic, `rpo_s` and `rto_s` seconds."""

    availability: float = 0.999
    p99_ms: float = 1000.0
    surge: float = 3.0
    rpo_s: int = 900
    rto_s: int = 1800


@dataclass(frozen=True, slots=True)
class Quotas:
    """What the account allows in the Region, as far as alarms need it for a threshold: Lambda's concurrent executions
    and API Gateway's requests a second, AWS's defaults unless told. Remediators ask AWS instead.
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """

    concurrency: int = 1000
    requests: int = 10_000


@dataclass(frozen=True, slots=True)
class Api:
    """A stage of an API. `kind` is `rest` or `http`: CloudWatch keys the metrics of a REST API by its name, those of
    an HTTP API by its `id` (None: not declared, which only a REST API may be). `ids` are those of each region of a
    service with a second one. `pause_s` is the longest ordinary time between two requests (None: not declared)."""

    key: str
    name: str
    stage: str
    kind: str = "rest"
    id: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    pause_s: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function. `reserved` is the declared reserved concurrency (None: unreserved), `normal` the
    concurrent executions of an ordinary busy hour (None: measured), `provisioned` the provisioned concurrency
    declared on the alias (None: none), `fast_metric` says that the application publishes a 10-second demand metric
    by EMF."""

    key: str
    name: str
    alias: str | None = None
    reserved: int | None = None
    normal: float | None = None
    timeout_s: int = 3
    memory_mb: int = 128
    tables: tuple[str, ...] = ()
    fast_metric: bool = False
    provisioned: int | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; it has a capacity of its own. The fields are those of its table."""

    name: str
    read: int | None = None
    write: int | None = None
    normal_read: float | None = None
    normal_write: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table. `billing` is `provisioned` or `on-demand`; `read` and `write` are the declared capacity
    units (where auto scaling owns them, its minimum; None: not declared), `normal_read` and `normal_write` the units
    a second that an ordinary busy hour consumes (None: measured)."""

    key: str
    name: str
    billing: str = "on-demand"
    read: int | None = None
    write: int | None = None
    normal_read: float | None = None
    normal_write: float | None = None
    indexes: Mapping[str, Index] = field(default_factory=dict)

    @property
    def provisioned(self) -> bool:
        """Whether its capacity is set in units, and so can be too small."""
        return self.billing == "provisioned"


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue of the service. `age_s` is how old its oldest message may ordinarily be (seconds); `dead_letters`
    the name of the queue that keeps what could not be handled (None: not declared)."""

    key: str
    name: str
    age_s: int = 900
    dead_letters: str | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """One line of the playbook: which remediators answer a *what*, in which mode, under which limits, and how long a
    change is held after recovery.

    `rungs` is a ladder. The remediators of one rung act together, each on its own targets and under its own guards;
    the next rung acts when one of them cannot help, or the symptom persists.
    """

    what: str
    rungs: tuple[tuple[str, ...], ...]
    mode: Mode = Mode.OBSERVE
    hold_s: int = 900
    cooldown_s: int = 300
    per_day: int = 12
    cost_per_day: float = 100.0
    params: Json = field(default_factory=dict)

    @property
    def remediators(self) -> tuple[str, ...]:
        """Every remediator of the ladder, the first rung's first."""
        return tuple(name for rung in self.rungs for name in rung)

    @property
    def first(self) -> tuple[str, ...]:
        """Those that the signal itself starts."""
        return self.rungs[0] if self.rungs else ()

    def after(self, remediator: str) -> tuple[str, ...]:
        """The next rung of the ladder; nothing at its end, and for who is not on it."""
        for place, rung in enumerate(self.rungs[:-1]):
            if remediator in rung:
                return self.rungs[place + 1]
        return ()


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """A surge that is known beforehand: times in ISO form, factor over normal traffic."""

    name: str
    starts: str
    ends: str
    factor: float
    prewarm_s: int = 1800


@dataclass(frozen=True, slots=True)
class Slack:
    """A Slack channel by its id, the secret of Secrets Manager that holds `{"token": ..., "signing_secret": ...}`,
    the ids of the users who may press its buttons, and by severity whom the first message that is so loud notifies
    (ids of users and user groups, `here`, `channel`)."""

    channel: str
    secret: str
    approvers: tuple[str, ...] = ()
    mention: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Slack:
        mention = {severity: tuple(names) for severity, names in data.get("mention", {}).items()}
        return Slack(data["channel"], data["secret"], tuple(data.get("approvers", ())), mention)


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """The secret of Secrets Manager that holds `{"routing_key": ...}` of an Events API v2 integration, and the
    service region of the PagerDuty account (`us` or `eu`). `webhook` says that PagerDuty tells who acknowledges; the
    secret holds its `webhook_secret` too."""

    secret: str
    region: str = "us"
    webhook: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a page goes to that nobody has acknowledged, `after_s` seconds after it: a PagerDuty service of their own,
    ids that Slack mentions, an email address, or several of them."""

    name: str
    after_s: int
    mention: tuple[str, ...] = ()
    pagerduty: PagerDuty | None = None
    email: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """What happens to a page that nobody acknowledges: it is repeated every `repeat_s` seconds, at most `times`, and
    goes to one contact after another."""

    repeat_s: int
    times: int
    contacts: tuple[Contact, ...] = ()

    @property
    def lasts_s(self) -> int:
        """Seconds from the page to the last step."""
        return max(self.repeat_s * self.times, *(one.after_s for one in self.contacts), 0)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Escalation:
        contacts = tuple(
            Contact(
                one["name"],
                one["after_s"],
                tuple(one.get("mention", ())),
                PagerDuty(**one["pagerduty"]) if one.get("pagerduty") else None,
                one.get("email", ""),
            )
            for one in data.get("contacts", ())
        )
        return Escalation(data["repeat_s"], data["times"], contacts)


@dataclass(frozen=True, slots=True)
class Hours:
    """When a route is open, in the time zone of the notifications: days of the week (0 is Monday) and minutes of the
    day, the last one excluded. An end before the start lies on the next day."""

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Route:
    """Which channels hear of which severities, and when (None: always)."""

    severities: tuple[str, ...]
    to: tuple[str, ...]
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Notices:
    """How people are told. `routes` without any sends everything to every channel there is, and only pages to
    PagerDuty. `page_url` is where the on-call page stands. `offsets` are the time zone's, as (epoch second from which
    it counts, seconds east of UTC), for a Lambda need not have a database of time zones."""

    language: str = "en"
    timezone: str = "UTC"
    slack: Slack | None = None
    pagerduty: PagerDuty | None = None
    ops_center: bool = False
    routes: tuple[Route, ...] = ()
    page_url: str = ""
    offsets: tuple[tuple[int, int], ...] = ()
    escalation: Escalation | None = None

    @property
    def listens(self) -> bool:
        """Whether anybody outside calls back: buttons in Slack, or PagerDuty's webhook."""
        contacts = self.escalation.contacts if self.escalation else ()
        pagerduty = (self.pagerduty, *(one.pagerduty for one in contacts))
        hooks = any(one.webhook for one in pagerduty if one is not None)
        return hooks or (self.slack is not None and bool(self.slack.approvers))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Notices:
        slack, pagerduty = data.get("slack"), data.get("pagerduty")
        return Notices(
            language=data.get("language", "en"),
            timezone=data.get("timezone", "UTC"),
            slack=Slack.from_json(slack) if slack else None,
            pagerduty=PagerDuty(**pagerduty) if pagerduty else None,
            ops_center=data.get("ops_center", False),
            routes=tuple(
                Route(
                    tuple(one["severities"]),
                    tuple(one["to"]),
                    Hours(tuple(one["hours"]["days"]), one["hours"]["start"], one["hours"]["end"])
                    if one.get("hours")
                    else None,
                )
                for one in data.get("routes", ())
            ),
            page_url=data.get("page_url", ""),
            escalation=Escalation.from_json(data["escalation"]) if data.get("escalation") else None,
            offsets=tuple((int(since), int(seconds)) for since, seconds in data.get("offsets", ())),
        )


@dataclass(frozen=True, slots=True)
class Approvals:
    """How long a plan waits for a person (seconds), and whether a plan of high risk needs two of them."""

    within_s: int = 1800
    two_person: bool = False


@dataclass(frozen=True, slots=True)
class Demotion:
    """A remediator that failed, or was taken back by people, so often in so many days goes back to observe."""

    times: int = 3
    days: int = 7


@dataclass(frozen=True, slots=True)
class Recovery:
    """How the service survives the loss of a region.

    `strategy` says what moves traffic: `health-switch` (an object in the standby's bucket, which an inverted health
    check reads), `metric-switch` (a metric of the standby, which a health check reads) or `weighted` (records, which
    need Route 53's control plane, and so are for planned moves only). `url` is where customers call, `urls` where
    each region answers by itself. `paths` are tried of each: the first is the health check's. `canary` is the table
    in which the primary's prober writes an item that the standby's reads (None: the delay is not measured),
    `canary_key` its key attribute. `zone`, `name` and `shares` are the hosted zone, the record that customers use and
    the record of weights behind it for a gradual failback (empty: traffic goes back at once). `fence` are the keys of
    the functions that write, `compare` those of the tables of which a sample is compared before a failback. Times are
    in seconds.
    """

    primary: str
    standby: str
    witness: str
    url: str
    urls: Mapping[str, str]
    strategy: str = "health-switch"
    paths: tuple[str, ...] = ("/health",)
    bucket: str = ""
    canary: str | None = None
    canary_key: str = "id"
    zone: str = ""
    name: str = ""
    shares: str = ""
    confirm_s: int = 10
    minimum_stay_s: int = 1800
    healthy_s: int = 600
    stage_s: int = 180
    fence: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()

    @property
    def bucket_url(self) -> str:
        """Where the switch's bucket answers over HTTPS (empty: the strategy has no public bucket)."""
        suffix = ".cn" if self.standby.startswith("cn-") else ""
        return f"https://{self.bucket}.s3.{self.standby}.amazonaws.com{suffix}" if self.bucket else ""

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Recovery:
        listed = {name: tuple(data.get(name, ())) for name in ("paths", "fence", "compare")}
        return Recovery(**{**data, **listed, "urls": dict(data["urls"])})


@dataclass(frozen=True, slots=True)
class Service:
    """One application under watch. `regions` begins with the one in which this watch runs."""

    name: str
    account: str
    regions: tuple[str, ...]
    objectives: Objectives = field(default_factory=Objectives)
    apis: Mapping[str, Api] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    playbook: Mapping[str, Play] = field(default_factory=dict)
    events: tuple[PlannedEvent, ...] = ()
    emails: tuple[str, ...] = ()
    bindings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    runbook_url: str = ""
    unreserved_floor: int = 100
    quotas: Quotas = field(default_factory=Quotas)
    own_concurrency: str = "reserved"
    stack: str | None = None
    notices: Notices = field(default_factory=Notices)
    approvals: Approvals = field(default_factory=Approvals)
    demotion: Demotion = field(default_factory=Demotion)
    recovery: Recovery | None = None
    queues: Mapping[str, Queue] = field(default_factory=dict)

    @property
    def recovery_places(self) -> dict[str, str]:
        """What the places of a permission that only a second Region gives stand for (`ports.Permission`). Nothing
        without one; an empty value where the service has no such thing."""
        recovery = self.recovery
        if recovery is None:
            return {}
        return {
            "standby": recovery.standby,
            "primary": recovery.primary,
            "bucket": recovery.bucket,
            "zone": recovery.zone,
            "weighted": recovery.zone if recovery.strategy == "weighted" else "",
            "canary": self.tables[recovery.canary].name if recovery.canary else "",
            # A condition compares the name as Route 53 normalises it: lower case, without the last dot.
            "shares": recovery.shares.lower().rstrip("."),
        }

    @property
    def addresses(self) -> dict[str, str]:
        """Every email address that is subscribed, with the contact of the escalation whose it is (empty: it hears of
        everything)."""
        contacts = self.notices.escalation.contacts if self.notices.escalation else ()
        return dict.fromkeys(self.emails, "") | {one.email: one.name for one in contacts if one.email}

    @property
    def region(self) -> str:
        """The home region: where this watch runs."""
        return self.regions[0]

    def target(self, resource: str) -> Target | None:
        """The target that a resource key of the configuration names, or None."""
        known: Mapping[str, Mapping[str, Function | Table | Api | Queue]] = {
            "function": self.functions,
            "table": self.tables,
            "api": self.apis,
            "queue": self.queues,
        }
        for kind, resources in known.items():
            if resource in resources:
                return Target(kind, resources[resource].name, self.region, self.account)
        if self.recovery and resource == self.recovery.primary:
            return Target("region", resource, self.region, self.account)
        if resource == self.name:
            return Target("service", self.name, self.region, self.account)
        return None

    @property
    def is_standby(self) -> bool:
        """Whether this watch runs in the region that takes over."""
        return self.recovery is not None and self.region == self.recovery.standby

    def seen_from(self, region: str) -> Service:
        """The same service as the watch of another of its regions has it. Raises ValueError for a foreign one."""
        if region not in self.regions:
            raise ValueError(f"{region} is no region of {self.name} ({', '.join(self.regions)})")
        apis = {key: replace(one, id=one.ids.get(region, one.id)) for key, one in self.apis.items()}
        return replace(self, apis=apis, regions=(region, *(one for one in self.regions if one != region)))

    def runbook_link(self, what: str) -> str:
        """Where a person finds what to do: the service's own runbook, or the chapter in Sereno's."""
        return f"{self.runbook_url or 'docs/runbook.md'}#{what}"

    def function_named(self, name: str) -> Function | None:
        """The function with this name on AWS, or None."""
        return next((one for one in self.functions.values() if one.name == name), None)

    def table_named(self, name: str) -> Table | None:
        """The table with this name on AWS, or None."""
        return next((one for one in self.tables.values() if one.name == name), None)

    def tables_of(self, function: str) -> tuple[Table, ...]:
        """The tables that a function (its name on AWS) is declared to use."""
        found = self.function_named(function)
        return tuple(self.tables[key] for key in found.tables) if found else ()

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Service:
        """Reads what `deploy.config.compile_config` wrote."""
        return Service(
            name=data["service"],
            account=data["account"],
            regions=tuple(data["regions"]),
            objectives=Objectives(**data["objectives"]),
            apis={key: Api(key=key, **one) for key, one in data.get("apis", {}).items()},
            functions={
                key: Function(key=key, **{**one, "tables": tuple(one.get("tables", ()))})
                for key, one in data.get("functions", {}).items()
            },
            tables={key: _table(key, one) for key, one in data.get("tables", {}).items()},
            queues={key: Queue(key=key, **one) for key, one in data.get("queues", {}).items()},
            playbook={
                what: Play(
                    what=what,
                    **{**one, "rungs": tuple(tuple(rung) for rung in one["rungs"]), "mode": Mode(one["mode"])},
                )
                for what, one in data.get("playbook", {}).items()
            },
            events=tuple(PlannedEvent(**one) for one in data.get("events", ())),
            emails=tuple(data.get("emails", ())),
            bindings={name: (one[0], one[1]) for name, one in data.get("bindings", {}).items()},
            runbook_url=data.get("runbook_url", ""),
            unreserved_floor=data.get("unreserved_floor", 100),
            quotas=Quotas(**data.get("quotas", {})),
            own_concurrency=data.get("own_concurrency", "reserved"),
            stack=data.get("stack"),
            notices=Notices.from_json(data.get("notices", {})),
            approvals=Approvals(**data.get("approvals", {})),
            demotion=Demotion(**data.get("demotion", {})),
            recovery=Recovery.from_json(data["recovery"]) if data.get("recovery") else None,
        )


def _table(key: str, data: Mapping[str, Any]) -> Table:
    indexes = {name: Index(name, **one) for name, one in data.get("indexes", {}).items()}
    return Table(key=key, **{**data, "indexes": indexes})
