"""A small watch and TechModa's service, created once, and looked at through the APIs.

`watch.template.json` holds every type that Sereno's own template may hold, joined by references as there.
"""

import json
from pathlib import Path

import boto3
import moto
import pytest

from deploy import embedded_service
from deploy.apply import resolve
from deploy.embedded import MOCK_CONFIG, create_stack
from deploy.embedded_shims import SHIMS
from deploy.sam import translate

REGION, ACCOUNT = "eu-west-1", "123456789012"
WATCH = json.loads((Path(__file__).parent / "watch.template.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def aws():
    with pytest.MonkeyPatch.context() as patch, moto.mock_aws(config=MOCK_CONFIG):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield lambda service: boto3.client(service, region_name=REGION)


@pytest.fixture(scope="module")
def watch(aws):
    return create_stack("watch", WATCH, region=REGION, account=ACCOUNT, parameters={"Service": "techmoda"})


@pytest.fixture(scope="module")
def techmoda():
    template = Path(__file__).parents[2] / "examples" / "techmoda" / "template.yaml"
    return translate(template, {"Release": "7"}, region=REGION, account=ACCOUNT)


def test_everything_whose_condition_holds_exists(watch):
    assert set(watch.resources) == set(WATCH["Resources"]) - {"OnlyInTest"}
    assert watch.physical("Ledger") == "techmoda-ledger"
    assert watch.of_type("AWS::CloudWatch::Alarm") == {
        "Throttles": "techmoda/read/throttles",
        "Errors5xx": "techmoda/api/errors",
    }


def test_outputs_are_resolved(watch):
    assert watch.outputs == {
        "Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:techmoda-remediations",
        "Live": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:techmoda-round:live",
        "Down": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:techmoda/service/down",
    }


def test_a_new_alarm_knows_nothing_yet_as_on_aws(aws, watch):
    alarms = aws("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {one["AlarmName"]: one["StateValue"] for one in alarms} == {
        "techmoda/read/throttles": "INSUFFICIENT_DATA",
        "techmoda/api/errors": "INSUFFICIENT_DATA",
    }
    throttles = next(one for one in alarms if one["AlarmName"].endswith("throttles"))
    assert throttles["DatapointsToAlarm"] == 2
    assert throttles["AlarmActions"] == [watch.physical("Topic")]
    assert [one["Id"] for one in throttles["Metrics"]] == ["rate", "throttled", "asked"]


def test_composites_are_handed_to_the_caller_with_their_rule_resolved(watch):
    down = watch.composites["techmoda/service/down"]
    assert down["AlarmRule"] == 'ALARM("techmoda/read/throttles") AND ALARM("techmoda/api/errors")'
    assert down["AlarmActions"] == [watch.physical("Topic")]


def test_the_function_has_its_slice_its_settings_and_its_alias(aws, watch):
    lambda_ = aws("lambda")
    known = lambda_.get_function(FunctionName="techmoda-round")
    assert known["Concurrency"]["ReservedConcurrentExecutions"] == 1
    assert known["Configuration"]["Architectures"] == ["arm64"]
    assert known["Configuration"]["TracingConfig"] == {"Mode": "Active"}
    assert known["Configuration"]["Environment"]["Variables"] == {
        "LEDGER": "techmoda-ledger",
        "FAILED": f"arn:arn:aws:sqs:{REGION}:{ACCOUNT}:techmoda-failed",
    }
    assert lambda_.get_alias(FunctionName="techmoda-round", Name="live")["FunctionVersion"] == "1"
    invoke = lambda_.get_function_event_invoke_config(FunctionName="techmoda-round")
    assert invoke["MaximumEventAgeInSeconds"] == 900
    assert invoke["DestinationConfig"]["OnFailure"]["Destination"].endswith(":techmoda-failed")
    policy = json.loads(lambda_.get_policy(FunctionName="techmoda-round")["Policy"])
    assert policy["Statement"][0]["Condition"]["ArnLike"]["AWS:SourceArn"].endswith(":rule/techmoda-throttled")
    assert lambda_.get_function_url_config(FunctionName="techmoda-round")["AuthType"] == "AWS_IAM"


def test_a_queue_is_not_read_by_code_that_does_not_run(aws, watch):
    (source,) = aws("lambda").list_event_source_mappings(FunctionName="techmoda-round")["EventSourceMappings"]
    assert (source["State"], source["BatchSize"]) == ("Disabled", 7)


def test_the_ledger_keeps_its_recovery_its_expiry_and_its_index(aws, watch):
    dynamodb = aws("dynamodb")
    table = dynamodb.describe_table(TableName="techmoda-ledger")["Table"]
    assert [one["IndexName"] for one in table["GlobalSecondaryIndexes"]] == ["due"]
    backups = dynamodb.describe_continuous_backups(TableName="techmoda-ledger")
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    ttl = dynamodb.describe_time_to_live(TableName="techmoda-ledger")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_the_vault_stands(aws, watch):
    vault = aws("backup").describe_backup_vault(BackupVaultName="techmoda-vault")
    assert vault["BackupVaultArn"].endswith(":backup-vault:techmoda-vault")
    assert watch.physical("Vault") == "techmoda-vault"


def test_rules_stand_with_pattern_schedule_and_targets(aws, watch):
    events = aws("events")
    assert events.describe_rule(Name="techmoda-minute")["ScheduleExpression"] == "rate(1 minute)"
    throttled = events.describe_rule(Name="techmoda-throttled")
    assert throttled["State"] == "ENABLED"
    pattern = json.loads(throttled["EventPattern"])
    assert pattern["detail"]["alarmName"] == [{"suffix": "/throttles"}]
    target = events.list_targets_by_rule(Rule="techmoda-throttled")["Targets"][0]
    assert target["DeadLetterConfig"]["Arn"].endswith(":techmoda-failed")
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 5


def test_policies_subscriptions_logs_and_keys_stand_as_written(aws, watch):
    topic = aws("sns").get_topic_attributes(TopicArn=watch.physical("Topic"))["Attributes"]
    assert json.loads(topic["Policy"])["Statement"][0]["Action"] == "sns:Publish"
    assert topic["KmsMasterKeyId"] == watch.physical("Key")
    mail = aws("sns").list_subscriptions_by_topic(TopicArn=watch.physical("Topic"))["Subscriptions"]
    assert [one["Endpoint"] for one in mail] == ["on-call@techmoda.example"]
    queue = aws("sqs").get_queue_attributes(QueueUrl=watch.physical("Failed"), AttributeNames=["All"])
    assert json.loads(queue["Attributes"]["Policy"])["Statement"][0]["Action"] == "sqs:SendMessage"
    checks = {one["Id"]: one["HealthCheckConfig"] for one in aws("route53").list_health_checks()["HealthChecks"]}
    assert checks[watch.physical("Traffic")]["ChildHealthChecks"] == [watch.physical("Answers")]
    assert checks[watch.physical("Answers")]["Inverted"] is True
    bucket = json.loads(aws("s3").get_bucket_policy(Bucket="techmoda-switch")["Policy"])
    assert bucket["Statement"][0]["Principal"] == "*"
    assert queue["Attributes"]["MessageRetentionPeriod"] == "1209600"
    log = aws("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/techmoda-round")["logGroups"][0]
    assert log["retentionInDays"] == 90
    filters = aws("logs").describe_metric_filters(logGroupName="/aws/lambda/techmoda-round")["metricFilters"]
    assert filters[0]["metricTransformations"][0]["metricName"] == "Errors"
    key = watch.physical("Key")
    assert aws("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    assert "GenerateDataKey" in aws("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    role = watch.physical("Role")
    policy = aws("iam").get_role_policy(RoleName=role, PolicyName="ledger")["PolicyDocument"]
    assert policy["Statement"][0]["Resource"].endswith(":table/techmoda-ledger")
    body = aws("cloudwatch").get_dashboard(DashboardName="techmoda")["DashboardBody"]
    assert f"{REGION}:{ACCOUNT}:alarm:techmoda/read/throttles" in body


def test_every_shim_says_why_and_is_tried_here_or_with_techmoda(techmoda):
    tried = {one["Type"] for one in (*WATCH["Resources"].values(), *techmoda["Resources"].values())}
    assert set(SHIMS) <= tried
    assert all(shim.why for shim in SHIMS.values())


def test_techmoda_stands_whole_with_its_concurrency_its_api_and_its_auto_scaling(aws, techmoda):
    made = embedded_service.create(techmoda, region=REGION, account=ACCOUNT)
    # In one region, without a domain of its own: what is for two has a condition that does not hold.
    assert set(made.resources) == set(resolve.resources(techmoda, {}))
    reserved = {
        name: aws("lambda").get_function_concurrency(FunctionName=f"techmoda-{name}")
        for name in ("read", "write", "health")
    }
    assert {name: one["ReservedConcurrentExecutions"] for name, one in reserved.items()} == {
        "read": 120,
        "write": 40,
        "health": 20,
    }
    api = made.physical("CatalogueApi")
    stage = aws("apigateway").get_stage(restApiId=api, stageName="prod")
    assert stage["tracingEnabled"] is True
    assert stage["accessLogSettings"]["destinationArn"].endswith(":/aws/apigateway/techmoda-catalogue")
    resources = aws("apigateway").get_resources(restApiId=api, embed=["methods"])["items"]
    assert {one["path"]: sorted(one.get("resourceMethods", {})) for one in resources} == {
        "/": [],
        "/health": ["GET"],
        "/products": ["GET", "POST"],
        "/products/{id}": ["DELETE", "GET", "PUT"],
    }
    targets = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="dynamodb")
    assert {(one["ScalableDimension"], one["MinCapacity"]) for one in targets["ScalableTargets"]} == {
        ("dynamodb:table:ReadCapacityUnits", 300),
        ("dynamodb:table:WriteCapacityUnits", 50),
        ("dynamodb:index:ReadCapacityUnits", 150),
        ("dynamodb:index:WriteCapacityUnits", 50),
    }
    table = aws("dynamodb").describe_table(TableName="techmoda-products")["Table"]
    assert table["DeletionProtectionEnabled"] is True
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
