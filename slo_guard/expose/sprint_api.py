"""The route of sprints."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from slo_guard.expose.routing import InSprint, current_of, json_answer
from slo_guard.expose.snapshot import SnapshotHolder
from slo_guard.expose.sprint_answers import SprintsAnswer, SprintState, sprint_state, sprints_answer


def sprint_router(holder: SnapshotHolder) -> APIRouter:
    """Return the route over ``holder``."""
    router = APIRouter(prefix="/api/v1", tags=["sprint"])

    @router.get("/sprint", response_model=SprintsAnswer, responses={404: {"description": "It is not loaded."}})
    def sprint(
        sprint: InSprint = None,
        state: Annotated[SprintState | None, Query(description="Only sprints in this state.")] = None,
    ) -> Response:
        """Return each sprint that is loaded: what is left of it, verdict counts, and the go/no-go so far."""
        snapshot = current_of(holder)
        if sprint is not None and sprint not in snapshot.plan.sprints:
            raise HTTPException(404, f"no sprint {sprint!r} is loaded; GET /api/v1/sprint lists all")
        found = [
            each
            for each in snapshot.plan.sprints.values()
            if sprint in (None, each.id) and state in (None, sprint_state(each, snapshot.at))
        ]
        return json_answer(sprints_answer(snapshot, found))

    return router
