"""The oracle's events: every one that was ever told of, picked anew for each window."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slo_guard.domain.kpi import KPI, Reducer
from slo_guard.domain.readings import EventBatch
from slo_guard.domain.verdicts import Reason
from tests.support.oracle_history import History, Series
from tests.support.oracle_measures import Measured, Span
from tests.support.oracle_windows import counted_seconds, is_excluded


def answers(history: History, span: Span) -> bool:
    """Whether the last successful collection is not too old: what counts for events, which may just not happen."""
    success = history.newest_success
    return success is not None and span.now - success <= span.after


def measure_events(
    kpi: KPI, group: list[Series], history: History, span: Span, unseen: tuple[Reason, ...], *, awaited: bool
) -> Measured:
    """Count, add up or rank the events of a group of series, all together; ``awaited``: none is an answer, too."""
    if not group and not awaited:
        return Measured(missing=(*unseen, Reason.NEVER_SEEN if kpi.expect else Reason.NO_SERIES))
    if not group and history.newest_success is None:
        return Measured(missing=(*unseen, Reason.NEVER_SEEN if kpi.expect else Reason.NO_SERIES))
    values = [event.value for series in group for event in series.events if _counts(event.at, span)]
    measured = Measured(_reduced(kpi, values), len(values), _share_known(history, span))
    if measured.value is None:
        measured = measured._replace(problem=(Reason.BELOW_MIN_SAMPLES,))
    if answers(history, span):
        return measured
    return measured._replace(missing=(Reason.SOURCE_FAILED,) if history.failing else (Reason.STALE,))


def _counts(at: float, span: Span) -> bool:
    return span.opened < at <= span.now and not is_excluded(at, span.excluded)


def _reduced(kpi: KPI, values: list[float]) -> float | None:
    match kpi.measure.reducer:
        case Reducer.COUNT:
            return float(len(values))
        case Reducer.SUM:
            return sum(values, start=0.0)
        case _:
            assert kpi.measure.quantile is not None
            return quantile_of(sorted(values), kpi.measure.quantile)


def quantile_of(ascending: Sequence[float], quantile: float) -> float | None:
    """Return a quantile, by a straight line between the two ranks that it lies between."""
    if not ascending:
        return None
    rank = quantile * (len(ascending) - 1)
    below, above = math.floor(rank), math.ceil(rank)
    return ascending[below] * (1 - (rank - below)) + ascending[above] * (rank - below)


def _share_known(history: History, span: Span) -> float | None:
    """Return the share of the window that is known: from the first event or collection on, up to the last one."""
    begin, success = span.to_observe_from, history.newest_success
    if begin >= span.now or success is None:
        return None
    seen_at, first = next((at, batch) for at, batch in history.collections if isinstance(batch, EventBatch))
    known_from = min([seen_at, *first.at.tolist()])
    until = span.now if answers(history, span) else min(span.now, success)
    known = counted_seconds(max(begin, known_from), until, span.excluded) if until > max(begin, known_from) else 0.0
    length = counted_seconds(begin, span.now, span.excluded)
    return known / length if length else None
