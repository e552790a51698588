"""Objectives: from what is written to a comparison in base units, and which of two is the stricter."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slo_guard.domain.kpi import Objective, Op
from slo_guard.located_yaml import KeyPath
from slo_guard.rulebook.amounts import Amount, misfit
from slo_guard.rulebook.models import ObjectiveFields
from slo_guard.units import RATIO


@dataclass(frozen=True, slots=True)
class Written:
    """One objective of a rule file: the comparison and its bounds as written (none for ``is``)."""

    op: Op
    amounts: tuple[Amount, ...]
    truth: bool | None = None

    @property
    def unit(self) -> str | None:
        """The unit that its bounds state, None where they state none."""
        return next((amount.quantity.unit for amount in self.amounts if amount.quantity.unit is not None), None)

    @property
    def text(self) -> str:
        """The objective for people: ``at_most 1.16s``, ``between 2 and 3``, ``is true``."""
        if self.truth is not None:
            return f"is {str(self.truth).lower()}"
        return f"{self.op.value} {' and '.join(amount.text for amount in self.amounts)}"


def written(fields: ObjectiveFields) -> Written:
    """Return the one comparison that ``fields`` hold."""
    if fields.is_ is not None:
        return Written(Op.IS, (), fields.is_)
    if fields.between is not None:
        return Written(Op.BETWEEN, tuple(fields.between))
    for op in (Op.AT_MOST, Op.BELOW, Op.AT_LEAST, Op.ABOVE, Op.EQUALS):
        amount = getattr(fields, op.value)
        if amount is not None:
            return Written(op, (amount,))
    raise AssertionError("the model holds exactly one comparison")


def to_objective(given: Written) -> Objective:
    """Return the domain's objective; the units have been checked before."""
    if given.truth is not None:
        return Objective(Op.IS, float(given.truth), given.text)
    bounds = [amount.quantity.value for amount in given.amounts]
    return Objective(given.op, bounds[0], given.text, bounds[1] if given.op is Op.BETWEEN else None)


def faults(given: Written, unit: str | None, subject: str, *, share: bool) -> list[tuple[KeyPath, str]]:
    """Return path and message of each bound that does not fit ``subject``; ``share``: its values are 0 to 1."""
    found: list[tuple[KeyPath, str]] = []
    for at, amount in enumerate(given.amounts):
        path: KeyPath = (given.op.value, at) if given.op is Op.BETWEEN else (given.op.value,)
        message = misfit(amount, unit, subject)
        if message is None and share and unit == RATIO and amount.quantity.value > 1:
            message = f"{amount.text} can never be reached, {subject} is a ratio from 0 to 1; write a share such as 95%"
        if message is not None:
            found.append((path, message))
    return found


def reversed_bounds(given: Written) -> str | None:
    """Return what to write instead when the bounds of ``between`` stand the wrong way round, else None."""
    if given.op is not Op.BETWEEN:
        return None
    low, high = given.amounts
    if low.quantity.unit != high.quantity.unit or low.quantity.value <= high.quantity.value:
        return None
    return f"the bounds are reversed; write between: [{high.text}, {low.text}]"


def as_strict(one: Objective, other: Objective) -> bool:
    """Whether every value that meets ``one`` meets ``other``."""
    low, low_open, high, high_open = _met_by(one)
    other_low, other_low_open, other_high, other_high_open = _met_by(other)
    above = low > other_low or (low == other_low and (low_open or not other_low_open))
    under = high < other_high or (high == other_high and (high_open or not other_high_open))
    return above and under


def stricter(one: Objective, other: Objective) -> bool:
    """Whether ``one`` is as strict as ``other`` and some values meet only ``other``."""
    return as_strict(one, other) and not as_strict(other, one)


def _met_by(objective: Objective) -> tuple[float, bool, float, bool]:
    """Return the interval of values that meet an objective: low, low is open, high, high is open."""
    bound = objective.bound
    match objective.op:
        case Op.AT_MOST:
            return -math.inf, False, bound, False
        case Op.BELOW:
            return -math.inf, False, bound, True
        case Op.AT_LEAST:
            return bound, False, math.inf, False
        case Op.ABOVE:
            return bound, True, math.inf, False
        case Op.BETWEEN:
            assert objective.upper is not None
            return bound, False, objective.upper, False
        case Op.EQUALS | Op.IS:
            return bound, False, bound, False
