"""An account as far as capacity goes: what its functions and tables have, what they need, and the quotas over them.

`declared` draws it from `sereno.yaml` and AWS's default quotas; `deploy.account_live` reads the real one. Everything
that is worked out from it is pure, so a plan can be made without an account, and be wrong only where the file is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from remediators.actions._capacity import NO_MAXIMUM
from remediators.table_demand import KINDS
from sereno.service import Function, Index, Service, Table

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (new accounts may have less)
LAMBDA_CONCURRENCY = 1000
# Lambda takes ten requests a second for each execution of concurrency.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
RATE_PER_EXECUTION = 10
# Units for a table with its indexes, and for all provisioned tables of an account.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
TABLE_UNITS = 40_000
ACCOUNT_UNITS = 80_000
# Requests a second for all APIs of an account in a region, beyond which API Gateway answers 429.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
API_RATE = 10_000
# What a new on-demand table takes at once; later it is twice the highest it has seen.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
ON_DEMAND_AT_ONCE = {"read": 12_000, "write": 4_000}


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """`reserved` and `provisioned` are executions (None: none set), `target` the `(minimum, maximum)` of the scalable
    target that owns the provisioned ones, `normal` the executions at once of an ordinary busy hour and `rate` its
    calls a second (None: not known)."""

    reserved: int | None = None
    provisioned: int | None = None
    target: tuple[int, int] | None = None
    memory_mb: int = 128
    timeout_s: int = 3
    normal: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One kind of units of a table or an index: `units` provisioned, `maximum` the on-demand one (-1: none), `warm`
    what it takes at once (0: not told), `target` as above, `normal` the units a second of an ordinary busy hour."""

    units: int = 0
    maximum: int = NO_MAXIMUM
    warm: int = 0
    target: tuple[int, int] | None = None
    normal: float | None = None

    @property
    def limit(self) -> int | None:
        """What it may use before it is throttled: the units, or the on-demand maximum. None: there is none."""
        return self.units or (None if self.maximum == NO_MAXIMUM else self.maximum)


@dataclass(frozen=True, slots=True)
class TableFacts:
    """`lanes` by `(index, kind)`; the table's own have the empty index. `quota` is the most units of each kind that
    AWS gives this table and its indexes together."""

    billing: str
    lanes: Mapping[tuple[str, str], LaneFacts]
    quota: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, TABLE_UNITS))

    @property
    def provisioned(self) -> bool:
        """Whether it has units that can be too few."""
        return self.billing == "provisioned"


@dataclass(frozen=True, slots=True)
class Account:
    """`functions` and `tables` by their names on AWS. `own` are the executions reserved for Sereno's functions,
    `others` those of functions that the service does not declare; `rates` the requests a second of an ordinary busy
    hour by API key, `stages` those that a stage allows where it has a limit of its own. `live` says that the account
    was read, not assumed."""

    functions: Mapping[str, FunctionFacts]
    tables: Mapping[str, TableFacts]
    concurrency: int = LAMBDA_CONCURRENCY
    own: int = 0
    others: int = 0
    units: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, ACCOUNT_UNITS))
    api_rate: float = API_RATE
    rates: Mapping[str, float] = field(default_factory=dict)
    stages: Mapping[str, float] = field(default_factory=dict)
    live: bool = False

    @property
    def unreserved(self) -> int:
        """Executions that no function has reserved."""
        return self.concurrency - self.own - self.others - sum(one.reserved or 0 for one in self.functions.values())

    def with_function(self, name: str, facts: FunctionFacts) -> Account:
        """The same account but for one function."""
        return replace(self, functions={**self.functions, name: facts})

    def with_table(self, name: str, facts: TableFacts) -> Account:
        """The same account but for one table."""
        return replace(self, tables={**self.tables, name: facts})


def declared(service: Service, own: int) -> Account:
    """The account as `sereno.yaml` has it, under the quotas declared there or AWS's defaults; `own` as
    in `Account`."""
    return Account(
        functions={one.name: function_facts(one) for one in service.functions.values()},
        tables={one.name: TableFacts(one.billing, _lanes(one)) for one in service.tables.values()},
        concurrency=service.quotas.concurrency,
        own=own,
        api_rate=service.quotas.requests,
    )


def function_facts(one: Function) -> FunctionFacts:
    """A function as declared."""
    return FunctionFacts(
        reserved=one.reserved,
        provisioned=one.provisioned,
        memory_mb=one.memory_mb,
        timeout_s=one.timeout_s,
        normal=one.normal,
    )


def _lanes(table: Table) -> dict[tuple[str, str], LaneFacts]:
    parts: dict[str, Table | Index] = {"": table, **table.indexes}
    return {
        (index, kind): _lane(kind, getattr(part, kind), getattr(part, f"normal_{kind}"))
        for index, part in parts.items()
        for kind in KINDS
    }


def _lane(kind: str, units: int | None, normal: float | None) -> LaneFacts:
    if units is not None:
        return LaneFacts(units=units, normal=normal)
    return LaneFacts(warm=max(ON_DEMAND_AT_ONCE[kind], math.ceil(2 * (normal or 0.0))), normal=normal)
