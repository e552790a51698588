"""Measures: ``REDUCER over WINDOW``, and which reducer fits which type of indicator."""

from __future__ import annotations

import re

from slo_guard.domain.kpi import Combine, Measure, Reducer, Window, WindowKind
from slo_guard.domain.readings import IndicatorType
from slo_guard.errors import UnitError
from slo_guard.units import PLAIN, RATIO, SECONDS, parse_duration
from slo_guard.validation import nearest

GAUGE, COUNTER, PERCENTILE, BOOL = (
    IndicatorType.GAUGE,
    IndicatorType.COUNTER,
    IndicatorType.PERCENTILE,
    IndicatorType.BOOL,
)
NOT_SUPPORTED = "is not supported by this version"
_LATER_REDUCER = re.compile(r"sum|count|median|rate|spread_abs|p\d+(\.\d+)?")
_LATER_WINDOWS = ("day", "week", "month")

ALLOWED: dict[Reducer, frozenset[IndicatorType]] = {
    **dict.fromkeys((Reducer.LAST, Reducer.MIN, Reducer.MAX), frozenset({GAUGE, BOOL, PERCENTILE})),
    Reducer.MEAN: frozenset({GAUGE, BOOL}),
    Reducer.DELTA: frozenset({GAUGE}),
    Reducer.INCREASE: frozenset({COUNTER}),
    Reducer.RATIO: frozenset({COUNTER}),
    Reducer.TOTAL: frozenset({BOOL, COUNTER}),
}


def parse_measure(text: str) -> Measure:
    """Parse ``last`` or ``max over 5m``; raises ``ValueError`` with what to write instead."""
    words = text.split()
    name = words[0] if words else ""
    if _LATER_REDUCER.fullmatch(name):
        raise ValueError(f"the reducer {name!r} {NOT_SUPPORTED}; known are {', '.join(Reducer)}")
    if name not in list(Reducer):
        raise ValueError(f"{name!r} is not a reducer{nearest(name, list(Reducer))}")
    reducer = Reducer(name)
    if reducer is Reducer.LAST:
        if len(words) > 1:
            raise ValueError("'last' has no window; write last alone, or max over 5m")
        return Measure(reducer, None, name)
    if len(words) != 3 or words[1] != "over":
        raise ValueError(f"{text!r} is not REDUCER over WINDOW; write {name} over sprint or {name} over 6h")
    return Measure(reducer, _window(words[2], name), " ".join(words))


def _window(text: str, reducer: str) -> Window:
    if text == WindowKind.SPRINT:
        return Window(WindowKind.SPRINT)
    if text in _LATER_WINDOWS:
        raise ValueError(f"the window {text!r} {NOT_SUPPORTED}; write a duration such as 24h, or sprint")
    try:
        seconds = parse_duration(text)
    except UnitError as error:
        if "longer" in str(error):
            raise
        raise ValueError(f"{text!r} is not a window; write a duration such as 6h, or sprint") from None
    if seconds <= 0:
        raise ValueError(f"a window of {text} holds nothing; write {reducer} over 5m")
    return Window(WindowKind.DURATION, seconds)


def implied_type(reducer: Reducer, *, judged_by_is: bool) -> IndicatorType:
    """Return the type that a measure implies where nobody states one."""
    if reducer in (Reducer.INCREASE, Reducer.RATIO):
        return COUNTER
    return BOOL if reducer is Reducer.TOTAL or judged_by_is else GAUGE


def type_misfit(measure: Measure, kind: IndicatorType, unit: str | None, name: str) -> str | None:
    """Return what to write instead when ``measure`` cannot be taken of an indicator, else None."""
    if kind in (IndicatorType.EVENT, IndicatorType.HISTOGRAM):
        return f"{name} is {_article(kind)}, whose measures are not supported by this version; collect a percentile"
    if kind not in ALLOWED[measure.reducer]:
        return f"{measure.reducer.value!r} does not fit {name}, which is {_article(kind)}; {_instead(measure, kind)}"
    if measure.reducer is Reducer.TOTAL and kind is COUNTER and unit not in (SECONDS, None):
        return f"'total' adds up time, but {name} is a counter that is not in seconds; {_instead(measure, kind)}"
    return None


def _instead(measure: Measure, kind: IndicatorType) -> str:
    over = measure.text.partition(" ")[2] or "over sprint"
    match kind:
        case IndicatorType.COUNTER:
            return f"write increase {over}"
        case IndicatorType.GAUGE:
            return f"write delta {over}" if measure.reducer is Reducer.INCREASE else f"write last or max {over}"
        case IndicatorType.PERCENTILE:
            return f"write last or max {over}: a mean of percentiles is not a percentile"
        case _:
            return f"write last, or total {over} for the time during which it is true"


def combine_misfit(measure: Measure, kind: IndicatorType, combine: Combine, name: str) -> str | None:
    """Return what to write instead when series cannot be folded so, else None."""
    if measure.reducer is Reducer.RATIO and combine is not Combine.SUM:
        return "a ratio folds series by summing both its sides; leave combine out"
    if kind is PERCENTILE and combine in (Combine.MEAN, Combine.SUM):
        return f"a {combine.value} of percentiles is not a percentile ({name}); write combine: max"
    if kind is BOOL and measure.reducer is Reducer.TOTAL and combine in (Combine.MIN, Combine.MEAN):
        return (
            f"the time during which {name} is true is united or summed, it has no {combine.value}; "
            "write combine: max (while any is true) or combine: sum (each one's time)"
        )
    truth = kind is BOOL and measure.reducer in (Reducer.LAST, Reducer.MIN, Reducer.MAX)
    if truth and combine in (Combine.MEAN, Combine.SUM):
        return f"{name} is true or false; write combine: max (any is true) or combine: min (all are true)"
    return None


def result_unit(measure: Measure, kind: IndicatorType, unit: str | None) -> str | None:
    """Return the base unit of the measured value, None where it is not known."""
    if measure.reducer is Reducer.RATIO or (measure.reducer is Reducer.MEAN and kind is BOOL):
        return RATIO
    if measure.reducer is Reducer.TOTAL:
        return SECONDS
    return PLAIN if kind is BOOL else unit


def is_truth(measure: Measure, kind: IndicatorType) -> bool:
    """Whether the measured value is true or false, so that the objective says ``is``."""
    return kind is BOOL and measure.reducer in (Reducer.LAST, Reducer.MIN, Reducer.MAX)


def _article(kind: IndicatorType) -> str:
    return f"an {kind.value}" if kind.value[0] in "aeiou" else f"a {kind.value}"
