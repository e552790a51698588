"""A value held against a bound, in words: how it compares, and by how much."""

from __future__ import annotations

from slo_guard.domain.alerts import AlertKind, reason_words
from slo_guard.domain.explanations import HistoryEntry
from slo_guard.domain.kpi import KPI, Objective, Op
from slo_guard.domain.readings import IndicatorType
from slo_guard.evaluate.formula_words import objective_words
from slo_guard.units import BYTES, RATIO, SECONDS, format_value

_UPPER = (Op.AT_MOST, Op.BELOW)
_LOWER = (Op.AT_LEAST, Op.ABOVE)


def value_words(value: float | None, kpi: KPI) -> str:
    """Return a value of ``kpi`` in its unit; what is true or false says so."""
    is_bool = kpi.type is IndicatorType.BOOL and (kpi.objective is None or kpi.objective.op is Op.IS)
    if is_bool and value in (0.0, 1.0):
        return "true" if value else "false"
    return format_value(value, kpi.unit)


def changed_words(entry: HistoryEntry) -> str:
    """Return what changed: ``verdict``, ``alert``, ``risk alert``, ``burn alert 1h/5m``."""
    what = {"verdict": "verdict", "breach": "alert", "risk": "risk alert", "burn": "burn alert"}[entry.kind]
    return f"{what} {entry.tier}" if entry.tier else what


def changed_why(entry: HistoryEntry) -> str:
    """Return why it changed, of an alert as its kind says it, without the entry's note."""
    return entry.reason.sentence if entry.kind == "verdict" else reason_words(entry.reason, AlertKind(entry.kind))


def changed_value(entry: HistoryEntry, kpi: KPI) -> str:
    """Return the value beside a change, ``""`` where there is none; beside a burn alert it is the burn rate."""
    if entry.value is None:
        return ""
    return f"{entry.value:.3g} times as fast as allowed" if entry.kind == "burn" else value_words(entry.value, kpi)


def comparison(objective: Objective, value: float, unit: str | None) -> str:
    """Return whether ``value`` is what ``objective`` wants, and the distance: ``1.21s is not at most 1.16s: …``."""
    if objective.op is Op.IS:
        have, want = ("true" if each else "false" for each in (value, objective.bound))
        return f"it is {have}, as it must be" if have == want else f"it is {have}, and must be {want}"
    met, bound = _verdict(objective, value)
    text, words = _told_apart(value, bound, unit), objective_words(objective)
    if not met:
        return f"{text} is not {words}: {_miss(objective, value, bound, unit)}"
    return f"{text} is {words}{_room(objective, value, bound, unit)}"


def distance_words(distance: float, unit: str | None) -> str:
    """Return how far apart two values are; of shares it is percentage points, not percent."""
    if unit == RATIO:
        return f"{abs(distance) * 100:.4g} percentage points"
    return format_value(abs(distance), unit)


def _verdict(objective: Objective, value: float) -> tuple[bool, float]:
    """Return whether the value is fine, and the bound that it is nearest to breaking or has broken."""
    bound, upper = objective.bound, objective.upper
    match objective.op:
        case Op.AT_MOST:
            return value <= bound, bound
        case Op.BELOW:
            return value < bound, bound
        case Op.AT_LEAST:
            return value >= bound, bound
        case Op.ABOVE:
            return value > bound, bound
        case Op.BETWEEN if upper is not None:
            return bound <= value <= upper, bound if abs(value - bound) < abs(value - upper) else upper
        case _:
            return value == bound, bound


def _miss(objective: Objective, value: float, bound: float, unit: str | None) -> str:
    if value == bound:
        return "it stands on the bound, which does not count"
    side = "above" if value > bound else "short" if objective.op in _LOWER else "below"
    return f"{distance_words(value - bound, unit)} {side}"


def _room(objective: Objective, value: float, bound: float, unit: str | None) -> str:
    if objective.op in (*_UPPER, *_LOWER) and value != bound:
        return f", with {distance_words(value - bound, unit)} to spare"
    return ""


def _told_apart(value: float, bound: float, unit: str | None) -> str:
    """Return the value with so many digits that it does not look like the bound that it differs from."""
    text = format_value(value, unit)
    if value == bound or text != format_value(bound, unit):
        return text
    if unit == RATIO:
        return f"{value * 100:.12g}%"
    return f"{value:.12g}{ {SECONDS: 's', BYTES: 'B'}.get(unit or '', '') }"
