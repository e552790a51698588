"""The routes of acknowledgements, which the next evaluation honours."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response

from slo_guard.clock import iso
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.silence_requests import new_acknowledgement
from slo_guard.domain.silences import NewAcknowledgement
from slo_guard.errors import SilenceError
from slo_guard.expose.routing import chosen_kpi, current_of, json_answer
from slo_guard.expose.silence_answers import (
    AcknowledgementAnswer,
    AcknowledgementRequest,
    AcknowledgementsAnswer,
    acknowledgement_answer,
)
from slo_guard.expose.silence_routing import LOCATED, All, Number, Silencing, created, end_of, refuse, unknown
from slo_guard.expose.snapshot import SnapshotHolder
from slo_guard.silence_checks import series_meant

_UNKNOWN = {"description": "No such KPI is guarded."}


def acknowledgement_router(holder: SnapshotHolder, silencing: Silencing, clock: Callable[[], float]) -> APIRouter:
    """Return the routes; ``clock`` gives Unix seconds."""
    router = APIRouter(prefix="/api/v1", tags=["silences"])

    @router.get("/acknowledgements", response_model=AcknowledgementsAnswer)
    def acknowledgements(*, everything: All = False) -> Response:
        """Return the acknowledgements that have not ended."""
        now = clock()
        found = silencing().acknowledgements(None if everything else now)
        return json_answer({"acknowledgements": [acknowledgement_answer(each, now) for each in found]})

    @router.post(
        "/acknowledgements",
        status_code=201,
        response_model=AcknowledgementAnswer,
        responses={201: {"headers": LOCATED}, 404: _UNKNOWN, 409: {"description": "It does not fire."}},
    )
    def acknowledge(asked: AcknowledgementRequest) -> Response:
        """Stop the reminders of what fires now of a KPI, until an instant; 404: no such KPI, 409: it does not fire."""
        now, snapshot = clock(), current_of(holder)
        built_in = [kpi for kpi in snapshot.plan.kpis if kpi.id == asked.kpi == COLLECTOR_UP]
        kpi = built_in[0] if built_in else chosen_kpi(snapshot, asked.kpi, asked.sprint)
        until = end_of(asked.until, asked.for_, now, "until")
        try:
            labels = series_meant(kpi, asked.labels, snapshot.alerts.values())
        except SilenceError as error:
            refuse(409, error)
        wanted = NewAcknowledgement(
            sprint=kpi.sprint, kpi=kpi.id, labels=labels, until=until, by=asked.by, why=asked.why
        )
        try:
            checked = new_acknowledgement(wanted, now)
        except SilenceError as error:
            refuse(422, error)
        added = silencing().acknowledge(checked, now)
        return created(acknowledgement_answer(added, now), f"/api/v1/acknowledgements/{added.id}")

    @router.get("/acknowledgements/{number}", response_model=AcknowledgementAnswer)
    def one_acknowledgement(number: Number) -> Response:
        """Return one acknowledgement, also when it has ended."""
        found = next((each for each in silencing().acknowledgements() if each.id == number), None)
        if found is None:
            unknown("acknowledgement", number)
        return json_answer(acknowledgement_answer(found, clock()))

    @router.delete("/acknowledgements/{number}", response_model=AcknowledgementAnswer)
    def end_acknowledgement(number: Number) -> Response:
        """End an acknowledgement now, so that reminders go on. 409: it has ended."""
        now, store = clock(), silencing()
        before = next((each for each in store.acknowledgements() if each.id == number), None)
        if before is None:
            unknown("acknowledgement", number)
        if before.is_over(now):
            refuse(409, f"acknowledgement {number} has ended already, at {iso(before.over_at)}")
        return json_answer(acknowledgement_answer(store.end_acknowledgement(number, now) or before, now))

    return router
