"""What is taken out of moto's cost changes none of its answers: each replacement against moto's own way."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy import embedded_costs


@pytest.fixture
def table() -> Any:
    """A table with two partitions and an index, and a client of it."""
    embedded_costs.install()
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "kind")],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "kinds",
                    "KeySchema": [
                        {"AttributeName": "kind", "KeyType": "HASH"},
                        {"AttributeName": "sk", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        for number in (3, 1, 2):
            for partition in ("B", "A"):
                client.put_item(TableName="ledger", Item=row(partition, number))
        yield client


def row(partition: str, number: int, **more: Any) -> dict[str, Any]:
    texts = {"pk": partition, "sk": f"EVENT#{number}", "kind": "event", **more}
    return {name: {"S": text} for name, text in texts.items()}


def backend() -> Any:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends

    return dynamodb_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]


def keys(items: list[Any]) -> list[tuple[str, str]]:
    return [(item["pk"]["S"], item["sk"]["S"]) for item in items]


def test_a_partition_is_read_in_order_and_alone(table):
    answer = table.query(
        TableName="ledger", KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "A"}}
    )
    assert keys(answer["Items"]) == [("A", f"EVENT#{number}") for number in (1, 2, 3)]
    absent = table.query(
        TableName="ledger", KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "C"}}
    )
    assert absent["Items"] == []


def test_an_index_and_a_scan_still_see_every_partition(table):
    answer = table.query(
        TableName="ledger",
        IndexName="kinds",
        KeyConditionExpression="kind = :kind",
        ExpressionAttributeValues={":kind": {"S": "event"}},
    )
    assert len(answer["Items"]) == 6
    own = type(backend().get_table("ledger")).all_items.__wrapped__(backend().get_table("ledger"))
    assert backend().get_table("ledger").all_items() == own
    assert len(table.scan(TableName="ledger")["Items"]) == 6


def test_a_cancelled_transaction_leaves_everything_as_it_was(table):
    before = table.scan(TableName="ledger")["Items"]
    records = len(backend().get_table("ledger").stream_shard.items)
    written = [
        {"Put": {"TableName": "ledger", "Item": row("A", 1, note="written over")}},
        {
            "Update": {
                "TableName": "ledger",
                "Key": {"pk": {"S": "B"}, "sk": {"S": "EVENT#2"}},
                "UpdateExpression": "SET note = :note",
                "ExpressionAttributeValues": {":note": {"S": "changed in place"}},
            }
        },
        {"Put": {"TableName": "ledger", "Item": row("C", 1)}},
        {"Delete": {"TableName": "ledger", "Key": {"pk": {"S": "A"}, "sk": {"S": "EVENT#3"}}}},
    ]
    refused = {
        "ConditionCheck": {
            "TableName": "ledger",
            "Key": {"pk": {"S": "B"}, "sk": {"S": "EVENT#1"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        table.transact_write_items(TransactItems=[*written, refused])
    assert table.scan(TableName="ledger")["Items"] == before
    shard = backend().get_table("ledger").stream_shard
    assert (len(shard.items), shard.table) == (records, backend().get_table("ledger"))
    table.transact_write_items(TransactItems=written)
    assert len(table.scan(TableName="ledger")["Items"]) == 6
    assert keys(table.scan(TableName="ledger")["Items"]) != keys(before)


def test_answers_are_read_as_moto_itself_reads_them(table, monkeypatch):
    """Objects, dictionaries, lists, errors and answers with aliases, of several protocols."""
    from moto.core.serialize import ResponseSerializer

    def answers() -> list[Any]:
        clients = {
            service: boto3.client(service, region_name="eu-west-1")
            for service in ("cloudwatch", "events", "iam", "lambda", "sqs", "kms", "cloudformation", "route53", "ec2")
        }
        read = [
            table.describe_table(TableName="ledger"),
            table.get_item(TableName="ledger", Key={"pk": {"S": "A"}, "sk": {"S": "EVENT#1"}}),
            clients["cloudwatch"].describe_alarms(),
            clients["events"].list_rules(),
            clients["iam"].list_roles(),
            clients["lambda"].list_functions(),
            clients["sqs"].list_queues(),
            clients["kms"].list_keys(),
            clients["cloudformation"].describe_stacks(),
            clients["route53"].list_hosted_zones(),
            clients["ec2"].describe_availability_zones(),
        ]
        for answer in read:
            answer.pop("ResponseMetadata")
        with pytest.raises(ClientError) as refused:
            clients["sqs"].get_queue_url(QueueName="absent")
        return [*read, str(refused.value)]

    iam, cloudwatch = boto3.client("iam"), boto3.client("cloudwatch", region_name="eu-west-1")
    iam.create_role(RoleName="sereno-actions", AssumeRolePolicyDocument="{}", Tags=[{"Key": "a", "Value": "b"}])
    cloudwatch.put_metric_alarm(
        AlarmName="techmoda/read/throttles",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Threshold=1.5,
        Metrics=[{"Id": "e", "Expression": "1 + 1", "ReturnData": True}],
    )
    boto3.client("events", region_name="eu-west-1").put_rule(Name="alarms", EventPattern='{"source": ["aws.x"]}')
    boto3.client("sqs", region_name="eu-west-1").create_queue(QueueName="dead-letters")
    boto3.client("route53").create_hosted_zone(Name="techmoda.example", CallerReference="1")
    cheap = answers()
    monkeypatch.setattr(ResponseSerializer, "get_value", ResponseSerializer.get_value.__wrapped__)
    assert cheap == answers()
    assert any(answer.get("MetricAlarms") for answer in cheap[:-1]), "there was something to read"


def test_what_leaves_the_process_is_signed_as_ever():
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    embedded_costs.install()
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "sns", "eu-west-1")

    def signature() -> str:
        request = AWSRequest("GET", "https://sns.eu-west-1.amazonaws.com/?Action=ListTopics")
        signer.add_auth(request)
        return str(request.headers["Authorization"]).rpartition("Signature=")[2]

    assert set(signature()) != {"0"}
    assert len(signature()) == 64
    with mock_aws():
        assert signature() == "0" * 64
