"""Sereno's own alarms: who watches the watchman.

Their names begin with `sereno-<service>/`, which no rule of the service matches: they tell people and never start a
remediator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alarms.lateness import points, silent_points
from alarms.slo import runbook_link
from alarms.spec import AlarmSpec, AnySpec, MetricQuery, dimensions
from alarms.wire import alarm_name
from sereno.service import WITHOUT_ALARM, Service

LEDGER_INDEX = "open"
"""The index of the ledger's open remediations."""


def alarms(
    service: Service, *, functions: Sequence[str] | None = None, rules: Sequence[str] | None = None
) -> list[AnySpec]:
    """The alarms on Sereno's own parts. `functions` and `rules` are their names on AWS; left out, they are those
    that the playbook leads to."""
    own_functions = default_functions(service) if functions is None else functions
    own_rules = default_rules(service) if rules is None else rules
    found: list[AnySpec] = [heartbeat(service), dead_letters(service), unpublished(service)]
    found += [untold(service), undeliverable(service), failed_deliveries(service), unrouted(service)]
    found.append(ledger_throttled(service))
    if service.emails:
        found.append(unsubscribed(service))
    if service.notices.slack is not None and service.notices.slack.approvers:
        found.append(forged(service))
    if any(play.remediators for play in service.playbook.values()):
        found.append(not_ready(service))
    found += [failing(service, name) for name in own_functions]
    found += [undelivered(service, name) for name in own_rules]
    return found


def default_functions(service: Service) -> list[str]:
    """One function for each remediator of the playbook, the round, those that tell people, the widget's, and the
    prober where there is a second region."""
    used = dict.fromkeys(name for play in service.playbook.values() for name in play.remediators)
    buttons = ["actions"] if service.notices.listens else []
    prober = ["prober"] if _tries(service) else []
    return [_own(service, name) for name in (*used, "round", "notifier", "widget", *buttons, *prober)]


def default_rules(service: Service) -> list[str]:
    """One rule for each remediator that answers an alarm first, and those of the round, digests and self-tests."""
    first = dict.fromkeys(
        name for what, play in service.playbook.items() for name in play.first if what not in WITHOUT_ALARM
    )
    used = {name for play in service.playbook.values() for name in play.remediators}
    tests = [f"{_own(service, 'self-test')}-{number + 1}" for number in range(-(-len(used) // 5))]
    return [
        *(f"{_own(service, name)}-1" for name in first),
        *(_own(service, one) for one in ("minute", "digest")),
        *([_own(service, "prober-minute")] if _tries(service) else []),
        *tests,
    ]


def _tries(service: Service) -> bool:
    recovery = service.recovery
    return recovery is not None and service.region in (recovery.primary, recovery.standby)


def heartbeat(service: Service) -> AlarmSpec:
    """The round does not run: nothing is verified, taken back or escalated."""
    return _alarm(
        service,
        "round",
        "heartbeat",
        "page",
        "The reconciler, which runs once a minute, has not completed for two minutes. Silence is the failure, so a "
        "minute without a datapoint counts as 0; three minutes more are looked at, because metrics come late. It is "
        "first evaluated ten minutes after its creation, when the reconciler must have run. Until it runs again "
        "nothing is verified, reverted or escalated.",
        period=None,
        metrics=silence("Sereno", "RoundCompleted", service),
        comparison_operator="LessThanThreshold",
        evaluation_periods=silent_points(2),
        datapoints_to_alarm=silent_points(2),
        treat_missing_data="breaching",
        warm_up_minutes=10,
    )


def silence(namespace: str, name: str, service: Service) -> tuple[MetricQuery, ...]:
    """The queries of a metric that counts each minute, with 0 where a minute has no datapoint.

    Treating missing data as breaching would wait until the last datapoint has left the evaluation range, whose size
    is not published: up to ten minutes longer.
    """
    where = dimensions({"service": service.name})
    return (
        MetricQuery("runs", "FILL(completed, 0)", label="runs"),
        MetricQuery("completed", None, namespace, name, where, 60, "Sum", return_data=False),
    )


def dead_letters(service: Service) -> AlarmSpec:
    """Events that nobody could take."""
    queue = f"sereno-{service.name}-dlq"
    return _alarm(
        service,
        "queue",
        "dead-letters",
        "page",
        f"There are messages in {queue}: events that could not be delivered, or that a remediator failed on. Each is "
        "a signal that was not answered; the round answers for alarms that are still red. The queue sleeps when it "
        "is empty for long and then publishes nothing, which is no breach.",
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions=dimensions({"QueueName": queue}),
        statistic="Maximum",
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def unpublished(service: Service) -> AlarmSpec:
    """People are not told."""
    return _alarm(
        service,
        "outbox",
        "unpublished",
        "page",
        "Notifications of remediations were not confirmed in three of seven minutes. The ledger keeps them and the "
        "round sends them again each minute, so a single failure heals itself; this one does not.",
        namespace="Sereno",
        metric_name="Unpublished",
        dimensions=dimensions({"service": service.name}),
        statistic="Sum",
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
    )


def untold(service: Service) -> AlarmSpec:
    """People are told late, or not at all: a channel is away or refuses what it is sent, or nothing reads the queue.

    The queue's age alone would not do: SQS leaves out of it what was received three times and not deleted, which is
    what a channel that is away does to a message within minutes. So the notifier counts what it leaves there.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    The notifier looks at a message again at most a quarter of an hour later; four periods of
    five minutes bridge that.
    """
    queue = f"sereno-{service.name}-notices"
    return _alarm(
        service,
        "notices",
        "untold",
        "page",
        f"A message in {queue} is older than five minutes: a channel (Slack, PagerDuty, email) does not "
        "take it, or the notifier does not run. Nothing is lost, it is tried again and again; but who waits for "
        "Slack hears nothing. This alarm goes to the topic of people by itself, past the notifier, and stays for up "
        "to twenty minutes after the last message that waited.",
        period=None,
        metrics=(
            MetricQuery("waits", "MAX([age / 300, left])", label="waiting for five minutes"),
            MetricQuery(
                "age",
                None,
                "AWS/SQS",
                "ApproximateAgeOfOldestMessage",
                dimensions({"QueueName": queue}),
                300,
                "Maximum",
                return_data=False,
            ),
            MetricQuery(
                "left",
                None,
                "Sereno",
                "Untold",
                dimensions({"service": service.name}),
                300,
                "Sum",
                return_data=False,
            ),
        ),
        evaluation_periods=4,
        datapoints_to_alarm=1,
    )


def undeliverable(service: Service) -> AlarmSpec:
    """News that people were never told."""
    queue = f"sereno-{service.name}-notices-dead"
    return _alarm(
        service,
        "notices",
        "undeliverable",
        "page",
        f"There are messages in {queue}: the notifier could not read them, or no channel took them for a day. What "
        "they tell stands in the ledger.",
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions=dimensions({"QueueName": queue}),
        statistic="Maximum",
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def unrouted(service: Service) -> AlarmSpec:
    """A page that no route takes to anybody."""
    return _alarm(
        service,
        "notices",
        "unrouted",
        "page",
        "A page came while no route for pages was open, so the notifier sent it to nobody. This alarm goes to the "
        "topic of people by itself. `sereno check` refuses a configuration with such hours; the deployed one is "
        "older.",
        namespace="Sereno",
        metric_name="Unrouted",
        dimensions=dimensions({"service": service.name}),
        statistic="Sum",
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def forged(service: Service) -> AlarmSpec:
    """Requests to the buttons' address that Slack has not signed, or that no button of the service makes.

    The address is open to the internet, so a scanner alone makes a few. Ten in five minutes are somebody who tries.
    """
    return _alarm(
        service,
        "buttons",
        "forged",
        "ticket",
        "Ten requests or more within 5 minutes came to the address of Slack's buttons without a valid signature, "
        "twice, or from a person who is not among notifications.slack.approvers. All were refused and nothing was "
        "changed. Somebody tries the address, or the signing secret in Secrets Manager is not the app's.",
        namespace="Sereno",
        metric_name="Forged",
        dimensions=dimensions({"service": service.name}),
        statistic="Sum",
        period=300,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        threshold=10.0,
    )


def failed_deliveries(service: Service) -> AlarmSpec:
    """SNS could not deliver what was published.

    The usual cause is a customer key whose policy does not admit SNS: the publisher sees no error.
    https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """
    topics = {"machines": f"sereno-{service.name}", "people": f"sereno-{service.name}-people"}
    queries = [
        MetricQuery(
            part,
            None,
            "AWS/SNS",
            "NumberOfNotificationsFailed",
            dimensions({"TopicName": topic}),
            60,
            "Sum",
            return_data=False,
        )
        for part, topic in topics.items()
    ]
    return _alarm(
        service,
        "topics",
        "failed-deliveries",
        "page",
        f"SNS could not deliver messages of {' or '.join(topics.values())}. The publisher sees no error. The usual "
        "cause is a customer key whose policy does not admit sns.amazonaws.com. What the notifier's queue did not "
        "get is kept in the dead-letter queue.",
        period=None,
        metrics=(MetricQuery("failed", "SUM(METRICS())", label="failed deliveries"), *queries),
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def unsubscribed(service: Service) -> AlarmSpec:
    """An address of the configuration does not hear."""
    return _alarm(
        service,
        "notices",
        "unsubscribed",
        "ticket",
        "An address of notifications.emails is not subscribed: nobody opened the link of the confirmation mail, or "
        "somebody used the link to unsubscribe. CloudFormation does not see it. The notifier looks once an hour, and "
        "its log names the address.",
        namespace="Sereno",
        metric_name="Unsubscribed",
        dimensions=dimensions({"service": service.name}),
        statistic="Sum",
        period=3600,
        evaluation_periods=2,
        datapoints_to_alarm=1,
    )


def not_ready(service: Service) -> AlarmSpec:
    """A remediator could not act if it had to."""
    return _alarm(
        service,
        "remediators",
        "not-ready",
        "ticket",
        "In two of three self-tests (one every five minutes) a remediator could not look at its target, or its role "
        "may not make its changes. It would fail when it is needed; the log names what is missing.",
        namespace="Sereno",
        metric_name="NotReady",
        dimensions=dimensions({"service": service.name}),
        statistic="Sum",
        period=300,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )


def ledger_throttled(service: Service) -> AlarmSpec:
    """What Sereno writes down is turned away.

    The ledger is on demand, which takes twice its highest traffic of the last half hour at once; a table's value
    leaves its index out.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
    """
    table = {"TableName": f"sereno-{service.name}-ledger"}
    index = table | {"GlobalSecondaryIndexName": LEDGER_INDEX}
    queries = [
        MetricQuery(
            f"{kind}_{part}",
            None,
            "AWS/DynamoDB",
            f"{kind.capitalize()}ThrottleEvents",
            dimensions(where),
            60,
            "Sum",
            return_data=False,
        )
        for part, where in (("table", table), ("index", index))
        for kind in ("read", "write")
    ]
    return _alarm(
        service,
        "ledger",
        "throttled",
        "page",
        "DynamoDB throttled calls to Sereno's ledger in three of seven minutes. A call is tried again; while calls "
        "fail, Sereno only observes, for it changes nothing that it cannot write down first. This alarm goes to the "
        "topic of people by itself.",
        period=None,
        metrics=(MetricQuery("events", "SUM(METRICS())", label="throttled calls"), *queries),
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
    )


def failing(service: Service, function: str) -> AlarmSpec:
    """One of Sereno's functions fails."""
    return _alarm(
        service,
        function,
        "errors",
        "ticket",
        f"Sereno's function {function} failed in two of six minutes. A failed event is tried again and then goes "
        "to the dead-letter queue.",
        namespace="AWS/Lambda",
        metric_name="Errors",
        dimensions=dimensions({"FunctionName": function}),
        statistic="Sum",
        evaluation_periods=points(2),
        datapoints_to_alarm=2,
    )


def undelivered(service: Service, rule: str) -> AlarmSpec:
    """EventBridge could not start one of Sereno's functions."""
    return _alarm(
        service,
        rule,
        "undelivered",
        "ticket",
        f"EventBridge gave up delivering an event of the rule {rule}, after all its retries. The usual cause is a "
        "missing permission to invoke the function.",
        namespace="AWS/Events",
        metric_name="FailedInvocations",
        dimensions=dimensions({"RuleName": rule}),
        statistic="Sum",
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
    )


def _own(service: Service, part: str) -> str:
    return f"sereno-{service.name}-{part.replace('_', '-')}"


def _alarm(service: Service, part: str, what: str, severity: str, description: str, **changed: Any) -> AlarmSpec:
    return own_alarm(service, part, what, severity, description, f"watchman-{what}", **changed)


def own_alarm(
    service: Service, part: str, what: str, severity: str, description: str, chapter: str, **changed: Any
) -> AlarmSpec:
    """An alarm under Sereno's own name, which starts no remediator, with its chapter of the runbook: by default at
    least one in a minute breaches, and silence does not."""
    fields: dict[str, Any] = {
        "period": 60,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": 1.0,
        "treat_missing_data": "notBreaching",
    }
    return AlarmSpec(
        name=alarm_name(f"sereno-{service.name}", part, what),
        severity=severity,
        description=description,
        runbook=runbook_link(service, chapter),
        **(fields | changed),
    )
