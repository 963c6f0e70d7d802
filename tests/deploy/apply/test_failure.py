"""A failed deployment names the line that matters, not the last one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy.apply import failure
from deploy.apply.failure import Happening

TEN = datetime(2026, 9, 29, 22, 0, tzinfo=UTC)


def line(second, logical_id, status, reason="", kind="AWS::Lambda::Function", stack="sereno-shop"):
    at = TEN + timedelta(seconds=second)
    return Happening(at, stack, logical_id, f"physical-{logical_id}", kind, status, reason, f"{second}-{logical_id}")


ROOM = (
    "Resource handler returned message: \"Specified ReservedConcurrentExecutions for function decreases account's "
    'UnreservedConcurrentExecution below its minimum value of [100]."'
)
FAILED = [
    line(0, "sereno-shop", "CREATE_IN_PROGRESS", kind=failure.STACK),
    line(5, "Round", "CREATE_IN_PROGRESS"),
    line(9, "Round", "CREATE_FAILED", ROOM),
    line(9.5, "Remediator", "CREATE_FAILED", "Resource creation cancelled"),
    line(10, "sereno-shop", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed: [Round]", kind=failure.STACK),
    line(40, "sereno-shop", "ROLLBACK_COMPLETE", kind=failure.STACK),
]


def test_the_first_cause_is_told_with_its_mend():
    found = failure.first(list(reversed(FAILED)))
    assert found is not None
    assert found.logical_id == "Round"
    assert "Service Quotas" in found.mend
    assert "UnreservedConcurrentExecution" in str(found)


def test_a_nested_stack_is_no_cause_while_one_of_its_resources_is():
    inside = line(8, "A", "CREATE_FAILED", "Rate exceeded", kind="AWS::CloudWatch::Alarm", stack="nested")
    outside = line(7, "AlarmsA", "CREATE_FAILED", "Embedded stack was not created", kind=failure.STACK)
    found = failure.first([outside, inside])
    assert found is not None
    assert (found.logical_id, "throttled" in found.mend) == ("A", True)
    alone = failure.first([outside])
    assert alone is not None
    assert alone.logical_id == "AlarmsA"


def test_a_delete_that_failed_is_a_cause_too_and_success_has_none():
    found = failure.first([line(3, "Ledger", "DELETE_FAILED", "deletion protection")])
    assert found is not None
    assert found.mend == ""
    assert failure.first(FAILED[:2]) is None


def test_only_followers_are_better_than_nothing():
    found = failure.first([FAILED[3]])
    assert found is not None
    assert found.logical_id == "Remediator"


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("sereno-shop-ledger already exists", "rename"),
        ("User: arn:aws:iam::1:user/x is not authorized to perform: lambda:CreateFunction", "lack the permission"),
        ("Your access has been denied by S3, please make sure GetObject: The specified key does not exist", "bucket"),
        ("TooManyRequestsException: Rate exceeded", "Deploy again"),
        ("User: arn:aws:iam::1:user/x is not authorized to perform: iam:CreateRole", "docs/deploy-policies.md"),
        ("Event pattern is not valid. Reason: Rule is too complex - try using fewer wildcard", "prefix or suffix"),
        ("Maximum policy size of 10240 bytes exceeded for role sereno-shop-RoundRole (LimitExceeded)", "split"),
        ("Cannot exceed quota for PolicySize: 6144", "split"),
        ("arn:aws:backup:eu-west-1:1:backup-vault:sereno-shop AlreadyExistsException", "takes over"),
        ("No updates are to be performed.", "nothing has to be done"),
        ("Stack:arn is in ROLLBACK_COMPLETE state and can not be updated.", "offers that"),
        ("API: s3:PutBucketPolicy Access Denied", "no permission changes that"),
        (
            "User: x is not authorized to perform: s3:PutBucketPolicy on resource: y because public policies are "
            "prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            "without a public bucket",
        ),
        ("Rate exceeded for operation 'PutMetricAlarm: not authorized to wait'", "throttled"),
        ("The KMS key policy: kms:Decrypt", "customer key"),
        ("Maximum number of rules exceeded: LimitExceeded", "quota"),
    ],
)
def test_common_reasons_have_a_mend(reason, word):
    assert word in failure.mend(reason)


def test_an_event_of_cloudformation_becomes_a_happening():
    event = {
        "Timestamp": TEN,
        "StackName": "s",
        "EventId": "1",
        "LogicalResourceId": "s",
        "ResourceType": failure.STACK,
    }
    found = Happening.of({**event, "ResourceStatus": "CREATE_COMPLETE"})
    assert (found.of_stack, found.failed, found.reason) == (True, False, "")
