"""EventBridge rules: which alarm starts which remediator.

One rule serves a remediator however many alarms there are: it matches the alarm's ARN by prefix (the service) and
its name by suffix (the *what*). No pattern has a wildcard: EventBridge refuses a rule of several as "too complex".
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from deploy.synth import names
from sereno.errors import InvalidInput, Problem
from sereno.model import Json
from sereno.partition import partition
from sereno.service import WITHOUT_ALARM, Service

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
PATTERN_LIMIT = 2048
# Handlers refuse older signals as stale, and the round has long seen the alarm by then.
MAX_AGE_S = 900
TARGET_RETRY = {"MaximumEventAgeInSeconds": MAX_AGE_S, "MaximumRetryAttempts": 185}


def first_rung(service: Service, remediator: str) -> list[str]:
    """The *whats* whose first rung this remediator stands on. Later rungs are started by the round, never by an
    event; so are planned events, which no alarm announces, and what becomes of a region, which its witnesses say."""
    return [what for what, play in service.playbook.items() if what not in WITHOUT_ALARM and remediator in play.first]


def patterns(service: Service, remediator: str) -> list[Json]:
    """The event patterns that start a remediator: as few as EventBridge's limit allows; none when it is first for
    nothing.

    Alarms that follow Sereno's naming are matched by prefix and suffix. Bound alarms have names of their own, which
    the prefix would exclude: they are matched by exact name, in patterns of their own. Raises InvalidInput for a
    bound alarm whose name alone is too long.
    """
    whats = first_rung(service, remediator)
    suffixes: list[str | Json] = [{"suffix": f"/{what}"} for what in whats]
    bound: list[str | Json] = [
        name
        for name, (what, _) in service.bindings.items()
        if what in whats and not _follows_naming(service, name, whats)
    ]
    own, exact = _own_pattern(service), _pattern(service)
    return [
        *(_matching(own, chunk) for chunk in _chunks(own, suffixes)),
        *(_matching(exact, chunk) for chunk in _chunks(exact, bound)),
    ]


def _follows_naming(service: Service, name: str, whats: Iterable[str]) -> bool:
    """Whether the prefix and the suffixes match this alarm already: a second rule would start it twice."""
    return name.startswith(f"{service.name}/") and name.endswith(tuple(f"/{what}" for what in whats))


def _own_pattern(service: Service) -> Json:
    """The pattern of the service's own alarms. The slash keeps `shop` apart from `shop-eu`."""
    start = f"arn:{partition(service.region)}:cloudwatch:{service.region}:{service.account}:alarm:{service.name}/"
    return {**_pattern(service), "resources": [{"prefix": start}]}


def _pattern(service: Service) -> Json:
    """The pattern of any alarm in ALARM, still without names."""
    return {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "account": [service.account],
        "region": [service.region],
        "detail": {"state": {"value": ["ALARM"]}},
    }


def _matching(pattern: Json, alarm_names: Iterable[str | Json]) -> Json:
    """The pattern for these names."""
    return {**pattern, "detail": {"alarmName": list(alarm_names), **pattern["detail"]}}


def size(pattern: Json) -> int:
    """The characters that EventBridge counts."""
    return len(json.dumps(pattern, separators=(",", ":")))


def _chunks(pattern: Json, matchers: list[str | Json]) -> Iterator[list[str | Json]]:
    """The matchers in as few lists as keep each pattern within the limit."""
    chunk: list[str | Json] = []
    for matcher in matchers:
        if size(_matching(pattern, [matcher])) > PATTERN_LIMIT:
            fix = f"makes an event pattern of over {PATTERN_LIMIT} characters (rename the alarm)"
            raise InvalidInput("sereno.yaml", [Problem("bind", matcher, fix)])
        if chunk and size(_matching(pattern, [*chunk, matcher])) > PATTERN_LIMIT:
            yield chunk
            chunk = []
        chunk.append(matcher)
    if chunk:
        yield chunk


def resources(service: Service, remediator: str, function_id: str) -> Json:
    """The rules of a remediator and their leave to invoke its function."""
    found: Json = {}
    for number, pattern in enumerate(patterns(service, remediator), start=1):
        name = names.rule(service, remediator, number)
        found |= to_function(
            name,
            function_id,
            {"EventPattern": pattern, "Description": f"Alarms that {remediator} answers first"},
            TARGET_RETRY,
        )
    return found


def of_round(service: Service, function_id: str) -> Json:
    """The round's rules: the minute, and changes of the service's stack."""
    found = to_function(
        f"sereno-{service.name}-minute",
        function_id,
        {"ScheduleExpression": "rate(1 minute)", "Description": "The round looks at the world again"},
        # A round that is late is worth nothing: the next one comes within the minute.
        {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0},
    )
    if service.stack:
        arn = names.rule_arn(service, "").split(":events:")[0]
        prefix = f"{arn}:cloudformation:{service.region}:{service.account}:stack/{service.stack}/"
        pattern = {
            "source": ["aws.cloudformation"],
            "detail-type": ["CloudFormation Stack Status Change"],
            "account": [service.account],
            "region": [service.region],
            "detail": {"stack-id": [{"prefix": prefix}]},
        }
        text = f"While the stack {service.stack} changes, Sereno waits"
        found |= to_function(
            f"sereno-{service.name}-stack",
            function_id,
            {"EventPattern": pattern, "Description": text},
            TARGET_RETRY,
        )
    return found


def to_function(
    name: str,
    function_id: str,
    properties: Json,
    retry: Json,
    *,
    data: str | None = None,
    keeps_failures: bool = True,
) -> Json:
    """A rule with one function as its target, and the function's leave for exactly this rule.

    The dead-letter queue (where there is one: `keeps_failures`) holds what EventBridge could not deliver; a handler's
    own failure goes to the same queue by the function's OnFailure destination.
    """
    rule_id = names.logical("Rule", name)
    target = {
        "Id": "function",
        "Arn": {"Fn::GetAtt": [function_id, "Arn"]},
        **({"DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}} if keeps_failures else {}),
        "RetryPolicy": retry,
        **({"Input": data} if data else {}),
    }
    return {
        rule_id: {
            "Type": "AWS::Events::Rule",
            "Properties": {"Name": name, "State": "ENABLED", **properties, "Targets": [target]},
        },
        f"{rule_id}Leave": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": function_id},
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": [rule_id, "Arn"]},
            },
        },
    }
