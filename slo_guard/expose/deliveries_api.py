"""The route of deliveries: what was sent to whom, and what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from slo_guard.domain.notifications import RowState
from slo_guard.expose.deliveries_answers import DeliveriesAnswer, deliveries_answer
from slo_guard.expose.routing import Deliveries, InSprint, json_answer

_LARGEST_ID = 2**63 - 1


def deliveries_router(deliveries: Deliveries) -> APIRouter:
    """Return the route; ``deliveries`` reads the store, from any thread."""
    router = APIRouter(prefix="/api/v1", tags=["deliveries"])

    @router.get("/deliveries", response_model=DeliveriesAnswer)
    def list_deliveries(
        receiver: Annotated[str | None, Query(description="Only to this receiver.", examples=["sre-slack"])] = None,
        state: Annotated[RowState | None, Query(description="Only messages in this state.")] = None,
        sprint: InSprint = None,
        kpi: Annotated[str | None, Query(description="Only about this KPI.", examples=["ga_e2e_p95"])] = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="At most so many messages, the newest first.")] = 100,
        before: Annotated[
            int | None,
            Query(ge=1, le=_LARGEST_ID, description="Only older ones: the `before` of an answer."),
        ] = None,
    ) -> Response:
        """Return messages and what became of them, the newest first."""
        found = deliveries(receiver=receiver, state=state, sprint=sprint, kpi=kpi, limit=limit + 1, before_id=before)
        return json_answer(deliveries_answer(found, limit))

    return router
