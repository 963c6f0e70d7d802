"""A change set from its making to its end, against CloudFormation's answers."""

from __future__ import annotations

from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.stub import Stubber

from deploy.apply import change_set
from deploy.apply.change_set import CannotBeMade, ChangeSet, TookTooLong, Wanted

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/sereno-shop/1"
ID = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/s/1"
TEN = datetime(2026, 9, 29, 22, 0, tzinfo=UTC)
WANTED = Wanted("sereno-shop", "https://x", {"CodeKey": "k"}, creates=True, imports=True)


@pytest.fixture(scope="module")
def client():
    return botocore.session.get_session().create_client("cloudformation", region_name="eu-west-1")


@pytest.fixture
def cloudformation(client):
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def slept():
    waited: list[float] = []
    return waited, waited.append


def described(status, reason="", changes=(), token=None):
    answer = {"Status": status, "StatusReason": reason, "ChangeSetId": ID, "Changes": list(changes)}
    return answer | ({"NextToken": token} if token else {})


def change(logical_id):
    resource = {"Action": "Add", "LogicalResourceId": logical_id, "ResourceType": "AWS::SNS::Topic"}
    return {"Type": "Resource", "ResourceChange": resource}


def asked(**more):
    known = {
        "StackName": "sereno-shop",
        "ChangeSetName": "n",
        "ChangeSetType": "CREATE",
        "TemplateURL": "https://x",
        "Parameters": [{"ParameterKey": "CodeKey", "ParameterValue": "k"}],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": [],
        "IncludeNestedStacks": False,
    }
    return known | more


def test_a_change_set_is_waited_for_and_read_to_its_last_page(cloudformation):
    client, stub = cloudformation
    waited, sleep = slept()
    created = {"Id": ID, "StackId": STACK_ID}
    stub.add_response("create_change_set", created, asked(ImportExistingResources=True))
    stub.add_response("describe_change_set", described("CREATE_IN_PROGRESS"), {"ChangeSetName": ID})
    stub.add_response("describe_change_set", described("CREATE_COMPLETE", changes=[change("A")], token="t"))
    stub.add_response(
        "describe_change_set",
        described("CREATE_COMPLETE", changes=[change("B")]),
        {"ChangeSetName": ID, "NextToken": "t"},
    )
    found = change_set.make(client, WANTED, "n", sleep)
    assert [one["LogicalResourceId"] for one in found.changes] == ["A", "B"]
    assert waited == [change_set.POLL_S]


def test_drift_is_reverted_where_that_is_wished(cloudformation):
    client, stub = cloudformation
    wanted = Wanted("sereno-shop", "https://x", {"CodeKey": "k"}, creates=False, reverts_drift=True, nested=True)
    asking = asked(ChangeSetType="UPDATE", DeploymentMode="REVERT_DRIFT", IncludeNestedStacks=True)
    stub.add_response("create_change_set", {"Id": ID, "StackId": STACK_ID}, asking)
    stub.add_response("describe_change_set", described("CREATE_COMPLETE", changes=[change("A")]))
    assert not change_set.make(client, wanted, "n", slept()[1]).empty


def test_no_change_is_no_error_and_leaves_nothing_behind(cloudformation):
    client, stub = cloudformation
    stub.add_response("create_change_set", {"Id": ID, "StackId": STACK_ID}, None)
    reason = "The submitted information didn't contain changes. Submit different information to create a change set."
    stub.add_response("describe_change_set", described("FAILED", reason))
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    assert change_set.make(client, WANTED, "n", slept()[1]).empty


def test_a_refused_change_says_why(cloudformation):
    client, stub = cloudformation
    stub.add_response("create_change_set", {"Id": ID, "StackId": STACK_ID}, None)
    stub.add_response("describe_change_set", described("FAILED", "Template error: no such resource."))
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    with pytest.raises(CannotBeMade, match=r"refuses the change: Template error: no such resource$"):
        change_set.make(client, WANTED, "n", slept()[1])


def test_a_change_set_that_is_never_made_is_not_waited_for_for_ever(cloudformation, monkeypatch):
    client, stub = cloudformation
    monkeypatch.setattr(change_set, "MADE_WITHIN_S", 2 * change_set.POLL_S)
    stub.add_response("create_change_set", {"Id": ID, "StackId": STACK_ID}, None)
    for _ in range(3):
        stub.add_response("describe_change_set", described("CREATE_PENDING"))
    with pytest.raises(TookTooLong, match="CREATE_PENDING"):
        change_set.make(client, WANTED, "n", slept()[1])


def test_what_nobody_wants_is_taken_back_with_the_stack_that_it_began(cloudformation):
    client, stub = cloudformation
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    stub.add_response("delete_stack", {}, {"StackName": STACK_ID})
    change_set.drop(client, ChangeSet(ID, STACK_ID), with_stack=True)
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    change_set.drop(client, ChangeSet(ID, STACK_ID), with_stack=False)


def stack(status):
    return {"Stacks": [{"StackName": "sereno-shop", "StackId": STACK_ID, "CreationTime": TEN, "StackStatus": status}]}


def event(number, logical_id, status, kind="AWS::SNS::Topic", physical="p", reason=""):
    return {
        "StackId": STACK_ID,
        "EventId": str(number),
        "StackName": "sereno-shop",
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical,
        "ResourceType": kind,
        "Timestamp": TEN,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def events(stub, *newest_first, name=STACK_ID):
    stub.add_response("describe_stack_events", {"StackEvents": list(newest_first)}, {"StackName": name})


def test_each_event_is_told_once_in_its_order_and_old_ones_not_at_all(cloudformation):
    client, stub = cloudformation
    old = event(0, "Old", "CREATE_COMPLETE")
    begun, done = event(1, "A", "UPDATE_IN_PROGRESS"), event(2, "A", "UPDATE_COMPLETE")
    events(stub, old)
    stub.add_response("describe_stacks", stack("UPDATE_IN_PROGRESS"))
    events(stub, begun, old)
    stub.add_response("describe_stacks", stack("UPDATE_COMPLETE"))
    events(stub, done, begun, old)
    heard = []
    status, found = change_set.watch(client, STACK_ID, lambda: None, heard.append, slept()[1])
    assert status == "UPDATE_COMPLETE"
    assert [one.status for one in heard] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    assert found == heard


def test_the_status_of_before_is_not_taken_for_the_end(cloudformation):
    client, stub = cloudformation
    events(stub)
    stub.add_response("describe_stacks", stack("CREATE_COMPLETE"))
    events(stub)
    stub.add_response("describe_stacks", stack("UPDATE_COMPLETE"))
    events(stub, event(1, "A", "UPDATE_COMPLETE"))
    assert change_set.watch(client, STACK_ID, lambda: None, sleep=slept()[1])[0] == "UPDATE_COMPLETE"


def test_what_failed_inside_a_nested_stack_is_looked_up(cloudformation):
    client, stub = cloudformation
    nested = "arn:aws:cloudformation:eu-west-1:123456789012:stack/nested/2"
    outer = event(1, "AlarmsA", "CREATE_FAILED", change_set.STACK, nested, "Embedded stack was not created")
    events(stub)
    stub.add_response("describe_stacks", stack("ROLLBACK_COMPLETE"))
    events(stub, outer)
    events(stub, event(9, "A", "CREATE_FAILED", reason="Rate exceeded"), name=nested)
    _, found = change_set.watch(client, STACK_ID, lambda: None, sleep=slept()[1])
    assert [one.logical_id for one in found] == ["AlarmsA", "A"]


def test_a_stack_that_takes_for_ever_is_left_to_itself(cloudformation, monkeypatch):
    client, stub = cloudformation
    monkeypatch.setattr(change_set, "DONE_WITHIN_S", 0)
    events(stub)
    stub.add_response("describe_stacks", stack("UPDATE_IN_PROGRESS"))
    events(stub)
    with pytest.raises(TookTooLong, match="still UPDATE_IN_PROGRESS"):
        change_set.watch(client, STACK_ID, lambda: None, sleep=slept()[1])


def test_a_deleted_stack_is_gone(cloudformation):
    client, stub = cloudformation
    events(stub)
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    stub.add_client_error("describe_stack_events", "ValidationError", "does not exist", expected_params=None)
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    events(stub, event(1, "A", "DELETE_COMPLETE"))
    assert change_set.watch(client, STACK_ID, lambda: None, sleep=slept()[1])[0] == "DELETE_COMPLETE"


def test_the_last_operation_ends_where_it_began(cloudformation):
    client, stub = cloudformation
    begun = event(3, "sereno-shop", "UPDATE_IN_PROGRESS", change_set.STACK)
    before = event(2, "Old", "CREATE_FAILED")
    events(stub, event(4, "A", "UPDATE_FAILED"), begun, before)
    found = change_set.last_operation(change_set.events(client, STACK_ID))
    assert [one.logical_id for one in found] == ["A", "sereno-shop"]
