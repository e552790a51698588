"""How a KPI's numbers read in Grafana: unit, decimals, and the ends of its axis."""

from __future__ import annotations

from dataclasses import dataclass

from slo_guard.domain.kpi import KPI, Op, Quotient, Reducer
from slo_guard.domain.readings import IndicatorType
from slo_guard.units import BYTES, PLAIN, RATIO, SECONDS

GRAFANA_UNITS = {SECONDS: "s", RATIO: "percentunit", BYTES: "bytes", PLAIN: "short"}
"""Base units as Grafana scales them: 0.83 s is "830 ms", 0.0025 is "0.25%"."""

_SIGNED = (Reducer.DELTA, Reducer.SUM)


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit, its decimals (None: as many as needed), and where an axis ends (None: where the values do)."""

    unit: str
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    soft_least: float | None = None


def scale_of(kpi: KPI) -> Scale:
    """Return how ``kpi``'s values are shown.

    A count's axis begins at 0; a share's too, except of a goal such as 99 %: from 0 on its fall could not be seen. A
    quotient such as v2 over baseline is a factor: 1.04, not 104 %.
    """
    if isinstance(kpi.source, Quotient) and kpi.measure.reducer is not Reducer.SPREAD_ABS:
        return Scale("none", 3)
    unit = GRAFANA_UNITS[kpi.unit or PLAIN]
    if kpi.unit == RATIO:
        goal = kpi.objective is not None and kpi.objective.op in (Op.AT_LEAST, Op.ABOVE)
        return Scale(unit, 2, None, 1.0) if goal else Scale(unit, 2, 0.0)
    if kpi.unit == SECONDS:
        percentile = kpi.type is IndicatorType.PERCENTILE
        return Scale(unit, None, None if percentile else 0.0)
    if kpi.measure.reducer in _SIGNED:
        return Scale(unit, soft_least=0.0)
    return Scale(unit, 0 if kpi.unit in (None, PLAIN) else None, 0.0)
