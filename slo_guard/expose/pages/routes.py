"""The addresses of the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from slo_guard.domain.kpi import KPI
from slo_guard.domain.notifications import DeliveryRecord, RowState
from slo_guard.errors import StoreError
from slo_guard.expose.pages.board import Choice, calendars_of
from slo_guard.expose.pages.chrome import Visit
from slo_guard.expose.pages.kpi import Told
from slo_guard.expose.pages.moments import Calendar
from slo_guard.expose.pages.rendering import Pages
from slo_guard.expose.pages.sent import DeliveriesView, deliveries_view
from slo_guard.expose.pages.themes import theme_chosen, theme_of
from slo_guard.expose.routing import Deliveries, Explain, Transitions, chosen_kpi, current_of
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder

_METHODS = ["GET", "HEAD"]
_FOR_PROGRAMS = ("/api/", "/prometheus/", "/metrics", "/-/", "/static/")
_SENT_SHOWN, _KPI_SENT_SHOWN, _TRANSITIONS_READ = 60, 12, 400


@dataclass(frozen=True, slots=True)
class Stored:
    """What a snapshot does not hold, asked of the daemon and its store; each may raise ``StoreError``."""

    explain: Explain
    deliveries: Deliveries
    transitions: Transitions


class PageRoutes:
    """Answers browsers over what ``holder`` shows; ``clock`` gives Unix seconds."""

    def __init__(self, holder: SnapshotHolder, clock: Callable[[], float], stored: Stored) -> None:
        self._holder = holder
        self._clock = clock
        self._stored = stored
        self._pages = Pages.load()

    def router(self) -> APIRouter:
        """Return the routes; pages are put together in worker threads, and delay no scrape."""
        router = APIRouter(include_in_schema=False)

        @router.api_route("/", methods=_METHODS)
        def board(request: Request, lane: str | None = None, verdict: str | None = None) -> Response:
            choice = Choice(lane or None, verdict or None)
            return self._answer(request, lambda visit, now: self._pages.board(self._holder.current, now, choice, visit))

        @router.api_route("/kpis/{kpi}", methods=_METHODS)
        def one_kpi(request: Request, kpi: str, sprint: str | None = None) -> Response:
            snapshot = current_of(self._holder)
            chosen = chosen_kpi(snapshot, kpi, sprint)
            return self._answer(request, lambda visit, now: self._kpi(chosen, snapshot, now, visit))

        @router.api_route("/alerts", methods=_METHODS)
        def alerts(request: Request) -> Response:
            return self._answer(request, lambda visit, now: self._pages.alerts(self._holder.current, now, visit))

        @router.api_route("/sources", methods=_METHODS)
        def sources(request: Request) -> Response:
            return self._answer(request, lambda visit, now: self._pages.sources(self._holder.current, now, visit))

        @router.api_route("/deliveries", methods=_METHODS)
        def deliveries(request: Request) -> Response:
            snapshot = self._holder.current
            return self._answer(
                request,
                lambda visit, now: self._pages.deliveries(snapshot, now, self._deliveries(snapshot, now), visit),
            )

        @router.api_route("/static/{name}", methods=_METHODS)
        async def static(
            name: str, v: str | None = None, if_none_match: Annotated[str | None, Header()] = None
        ) -> Response:
            for file in (self._pages.style, self._pages.script):
                if file.name == name:
                    return file.answer(v, if_none_match)
            raise HTTPException(404, f"there is no {name!r}")

        return router

    def error(self, request: Request, status: int, detail: str) -> Response | None:
        """Return an error as a page where a browser asked for one; None where a program did."""
        wants_page = "text/html" in request.headers.get("accept", "")
        if not wants_page or request.url.path.startswith(_FOR_PROGRAMS):
            return None
        # Its path is not one of ours and may name another host; themes are chosen on the board.
        visit = Visit(path="", theme=theme_of(request))
        html = self._pages.error(self._holder.current, self._clock(), status, detail, visit)
        return HTMLResponse(html, status)

    def _answer(self, request: Request, render: Callable[[Visit, float], str]) -> Response:
        return theme_chosen(request) or HTMLResponse(render(_visit(request), self._clock()))

    def _kpi(self, kpi: KPI, snapshot: Snapshot, now: float, visit: Visit) -> str:
        explained = self._stored.explain(kpi.sprint, kpi.id)
        try:
            told = Told(
                self._stored.transitions(kpi.sprint, kpi.id, _TRANSITIONS_READ),
                self._stored.deliveries(sprint=kpi.sprint, kpi=kpi.id, limit=_KPI_SENT_SHOWN),
            )
        except StoreError as error:
            told = Told(error=str(error))
        return self._pages.kpi(kpi, snapshot, explained, told, now, visit)

    def _deliveries(self, snapshot: Snapshot | None, now: float) -> DeliveriesView:
        calendar = Calendar("UTC", now) if snapshot is None else calendars_of(snapshot, now)[1]

        def read(state: RowState | None) -> tuple[DeliveryRecord, ...]:
            return self._stored.deliveries(state=state, limit=_SENT_SHOWN)

        try:
            return deliveries_view(read(None), read(RowState.PENDING), read(RowState.DEAD), snapshot, calendar)
        except StoreError as error:
            return DeliveriesView((), (), (), str(error))


def _visit(request: Request) -> Visit:
    return Visit(request.url.path, dict(request.query_params), theme_of(request))
