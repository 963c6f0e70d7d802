"""Where widgets go: CloudWatch's grid of 24 columns, filled from left to right."""

from __future__ import annotations

from dataclasses import dataclass, field

COLUMNS = 24


class Grid:
    """Places widgets from left to right; a widget that does not fit begins a new row."""

    def __init__(self) -> None:
        self._x = self._y = self._height = 0

    def place(self, width: int, height: int) -> str:
        """The next free place, as the members of a JSON object."""
        if self._x + width > COLUMNS:
            self.begin_row()
        x, self._x = self._x, self._x + width
        self._height = max(self._height, height)
        return f'"x": {x}, "y": {self._y}, "width": {width}, "height": {height}'

    def begin_row(self) -> bool:
        """Goes on below everything placed so far."""
        self._y, self._x, self._height = self._y + self._height, 0, 0
        return True


@dataclass(frozen=True, slots=True)
class Board:
    """What the templates' macros need: the next free place, the region that graphs read from, and the ARN of the
    widget's function."""

    region: str
    widget: str
    grid: Grid = field(default_factory=Grid)

    def place(self, width: int, height: int) -> str:
        """The next free place, as the members of a JSON object."""
        return self.grid.place(width, height)

    def begin_row(self) -> bool:
        """Goes on below everything placed so far."""
        return self.grid.begin_row()
