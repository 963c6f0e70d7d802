"""What moto's CloudFormation cannot create, or creates without some of its properties: one small function a type.

A shim gets properties whose references are resolved, calls the embedded AWS through boto3 as any caller would, and
says what `Ref` and `Fn::GetAtt` give. `SHIMS` lists them with the reason for each.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from deploy.embedded_shim import Clients, Made, Shim, Wanted, first_lower, text

# --- CloudWatch -----------------------------------------------------------------------------------


def _alarm(wanted: Wanted, aws: Clients) -> Made:
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName=wanted.name, **wanted.rest("AlarmName"))
    # A new alarm starts in INSUFFICIENT_DATA; moto starts it in OK, and the first transition would be lost.
    cloudwatch.set_alarm_state(
        AlarmName=wanted.name,
        StateValue="INSUFFICIENT_DATA",
        StateReason="Unchecked: Initial alarm creation",
    )
    return Made(wanted.name, {"Arn": _alarm_arn(wanted)})


def _composite(wanted: Wanted, _aws: Clients) -> Made:
    """Nothing to call: `Created.composites` hands the properties to the caller, who evaluates the rule."""
    return Made(wanted.name, {"Arn": _alarm_arn(wanted)})


def _alarm_arn(wanted: Wanted) -> str:
    return f"arn:aws:cloudwatch:{wanted.region}:{wanted.account}:alarm:{wanted.name}"


# --- Lambda ------------------------------------------------------------------------------------------------------


def _event_source(wanted: Wanted, aws: Clients) -> Made:
    """Made and switched off."""
    request = wanted.take("EventSourceArn", "FunctionName", "BatchSize", "MaximumBatchingWindowInSeconds")
    request |= wanted.take("FunctionResponseTypes", "ScalingConfig")
    made = aws("lambda").create_event_source_mapping(**request, Enabled=False)
    return Made(made["UUID"], {"Id": made["UUID"]})


def _function(wanted: Wanted, aws: Clients) -> Made:
    lambda_ = aws("lambda")
    # The last two are calls of their own on AWS, and change nothing where code does not run.
    apart = ("Code", "FunctionName", "ReservedConcurrentExecutions", "Tags")
    request = wanted.rest(*apart, "RuntimeManagementConfig", "RecursiveLoop")
    made = lambda_.create_function(
        FunctionName=wanted.name,
        Code={"ZipFile": _archive(wanted.properties["Code"])},
        **request,
        Tags={tag["Key"]: tag["Value"] for tag in wanted.properties.get("Tags", [])},
    )
    if "ReservedConcurrentExecutions" in wanted.properties:
        lambda_.put_function_concurrency(
            FunctionName=wanted.name,
            ReservedConcurrentExecutions=int(wanted.properties["ReservedConcurrentExecutions"]),
        )
    return Made(wanted.name, {"Arn": made["FunctionArn"]})


def _archive(code: Mapping[str, Any]) -> bytes:
    """A zip that stands for the code. It differs when the code's location does, because a version is only
    published anew when the code has changed."""
    if isinstance(code.get("ZipFile"), str):
        source = code["ZipFile"]
    else:
        source = f"# {json.dumps(code, sort_keys=True)}\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), source)
    return packed.getvalue()


def _version(wanted: Wanted, aws: Clients) -> Made:
    made = aws("lambda").publish_version(**wanted.take("FunctionName", "Description"))
    arn = made["FunctionArn"]
    qualified = arn if arn.endswith(f":{made['Version']}") else f"{arn}:{made['Version']}"
    return Made(qualified, {"Version": made["Version"], "FunctionArn": qualified})


def _alias(wanted: Wanted, aws: Clients) -> Made:
    lambda_ = aws("lambda")
    request = wanted.take("FunctionName", "FunctionVersion", "Name", "Description")
    weights = wanted.properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    if weights:
        by_version = {one["FunctionVersion"]: float(one["FunctionWeight"]) for one in weights}
        request["RoutingConfig"] = {"AdditionalVersionWeights": by_version}
    made = lambda_.create_alias(**request)
    provisioned = wanted.properties.get("ProvisionedConcurrencyConfig")
    if provisioned:
        lambda_.put_provisioned_concurrency_config(
            FunctionName=request["FunctionName"],
            Qualifier=request["Name"],
            ProvisionedConcurrentExecutions=int(provisioned["ProvisionedConcurrentExecutions"]),
        )
    return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})


def _permission(wanted: Wanted, aws: Clients) -> Made:
    function, qualifier = _split_function(wanted.properties["FunctionName"])
    request = wanted.rest("FunctionName", "InvokedViaFunctionUrl")
    if qualifier:
        request["Qualifier"] = qualifier
    aws("lambda").add_permission(FunctionName=function, StatementId=wanted.logical_id, **request)
    return Made(wanted.logical_id, {"Id": wanted.logical_id})


def _split_function(name: str) -> tuple[str, str | None]:
    """Function name and qualifier of a name, an ARN, or an ARN of a version or alias."""
    if not name.startswith("arn:"):
        return name, None
    parts = name.split(":")
    return parts[6], parts[7] if len(parts) > 7 else None


def _event_invoke(wanted: Wanted, aws: Clients) -> Made:
    aws("lambda").put_function_event_invoke_config(**wanted.properties)
    return Made(f"{wanted.properties['FunctionName']}|{wanted.properties['Qualifier']}")


def _url(wanted: Wanted, aws: Clients) -> Made:
    function, qualifier = _split_function(wanted.properties["TargetFunctionArn"])
    request = wanted.rest("TargetFunctionArn", "Qualifier")
    qualifier = wanted.properties.get("Qualifier", qualifier)
    if qualifier:
        request["Qualifier"] = qualifier
    made = aws("lambda").create_function_url_config(FunctionName=function, **request)
    return Made(made["FunctionArn"], {"FunctionArn": made["FunctionArn"], "FunctionUrl": made["FunctionUrl"]})


# --- DynamoDB and its auto scaling ----------------------------------------------------------------


def _table(wanted: Wanted, aws: Clients) -> Made:
    dynamodb = aws("dynamodb")
    apart = ("TableName", "PointInTimeRecoverySpecification", "TimeToLiveSpecification", "SSESpecification")
    request = wanted.rest(*apart, "StreamSpecification", "ContributorInsightsSpecification")
    request.setdefault("BillingMode", "PROVISIONED")
    stream = wanted.properties.get("StreamSpecification")
    if stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    sse = wanted.properties.get("SSESpecification")
    if sse:
        request["SSESpecification"] = {
            "Enabled": sse["SSEEnabled"],
            **{key: value for key, value in sse.items() if key != "SSEEnabled"},
        }
    made = dynamodb.create_table(TableName=wanted.name, **request)["TableDescription"]
    recovery = wanted.properties.get("PointInTimeRecoverySpecification")
    if recovery:
        dynamodb.update_continuous_backups(TableName=wanted.name, PointInTimeRecoverySpecification=dict(recovery))
    ttl = wanted.properties.get("TimeToLiveSpecification")
    if ttl:
        dynamodb.update_time_to_live(TableName=wanted.name, TimeToLiveSpecification=dict(ttl))
    attributes = {"Arn": made["TableArn"]}
    if "LatestStreamArn" in made:
        attributes["StreamArn"] = made["LatestStreamArn"]
    return Made(wanted.name, attributes)


def _scalable_target(wanted: Wanted, aws: Clients) -> Made:
    aws("application-autoscaling").register_scalable_target(**wanted.rest("ScheduledActions"))
    taken = wanted.properties
    # The form that AWS::ApplicationAutoScaling::ScalableTarget documents for Ref.
    return Made(f"{taken['ResourceId']}|{taken['ScalableDimension']}|{taken['ServiceNamespace']}")


def _scaling_policy(wanted: Wanted, aws: Clients) -> Made:
    request = wanted.rest("ScalingTargetId")
    if "ScalingTargetId" in wanted.properties:
        resource, dimension, namespace = wanted.properties["ScalingTargetId"].split("|")
        request.update(ResourceId=resource, ScalableDimension=dimension, ServiceNamespace=namespace)
    made = aws("application-autoscaling").put_scaling_policy(**request)
    return Made(made["PolicyARN"], {"Arn": made["PolicyARN"]})


# --- IAM, SNS, SQS, Logs, KMS ---------------------------------------------------------------------


def _role(wanted: Wanted, aws: Clients) -> Made:
    iam = aws("iam")
    request = wanted.take("Path", "Description", "MaxSessionDuration", "PermissionsBoundary", "Tags")
    made = iam.create_role(
        RoleName=wanted.name,
        AssumeRolePolicyDocument=text(wanted.properties["AssumeRolePolicyDocument"]),
        **request,
    )["Role"]
    for policy in wanted.properties.get("Policies", []):
        iam.put_role_policy(
            RoleName=wanted.name,
            PolicyName=policy["PolicyName"],
            PolicyDocument=text(policy["PolicyDocument"]),
        )
    for arn in wanted.properties.get("ManagedPolicyArns", []):
        _attach(iam, wanted.name, arn)
    return Made(wanted.name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def _attach(iam: Any, role: str, arn: str) -> None:
    try:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    except iam.exceptions.NoSuchEntityException as error:
        mend = 'mock_aws(config={"iam": {"load_aws_managed_policies": True}, ...})'
        raise LookupError(f"{arn} is not loaded: AWS's own policies come with {mend}") from error


def _topic(wanted: Wanted, aws: Clients) -> Made:
    sns = aws("sns")
    attributes = {
        name: str(value) for name, value in wanted.take("DisplayName", "KmsMasterKeyId", "TracingConfig").items()
    }
    made = sns.create_topic(Name=wanted.name, Attributes=attributes, Tags=list(wanted.properties.get("Tags", [])))
    arn = made["TopicArn"]
    for subscription in wanted.properties.get("Subscription", []):
        sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
    return Made(arn, {"TopicArn": arn, "TopicName": wanted.name})


def _topic_policy(wanted: Wanted, aws: Clients) -> Made:
    for arn in wanted.properties["Topics"]:
        aws("sns").set_topic_attributes(
            TopicArn=arn,
            AttributeName="Policy",
            AttributeValue=text(wanted.properties["PolicyDocument"]),
        )
    return Made(wanted.name, {"Id": wanted.name})


def _subscription(wanted: Wanted, aws: Clients) -> Made:
    attributes = {
        name: text(value)
        for name, value in wanted.take(
            "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"
        ).items()
    }
    made = aws("sns").subscribe(
        **wanted.take("TopicArn", "Protocol", "Endpoint"), Attributes=attributes, ReturnSubscriptionArn=True
    )
    return Made(made["SubscriptionArn"], {"Arn": made["SubscriptionArn"]})


def _vault(wanted: Wanted, aws: Clients) -> Made:
    tags = wanted.properties.get("BackupVaultTags", {})
    made = aws("backup").create_backup_vault(BackupVaultName=wanted.name, BackupVaultTags=dict(tags))
    return Made(wanted.name, {"BackupVaultArn": made["BackupVaultArn"], "BackupVaultName": wanted.name})


def _queue_policy(wanted: Wanted, aws: Clients) -> Made:
    for url in wanted.properties["Queues"]:
        aws("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": text(wanted.properties["PolicyDocument"])}
        )
    return Made(wanted.name, {"Id": wanted.name})


def _bucket_policy(wanted: Wanted, aws: Clients) -> Made:
    bucket = wanted.properties["Bucket"]
    aws("s3").put_bucket_policy(Bucket=bucket, Policy=text(wanted.properties["PolicyDocument"]))
    return Made(bucket)


def _health_check(wanted: Wanted, aws: Clients) -> Made:
    made = aws("route53").create_health_check(
        CallerReference=wanted.name, HealthCheckConfig=wanted.properties["HealthCheckConfig"]
    )
    id_ = made["HealthCheck"]["Id"]
    return Made(id_, {"HealthCheckId": id_})


def _metric_filter(wanted: Wanted, aws: Clients) -> Made:
    aws("logs").put_metric_filter(
        logGroupName=wanted.properties["LogGroupName"],
        filterName=wanted.name,
        filterPattern=wanted.properties["FilterPattern"],
        metricTransformations=[first_lower(one) for one in wanted.properties["MetricTransformations"]],
    )
    return Made(wanted.name)


def _key(wanted: Wanted, aws: Clients) -> Made:
    kms = aws("kms")
    request = {"Policy": text(wanted.properties["KeyPolicy"]), **wanted.take("Description")}
    made = kms.create_key(
        **request,
        Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in wanted.properties.get("Tags", [])],
    )["KeyMetadata"]
    if wanted.properties.get("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=made["KeyId"])
    return Made(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


# --- API Gateway ----------------------------------------------------------------------------------


def _rest_api(wanted: Wanted, aws: Clients) -> Made:
    apigateway = aws("apigateway")
    properties = wanted.properties
    body = properties.get("Body")
    name = properties.get("Name") or (body or {}).get("info", {}).get("title")
    types = {"types": properties.get("EndpointConfiguration", {}).get("Types", ["EDGE"])}
    api = apigateway.create_rest_api(
        name=str(name), description=properties.get("Description", ""), endpointConfiguration=types
    )["id"]
    if body is not None:
        # moto imports documents of version 3 only; it reads nothing but `paths`, which both versions spell alike.
        document = {"openapi": "3.0.1", **{key: body[key] for key in ("info", "paths") if key in body}}
        apigateway.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(document).encode())
    resources = apigateway.get_resources(restApiId=api, limit=500)["items"]
    root = next(one["id"] for one in resources if one["path"] == "/")
    return Made(api, {"RestApiId": api, "RootResourceId": root})


def _deployment(wanted: Wanted, aws: Clients) -> Made:
    request = {"restApiId": wanted.properties["RestApiId"], **first_lower(wanted.take("StageName", "Description"))}
    made = aws("apigateway").create_deployment(**request)["id"]
    return Made(made, {"DeploymentId": made})


def _stage(wanted: Wanted, aws: Clients) -> Made:
    apigateway = aws("apigateway")
    properties = wanted.properties
    api, stage = properties["RestApiId"], properties["StageName"]
    apigateway.create_stage(
        restApiId=api,
        stageName=stage,
        deploymentId=properties["DeploymentId"],
        description=properties.get("Description", ""),
        variables=properties.get("Variables", {}),
        tracingEnabled=properties.get("TracingEnabled", False),
    )
    access = properties.get("AccessLogSetting", {})
    paths = {"DestinationArn": "destinationArn", "Format": "format"}
    patches = [
        {"op": "replace", "path": f"/accessLogSettings/{paths[name]}", "value": value}
        for name, value in access.items()
    ]
    if patches:
        apigateway.update_stage(restApiId=api, stageName=stage, patchOperations=patches)
    return Made(stage)


def _api_account(wanted: Wanted, aws: Clients) -> Made:
    role = wanted.properties.get("CloudWatchRoleArn")
    if role:
        patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
        aws("apigateway").update_account(patchOperations=[patch])
    return Made(wanted.name, {"Id": wanted.name})


_NONE = "moto's CloudFormation does not know the type"
_SOME = "moto's CloudFormation drops properties: "

SHIMS: Mapping[str, Shim] = {
    "AWS::ApiGateway::Account": Shim(_api_account, _NONE),
    "AWS::ApiGateway::Deployment": Shim(_deployment, "moto's deployment has no id for Ref"),
    "AWS::ApiGateway::RestApi": Shim(_rest_api, _SOME + "Body, so the API would have no paths", "Name"),
    "AWS::ApiGateway::Stage": Shim(_stage, _NONE),
    "AWS::ApplicationAutoScaling::ScalableTarget": Shim(_scalable_target, _NONE),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Shim(_scaling_policy, _NONE),
    "AWS::Backup::BackupVault": Shim(_vault, _NONE, "BackupVaultName"),
    "AWS::CloudWatch::Alarm": Shim(_alarm, _NONE + "; and moto starts alarms in OK", "AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": Shim(
        _composite, "moto has no composite alarms; kept in Created.composites", "AlarmName"
    ),
    "AWS::DynamoDB::Table": Shim(_table, _SOME + "point-in-time recovery, time to live", "TableName"),
    "AWS::IAM::Role": Shim(_role, _SOME + "ManagedPolicyArns", "RoleName"),
    "AWS::KMS::Key": Shim(_key, "moto keeps the key policy unreadable: as a mapping, not as text"),
    "AWS::Lambda::Alias": Shim(_alias, _NONE),
    "AWS::Lambda::EventInvokeConfig": Shim(_event_invoke, _NONE),
    "AWS::Lambda::EventSourceMapping": Shim(
        _event_source, "moto would take the messages away, though no code runs that could read them"
    ),
    "AWS::Lambda::Function": Shim(
        _function, _SOME + "tracing, layers, architecture, tags; and it wants the code in a bucket", "FunctionName"
    ),
    "AWS::Lambda::Permission": Shim(_permission, "moto stores the properties as a statement; aliases are lost"),
    "AWS::Lambda::Url": Shim(_url, _NONE),
    "AWS::Lambda::Version": Shim(_version, "moto's version has no ARN for Ref"),
    "AWS::Logs::MetricFilter": Shim(_metric_filter, _NONE, "FilterName"),
    "AWS::Route53::HealthCheck": Shim(_health_check, _SOME + "children, inversion, and its id for GetAtt"),
    "AWS::S3::BucketPolicy": Shim(_bucket_policy, _NONE),
    "AWS::SNS::Subscription": Shim(_subscription, _NONE),
    "AWS::SNS::Topic": Shim(_topic, _SOME + "tags", "TopicName"),
    "AWS::SNS::TopicPolicy": Shim(_topic_policy, _NONE),
    "AWS::SQS::QueuePolicy": Shim(_queue_policy, _NONE),
}
