"""The large picture of a KPI: its worst series against its lines, with what fired shaded, on axes that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
from markupsafe import Markup, escape

from slo_guard.domain.kpi import KPI
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.trails import Trail
from slo_guard.expose.pages.axis import time_ticks, value_ticks
from slo_guard.expose.pages.periods import Period
from slo_guard.expose.pages.scale import Scale
from slo_guard.expose.pages.sparkline import bars
from slo_guard.expose.pages.trail_runs import bounds_of, runs_of, thinned, value_range

_MOST_POINTS = 400
_MOST_PERIODS = 60
_NAME_HEIGHT, _TICK_WIDTH = 13.0, 40.0
_BOOL_HEIGHT = 150
_BOOL_TICKS = ((0.0, "false"), (1.0, "true"))


@dataclass(frozen=True, slots=True)
class Size:
    """How large a plot is drawn, and at most how many ticks its axes have."""

    name: str
    width: int
    height: int
    left: int
    time_ticks: int
    value_ticks: int


WIDE = Size("wide", 1120, 320, 78, 14, 6)
NARROW = Size("narrow", 360, 250, 58, 5, 5)


@dataclass(frozen=True, slots=True)
class Plotted:
    """What a plot shows between two instants: ``firing`` shaded, ``moments`` (due, checkpoint, now) marked by name."""

    kpi: KPI
    trail: Trail
    times: tuple[float, float]
    zone: ZoneInfo
    firing: Sequence[Period]
    moments: Sequence[tuple[str, float]]


def plot(shown: Plotted, size: Size, words: str) -> Markup:
    """Return the picture; a screen reader reads ``words`` instead. What is true or false needs little height."""
    if _is_bool(shown.kpi):
        size = replace(size, height=_BOOL_HEIGHT)
    drawn = Markup("".join(_parts(shown, size)))  # noqa: S704 - numbers, class names and escaped text
    picture = Markup('<svg class="plot {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return picture.format(size.name, size.width, size.height, words, drawn)


def _parts(shown: Plotted, size: Size) -> Iterator[str]:
    kpi = shown.kpi
    bottom = size.height - 46.0
    box = (float(size.left), 18.0, size.width - 12.0, bottom)
    lines = list(_lines(kpi))
    at, value, missed = thinned(shown.trail, kpi.objective, _MOST_POINTS)
    values = value_range([value, shown.trail.low, shown.trail.high], tuple(bound for _, bound, _ in lines))
    drawn = values is not None
    low, high = (0.0, 1.0) if _is_bool(kpi) else values or (0.0, 1.0)
    margin = (high - low) * 0.06
    # What can only be positive has no room below zero.
    scale = Scale(shown.times, (low - margin if low < 0 or low > margin else min(low, 0.0), high + margin), box)
    yield from _firing(shown, scale)
    yield from _time_axis(shown, scale, size)
    if drawn:
        ticks = _BOOL_TICKS if _is_bool(kpi) else value_ticks(low, high, kpi.unit, size.value_ticks)
        yield from _value_axis(scale, ticks)
        yield from _band(shown.trail, scale, size)
    yield from _moments(shown, scale)
    if drawn:
        yield from _goals(lines, scale)
        yield f'<path class="line" d="{scale.path(at, value)}"/>'
        if missed.any():
            yield f'<path class="line bad" d="{scale.path(at, np.where(missed, value, np.nan))}"/>'
    strip = Scale(shown.times, (0.0, 1.0), (scale.left, 0.0, scale.right, 0.0))
    yield f'<g transform="translate(0 {bottom - 29:.1f})">'
    yield from bars(list(runs_of(shown.trail)), strip, zones=False)
    yield "</g>"


def _lines(kpi: KPI) -> Iterator[tuple[str, float, str]]:
    """Yield the lines of a KPI: its class, its bound and its name."""
    for name, objective in (("objective", kpi.objective), ("warn", kpi.warn), ("resolve", kpi.resolve)):
        for bound in bounds_of(objective):
            assert objective is not None
            yield name, bound, f"{name} {objective.text.replace('_', ' ', 1)}"


def _goals(lines: list[tuple[str, float, str]], scale: Scale) -> Iterator[str]:
    """Yield the lines of a KPI with their names, which stand below their lines where others would cover them."""
    taken: list[float] = []
    for name, bound, label in lines:
        y = scale.y(bound)
        place = y - 4 if all(abs(y - 4 - other) > _NAME_HEIGHT for other in taken) else y + _NAME_HEIGHT
        taken.append(place)
        yield f'<path class="goal {name}" d="M{scale.left:.1f} {y:.1f}H{scale.right:.1f}"/>'
        yield (
            f'<text class="goal-name {name}" x="{scale.right - 4:.1f}" y="{place:.1f}" text-anchor="end">'
            f"{escape(label)}</text>"
        )


def _band(trail: Trail, scale: Scale, size: Size) -> Iterator[str]:
    """Yield the area between the least and the greatest value of any series, a piece for each stretch with values."""
    seen = np.isfinite(trail.low) & np.isfinite(trail.high)
    if not seen.any() or np.array_equal(trail.low[seen], trail.high[seen]):
        return
    cuts = np.flatnonzero(np.diff(seen.astype(np.int8))) + 1
    step = max(1, len(trail.at) // size.width)
    for piece in np.split(np.arange(len(seen)), cuts)[:_MOST_PERIODS]:
        if seen[piece[0]]:
            taken = piece[::step]
            there = scale.path(trail.at[taken], trail.high[taken])
            back = scale.path(trail.at[taken][::-1], trail.low[taken][::-1])
            yield f'<path class="band" d="{there.replace("h0", "")}{back.replace("h0", "").replace("M", "L")}Z"/>'


def _firing(shown: Plotted, scale: Scale) -> Iterator[str]:
    for period in shown.firing[:_MOST_PERIODS]:
        x = scale.x(period.start)
        width = max(scale.x(period.end) - x, 1.0)
        yield (
            f'<rect class="fired {period.kind}" x="{x:.1f}" y="{scale.top:.1f}" width="{width:.1f}" '
            f'height="{scale.bottom - scale.top:.1f}"/>'
        )


def _time_axis(shown: Plotted, scale: Scale, size: Size) -> Iterator[str]:
    for at, text in time_ticks(*shown.times, shown.zone, size.time_ticks):
        x = scale.x(at)
        yield f'<path class="grid" d="M{x:.1f} {scale.top:.1f}V{scale.bottom + 14:.1f}"/>'
        # At the right edge it would be cut off.
        anchor = f'x="{x + 4:.1f}"' if x < scale.right - _TICK_WIDTH else f'x="{x - 4:.1f}" text-anchor="end"'
        yield f'<text {anchor} y="{scale.bottom + 28:.1f}">{escape(text)}</text>'
    yield f'<path class="axis" d="M{scale.left:.1f} {scale.bottom:.1f}H{scale.right:.1f}"/>'


def _is_bool(kpi: KPI) -> bool:
    return kpi.type is IndicatorType.BOOL and not bounds_of(kpi.objective)


def _value_axis(scale: Scale, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    for value, text in ticks:
        y = scale.y(value)
        yield f'<path class="grid" d="M{scale.left:.1f} {y:.1f}H{scale.right:.1f}"/>'
        yield f'<text x="{scale.left - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'


def _moments(shown: Plotted, scale: Scale) -> Iterator[str]:
    for name, at in shown.moments:
        if not shown.times[0] <= at <= shown.times[1]:
            continue
        x = scale.x(at)
        end = x > (scale.left + scale.right) / 2
        yield f'<path class="moment {name}" d="M{x:.1f} {scale.top - 6:.1f}V{scale.bottom:.1f}"/>'
        yield (
            f'<text class="moment-name" x="{x - 4 if end else x + 4:.1f}" y="{scale.top - 6:.1f}"'
            f' text-anchor="{"end" if end else "start"}">{name}</text>'
        )
