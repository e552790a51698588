"""What the API answers about the course of a KPI: its trail, and the transitions of its alerts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, Field

from slo_guard.clock import iso
from slo_guard.domain.alerts import Transition
from slo_guard.domain.kpi import KPI
from slo_guard.domain.trails import NOT_JUDGED, Trail
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.answers import reason_text
from slo_guard.expose.final_answers import VerdictName


class TrailAnswer(BaseModel):
    """How a KPI went, over slots of equal length that follow each other: arrays of one length, values in ``unit``.

    ``at``: the end of the slot; the last one may not be over. ``value``: of the series that stood worst at the slot's
    last evaluation; ``low`` and ``high``: the least and the greatest of any series in the slot, null where there was
    none. ``verdict``: the worst of the slot, null where it was not judged. Of a KPI that was never judged there are no
    slots, and ``slot_seconds`` is null.
    """

    kpi: str
    sprint: str
    which: Literal["sprint", "recent"]
    unit: str | None
    objective: str | None
    slot_seconds: float | None
    at: list[str]
    value: list[float | None]
    low: list[float | None]
    high: list[float | None]
    verdict: list[VerdictName | None]


class TransitionAnswer(BaseModel):
    """One change of an alert's state; ``seq`` numbers all transitions without gaps, of ``carried_from`` sprint."""

    seq: int
    at: str
    kind: Literal["breach", "risk", "burn"]
    tier: str | None
    labels: dict[str, str]
    from_: Literal["inactive", "pending", "firing"] = Field(alias="from")
    to: Literal["inactive", "pending", "firing"]
    severity: str
    verdict: VerdictName
    value: float | None
    reason: str
    reason_text: str
    since: str
    carried_from: str | None


class TransitionsAnswer(BaseModel):
    """The newest transitions of a KPI's alerts, the newest last; those beyond the store's retention are gone."""

    kpi: str
    sprint: str
    transitions: list[TransitionAnswer]


def trail_answer(kpi: KPI, which: str, trail: Trail | None) -> dict[str, Any]:
    """Return ``TrailAnswer``; what is not a number is left for orjson to write as null."""
    return {
        "kpi": kpi.id,
        "sprint": kpi.sprint,
        "which": which,
        "unit": kpi.unit or None,
        "objective": kpi.objective.text if kpi.objective else None,
        **_slots(trail),
    }


def transitions_answer(kpi: KPI, transitions: Iterable[Transition]) -> dict[str, Any]:
    """Return ``TransitionsAnswer``."""
    return {"kpi": kpi.id, "sprint": kpi.sprint, "transitions": [_transition(each) for each in transitions]}


def _slots(trail: Trail | None) -> dict[str, Any]:
    if trail is None:
        return {"slot_seconds": None, "at": [], "value": [], "low": [], "high": [], "verdict": []}
    return {
        "slot_seconds": trail.slot_seconds,
        "at": [iso(at) for at in trail.at.tolist()],
        "value": trail.value.tolist(),
        "low": trail.low.tolist(),
        "high": trail.high.tolist(),
        "verdict": [None if code == NOT_JUDGED else Verdict(code).label for code in trail.verdict.tolist()],
    }


def _transition(each: Transition) -> dict[str, Any]:
    return {
        "seq": each.seq,
        "at": iso(each.at),
        "kind": each.key.kind.value,
        "tier": each.key.tier or None,
        "labels": dict(each.key.labels),
        "from": each.from_state.label,
        "to": each.to_state.label,
        "severity": each.severity.value,
        "verdict": each.verdict.label,
        "value": each.value,
        "reason": each.reason.value,
        "reason_text": reason_text(each.reason, each.note),
        "since": iso(each.active_at),
        "carried_from": each.carried_from,
    }
