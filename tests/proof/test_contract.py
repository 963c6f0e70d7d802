"""What the proof leans on in the emulator, and what it works round.

An upgrade that breaks it is seen here, apart from faults of ours; and a difference that the emulator has outgrown is
to be taken out of `proving/differences.py`.
"""

from __future__ import annotations

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError
from proving import little, stack
from proving.differences import ALARM, BELL, CHECK, COMPOSITE, GLOBAL_TABLE, ROLE, SCALING, SELECTION
from proving.emulator import ACCOUNT, QUOTA, REGION

pytestmark = pytest.mark.xdist_group("proof")

QUIET_S = 0.5
ELSEWHERE = "eu-central-1"
ECHO = "def handler(event, context):\n    return event\n"
BROKEN = "def handler(event, context):\n    raise ValueError('no')\n"
WHERE = """
import os, time
def handler(event, context):
    return {"time": time.time(), "cwd": os.getcwd(), "files": os.listdir(), "task": os.path.exists("/var/task"),
            "init": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
"""
SLEEPS = """
import time
def handler(event, context):
    began = time.time()
    time.sleep(event["for"])
    return time.time() - began
"""
ASKS = """
import boto3
def handler(event, context):
    return boto3.client("sqs").get_queue_url(QueueName="contract")["QueueUrl"]
"""

WRITES = """
import boto3
def handler(event, context):
    client = boto3.client("SERVICE")
    answers = []
    for operation, params in event:
        try:
            getattr(client, operation)(**params)
            answers.append("done")
        except client.exceptions.ClientError as error:
            answers.append(error.response["Error"]["Code"])
    return answers
"""
RECORDS = WRITES.replace("SERVICE", "route53")
WRITES = WRITES.replace("SERVICE", "dynamodb")
TABLE = "contract-rows"


@pytest.fixture
def rows_table(emulator):
    """A table with a partition key `pk`."""
    client = emulator.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"
    client.delete_table(TableName=TABLE)


@pytest.fixture
def queue(emulator):
    """A queue that takes from everybody, and is empty."""
    sqs = emulator.client("sqs")
    url = sqs.create_queue(QueueName="contract")["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue_arn()}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    yield url
    sqs.delete_queue(QueueUrl=url)


def queue_arn():
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:contract"


def received(emulator, url, wait_s=3.0):
    """What came into the queue; waits for a first message."""
    until = time.monotonic() + wait_s
    while True:
        answer = emulator.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        if answer.get("Messages") or time.monotonic() > until:
            return [json.loads(one["Body"]) for one in answer.get("Messages", ())]
        time.sleep(0.1)


def alone(emulator, name, resource, **parameters):
    """A stack of one resource."""
    return stack.create_as_it_is(emulator, name, {"Resources": {"One": resource}}, **parameters)


# -- what is leaned on


def test_a_function_may_do_what_its_role_allows_and_nothing_more(emulator, queue):
    allowed = {"Effect": "Allow", "Action": "sqs:GetQueueUrl", "Resource": queue_arn()}
    elsewhere = {**allowed, "Resource": f"{queue_arn()}-of-another"}
    assert little.make(emulator, "may", ASKS, [allowed]).ask() == queue
    with pytest.raises(AssertionError, match="AccessDenied"):
        little.make(emulator, "may-not", ASKS, [elsewhere]).ask()


def only(**keys):
    """A condition that the values of these keys must meet, and that a request without them does not meet."""
    named = {f"dynamodb:{key}": values for key, values in keys.items()}
    return {"ForAllValues:StringLike": named, "Null": dict.fromkeys(named, "false")}


def row(key, **attributes):
    return {"pk": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}


def test_a_role_writes_only_the_partition_keys_that_its_conditions_name(emulator, rows_table):
    put = {
        "Effect": "Allow",
        "Action": "dynamodb:PutItem",
        "Resource": rows_table,
        "Condition": only(LeadingKeys=["CAP#*"]),
    }
    update = {**put, "Action": "dynamodb:UpdateItem", "Condition": only(LeadingKeys=["MODE"])}
    one = little.make(emulator, "keys", WRITES, [put, update])
    puts = [("put_item", {"TableName": TABLE, "Item": row(key)}) for key in ("CAP#a", "MODE")]
    members = {key: {"Put": {"TableName": TABLE, "Item": row(key)}} for key in ("CAP#a", "CAP#b", "MODE")}
    change = {"TableName": TABLE, "Key": row("MODE"), "UpdateExpression": "SET note = :m"}
    mode = {"Update": {**change, "ExpressionAttributeValues": {":m": {"S": "x"}}}}
    together = [("transact_write_items", {"TransactItems": [members["CAP#b"], mode]})]
    mixed = [("transact_write_items", {"TransactItems": [members["CAP#a"], members["MODE"]]})]
    assert one.ask(puts + together + mixed) == ["done", "AccessDeniedException", "done", "AccessDeniedException"]


def test_a_role_updates_only_the_attributes_that_its_conditions_name(emulator, rows_table):
    update = {
        "Effect": "Allow",
        "Action": "dynamodb:UpdateItem",
        "Resource": rows_table,
        "Condition": only(Attributes=["pk", "request"]),
    }
    one = little.make(emulator, "attributes", WRITES, [update])
    calls = [
        ("update_item", {"TableName": TABLE, "Key": row("R"), "UpdateExpression": f"SET #a = {value}", **named(name)})
        for name, value in (("request", ":v"), ("status", ":v"))
    ]
    assert one.ask(calls) == ["done", "AccessDeniedException"]


def named(attribute):
    return {"ExpressionAttributeNames": {"#a": attribute}, "ExpressionAttributeValues": {":v": {"S": "x"}}}


def test_a_role_changes_only_the_records_that_its_conditions_name(emulator):
    zone = emulator.client("route53").create_hosted_zone(Name="contract.example", CallerReference="contract")
    zone_id, key = zone["HostedZone"]["Id"].removeprefix("/hostedzone/"), "route53:ChangeResourceRecordSets"
    only = {f"{key}NormalizedRecordNames": ["shares.contract.example"], f"{key}Actions": ["UPSERT"]}
    change = {
        "Effect": "Allow",
        "Action": key,
        "Resource": f"arn:aws:route53:::hostedzone/{zone_id}",
        "Condition": {"ForAllValues:StringEquals": only, "Null": dict.fromkeys(only, "false")},
    }
    one = little.make(emulator, "records", RECORDS, [change])

    def call(name, action="UPSERT"):
        record = {"Name": name, "Type": "CNAME", "TTL": 20, "ResourceRecords": [{"Value": "a.contract.example"}]}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        return "change_resource_record_sets", {"HostedZoneId": zone_id, "ChangeBatch": batch}

    own = "shares.contract.example"
    asked = [call("Shares.contract.example."), call("other.contract.example"), call(own, "DELETE")]
    assert one.ask(asked) == ["done", "AccessDenied", "AccessDenied"]


def test_reserved_concurrency_throttles_and_says_so(emulator):
    one = little.make(emulator, "stopped", ECHO)
    lambda_ = emulator.client("lambda")
    lambda_.put_function_concurrency(FunctionName=one.name, ReservedConcurrentExecutions=0)
    with pytest.raises(lambda_.exceptions.TooManyRequestsException) as refused:
        one.ask()
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    lambda_.put_function_concurrency(FunctionName=one.name, ReservedConcurrentExecutions=1)
    assert one.ask({"again": True}) == {"again": True}


def test_what_is_reserved_leaves_the_account_s_pool(emulator):
    limit = emulator.client("lambda").get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == QUOTA
    one = little.make(emulator, "greedy", ECHO)
    emulator.client("lambda").put_function_concurrency(FunctionName=one.name, ReservedConcurrentExecutions=50)
    after = emulator.client("lambda").get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] - after["UnreservedConcurrentExecutions"] == 50


def test_a_failed_event_is_tried_again_and_then_handed_on(emulator, queue):
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn()}
    one = little.make(emulator, "failing", BROKEN, [send])
    emulator.client("lambda").put_function_event_invoke_config(
        FunctionName=one.name,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn()}},
    )
    one.ask({"a": 1}, InvocationType="Event")
    (letter,) = received(emulator, queue)
    assert letter["requestPayload"] == {"a": 1}
    said = emulator.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{one.name}")["events"]
    assert sum("START RequestId" in line["message"] for line in said) == 2


def test_invocations_are_counted_in_minutes(emulator):
    one = little.make(emulator, "counted", ECHO)
    for _ in range(3):
        one.ask()
    now = emulator.clock.now()
    dimensions = [{"Name": "FunctionName", "Value": one.name}]
    found = {}
    for metric, stat in (("Invocations", "Sum"), ("Duration", "Average"), ("Throttles", "Sum")):
        query = {"Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}}
        answer = emulator.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "one", "MetricStat": {**query, "Period": 60, "Stat": stat}}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
        )
        (found[metric],) = answer["MetricDataResults"]
    assert sum(found["Invocations"]["Values"]) == 3
    assert sum(found["Throttles"]["Values"]) == 0
    assert max(found["Duration"]["Values"]) > 0
    assert all(stamp.second == 0 for stamp in found["Invocations"]["Timestamps"])


def test_one_clock_for_the_emulator_and_its_functions_which_can_be_moved(emulator):
    one = little.make(emulator, "where", WHERE)
    one.ask()
    emulator.clock.forward(90)
    there = datetime.fromtimestamp(one.ask()["time"], UTC)
    made = emulator.client("sns").create_topic(Name="dated")["ResponseMetadata"]["HTTPHeaders"]["date"]
    dated = datetime.strptime(made, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
    for moment in (there, dated):
        assert abs((moment - emulator.clock.now()).total_seconds()) < 5


def test_a_rule_matches_by_prefix_and_suffix_and_its_target_rewrites_the_event(emulator, queue):
    events = emulator.client("events")
    start = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"
    pattern = {
        "source": [BELL],
        "resources": [{"prefix": f"{start}shop/"}],
        "detail": {"alarmName": [{"suffix": "/throttles"}]},
    }
    events.put_rule(Name="contract", EventPattern=json.dumps(pattern))
    rewrite = {"InputPathsMap": {"d": "$.detail"}, "InputTemplate": '{"source": "aws.cloudwatch", "detail": <d>}'}
    events.put_targets(Rule="contract", Targets=[{"Id": "q", "Arn": queue_arn(), "InputTransformer": rewrite}])
    for name in ("shop/read/throttles", "shop/read/errors", "shop-eu/read/throttles"):
        entry = {
            "Source": BELL,
            "DetailType": "t",
            "Resources": [f"{start}{name}"],
            "Detail": json.dumps({"alarmName": name}),
        }
        events.put_events(Entries=[entry])
    assert received(emulator, queue) == [{"source": "aws.cloudwatch", "detail": {"alarmName": "shop/read/throttles"}}]
    events.disable_rule(Name="contract")


def test_a_cancelled_transaction_says_which_gate_refused_and_shows_the_old_row(emulator):
    dynamodb = emulator.client("dynamodb")
    dynamodb.create_table(**table("contract"))
    held = {"pk": {"S": "lock"}, "holder": {"S": "ana"}}
    dynamodb.put_item(TableName="contract", Item=held)
    free = {
        "TableName": "contract",
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {**free, "Item": {"pk": {"S": key}}}} for key in ("new", "lock")]
        )
    first, second = refused.value.response["CancellationReasons"]
    assert first["Code"] == "None"
    assert (second["Code"], second["Item"]) == ("ConditionalCheckFailed", held)
    assert "Item" not in dynamodb.get_item(TableName="contract", Key={"pk": {"S": "new"}})


def test_a_global_table_has_what_was_written_in_either_region(emulator):
    here, there = emulator.client("dynamodb"), emulator.at(ELSEWHERE).client("dynamodb")
    here.create_table(**table("contract-global"))
    here.update_table(TableName="contract-global", ReplicaUpdates=[{"Create": {"RegionName": ELSEWHERE}}])
    for wrote, reads, key in ((here, there, "of-here"), (there, here, "of-there")):
        wrote.put_item(TableName="contract-global", Item={"pk": {"S": key}})
        assert "Item" in reads.get_item(TableName="contract-global", Key={"pk": {"S": key}})
        wrote.delete_item(TableName="contract-global", Key={"pk": {"S": key}})
        assert "Item" not in reads.get_item(TableName="contract-global", Key={"pk": {"S": key}})


def test_regions_have_nothing_in_common_but_roles_and_buckets(emulator):
    emulator.client("sns").create_topic(Name="contract-here")
    there = emulator.at(ELSEWHERE).client("sns").list_topics()["Topics"]
    assert not [one for one in there if one["TopicArn"].endswith(":contract-here")]


def test_a_bucket_policy_admits_everybody_to_one_object_and_only_over_tls(emulator):
    s3, arn = emulator.client("s3"), "arn:aws:s3:::contract-open"
    s3.create_bucket(Bucket="contract-open", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.delete_public_access_block(Bucket="contract-open")
    for key in ("open", "shut"):
        s3.put_object(Bucket="contract-open", Key=key, Body=b"there")
    assert anonymous(emulator, "/contract-open/open", "https") == 403
    rules = [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{arn}/open"},
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    s3.put_bucket_policy(Bucket="contract-open", Policy=json.dumps({"Version": "2012-10-17", "Statement": rules}))
    asked = [("open", "https"), ("open", "http"), ("shut", "https")]
    assert [anonymous(emulator, f"/contract-open/{key}", by) for key, by in asked] == [200, 403, 403]


def anonymous(emulator, path, scheme):
    """What somebody without a key is answered, who came by this scheme."""
    request = urllib.request.Request(emulator.url + path, headers={"X-Forwarded-Proto": scheme})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


def test_a_function_that_sleeps_wakes_when_its_clock_has_been_moved(emulator):
    one = little.make(emulator, "sleeps", SLEEPS)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(one.ask, {"for": 600})
        until = time.monotonic() + 8
        while not run.done() and time.monotonic() < until:
            emulator.clock.forward(200)
        assert run.result() >= 600


# -- what is worked round


def test_nobody_may_send_an_event_of_aws_s_own(emulator):
    entry = {"Source": "aws.cloudwatch", "DetailType": "CloudWatch Alarm State Change", "Detail": "{}"}
    answer = emulator.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_an_alarm_tells_eventbridge_nothing_by_itself(emulator, queue):
    cloudwatch, events = emulator.client("cloudwatch"), emulator.client("events")
    cloudwatch.put_metric_alarm(**alarm("contract-silent"))
    events.put_rule(Name="silent", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(Rule="silent", Targets=[{"Id": "q", "Arn": queue_arn()}])
    cloudwatch.set_alarm_state(AlarmName="contract-silent", StateValue="ALARM", StateReason="r")
    assert received(emulator, queue, QUIET_S) == []
    events.disable_rule(Name="silent")


def test_alarms_are_judged_when_data_is_put_and_without_their_dimensions(emulator):
    cloudwatch = emulator.client("cloudwatch")
    cloudwatch.put_metric_alarm(**alarm("contract-judged", Dimensions=[{"Name": "Of", "Value": "mine"}]))
    foreign = {"MetricName": "Contract", "Dimensions": [{"Name": "Of", "Value": "another"}], "Value": 9}
    cloudwatch.put_metric_data(Namespace="Contract", MetricData=[{**foreign, "Timestamp": emulator.clock.now()}])
    (judged,) = cloudwatch.describe_alarms(AlarmNames=["contract-judged"])["MetricAlarms"]
    assert judged["StateValue"] == "ALARM"


def test_its_cloudformation_takes_no_composite_alarm_no_metric_math_no_check_no_selection_and_no_scaling(emulator):
    math = {"Id": "m", "Expression": "1 + 1", "ReturnData": True}
    names = ("MetricName", "Namespace", "Period", "Statistic")
    plain = {key: value for key, value in alarm("contract-math").items() if key not in names}
    refused = {
        "composite": {"Type": COMPOSITE, "Properties": {"AlarmName": "c", "AlarmRule": "FALSE"}},
        "math": {"Type": ALARM, "Properties": {**plain, "Metrics": [math]}},
        "selection": {"Type": SELECTION, "Properties": {}},
        "check": {"Type": CHECK, "Properties": {}},
        "target": {"Type": SCALING[0], "Properties": {}},
        "policy": {"Type": SCALING[1], "Properties": {}},
    }
    for name, resource in refused.items():
        with pytest.raises((ClientError, stack.StackFailed)):
            alone(emulator, f"contract-{name}", resource)


def test_its_cloudformation_makes_no_replica(emulator):
    key, read = "GlobalSecondaryIndexes", {"ReadCapacityAutoScalingSettings": {"MinCapacity": 300}}
    plain = {name: value for name, value in table("contract-alone").items() if name not in ("BillingMode", key)}
    replicas = [{"Region": one, "ReadProvisionedThroughputSettings": read} for one in (REGION, ELSEWHERE)]
    alone(emulator, "contract-alone", {"Type": GLOBAL_TABLE, "Properties": {**plain, "Replicas": replicas}})
    made = emulator.client("dynamodb").describe_table(TableName="contract-alone")["Table"]
    assert made["ProvisionedThroughput"]["ReadCapacityUnits"] != 300
    assert "contract-alone" not in emulator.at(ELSEWHERE).client("dynamodb").list_tables()["TableNames"]


def test_it_forgets_of_checks_whose_they_are_and_that_they_are_inverted(emulator):
    route53 = emulator.client("route53")

    def check(name, **config):
        made = route53.create_health_check(CallerReference=name, HealthCheckConfig=config)["HealthCheck"]["Id"]
        return made, route53.get_health_check(HealthCheckId=made)["HealthCheck"]["HealthCheckConfig"]

    host = {"FullyQualifiedDomainName": "contract.example", "ResourcePath": "/"}
    child, kept = check("contract-one", Type="HTTPS_STR_MATCH", SearchString="out", Inverted=True, **host)
    assert not kept["Inverted"]
    _, kept = check("contract-both", Type="CALCULATED", ChildHealthChecks=[child], HealthThreshold=1)
    assert kept["ChildHealthChecks"] != [child]


def test_two_stacks_of_one_name_share_their_roles(emulator):
    role = {"Type": ROLE, "Properties": {"AssumeRolePolicyDocument": little.TRUST}}
    named = [alone(emulator.at(one), "contract-role", role).physical["One"] for one in (REGION, ELSEWHERE)]
    assert named[0] == named[1]


def test_its_cloudformation_drops_reserved_concurrency(emulator):
    code = {"ZipFile": ECHO}
    role = f"arn:aws:iam::{ACCOUNT}:role/none"
    function = {"FunctionName": "dropped", "Handler": "index.handler", "Runtime": "python3.12", "Role": role}
    properties = {**function, "Code": code, "ReservedConcurrentExecutions": 7}
    alone(emulator, "contract-reserved", {"Type": "AWS::Lambda::Function", "Properties": properties})
    answer = emulator.client("lambda").get_function_concurrency(FunctionName="dropped")
    assert "ReservedConcurrentExecutions" not in answer


def test_a_published_version_knows_no_limit(emulator):
    one = little.make(emulator, "published", ECHO)
    lambda_ = emulator.client("lambda")
    version = lambda_.publish_version(FunctionName=one.name)["Version"]
    lambda_.put_function_concurrency(FunctionName=one.name, ReservedConcurrentExecutions=0)
    assert one.ask({"a": 1}, Qualifier=version) == {"a": 1}


def test_a_function_starts_in_the_folder_of_its_code_and_has_no_var_task(emulator):
    there = little.make(emulator, "folder", WHERE).ask()
    assert not there["task"]
    assert there["files"] == ["index.py"]
    assert there["init"] == "on-demand"


def table(name):
    """A table with a key and no more."""
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }


def alarm(name, **more):
    """An alarm of its own metric, red at one."""
    return {
        "AlarmName": name,
        "Namespace": "Contract",
        "MetricName": "Contract",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        **more,
    }
