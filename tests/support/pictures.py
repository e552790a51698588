"""Verdict frames, alerts and snapshots as the evaluation thread would publish them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind
from slo_guard.domain.kpi import KPI, Severity
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.domain.verdicts import REASON_CODE, AlertState, Reason, Restatement, Verdict, VerdictFrame
from slo_guard.expose.render import KpiRenderer
from slo_guard.expose.snapshot import Snapshot, SnapshotHolder
from tests.support.builders import SPRINT_START, a_plan

NOW = SPRINT_START + 2 * 86_400 + 14 * 3600.0
"""The third day of the sprint, 14:00 in Denver."""

NAN = float("nan")


def a_restatement(
    kpi: KPI, rows: Mapping[LabelSet, float] | float, verdicts: Verdict | Sequence[Verdict], *, at: float
) -> Restatement:
    """Return what later data would make of a KPI."""
    frame = verdict_frame(kpi, rows, verdicts)
    return Restatement(
        kpi.sprint, kpi.id, at, "ef" * 32, frame.index, frame.value, frame.verdict, frame.reason, {0: "signed by Ada"}
    )


def verdict_frame(
    kpi: KPI,
    rows: Mapping[LabelSet, float] | float,
    verdicts: Verdict | Sequence[Verdict] = Verdict.MET,
    *,
    at: float = NOW,
    index: SeriesIndex | None = None,
    **arrays: Any,
) -> VerdictFrame:
    """Return a frame of ``rows`` (a bare number: the series without labels); ``arrays`` are VerdictFrame's own."""
    values = {(): rows} if isinstance(rows, int | float) else rows
    count = len(values)
    codes = [verdicts] * count if isinstance(verdicts, Verdict) else verdicts
    fields: dict[str, Any] = {
        "reason": [REASON_CODE[Reason.OBJECTIVE_MET]] * count,
        "samples": [1] * count,
        "coverage": [NAN] * count,
        "total": [NAN] * count,
        "since": [at - 60] * count,
        "alert_state": [AlertState.INACTIVE] * count,
        "alert_since": [NAN] * count,
        **arrays,
    }
    return VerdictFrame(
        kpi=kpi,
        at=at,
        index=index or SeriesIndex.of(values),
        value=np.array(list(values.values()), dtype=np.float64),
        verdict=np.array(codes, dtype=np.int8),
        reason=np.array(fields["reason"], dtype=np.int8),
        samples=np.array(fields["samples"], dtype=np.int64),
        coverage=np.array(fields["coverage"], dtype=np.float64),
        total=np.array(fields["total"], dtype=np.float64),
        since=np.array(fields["since"], dtype=np.float64),
        alert_state=np.array(fields["alert_state"], dtype=np.int8),
        alert_since=np.array(fields["alert_since"], dtype=np.float64),
        window_start=fields.get("window_start"),
        window_end=at,
        notes=fields.get("notes", {}),
    )


def an_alert(
    kpi: KPI,
    labels: LabelSet = (),
    state: AlertState = AlertState.FIRING,
    kind: AlertKind = AlertKind.BREACH,
    tier: str = "",
    **fields: Any,
) -> Alert:
    """Return an alert of ``kpi``; ``fields`` are Alert's own."""
    fields.setdefault("active_at", NOW - 300)
    return Alert(AlertKey(kpi.sprint, kpi.id, labels, kind, tier), state, **fields)


def by_key(alerts: Iterable[Alert]) -> dict[AlertKey, Alert]:
    """Return alerts as the evaluator keeps them."""
    return {alert.key: alert for alert in alerts}


def a_snapshot(frames: Iterable[VerdictFrame], alerts: Iterable[Alert] = (), **fields: Any) -> Snapshot:
    """Return the snapshot of these frames; its plan has their KPIs, its page is rendered; ``fields`` are its own."""
    shown = list(frames)
    mapping = by_key(alerts)
    defaults: dict[str, Any] = {
        "at": NOW,
        "plan": a_plan(*(frame.kpi for frame in shown)),
        "frames": {(frame.kpi.sprint, frame.kpi.id): frame for frame in shown},
        "alerts": mapping,
    }
    merged = {**defaults, **fields}
    merged.setdefault("metrics", KpiRenderer().render(shown, mapping, merged["plan"].kpis))
    return Snapshot(**merged)


def holding(snapshot: Snapshot | None) -> SnapshotHolder:
    """Return a holder that shows ``snapshot`` (None: nothing yet)."""
    holder = SnapshotHolder()
    if snapshot is not None:
        holder.publish(snapshot)
    return holder


__all__ = ["NAN", "NOW", "Severity", "a_snapshot", "an_alert", "by_key", "holding", "verdict_frame"]
