"""Our KPIs as Prometheus's alerting rules: their names, groups, labels, and queries over our own metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slo_guard.domain.alerts import BREACH, RISK, AlertKind, AlertSlot
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, BurnPair, NoDataThen, Severity
from slo_guard.expose.metrics_text import escape
from slo_guard.units import window_text

_BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What makes KPIs one group: they stand in one file, and are of one sprint and lane."""

    file: str
    sprint: str
    lane: str

    @classmethod
    def of(cls, kpi: KPI) -> GroupKey:
        """Return the group of ``kpi``; what slo_guard guards by itself has no file."""
        return cls(kpi.place.file if kpi.place is not None else _BUILT_IN, kpi.sprint, kpi.lane)

    @property
    def name(self) -> str:
        """The group's name: ``sprint-40:ga-ops``, or the lane alone of what belongs to no sprint."""
        return f"{self.sprint}:{self.lane}" if self.sprint else self.lane


def slots_of(kpi: KPI) -> Iterator[AlertSlot]:
    """Yield the alerts that each series of ``kpi`` can raise, a rule each."""
    if kpi.objective is not None:
        yield BREACH
    ahead = (kpi.warn, kpi.checkpoint_at, kpi.pace, kpi.drift)
    if any(each is not None for each in ahead) and kpi.warn_severity is not Severity.NONE:
        yield RISK
    if kpi.error_budget is not None:
        loud = (pair for pair in kpi.error_budget.burn_alerts if pair.severity is not Severity.NONE)
        yield from (AlertSlot(AlertKind.BURN, pair.text) for pair in loud)


def rule_name(kpi: str, slot: AlertSlot) -> str:
    """Return a rule's name: the KPI's id, and behind colons what else it is about: ``kpi:risk``, ``kpi:burn:1h/5m``."""
    if slot.kind is AlertKind.BREACH:
        return kpi
    return f"{kpi}:{slot.kind.value}:{slot.tier}" if slot.tier else f"{kpi}:{slot.kind.value}"


def rule_labels(kpi: KPI, slot: AlertSlot) -> dict[str, str]:
    """Return the labels of a rule, which all of its alerts have, too."""
    found = {
        "sprint": kpi.sprint,
        "lane": kpi.lane,
        "kpi": kpi.id,
        "severity": slot.severity(kpi).value,
        "kind": slot.kind.value,
        "tier": slot.tier,
        "owner": kpi.owner,
    }
    return {name: value for name, value in found.items() if value}


def rule_query(kpi: KPI, slot: AlertSlot) -> str:
    """Return PromQL over our metrics page that is true while the condition of the alert holds."""
    if kpi.id == COLLECTOR_UP:
        return "slo_guard_collector_up == 0"
    ours = f'sprint="{escape(kpi.sprint)}",lane="{escape(kpi.lane)}",kpi="{escape(kpi.id)}"'
    pair = kpi.burn_pair(slot.tier)
    if pair is not None:
        return _burning(pair, ours)
    if slot.kind is AlertKind.RISK:
        return f'slo_guard_kpi_verdict{{{ours},verdict="at_risk"}} == 1'
    breached = f"slo_guard_kpi_breached{{{ours}}} == 1"
    if kpi.no_data.then is NoDataThen.OK:
        return breached
    return f'{breached} or slo_guard_kpi_verdict{{{ours},verdict="no_data"}} == 1'


def _burning(pair: BurnPair, ours: str) -> str:
    long, short = (
        f'slo_guard_burn_rate{{{ours},window="{window_text(seconds)}"}} > {pair.factor:g}'
        for seconds in (pair.long_seconds, pair.short_seconds)
    )
    return f"{long} and ignoring(window) {short}"
