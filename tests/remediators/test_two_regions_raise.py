"""Two Regions of a global table raise and revert in turn, under replicated write settings: the original comes back.

Both Regions run Sereno's own code on the embedded AWS, each with its ledger; what one sets for the writes stands in
both (`global_tables`). Customers move between them, a Region is dark, demand rises and falls.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from deploy.embedded_global import AWS_ITSELF, global_tables
from remediators import evidence, flow, settle, shared
from remediators.clients import CONFIG, BotocoreAws
from remediators.items import remediation_from
from remediators.ledger import Ledger
from remediators.tend import tend
from remediators.watch import Watch
from sereno.model import Status, Target
from sereno.service import Recovery
from tests.remediators import conftest

A, B = "eu-west-1", "eu-central-1"
TABLE = "techmoda-products"
RECOVERY = Recovery(A, B, "eu-north-1", "https://a.example", {}, bucket="b")
ORIGINAL = (50, 400)
KINDS = (("", "Read"), ("", "Write"), ("/index/by-category", "Read"), ("/index/by-category", "Write"))


class Cut:
    """The `Aws` port of a Region: the other Region cannot be reached while either is dark."""

    def __init__(self, aws: Any, home: str, dark: set[str]) -> None:
        self._aws, self._home, self._dark = aws, home, dark

    def client(self, service: str, region: str | None = None) -> Any:
        if region not in (None, self._home) and self._dark & {region, self._home}:
            raise EndpointConnectionError(endpoint_url=f"https://{region}")
        return self._aws.client(service, region or self._home)


@dataclass
class Pair:
    """Both Regions, and which of them serves."""

    house: Any
    # The clients of AWS itself: what auto scaling does in a Region is that Region's own.
    direct: BotocoreAws
    watches: dict[str, Watch]
    dark: set[str]
    serving: str = A
    raised: int = 0
    # Raises on top of what is raised already.
    on_top: int = 0

    def serve(self, region: str) -> None:
        """Customers are served from there, and both ledgers know."""
        self.serving = region
        row = shared.items.item("EVIDENCE", "primary", serving=region)
        for name, watch in self.watches.items():
            self.direct.client("dynamodb", name).put_item(TableName=evidence.table_of(watch.service), Item=row)

    def bounds(self, region: str) -> list[tuple[int, int]]:
        """The minimum and maximum of the writes of the table and its index."""
        answer = self.direct.client("application-autoscaling", region).describe_scalable_targets(
            ServiceNamespace="dynamodb"
        )
        return [
            (one["MinCapacity"], one["MaxCapacity"])
            for one in sorted(answer["ScalableTargets"], key=lambda one: one["ResourceId"])
            if one["ScalableDimension"].endswith("WriteCapacityUnits")
        ]

    def surge(self, region: str, times: float = 1.0) -> None:
        """The alarm of a Region goes off, at so many times an ordinary surge."""
        units = {"ConsumedReadCapacityUnits": 250, "ConsumedWriteCapacityUnits": 60}
        loads = {f"{lane}{name}": value * times for lane in ("", "by-category/") for name, value in units.items()}
        conftest.table_calm(self.house, **loads)
        watch = self.watches[region]
        target = Target("table", TABLE, region, conftest.ACCOUNT)
        signal = replace(self.house.signal("read-throttles", "products"), target=target)
        before = self.bounds(region)
        done = flow.start(watch, signal, "raise_capacity", target)
        settle.after(watch, [done])
        self.on_top += before not in (self.bounds(region), [ORIGINAL, ORIGINAL])
        self.raised += before != self.bounds(region)
        self.auto_scaling()
        self.house.metrics.points.clear()

    def auto_scaling(self) -> None:
        """The capacity follows the minimum at once, in each Region."""
        for region in (A, B):
            scaling = self.direct.client("application-autoscaling", region)
            least = {
                (one["ResourceId"], one["ScalableDimension"].rsplit(":", 1)[1]): one["MinCapacity"]
                for one in scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
            }
            own, index = (
                {unit: least[f"table/{TABLE}{path}", unit] for unit in ("ReadCapacityUnits", "WriteCapacityUnits")}
                for path in ("", "/index/by-category")
            )
            self.direct.client("dynamodb", region).update_table(
                TableName=TABLE,
                ProvisionedThroughput=own,
                GlobalSecondaryIndexUpdates=[
                    {"Update": {"IndexName": "by-category", "ProvisionedThroughput": index}}
                ],
            )

    def minutes(self, count: int, step_s: int = 60) -> None:
        """The reconcilers of the Regions that are not dark."""
        for _ in range(count):
            self.house.clock.forward(step_s)
            for region, watch in self.watches.items():
                if region not in self.dark:
                    for row in list(watch.ledger.due(self.house.clock.now())):
                        tend(watch, remediation_from(row))
            assert self.bounds(A) == self.bounds(B), "the settings are replicated"

    def at_the_end(self) -> None:
        """All is calm, the primary serves: a day and some hours later everything is as it was."""
        self.dark.clear()
        self.serve(A)
        self.minutes(40)
        self.minutes(26, 3600)
        self.minutes(5)
        left = [one for watch in self.watches.values() for one in self.all(watch) if not one.ended]
        assert not left, [(one.id, str(one.status), one.detail) for one in left]
        assert self.bounds(A) == self.bounds(B) == [ORIGINAL, ORIGINAL]

    def all(self, watch: Watch) -> list[Any]:
        found = []
        for days in range(3):
            day = conftest.NOON + timedelta(days=days)
            found += [one for name in watch.ledger.day(f"{day:%Y-%m-%d}") if (one := watch.ledger.get(name))]
        return found


@pytest.fixture
def pair(house: Any) -> Iterator[Pair]:
    made = None
    with global_tables({TABLE: (A, B)}):
        before, direct = house.little.real, BotocoreAws(A, CONFIG.merge(Config(user_agent_extra=AWS_ITSELF)))
        try:
            made = paired(house, direct)
            yield made
        finally:
            house.little.real = before
            for region in (A, B):
                scaling = direct.client("application-autoscaling", region)
                for one in scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]:
                    named = {key: one[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
                    scaling.deregister_scalable_target(**named)
            for name in (TABLE, conftest.TABLE):
                direct.client("dynamodb", B).delete_table(TableName=name)


def paired(house: Any, direct: BotocoreAws) -> Pair:
    """The table with its targets, and a ledger, in both Regions."""
    conftest.products_table(house)
    here = direct.client("dynamodb", A).describe_table(TableName=TABLE)["Table"]
    units = {"ReadCapacityUnits": 300, "WriteCapacityUnits": 50}
    (index,) = here["GlobalSecondaryIndexes"]
    direct.client("dynamodb", B).create_table(
        TableName=TABLE,
        KeySchema=here["KeySchema"],
        AttributeDefinitions=here["AttributeDefinitions"],
        ProvisionedThroughput=units,
        GlobalSecondaryIndexes=[
            {key: index[key] for key in ("IndexName", "KeySchema", "Projection")} | {"ProvisionedThroughput": units}
        ],
    )
    conftest.create_ledger(direct.client("dynamodb", B))
    # Sessions made from here on know that the table is global.
    house.little.real = BotocoreAws(A)
    for region in (A, B):
        for path, kind in KINDS:
            direct.client("application-autoscaling", region).register_scalable_target(
                ServiceNamespace="dynamodb",
                ResourceId=f"table/{TABLE}{path}",
                ScalableDimension=f"dynamodb:{'index' if path else 'table'}:{kind}CapacityUnits",
                MinCapacity=ORIGINAL[0],
                MaxCapacity=ORIGINAL[1],
            )
    dark: set[str] = set()
    watches = {}
    for region, other in ((A, B), (B, A)):
        service = replace(house.watch.service, recovery=RECOVERY, regions=(region, other))
        aws = Cut(house.aws, region, dark)
        watches[region] = replace(
            house.watch,
            service=service,
            aws=aws,
            ledger=Ledger(aws.client("dynamodb", region), conftest.TABLE, "techmoda", sleep=lambda _: None),
            owner=region,
        )
    made = Pair(house, direct, watches, dark)
    made.serve(A)
    return made


def test_after_a_failover_the_standby_raises_on_top_and_the_original_comes_back(pair: Pair) -> None:
    pair.surge(A)
    after = pair.bounds(B)
    assert after != [ORIGINAL, ORIGINAL], "what one Region sets stands in both"
    pair.dark.add(A)
    pair.serve(B)
    pair.minutes(12)
    pair.house.clock.forward(600)
    pair.surge(B, 4)
    assert pair.on_top == 1
    pair.minutes(3)
    pair.dark.clear()
    pair.minutes(3)
    pair.at_the_end()


def test_a_raise_of_the_standby_is_reverted_after_the_failback(pair: Pair) -> None:
    pair.serve(B)
    pair.surge(B)
    raised = pair.bounds(A)
    assert raised != [ORIGINAL, ORIGINAL]
    pair.minutes(2)
    pair.serve(A)
    pair.minutes(40)
    assert pair.bounds(A) == raised, "the primary serves on it, and the standby leaves it alone"
    pair.at_the_end()


def play(pair: Pair, seed: int) -> None:
    """Half a day in which anything happens."""
    chance = random.Random(seed)
    for _ in range(12):
        kind = chance.choice(("surge", "surge", "surge", "serve", "dark", "light", "calm"))
        if kind == "surge" and pair.serving not in pair.dark:
            pair.surge(pair.serving, chance.choice((1, 2, 4, 6)))
        elif kind == "serve":
            pair.serve(chance.choice([one for one in (A, B) if one not in pair.dark]))
        elif kind == "dark" and not pair.dark:
            # A Region that goes dark within ten minutes of the other's return takes the original with it.
            other = B if pair.serving == A else A
            pair.dark.add(chance.choice((A, B)))
            pair.serve(pair.serving if pair.serving not in pair.dark else other)
        elif kind == "light":
            pair.dark.clear()
            pair.minutes(shared.AGAIN_MINUTES)
        pair.minutes(chance.randint(1, 8))
        pair.house.clock.forward(chance.choice((0, 0, 900)))
    pair.at_the_end()
    statuses = {one.status for watch in pair.watches.values() for one in pair.all(watch) if one.steps_done}
    assert statuses <= {Status.REVERTED, Status.KEPT}


def test_however_the_regions_take_turns_the_original_comes_back(pair: Pair) -> None:
    play(pair, 1)
    assert pair.raised


@pytest.mark.evidence
@pytest.mark.parametrize("seed", range(2, 22))
def test_however_the_regions_take_turns_the_original_comes_back_over_many_seeds(pair: Pair, seed: int) -> None:
    play(pair, seed)


def test_a_region_that_was_dark_at_the_raise_learns_the_original_later(pair: Pair) -> None:
    """It took the raised value for the original, and both went back to that."""
    pair.dark.add(B)
    pair.surge(A)
    assert shared.read(pair.watches[B].aws, pair.watches[B].service, TABLE) == {}
    pair.dark.clear()
    pair.minutes(shared.AGAIN_MINUTES)
    pair.serve(B)
    pair.surge(B, 4)
    assert pair.on_top == 1
    pair.at_the_end()
