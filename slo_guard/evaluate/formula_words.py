"""What a rule measures and demands, in sentences that need no knowledge of rule files."""

from __future__ import annotations

from collections.abc import Iterator

from slo_guard.domain.kpi import (
    KPI,
    Combine,
    Matcher,
    MatchOp,
    Measure,
    Objective,
    Quotient,
    RatioPair,
    Reducer,
    Selection,
    Single,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorType
from slo_guard.units import format_duration, format_value

_WINDOWS = {
    WindowKind.SPRINT: "the sprint so far",
    WindowKind.DAY: "the day so far",
    WindowKind.WEEK: "the week so far",
    WindowKind.MONTH: "the month so far",
}
_REDUCED = {
    Reducer.LAST: "the newest value of",
    Reducer.MIN: "the smallest value of",
    Reducer.MAX: "the largest value of",
    Reducer.MEAN: "the mean of all samples of",
    Reducer.SUM: "the sum of all observations of",
    Reducer.COUNT: "the number of observations of",
    Reducer.INCREASE: "the increase of",
    Reducer.RATE: "the increase per second of",
    Reducer.DELTA: "the change since the window's start of",
    Reducer.RATIO: "the increase of",
    Reducer.TOTAL: "the time of being true of",
}
FOLDS = {Combine.SUM: "added up", Combine.MAX: "the largest", Combine.MIN: "the smallest", Combine.MEAN: "their mean"}
_MATCHES = {MatchOp.EQUAL: "is", MatchOp.NOT_EQUAL: "is not", MatchOp.REGEX: "matches"}


def formula_words(kpi: KPI) -> tuple[str, ...]:
    """Return what ``kpi`` measures and what it must be, a sentence each."""
    return (_sentence(f"{_measured(kpi)}{_over(kpi.measure)}"), *map(_sentence, _rest(kpi)))


def window_words(measure: Measure) -> str:
    """Return the window of a measure in words: ``the last 5m``, ``the sprint so far``, ``the newest samples``."""
    window = measure.window
    if window is None:
        return "the newest samples"
    written = measure.text.partition(" over ")[2]
    return _WINDOWS.get(window.kind) or f"the last {written or format_duration(window.seconds or 0.0)}"


def objective_words(objective: Objective) -> str:
    """Return an objective as people say it: ``at most 1.16s``."""
    text = objective.text.replace("_", " ", 1)
    return text.removeprefix("is ") if text.startswith("is ") else text.replace("equals ", "exactly ", 1)


def selection_words(where: tuple[Matcher, ...]) -> str:
    """Return which series a rule takes: ``arm is v2, cohort is not internal``; ``""`` for all of them."""
    return ", ".join(f"{each.label} {_MATCHES[each.op]} {each.value or 'empty'}" for each in where)


def _measured(kpi: KPI) -> str:
    match kpi.source:
        case Single(of=selection):
            return f"{_reducer(kpi)} {_named(selection)}"
        case RatioPair(part=part, total=total, part_is=kind):
            what = "went wrong" if kind == "bad" else "went well"
            return f"a share: the increase of {_named(part)} ({what}) / the increase of {_named(total)} (everything)"
        case Quotient(of=one, to=other):
            quotient = f"{_named(one)} / {_named(other)}"
            if kpi.measure.reducer is Reducer.SPREAD_ABS:
                return f"how far {quotient} is from 1, up or down: abs({quotient} - 1)"
            return f"{_reducer(kpi)} {_named(one)} / {_reducer(kpi)} {_named(other)}"


def _reducer(kpi: KPI) -> str:
    measure = kpi.measure
    if measure.quantile is not None:
        name = "the median" if measure.quantile == 0.5 else f"the {measure.text.partition(' ')[0]}"
        return f"{name} of all observations of"
    if kpi.type is IndicatorType.BOOL and measure.reducer is Reducer.LAST:
        return "whether true by the newest word of"
    return _REDUCED[measure.reducer]


def _over(measure: Measure) -> str:
    return "" if measure.window is None else f", over {window_words(measure)}"


def _rest(kpi: KPI) -> Iterator[str]:
    if kpi.by:
        yield f"one verdict for each {' and '.join(kpi.by)}; the KPI shows the worst"
    if kpi.combine is not None:
        yield f"of several series that fold into one value: {FOLDS[kpi.combine]}"
    if kpi.baseline is not None:
        baseline = format_value(kpi.baseline, kpi.unit)
        yield f"without a sample at the window's start it counts from {baseline}, the rule's baseline"
    if kpi.objective is None:
        yield "it is tracked only: there is no objective that it could miss"
    else:
        yield f"it must be {objective_words(kpi.objective)}"
    if kpi.warn is not None:
        yield f"it is at risk when not {objective_words(kpi.warn)}"


def _named(selection: Selection) -> str:
    where = selection_words(selection.where)
    return f"{selection.indicator} where {where}" if where else selection.indicator


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
