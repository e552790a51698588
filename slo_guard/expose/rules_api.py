"""The route of rules: the KPIs as their rule files state them."""

from __future__ import annotations

from fastapi import APIRouter, Response

from slo_guard.expose.routing import InLane, InSprint, Limit, current_of, json_answer
from slo_guard.expose.rules_answers import RulesAnswer, rules_answer
from slo_guard.expose.snapshot import SnapshotHolder


def rules_router(holder: SnapshotHolder) -> APIRouter:
    """Return the route over ``holder``."""
    router = APIRouter(prefix="/api/v1", tags=["rules"])

    @router.get("/rules", response_model=RulesAnswer)
    def rules(sprint: InSprint = None, lane: InLane = None, limit: Limit = 1000) -> Response:
        """Return the rules in force: where each stands, what it measures, its objective and how it alerts."""
        return json_answer(rules_answer(current_of(holder), sprint=sprint, lane=lane, limit=limit))

    return router
