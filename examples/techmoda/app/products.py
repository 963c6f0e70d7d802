"""What a product is: its fields and limits, and the stamps it carries in the table. Pure; no AWS here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
CATEGORY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
CURRENCIES = frozenset({"EUR", "GBP", "USD", "CHF", "SEK", "DKK", "NOK", "PLN"})
MAX_CENTS = 100_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: where, what stands there, how to mend it."""

    path: str
    value: object
    mend: str

    def to_json(self) -> dict[str, object]:
        """Long values are cut, so that an error never echoes a whole body."""
        shown = self.value
        if isinstance(shown, str) and len(shown) > 80:
            shown = shown[:80] + "..."
        elif isinstance(shown, (dict, list)):
            shown = type(shown).__name__
        return {**asdict(self), "value": shown}


def is_integer(value: object) -> bool:
    """JSON's true is an int in Python, but no amount of money."""
    return isinstance(value, int) and not isinstance(value, bool)


def _text(limit: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and 0 < len(value.strip()) <= limit


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _sizes(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 30 and all(_text(10)(size) for size in value)


def _stock(value: object) -> bool:
    return is_integer(value) and 0 <= value <= 1_000_000  # type: ignore[operator]


# field -> (required, holds, mend)
FIELDS: Mapping[str, tuple[bool, Callable[[object], bool], str]] = {
    "name": (True, _text(200), "must be text of 1 to 200 characters"),
    "category": (True, _matches(CATEGORY), "must be 1 to 40 of a-z, 0-9 and '-', e.g. knitwear"),
    "description": (False, _text(5000), "must be text of 1 to 5000 characters"),
    "sizes": (False, _sizes, "must be a list of at most 30 sizes, each 1 to 10 characters"),
    "stock": (False, _stock, "must be an integer from 0 to 1000000"),
}


def _price_faults(price: object) -> list[Fault]:
    if not isinstance(price, dict):
        return [Fault("price", price, 'must be an object, e.g. {"cents": 4990, "currency": "EUR"}')]
    faults = [
        Fault(f"price.{key}", price[key], "is not known here: take it out")
        for key in price
        if key not in ("cents", "currency")
    ]
    cents = price.get("cents")
    if not is_integer(cents) or not 0 <= cents <= MAX_CENTS:  # type: ignore[operator]
        faults.append(Fault("price.cents", cents, f"must be an integer of cents from 0 to {MAX_CENTS}"))
    currency = price.get("currency")
    if not isinstance(currency, str) or currency not in CURRENCIES:
        faults.append(Fault("price.currency", currency, f"must be one of {', '.join(sorted(CURRENCIES))}"))
    return faults


def faults_in(body: Mapping[str, Any], *, known: frozenset[str] = frozenset()) -> list[Fault]:
    """Everything wrong with a product as a caller sent it, in the order of the fields.

    `known` names further fields which the request itself understands (`id`, `version`).
    """
    faults = []
    for field, (required, holds, mend) in FIELDS.items():
        if field not in body:
            if required:
                faults.append(Fault(field, None, f"is missing: it {mend}"))
        elif not holds(body[field]):
            faults.append(Fault(field, body[field], mend))
    if "price" not in body:
        faults.append(Fault("price", None, 'is missing, e.g. {"cents": 4990, "currency": "EUR"}'))
    else:
        faults.extend(_price_faults(body["price"]))
    strangers = [field for field in body if field not in FIELDS and field != "price" and field not in known]
    faults.extend(Fault(field, body[field], "is not known here: take it out") for field in strangers)
    return faults


def stamped(body: Mapping[str, Any], *, product_id: str, version: int, release: str, now: datetime) -> dict[str, Any]:
    """The product as it is stored. `version` is what writers compare; `release` tells, after a bad deployment,
    which products it wrote; `updated_at` is UTC with milliseconds."""
    kept = {field: body[field] for field in (*FIELDS, "price") if field in body}
    moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": product_id, **kept, "version": version, "release": release, "updated_at": moment}
