"""A whole drill as a person starts it: a fresh process, the surge twice, the embedded AWS, the verdict's data."""

from __future__ import annotations

from benchmarks.measure import Row, Size, Target, paired
from benchmarks.techmoda import ROOT, fresh

BOTH = """
import sys
from dataclasses import replace
from drills import scenario
found = scenario.load("surge-ramp")
found = replace(found, duration_s=max(300, round(found.duration_s * float(sys.argv[1])) // 60 * 60))
"""
DRILL = """
from drills import drill
result = drill.run(found, 1)
assert result["requests"]["offered"] > 0
"""
WORLDS = """
from benchmarks.techmoda import compiled
from drills.engine import QUOTA, make_world
from sereno.service import Service
service = Service.from_json(compiled())
for _ in range(2):
    world = make_world(found, 1, service, QUOTA)
    for moment in range(60, found.duration_s + 1, 60):
        world.advance(found.start_s + moment)
"""


END = "import time; print(time.process_time())"


def run(size: Size) -> list[Row]:
    """The floor is the same process with only the two worlds in it, and nobody on watch. Processor time, imports
    included: on a machine with nothing else to do, a person waits as long."""

    def seconds(code: str) -> float:
        return float(fresh(BOTH + code + END, [ROOT], str(size.load), isolated=False))

    pairs = max(1, size.pairs // 4)
    ours, theirs = paired(pairs, lambda: seconds(DRILL), lambda: seconds(WORLDS), warm=False)
    return [Row("drill", "s", ours, theirs, "both worlds, nobody on watch", Target(figure=20.0))]
