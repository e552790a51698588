"""Where panels stand: rows of a grid of 24 columns, filled from left to right, with ids that stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import GridPos, Panel

COLUMNS = 24

_Built = TypeVar("_Built")


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel with its width in columns and its height in units of 38 pixels."""

    panel: Builder[Panel]
    width: int
    height: int


class Layout:
    """Puts rows into a dashboard, one below the other."""

    def __init__(self, target: dashboard.Dashboard) -> None:
        self._target = target
        self._below = 0
        self._id = 0

    def add(self, title: str, panels: Iterable[Placed], *, repeat: str = "") -> None:
        """Add an open row; ``repeat``: the variable of which each value gets a row of its own."""
        row = dashboard.Row(title).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=self._below)).id(self._next_id())
        if repeat:
            row.repeat(repeat)
        self._target.with_row(_As(row.build()))
        self._below += 1
        left, tallest = 0, 0
        for placed in panels:
            if left + placed.width > COLUMNS:
                self._below, left, tallest = self._below + tallest, 0, 0
            panel = placed.panel.build()
            panel.id_val = self._next_id()
            panel.grid_pos = GridPos(h=placed.height, w=placed.width, x=left, y=self._below)
            self._target.with_panel(_As(panel))
            left, tallest = left + placed.width, max(tallest, placed.height)
        self._below += tallest

    def _next_id(self) -> int:
        self._id += 1
        return self._id


def side_by_side(panels: Iterable[Builder[Panel]], height: int = 8, most: int = 3) -> list[Placed]:
    """Return ``panels`` in lines of ``most``, as even as it goes: four are two and two, not three and a wide one."""
    waiting, placed = list(panels), list[Placed]()
    while waiting:
        lines = -(-len(waiting) // most)
        count = -(-len(waiting) // lines)
        placed += [Placed(panel, COLUMNS // count, height) for panel in waiting[:count]]
        waiting = waiting[count:]
    return placed


class _As(Builder[_Built]):
    """What is built already, as the dashboard's builder wants to have it."""

    def __init__(self, built: _Built) -> None:
        self._built = built

    def build(self) -> _Built:
        return self._built
