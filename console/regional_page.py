"""The runbook of a service's two regions, in Markdown: what to look at, and how to move traffic by hand."""

from __future__ import annotations

from remediators import evidence
from sereno.recovery import Witness
from sereno.service import Recovery, Service

WORD = "sereno: primary out"


def page(service: Service, wanted: Recovery) -> str:
    """The whole page. `service` is as the standby has it."""
    return "\n\n".join(
        (_head(service, wanted), _look(service, wanted), _out(service, wanted), _back(service, wanted))
    )


def _head(service: Service, wanted: Recovery) -> str:
    return f"""# {service.name}: the loss of a region

| | |
|---|---|
| primary | {wanted.primary}, {wanted.urls.get(wanted.primary, "")} |
| standby | {wanted.standby}, {wanted.urls.get(wanted.standby, "")} |
| customers call | {wanted.url} |
| who moves traffic | `{wanted.strategy}`, decided in {wanted.standby} |
| promised | RPO {service.objectives.rpo_s // 60} min, RTO {service.objectives.rto_s // 60} min |

Print it, or keep it where it can be read when {wanted.primary} cannot."""


def _look(service: Service, wanted: Recovery) -> str:
    regions = "\n".join(f"curl -sS -m 5 {url}{wanted.paths[0]}" for url in (*wanted.urls.values(), wanted.url))
    return f"""## Look

`sereno dr status` says who sees what. By hand, from anywhere:

```
{regions}
```

What the standby knows and what the probers elsewhere said last, without asking {wanted.primary} anything:

```
for pk in EVIDENCE SWITCH ASK {" ".join(evidence.place(name) for name in (Witness.HEARTBEAT, Witness.THIRD))}; do
  aws dynamodb query --region {wanted.standby} --table-name sereno-{service.name}-ledger \\
    --key-condition-expression "pk = :pk" --expression-attribute-values "{{\\":pk\\": {{\\"S\\": \\"$pk\\"}}}}"
done
```"""


def _out(service: Service, wanted: Recovery) -> str:
    return f"""## Send customers to {wanted.standby}

`sereno dr failover` asks the standby's watch. When that does not answer, do what it would do:

```
{_by_hand(service, wanted, out=True)}
```

Nothing else is needed. Within about {_minutes(wanted)} every health checker has seen it and resolvers that honour
the TTL have let the old answer go. Do not touch Route 53's records, IAM or anything in {wanted.primary} now: their
control planes may be away, and they are not needed."""


def _back(service: Service, wanted: Recovery) -> str:
    return f"""## Give {wanted.primary} its traffic back

Only when it has been well for {wanted.healthy_s // 60} minutes and has the data that was written meanwhile:
`sereno dr failback --plan` says whether it is so. `sereno dr failback` does it a share at a time. By hand, at once:

```
{_by_hand(service, wanted, out=False)}
```"""


def _minutes(wanted: Recovery) -> str:
    return "four minutes" if wanted.strategy == "metric-switch" else "a minute"


def _by_hand(service: Service, wanted: Recovery, *, out: bool) -> str:
    if wanted.strategy == "metric-switch":
        where = f"--region {wanted.standby} --table-name sereno-{service.name}-ledger"
        key = '"pk": {"S": "SWITCH"}, "sk": {"S": "primary"}'
        if out:
            return f'aws dynamodb put-item {where} \\\n  --item \'{{{key}, "out": {{"N": "1"}}}}\''
        return f"aws dynamodb delete-item {where} \\\n  --key '{{{key}}}'"
    if wanted.strategy == "weighted":
        return "\n".join(_weight(wanted, region, out=out) for region in (wanted.primary, wanted.standby))
    place = f"--region {wanted.standby} --bucket {wanted.bucket} --key {service.name}/primary-out"
    if not out:
        return f"aws s3api delete-object {place}"
    return (
        f"echo '{WORD}' > primary-out\n"
        f"aws s3api put-object {place} \\\n"
        "  --body primary-out --content-type text/plain --cache-control no-store"
    )


def _weight(wanted: Recovery, region: str, *, out: bool) -> str:
    weight = 100 if (region == wanted.standby) is out else 0
    host = wanted.urls[region].removeprefix("https://").split("/")[0]
    record = (
        f'{{"Name": "{wanted.shares}", "Type": "CNAME", "SetIdentifier": "{region}", "Weight": {weight}, "TTL": 20, '
        f'"ResourceRecords": [{{"Value": "{host}"}}]}}'
    )
    batch = f'{{"Changes": [{{"Action": "UPSERT", "ResourceRecordSet": {record}}}]}}'
    return f"aws route53 change-resource-record-sets --hosted-zone-id {wanted.zone} \\\n  --change-batch '{batch}'"
