"""CloudFormation on the embedded AWS refuses what the real one refuses, and ends a failure as the real one does."""

import json

import boto3
import moto
import pytest
from botocore.exceptions import ClientError

from deploy import embedded, golden

REGION = "eu-west-1"
TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}}
LOG = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain", "Properties": {"LogGroupName": "/kept"}}
VAULT = {
    "Type": "AWS::Backup::BackupVault",
    "DeletionPolicy": "Retain",
    "Properties": {"BackupVaultName": "kept"},
}
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "holds-something"}}


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws(config=embedded.MOCK_CONFIG), embedded.shims_at_work(REGION):
        yield lambda service: boto3.client(service, region_name=REGION)


def carried_out(aws, template, *, kind="CREATE", stack="watch", **asked):
    """The stack's status after a change set; and the actions that the change set shows."""
    client = aws("cloudformation")
    body = json.dumps(template)
    made = client.create_change_set(
        StackName=stack, ChangeSetName="one", ChangeSetType=kind, TemplateBody=body, **asked
    )
    shown = client.describe_change_set(ChangeSetName=made["Id"])["Changes"]
    client.execute_change_set(ChangeSetName=made["Id"])
    status = client.describe_stacks(StackName=made["StackId"])["Stacks"][0]["StackStatus"]
    return status, {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Action"] for one in shown}


def resources(**named):
    return {"Resources": named}


def test_a_name_that_is_taken_rolls_a_creation_back(aws):
    aws("sns").create_topic(Name="news")
    status, _ = carried_out(aws, resources(Topic=TOPIC, Log=LOG))
    assert status == "ROLLBACK_COMPLETE"
    events = aws("cloudformation").describe_stack_events(StackName="watch")["StackEvents"]
    assert "news already exists" in {one.get("ResourceStatusReason") for one in events}


def test_a_refusal_of_the_service_behind_a_resource_rolls_a_creation_back(aws):
    wildcards = [{"wildcard": f"a/*/{number}"} for number in range(9)]
    rule = {"Type": "AWS::Events::Rule", "Properties": {"Name": "r", "EventPattern": {"detail": {"a": wildcards}}}}
    status, _ = carried_out(aws, resources(Topic=TOPIC, Rule=rule))
    assert status == "ROLLBACK_COMPLETE"
    assert aws("sns").list_topics()["Topics"] == [], "what was made before the failure is gone"


def test_an_update_that_fails_sets_everything_back(aws):
    days = {**LOG, "Properties": {**LOG["Properties"], "RetentionInDays": 7}}
    carried_out(aws, resources(Log=days, Topic=TOPIC))
    more = {**LOG, "Properties": {**LOG["Properties"], "RetentionInDays": 30}}
    wildcards = [{"wildcard": f"a/*/{number}"} for number in range(9)]
    rule = {"Type": "AWS::Events::Rule", "Properties": {"Name": "r", "EventPattern": {"detail": {"a": wildcards}}}}
    new = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "new"}}
    status, _ = carried_out(aws, resources(Log=more, New=new, Rule=rule), kind="UPDATE")
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    (group,) = aws("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 7
    assert [one["TopicArn"].rsplit(":", 1)[1] for one in aws("sns").list_topics()["Topics"]] == ["news"]
    assert carried_out(aws, resources(Log=more, Topic=TOPIC), kind="UPDATE")[0] == "UPDATE_COMPLETE"
    (group,) = aws("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 30


def test_a_policy_goes_after_the_role_that_has_it(aws):
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    lambdas = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [lambdas]}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": "r",
            "AssumeRolePolicyDocument": trust,
            "ManagedPolicyArns": [{"Ref": "Policy"}],
        },
    }
    bare = {**role, "Properties": {**role["Properties"], "ManagedPolicyArns": []}}
    iam = aws("iam")
    assert carried_out(aws, resources(Policy=policy, Role=role))[0] == "CREATE_COMPLETE"
    assert carried_out(aws, resources(Role=bare), kind="UPDATE")[0] == "UPDATE_COMPLETE"
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert carried_out(aws, resources(Policy=policy, Role=role), kind="UPDATE")[0] == "UPDATE_COMPLETE"
    aws("cloudformation").delete_stack(StackName="watch")
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert iam.list_roles()["Roles"] == []


def test_a_stack_in_rollback_complete_can_only_be_deleted(aws):
    aws("sns").create_topic(Name="news")
    carried_out(aws, resources(Topic=TOPIC))
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        carried_out(aws, resources(Log=LOG), kind="UPDATE")
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        carried_out(aws, resources(Log=LOG))
    aws("cloudformation").delete_stack(StackName="watch")
    assert carried_out(aws, resources(Log=LOG))[0] == "CREATE_COMPLETE"


def test_an_update_without_changes_is_an_error(aws):
    client, body = aws("cloudformation"), json.dumps(resources(Topic=TOPIC))
    client.create_stack(StackName="watch", TemplateBody=body)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        client.update_stack(StackName="watch", TemplateBody=body)


@pytest.mark.parametrize("kept", [{"Log": LOG}, {"Vault": VAULT}])
def test_what_an_earlier_stack_kept_is_imported_on_create_and_on_update_and_never_made_twice(aws, kept):
    (logical_id,) = kept
    carried_out(aws, resources(Topic=TOPIC, **kept))
    aws("cloudformation").delete_stack(StackName="watch")
    assert carried_out(aws, resources(Topic=TOPIC, **kept))[0] == "ROLLBACK_COMPLETE"
    aws("cloudformation").delete_stack(StackName="watch")
    status, shown = carried_out(aws, resources(Topic=TOPIC, **kept), ImportExistingResources=True)
    assert (status, shown[logical_id], shown["Topic"]) == ("CREATE_COMPLETE", "Import", "Add")
    assert carried_out(aws, resources(Topic=TOPIC), kind="UPDATE")[0] == "UPDATE_COMPLETE"
    assert carried_out(aws, resources(Topic=TOPIC, **kept), kind="UPDATE")[0] == "UPDATE_ROLLBACK_COMPLETE"
    again = carried_out(aws, resources(Topic=TOPIC, **kept), kind="UPDATE", ImportExistingResources=True)
    assert again == ("UPDATE_COMPLETE", {logical_id: "Import"})


def test_what_is_not_kept_or_belongs_to_another_stack_is_not_imported(aws):
    aws("logs").create_log_group(logGroupName="/kept")
    loose = {**LOG, "DeletionPolicy": "Delete"}
    assert carried_out(aws, resources(Log=loose), ImportExistingResources=True)[0] == "ROLLBACK_COMPLETE"
    assert carried_out(aws, resources(Log=LOG), stack="one", ImportExistingResources=True)[0] == "CREATE_COMPLETE"
    assert carried_out(aws, resources(Log=LOG), stack="two", ImportExistingResources=True)[0] == "ROLLBACK_COMPLETE"


def test_a_bucket_that_holds_something_keeps_its_stack(aws):
    carried_out(aws, resources(Bucket=BUCKET))
    aws("s3").put_object(Bucket="holds-something", Key="a", Body=b"")
    aws("cloudformation").delete_stack(StackName="watch")
    (stack,) = aws("cloudformation").describe_stacks(StackName="watch")["Stacks"]
    assert stack["StackStatus"] == "DELETE_FAILED"
    aws("s3").delete_object(Bucket="holds-something", Key="a")
    aws("cloudformation").delete_stack(StackName="watch")
    assert aws("s3").list_buckets()["Buckets"] == []


def test_the_stack_of_rehearsals_is_deployed_more_than_once(aws):
    rehearsals = golden.rehearsals_of(golden.REGIONS)
    log = rehearsals[REGION]["Resources"]["FaultLog"]
    for _ in range(2):
        assert carried_out(aws, resources(FaultLog=log), ImportExistingResources=True)[0] == "CREATE_COMPLETE"
        aws("cloudformation").delete_stack(StackName="watch")
    found = aws("logs").describe_log_groups(logGroupNamePrefix=log["Properties"]["LogGroupName"])["logGroups"]
    assert len(found) == 1
