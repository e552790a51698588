"""A go/no-go as JSON, in the shape that ``gate --format json`` and the API promise."""

from __future__ import annotations

from typing import Any

from slo_guard.domain.gates import Gate, GateItem
from slo_guard.evaluate.verdict_json import iso_text


def gate_json(gate: Gate) -> dict[str, Any]:
    """Return the JSON object that scripts depend on; ``outcome`` is ``go``, ``no-go`` or ``undecided``."""
    return {
        "sprint": gate.sprint.id,
        "at": iso_text(gate.at),
        "final": gate.final,
        "outcome": gate.outcome.label,
        "reason": gate.reason,
        "kpis": [_item(item) for item in gate.items],
    }


def _item(item: GateItem) -> dict[str, Any]:
    return {
        "kpi": item.kpi.id,
        "title": item.kpi.title,
        "lane": item.kpi.lane,
        "owner": item.kpi.owner,
        "outcome": item.outcome.label,
        "verdict": None if item.verdict is None else item.verdict.label,
        "value": item.value,
        "objective": item.objective or None,
        "evidence": list(item.evidence),
        "missing": list(item.missing),
        "remarks": list(item.remarks),
    }
