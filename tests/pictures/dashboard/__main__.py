"""``python -m tests.pictures.dashboard``: a preview of the dashboard, from its own JSON and its own queries' answers.

Grafana itself draws it otherwise, and is not needed here: the picture shows what the panels hold, not how Grafana looks.
"""

from __future__ import annotations

import tempfile
from html import escape
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from slo_guard.cli.demo_speed import shipped_sprint
from tests.pictures.dashboard.asking import Asking
from tests.pictures.dashboard.drawing import Canvas, drawn
from tests.pictures.dashboard.history import prometheus_with_sprint
from tests.support import dashboards

OUT = Path(__file__).parents[3] / "deploy" / "pictures" / "dashboard.png"
CAPTION = "Preview drawn from the dashboard's own panels and queries over the demo's sprint; Grafana renders it in its own style."

BUDGET = "GA requests within 1.16s"
SHOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Sprint", ("Days left", "KPIs by verdict", "Go or no-go, so far", "Alerts", "KPIs whose alerts fire")),
    ("", ("KPIs by verdict over time",)),
    ("Lane: ga-ops", ("Verdicts", BUDGET, f"{BUDGET}: error budget left", f"{BUDGET}: burn rate")),
    ("Lane: metering", ("Metering variance",)),
    ("Lane: mp-d", ("MP-D partner SLA, median and p95",)),
    ("Lane: reporting", ("Points remaining",)),
    ("Lane: reliability", ("Burn alarm time: used and left", "Burn alarm time used over time")),
    ("slo_guard: collectors", ("Collectors up",)),
)
"""Rows and panels of the picture, in its order: the whole dashboard is six times as tall."""

_SIZES = {
    "Alerts": (4, 8),
    "KPIs whose alerts fire": (9, 8),
    "KPIs by verdict over time": (11, 8),
    "Metering variance": (8, 8),
    "MP-D partner SLA, median and p95": (8, 8),
    "Points remaining": (8, 8),
    "Burn alarm time: used and left": (8, 6),
    "Burn alarm time used over time": (16, 6),
}
"""Columns and units of height, where the dashboard's own leave gaps between what was left out."""

_WIDTH, _COLUMN, _UNIT, _GAP, _HEADING = 1560, 65, 27, 6, 26
_STEP_SECONDS, _DAYS = 900.0, 8.6


def panels_by_row(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the panels of each row, by the row's title."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for panel in document["panels"]:
        if panel["type"] == "row":
            rows[panel["title"]] = []
        else:
            rows[next(reversed(rows))].append(panel)
    return rows


class Grid:
    """Where the next panel stands: side by side up to 24 columns; rows that fit share a line."""

    def __init__(self) -> None:
        self.top, self.left, self._tallest = 40, 0, 0
        self._headed = False

    def place(self, columns: int, height: int, heading: str) -> str:
        """Return the style of a panel, with ``heading`` above it in a line of its own."""
        if self.left + columns > 24 or (heading and not self._headed):
            self.top, self.left, self._tallest, self._headed = self.top + self._tallest, 0, 0, False
        if heading and not self._headed:
            self.top, self._headed = self.top + _HEADING, True
        at = f"left:{self.left * _COLUMN}px;top:{self.top}px"
        self.left, self._tallest = self.left + columns, max(self._tallest, height * _UNIT)
        return at

    @property
    def bottom(self) -> int:
        """Where the last line ends."""
        return self.top + self._tallest


def page(asking: Asking, document: dict[str, Any], zone: str) -> str:
    """Return the picture as a page."""
    rows, parts, grid, row = panels_by_row(document), [], Grid(), ""
    for title, names in SHOWN:
        row = title or row
        heading = title
        for panel in (each for each in rows[row] if each["title"] in names):
            columns, height = _SIZES.get(panel["title"], (panel["gridPos"]["w"], panel["gridPos"]["h"]))
            at = grid.place(columns, height, heading)
            if heading:
                parts.append(f'<h2 style="{at};margin-top:-{_HEADING - 4}px">{escape(heading)}</h2>')
            heading = ""
            wide, tall = columns * _COLUMN - _GAP, height * _UNIT - _GAP
            canvas = Canvas(wide - 16, tall - 34, asking.start, asking.end, zone)
            inside = drawn(panel, asking.answers(panel), canvas)
            size = f"width:{wide}px;height:{tall}px"
            parts.append(f'<section style="{at};{size}"><h3>{escape(panel["title"])}</h3>{inside}</section>')
    top = grid.bottom
    style = (
        f"body{{margin:0;background:#111217;color:#ccccdc;font:12px 'Inter','DejaVu Sans',sans-serif;position:relative;"
        f"width:{_WIDTH}px;height:{top + 4}px}}section{{position:absolute;background:#181b1f;border:1px solid #26292e;"
        "border-radius:3px;box-sizing:border-box;padding:0 8px}h3{margin:8px 0 6px;font-size:12px;font-weight:500;"
        "height:18px;overflow:hidden}h2{position:absolute;margin:4px 0;font-size:13px;font-weight:600}"
        "header{padding:11px 2px;font-size:14px;font-weight:600}header small{margin-left:14px;color:#9d9fa8;font-size:11px}"
        "svg{font-family:inherit;display:block}"
    )
    head = f"<header>{escape(document['title'])}<small>{escape(CAPTION)}</small></header>"
    return f"<!doctype html><meta charset=utf-8><style>{style}</style><body>{head}{''.join(parts)}</body>"


def main() -> None:
    """Step the sprint, ask, draw, and take the picture."""
    document, sprint = dashboards.read("slo-guard-sprint.json"), shipped_sprint()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with prometheus_with_sprint(folder, _STEP_SECONDS, _DAYS) as (prometheus, now):
            chosen = {"sprint": [".*"], "lane": [".*"], "tenant": [".*"]}
            start = sprint.start_at - 3600
            asking = Asking(prometheus, chosen, start, now, _STEP_SECONDS)
            html = page(asking, document, sprint.timezone)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": _WIDTH, "height": 900})
            tab.set_content(html)
            OUT.parent.mkdir(exist_ok=True)
            tab.screenshot(path=OUT, full_page=True)
            browser.close()


if __name__ == "__main__":
    main()
