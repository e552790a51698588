"""Which of a KPI's series stands worst: by verdict, then by its alert, then by how near its objective it is."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.kpi import Objective, Op
from slo_guard.domain.readings import FloatArray, IntArray
from slo_guard.domain.verdicts import AlertState, VerdictFrame


def worst_rows(frame: VerdictFrame, limit: int) -> list[int]:
    """Return the rows of the ``limit`` series that stand worst, the worst first; equals in the index's order."""
    order = np.lexsort((-_strain(frame.kpi.objective, frame.value), -_badness(frame)))
    rows: list[int] = order[:limit].tolist()
    return rows


def worst_row(frame: VerdictFrame) -> int:
    """Return the row of the series that stands worst, the first of :func:`worst_rows`."""
    badness = _badness(frame)
    return int(np.argmax(np.where(badness == badness.max(), _strain(frame.kpi.objective, frame.value), -np.inf)))


def _badness(frame: VerdictFrame) -> IntArray:
    return frame.verdict.astype(np.int64) * len(AlertState) + frame.alert_state


def _strain(objective: Objective | None, values: FloatArray) -> FloatArray:
    """Return how far each value is towards the objective's limit, or beyond it, in the KPI's unit; shape as ``values``.

    The least finite number where there is no value: no order among equals is lost by it.
    """
    if objective is None:
        return np.zeros(len(values))
    match objective.op:
        case Op.AT_MOST | Op.BELOW:
            strain = values - objective.bound
        case Op.AT_LEAST | Op.ABOVE:
            strain = objective.bound - values
        case Op.EQUALS | Op.IS:
            strain = np.abs(values - objective.bound)
        case Op.BETWEEN:
            assert objective.upper is not None
            strain = np.maximum(values - objective.upper, objective.bound - values)
    return np.where(np.isnan(strain), np.finfo(np.float64).min, strain)
