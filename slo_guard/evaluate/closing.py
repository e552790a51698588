"""The end of a sprint: the last verdicts of its KPIs, their alerts' ends, and what goes on in the sprint that follows.

RULES.md: KPIs over the sprint, or due in it, are judged once more as of its end and stay as they are; the others go on
until the sprint that follows has started.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, FinalVerdict
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.ports import FinalVerdicts
from slo_guard.domain.sprints import successor_of
from slo_guard.domain.verdicts import REASONS, AlertState, Reason, Restatement, Targets, VerdictFrame
from slo_guard.evaluate.digests import seal_of
from slo_guard.evaluate.ledger import Ledger
from slo_guard.evaluate.rule_changes import RuleHistory
from slo_guard.evaluate.tracks import KpiTrack


def final_frame(track: KpiTrack, frame: VerdictFrame) -> VerdictFrame:
    """Return ``frame`` as it stays: its alerts have ended, and what it was made of is sealed."""
    nobody, never = np.zeros(len(frame.index), dtype=np.int8), np.full(len(frame.index), np.nan)
    return replace(frame, alert_state=nobody, alert_since=never, final=True, seal=seal_of(track, frame))


def kept_frame(frame: VerdictFrame) -> FinalVerdicts:
    """Return a final frame as it is made durable."""
    return FinalVerdicts(
        sprint=frame.kpi.sprint,
        kpi=frame.kpi.id,
        at=frame.at,
        index=frame.index,
        value=frame.value,
        verdict=frame.verdict,
        reason=frame.reason,
        samples=frame.samples,
        coverage=frame.coverage,
        total=frame.total,
        since=frame.since,
        window_start=frame.window_start,
        notes=frame.notes,
        outlook=frame.outlook,
        budget=frame.budget,
        seal=frame.seal,
        targets=frame.targets,
    )


def restored_frame(
    kept: FinalVerdicts, kpi: KPI, rules: RuleHistory, restatement: Restatement | None = None
) -> VerdictFrame:
    """Return the final frame that :func:`kept_frame` made durable, with what was restated since."""
    targets, changes = kept.targets, rules.changes_of((kept.sprint, kept.kpi))
    return VerdictFrame(
        kpi=kpi,
        at=kept.at,
        index=kept.index,
        value=kept.value,
        verdict=kept.verdict,
        reason=kept.reason,
        samples=kept.samples,
        coverage=kept.coverage,
        total=kept.total,
        since=kept.since,
        alert_state=np.zeros(len(kept.index), dtype=np.int8),
        alert_since=np.full(len(kept.index), np.nan),
        window_start=kept.window_start,
        window_end=kept.at,
        notes=dict(kept.notes),
        outlook=kept.outlook,
        budget=kept.budget,
        final=True,
        targets=replace(targets or Targets(()), changes=changes) if changes else None,
        seal=kept.seal,
        restatement=restatement,
    )


def final_verdict(frame: VerdictFrame) -> FinalVerdict:
    """Return how a KPI ended by its worst series."""
    kpi, row = frame.kpi, frame.row(int(np.argmax(frame.verdict)))
    targets, seal = frame.targets or Targets(()), frame.seal
    counts = ", ".join(f"{count} {verdict.label.replace('_', ' ')}" for verdict, count in frame.counts().items())
    return FinalVerdict(
        kpi=kpi.id,
        title=kpi.title,
        lane=kpi.lane,
        owner=kpi.owner,
        verdict=row.verdict,
        reason=row.reason,
        value=row.value,
        unit=kpi.unit,
        objective=kpi.objective.text if kpi.objective is not None else "",
        series=len(frame.index),
        in_words=counts if len(frame.index) > 1 else "",
        inputs_digest=seal.inputs_digest if seal is not None else "",
        rule_digest=seal.rule_digest if seal is not None else "",
        changes=targets.changes,
        by_original=targets.verdict,
    )


def end_alerts(track: KpiTrack, frame: VerdictFrame, ledger: Ledger) -> None:
    """End what pends or fires of a KPI whose sprint is over, as of ``frame``."""
    kpi = track.kpi
    for slot, alerts in track.alerts.items():
        for group in np.flatnonzero(alerts.state):
            labels = track.groups.labels[group]
            alert = alerts.alert(int(group), AlertKey(kpi.sprint, kpi.id, labels, *slot), Reason.SPRINT_CLOSED)
            assert alert is not None
            ledger.end(kpi, _as_judged(alert, frame), Reason.SPRINT_CLOSED, frame.at)
        alerts.end(alerts.state > 0)
        alerts.forget_inactive()


def hand_over(plan: Plan, sprint: Sprint, tracks: dict[tuple[str, str], KpiTrack], ledger: Ledger, now: float) -> None:
    """Judge what is left of a sprint no more: what fires or pends goes on in the one that follows, or else ends.

    Call it when that one has started; called again it changes nothing.
    """
    following = successor_of(sprint, plan.sprints.values())
    assert following is not None
    leaving = {
        track.kpi.id: track
        for track in tracks.values()
        if track.kpi.sprint == sprint.id and not track.kpi.closes_with_sprint and not track.retired
    }
    for track in leaving.values():
        track.retire()
    left = [alert for alert in ledger.standing.values() if alert.key.sprint == sprint.id] if leaving else []
    for alert in left:
        if alert.key.kpi not in leaving:
            continue
        moved = replace(alert, key=replace(alert.key, sprint=following.id))
        heir = tracks.get((following.id, alert.key.kpi))
        if heir is None or not _takes_over(heir, moved, ledger, now):
            ledger.end(leaving[alert.key.kpi].kpi, alert, Reason.SPRINT_CLOSED, now)
            continue
        ledger.set_alert(alert.key, None)
        ledger.set_alert(moved.key, moved)
        heir.adopt(moved.key, moved, now)
        if moved.state is AlertState.FIRING:
            told = replace(moved, reason=Reason.CARRIED_OVER)
            ledger.add(heir.kpi, AlertState.FIRING, told, now, carried_from=sprint.id)


def _takes_over(heir: KpiTrack, moved: Alert, ledger: Ledger, now: float) -> bool:
    """Whether the next sprint's KPI can go on with an alert: it raises such alerts, of such labels, and still may."""
    over = heir.kpi.closes_with_sprint and heir.sprint.end_at <= now
    raises = heir.kpi.objective is not None or (moved.key.kind is AlertKind.RISK and heir.kpi.warn is not None)
    return raises and not over and heir.owns(moved) and moved.key not in ledger.standing


def _as_judged(alert: Alert, frame: VerdictFrame) -> Alert:
    """Return ``alert`` with what was last judged of its series."""
    position = frame.index.positions.get(alert.key.labels)
    if position is None:
        return alert
    row = frame.row(position)
    return replace(alert, verdict=row.verdict, value=row.value, reason=REASONS[int(frame.reason[position])])
