"""The evaluator's state as the store holds it, for a start, a reload, and after an evaluation that failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import structlog

from slo_guard.clock import monotonic
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.ports import Store
from slo_guard.evaluate import EvaluationState, needed_from

log = structlog.get_logger(__name__)


def rebuilt_state(
    plan: Plan, store: Store, now: float, departed: Iterable[KPI] = (), awaiting: Iterable[str] = ()
) -> EvaluationState:
    """Return the state as the last stored evaluation left it. Raises ``StoreError``.

    ``now``: Unix seconds; ``departed``: the rules before a reload; ``awaiting``: indicators not collected yet.
    """
    started = monotonic()
    persisted = store.load_evaluation()
    history_from = needed_from(plan, now, persisted.closed)
    history = store.observations(up_to_id=persisted.reading_cursor, seen_from=history_from)
    state = EvaluationState.restored(plan, persisted, history, awaiting=awaiting, departed=departed)
    log.info(
        "state_restored",
        alerts=len(persisted.alerts),
        transition=persisted.last_seq,
        seconds=round(monotonic() - started, 3),
    )
    return state


def renew(plan: Plan, store: Store, state: EvaluationState, kpis: Collection[KPI]) -> bool:
    """Build what ``state`` keeps of ``kpis`` anew from the store, without the series that are gone for good.

    The last evaluation must have been stored. Returns whether it was done: not where the store no longer has all that
    the windows hold, because its readings were too many for it. Raises ``StoreError``.
    """
    started = monotonic()
    persisted = store.load_evaluation()
    if persisted.evaluated_at is None or persisted.evaluated_at != state.evaluated_at:
        return False
    narrow = replace(plan, kpis=tuple(kpis))
    begins = needed_from(narrow, persisted.evaluated_at, persisted.closed)
    oldest = next(store.observations(), None)
    if oldest is None or (oldest.id > 1 and oldest.observation.seen_at > begins):
        return False
    names = sorted({name for kpi in kpis for name in kpi.indicators})
    history = store.observations(up_to_id=persisted.reading_cursor, seen_from=begins, indicators=names)
    state.renew(EvaluationState.restored(narrow, persisted, history))
    log.info("series_forgotten", kpis=[kpi.id for kpi in kpis], seconds=round(monotonic() - started, 3))
    return True


def state_to_start_with(
    plan: Plan, store: Store, now: float, departed: Iterable[KPI] = (), awaiting: Iterable[str] = ()
) -> EvaluationState:
    """Return the state for a start or a reload, with what was stored since the last evaluation. Raises ``StoreError``.

    The arguments are those of :func:`rebuilt_state`.
    """
    state = rebuilt_state(plan, store, now, departed)
    # What was stored but not judged before the stop is taken in first: it is no first collection since the
    # start, and by its age everything would be no_data and page.
    judged, until = state.reading_cursor, plan.last_evaluation(now)
    state.take_all(store.observations(after_id=judged, seen_until=until))
    state.awaiting = set(awaiting)
    return state
