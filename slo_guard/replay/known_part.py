"""The part of a plan that can be replayed where only some of its indicators are known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import KPI, Plan, Quotient, RatioPair, Single


@dataclass(frozen=True, slots=True)
class KnownPart:
    """``plan`` without the KPIs of ``left_out`` (each with why); ``partly``: those kept that lack something beside."""

    plan: Plan
    left_out: tuple[tuple[KPI, str], ...]
    partly: tuple[tuple[KPI, str], ...]


def known_part(plan: Plan, known: Collection[str]) -> KnownPart:
    """Return the KPIs of ``plan`` whose value can be told from the indicators that are ``known``.

    One side of a ratio or a quotient is not enough. What applies only when another KPI is true goes with that one,
    and what counts burn alarms goes where nothing is left in its sprint that has an error budget.
    """
    reasons: dict[tuple[str, str], str] = {}
    while True:
        kept = [kpi for kpi in plan.kpis if (kpi.sprint, kpi.id) not in reasons]
        with_budget = {kpi.sprint for kpi in kept if kpi.error_budget is not None}
        found = {(kpi.sprint, kpi.id): _why_not(kpi, known, with_budget, reasons) for kpi in kept}
        if not any(found.values()):
            break
        reasons |= {key: reason for key, reason in found.items() if reason is not None}
    return KnownPart(
        plan=replace(plan, kpis=tuple(kept)),
        left_out=tuple((kpi, reasons[kpi.sprint, kpi.id]) for kpi in plan.kpis if (kpi.sprint, kpi.id) in reasons),
        partly=tuple((kpi, ", ".join(lacks)) for kpi in kept if (lacks := _unknown(kpi.indicators, known))),
    )


def _why_not(
    kpi: KPI, known: Collection[str], with_budget: Collection[str], left_out: Collection[tuple[str, str]]
) -> str | None:
    measured = _measured(kpi)
    lacks = _unknown(measured, known)
    if lacks:
        return f"reads {', '.join(lacks)}"
    if BURN_ALARM in measured and kpi.sprint not in with_budget:
        return "counts burn alarms, and no KPI that has some is left"
    if kpi.when is not None and (kpi.sprint, kpi.when.kpi) in left_out:
        return f"depends on {kpi.when.kpi}"
    return None


def _measured(kpi: KPI) -> tuple[str, ...]:
    match kpi.source:
        case Single(of=selection):
            return (selection.indicator,)
        case RatioPair(part=one, total=other) | Quotient(of=one, to=other):
            return (one.indicator, other.indicator)


def _unknown(names: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in known and name != BURN_ALARM)
