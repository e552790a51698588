"""The FastAPI app: the metrics page, health, reload, the JSON API and the web page, all read from one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from slo_guard import __version__
from slo_guard.clock import to_unix, utcnow
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.kpi import KPI
from slo_guard.domain.notifications import DeliveryRecord
from slo_guard.evaluate.explanation_json import explanation_json
from slo_guard.expose.access import AccessControl, AccessGate
from slo_guard.expose.answers import (
    AlertsAnswer,
    KpiAnswer,
    KpisAnswer,
    ProblemAnswer,
    alerts_answer,
    kpi_answer,
    kpis_answer,
)
from slo_guard.expose.explanation_answers import ExplanationAnswer
from slo_guard.expose.final_answers import VerdictName
from slo_guard.expose.http_guard import SecurityHeaders, answer_errors_as_problems
from slo_guard.expose.metrics_page import Part
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.page import Page
from slo_guard.expose.snapshot import ReloadOutcome, Snapshot, SnapshotHolder

_NOT_READY = "no evaluation has finished yet, so no verdict is known"
_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_CHUNK_BYTES = 1 << 20

Explain: TypeAlias = Callable[[str, str], Explanation | Unexplained]
Deliveries: TypeAlias = Callable[..., tuple[DeliveryRecord, ...]]
"""Takes and returns what :meth:`slo_guard.domain.ports.NotificationStore.deliveries` does; may raise ``StoreError``."""

Limit = Annotated[int, Query(ge=1, le=10_000, description="at most so many series or alerts, the worst first")]


def create_app(
    holder: SnapshotHolder,
    own: OwnMetrics,
    reload: Callable[[], ReloadOutcome],
    *,
    explain: Explain = lambda _sprint, _kpi: Unexplained("this server keeps nothing to explain it by"),
    deliveries: Deliveries = lambda **_: (),
    clock: Callable[[], float] = lambda: to_unix(utcnow()),
    gate: AccessGate | None = None,
) -> FastAPI:
    """Return the app over ``holder``; ``reload`` reads the files again and may block, ``clock`` gives Unix seconds.

    ``explain`` is given the sprint and id of a KPI of the current snapshot; it may block for seconds, not for longer.
    ``deliveries`` answers as the store does, from any thread.
    ``gate`` says who may read and write; without one anybody reads, and only programs on this machine write.
    """
    page = Page.load()
    app = FastAPI(
        title="slo_guard",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        # The interactive pages load scripts from elsewhere, which the security headers forbid.
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": ProblemAnswer}, "5XX": {"model": ProblemAnswer}},
    )
    app.state.deliveries = deliveries
    app.include_router(_operations(holder, own, reload))
    app.include_router(_api(holder, explain))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def web_page() -> HTMLResponse:
        return HTMLResponse(page.render(holder.current, clock()))

    @app.api_route("/kpis/{kpi}", methods=["GET", "HEAD"], include_in_schema=False)
    def kpi_page(kpi: str, sprint: str | None = None) -> HTMLResponse:
        return HTMLResponse(page.render_kpi(_explained(holder, explain, kpi, sprint), clock()))

    answer_errors_as_problems(app)
    app.add_middleware(AccessControl, gate=gate or AccessGate())
    app.add_middleware(SecurityHeaders, style_hash=page.style_hash)
    return app


def _operations(holder: SnapshotHolder, own: OwnMetrics, reload: Callable[[], ReloadOutcome]) -> APIRouter:
    router = APIRouter()

    @router.api_route("/metrics", methods=["GET", "HEAD"], include_in_schema=False)
    async def metrics(request: Request) -> Response:
        tail = own.render()
        packed = holder.gzip_page() if _takes_gzip(request.headers.get("accept-encoding", "")) else None
        headers = {"vary": "accept-encoding"}
        if packed is not None:
            headers["content-encoding"] = "gzip"
            return _ReadyBytes((packed.head, packed.tail(tail)), headers)
        current = holder.current
        return _ReadyBytes((*(current.metrics.parts if current else ()), tail), headers)

    @router.head("/-/healthy", include_in_schema=False)
    @router.get("/-/healthy", response_class=PlainTextResponse)
    async def healthy() -> str:
        """Answer 200 for as long as the process lives."""
        return "slo_guard is alive\n"

    @router.head("/-/ready", include_in_schema=False)
    @router.get("/-/ready", response_class=PlainTextResponse)
    async def ready() -> str:
        """Answer 200 once the first evaluation has finished, else 503 with the reason."""
        if holder.current is None:
            raise HTTPException(503, _NOT_READY)
        return "slo_guard is ready\n"

    @router.put("/-/reload", response_class=PlainTextResponse, operation_id="reload_files_by_put")
    @router.post("/-/reload", response_class=PlainTextResponse)
    def reload_files() -> Response:
        """Read the config and rule files again; 400 with all findings, and what runs kept, when they are bad."""
        outcome = reload()
        return PlainTextResponse(outcome.message.rstrip("\n") + "\n", status_code=200 if outcome.ok else 400)

    return router


def _api(holder: SnapshotHolder, explain: Explain) -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    def current() -> Snapshot:
        return _current(holder)

    # Not "async": an answer of many series is put together in a worker thread, and delays no scrape.
    @router.get("/kpis", response_model=KpisAnswer)
    def kpis(lane: str | None = None, verdict: VerdictName | None = None, limit: Limit = 1000) -> Response:
        """Return every KPI with its worst verdict and its series, the worst first."""
        return _json(kpis_answer(current(), lane=lane, verdict=verdict, limit=limit))

    @router.get("/kpis/{kpi}", response_model=KpiAnswer)
    def one_kpi(kpi: str, sprint: str | None = None, limit: Limit = 1000) -> Response:
        """Return one KPI; of several sprints that have it the last that has started, unless ``sprint`` names one."""
        snapshot = current()
        chosen = _chosen(snapshot, kpi, sprint)
        return _json(kpi_answer(chosen, snapshot.frames.get((chosen.sprint, chosen.id)), limit))

    @router.get("/kpis/{kpi}/explain", response_model=ExplanationAnswer)
    def explained(kpi: str, sprint: str | None = None) -> Response:
        """Return why a KPI's verdict is what it is: formula, arithmetic, inputs and history."""
        return _json(explanation_json(_explained(holder, explain, kpi, sprint)))

    @router.get("/alerts", response_model=AlertsAnswer)
    def alerts(limit: Limit = 1000) -> Response:
        """Return the alerts that are pending or firing, of both kinds."""
        return _json(alerts_answer(current(), limit))

    return router


def _current(holder: SnapshotHolder) -> Snapshot:
    snapshot = holder.current
    if snapshot is None:
        raise HTTPException(503, _NOT_READY)
    return snapshot


def _chosen(snapshot: Snapshot, kpi: str, sprint: str | None) -> KPI:
    """Return the KPI that is asked for; of several sprints that have it the last that has started."""
    found = [item for item in snapshot.kpis if item.id == kpi and sprint in (None, item.sprint)]
    if not found:
        where = "" if sprint is None else f" in {sprint!r}"
        raise HTTPException(404, f"no KPI {kpi!r} is guarded{where}; GET /api/v1/kpis lists all")
    return ([item for item in found if not snapshot.is_upcoming(item.sprint)] or found)[-1]


def _explained(holder: SnapshotHolder, explain: Explain, kpi: str, sprint: str | None) -> Explanation:
    chosen = _chosen(_current(holder), kpi, sprint)
    found = explain(chosen.sprint, chosen.id)
    if isinstance(found, Unexplained):
        raise HTTPException(503, f"{kpi} cannot be explained now: {found.reason}")
    return found


def _json(answer: dict[str, Any]) -> Response:
    # The models document the answer; orjson writes it, since checking every field would cost more than making it.
    return Response(orjson.dumps(answer), media_type="application/json")


def _takes_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class _ReadyBytes(Response):
    """A metrics answer of parts that exist already, sent in pieces: never copied whole for a scrape."""

    def __init__(self, parts: tuple[Part, ...], headers: dict[str, str]) -> None:
        self._parts = parts
        length = str(sum(map(len, parts)))
        super().__init__(headers={**headers, "content-type": _TEXT_FORMAT, "content-length": length})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the answer at the pace of the reader."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for part in self._parts if scope["method"] != "HEAD" else ():
            view = memoryview(part)
            for start in range(0, len(view), _CHUNK_BYTES):
                piece = view[start : start + _CHUNK_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
