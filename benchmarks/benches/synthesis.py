"""TechModa's template, against building a document of the same size and writing it."""

from __future__ import annotations

import json

from benchmarks.measure import Row, Size, milliseconds, paired
from benchmarks.techmoda import compiled
from deploy import synth
from remediators import registry
from sereno.service import Service


def run(size: Size) -> list[Row]:
    """From the compiled configuration to the template's text."""
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
    return [Row("synthesis", "ms", ours, theirs, "the same JSON read and written", note=note)]
