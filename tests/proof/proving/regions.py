"""TechModa in two regions and a third that looks on: the three watches as they ship, the shop twice, its global
table, and a world in which the first region can be lost."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import config, package, synth
from deploy.sam import translate
from deploy.synth import names
from proving import emulator as emulators
from proving import papers, stack, ways
from proving import shop as shops
from proving import watch as watches
from proving.differences import CHECK
from proving.emulator import ACCOUNT, Emulator
from proving.papers import Papers
from proving.route53 import Route53
from proving.shop import EXAMPLE, Shop
from proving.watch import TICK, Shipped, Watch
from proving.ways import Ways
from remediators import evidence, registry
from remediators.evidence import Rows
from sereno.lifecycle import Remediation
from sereno.model import Json
from sereno.recovery import PROBE_EVERY_S, Witness
from sereno.service import Service

PRIMARY, STANDBY, WITNESS = "eu-west-1", "eu-central-1", "eu-north-1"
CUSTOMERS = "api.techmoda.example"
# The shortest that the configuration takes.
SHORT = {"confirm": "5s", "minimum_stay": "5m", "healthy": "1m", "stage": "1m"}
# A try takes a tenth of a second; a cold start of three functions on a small machine takes longer.
TRIED_WITHIN_S = 20.0
Marks = dict[str, object]


def own_host(region: str) -> str:
    """The name by which a region alone is called."""
    return f"{region}.{CUSTOMERS}"


@dataclass(frozen=True, slots=True)
class World:
    """What the three regions stand in: the emulator, the ways to it, the certificates, and where names are told."""

    emulator: Emulator
    ways: Ways
    papers: Papers
    place: Path


@contextmanager
def world(place: Path, **settings: str) -> Iterator[World]:
    """An emulator of its own as long as the block lasts, with the ways on which its regions are reached."""
    issued = papers.issue(place, [CUSTOMERS, f"*.{CUSTOMERS}", f"*.s3.{STANDBY}.amazonaws.com"])
    told = {
        "SERENO_PROOF_NAMES": str(place / "names.json"),
        "SERENO_PROOF_WHO": str(place / "keys"),
        "SSL_CERT_FILE": str(issued.authority),
    }
    with ways.opened(place) as opened:
        told["AWS_ENDPOINT_URL"] = opened.api
        with emulators.running(place, **told, **settings) as running, pytest.MonkeyPatch.context() as patch:
            patch.setattr("botocore.auth.get_current_datetime", lambda: running.clock.now().replace(tzinfo=None))
            opened.emulator = running.url
            yield World(running, opened, issued, place)


@dataclass(slots=True, repr=False)
class Regions:
    """The three watches, the two shops, and what moves customers between them."""

    world: World
    config: Path
    shipped: Mapping[str, Shipped]
    shops: Mapping[str, Shop]
    watches: Mapping[str, Watch]
    route53: Route53
    each_try: Callable[[], object] = lambda: None
    _prober: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(3))

    @property
    def standby(self) -> Watch:
        return self.watches[STANDBY]

    @property
    def service(self) -> Service:
        """The service as the standby has it."""
        return self.standby.service

    def minute(self) -> None:
        """The probers of every region that lives, started as their schedule would, try for a minute. The clock moves
        on when each has made its try, so that it is the same story on any machine."""
        living = [one for one in (PRIMARY, WITNESS, STANDBY) if one not in self.world.ways.dark]
        before = self._marks()
        runs = [self._prober.submit(self._probe, region) for region in living]
        self._tried(before, living, runs)
        while not all(run.done() for run in runs):
            before = self._marks()
            # Whoever sleeps wakes by it, and is waited for.
            self.pass_by(PROBE_EVERY_S, seen_within_s=0.0)
            self._tried(before, living, runs)
        assert min(run.result()["tries"] for run in runs) >= 8

    def pass_by(self, seconds: float, seen_within_s: float = 0.2) -> None:
        """So much time in which nobody of the watch does anything; customers and checkers do."""
        self.world.emulator.clock.forward(seconds, seen_within_s)
        self.route53.tick()
        self.each_try()

    def _probe(self, region: str) -> Json:
        return self.invoke(region, names.prober(self.service))

    def invoke(self, region: str, function: str) -> Json:
        """A function of the watch, as its schedule would start it; what it did."""
        client = self.world.emulator.at(region).client("lambda")
        answer = client.invoke(FunctionName=function, Payload=json.dumps(TICK).encode())
        said: Json = json.load(answer["Payload"])
        assert "FunctionError" not in answer, said
        return said

    def rows(self) -> Rows:
        """What the standby knows."""
        return evidence.read(self.standby.emulator.client("dynamodb"), self.service)

    def _marks(self) -> Marks:
        rows = self.rows()
        heard = {name: one.number for name, one in rows.words.items()}
        return {
            STANDBY: rows.evidence.at if rows.evidence else None,
            WITNESS: heard.get(str(Witness.THIRD)),
            PRIMARY: heard.get(str(Witness.HEARTBEAT)),
        }

    def _tried(self, before: Marks, living: list[str], runs: list[Future[Json]]) -> None:
        until = time.monotonic() + TRIED_WITHIN_S
        while time.monotonic() < until and not all(run.done() for run in runs):
            now = self._marks()
            if all(now[region] != before[region] for region in living):
                return
            time.sleep(0.03)

    def ask(self, host: str, path: str, method: str = "GET", body: Json | None = None) -> tuple[int, bytes] | None:
        """One request over HTTPS to a name, as it leads at this moment; None when there is no answer."""
        port = json.loads(self.route53.names.read_text())[host]
        return call(self.world.papers, host, port, path, method, body)

    def moved(self) -> str | None:
        """The switch's text, as checkers see it; None while they see none."""
        wanted = self.service.recovery
        assert wanted is not None
        answer = self.ask(f"{wanted.bucket}.s3.{STANDBY}.amazonaws.com", f"/{self.service.name}/primary-out")
        return answer[1].decode() if answer and answer[0] == 200 else None

    def written(self) -> list[Json]:
        """What lies in the bucket of the switch: keys, and when each was written."""
        wanted = self.service.recovery
        assert wanted is not None
        found = self.root("s3").list_objects_v2(Bucket=wanted.bucket).get("Contents", [])
        return [{"key": one["Key"], "at": str(one["LastModified"])} for one in found]

    def root(self, service: str) -> Any:
        """A client in the standby's region on the way of AWS's API, where policies see TLS."""
        return replace(self.standby.emulator, url=self.world.ways.api, _clients={}).client(service)

    def ledger(self, remediator: str) -> list[Remediation]:
        """What the standby's ledger has of a remediator, oldest first."""
        return [one for one in self.standby.remediations() if one.remediator == remediator]

    def state(self) -> Json:
        """All that a further round might change: the switch, the shares, the ledger, who holds what."""
        return {
            "switch": (self.moved(), self.written()),
            "shares": self.route53.weights(),
            "ledger": {one.id: str(one.status) for one in self.standby.remediations()},
            "reserved": {name: self.shops[STANDBY].reserved(name) for name in ("techmoda-read", "techmoda-write")},
            "units": self.shops[STANDBY].units(),
        }


def call(
    trusted: Papers, host: str, port: int, path: str, method: str = "GET", body: Json | None = None
) -> tuple[int, bytes] | None:
    """One request over HTTPS to whoever must be able to show that it is this host."""
    context = ssl.create_default_context(cafile=str(trusted.authority))
    line = http.client.HTTPSConnection(host, timeout=10, context=context)
    try:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        line.sock = context.wrap_socket(plain, server_hostname=host)
        sent = None if body is None else json.dumps(body)
        line.request(method, path, body=sent, headers={"Content-Type": "application/json"} if sent else {})
        answer = line.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()


@contextmanager
def standing(world: World) -> Iterator[Regions]:
    """Everything deployed as a user does: the zone is there, then the table, the shop in both regions, and three
    watches."""
    emulator = world.emulator
    zone = emulator.client("route53").create_hosted_zone(Name="techmoda.example", CallerReference="proof")
    zone_id = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")
    written = world.place / "regions.yaml"
    written.write_text(yaml.safe_dump(_settings(zone_id)))
    template = translate(EXAMPLE / "global-table.yaml", {"Standby": STANDBY}, region=PRIMARY, account=ACCOUNT)
    stack.create(emulator, "techmoda-table", template)
    both = {one: shops.open_shop(emulator.at(one), world.place, OwnTable="0") for one in (PRIMARY, STANDBY)}
    compiled = config.compile_config(config.load(written))
    with ThreadPoolExecutor(2) as hands:
        shipped = {one.service.region: one for one in hands.map(_shipper(world.place), config.watches(compiled))}
    watching = {one: watches.stand_watch(emulator.at(one), shipped[one]) for one in (PRIMARY, STANDBY)}
    watches.deploy(emulator.at(WITNESS), shipped[WITNESS])
    standby = watching[STANDBY].stack
    checks = _checks(shipped[STANDBY].template, standby)
    named = {name: id_ for name, id_ in standby.physical.items() if id_ in checks}
    route53 = _route53(world, zone_id, both, compiled["recovery"]["bucket"], checks, named)
    regions = Regions(world, written, shipped, both, watching, route53)
    route53.tick()
    try:
        yield regions
    finally:
        regions._prober.shutdown()


def _settings(zone: str) -> Json:
    """The example's, with the shortest durations. Fencing the primary is a story of its own: it calls that region,
    and here it is shown that moving traffic does not."""
    raw: Json = yaml.safe_load((EXAMPLE / "regions.yaml").read_text(encoding="utf-8"))
    raw["recovery"] |= {"zone": zone, **SHORT}
    raw["recovery"].pop("fence", None)
    return raw


def _shipper(place: Path) -> Callable[[Json], Shipped]:
    def ship(compiled: Json) -> Shipped:
        service = Service.from_json(compiled)
        template = synth.synthesise(service, compiled, remediators=registry.all_remediators())
        built = package.build(place / f"sereno-{service.region}.zip", compiled)
        return Shipped(service, json.loads(synth.text(template)), built)

    return ship


def _checks(template: Json, stands: stack.Stack) -> dict[str, Json]:
    """The synthesised checks by their ids."""
    return {
        stands.physical[logical_id]: stack.resolved(one["Properties"]["HealthCheckConfig"], stands.physical)
        for logical_id, one in template["Resources"].items()
        if one["Type"] == CHECK
    }


def _route53(
    world: World,
    zone: str,
    both: Mapping[str, Shop],
    bucket: str,
    checks: Mapping[str, Json],
    named: Mapping[str, str],
) -> Route53:
    """What names lead to: each region's own, and that of the bucket of the switch, to a server of its own."""
    led = world.ways.led
    for region, shop in both.items():
        prefix = f"/restapis/{shop.stack.physical['CatalogueApi']}/prod/_user_request_"
        led[own_host(region)] = world.ways.front(region, prefix, world.papers)
    s3 = f"{bucket}.s3.{STANDBY}.amazonaws.com"
    led[s3] = world.ways.front(STANDBY, f"/{bucket}", world.papers)

    def look(host: str, path: str) -> tuple[int, bytes] | None:
        return call(world.papers, host, led[host], path)

    return Route53(world.emulator, world.ways, zone, CUSTOMERS, look, world.place / "names.json", checks, named)
