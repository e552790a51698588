"""Measures: ``REDUCER over WINDOW``, and which reducer fits which type of indicator."""

from __future__ import annotations

import re

from slo_guard.domain.kpi import Combine, Measure, Reducer, Window, WindowKind
from slo_guard.domain.readings import IndicatorType
from slo_guard.errors import UnitError
from slo_guard.units import PLAIN, RATIO, SECONDS, parse_duration
from slo_guard.validation import nearest

GAUGE, COUNTER, PERCENTILE, BOOL, EVENT, HISTOGRAM = (
    IndicatorType.GAUGE,
    IndicatorType.COUNTER,
    IndicatorType.PERCENTILE,
    IndicatorType.BOOL,
    IndicatorType.EVENT,
    IndicatorType.HISTOGRAM,
)
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_WRITTEN = (*(reducer.value for reducer in Reducer if reducer is not Reducer.QUANTILE), "median", "p95")
_NAMED_WINDOWS = tuple(kind.value for kind in WindowKind if kind is not WindowKind.DURATION)

ALLOWED: dict[Reducer, frozenset[IndicatorType]] = {
    **dict.fromkeys((Reducer.LAST, Reducer.MIN, Reducer.MAX), frozenset({GAUGE, BOOL, PERCENTILE})),
    Reducer.MEAN: frozenset({GAUGE, BOOL}),
    Reducer.DELTA: frozenset({GAUGE}),
    **dict.fromkeys((Reducer.INCREASE, Reducer.RATE), frozenset({COUNTER})),
    Reducer.RATIO: frozenset({COUNTER, EVENT}),
    Reducer.SUM: frozenset({EVENT}),
    **dict.fromkeys((Reducer.COUNT, Reducer.QUANTILE), frozenset({EVENT, HISTOGRAM})),
    Reducer.TOTAL: frozenset({BOOL, COUNTER}),
    Reducer.SPREAD_ABS: frozenset({GAUGE, PERCENTILE, COUNTER, EVENT}),
}
COUNTS_FROM_BASELINE = (Reducer.INCREASE, Reducer.RATE, Reducer.DELTA)
"""Reducers that need a value at the window's start, or a baseline."""


def parse_measure(text: str) -> Measure:
    """Parse ``last``, ``max over 5m`` or ``p95 over week``; raises ``ValueError`` with what to write instead."""
    words = text.split()
    name = words[0] if words else ""
    reducer, quantile = _reducer(name)
    if reducer is Reducer.LAST or (reducer is Reducer.SPREAD_ABS and len(words) == 1):
        if len(words) > 1:
            raise ValueError("'last' has no window; write last alone, or max over 5m")
        return Measure(reducer, None, name)
    if len(words) != 3 or words[1] != "over":
        raise ValueError(f"{text!r} is not REDUCER over WINDOW; write {name} over sprint or {name} over 6h")
    return Measure(reducer, _window(words[2], name), " ".join(words), quantile)


def _reducer(name: str) -> tuple[Reducer, float | None]:
    if name == "median":
        return Reducer.QUANTILE, 0.5
    percentile = _PERCENTILE.fullmatch(name)
    if percentile is not None:
        if float(percentile[1]) == 0:
            raise ValueError(f"{name!r} would be the smallest value; write p50, p95 or p99.9")
        return Reducer.QUANTILE, float(percentile[1]) / 100
    if name not in _WRITTEN:
        raise ValueError(f"{name!r} is not a reducer{nearest(name, _WRITTEN)}")
    return Reducer(name), None


def _window(text: str, reducer: str) -> Window:
    if text in _NAMED_WINDOWS:
        return Window(WindowKind(text))
    try:
        seconds = parse_duration(text)
    except UnitError as error:
        if "longer" in str(error):
            raise
        raise ValueError(
            f"{text!r} is not a window; write a duration such as 6h, or {', '.join(_NAMED_WINDOWS)}"
        ) from None
    if seconds <= 0:
        raise ValueError(f"a window of {text} holds nothing; write {reducer} over 5m")
    return Window(WindowKind.DURATION, seconds)


def implied_type(measure: Measure, *, judged_by_is: bool) -> IndicatorType:
    """Return the type that a measure implies where nobody states one."""
    match measure.reducer:
        case Reducer.INCREASE | Reducer.RATE | Reducer.RATIO:
            return COUNTER
        case Reducer.SUM | Reducer.COUNT | Reducer.QUANTILE:
            return EVENT
        case Reducer.SPREAD_ABS:
            return GAUGE if measure.window is None else COUNTER
    return BOOL if measure.reducer is Reducer.TOTAL or judged_by_is else GAUGE


def allowed_types(measure: Measure) -> frozenset[IndicatorType]:
    """Return the types of indicator that a measure can be taken of."""
    if measure.reducer is Reducer.SPREAD_ABS:
        return frozenset({GAUGE, PERCENTILE}) if measure.window is None else frozenset({COUNTER, EVENT})
    return ALLOWED[measure.reducer]


def type_misfit(measure: Measure, kind: IndicatorType, unit: str | None, name: str) -> str | None:
    """Return what to write instead when ``measure`` cannot be taken of an indicator, else None."""
    if kind not in allowed_types(measure):
        written = measure.text.partition(" ")[0]
        return f"{written!r} does not fit {name}, which is {_article(kind)}; {_instead(measure, kind)}"
    if measure.reducer is Reducer.TOTAL and kind is COUNTER and unit not in (SECONDS, None):
        return f"'total' adds up time, but {name} is a counter that is not in seconds; {_instead(measure, kind)}"
    return None


def _instead(measure: Measure, kind: IndicatorType) -> str:
    over = measure.text.partition(" ")[2] or "over sprint"
    if measure.reducer is Reducer.SPREAD_ABS:
        return "write spread_abs for last values" if measure.window is not None else "write spread_abs over sprint"
    match kind:
        case IndicatorType.COUNTER:
            return f"write increase {over}"
        case IndicatorType.EVENT:
            return f"write count {over}, sum {over}, median {over} or p95 {over}"
        case IndicatorType.HISTOGRAM:
            return f"write p95 {over}, median {over} or count {over}"
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
    if kind is EVENT:
        return f"the observations of all series of {name} are measured together; leave combine out"
    if kind is HISTOGRAM:
        return f"the buckets of all series of {name} are summed before they are measured; leave combine out"
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


def result_unit(measure: Measure, kind: IndicatorType, unit: str | None, *, is_quotient: bool = False) -> str | None:
    """Return the base unit of the measured value, None where it is not known."""
    if is_quotient or measure.reducer in (Reducer.RATIO, Reducer.SPREAD_ABS):
        return RATIO
    if measure.reducer is Reducer.MEAN and kind is BOOL:
        return RATIO
    if measure.reducer is Reducer.TOTAL:
        return SECONDS
    if measure.reducer is Reducer.RATE and unit == SECONDS:
        return RATIO
    return PLAIN if kind is BOOL or measure.reducer is Reducer.COUNT else unit


def is_share(measure: Measure, kind: IndicatorType) -> bool:
    """Whether the measured value lies between 0 and 1 by its nature."""
    return measure.reducer is Reducer.RATIO or (measure.reducer is Reducer.MEAN and kind is BOOL)


def is_truth(measure: Measure, kind: IndicatorType) -> bool:
    """Whether the measured value is true or false, so that the objective says ``is``."""
    return kind is BOOL and measure.reducer in (Reducer.LAST, Reducer.MIN, Reducer.MAX)


def _article(kind: IndicatorType) -> str:
    return f"an {kind.value}" if kind.value[0] in "aeiou" else f"a {kind.value}"
