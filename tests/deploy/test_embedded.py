"""A stack on the embedded AWS is whole, or it is refused."""

import json
from pathlib import Path

import boto3
import moto
import pytest

from deploy import embedded_service
from deploy.embedded import MOCK_CONFIG, EmbeddedError, UnsupportedResource, create_stack
from deploy.embedded_shims import SHIMS
from deploy.sam import translate

REGION, ACCOUNT = "eu-west-1", "123456789012"


def trust(service):
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


def allow(principal, action):
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


# A watch in small: every type that Sereno's own template may hold, joined by references as there.
WATCH = {
    "Parameters": {"Service": {"Type": "String"}, "Stage": {"Type": "String", "Default": "prod"}},
    "Conditions": {
        "InTest": {"Fn::Equals": [{"Ref": "Stage"}, "test"]},
        "InProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
    },
    "Resources": {
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "KeyPolicy": allow("cloudwatch.amazonaws.com", "kms:GenerateDataKey*"),
                "EnableKeyRotation": True,
                "Tags": [{"Key": "service", "Value": {"Ref": "Service"}}],
            },
        },
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {
                "TopicName": {"Fn::Sub": "${Service}-remediations"},
                "KmsMasterKeyId": {"Ref": "Key"},
            },
        },
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "Topic"}],
                "PolicyDocument": allow("cloudwatch.amazonaws.com", "sns:Publish"),
            },
        },
        "Mail": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "email",
                "Endpoint": "on-call@techmoda.example",
                "FilterPolicy": {"severity": ["page"]},
            },
        },
        "Failed": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": {"Fn::Sub": "${Service}-failed"}, "MessageRetentionPeriod": 1209600},
        },
        "FailedPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Failed"}],
                "PolicyDocument": allow("events.amazonaws.com", "sqs:SendMessage"),
            },
        },
        "Ledger": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": {"Fn::Sub": "${Service}-ledger"},
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "due")
                ],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "due",
                        "KeySchema": [{"AttributeName": "due", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            },
        },
        "Log": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${Service}-round"}, "RetentionInDays": 90},
        },
        "Errors": {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": {"Ref": "Log"},
                "FilterName": "errors",
                "FilterPattern": '{ $.level = "ERROR" }',
                "MetricTransformations": [
                    {"MetricName": "Errors", "MetricNamespace": "Sereno/test", "MetricValue": "1"}
                ],
            },
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
                "Policies": [
                    {
                        "PolicyName": "ledger",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "dynamodb:UpdateItem",
                                    "Resource": {"Fn::GetAtt": ["Ledger", "Arn"]},
                                }
                            ],
                        },
                    }
                ],
            },
        },
        "Round": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": {"Fn::Sub": "${Service}-round"},
                "Handler": "remediators.round.handler",
                "Runtime": "python3.12",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"S3Bucket": "artifacts", "S3Key": "sereno.zip"},
                "Timeout": 50,
                "MemorySize": 512,
                "Architectures": ["arm64"],
                "TracingConfig": {"Mode": "Active"},
                "ReservedConcurrentExecutions": 1,
                "Environment": {
                    "Variables": {
                        "LEDGER": {"Ref": "Ledger"},
                        "FAILED": {"Fn::Join": ["", ["arn:", {"Fn::GetAtt": ["Failed", "Arn"]}]]},
                    }
                },
            },
        },
        "RoundUrl": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["Round", "Arn"]}, "AuthType": "AWS_IAM"},
        },
        "RoundVersion": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Round"}}},
        "RoundLive": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": "Round"},
                "FunctionVersion": {"Fn::GetAtt": ["RoundVersion", "Version"]},
            },
        },
        "RoundInvoke": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Round"},
                "Qualifier": "$LATEST",
                "MaximumEventAgeInSeconds": 900,
                "MaximumRetryAttempts": 2,
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}},
            },
        },
        "Minute": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": {"Fn::Sub": "${Service}-minute"},
                "ScheduleExpression": "rate(1 minute)",
                "Targets": [{"Id": "round", "Arn": {"Fn::GetAtt": ["Round", "Arn"]}}],
            },
        },
        "Throttled": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": {"Fn::Sub": "${Service}-throttled"},
                "EventPattern": {
                    "source": ["aws.cloudwatch"],
                    "detail": {"alarmName": [{"wildcard": {"Fn::Sub": "${Service}/*/throttles"}}]},
                },
                "Targets": [
                    {
                        "Id": "round",
                        "Arn": {"Fn::GetAtt": ["Round", "Arn"]},
                        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Failed", "Arn"]}},
                        "RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 5},
                    }
                ],
            },
        },
        "MayInvoke": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Round"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Throttled", "Arn"]},
            },
        },
        "Throttles": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": "${Service}/read/throttles"},
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 3,
                "DatapointsToAlarm": 2,
                "Threshold": 1,
                "TreatMissingData": "notBreaching",
                "AlarmActions": [{"Ref": "Topic"}],
                "Metrics": [
                    {
                        "Id": "rate",
                        "Expression": "100 * throttled / asked",
                        "Label": "throttled, %",
                        "ReturnData": True,
                    },
                    *(
                        {
                            "Id": key,
                            "ReturnData": False,
                            "MetricStat": {
                                "Stat": "Sum",
                                "Period": 60,
                                "Metric": {
                                    "Namespace": "AWS/Lambda",
                                    "MetricName": metric,
                                    "Dimensions": [{"Name": "FunctionName", "Value": "techmoda-read"}],
                                },
                            },
                        }
                        for key, metric in (("throttled", "Throttles"), ("asked", "Invocations"))
                    ),
                ],
            },
        },
        "Errors5xx": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": "${Service}/api/errors"},
                "Namespace": "AWS/ApiGateway",
                "MetricName": "5XXError",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 2,
                "Threshold": 0.01,
                "ComparisonOperator": "GreaterThanThreshold",
            },
        },
        "Down": {
            "Type": "AWS::CloudWatch::CompositeAlarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": "${Service}/service/down"},
                "AlarmRule": {"Fn::Sub": 'ALARM("${Throttles}") AND ALARM("${Errors5xx}")'},
                "AlarmActions": [{"Ref": "Topic"}],
            },
        },
        "Board": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {
                "DashboardName": {"Ref": "Service"},
                "DashboardBody": {"Fn::Sub": '{"widgets":[{"type":"alarm","alarms":["${Throttles.Arn}"]}]}'},
            },
        },
        "OnlyInTest": {"Type": "AWS::SQS::Queue", "Condition": "InTest"},
        "OnlyInProd": {"Type": "AWS::SQS::Queue", "Condition": "InProd"},
    },
    "Outputs": {
        "Topic": {"Value": {"Ref": "Topic"}},
        "Live": {"Value": {"Ref": "RoundLive"}},
        "Down": {"Value": {"Fn::GetAtt": ["Down", "Arn"]}},
    },
}


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws(config=MOCK_CONFIG):
        yield lambda service: boto3.client(service, region_name=REGION)


def stack(template, **parameters):
    return create_stack("watch", template, region=REGION, account=ACCOUNT, parameters=parameters)


@pytest.fixture(scope="module")
def techmoda():
    template = Path(__file__).parents[2] / "examples" / "techmoda" / "template.yaml"
    return translate(template, {"Release": "7"}, region=REGION, account=ACCOUNT)


@pytest.fixture
def watch(aws):
    return stack(WATCH, Service="techmoda")


def only(resource, **more):
    return {"Resources": {"One": resource, **more}}


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


def test_the_ledger_keeps_its_recovery_its_expiry_and_its_index(aws, watch):
    dynamodb = aws("dynamodb")
    table = dynamodb.describe_table(TableName="techmoda-ledger")["Table"]
    assert [one["IndexName"] for one in table["GlobalSecondaryIndexes"]] == ["due"]
    backups = dynamodb.describe_continuous_backups(TableName="techmoda-ledger")
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    ttl = dynamodb.describe_time_to_live(TableName="techmoda-ledger")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_rules_stand_with_pattern_schedule_and_targets(aws, watch):
    events = aws("events")
    assert events.describe_rule(Name="techmoda-minute")["ScheduleExpression"] == "rate(1 minute)"
    throttled = events.describe_rule(Name="techmoda-throttled")
    assert throttled["State"] == "ENABLED"
    pattern = json.loads(throttled["EventPattern"])
    assert pattern["detail"]["alarmName"] == [{"wildcard": "techmoda/*/throttles"}]
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


def test_the_callers_template_is_left_as_it_was(aws):
    before = json.dumps(WATCH)
    stack(WATCH, Service="techmoda")
    assert json.dumps(WATCH) == before


def test_two_regions_hold_the_same_stack(aws):
    queue = only({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failed"}})
    for region in ("eu-west-1", "eu-central-1"):
        made = create_stack("watch", queue, region=region, account=ACCOUNT)
        assert region in made.physical("One")


def test_all_types_that_cannot_be_created_are_named_at_once_and_nothing_is_made(aws):
    template = only(
        {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "failed"}},
        Plan={"Type": "AWS::Backup::BackupPlan"},
        Canary={"Type": "AWS::Synthetics::Canary"},
    )
    with pytest.raises(UnsupportedResource) as refused:
        stack(template)
    assert refused.value.missing == {
        "Plan": "AWS::Backup::BackupPlan",
        "Canary": "AWS::Synthetics::Canary",
    }
    assert "Resources.Canary: AWS::Synthetics::Canary cannot be created" in str(refused.value)
    assert "QueueUrls" not in aws("sqs").list_queues()


def test_metadata_is_no_resource(aws):
    made = stack(only({"Type": "AWS::SQS::Queue"}, Note={"Type": "AWS::CDK::Metadata"}))
    assert list(made.resources) == ["One"]


def test_a_property_that_aws_does_not_know_names_its_resource(aws):
    alarm = {**WATCH["Resources"]["Errors5xx"]["Properties"], "AlarmName": "a", "Treshold": 1}
    with pytest.raises(EmbeddedError, match=r"Resources\.One \(AWS::CloudWatch::Alarm\): [\s\S]*Treshold"):
        stack(only({"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}))


def test_an_attribute_that_nobody_knows_is_an_error_and_no_missing_property(aws):
    reader = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"DisplayName": {"Fn::GetAtt": ["Round", "Nonsense"]}},
    }
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")},
    }
    with pytest.raises(EmbeddedError, match="Nonsense"):
        stack({"Resources": {"Round": role, "Reader": reader}})


def test_a_managed_policy_that_is_not_loaded_says_how_to_load_it(aws):
    role = {
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"],
    }
    with pytest.raises(EmbeddedError, match=r"AWSXrayWriteOnlyAccess is not loaded.*load_aws_managed_policies"):
        stack(only({"Type": "AWS::IAM::Role", "Properties": role}))


def test_a_missing_parameter_is_named(aws):
    with pytest.raises(EmbeddedError, match="Service"):
        stack(WATCH)


def test_another_account_is_refused(aws):
    with pytest.raises(EmbeddedError, match="plays account 123456789012, not 111111111111"):
        create_stack("watch", WATCH, region=REGION, account="111111111111")


def test_without_a_mock_nothing_is_called():
    with pytest.raises(EmbeddedError, match="no mock is active"):
        stack(WATCH, Service="techmoda")


def test_every_shim_says_why_and_is_tried_here_or_with_techmoda(techmoda):
    tried = {one["Type"] for one in (*WATCH["Resources"].values(), *techmoda["Resources"].values())}
    assert set(SHIMS) <= tried
    assert all(shim.why for shim in SHIMS.values())


def test_techmoda_stands_whole_with_its_concurrency_its_api_and_its_auto_scaling(aws, techmoda):
    made = embedded_service.create(techmoda, region=REGION, account=ACCOUNT)
    assert set(made.resources) == set(techmoda["Resources"])
    reserved = {
        name: aws("lambda").get_function_concurrency(FunctionName=f"techmoda-{name}")
        for name in ("read", "write", "health")
    }
    assert {name: one["ReservedConcurrentExecutions"] for name, one in reserved.items()} == {
        "read": 120,
        "write": 40,
        "health": 10,
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
        ("dynamodb:table:ReadCapacityUnits", 200),
        ("dynamodb:table:WriteCapacityUnits", 50),
        ("dynamodb:index:ReadCapacityUnits", 100),
        ("dynamodb:index:WriteCapacityUnits", 50),
    }
    table = aws("dynamodb").describe_table(TableName="techmoda-products")["Table"]
    assert table["DeletionProtectionEnabled"] is True
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_code_at_another_place_is_other_code(aws):
    def function(key):
        return {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": key,
                "Handler": "index.handler",
                "Runtime": "python3.12",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"S3Bucket": "artifacts", "S3Key": f"{key}.zip"},
            },
        }

    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust("lambda.amazonaws.com")},
    }
    stack({"Resources": {"One": function("one"), "Two": function("two"), "Role": role}})
    found = aws("lambda").list_functions()["Functions"]
    assert len({one["CodeSha256"] for one in found}) == 2
