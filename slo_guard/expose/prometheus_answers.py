"""Rules and alerts in the shapes of Prometheus's own HTTP API, for clients that know no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from slo_guard.clock import iso
from slo_guard.domain.alerts import Alert, AlertSlot, reason_words
from slo_guard.domain.kpi import KPI
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import REASON_CODE, AlertState, Reason, VerdictFrame
from slo_guard.evaluate.formula_words import formula_words
from slo_guard.expose.answers import loudest_alerts, reason_text
from slo_guard.expose.prometheus_rules import GroupKey, rule_labels, rule_name, rule_query, slots_of
from slo_guard.expose.snapshot import Snapshot

Annotate: TypeAlias = Callable[[Alert, KPI], Mapping[str, str]]
"""Gives an alert's annotations filled in; never raises."""

MOST_ALERTS = 10_000

_NEVER = "0001-01-01T00:00:00Z"
"""What Prometheus answers for "not yet": the zero of its clock."""

_FAULTS = np.array(
    [
        REASON_CODE[each]
        for each in (
            Reason.SOURCE_FAILED,
            Reason.SEVERAL_SERIES,
            Reason.NOT_A_BOOL,
            Reason.GOOD_EXCEEDS_TOTAL,
            Reason.BAD_EXCEEDS_TOTAL,
            Reason.BUCKETS_INCOMPLETE,
        )
    ]
)
"""Reasons for which a rule could not be judged, as an error in a query is in Prometheus."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rules are asked for; empty: all. ``alerting``: False for recording rules, of which there are none."""

    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    alerting: bool = True

    def group(self, key: GroupKey) -> bool:
        """Whether a group is asked for."""
        return (not self.groups or key.name in self.groups) and (not self.files or key.file in self.files)

    def rule(self, name: str) -> bool:
        """Whether a rule is asked for, if its group is."""
        return self.alerting and (not self.names or name in self.names)


def rules_answer(snapshot: Snapshot, annotate: Annotate, wanted: Wanted, *, with_alerts: bool, limit: int) -> Any:
    """Return ``PrometheusRulesAnswer``: a group for each file, sprint and lane, with at most ``limit`` alerts in all.

    States are right whatever the limit is. Groups are left out when a filter leaves no rule in them.
    """
    shown = loudest_alerts(snapshot, limit) if with_alerts else []
    by_rule: dict[tuple[str, str, AlertSlot], list[Alert]] = {}
    for alert in shown:
        by_rule.setdefault((alert.key.sprint, alert.key.kpi, alert.key.slot), []).append(alert)
    states: dict[tuple[str, str], dict[AlertSlot, AlertState]] = {}
    for key, alert in snapshot.alerts.items():
        slots = states.setdefault((key.sprint, key.kpi), {})
        slots[key.slot] = max(alert.state, slots.get(key.slot, AlertState.INACTIVE))
    groups: dict[GroupKey, list[dict[str, Any]]] = {}
    intervals: dict[GroupKey, float] = {}
    for kpi in snapshot.plan.kpis:
        group = GroupKey.of(kpi)
        if not wanted.group(group):
            continue
        intervals[group] = min(kpi.interval_seconds, intervals.get(group, np.inf))
        rules = groups.setdefault(group, [])
        stand = states.get((kpi.sprint, kpi.id), {})
        for slot in dict.fromkeys((*slots_of(kpi), *stand)):
            if wanted.rule(rule_name(kpi.id, slot)):
                state, alerts = stand.get(slot, AlertState.INACTIVE), by_rule.get((kpi.sprint, kpi.id, slot), ())
                rules.append(_rule(snapshot, kpi, slot, state, [_alert(each, kpi, annotate) for each in alerts]))
    answer = {
        "groups": [
            {
                "name": group.name,
                "file": group.file,
                "rules": rules,
                "interval": intervals[group],
                "limit": 0,
                "evaluationTime": snapshot.evaluation_seconds,
                "lastEvaluation": iso(snapshot.at),
            }
            for group, rules in groups.items()
            if rules or not wanted.names
        ]
    }
    return _success(answer, snapshot, len(shown) if with_alerts else None)


def alerts_answer(snapshot: Snapshot, annotate: Annotate, limit: int) -> Any:
    """Return ``PrometheusAlertsAnswer`` with at most ``limit`` alerts, the loudest first."""
    kpis = {(kpi.sprint, kpi.id): kpi for kpi in snapshot.plan.kpis}
    shown = loudest_alerts(snapshot, limit)
    alerts = [_alert(alert, kpis.get((alert.key.sprint, alert.key.kpi)), annotate) for alert in shown]
    return _success({"alerts": alerts}, snapshot, len(shown))


def number_text(value: float | None) -> str:
    """Return a number as Prometheus writes it here: ``1.31e+00``; ``NaN`` where there is none."""
    if value is None or np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_scientific(value, unique=True, trim="-", exp_digits=2)


def _success(answer: dict[str, Any], snapshot: Snapshot, shown: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {"status": "success", "data": answer}
    total = len(snapshot.alerts)
    if shown is not None and shown < total:
        found["warnings"] = [f"{shown:,} of {total:,} alerts are listed, the loudest ones; raise limit to see more"]
    return found


def _rule(
    snapshot: Snapshot, kpi: KPI, slot: AlertSlot, state: AlertState, alerts: list[dict[str, Any]]
) -> dict[str, Any]:
    frame = snapshot.frames.get((kpi.sprint, kpi.id))
    # A burn alert has both of its windows to wait in.
    waits = (0.0, 0.0) if slot.tier else (kpi.for_seconds, kpi.keep_firing_for_seconds)
    rule = {
        "state": state.label,
        "name": rule_name(kpi.id, slot),
        "query": rule_query(kpi, slot),
        "duration": waits[0],
        "keepFiringFor": waits[1],
        "labels": rule_labels(kpi, slot),
        "annotations": _rule_annotations(kpi),
        "alerts": alerts,
        "health": "unknown",
        "evaluationTime": 0.0,
        "lastEvaluation": _NEVER,
        "type": "alerting",
    }
    if frame is not None:
        error = _fault(frame)
        rule |= {"health": "ok" if error is None else "err", "lastEvaluation": iso(frame.at)}
        if error is not None:
            rule["lastError"] = error
    return rule


def _rule_annotations(kpi: KPI) -> dict[str, str]:
    """Return what is said of the rule itself; its own templates win over ours."""
    own = {"title": kpi.title, "description": " ".join(formula_words(kpi)), "runbook_url": kpi.runbook_url or ""}
    return {name: text for name, text in own.items() if text} | dict(kpi.annotations)


def _fault(frame: VerdictFrame) -> str | None:
    rows = np.flatnonzero(np.isin(frame.reason, _FAULTS))
    if not len(rows):
        return None
    row = frame.row(int(rows[0]))
    more = f" (and {len(rows) - 1:,} more series)" if len(rows) > 1 else ""
    return reason_text(row.reason, row.note) + more


def _alert(alert: Alert, kpi: KPI | None, annotate: Annotate) -> dict[str, Any]:
    found = {
        "labels": _labels(alert, kpi),
        "annotations": _annotations(alert, kpi, annotate),
        "state": alert.state.label,
        "activeAt": iso(alert.active_at),
        "value": number_text(alert.value),
    }
    if alert.clear_since is not None:
        found["keepFiringSince"] = iso(alert.clear_since)
    return found


def _labels(alert: Alert, kpi: KPI | None) -> dict[str, str]:
    key = alert.key
    own = {"sprint": key.sprint, "kpi": key.kpi, "kind": key.kind.value} if kpi is None else rule_labels(kpi, key.slot)
    own["alertname"] = rule_name(key.kpi, key.slot)
    return _moved(key.labels, own) | own


def _moved(labels: LabelSet, own: Mapping[str, str]) -> dict[str, str]:
    # As Prometheus does with a target's label that clashes with one of its own.
    return {f"exported_{name}" if name in own else name: value for name, value in labels}


def _annotations(alert: Alert, kpi: KPI | None, annotate: Annotate) -> dict[str, str]:
    why = reason_words(alert.reason, alert.key.kind)
    if kpi is None:
        return {"summary": f"{alert.key.kpi}: {why}"}
    own = {"summary": f"{kpi.title or kpi.id}: {why}", "runbook_url": kpi.runbook_url or ""}
    return {name: text for name, text in own.items() if text} | dict(annotate(alert, kpi))
