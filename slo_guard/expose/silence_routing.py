"""What the routes of silences and of acknowledgements share: numbers, ends, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeAlias

from fastapi import HTTPException, Path, Query, Response

from slo_guard.clock import to_unix
from slo_guard.domain.ports import SilenceStore
from slo_guard.domain.silences import Acknowledgement, NewAcknowledgement, NewSilence, Silence
from slo_guard.errors import SilenceError, StoreError, UnitError
from slo_guard.expose.routing import json_answer
from slo_guard.units import parse_duration

Silencing: TypeAlias = Callable[[], SilenceStore]
"""Gives the store of silences and acknowledgements; may raise ``StoreError``."""

_LARGEST_ID = 2**63 - 1

Number = Annotated[int, Path(ge=1, le=_LARGEST_ID, description="The number that a POST answered with.")]
All = Annotated[bool, Query(alias="all", description="Also those that have ended, as long as they are kept.")]
LOCATED = {"Location": {"description": "Where it can be read and ended.", "schema": {"type": "string"}}}


class NobodySays(SilenceStore):
    """Where nothing is kept that somebody could say: nothing has been said, and nothing can be."""

    def silences(self, now: float | None = None) -> tuple[Silence, ...]:  # noqa: ARG002 - the port's signature
        """Return none."""
        return ()

    def acknowledgements(self, now: float | None = None) -> tuple[Acknowledgement, ...]:  # noqa: ARG002 - as above
        """Return none."""
        return ()

    def add_silence(self, asked: NewSilence, now: float) -> Silence:
        """Raise ``StoreError``."""
        raise StoreError(f"this server keeps no silences: {asked.why!r} at {now:g} is not kept")

    def acknowledge(self, asked: NewAcknowledgement, now: float) -> Acknowledgement:
        """Raise ``StoreError``."""
        raise StoreError(f"this server keeps no acknowledgements: {asked.why!r} at {now:g} is not kept")

    def expire_silence(self, number: int, now: float) -> Silence | None:  # noqa: ARG002 - as above
        """Return that there is none."""
        return None

    def end_acknowledgement(self, number: int, now: float) -> Acknowledgement | None:  # noqa: ARG002 - as above
        """Return that there is none."""
        return None


def end_of(instant: datetime | None, duration: str | None, start: float, name: str) -> float:
    """Return the end that was asked for: an instant, or a duration after ``start``; else answers 422."""
    if (instant is None) == (duration is None):
        refuse(422, f"write either {name} or for")
    if instant is not None:
        return to_unix(instant)
    try:
        return start + parse_duration(duration)
    except UnitError as error:
        refuse(422, f"for: {error}")


def created(answer: dict[str, Any], place: str) -> Response:
    """Return the answer to what was made, with where it is found."""
    made = json_answer(answer)
    made.status_code = 201
    made.headers["location"] = place
    return made


def unknown(what: str, number: int) -> NoReturn:
    """Answer 404."""
    raise HTTPException(404, f"there is no {what} {number}; GET /api/v1/{what}s lists all")


def refuse(status: int, why: SilenceError | str) -> NoReturn:
    """Answer ``status`` and why."""
    raise HTTPException(status, str(why))
