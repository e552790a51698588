"""Explanations from what a store holds: as of a daemon's last evaluation, or as it was at an instant before.

Nothing is written, and a daemon may run meanwhile: what is read was committed, and each read is one transaction.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.explanations import Explanation, HistoryEntry, HistoryKind
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.ports import PersistedEvaluation, Store, VerdictChanges, VerdictMemory
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.domain.verdicts import REASON_CODE, REASONS, AlertState, Reason, Verdict, VerdictFrame
from slo_guard.errors import SloGuardError
from slo_guard.evaluate import EvaluationState, needed_from
from slo_guard.evaluate.conditions import Conditions
from slo_guard.evaluate.explaining import explain, standing_frame
from slo_guard.evaluate.tracks import KpiTrack

MOST_HISTORY = 20
_ALL = 100_000
_KINDS: Mapping[AlertKind, HistoryKind] = {
    AlertKind.BREACH: "breach",
    AlertKind.RISK: "risk",
    AlertKind.BURN: "burn",
}

Key: TypeAlias = tuple[str, str]


class KpiRecord(Protocol):
    """Where the changes of a KPI are recorded; the store is one. See ``EvaluationStore`` for what is promised."""

    def kpi_transitions(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[Transition, ...]:
        """Return the last transitions, ascending."""

    def verdict_changes(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[VerdictChanges, ...]:
        """Return the last verdict changes, ascending."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """One KPI as it stands at an instant: its track, and the frame that is judged of it or was its last."""

    track: KpiTrack
    frame: VerdictFrame


def explain_stored(plan: Plan, store: Store, kpi: KPI, at: float | None = None) -> Explanation:
    """Return the explanation of ``kpi`` as of its last stored evaluation, or as it was at ``at`` (Unix seconds).

    Raises ``StoreError``, and ``SloGuardError`` where the store holds no evaluation that could be explained.
    """
    key = (kpi.sprint, kpi.id)
    persisted = store.load_evaluation()
    if persisted.evaluated_at is None:
        raise SloGuardError("the store holds no evaluation yet; run the daemon, and ask again")
    if at is None:
        # Of a KPI that no daemon has judged yet, such as one of a file not reloaded, as it would be judged then.
        until = persisted.kpi_evaluated_at.get(key, persisted.evaluated_at)
    else:
        until, persisted = at, lived_until(store, kpi, at)
    standing = standings(plan, store, [kpi], until, persisted)[key]
    frame = standing.frame
    history = history_of(store, kpi, until)
    return explain(standing.track, frame, max(until, frame.at), plan.indicators).with_history(history)


def standings(
    plan: Plan, store: Store, kpis: Collection[KPI], at: float, persisted: PersistedEvaluation
) -> Mapping[Key, Standing]:
    """Return how each of ``kpis`` stands at ``at``, judged by what had been seen by then; nothing is remembered.

    ``persisted``: verdicts and alerts to go on from, and the sprints that have closed. Raises ``StoreError``.
    """
    narrow = narrowed(plan, kpis)
    names = sorted({name for kpi in narrow.kpis for name in kpi.indicators})
    seen = store.observations(seen_from=needed_from(narrow, at, persisted.closed), seen_until=at, indicators=names)
    state = EvaluationState.restored(narrow, persisted, seen)
    conditions = Conditions(state.tracks, frozenset())
    found: dict[Key, Standing] = {}
    for kpi in kpis:
        track = state.tracks[kpi.sprint, kpi.id]
        frame = track.final
        if frame is None:
            frame = standing_frame(track, track.peek(at, conditions.ruling(kpi, at)))
            frame = replace(frame, targets=state.rules.targets(track, frame))
        found[kpi.sprint, kpi.id] = Standing(track, frame)
    return found


def lived_until(record: KpiRecord, kpi: KPI, at: float) -> PersistedEvaluation:
    """Return what the evaluations up to ``at`` had left of ``kpi``, from the recorded changes. Raises ``StoreError``.

    What is beyond the store's retention is not known any more.
    """
    key = (kpi.sprint, kpi.id)
    memory = _memory(kpi, record.verdict_changes(*key, until=at, limit=_ALL))
    alerts: dict[AlertKey, Alert] = {}
    for each in record.kpi_transitions(*key, until=at, limit=_ALL):
        alerts.pop(each.key, None)
        if each.to_state is not AlertState.INACTIVE:
            fired_at = each.at if each.to_state is AlertState.FIRING else None
            alerts[each.key] = Alert(
                each.key, each.to_state, each.active_at, fired_at, verdict=each.verdict, reason=each.reason
            )
    return PersistedEvaluation(
        evaluated_at=at if memory is not None else None,
        reading_cursor=0,
        last_seq=0,
        alerts=alerts,
        memories={} if memory is None else {key: memory},
        kpi_evaluated_at={} if memory is None else {key: at},
    )


def history_of(record: KpiRecord, kpi: KPI, until: float, limit: int = MOST_HISTORY) -> tuple[HistoryEntry, ...]:
    """Return the last ``limit`` changes of verdicts and alerts of ``kpi``, the newest last. Raises ``StoreError``."""
    key = (kpi.sprint, kpi.id)
    changes = (
        each for change in record.verdict_changes(*key, until=until, limit=limit) for each in _verdicts(change, limit)
    )
    alerts = (
        HistoryEntry(
            at=each.at,
            kind=_KINDS[each.key.kind],
            labels=each.key.labels,
            before=each.from_state.label,
            after=each.to_state.label,
            reason=each.reason,
            value=each.value,
            note=each.note,
            tier=each.key.tier,
        )
        for each in record.kpi_transitions(*key, until=until, limit=limit)
    )
    return tuple(heapq.merge(changes, alerts, key=lambda entry: entry.at))[-limit:]


def _verdicts(change: VerdictChanges, limit: int) -> Iterator[HistoryEntry]:
    for row, labels in enumerate(change.index.label_sets[:limit]):
        before, value = int(change.before[row]), float(change.value[row])
        yield HistoryEntry(
            at=change.at,
            kind="verdict",
            labels=labels,
            before=None if before < 0 else Verdict(before).label,
            after=Verdict(int(change.after[row])).label,
            reason=REASONS[int(change.reason[row])],
            value=None if np.isnan(value) else value,
        )


def _memory(kpi: KPI, changes: Iterable[VerdictChanges]) -> VerdictMemory | None:
    """Return the last verdict of each series, since when it stood, and whether it was overdue at any time."""
    last: dict[LabelSet, tuple[int, int, float, bool]] = {}
    overdue = REASON_CODE[Reason.OVERDUE]
    for change in changes:
        for row, labels in enumerate(change.index.label_sets):
            reason = int(change.reason[row])
            late = reason == overdue or (labels in last and last[labels][3])
            last[labels] = int(change.after[row]), reason, change.at, late
    if not last:
        return None
    verdict, reasons, since, late_flags = zip(*last.values(), strict=True)
    return VerdictMemory(
        sprint=kpi.sprint,
        kpi=kpi.id,
        index=SeriesIndex.of(last),
        verdict=np.array(verdict, dtype=np.int8),
        reason=np.array(reasons, dtype=np.int8),
        since=np.array(since),
        late=np.array(late_flags, dtype=bool),
    )


def narrowed(plan: Plan, kpis: Collection[KPI]) -> Plan:
    """Return ``plan`` with ``kpis`` and what they depend on, so that only their readings are read."""
    by_key = {(kpi.sprint, kpi.id): kpi for kpi in plan.kpis}
    found: set[Key] = set()
    wanted = list(kpis)
    while wanted:
        kpi = wanted.pop()
        if (kpi.sprint, kpi.id) in found:
            continue
        found.add((kpi.sprint, kpi.id))
        if kpi.when is not None and (kpi.sprint, kpi.when.kpi) in by_key:
            wanted.append(by_key[kpi.sprint, kpi.when.kpi])
        if BURN_ALARM in kpi.indicators:
            wanted += [each for each in plan.kpis if each.sprint == kpi.sprint and each.error_budget is not None]
    return replace(plan, kpis=tuple(kpi for key, kpi in by_key.items() if key in found))
