"""Seven KPIs like those of the first two lanes, their indicators, their values, and the rules that Prometheus gets."""

from __future__ import annotations

from datetime import date

import numpy as np

from slo_guard.domain.kpi import (
    KPI,
    Measure,
    Objective,
    Op,
    Plan,
    RatioPair,
    Reducer,
    Selection,
    Single,
    Sprint,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorType

INDICATORS = {
    "sev1_total": "counter",
    "burn_active": "bool",
    "query_p95_seconds": "percentile",
    "ga_p95_seconds": "percentile",
    "complaints_total": "counter",
    "requests_total": "counter",
    "audits_passed_total": "counter",
    "audits_total": "counter",
    "drill_logged": "bool",
}
PROMETHEUS_RULES = {
    "Sev1": "increase(sev1_total[5m]) != 0",
    "Burn": "avg_over_time(burn_active[5m]) * 300 >= 600",
    "Query": "query_p95_seconds > 0.83",
    "Ga": "ga_p95_seconds > 1.16",
    "Complaints": "rate(complaints_total[5m]) / rate(requests_total[5m]) >= 0.008",
    "Audits": "rate(audits_passed_total[5m]) / rate(audits_total[5m]) < 0.99",
    "Drill": "drill_logged != 1",
}


def sample(indicator: str, series: int, cycle: int) -> np.ndarray:
    """Return the values of an indicator in a cycle: fresh numbers, one series in a hundred beyond its limit."""
    bad = np.arange(series) % 100 == 99
    noise = np.random.default_rng([cycle, len(indicator)]).random(series)
    match indicator:
        case "sev1_total" | "burn_active":
            return np.where(bad, 1.0, 0.0) if indicator == "burn_active" else np.where(bad, 1.0 + cycle, 3.0)
        case "query_p95_seconds" | "ga_p95_seconds":
            return np.where(bad, 2.0, 0.5 + 0.3 * noise)
        case "complaints_total":
            return np.where(bad, 100.0 * cycle, 1.0 * cycle)
        case "requests_total" | "audits_total":
            return np.full(series, 1000.0 * (cycle + 1))
        case "audits_passed_total":
            return np.where(bad, 900.0 * (cycle + 1), 999.0 * (cycle + 1))
    return np.where(bad, 0.0, 1.0)


def plan() -> Plan:
    """Return seven KPIs like those of the shipped lanes, each by tenant."""
    sprint = Sprint("s", "S", "UTC", date(2026, 7, 6), date(2026, 7, 17), 1_000_000.0, 2_000_000.0)
    whole, day = Window(WindowKind.SPRINT), Window(WindowKind.DURATION, 86400.0)

    def kpi(name: str, source: Single | RatioPair, measure: Measure, op: Op, bound: float, kind: str) -> KPI:
        objective = Objective(op, bound, f"{op.value} {bound}")
        return KPI(
            id=name,
            sprint="s",
            lane="lane",
            source=source,
            measure=measure,
            type=IndicatorType(kind),
            unit=None,
            objective=objective,
            by=("tenant",),
            min_coverage=0.0,
            interval_seconds=30.0,
        )

    def one(name: str) -> Single:
        return Single(Selection(name))

    last = Measure(Reducer.LAST, None, "last")
    kpis = (
        kpi("sev1", one("sev1_total"), Measure(Reducer.INCREASE, whole, ""), Op.EQUALS, 0, "counter"),
        kpi("burn", one("burn_active"), Measure(Reducer.TOTAL, whole, ""), Op.BELOW, 600, "bool"),
        kpi("query", one("query_p95_seconds"), last, Op.AT_MOST, 0.83, "percentile"),
        kpi("ga", one("ga_p95_seconds"), last, Op.AT_MOST, 1.16, "percentile"),
        kpi(
            "complaints",
            RatioPair(Selection("complaints_total"), Selection("requests_total"), "bad"),
            Measure(Reducer.RATIO, day, ""),
            Op.BELOW,
            0.008,
            "counter",
        ),
        kpi(
            "audits",
            RatioPair(Selection("audits_passed_total"), Selection("audits_total"), "good"),
            Measure(Reducer.RATIO, whole, ""),
            Op.AT_LEAST,
            0.99,
            "counter",
        ),
        kpi("drill", one("drill_logged"), last, Op.IS, 1, "bool"),
    )
    return Plan({"s": sprint}, kpis)
