"""The routes of silences, which the next evaluation honours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from slo_guard.clock import iso, to_unix
from slo_guard.domain.silence_requests import new_silence, parse_matcher
from slo_guard.domain.silences import NewSilence
from slo_guard.errors import SilenceError
from slo_guard.expose.routing import json_answer
from slo_guard.expose.silence_answers import (
    AddedSilenceAnswer,
    SilenceAnswer,
    SilenceRequest,
    SilencesAnswer,
    muted_answers,
    silence_answer,
)
from slo_guard.expose.silence_routing import LOCATED, All, Number, Silencing, created, end_of, refuse, unknown
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder
from slo_guard.silence_checks import kept_back_by, unseen_values, why_it_matches_nothing

_MOST_MUTED = 100


def silence_router(holder: SnapshotHolder, silencing: Silencing, clock: Callable[[], float]) -> APIRouter:
    """Return the routes; ``clock`` gives Unix seconds. Alerts fire on while they are silenced; nobody is told."""
    router = APIRouter(prefix="/api/v1", tags=["silences"])

    @router.get("/silences", response_model=SilencesAnswer)
    def silences(*, everything: All = False) -> Response:
        """Return the silences that are active or pending."""
        now = clock()
        found = silencing().silences(None if everything else now)
        return json_answer({"silences": [silence_answer(each, now) for each in found]})

    @router.post(
        "/silences",
        status_code=201,
        response_model=AddedSilenceAnswer,
        responses={201: {"headers": LOCATED}},
    )
    def add_silence(asked: SilenceRequest) -> Response:
        """Keep the messages of matching alerts back for a while; the next evaluation honours it."""
        now, snapshot = clock(), holder.current
        silence = _asked_for(asked, now)
        unmatched = None if snapshot is None else why_it_matches_nothing(silence.matchers, snapshot.plan)
        if unmatched is not None and not asked.force:
            refuse(422, f"{unmatched}; with force: true it is taken all the same")
        added = silencing().add_silence(silence, now)
        answer = silence_answer(added, now) | _about(silence, snapshot, unmatched)
        return created(answer, f"/api/v1/silences/{added.id}")

    @router.get("/silences/{number}", response_model=SilenceAnswer)
    def one_silence(number: Number) -> Response:
        """Return one silence, also when it has ended."""
        found = next((each for each in silencing().silences() if each.id == number), None)
        if found is None:
            unknown("silence", number)
        return json_answer(silence_answer(found, clock()))

    @router.delete("/silences/{number}", response_model=SilenceAnswer)
    def expire_silence(number: Number) -> Response:
        """End a silence now; what it kept back and still fires is told by the next evaluation. 409: it has ended."""
        now, store = clock(), silencing()
        before = next((each for each in store.silences() if each.id == number), None)
        if before is None:
            unknown("silence", number)
        if before.is_over(now):
            refuse(409, f"silence {number} has ended already, at {iso(before.over_at)}")
        return json_answer(silence_answer(store.expire_silence(number, now) or before, now))

    return router


def _asked_for(asked: SilenceRequest, now: float) -> NewSilence:
    starts_at = now if asked.starts_at is None else to_unix(asked.starts_at)
    ends_at = end_of(asked.ends_at, asked.for_, starts_at, "ends_at")
    try:
        matchers = [parse_matcher(text) for text in asked.matchers]
        return new_silence(matchers, starts_at=starts_at, ends_at=ends_at, by=asked.by, why=asked.why, now=now)
    except SilenceError as error:
        refuse(422, error)


def _about(silence: NewSilence, snapshot: Snapshot | None, unmatched: str | None) -> dict[str, Any]:
    """Return what a silence that was added is about, as far as anything is known yet."""
    notices = [] if unmatched is None else [unmatched]
    if snapshot is None:
        return {"firing_total": 0, "firing": [], "notices": notices}
    firing = kept_back_by(silence, snapshot.alerts.values(), snapshot.plan)
    notices += unseen_values(silence.matchers, (frame.index for frame in snapshot.frames.values()))
    return {"firing_total": len(firing), "firing": muted_answers(firing[:_MOST_MUTED]), "notices": notices}
