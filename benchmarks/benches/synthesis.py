"""Templates: TechModa's against a document of the same size written, and a thousand services against troposphere."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks import troposphere_twin
from benchmarks.measure import Row, Size, Target, milliseconds, paired
from benchmarks.techmoda import compiled, minimal
from deploy import synth
from deploy.synth import fleet
from remediators import registry
from sereno.model import Json
from sereno.service import Service

SERVICES = 1000
# Templates that differ are what troposphere is handed; a thousand of them would only fill the memory.
TWINS = 20


def run(size: Size) -> list[Row]:
    """From the compiled configuration to the template's text."""
    return [_one(size), _many(size)]


def _one(size: Size) -> Row:
    configuration = compiled()
    service, remediators = Service.from_json(configuration), registry.all_remediators()

    def make() -> str:
        return synth.text(synth.synthesise(service, configuration, remediators=remediators))

    text = make()

    def floor() -> str:
        return json.dumps(json.loads(text), indent=1)

    times = max(1, round(10 * size.load))
    ours, theirs = paired(size.pairs, milliseconds(make, times), milliseconds(floor, times))
    note = f"{len(json.loads(text)['Resources'])} resources, {len(text) / 1024:.0f} KiB"
    return Row("synthesis", "ms", ours, theirs, "the same JSON read and written", note=note)


def _many(size: Size) -> Row:
    """Each of the services with its functions, roles, rules, alarms and dashboard, and their parents."""
    number = max(TWINS, round(SERVICES * size.load))
    named = [_named(one) for one in range(number)]
    services = [(Service.from_json(one), one) for one in named]
    remediators = registry.all_remediators()

    def members() -> Iterator[fleet.Member]:
        for service, configuration in services:
            yield fleet.Member(service, synth.bundle(service, configuration, remediators=remediators))

    def make() -> fleet.Fleet:
        return fleet.gather(members())

    twins = [one.bundle.root for one, _ in zip(members(), range(TWINS), strict=False)]

    def peer() -> int:
        return sum(len(troposphere_twin.text(twins[one % TWINS])) for one in range(number))

    pairs = min(size.pairs, 3)  # each takes seconds
    ours, theirs = paired(pairs, milliseconds(make), milliseconds(peer), warm=False)
    resources = twins[0]["Resources"].values()
    alarms = sum(one["Type"].endswith("Alarm") for one in resources)
    found = make()
    note = (
        f"{number} services of {len(resources)} resources, {alarms} of them alarms: "
        f"{len(found.files) + 1} templates, {sum(map(len, found.files.values())) / 1e6:.0f} MB"
    )
    # Less work than troposphere's, which is handed every property; the time itself is the machine's.
    return Row("synthesis of a fleet", "ms", ours, theirs, "troposphere, properties given", Target(ratio=1.0), note)


def _named(number: int) -> Json:
    """The minimal service under a name of its own."""
    base, name = minimal(), f"shop{number:04d}"
    functions = {key: one | {"name": f"{name}-{key}"} for key, one in base["functions"].items()}
    return base | {"service": name, "functions": functions}
