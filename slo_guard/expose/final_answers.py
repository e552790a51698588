"""What the API answers about a sprint's end and its rules: seals, restatements and targets that changed."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, Field

from slo_guard.clock import iso
from slo_guard.domain.verdicts import REASONS, Restatement, Verdict, VerdictFrame

VerdictName: TypeAlias = Literal[
    "met", "at_risk", "missed", "not_due", "insufficient", "no_data", "not_applicable", "tracked"
]


class FinalAnswer(BaseModel):
    """The sprint is over, and this is how it ended ``at`` its end; digests are SHA-256 in hex.

    ``inputs_digest``: of what the verdict was made of; ``rule_digest``: of the bytes of ``rule_file``, or, where that
    is null, of the rule's canonical form; ``objective``: the target that was judged by. Null of a close before they
    were kept.
    """

    at: str
    objective: str | None
    inputs_digest: str | None
    rule_digest: str | None
    rule_file: str | None


class FrozenAnswer(BaseModel):
    """What is final of a series that was restated; null where it was not there at the close."""

    value: float | None
    verdict: VerdictName


class RestatedSeriesAnswer(BaseModel):
    """One series whose value or verdict later data would change."""

    labels: dict[str, str]
    value: float | None
    verdict: VerdictName
    reason: str
    note: str | None
    final: FrozenAnswer | None


class RestatedAnswer(BaseModel):
    """What came after the sprint's close, and was so within it, would make of the KPI; ``at``: when it last came.

    ``series``: those that differ from what is final, the worst first, ``series_total`` of them.
    """

    at: str
    verdict: VerdictName
    inputs_digest: str
    series_total: int
    series: list[RestatedSeriesAnswer]


class TargetChangeAnswer(BaseModel):
    """One field of the rule that changed in mid-sprint; ``at`` is the first evaluation by the new one."""

    at: str
    field: str
    from_: str = Field(alias="from")
    to: str


class ByOriginalAnswer(BaseModel):
    """How the KPI stands by the target that it started the sprint with: the worst verdict of its series."""

    objective: str
    verdict: VerdictName


def final_fields(frame: VerdictFrame | None, limit: int) -> dict[str, Any]:
    """Return the fields of ``KpiAnswer`` that this module documents, with at most ``limit`` restated series."""
    targets = None if frame is None else frame.targets
    by_original = None
    if targets is not None and targets.verdict is not None:
        by_original = {"objective": targets.objective, "verdict": targets.verdict.label}
    return {
        "final": None if frame is None or not frame.final else _final(frame),
        "restated": None if frame is None or frame.restatement is None else _restated(frame, frame.restatement, limit),
        "target_changes": [
            {"at": iso(each.at), "field": each.field, "from": each.before, "to": each.after}
            for each in (targets.changes if targets is not None else ())
        ],
        "by_original": by_original,
    }


def _final(frame: VerdictFrame) -> dict[str, Any]:
    seal = frame.seal
    return {
        "at": iso(frame.at),
        "objective": seal and seal.objective,
        "inputs_digest": seal and seal.inputs_digest,
        "rule_digest": seal and seal.rule_digest,
        "rule_file": seal and seal.rule_file,
    }


def _restated(frame: VerdictFrame, restated: Restatement, limit: int) -> dict[str, Any] | None:
    rows = restated.differing(frame)
    if not rows:
        return None
    return {
        "at": iso(restated.at),
        "verdict": restated.worst.label,
        "inputs_digest": restated.inputs_digest,
        "series_total": len(rows),
        "series": [_series(frame, restated, row) for row in rows[:limit]],
    }


def _series(frame: VerdictFrame, restated: Restatement, row: int) -> dict[str, Any]:
    labels = restated.index.label_sets[row]
    position = frame.index.positions.get(labels)
    final = None
    if position is not None:
        final = {"value": _number(frame.value[position]), "verdict": frame.row(position).verdict.label}
    return {
        "labels": dict(labels),
        "value": _number(restated.value[row]),
        "verdict": Verdict(int(restated.verdict[row])).label,
        "reason": REASONS[int(restated.reason[row])].value,
        "note": restated.notes.get(row),
        "final": final,
    }


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
