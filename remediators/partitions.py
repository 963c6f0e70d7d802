"""The ledger's partition keys by purpose, and the permissions to write them.

IAM can hold a writer to partition keys (`dynamodb:LeadingKeys`) and to nothing finer, so what has another writer has
another partition. Reads are table-wide. The rows of one remediation cannot be kept apart from another's: every
function that runs a remediation writes R#, D#, T#, B#, I#, J# and G#.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

from sereno.model import Json
from sereno.ports import Permission

LEDGER = "arn:{partition}:dynamodb:{region}:{account}:table/sereno-{service}-ledger"
STANDBY_LEDGER = "arn:{partition}:dynamodb:{standby}:{account}:table/sereno-{service}-ledger"

# The rows of a remediation and of its incident: history, pointer, lock, budget, thread, part of the service.
REMEDIATION = ("R#*", "D#*", "T#*", "B#*", "I#*", "J#*", "G#*")
NOTIFIER = ("N#*",)
# Requests of Slack that were taken: none is taken twice.
TAKEN = "N#request"
# What operators set, what Sereno takes away from itself, what self-tests and limits say, a stack's change.
MODE, CAP, READY, LIMITS, CHANGE = "MODE", "CAP", "READY", "LIMITS", "CHANGE"
# Two regions: what is known, what each prober elsewhere says, where traffic is to be, what a person asked for.
EVIDENCE, WITNESS, SWITCH, ASK = "EVIDENCE", "WITNESS#", "SWITCH", "ASK"

# What a request of a person may touch of a remediation's row or an incident's, and nothing else of it.
REQUEST_ATTRIBUTES = (
    *("pk", "sk", "wish", "wish_by", "due_at", "open", "version"),
    *("ask_ack", "ask_mute", "ask_resolve"),
)


def leading(*keys: str) -> Json:
    """The condition that holds a writer to these partitions. ForAllValues is true when the key is absent, so the key
    must be there too."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def requests(*keys: str) -> Json:
    """The condition that holds a writer to these partitions and to the attributes of a request."""
    both = leading(*keys)
    attributes = {"dynamodb:Attributes": list(REQUEST_ATTRIBUTES)}
    return {
        "ForAllValues:StringLike": both["ForAllValues:StringLike"],
        "ForAllValues:StringEquals": attributes,
        "Null": {**both["Null"], "dynamodb:Attributes": "false"},
    }


def may_write(*keys: str, ledger: str = LEDGER) -> tuple[Permission, ...]:
    """Leave to put and update rows of these partitions, alone and in transactions."""
    return tuple(
        Permission(operation, ledger, condition=leading(*keys), actions=actions)
        for operation, actions in (
            ("dynamodb.put_item", ()),
            ("dynamodb.update_item", ()),
            # Each member of a transaction is allowed, or not, by its own action and key.
            ("dynamodb.transact_write_items", ("dynamodb:PutItem", "dynamodb:UpdateItem")),
        )
    )


def may_put(*keys: str, ledger: str = LEDGER) -> tuple[Permission, ...]:
    """Leave to put whole rows of these partitions."""
    return (Permission("dynamodb.put_item", ledger, condition=leading(*keys)),)


def may_delete(*keys: str, ledger: str = LEDGER) -> tuple[Permission, ...]:
    """Leave to delete rows of these partitions: of what is in force only while its row is there."""
    return (Permission("dynamodb.delete_item", ledger, condition=leading(*keys)),)


READS: tuple[Permission, ...] = (
    *(Permission(f"dynamodb.{one}", LEDGER) for one in ("batch_get_item", "get_item", "query")),
    Permission("dynamodb.query", f"{LEDGER}/index/open"),
)
"""Every row, by key or by the index of what is open; no scan."""
