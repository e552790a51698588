"""What a restart finds stored, and what is compared after one."""

from __future__ import annotations

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
    )


def shown(frame: VerdictFrame) -> list[tuple[object, ...]]:
    """Return all that a frame says, row by row, in one order."""
    rows = [frame.row(number) for number in range(len(frame.index))]
    numbers = ((row.value, row.coverage, row.alert_since, row.total, *_outlook(row)) for row in rows)
    return sorted((*_words(row), *map(_number, each)) for row, each in zip(rows, numbers, strict=True))


def _words(row: SeriesVerdict) -> tuple[object, ...]:
    return (row.labels, row.verdict, row.reason, row.since, row.samples, row.alert_state)


def _outlook(row: SeriesVerdict) -> tuple[float | None, ...]:
    if row.outlook is None or row.verdict in (Verdict.NO_DATA, Verdict.NOT_APPLICABLE):
        return ()
    return astuple(row.outlook)


def _number(value: float | None) -> float:
    return -1.0 if value is None else round(value, 9)


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
