"""One plot of the report as data, and what every plot is made of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drills import charts, narrative

# A line of text takes this share of a plot's height.
_NOTE_HEIGHT = 0.13


@dataclass(frozen=True, slots=True)
class Label:
    """Text laid over a plot at a share (0..100) of its width and height."""

    left: float
    top: float
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One path, and what it stands for: the stylesheet draws each kind in its own way."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot. `summary` is its alternative in words, `keys` its legend as (kind, text)."""

    title: str
    unit: str
    summary: str
    keys: tuple[tuple[str, str], ...]
    shapes: tuple[Shape, ...]
    levels: tuple[Label, ...]
    notes: tuple[Label, ...] = ()
    caption: str = ""


def short(name: str, service: str) -> str:
    """A resource's name without the service's, which every name repeats."""
    bare = name.removeprefix(service).lstrip("-/_")
    return bare or name


def note(text: str, x: float, bottom: float, top: float) -> Label:
    """Says in words what the red area is: inside it where it is tall enough, else above, off the plot's edges."""
    left = 100 * x / charts.WIDTH
    tall = (bottom - top) / charts.HEIGHT > _NOTE_HEIGHT
    middle = (bottom + top) / 2 if tall else top - _NOTE_HEIGHT * charts.HEIGHT
    side = "after" if left < 30 else "before" if left > 70 else ""
    return Label(left, min(max(100 * middle / charts.HEIGHT, 7), 93), text, side)


def levels_of(values: Sequence[float]) -> tuple[Label, ...]:
    y = charts.upward(values[-1])
    return tuple(Label(0, 100 * y(value) / charts.HEIGHT, narrative.number(value)) for value in values)
