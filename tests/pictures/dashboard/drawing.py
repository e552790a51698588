"""Panels as SVG: lines, bands of states, large numbers and tables, from a panel's JSON and what its queries answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from tests.pictures.dashboard.asking import Line
from tests.pictures.dashboard.formats import days, ticks, written

_PALETTE = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#b877d9",
    "#56a64b",
    "#fade2a",
    "#5794f2",
    "#fa6400",
    "#ca95e5",
)
_INK, _QUIET, _GRID = "#ccccdc", "#9d9fa8", "#2c3138"
_LEFT, _BOTTOM = 58, 20


class Canvas:
    """The area of one panel below its title, in pixels; ``zone``: whose midnights are drawn."""

    def __init__(self, width: int, height: int, start: float, end: float, zone: str) -> None:
        self.width, self.height = width, height
        self.start, self.end, self.zone = start, end, zone
        self.parts: list[str] = []

    def text(self, x: float, y: float, words: str, *, color: str = _INK, size: int = 11, anchor: str = "start") -> None:
        """Write ``words`` with their baseline at ``y``."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, color: str, opacity: float = 1.0) -> None:
        """Fill a rectangle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}" fill-opacity="{opacity}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], color: str, width: float = 1.5, dash: str = "") -> None:
        """Join ``points``."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashes}/>')

    def x(self, at: float) -> float:
        """Return where an instant is."""
        return _LEFT + (at - self.start) / (self.end - self.start) * (self.width - _LEFT - 8)

    def time_axis(self, bottom: float) -> None:
        """Draw the days."""
        for at, name in days(self.start, self.end, self.zone):
            self.line([(self.x(at), 0), (self.x(at), bottom)], _GRID, 1)
            self.text(self.x(at), bottom + 14, name, color=_QUIET, anchor="middle", size=10)

    def svg(self) -> str:
        """Return the drawing."""
        return f'<svg width="{self.width}" height="{self.height}">{"".join(self.parts)}</svg>'


def drawn(panel: Mapping[str, Any], lines: Sequence[Line], canvas: Canvas) -> str:
    """Return a panel's inside."""
    {"timeseries": _lines, "state-timeline": _states, "stat": _numbers, "table": _table}[panel["type"]](
        panel, lines, canvas
    )
    return canvas.svg()


def _overridden(panel: Mapping[str, Any], line: Line) -> dict[str, Any]:
    """Return the properties that overrides give a series: by its name, by a pattern, by its query."""
    found: dict[str, Any] = {}
    for override in panel["fieldConfig"].get("overrides", ()):
        how, what = override["matcher"]["id"], override["matcher"].get("options", "")
        by_pattern = how == "byRegexp" and re.search(what.strip("/"), line.name) is not None
        if by_pattern or (how == "byName" and what == line.name) or (how == "byFrameRefID" and what == line.letter):
            found |= {each["id"]: each["value"] for each in override["properties"]}
    return found


def _lines(panel: Mapping[str, Any], lines: Sequence[Line], canvas: Canvas) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults.get("custom", {})
    shown = [line for line in lines if not np.isnan(line.values).all()]
    legend_lines = _legend_lines(canvas, [len(f"{line.name}  {written(line.last, defaults)}") for line in shown])
    bottom = canvas.height - _BOTTOM - 6 - 14 * legend_lines
    if not shown:
        canvas.text(canvas.width / 2, canvas.height / 2, defaults["noValue"], color=_QUIET, anchor="middle", size=14)
        return
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    low, high = _ends(shown, defaults, stacked=stacked)

    def y(value: float) -> float:
        return bottom - 4 - (value - low) / (high - low) * (bottom - 12)

    canvas.time_axis(bottom)
    for value in ticks(low, high, defaults["unit"]):
        canvas.line([(_LEFT, y(value)), (canvas.width - 8, y(value))], _GRID, 1)
        canvas.text(_LEFT - 6, y(value) + 4, written(value, defaults), color=_QUIET, anchor="end", size=10)
    base, legend = np.zeros(len(shown[0].at)), []
    for place, line in enumerate(shown):
        own = _overridden(panel, line)
        color = own.get("color", {}).get("fixedColor", _PALETTE[place % len(_PALETTE)])
        opacity = own.get("custom.fillOpacity", custom.get("fillOpacity", 0)) / 100
        values = base + np.nan_to_num(line.values) if stacked else line.values
        dashed = "custom.lineStyle" in own
        for run in _runs(values):
            points = [(canvas.x(line.at[i]), y(values[i])) for i in run]
            if opacity:
                floor = [(canvas.x(line.at[i]), y(max(low, base[i] if stacked else low))) for i in reversed(run)]
                path = " ".join(f"{x:.1f},{h:.1f}" for x, h in points + floor)
                canvas.parts.append(f'<polygon points="{path}" fill="{color}" fill-opacity="{opacity}"/>')
            width = own.get("custom.lineWidth", custom.get("lineWidth", 1))
            if width:
                canvas.line(points, color, 1.4 if dashed else width * 0.8, "7 5" if dashed else "")
        base = values if stacked else base
        legend.append((own.get("displayName", line.name), color, written(line.last, defaults), dashed))
    _legend(canvas, legend, canvas.height - 6 - 14 * (legend_lines - 1))


def _runs(values: np.ndarray) -> list[list[int]]:
    """Return the stretches without a gap."""
    present = np.flatnonzero(~np.isnan(values))
    return [part.tolist() for part in np.split(present, np.flatnonzero(np.diff(present) > 1) + 1) if len(part)]


def _ends(lines: Sequence[Line], defaults: Mapping[str, Any], *, stacked: bool) -> tuple[float, float]:
    rows = np.array([line.values for line in lines])
    if stacked:
        rows = np.nansum(rows, axis=0)
    finite = rows[np.isfinite(rows)]
    low, high = float(finite.min()), float(finite.max())
    soft = defaults.get("custom", {}).get("axisSoftMin")
    low = min(low, soft) if soft is not None else low
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    low = defaults["min"] if "min" in defaults else low - room
    return low, min(high + room, defaults.get("max", float("inf")))


def _legend(canvas: Canvas, entries: Sequence[tuple[str, str, str, bool]], y: float) -> None:
    x = 8.0
    for name, color, value, dashed in entries:
        words = f"{name}  {value}"
        wide = 24 + len(words) * 5.6
        if x + wide > canvas.width:
            x, y = 8.0, y + 14
        canvas.line([(x, y - 4), (x + 13, y - 4)], color, 2.5, "4 3" if dashed else "")
        canvas.text(x + 18, y, words, size=10)
        x += wide + 6


def _legend_lines(canvas: Canvas, texts: Sequence[int]) -> int:
    x, lines = 8.0, 1
    for length in texts:
        wide = 24 + length * 5.6
        if x + wide > canvas.width:
            x, lines = 8.0, lines + 1
        x += wide + 6
    return lines


def _states(panel: Mapping[str, Any], lines: Sequence[Line], canvas: Canvas) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    colors = {float(key): each["color"] for mapping in defaults["mappings"] for key, each in mapping["options"].items()}
    names = max((len(line.name) for line in lines), default=0)
    left = min(canvas.width * 0.4, 12 + names * 5.9)
    bottom = canvas.height - _BOTTOM
    tall = bottom / max(1, len(lines))

    def x(at: float) -> float:
        return left + (at - canvas.start) / (canvas.end - canvas.start) * (canvas.width - left - 8)

    for at, name in days(canvas.start, canvas.end, canvas.zone):
        canvas.text(x(at), bottom + 14, name, color=_QUIET, anchor="middle", size=10)
    for place, line in enumerate(lines):
        top = place * tall
        canvas.text(left - 8, top + tall / 2 + 4, line.name, anchor="end", size=10)
        for run in _runs(line.values):
            edges = np.flatnonzero(np.diff(line.values[run])) + 1
            for part in np.split(np.array(run), edges):
                value = line.values[part[0]]
                begins, ends = x(line.at[part[0]]), x(min(line.at[part[-1]] + line.at[1] - line.at[0], canvas.end))
                canvas.box(begins, top + tall * 0.07, ends - begins, tall * 0.86, colors[value], 0.95)
                words = written(value, defaults)
                if ends - begins > len(words) * 6.5 + 8:
                    canvas.text(
                        (begins + ends) / 2, top + tall / 2 + 4, words, anchor="middle", color="#ffffff", size=10
                    )


def _numbers(panel: Mapping[str, Any], lines: Sequence[Line], canvas: Canvas) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if not lines:
        canvas.text(canvas.width / 2, canvas.height / 2, defaults["noValue"], color=_QUIET, anchor="middle", size=14)
        return
    down = canvas.height > canvas.width / 2 and len(lines) > 1
    wide, tall = canvas.width / (1 if down else len(lines)), canvas.height / (len(lines) if down else 1)
    for place, line in enumerate(lines):
        x, y = (0.0, place * tall) if down else (place * wide, 0.0)
        color = _overridden(panel, line).get("color", {}).get("fixedColor")
        if panel["options"]["colorMode"] == "background_solid" and color:
            canvas.box(x + 2, y + 2, wide - 4, tall - 4, color)
        named = len(lines) > 1
        words, middle = written(line.last, defaults), y + tall / 2 + (9 if named else 0)
        size = round(min(34, tall * 0.42, wide / max(3, len(words)) * 1.5))
        canvas.text(x + wide / 2, middle + size * 0.35, words, anchor="middle", color="#ffffff", size=size)
        if named:
            canvas.text(x + wide / 2, y + 15, line.name, anchor="middle", color="#ffffff", size=11)


def _table(panel: Mapping[str, Any], lines: Sequence[Line], canvas: Canvas) -> None:
    order = panel["transformations"][0]["options"]["indexByName"]
    columns = [name for name in sorted(order, key=order.get) if name not in ("Value", "kpi")]
    widths = {"title": 0.42, "lane": 0.16, "severity": 0.12, "owner": 0.2}
    x, places = 8.0, {}
    for name in [*columns, "alerts"]:
        places[name] = x
        canvas.text(x, 16, name, color="#6e9fff", size=11)
        x += widths.get(name, 0.1) * canvas.width
    for place, line in enumerate(lines):
        y = 40 + place * 25
        if y > canvas.height:
            break
        canvas.line([(0, y - 16), (canvas.width, y - 16)], _GRID, 1)
        for name in columns:
            canvas.text(
                places[name], y, line.labels.get(name, "")[: int(widths.get(name, 0.1) * canvas.width / 6)], size=11
            )
        canvas.text(places["alerts"], y, f"{line.last:.0f}", size=11)
    if not lines:
        canvas.text(canvas.width / 2, canvas.height / 2, panel["fieldConfig"]["defaults"]["noValue"], anchor="middle")
