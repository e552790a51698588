"""What a restart finds stored, and what is compared after one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple

from slo_guard.domain.alerts import Transition
from slo_guard.domain.ports import EvaluationRecord, PersistedEvaluation
from slo_guard.domain.verdicts import SeriesVerdict, Verdict, VerdictFrame


def kept(persisted: PersistedEvaluation, record: EvaluationRecord) -> PersistedEvaluation:
    """Return what a store would hold after it kept ``record`` too."""
    alerts = {**persisted.alerts, **record.alerts}
    last_seq = record.transitions[-1].seq if record.transitions else persisted.last_seq
    return PersistedEvaluation(
        evaluated_at=record.at,
        reading_cursor=record.reading_cursor,
        last_seq=last_seq,
        alerts={key: alert for key, alert in alerts.items() if alert is not None},
        memories={**persisted.memories, **{(item.sprint, item.kpi): item for item in record.memories}},
        kpi_evaluated_at={**persisted.kpi_evaluated_at, **dict.fromkeys(record.evaluated, record.at)},
        closed={**persisted.closed, **record.closed},
        finals={**persisted.finals, **{(item.sprint, item.kpi): item for item in record.finals}},
        restatements={**persisted.restatements, **{(item.sprint, item.kpi): item for item in record.restatements}},
        rules=persisted.rules.joined(record.rules),
    )


def shown(frame: VerdictFrame) -> list[tuple[object, ...]]:
    """Return all that a frame says, row by row, in one order, and what it was made of and is restated to."""
    rows = [frame.row(number) for number in range(len(frame.index))]
    numbers = ((row.value, row.coverage, row.alert_since, row.total, *_outlook(row)) for row in rows)
    said = sorted((*_words(row), *map(_number, each)) for row, each in zip(rows, numbers, strict=True))
    return [*said, *_sealed(frame)]


def _sealed(frame: VerdictFrame) -> list[tuple[object, ...]]:
    if frame.seal is None:
        return []
    restated = frame.restatement
    if restated is None:
        return [(frame.seal,)]
    found = zip(restated.index.label_sets, restated.verdict.tolist(), map(_number, restated.value), strict=True)
    return [(frame.seal, restated.at, restated.inputs_digest, sorted(found))]


def _words(row: SeriesVerdict) -> tuple[object, ...]:
    return (row.labels, row.verdict, row.reason, row.since, row.samples, row.alert_state)


def _outlook(row: SeriesVerdict) -> tuple[float | None, ...]:
    if row.outlook is None or row.verdict in (Verdict.NO_DATA, Verdict.NOT_APPLICABLE):
        return ()
    return astuple(row.outlook)


def _number(value: float | None) -> float:
    return -1.0 if value is None or math.isnan(value) else round(float(value), 9)


def transitions_told(transitions: Iterable[Transition]) -> list[tuple[object, ...]]:
    """Return all that transitions tell, in one order."""
    return sorted(
        (
            each.at,
            each.key.sprint,
            each.key.kpi,
            each.key.labels,
            each.key.kind,
            each.from_state,
            each.to_state,
            each.reason,
            each.active_at,
            _number(each.value),
            each.carried_from or "",
            [(final.kpi, final.verdict, final.reason, _number(final.value), final.series) for final in each.finals],
        )
        for each in transitions
    )
