"""The schedule of the self-tests: every five minutes each remediator proves that it could act."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.synth import names
from sereno.model import Json
from sereno.service import Service

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
TARGETS_A_RULE = 5
# A test that is late is worth nothing: the next one comes.
RETRY = {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 0}


def resources(service: Service, functions: Sequence[str]) -> Json:
    """Rules over the functions with these logical ids, five to a rule, and their leave to invoke each."""
    found: Json = {}
    for number, start in enumerate(range(0, len(functions), TARGETS_A_RULE), start=1):
        rule = f"SelfTest{number}"
        these = functions[start : start + TARGETS_A_RULE]
        found[rule] = {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": names.self_test_rule(service, number),
                "State": "ENABLED",
                "Description": "Each remediator proves that it could act, and changes nothing",
                "ScheduleExpression": "rate(5 minutes)",
                "Targets": [
                    {
                        "Id": one,
                        "Arn": {"Fn::GetAtt": [one, "Arn"]},
                        "Input": '{"sereno":"self-test"}',
                        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
                        "RetryPolicy": RETRY,
                    }
                    for one in these
                ],
            },
        }
        for one in these:
            found[f"{one}SelfTestLeave"] = {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": {"Ref": one},
                    "Principal": "events.amazonaws.com",
                    "SourceArn": {"Fn::GetAtt": [rule, "Arn"]},
                },
            }
    return found
