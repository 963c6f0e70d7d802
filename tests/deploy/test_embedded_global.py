"""A global table's write settings are one for all its Regions; its write capacity is each Region's own."""

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy.embedded_global import global_tables, paid_writes, replicas

HERE, THERE = "eu-west-1", "eu-central-1"
TABLE = "shop-items"
BOTH = {TABLE: (HERE, THERE)}


@pytest.fixture
def aws():
    """Clients by service and Region, with the table in both."""
    with mock_aws(), global_tables(BOTH):
        made = {}

        def client(service, region=HERE):
            return made.setdefault((service, region), boto3.client(service, region_name=region))

        for region in (HERE, THERE):
            client("dynamodb", region).create_table(
                TableName=TABLE,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                ProvisionedThroughput={"ReadCapacityUnits": 40, "WriteCapacityUnits": 10},
            )
        yield client


def target(kind="Write", table=TABLE):
    return {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{table}",
        "ScalableDimension": f"dynamodb:table:{kind}CapacityUnits",
    }


def bounds(aws, region, **named):
    found = aws("application-autoscaling", region).describe_scalable_targets(
        ServiceNamespace="dynamodb",
        ResourceIds=[target(**named)["ResourceId"]],
        ScalableDimension=target(**named)["ScalableDimension"],
    )["ScalableTargets"]
    return [(one["MinCapacity"], one["MaxCapacity"]) for one in found]


def test_a_minimum_of_writes_set_in_one_region_is_set_in_all(aws):
    aws("application-autoscaling").register_scalable_target(**target(), MinCapacity=10, MaxCapacity=100)
    aws("application-autoscaling", THERE).register_scalable_target(**target(), MinCapacity=60, MaxCapacity=200)
    assert bounds(aws, HERE) == bounds(aws, THERE) == [(60, 200)]
    aws("application-autoscaling", THERE).deregister_scalable_target(**target())
    assert bounds(aws, HERE) == bounds(aws, THERE) == []


def test_the_target_of_writes_is_replicated_too(aws):
    aws("application-autoscaling").register_scalable_target(**target(), MinCapacity=10, MaxCapacity=100)
    tracking = {
        "TargetValue": 60.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
    }
    aws("application-autoscaling").put_scaling_policy(
        **target(),
        PolicyName="writes",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    (there,) = aws("application-autoscaling", THERE).describe_scaling_policies(ServiceNamespace="dynamodb")[
        "ScalingPolicies"
    ]
    assert there["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60.0


def test_reads_and_other_tables_are_each_regions_own(aws):
    aws("application-autoscaling").register_scalable_target(**target("Read"), MinCapacity=40, MaxCapacity=100)
    aws("application-autoscaling").register_scalable_target(**target(table="alone"), MinCapacity=5, MaxCapacity=9)
    assert bounds(aws, THERE, kind="Read") == []
    assert bounds(aws, THERE, table="alone") == []


def test_describe_table_tells_the_replicas(aws):
    found = aws("dynamodb").describe_table(TableName=TABLE)["Table"]["Replicas"]
    assert found == [{"RegionName": THERE, "ReplicaStatus": "ACTIVE"}]
    assert replicas(TABLE, THERE, BOTH) == [{"RegionName": HERE, "ReplicaStatus": "ACTIVE"}]


def test_update_table_sets_reads_and_no_writes(aws):
    client = aws("dynamodb")
    with pytest.raises(ClientError, match="AutoScaled"):
        client.update_table(
            TableName=TABLE, ProvisionedThroughput={"ReadCapacityUnits": 40, "WriteCapacityUnits": 20}
        )
    client.update_table(TableName=TABLE, ProvisionedThroughput={"ReadCapacityUnits": 80, "WriteCapacityUnits": 10})
    units = {
        region: aws("dynamodb", region).describe_table(TableName=TABLE)["Table"]["ProvisionedThroughput"][
            "ReadCapacityUnits"
        ]
        for region in (HERE, THERE)
    }
    assert units == {HERE: 80, THERE: 40}


def test_every_replica_pays_for_writes():
    assert paid_writes(50, TABLE, BOTH) == 100
    assert paid_writes(50, "alone", BOTH) == 50


def test_without_global_tables_nothing_is_replicated():
    with mock_aws():
        client = boto3.client("application-autoscaling", region_name=HERE)
        client.register_scalable_target(**target(), MinCapacity=10, MaxCapacity=100)
        there = boto3.client("application-autoscaling", region_name=THERE)
        assert there.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []
