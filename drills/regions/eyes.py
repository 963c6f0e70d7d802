"""The eyes of a drill's probers: they see of the world what an HTTPS request from their region would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drills.regions.region import Regions
from drills.regions.resolvers import TTL_S
from drills.regions.world import World
from remediators.eyes import TIMEOUT_S, Look
from sereno.service import Recovery
from sereno.serving import HOLD_WORD, OUT_WORD, READABLE_WORD

# What an answer takes from another region and a look at one path, in milliseconds.
ANSWER_MS = (40.0, 220.0)


@dataclass
class WorldEyes:
    """How the prober of one region sees. `at` is the moment of its probe (seconds since the start), `names` whether a
    health answer says which region gave it."""

    home: str
    wanted: Recovery
    world: World
    rng: np.random.Generator
    at: float = 0.0
    names: bool = True
    _resolved: tuple[float, str] = (-1.0, "")

    def look(self, url: str, paths: Sequence[str]) -> Look:
        """All paths of one address, until one fails."""
        if self.wanted.bucket and url == self.wanted.bucket_url:
            return self._object(paths[0].rsplit("/", 1)[-1])
        region = self._leads_to(url)
        regions: Regions = self.world.regions
        condition = regions.at(region, self.at)
        took: dict[str, float] = {}
        name = region if self.names else ""
        for number, path in enumerate(paths):
            lost = condition.first_fails and self.rng.random() < condition.first_fails
            if lost or not regions.reachable(region, self.home, self.at):
                return Look(False, f"{path}: no answer in {TIMEOUT_S:g} s", name if number else "", took)
            if condition.down:
                return Look(False, f"{path}: 503", "", took)
            took[path] = float(self.rng.uniform(*ANSWER_MS)) * condition.slower
            # A gray region's health check is fine: it is the other paths that fail.
            if number and condition.fails and self.rng.random() < condition.fails:
                return Look(False, f"{path}: 503", name, took)
        return Look(True, "", name, took)

    def _object(self, name: str) -> Look:
        """A public object of the switch's bucket: not there and not public are one answer."""
        if not self.world.regions.reachable(self.wanted.standby, self.home, self.at):
            return Look(False, f"no answer in {TIMEOUT_S:g} s")
        there, text = {
            "hold": (self.world.held(self.at), HOLD_WORD),
            "primary-out": (self.world.object_there(self.at), OUT_WORD),
            "switch-readable": (True, READABLE_WORD),
        }[name]
        seen = there and self.world.readable(self.at)
        return Look(True, status=200 if seen else 403, text=text if seen else "")

    def look_all(self, wanted: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, Look]:
        """Several addresses at once."""
        return {name: self.look(url, paths) for name, (url, paths) in wanted.items()}

    def takes(self) -> float:
        """How many seconds a try that begins now takes until all has been seen: what hangs, hangs for long, and no
        two answers take the same."""
        hangs = (one for one in self.wanted.urls if not self.world.regions.reachable(one, self.home, self.at))
        if any(hangs):
            return TIMEOUT_S
        return float(self.rng.uniform(*ANSWER_MS)) * len(self.wanted.paths) / 1000

    def _leads_to(self, url: str) -> str:
        for region, own in self.wanted.urls.items():
            if url == own:
                return region
        until, region = self._resolved
        if self.at >= until:
            chances = self.world.answered()
            region = str(self.rng.choice(list(chances), p=list(chances.values())))
            self._resolved = (self.at + TTL_S, region)
        return region
