"""How a KPI went over time: arrays over slots of equal length, small enough to draw and to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from slo_guard.domain.readings import FloatArray
from slo_guard.domain.verdicts import CodeArray

NOT_JUDGED = -1
"""The verdict code of a slot in which the KPI was not judged."""


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """How a KPI went, over slots of ``slot_seconds`` that follow each other without a gap: arrays of shape (n,).

    ``at``: the end of the slot (Unix seconds); the slot holds the evaluations after its beginning, up to and including
    its end. The last slot may not be over. ``value``: of the series that stood worst at the slot's last evaluation;
    ``low`` and ``high``: the least and the greatest value of any series in the slot; NaN where there was none.
    ``verdict``: the worst of the slot, as a code of ``Verdict``, ``NOT_JUDGED`` where there was no evaluation.
    Values are in the KPI's base unit.
    """

    slot_seconds: float
    at: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    verdict: CodeArray

    def __len__(self) -> int:
        return len(self.at)


Trails: TypeAlias = Mapping[tuple[str, str], Trail]
"""Trails by (sprint, KPI)."""
