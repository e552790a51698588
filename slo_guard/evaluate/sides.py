"""The indicators that a KPI reads, and how each of them is measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from slo_guard.domain.kpi import KPI, Measure, Quotient, RatioPair, Reducer, Selection, Single
from slo_guard.domain.readings import IndicatorType


def sides_of(kpi: KPI) -> Iterator[tuple[KPI, Selection]]:
    """Yield each selection of ``kpi`` with the KPI as that side of it is measured.

    A side of a quotient has no objective of its own: which of several series is the worse cannot be told there.
    """
    match kpi.source:
        case Single(of=selection):
            yield kpi, selection
        case RatioPair(part=part, total=total):
            yield kpi, part
            yield kpi, total
        case Quotient(of=one, to=other):
            side = replace(kpi, objective=None, warn=None, resolve=None, measure=_side_measure(kpi))
            yield side, one
            yield side, other


def _side_measure(kpi: KPI) -> Measure:
    """Return how each side of a quotient is measured: for ``spread_abs`` newest values, increases or sums."""
    if kpi.measure.reducer is not Reducer.SPREAD_ABS:
        return kpi.measure
    if kpi.measure.window is None:
        return replace(kpi.measure, reducer=Reducer.LAST)
    summed = kpi.type is IndicatorType.EVENT
    return replace(kpi.measure, reducer=Reducer.SUM if summed else Reducer.INCREASE)
