"""Takes cost out of moto that changes no answer: what it computes anew for each call, and could know.

A drill makes thousands of calls, a test run makes millions. `install` replaces moto's own ways once for this process;
tests/deploy/test_embedded_costs.py holds each replacement against what moto does by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any


@lru_cache(maxsize=1)
def install() -> None:
    """Replaces moto's ways, for this process."""
    from botocore.auth import SigV4Auth
    from botocore.useragent import UserAgentString
    from moto.core import responses
    from moto.core.serialize import ResponseSerializer, XFormedAttributePicker
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.table import Table
    from moto.kms import models as kms

    responses.method_names_from_class = lru_cache(maxsize=None)(responses.method_names_from_class)
    responses.camelcase_to_underscores = lru_cache(maxsize=None)(responses.camelcase_to_underscores)
    kms.generate_private_key = lru_cache(maxsize=None)(kms.generate_private_key)
    SigV4Auth.canonical_request = _unless_answered_here(SigV4Auth.canonical_request, "")
    SigV4Auth.signature = _unless_answered_here(SigV4Auth.signature, "0" * 64)
    UserAgentString.to_string = _once_each(UserAgentString.to_string)
    ResponseSerializer.get_value = _value_picker(ResponseSerializer.get_value, XFormedAttributePicker)
    Table.all_items = wraps(Table.all_items)(_all_items)
    Table.query = _within_partition(Table.query)
    Table.__deepcopy__ = _copy_table
    DynamoDBBackend.transact_write_items = _knowing_the_keys(DynamoDBBackend.transact_write_items)


# -- requests: moto reads who asks and where from the headers, and verifies no signature


def _unless_answered_here(own: Callable[..., str], instead: str) -> Callable[..., str]:
    """botocore's own way for a call that leaves the process, and a constant while moto answers."""
    from moto.core.models import botocore_stubber

    @wraps(own)
    def computed(self: Any, *args: Any) -> str:
        return instead if botocore_stubber.enabled else own(self, *args)

    return computed


def _once_each(own: Callable[..., str]) -> Callable[..., str]:
    """A client's user agent; while moto answers it is composed once for each client, and not twice for each call."""
    from moto.core.models import botocore_stubber

    @wraps(own)
    def composed(self: Any) -> str:
        if not botocore_stubber.enabled:
            return own(self)
        if "embedded" not in vars(self):
            self.embedded = own(self)
        return str(self.embedded)

    return composed


# -- answers: the names under which a value of an answer may stand in moto's object


def _value_picker(own: Callable[..., Any], known_picker: Any) -> Callable[..., Any]:
    """moto's `get_value` of a serializer. The names it tries for a member depend only on the member and on the type
    of the object, and moto works them out for each value of each answer."""
    from moto.core.serialize import AttributePickerContext
    from moto.core.utils import MISSING, get_value

    names: dict[tuple[Any, ...], tuple[str, ...]] = {}

    @wraps(own)
    def pick(self: Any, value: Any, key: str, shape: Any) -> Any:
        picker = self._value_picker
        if type(picker) is not known_picker or picker.response_transformers:
            return own(self, value, key, shape)
        parent = getattr(shape, "parent", None)
        member = (
            self.service_model.service_name,
            getattr(parent, "name", None),
            getattr(shape, "name", None),
            key,
            type(value),
        )
        tried = names.get(member)
        if tried is None:
            context = AttributePickerContext(value, key, shape, self.operation_model, self.service_model)
            tried = names[member] = tuple(dict.fromkeys(picker.get_possible_keys(context)))
        for name in tried:
            picked = get_value(value, name, MISSING)
            if picked is not MISSING:
                return picked
        return None

    return pick


# -- DynamoDB: reads of one partition, and the copy that a transaction is rolled back to

_only_partition: list[Any] = []
_written_keys: list[Mapping[str, set[Any]]] = []


def _all_items(self: Any) -> list[Any]:
    """moto's `Table.all_items`, in its order; within a query of a partition only that partition's."""
    if self.range_key_attr is None:
        items = list(self.items.values())
    elif _only_partition and _only_partition[-1] is not None:
        items = list(self.items.get(_only_partition[-1], {}).values())
    else:
        items = [item for partition in self.items.values() for item in partition.values()]
    return sorted(items, key=_order)


def _order(item: Any) -> Any:
    hash_value = item.hash_key.cast_value
    return (hash_value, item.range_key.cast_value) if item.range_key else hash_value


def _within_partition(own: Callable[..., Any]) -> Callable[..., Any]:
    """moto's `Table.query`, which sorts the whole table for the items of one key."""

    @wraps(own)
    def query(self: Any, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        index_name = kwargs.get("index_name") or (args[6] if len(args) > 6 else None)
        _only_partition.append(None if index_name else hash_key)
        try:
            return own(self, hash_key, *args, **kwargs)
        finally:
            _only_partition.pop()

    return query


def _knowing_the_keys(own: Callable[..., Any]) -> Callable[..., Any]:
    """moto's `transact_write_items`, which copies every item of a table for each transaction: it needs a copy of
    those that the transaction may change."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    @wraps(own)
    def transact(self: Any, transact_items: Sequence[Mapping[str, Any]]) -> Any:
        written: dict[str, set[Any]] = {}
        for operation in (operation for item in transact_items for operation in item.values()):
            table = self.tables.get(operation.get("TableName"))
            key = operation.get("Key") or operation.get("Item") or {}
            if table is not None and table.hash_key_attr in key:
                written.setdefault(table.name, set()).add(DynamoType(key[table.hash_key_attr]))
        _written_keys.append(written)
        try:
            return own(self, transact_items)
        finally:
            _written_keys.pop()

    return transact


def _copy_table(self: Any, memo: dict[int, Any]) -> Any:
    """A table's deep copy. Within a transaction it shares the partitions that the transaction does not write."""
    written = _written_keys[-1].get(self.name) if _written_keys else None
    copied = self.__class__.__new__(self.__class__)
    memo[id(self)] = copied
    for name, value in vars(self).items():
        if name == "items" and written is not None:
            copied.items = copy.copy(self.items)
            for partition, items in self.items.items():
                copied.items[partition] = copy.deepcopy(items, memo) if partition in written else items
        elif name == "stream_shard" and written is not None and value is not None:
            copied.stream_shard = copy.copy(value)
            copied.stream_shard.table, copied.stream_shard.items = copied, list(value.items)
        else:
            setattr(copied, name, copy.deepcopy(value, memo))
    return copied
