"""What a regional drill's result says, in sentences: shared by the page and the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from drills.narrative import Contrast, elapsed, milliseconds, number, percent, span
from sereno.model import Json


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the way to the standby: from and to in seconds since the outage began."""

    name: str
    begins: float
    ends: float
    words: str

    @property
    def lasts(self) -> float:
        """Seconds."""
        return self.ends - self.begins


def headline(result: Json) -> str:
    """The verdict in one or two sentences."""
    if not result["outages"]:
        moved = [one for one in result["moves"] if one["chances"].get(result["regions"]["standby"], 0.0) > 0]
        if moved or any(one["there"] for one in result["switch"]):
            return "Traffic was moved, and the primary was not out."
        return "Nothing moved, and nothing should have."
    outage = result["outages"][0]
    mine, other = outage["with"]["served_s"], outage["without"]["served_s"]
    lasted = span(outage["to_s"] - outage["from_s"])
    if mine is None:
        return f"Out for {lasted}, and customers were not served for good until it was over."
    first = f"Out for {lasted}; customers were served again after {span(mine)}."
    if other is None:
        return f"{first} Without Sereno, not for good until it was over."
    return f"{first} Without Sereno, after {span(other)}."


def lead(result: Json) -> list[str]:
    """What the way to the standby took, what was lost, and how customers came back. Only what was measured."""
    sentences = []
    for outage in result["outages"][:1]:
        shown = parts(outage["with"])
        if shown:
            told = "; ".join(f"{one.name} {span(one.lasts)}" for one in shown)
            sentences.append(f"{told[0].upper()}{told[1:]}.")
        plain = outage["with"]["plain_seen_s"]
        if plain is None:
            sentences.append("The health check of DNS saw nothing.")
        else:
            sentences.append(f"The health check of DNS, which needs nobody, saw it after {span(plain)}.")
    lost = result["lost_writes"]
    if lost["count"]:
        writes = "1 write had" if lost["count"] == 1 else f"{number(lost['count'])} writes had"
        sentences.append(f"{writes} not left the region and were lost, the oldest {span(lost['oldest_s'])} old.")
    back = result["back"]
    if back["asked_s"] is not None and back["worst"] is not None:
        sentences.append(
            f"A person asked for the primary {span(back['asked_s'])} in; in the worst ten seconds of the way back "
            f"{percent(back['worst'])} was served."
        )
    return sentences


def parts(found: Json) -> list[Part]:
    """Detection, decision, switch and DNS of one outage (`outages[].with`); nothing where nobody switched."""
    confirmed, switched, seen = found["confirmed_s"], found["switched_s"], found["switch_seen_s"]
    answered, served = found["answered_s"], found["served_s"]
    shown = []
    if confirmed is not None:
        shown.append(Part("detection", 0.0, confirmed, "until two vantages agreed that the region is out"))
        if switched is not None:
            shown.append(Part("decision", confirmed, switched, "until the standby had written the switch's object"))
            if seen is not None:
                shown.append(Part("switch", switched, seen, "until DNS's health checkers had found the object"))
    if answered is not None and served is not None:
        words = "from DNS's first answer with the standby until 99 % of the calls were served: the time to live, and "
        shown.append(Part("DNS", answered, max(answered, served), f"{words}resolvers that overstay it"))
    return shown


def comparison(result: Json) -> list[Contrast]:
    """The measures with Sereno and without, in the order in which a reader asks for them."""
    other = result["without"]
    attended, unattended = result["requests"], other["requests"]
    rows = []
    for outage in result["outages"][:1]:
        mine, theirs = outage["with"], outage["without"]
        rows += [
            Contrast("Served again after", _after(mine["served_s"]), _after(theirs["served_s"])),
            Contrast("Availability while it was out", percent(mine["availability"]), percent(theirs["availability"])),
        ]
    rows += [
        Contrast(
            "Availability of the whole drill", percent(attended["availability"]), percent(unattended["availability"])
        ),
        Contrast("Requests failed", number(attended["failed"]), number(unattended["failed"])),
    ]
    for region in attended["served_by"]:
        rows.append(
            Contrast(
                f"Served by {region}",
                number(attended["served_by"][region]),
                number(unattended["served_by"].get(region)),
            )
        )
    rows += [
        Contrast("Slowest 1 % (p99)", milliseconds(attended["p99_ms"]), milliseconds(unattended["p99_ms"])),
        Contrast("DNS changed its answer", _times(result["moves"]), _times(other["moves"])),
        Contrast("Lost writes", number(result["lost_writes"]["count"]), number(other["lost_writes"]["count"])),
    ]
    return rows


def _after(seconds: float | None) -> str:
    return "not before its end" if seconds is None else span(seconds)


def _times(moves: list[Json]) -> str:
    count = len(moves)
    return "never" if not count else "once" if count == 1 else f"{count} times"


# -- a year of noise

MEANINGS = {
    "standby": "the standby alone cannot reach the primary, for up to ten minutes",
    "witness": "the witness alone cannot, for up to ten minutes",
    "both": "neither can, for less than twenty seconds",
    "partition": "the line between the two regions is cut, for up to an hour",
    "witness-restart": "the witness's prober is silent, for up to five minutes",
    "prober-restart": "the standby's prober is, for up to two",
    "clock-step": "the standby's clock is wrong by up to two minutes",
}


def year_headline(result: Json) -> str:
    """The verdict of a year."""
    found = [one for one in result["outages"] if one["found_s"] is not None]
    false = len(result["false_moves"])
    outages = f"{len(found)} of {len(result['outages'])} outages found"
    moves = "no false move" if not false else f"{false} false move{'' if false == 1 else 's'}"
    return f"{outages}, {moves} in {number(result['events'])} happenings."


def year_lead(result: Json) -> list[str]:
    """When each outage was found."""
    return [
        f"The outage of {span(one['to_s'] - one['from_s'])} {day(one['from_s'])} "
        + ("was missed." if one["found_s"] is None else f"was found after {span(one['found_s'])}.")
        for one in result["outages"]
    ]


def day(seconds: float) -> str:
    """A moment of a year: the day, and the time of day."""
    return f"on day {int(seconds // 86_400) + 1} at {elapsed(seconds % 86_400)}"
