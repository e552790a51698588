"""The routes of how a KPI went: its trail over the sprint or lately, and the transitions of its alerts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from slo_guard.expose.kpis_api import KpiId
from slo_guard.expose.routing import InSprint, Transitions, chosen_kpi, current_of, json_answer
from slo_guard.expose.snapshot import SnapshotHolder
from slo_guard.expose.trail_answers import TrailAnswer, TransitionsAnswer, trail_answer, transitions_answer


class Which(StrEnum):
    """Which of a KPI's trails: over its sprint, in some 400 slots, or of its last 120 evaluations."""

    SPRINT = "sprint"
    RECENT = "recent"


def trail_router(holder: SnapshotHolder, transitions: Transitions) -> APIRouter:
    """Return the routes over ``holder``; ``transitions`` reads the store, from any thread."""
    router = APIRouter(prefix="/api/v1", tags=["verdicts"])

    @router.get("/kpis/{kpi}/trail", response_model=TrailAnswer)
    def trail(
        kpi: KpiId,
        sprint: InSprint = None,
        which: Annotated[
            Which, Query(description="Over the `sprint` in some 400 slots, or the `recent` 120 evaluations.")
        ] = Which.SPRINT,
    ) -> Response:
        """Return how a KPI went: value, range and worst verdict, slot by slot."""
        snapshot = current_of(holder)
        chosen = chosen_kpi(snapshot, kpi, sprint)
        trails = snapshot.trails if which is Which.SPRINT else snapshot.recent_trails
        return json_answer(trail_answer(chosen, which.value, trails.get((chosen.sprint, chosen.id))))

    @router.get("/kpis/{kpi}/transitions", response_model=TransitionsAnswer)
    def kpi_transitions(
        kpi: KpiId,
        sprint: InSprint = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest ones.")] = 100,
    ) -> Response:
        """Return the last changes of a KPI's alerts: when each began to fire, why, and when it was over."""
        chosen = chosen_kpi(current_of(holder), kpi, sprint)
        return json_answer(transitions_answer(chosen, transitions(chosen.sprint, chosen.id, limit)))

    return router
