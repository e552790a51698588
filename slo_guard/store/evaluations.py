"""Hop 2 in SQL: alerts, numbered transitions, verdict changes. Every function works inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.ports import EvaluationRecord, PersistedEvaluation, VerdictChanges, VerdictMemory
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.errors import StoreConflictError
from slo_guard.store.blocks import pack_block, unpack_block
from slo_guard.store.closings import (
    EncodedFinal,
    EncodedRestatement,
    encode_finals,
    encode_restatements,
    load_closed,
    load_finals,
    load_restatements,
    save_closings,
    save_restatements,
)
from slo_guard.store.documents import labels_from, labels_text, transition_from, transition_text
from slo_guard.store.frames import EncodedObservation, encode_observation
from slo_guard.store.indexes import SeriesIndexes
from slo_guard.store.readings import save_observations
from slo_guard.store.reason_names import named_reasons, reason_codes
from slo_guard.store.rule_changes import load_rules, save_rules
from slo_guard.store.schema import (
    ALERTS,
    KPI_EVALUATIONS,
    PROGRESS,
    SERIES_INDEX,
    TRANSITIONS,
    VERDICT_CHANGES,
    VERDICT_MEMORY,
)
from slo_guard.store.statements import delete_rows, replace_rows
from slo_guard.store.trails import EncodedTrail, encode_trails, load_trails, save_trails

FIRES = ALERTS.c.state == AlertState.FIRING.label
"""Which alerts fire, for statements."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVerdicts:
    """One KPI's verdict arrays ready to be inserted; ``at`` is None for the memory of its last ones."""

    sprint: str
    kpi: str
    at: float | None
    index: SeriesIndex
    block: bytes


@dataclass(frozen=True, slots=True, eq=False)
class EncodedEvaluation:
    """An evaluation's verdicts, ready to be inserted; ``used``: the indexes that they name."""

    verdicts: Sequence[EncodedVerdicts]
    finals: Sequence[EncodedFinal]
    restatements: Sequence[EncodedRestatement]
    own_readings: Sequence[EncodedObservation] = ()
    trails: Sequence[EncodedTrail] = ()

    @property
    def used(self) -> set[SeriesIndex]:
        """The indexes that the rows name."""
        restated = {item.restatement.index for item in self.restatements}
        own = {item.index for item in self.own_readings if item.index is not None}
        return {item.index for item in self.verdicts} | {item.final.index for item in self.finals} | restated | own


def encode_verdicts(record: EvaluationRecord) -> EncodedEvaluation:
    """Return the record's verdicts as rows: the costly part, to be done before taking the lock."""
    changes = [
        EncodedVerdicts(
            item.sprint,
            item.kpi,
            item.at,
            item.index,
            pack_block(item.before, item.after, *named_reasons(item.reason), item.value),
        )
        for item in record.changes
    ]
    memories = [
        EncodedVerdicts(
            item.sprint,
            item.kpi,
            None,
            item.index,
            pack_block(item.verdict, *named_reasons(item.reason), item.since, item.late),
        )
        for item in record.memories
    ]
    own = [encode_observation(reading) for reading in record.own_readings]
    restated = encode_restatements(record.restatements)
    finals, trails = encode_finals(record.finals), encode_trails(record.trails)
    return EncodedEvaluation(changes + memories, finals, restated, own, trails)


def save_evaluation(
    connection: Connection,
    indexes: SeriesIndexes,
    record: EvaluationRecord,
    encoded: EncodedEvaluation,
    encoded_indexes: Mapping[SeriesIndex, bytes],
) -> None:
    """Store an evaluation. Raises ``StoreConflictError`` for transitions that do not follow on the last one stored."""
    progress = connection.execute(select(PROGRESS)).one()
    _save_transitions(connection, progress.last_transition, record.transitions)
    _save_alerts(connection, record.alerts)
    changes, memories = [], []
    for item in encoded.verdicts:
        row = {
            "sprint": item.sprint,
            "kpi": item.kpi,
            "index_id": indexes.row_of(connection, item.index, encoded_indexes),
            "block": item.block,
        }
        if item.at is None:
            memories.append(row)
        else:
            changes.append(row | {"at": item.at})
    if changes:
        connection.execute(VERDICT_CHANGES.insert(), changes)
    replace_rows(connection, VERDICT_MEMORY, ("sprint", "kpi"), memories)
    save_closings(connection, indexes, record.closed, encoded.finals, encoded_indexes)
    if encoded.own_readings:
        # Their number is later than those of all readings so far, so they must not have been seen earlier.
        seen_at = record.at if progress.last_seen_at is None else max(record.at, progress.last_seen_at)
        save_observations(connection, indexes, encoded.own_readings, encoded_indexes, lambda: seen_at)
    save_restatements(connection, indexes, encoded.restatements, encoded_indexes)
    save_rules(connection, record.rules)
    save_trails(connection, encoded.trails)
    evaluated = [{"sprint": sprint, "kpi": kpi, "evaluated_at": record.at} for sprint, kpi in record.evaluated]
    replace_rows(connection, KPI_EVALUATIONS, ("sprint", "kpi"), evaluated)
    connection.execute(
        PROGRESS.update().values(
            # Neither ever goes back: an observation taken in twice or an instant judged twice would repeat alerts.
            evaluated_at=record.at if progress.evaluated_at is None else max(progress.evaluated_at, record.at),
            reading_cursor=max(progress.reading_cursor, record.reading_cursor),
            last_transition=progress.last_transition + len(record.transitions),
        )
    )


def last_evaluation(connection: Connection) -> float | None:
    """Return the instant of the last evaluation, None before the first."""
    at = connection.execute(select(PROGRESS.c.evaluated_at)).scalar_one()
    return None if at is None else float(at)


def load_evaluation(connection: Connection, indexes: SeriesIndexes) -> PersistedEvaluation:
    """Return what the evaluations stored so far left."""
    progress = connection.execute(select(PROGRESS)).one()
    alerts = [_alert(row) for row in connection.execute(select(ALERTS))]
    memories = select(VERDICT_MEMORY, SERIES_INDEX.c.digest).join(SERIES_INDEX)
    return PersistedEvaluation(
        evaluated_at=progress.evaluated_at,
        reading_cursor=progress.reading_cursor,
        last_seq=progress.last_transition,
        alerts={alert.key: alert for alert in alerts},
        memories={
            (row.sprint, row.kpi): _memory(row, indexes.load(connection, row.index_id, row.digest))
            for row in connection.execute(memories).all()
        },
        kpi_evaluated_at={
            (row.sprint, row.kpi): row.evaluated_at for row in connection.execute(select(KPI_EVALUATIONS))
        },
        closed=load_closed(connection),
        finals=load_finals(connection, indexes),
        restatements=load_restatements(connection, indexes),
        rules=load_rules(connection),
        trails=load_trails(connection),
    )


def load_transitions(connection: Connection, after: int, limit: int | None) -> tuple[Transition, ...]:
    """Return the transitions with numbers above ``after``, ascending."""
    wanted = select(TRANSITIONS.c.document).where(TRANSITIONS.c.seq > after).order_by(TRANSITIONS.c.seq).limit(limit)
    return tuple(transition_from(text) for text in connection.execute(wanted).scalars())


def load_firing_transitions(connection: Connection) -> tuple[Transition, ...]:
    """Return for each alert that fires the transition by which it fired or was carried over, ascending."""
    alerts = [_alert(row) for row in connection.execute(select(ALERTS).where(FIRES))]
    fired_at = {alert.key: alert.fired_at for alert in alerts}
    then = select(ALERTS.c.fired_at).where(FIRES)
    found = _stored(connection, TRANSITIONS.c.at.in_(then))
    began = [each for each in found if each.to_state is AlertState.FIRING and fired_at.get(each.key) == each.at]
    carried = fired_at.keys() - {each.key for each in began}
    for sprint, kpi in sorted({(key.sprint, key.kpi) for key in carried}):
        moves = _stored(connection, TRANSITIONS.c.sprint == sprint, TRANSITIONS.c.kpi == kpi)
        began += [each for each in moves if each.reason is Reason.CARRIED_OVER and each.key in carried]
    return tuple(sorted(began, key=lambda each: each.seq))


def load_kpi_transitions(
    connection: Connection, sprint: str, kpi: str, until: float, limit: int
) -> tuple[Transition, ...]:
    """Return the last ``limit`` transitions of one KPI at or before ``until``, ascending."""
    ours = (TRANSITIONS.c.sprint == sprint, TRANSITIONS.c.kpi == kpi, TRANSITIONS.c.at <= until)
    wanted = select(TRANSITIONS.c.document).where(*ours).order_by(TRANSITIONS.c.seq.desc()).limit(limit)
    return tuple(transition_from(text) for text in reversed(connection.execute(wanted).scalars().all()))


def load_verdict_changes(
    connection: Connection, indexes: SeriesIndexes, sprint: str, kpi: str, until: float, limit: int
) -> tuple[VerdictChanges, ...]:
    """Return the last ``limit`` verdict changes of one KPI at or before ``until``, ascending."""
    changes = VERDICT_CHANGES.c
    wanted = (
        select(VERDICT_CHANGES, SERIES_INDEX.c.digest)
        .join(SERIES_INDEX)
        .where(changes.sprint == sprint, changes.kpi == kpi, changes.at <= until)
        .order_by(changes.id.desc())
        .limit(limit)
    )
    found: list[VerdictChanges] = []
    for row in reversed(connection.execute(wanted).all()):
        before, after, names, codes, value = unpack_block(row.block)
        index = indexes.load(connection, row.index_id, row.digest)
        found.append(VerdictChanges(sprint, kpi, row.at, index, before, after, reason_codes(names, codes), value))
    return tuple(found)


def _stored(connection: Connection, *where: ColumnElement[bool]) -> Iterable[Transition]:
    documents = select(TRANSITIONS.c.document).where(*where).order_by(TRANSITIONS.c.seq)
    return map(transition_from, connection.execute(documents).scalars())


def _save_transitions(connection: Connection, last: int, transitions: Iterable[Transition]) -> None:
    rows = [
        {
            "seq": item.seq,
            "at": item.at,
            "sprint": item.key.sprint,
            "kpi": item.key.kpi,
            "document": transition_text(item),
        }
        for item in transitions
    ]
    for expected, row in enumerate(rows, start=last + 1):
        # The cursors of hop 3 count on it: a number left out or given twice is a transition that is never told.
        if row["seq"] != expected:
            raise StoreConflictError(f"transition {row['seq']} cannot be stored: the next number is {expected}")
    if rows:
        connection.execute(TRANSITIONS.insert(), rows)


def _save_alerts(connection: Connection, alerts: Mapping[AlertKey, Alert | None]) -> None:
    keys: dict[AlertKey, dict[str, object]] = {
        key: {
            "sprint": key.sprint,
            "kpi": key.kpi,
            "kind": key.kind.value,
            "tier": key.tier,
            "labels": labels_text(key.labels),
        }
        for key in alerts
    }
    delete_rows(connection, ALERTS, ("sprint", "kpi", "kind", "tier", "labels"), list(keys.values()))
    rows = [
        keys[key]
        | {
            "state": alert.state.label,
            "active_at": alert.active_at,
            "fired_at": alert.fired_at,
            "clear_since": alert.clear_since,
            "held_since": alert.held_since,
            "verdict": alert.verdict.label,
            "reason": alert.reason.value,
            "value": alert.value,
        }
        for key, alert in alerts.items()
        if alert is not None
    ]
    if rows:
        connection.execute(ALERTS.insert(), rows)


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        key=AlertKey(row.sprint, row.kpi, labels_from(json.loads(row.labels)), AlertKind(row.kind), row.tier),
        state=AlertState[row.state.upper()],
        active_at=row.active_at,
        fired_at=row.fired_at,
        clear_since=row.clear_since,
        held_since=row.held_since,
        verdict=Verdict[row.verdict.upper()],
        reason=Reason(row.reason),
        value=row.value,
    )


def _memory(row: Row[Any], index: SeriesIndex) -> VerdictMemory:
    verdict, names, codes, since, late = unpack_block(row.block)
    return VerdictMemory(row.sprint, row.kpi, index, verdict, reason_codes(names, codes), since, late)
