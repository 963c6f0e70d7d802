"""What moves traffic, laid out beforehand in the standby's stack: the bucket of the switch, health checks, records.

On the day nothing here is changed by a control plane: an object is written into the bucket, and Route 53's checkers,
which read it every ten seconds, see it. All of it stands in the standby's stack, so that none of it needs the first
region, not even to be deployed anew.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from deploy.config_recovery import HEALTH_SWITCH, METRIC_SWITCH, WEIGHTED
from deploy.synth import names, store
from sereno.model import Json
from sereno.partition import partition
from sereno.service import Recovery, Service
from sereno.serving import HOLD_WORD, OUT_WORD

# Route 53's checkers ask for the object like anybody else.
OPEN: Json = {"Open": "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html"}
# Ten seconds is the shortest. An outage must last three looks, the switch two: nobody writes it by mistake.
INTERVAL_S, LOOKS = 10, 3
# Four looks of each checker lie 30 s apart: a standby whose bucket cannot be reached for so long loses no switch.
SWITCH_LOOKS = 4
# What decides whether a lost standby gives traffic back: slower, for it must outlast a flap of 30 s, and each probe
# is a customer's request. Both looks and the records' TTL fit in two minutes.
SLOW_INTERVAL_S, SLOW_LOOKS = 30, 2
TTL_S = 20
FULL = 100
ALARM = "primary-out"


def resources(service: Service) -> Json:
    """All of it in the standby; nothing elsewhere."""
    recovery = service.recovery
    if recovery is None or not service.is_standby:
        return {}
    return _bucket(service, recovery) | _checks(service, recovery) | (_records(recovery) if recovery.zone else {})


def outputs(service: Service) -> Json:
    """What a person asks for when there is no `sereno` at hand."""
    recovery = service.recovery
    if recovery is None or not service.is_standby:
        return {}
    found: Json = {}
    if recovery.bucket:
        text = f"Where the switch lies: its object {key(service)} sends traffic here"
        found["SwitchBucket"] = {"Description": text, "Value": {"Ref": "SwitchBucket"}}
    if not recovery.zone and recovery.strategy != WEIGHTED:
        for check, record in (("TrafficCheck", "primary"), ("StandbyTrafficCheck", "secondary")):
            text = f"The health check of the {record} failover record of {recovery.name}, which is yours to write"
            found[check] = {"Description": text, "Value": {"Fn::GetAtt": [check, "HealthCheckId"]}}
    return found


def key(service: Service) -> str:
    """The switch's key in its bucket."""
    return f"{service.name}/primary-out"


def _bucket(service: Service, recovery: Recovery) -> Json:
    """Three objects of it may be read by everybody: each says nothing but that it is there. Nothing else may be, and
    nothing is kept: an older version would be no switch."""
    if recovery.strategy != HEALTH_SWITCH:
        return {}
    arn = f"arn:{partition(recovery.standby)}:s3:::{recovery.bucket}"
    return {
        "SwitchBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "BucketName": recovery.bucket,
                "BucketEncryption": {
                    # The object is read by who has no key.
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": False,
                    "RestrictPublicBuckets": False,
                },
                "Tags": store.tags(service),
            },
        },
        "SwitchBucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Metadata": OPEN,
            "Properties": {
                "Bucket": {"Ref": "SwitchBucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "CheckersReadTheSwitch",
                            "Effect": "Allow",
                            "Principal": "*",
                            "Action": "s3:GetObject",
                            "Resource": f"{arn}/{key(service)}",
                        },
                        {
                            "Sid": "CheckersReadTheHold",
                            "Effect": "Allow",
                            "Principal": "*",
                            "Action": "s3:GetObject",
                            "Resource": f"{arn}/{service.name}/hold",
                        },
                        {
                            "Sid": "ProbersReadThatTheyCould",
                            "Effect": "Allow",
                            "Principal": "*",
                            "Action": "s3:GetObject",
                            "Resource": f"{arn}/{service.name}/switch-readable",
                        },
                        {
                            "Sid": "OnlyOverTls",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [arn, f"{arn}/*"],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                    ],
                },
            },
        },
    }


def _checks(service: Service, recovery: Recovery) -> Json:
    """The first layer needs nobody: a region that does not answer is left. The second is the switch. Traffic stays
    as long as both are healthy, and a checker that cannot see the switch counts it as not set."""
    if recovery.strategy == WEIGHTED:
        return {}
    switch = _check(service, "switch", _switch(service, recovery))
    if recovery.strategy == METRIC_SWITCH:
        # The check names its alarm as text, so CloudFormation cannot see that the alarm must exist first.
        switch["DependsOn"] = [names.logical("Alarm", _alarm_name(service))]
    hold = _check(service, "hold", _hold(service, recovery))
    if recovery.strategy == METRIC_SWITCH:
        hold["DependsOn"] = [names.logical("Alarm", _hold_alarm(service))]
    both = [{"Fn::GetAtt": [one, "HealthCheckId"]} for one in ("PrimaryCheck", "SwitchCheck")]
    return {
        "PrimaryCheck": _check(service, "primary", _answers(recovery)),
        "SwitchCheck": switch,
        "TrafficCheck": _check(
            service, "traffic", {"Type": "CALCULATED", "ChildHealthChecks": both, "HealthThreshold": len(both)}
        ),
        # The secondary's. Is it unhealthy, Route 53 answers the primary, whatever the primary's own check says. A new
        # check that starts unhealthy therefore moves nobody.
        "StandbyCheck": _check(service, "standby", _slowly(recovery, recovery.standby)),
        "PrimaryOutCheck": _check(service, "primary-out", {**_slowly(recovery, recovery.primary), "Inverted": True}),
        "HoldCheck": hold,
        "StandbyTrafficCheck": _check(
            service,
            "standby-traffic",
            {
                "Type": "CALCULATED",
                "ChildHealthChecks": [
                    {"Fn::GetAtt": [one, "HealthCheckId"]} for one in ("StandbyCheck", "PrimaryOutCheck", "HoldCheck")
                ],
                "HealthThreshold": 1,
            },
        ),
    }


def _slowly(recovery: Recovery, region: str) -> Json:
    return {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": _host(recovery, region),
        "Port": 443,
        "ResourcePath": recovery.paths[0],
        "EnableSNI": True,
        "RequestInterval": SLOW_INTERVAL_S,
        "FailureThreshold": SLOW_LOOKS,
    }


def _hold(service: Service, recovery: Recovery) -> Json:
    """Healthy while the hold can be read: what cannot be read is not held."""
    if recovery.strategy == METRIC_SWITCH:
        return {
            "Type": "CLOUDWATCH_METRIC",
            "AlarmIdentifier": {"Name": _hold_alarm(service), "Region": recovery.standby},
            "InsufficientDataHealthStatus": "Unhealthy",
        }
    return {
        "Type": "HTTPS_STR_MATCH",
        "FullyQualifiedDomainName": urlsplit(recovery.bucket_url).netloc,
        "Port": 443,
        "ResourcePath": f"/{service.name}/hold",
        "SearchString": HOLD_WORD,
        "EnableSNI": True,
        "RequestInterval": SLOW_INTERVAL_S,
        "FailureThreshold": SLOW_LOOKS,
    }


def _hold_alarm(service: Service) -> str:
    from alarms.packs import regions  # only where there is a second region

    return regions.not_held(service).name


def _answers(recovery: Recovery) -> Json:
    return {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": _host(recovery, recovery.primary),
        "Port": 443,
        "ResourcePath": recovery.paths[0],
        "EnableSNI": True,
        "RequestInterval": INTERVAL_S,
        "FailureThreshold": LOOKS,
    }


def _switch(service: Service, recovery: Recovery) -> Json:
    if recovery.strategy == METRIC_SWITCH:
        return {
            "Type": "CLOUDWATCH_METRIC",
            "AlarmIdentifier": {"Name": _alarm_name(service), "Region": recovery.standby},
            "InsufficientDataHealthStatus": "LastKnownStatus",
        }
    return {
        "Type": "HTTPS_STR_MATCH",
        "FullyQualifiedDomainName": urlsplit(recovery.bucket_url).netloc,
        "Port": 443,
        "ResourcePath": f"/{key(service)}",
        "SearchString": OUT_WORD,
        "Inverted": True,
        "EnableSNI": True,
        "RequestInterval": INTERVAL_S,
        "FailureThreshold": SWITCH_LOOKS,
    }


def _alarm_name(service: Service) -> str:
    """The alarm that says whether the switch is set."""
    from alarms.packs import regions  # only where there is a second region

    return regions.switched(service).name


def _check(service: Service, name: str, config: Json) -> Json:
    tags = [{"Key": "Name", "Value": f"sereno-{service.name}-{name}"}, *store.tags(service)]
    return {
        "Type": "AWS::Route53::HealthCheck",
        "Properties": {"HealthCheckConfig": config, "HealthCheckTags": tags},
    }


def _records(recovery: Recovery) -> Json:
    """Customers' name leads to the shares, and to the standby when the check fails. The shares are the weights by
    which traffic comes back; a planned move changes them alone."""
    found = {
        f"Share{place}": _record(
            recovery,
            recovery.shares,
            _host(recovery, region),
            {"SetIdentifier": region, "Weight": weight},
        )
        for place, region, weight in (("Primary", recovery.primary, FULL), ("Standby", recovery.standby, 0))
    }
    if recovery.strategy == WEIGHTED:
        return found | {"Customers": _record(recovery, recovery.name, recovery.shares, {})}
    first = {
        "SetIdentifier": recovery.primary,
        "Failover": "PRIMARY",
        "HealthCheckId": {"Fn::GetAtt": ["TrafficCheck", "HealthCheckId"]},
    }
    second = {
        "SetIdentifier": recovery.standby,
        "Failover": "SECONDARY",
        "HealthCheckId": {"Fn::GetAtt": ["StandbyTrafficCheck", "HealthCheckId"]},
    }
    primary = _record(recovery, recovery.name, recovery.shares, first)
    standby = _record(recovery, recovery.name, _host(recovery, recovery.standby), second)
    # A new inverted check may start unhealthy. CloudFormation waits until a record is live everywhere, so by the time
    # that there is a standby to be sent to, the checkers have looked.
    primary["DependsOn"] = ["SharePrimary", "ShareStandby"]
    standby["DependsOn"] = ["CustomersPrimary"]
    return found | {"CustomersPrimary": primary, "CustomersStandby": standby}


def _record(recovery: Recovery, name: str, value: str, more: Json) -> Json:
    """A CNAME, and no alias: an alias has no TTL of its own."""
    properties = {"Name": name, "Type": "CNAME", "TTL": str(TTL_S), "ResourceRecords": [value], **more}
    return {"Type": "AWS::Route53::RecordSet", "Properties": {"HostedZoneId": recovery.zone, **properties}}


def _host(recovery: Recovery, region: str) -> str:
    return urlsplit(recovery.urls[region]).netloc
