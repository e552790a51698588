"""What the routes of the API share: the current snapshot, the KPI asked for, limits, and answers without checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import HTTPException, Query, Response

from slo_guard.domain.alerts import Transition
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.kpi import KPI
from slo_guard.domain.notifications import DeliveryRecord
from slo_guard.expose.http_guard import RETRY_SECONDS
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder
from slo_guard.validation import nearest

NOT_READY = "no evaluation has finished yet, so no verdict is known"

Explain: TypeAlias = Callable[[str, str], Explanation | Unexplained]

Deliveries: TypeAlias = Callable[..., tuple[DeliveryRecord, ...]]
"""Takes and returns what :meth:`slo_guard.domain.ports.NotificationStore.deliveries` does; may raise ``StoreError``."""

Transitions: TypeAlias = Callable[[str, str, int], tuple[Transition, ...]]
"""Gives the last so many transitions of a (sprint, KPI), the newest last; may raise ``StoreError``."""

Limit = Annotated[int, Query(ge=1, le=10_000, description="At most so many entries, the worst or newest first.")]
InSprint = Annotated[str | None, Query(description="Only of the sprint with this id.", examples=["sprint-40"])]
InLane = Annotated[str | None, Query(description="Only of this lane.", examples=["ga-ops"])]


def not_ready() -> HTTPException:
    """Return the answer before the first evaluation: an empty list would read as "all is well"."""
    return unavailable(NOT_READY)


def unavailable(detail: str) -> HTTPException:
    """Return the answer where something cannot be said now, but soon."""
    return HTTPException(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def current_of(holder: SnapshotHolder) -> Snapshot:
    """Return the newest snapshot; answers 503 before there is one."""
    snapshot = holder.current
    if snapshot is None:
        raise not_ready()
    return snapshot


def chosen_kpi(snapshot: Snapshot, kpi: str, sprint: str | None) -> KPI:
    """Return the KPI that is asked for; of several sprints that have it the last that has started. Else answers 404."""
    found = [item for item in snapshot.kpis if item.id == kpi and sprint in (None, item.sprint)]
    if not found:
        where = "" if sprint is None else f" in {sprint!r}"
        close = nearest(kpi, (item.id for item in snapshot.kpis if sprint in (None, item.sprint)))
        raise HTTPException(404, f"no KPI {kpi!r} is guarded{where}{close}; GET /api/v1/kpis lists all")
    return ([item for item in found if not snapshot.is_upcoming(item.sprint)] or found)[-1]


def explained_kpi(holder: SnapshotHolder, explain: Explain, kpi: str, sprint: str | None) -> Explanation:
    """Return why the verdict of the KPI that is asked for is what it is; answers 404, and 503 where nobody can say."""
    chosen = chosen_kpi(current_of(holder), kpi, sprint)
    found = explain(chosen.sprint, chosen.id)
    if isinstance(found, Unexplained):
        raise unavailable(f"{kpi} cannot be explained now: {found.reason}")
    return found


def json_answer(answer: dict[str, Any]) -> Response:
    """Return ``answer`` as it is: its model documents it, and checking every field would cost more than making it."""
    return Response(orjson.dumps(answer), media_type="application/json")
