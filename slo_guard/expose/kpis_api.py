"""The routes of KPIs, why their verdicts are what they are, and alerts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from slo_guard.evaluate.explanation_json import explanation_json
from slo_guard.expose.answers import AlertsAnswer, KpiAnswer, KpisAnswer, alerts_answer, kpi_answer, kpis_answer
from slo_guard.expose.explanation_answers import ExplanationAnswer
from slo_guard.expose.final_answers import VerdictName
from slo_guard.expose.routing import (
    Explain,
    InLane,
    InSprint,
    Limit,
    chosen_kpi,
    current_of,
    explained_kpi,
    json_answer,
)
from slo_guard.expose.snapshot import SnapshotHolder

KpiId = Annotated[str, Path(description="The id of a KPI.", examples=["ga_e2e_p95"])]


def kpis_router(holder: SnapshotHolder, explain: Explain) -> APIRouter:
    """Return the routes over ``holder``."""
    router = APIRouter(prefix="/api/v1", tags=["verdicts"])

    # Not "async": an answer of many series is put together in a worker thread, and delays no scrape.
    @router.get("/kpis", response_model=KpisAnswer)
    def kpis(
        lane: InLane = None,
        verdict: Annotated[VerdictName | None, Query(description="Only KPIs with this worst verdict.")] = None,
        limit: Limit = 1000,
    ) -> Response:
        """Return every KPI with its worst verdict and its series, the worst first; of all together at most 20,000."""
        return json_answer(kpis_answer(current_of(holder), lane=lane, verdict=verdict, limit=limit))

    @router.get("/kpis/{kpi}", response_model=KpiAnswer)
    def one_kpi(kpi: KpiId, sprint: InSprint = None, limit: Limit = 1000) -> Response:
        """Return one KPI; of several sprints that have it the last that has started, unless ``sprint`` names one."""
        snapshot = current_of(holder)
        chosen = chosen_kpi(snapshot, kpi, sprint)
        return json_answer(kpi_answer(chosen, snapshot.frames.get((chosen.sprint, chosen.id)), limit))

    @router.get("/kpis/{kpi}/explain", response_model=ExplanationAnswer)
    def explained(kpi: KpiId, sprint: InSprint = None) -> Response:
        """Return why a KPI's verdict is what it is: formula, arithmetic, inputs and history."""
        return json_answer(explanation_json(explained_kpi(holder, explain, kpi, sprint)))

    @router.get("/alerts", response_model=AlertsAnswer)
    def alerts(limit: Limit = 1000) -> Response:
        """Return the alerts that are pending or firing, of all kinds, the loudest first."""
        return json_answer(alerts_answer(current_of(holder), limit))

    return router
