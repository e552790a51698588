"""Renders pages as HTML; everything that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Hashable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from slo_guard import __version__
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.kpi import KPI
from slo_guard.expose.pages.alerts import alerts_view
from slo_guard.expose.pages.board import Choice, Drawn, board_view
from slo_guard.expose.pages.chrome import Visit, chrome_of
from slo_guard.expose.pages.kpi import Told, kpi_page_view
from slo_guard.expose.pages.sent import DeliveriesView
from slo_guard.expose.pages.sources import sources_view
from slo_guard.expose.pages.static import StaticFile
from slo_guard.expose.snapshot import Snapshot

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path fill="{}" d="M8 0 15 2.5V8c0 4-3 6.600-7 8C4 14.600 1 12 1 8V2.500z"/></svg>'
)
_QUIET_ICON, _FIRING_ICON = (f"data:image/svg+xml,{quote(_ICON.format(color))}" for color in ("#0f766e", "#b42318"))

_NAMES = ("board", "kpi", "alerts", "sources", "deliveries", "error")
_MOST_BOARDS = 32


class Pages:
    """Renders snapshots as HTML; built once, used from any thread."""

    def __init__(self, environment: Environment, style: StaticFile, script: StaticFile) -> None:
        self.style = style
        self.script = script
        self._templates = {name: environment.get_template(f"{name}.html") for name in _NAMES}
        self._drawn = Drawn()
        self._boards: tuple[Snapshot | None, dict[Hashable, str]] = (None, {})

    @classmethod
    def load(cls) -> Pages:
        """Read the templates, the style and the script that come with the package."""
        environment = Environment(
            loader=PackageLoader("slo_guard.expose"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return cls(environment, StaticFile.load("page.css"), StaticFile.load("page.js"))

    def board(
        self, snapshot: Snapshot | None, now: float, choice: Choice | None = None, visit: Visit | None = None
    ) -> str:
        """Return the board at ``now`` (Unix seconds); without a snapshot it says what is awaited.

        Those who look within the same second get the same page: after an alert many do.
        """
        choice, visit = choice or Choice(), visit or Visit()
        key = (choice, visit.theme, tuple(visit.query.items()), int(now))
        of, kept = self._boards
        if of is not snapshot or len(kept) >= _MOST_BOARDS:
            kept = {}
            self._boards = (snapshot, kept)
        html = kept.get(key)
        if html is None:
            board = None if snapshot is None else board_view(snapshot, now, self._drawn, choice)
            html = kept[key] = self._render("board", snapshot, now, visit, board=board)
        return html

    def kpi(
        self,
        kpi: KPI,
        snapshot: Snapshot,
        explained: Explanation | Unexplained,
        told: Told,
        now: float,
        visit: Visit | None = None,
    ) -> str:
        """Return the page of one KPI."""
        view = kpi_page_view(kpi, snapshot, explained, told, now, self._drawn)
        lane_path = Choice(lane=kpi.lane).path()
        return self._render("kpi", snapshot, now, visit, view=view, lane_path=lane_path)

    def alerts(self, snapshot: Snapshot | None, now: float, visit: Visit | None = None) -> str:
        """Return the page of alerts and silences."""
        view = None if snapshot is None else alerts_view(snapshot, now)
        return self._render("alerts", snapshot, now, visit, view=view)

    def sources(self, snapshot: Snapshot | None, now: float, visit: Visit | None = None) -> str:
        """Return the page of collectors."""
        view = None if snapshot is None else sources_view(snapshot, now)
        return self._render("sources", snapshot, now, visit, view=view)

    def deliveries(
        self, snapshot: Snapshot | None, now: float, view: DeliveriesView, visit: Visit | None = None
    ) -> str:
        """Return the page of messages."""
        return self._render("deliveries", snapshot, now, visit, view=view)

    def error(self, snapshot: Snapshot | None, now: float, status: int, detail: str, visit: Visit | None = None) -> str:
        """Return the page of an error."""
        phrase = HTTPStatus(status).phrase
        return self._render("error", snapshot, now, visit, status=status, phrase=phrase, detail=detail)

    def _render(self, name: str, snapshot: Snapshot | None, now: float, visit: Visit | None, **values: Any) -> str:
        chrome = chrome_of(snapshot, now, visit or Visit())
        return self._templates[name].render(
            chrome=chrome,
            style=self.style.path,
            script=self.script.path,
            icon=_FIRING_ICON if chrome.firing else _QUIET_ICON,
            version=__version__,
            **values,
        )
