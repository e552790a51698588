"""The route of evidence: the KPIs that are judged by people's word."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from slo_guard.expose.evidence_answers import EvidenceAnswer, evidence_answer
from slo_guard.expose.routing import InLane, InSprint, Limit, current_of, json_answer
from slo_guard.expose.snapshot import SnapshotHolder


def evidence_router(holder: SnapshotHolder) -> APIRouter:
    """Return the route over ``holder``."""
    router = APIRouter(prefix="/api/v1", tags=["evidence"])

    @router.get("/evidence", response_model=EvidenceAnswer)
    def evidence(
        sprint: InSprint = None,
        lane: InLane = None,
        signed: Annotated[bool | None, Query(description="Only what is signed, or with `false` what is not.")] = None,
        limit: Limit = 100,
    ) -> Response:
        """Return each KPI that is judged by sign-offs: whether it is signed, by whom, when, and where the proof is."""
        answer = evidence_answer(current_of(holder), sprint=sprint, lane=lane, signed=signed, limit=limit)
        return json_answer(answer)

    return router
