"""The route of sources: what is known of each collector."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from slo_guard.clock import iso
from slo_guard.expose.routing import Limit, current_of, json_answer
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder, SourceStatus


class SourceErrorAnswer(BaseModel):
    """Why the last failed collection failed; it may lie before the last success."""

    reason: str
    message: str
    at: str


class SourceAnswer(BaseModel):
    """One collector: ``failing`` while the newest thing known is a failure, ``waiting`` before its first collection.

    ``kind`` is its type in the config, such as ``prometheus``.
    """

    collector: str
    kind: str
    state: Literal["ok", "failing", "waiting"]
    indicators: list[str]
    last_success: str | None
    last_error: SourceErrorAnswer | None


class SourcesAnswer(BaseModel):
    """All collectors by name, as of the evaluation ``at``."""

    at: str
    total: int
    truncated: bool
    sources: list[SourceAnswer]


def sources_router(holder: SnapshotHolder) -> APIRouter:
    """Return the route over ``holder``."""
    router = APIRouter(prefix="/api/v1", tags=["sources"])

    @router.get("/sources", response_model=SourcesAnswer)
    def sources(limit: Limit = 1000) -> Response:
        """Return each collector with what it brings, when it last succeeded, and why it last failed."""
        return json_answer(sources_answer(current_of(holder), limit))

    return router


def sources_answer(snapshot: Snapshot, limit: int) -> dict[str, Any]:
    """Return ``SourcesAnswer`` with at most ``limit`` collectors."""
    return {
        "at": iso(snapshot.at),
        "total": len(snapshot.sources),
        "truncated": len(snapshot.sources) > limit,
        "sources": [_source(each) for each in snapshot.sources[:limit]],
    }


def _source(status: SourceStatus) -> dict[str, Any]:
    error, success = status.last_error, status.last_success_at
    known = error is not None or success is not None
    return {
        "collector": status.collector,
        "kind": status.kind,
        "state": "failing" if status.failing else "ok" if known else "waiting",
        "indicators": list(status.indicators),
        "last_success": None if success is None else iso(success),
        "last_error": None
        if error is None
        else {"reason": error.reason, "message": error.message, "at": iso(error.at)},
    }
