"""What to watch of each SQS queue that a service declares: is its work done, and is any of it given up?"""

from __future__ import annotations

from alarms.lateness import points
from alarms.slo import runbook_link
from alarms.spec import AlarmSpec, AnySpec, dimensions
from alarms.wire import Api, alarm_name
from sereno.service import Queue, Service

NAMESPACE = "AWS/SQS"


def alarms(service: Service) -> list[AnySpec]:
    """The alarms of all queues of the service."""
    found: list[AnySpec] = []
    for queue in service.queues.values():
        found.append(age(service, queue))
        if queue.dead_letters:
            found.append(dead_letters(service, queue, queue.dead_letters))
    return found


def age(service: Service, queue: Queue) -> AlarmSpec:
    """Messages wait too long."""
    return AlarmSpec(
        **_named(service, queue, "queue-age"),
        description=(
            f"The oldest message of {queue.name} is {queue.age_s} s old or more (`age` in sereno.yaml), in three of "
            "seven minutes: its consumer fails, or is too slow. SQS leaves out of this figure a message that was "
            "received three times and not deleted. An empty queue publishes nothing after six hours, which is no "
            "breach."
        ),
        namespace=NAMESPACE,
        metric_name="ApproximateAgeOfOldestMessage",
        dimensions=dimensions({"QueueName": queue.name}),
        statistic="Maximum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=float(queue.age_s),
        evaluation_periods=points(3),
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
    )


def dead_letters(service: Service, queue: Queue, name: str) -> AlarmSpec:
    """Work was given up."""
    return AlarmSpec(
        **_named(service, queue, "queue-dead-letters"),
        description=(
            f"There are messages in {name}: {queue.name} gave them up after as many receives as its redrive policy "
            "says. They stay in ALARM until someone handles them or their retention ends."
        ),
        namespace=NAMESPACE,
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions=dimensions({"QueueName": name}),
        statistic="Maximum",
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1.0,
        evaluation_periods=points(1),
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def _named(service: Service, queue: Queue, what: str) -> Api:
    return {
        "name": alarm_name(service.name, queue.key, what),
        "severity": "ticket",
        "runbook": runbook_link(service, what),
    }
