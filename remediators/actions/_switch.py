"""What moves traffic away from the primary: three ways behind one interface.

* `health-switch`: an object in the standby's bucket, which an inverted health check of Route 53 reads every ten
  seconds. Writing it is a call to the standby's S3 alone.
* `metric-switch`: a row in the standby's ledger; its prober publishes a metric from it, which a health check reads.
  Where no public object is wanted. It takes up to four minutes, for a metric is looked at minute by minute.
* `weighted`: the weights of records. They need Route 53's control plane, which may be away when a region is: for
  planned moves only.
"""

from __future__ import annotations

from typing import Any

from remediators import evidence, items, partitions
from sereno.model import Call, Json, Step
from sereno.ports import Aws, Context, Permission
from sereno.service import Recovery, Service
from sereno.serving import HOLD_WORD, OUT_WORD, READABLE_WORD

SWITCH, SHARE, HOLD = "switch", "primary's share", "hold"
OUT, HELD = "out", "held"
FULL = 100

# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
_CHANGED = "route53:ChangeResourceRecordSets"

PERMISSIONS = (
    Permission("s3.list_objects_v2", "arn:{partition}:s3:::{bucket}"),
    Permission("s3.put_object", "arn:{partition}:s3:::{bucket}/{service}/primary-out"),
    Permission("s3.delete_object", "arn:{partition}:s3:::{bucket}/{service}/primary-out"),
    Permission("s3.put_object", "arn:{partition}:s3:::{bucket}/{service}/hold"),
    Permission("s3.delete_object", "arn:{partition}:s3:::{bucket}/{service}/hold"),
    Permission("dynamodb.query", partitions.LEDGER),
    *partitions.may_put(partitions.SWITCH),
    *partitions.may_delete(partitions.SWITCH),
)
"""What the data planes of the standby allow."""


def _records(zone: str) -> tuple[Permission, ...]:
    """Leave to read a hosted zone, and to change the two records that share the traffic out."""
    return (
        Permission("route53.list_resource_record_sets", f"arn:{{partition}}:route53:::hostedzone/{zone}"),
        Permission(
            "route53.change_resource_record_sets",
            f"arn:{{partition}}:route53:::hostedzone/{zone}",
            condition={
                # ForAllValues holds when a key is absent, so each key must be present too.
                "ForAllValues:StringEquals": {
                    f"{_CHANGED}NormalizedRecordNames": ["{shares}"],
                    f"{_CHANGED}RecordTypes": ["CNAME"],
                    f"{_CHANGED}Actions": ["UPSERT"],
                },
                "Null": dict.fromkeys(
                    (f"{_CHANGED}NormalizedRecordNames", f"{_CHANGED}RecordTypes", f"{_CHANGED}Actions"), "false"
                ),
            },
        ),
    )


RECORDS = _records("{zone}")
"""What failing back needs of Route 53's control plane."""
WEIGHTED = _records("{weighted}")
"""The same for a failover with `strategy: weighted`; with another strategy there is no such permission."""


def recovery_of(context: Context) -> Recovery:
    """The service's recovery. Raises ValueError where it has none."""
    if context.service.recovery is None:
        raise ValueError(f"{context.service.name} has no recovery: in its sereno.yaml")
    return context.service.recovery


def key(context: Context) -> str:
    """The object's key in the bucket."""
    return f"{context.service.name}/primary-out"


def read(aws: Aws, context: Context) -> str | None:
    """`out` when traffic is sent to the standby."""
    recovery = recovery_of(context)
    if recovery.strategy == "metric-switch":
        return OUT if evidence.of(aws, context.service).out else None
    if recovery.strategy == "weighted":
        return OUT if share(aws, context) == 0 else None
    client = aws.client("s3", context.service.region)
    # A list of one, for it says "not there" with the leave to list, where a HEAD would say "forbidden".
    found = client.list_objects_v2(Bucket=recovery.bucket, Prefix=key(context), MaxKeys=1)
    return OUT if any(one["Key"] == key(context) for one in found.get("Contents", ())) else None


def out_step(context: Context, why: str) -> Step:
    """Traffic goes to the standby, until it is taken back."""
    put, away = _calls(context)
    return Step(do=put, undo=away, why=why, setting=SWITCH, before=None, after=OUT)


def hold_step(service: Service) -> Step:
    """Written before the switch: a standby that is lost for a moment gives no traffic back."""
    put, away = hold_calls(service)
    return Step(
        do=put,
        undo=away,
        why="a standby that is lost for a moment sends nobody to a primary that is not well",
        setting=HOLD,
        before=None,
        after=HELD,
    )


def hold_calls(service: Service) -> tuple[Call, Call]:
    """The calls that set and release the hold. Raises ValueError where the service has no recovery."""
    recovery = service.recovery
    if recovery is None:
        raise ValueError(f"{service.name} has no recovery: in its sereno.yaml")
    if not recovery.bucket:
        where = {"TableName": evidence.table_of(service)}
        row = items.item(*evidence.HOLD, held=1)
        away = {**where, "Key": items.key(*evidence.HOLD)}
        return Call("dynamodb", "put_item", {**where, "Item": row}), Call("dynamodb", "delete_item", away)
    place = {"Bucket": recovery.bucket, "Key": f"{service.name}/hold"}
    put = {**place, "Body": f"{HOLD_WORD}\n", "ContentType": "text/plain", "CacheControl": "no-store"}
    return Call("s3", "put_object", put), Call("s3", "delete_object", place)


def readable_call(service: Service) -> Call:
    """The call that writes the object which is always there and public: while it can be read, so could the switch.
    Raises ValueError where the service has no recovery."""
    if service.recovery is None:
        raise ValueError(f"{service.name} has no recovery: in its sereno.yaml")
    place = {"Bucket": service.recovery.bucket, "Key": f"{service.name}/switch-readable"}
    put = {**place, "Body": f"{READABLE_WORD}\n", "ContentType": "text/plain", "CacheControl": "no-store"}
    return Call("s3", "put_object", put)


def read_hold(aws: Aws, context: Context, switch: str | None) -> str | None:
    """Whether the hold was set before the switch. While the switch is set the prober releases it and sets it anew, as
    the witnesses see the primary: that is no drift."""
    if switch == OUT:
        return HELD
    recovery = recovery_of(context)
    if not recovery.bucket:
        return HELD if evidence.of(aws, context.service).held else None
    name = f"{context.service.name}/hold"
    found = aws.client("s3", context.service.region).list_objects_v2(Bucket=recovery.bucket, Prefix=name, MaxKeys=1)
    return HELD if any(one["Key"] == name for one in found.get("Contents", ())) else None


def back_step(context: Context, why: str) -> Step:
    """The switch is taken away: traffic goes where the records say."""
    put, away = _calls(context)
    return Step(do=away, undo=put, why=why, setting=SWITCH, before=OUT, after=None)


def _calls(context: Context) -> tuple[Call, Call]:
    recovery = recovery_of(context)
    if recovery.strategy == "metric-switch":
        where = {"TableName": evidence.table_of(context.service)}
        row = items.item(*evidence.SWITCH, out=1)
        away = {**where, "Key": items.key(*evidence.SWITCH)}
        return Call("dynamodb", "put_item", {**where, "Item": row}), Call("dynamodb", "delete_item", away)
    if recovery.strategy == "weighted":
        return _weights(context, 0), _weights(context, FULL)
    place = {"Bucket": recovery.bucket, "Key": key(context)}
    put = {**place, "Body": f"{OUT_WORD}\n", "ContentType": "text/plain", "CacheControl": "no-store"}
    return Call("s3", "put_object", put), Call("s3", "delete_object", place)


def share(aws: Aws, context: Context) -> int | None:
    """How much of the traffic the primary gets where the switch is not set, in percent; None without such records."""
    return primary_share(aws, context.service)


def primary_share(aws: Aws, service: Service) -> int | None:
    """The same, for a service. Raises what AWS raises."""
    recovery = service.recovery
    if recovery is None or not recovery.zone:
        return None
    client = aws.client("route53", service.region)
    answer = client.list_resource_record_sets(
        HostedZoneId=recovery.zone, StartRecordName=recovery.shares, StartRecordType="CNAME", MaxItems="2"
    )
    for record in answer["ResourceRecordSets"]:
        if record["Name"].rstrip(".") == recovery.shares and record.get("SetIdentifier") == recovery.primary:
            return int(record["Weight"])
    return None


def share_step(context: Context, before: int, after: int, why: str) -> Step:
    """The primary gets another share."""
    return Step(
        do=_weights(context, after),
        undo=_weights(context, before),
        why=why,
        setting=SHARE,
        before=before,
        after=after,
    )


def _weights(context: Context, primary: int) -> Call:
    recovery = recovery_of(context)
    weights = {recovery.primary: primary, recovery.standby: FULL - primary}
    changes = [
        {
            "Action": "UPSERT",
            "ResourceRecordSet": {
                "Name": recovery.shares,
                "Type": "CNAME",
                "SetIdentifier": region,
                "Weight": weight,
                "TTL": 20,
                "ResourceRecords": [{"Value": _host(recovery.urls[region])}],
            },
        }
        for region, weight in weights.items()
    ]
    params: dict[str, Any] = {"HostedZoneId": recovery.zone, "ChangeBatch": {"Changes": changes}}
    return Call("route53", "change_resource_record_sets", params)


def _host(url: str) -> str:
    return url.removeprefix("https://").split("/")[0]


def settings(aws: Aws, context: Context) -> Json:
    """Both settings, as steps name them."""
    return {SWITCH: read(aws, context), SHARE: share(aws, context)}
