"""Objectives over arrays: which values are fine."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.kpi import Combine, Objective, Op
from slo_guard.domain.readings import BoolArray, FloatArray

_UPPER = (Op.AT_MOST, Op.BELOW)
_LOWER = (Op.AT_LEAST, Op.ABOVE)


def meets(objective: Objective, values: FloatArray) -> BoolArray:
    """Return which values are fine, shape as ``values``; NaN never is."""
    bound = objective.bound
    fine: BoolArray
    match objective.op:
        case Op.AT_MOST:
            fine = values <= bound
        case Op.BELOW:
            fine = values < bound
        case Op.AT_LEAST:
            fine = values >= bound
        case Op.ABOVE:
            fine = values > bound
        case Op.EQUALS | Op.IS:
            fine = values == bound
        case Op.BETWEEN:
            assert objective.upper is not None
            fine = (values >= bound) & (values <= objective.upper)
    return fine


def meets_above(objective: Objective, floors: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Return whether all values above each of ``floors`` are fine, and whether any is; shape as ``floors``."""
    never = np.zeros(len(floors), dtype=bool)
    match objective.op:
        case Op.AT_LEAST | Op.ABOVE:
            return floors >= objective.bound, ~never
        case Op.BETWEEN:
            assert objective.upper is not None
            return never, floors < objective.upper
        case _:
            return never, floors < objective.bound


def exceeds_upper_limit(objective: Objective | None, values: FloatArray) -> BoolArray:
    """Return which values are above the objective's upper limit, so that no later growth can mend it."""
    if objective is None or objective.op in _LOWER:
        return np.zeros(len(values), dtype=bool)
    if objective.op is Op.BETWEEN:
        assert objective.upper is not None
        return values > objective.upper
    if objective.op is Op.BELOW:
        return values >= objective.bound
    return values > objective.bound


def has_upper_limit(objective: Objective | None) -> bool:
    """Whether values above some bound miss the objective."""
    return objective is not None and objective.op not in _LOWER and objective.op is not Op.IS


def worst_of_gauges(objective: Objective | None) -> Combine | None:
    """Return how gauges fold when a rule does not say: to the worst of them; None where no side is the worse."""
    if objective is None:
        return None
    if objective.op in _UPPER or (objective.op is Op.IS and objective.bound == 0.0):
        return Combine.MAX
    if objective.op in _LOWER or objective.op is Op.IS:
        return Combine.MIN
    return None
