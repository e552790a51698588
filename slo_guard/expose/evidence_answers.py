"""What the API answers about evidence: which KPIs are judged by people's word, and who has given it."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel

from slo_guard.clock import iso
from slo_guard.domain.kpi import KPI
from slo_guard.domain.readings import SignOff
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.expose.final_answers import VerdictName
from slo_guard.expose.snapshot import Snapshot

_EVIDENCE = "evidence"


class SignOffAnswer(BaseModel):
    """Somebody's word that it is so, or, ``withdrawn``, no longer so; ``entered_at``: when it was written down."""

    labels: dict[str, str]
    withdrawn: bool
    by: str
    link: str | None
    when: str
    entered_at: str | None


class EvidenceKpiAnswer(BaseModel):
    """One KPI that is judged by sign-offs.

    ``signed``: whether all of its series are true by the newest word, null before the first collection; ``by``,
    ``link`` and ``when``: of the newest sign-off that says so, null while unsigned; ``sign_offs``: all of them, the
    newest first, ``total`` in number.
    """

    sprint: str
    kpi: str
    title: str
    lane: str
    owner: str
    gate: bool
    due: str | None
    indicators: list[str]
    collected_at: str | None
    verdict: VerdictName | None
    signed: bool | None
    by: str | None
    link: str | None
    when: str | None
    total: int
    truncated: bool
    sign_offs: list[SignOffAnswer]


class EvidenceAnswer(BaseModel):
    """The KPIs that are judged by sign-offs, in rule file order, as of the evaluation ``at``."""

    at: str
    evidence: list[EvidenceKpiAnswer]


def evidence_answer(
    snapshot: Snapshot, *, sprint: str | None, lane: str | None, signed: bool | None, limit: int
) -> dict[str, Any]:
    """Return ``EvidenceAnswer`` with at most ``limit`` sign-offs a KPI, of one ``sprint`` and ``lane`` (None: any)."""
    by_word = {name for source in snapshot.sources if source.kind == _EVIDENCE for name in source.indicators}
    shown = [
        _kpi(snapshot, kpi, limit)
        for kpi in snapshot.kpis
        if sprint in (None, kpi.sprint)
        and lane in (None, kpi.lane)
        and ((kpi.sprint, kpi.id) in snapshot.sign_offs or by_word.intersection(kpi.indicators))
    ]
    return {"at": iso(snapshot.at), "evidence": [each for each in shown if signed in (None, each["signed"])]}


def _kpi(snapshot: Snapshot, kpi: KPI, limit: int) -> dict[str, Any]:
    key = (kpi.sprint, kpi.id)
    frame, known = snapshot.frames.get(key), snapshot.sign_offs.get(key)
    words = sorted(known.sign_offs if known else (), key=lambda each: each.when, reverse=True)
    signed = None if frame is None or known is None else _is_signed(frame)
    until = snapshot.at if frame is None else frame.at
    standing = next((each for each in words if each.value and each.when <= until), None) if signed else None
    return {
        "sprint": kpi.sprint,
        "kpi": kpi.id,
        "title": kpi.title,
        "lane": kpi.lane,
        "owner": kpi.owner,
        "gate": kpi.gate,
        "due": None if kpi.due_at is None else iso(kpi.due_at),
        "indicators": list(kpi.indicators),
        "collected_at": None if known is None else iso(known.at),
        "verdict": None if frame is None else frame.worst.label,
        "signed": signed,
        "by": standing and standing.by,
        "link": standing and standing.link,
        "when": None if standing is None else iso(standing.when),
        "total": len(words),
        "truncated": len(words) > limit,
        "sign_offs": [_sign_off(each) for each in words[:limit]],
    }


def _is_signed(frame: VerdictFrame) -> bool:
    # NaN, where nobody has said anything, is no 1 either.
    return bool(np.all(frame.value == 1.0))


def _sign_off(word: SignOff) -> dict[str, Any]:
    return {
        "labels": dict(word.labels),
        "withdrawn": not word.value,
        "by": word.by,
        "link": word.link,
        "when": iso(word.when),
        "entered_at": None if word.entered_at is None else iso(word.entered_at),
    }
