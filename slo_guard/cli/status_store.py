"""The report out of the store, for when no daemon answers: as of its last evaluation, without values and sources."""

from __future__ import annotations

from slo_guard.cli.status_model import AlertLine, KpiLine, Origin, Outbox, SprintLine, StatusReport
from slo_guard.domain.alerts import Alert
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Sprint
from slo_guard.domain.ports import Store, VerdictMemory
from slo_guard.domain.verdicts import REASONS, AlertState, Verdict
from slo_guard.loaded import Loaded
from slo_guard.notify.text import objective_words


def report_of(loaded: Loaded, store: Store, url: str, now: float, unreachable: str) -> StatusReport:
    """Return how the store says that it stood; ``unreachable`` is why no daemon at ``url`` did.

    Raises ``StoreError``.
    """
    state, plan = store.load_evaluation(), loaded.plan
    pending = store.outbox_pending()
    kpis = {(kpi.sprint, kpi.id): kpi for kpi in plan.kpis}
    guarded = {kpi.sprint for kpi in plan.kpis}
    sprints = [_sprint(each, now) for each in plan.sprints.values() if each.id in guarded]
    return StatusReport(
        origin=Origin.STORE,
        url=url,
        at=state.evaluated_at,
        sprints=tuple(sorted(sprints, key=lambda each: (each.state != "running", -each.ends_at))),
        kpis=tuple(_kpi(kpi, state.memories.get(key)) for key, kpi in kpis.items() if kpi.id != COLLECTOR_UP),
        alerts=tuple(
            _alert(each, kpis.get((each.key.sprint, each.key.kpi)))
            for each in sorted(state.alerts.values(), key=lambda each: each.active_at)
            if each.state is AlertState.FIRING
        ),
        sources=None,
        outbox=Outbox(
            pending={receiver: number for receiver, (number, _) in pending.items()},
            oldest_at=min((at for _, at in pending.values() if at is not None), default=None),
            dead=store.dead_letters(),
        ),
        unreachable=unreachable,
    )


def _sprint(sprint: Sprint, now: float) -> SprintLine:
    state = "upcoming" if now < sprint.start_at else "running" if now < sprint.end_at else "closed"
    return SprintLine(sprint.id, sprint.title, state, sprint.end_at, None, None, None, None)


def _kpi(kpi: KPI, memory: VerdictMemory | None) -> KpiLine:
    worst = None if memory is None or not len(memory.verdict) else int(memory.verdict.argmax())
    known = memory is not None and worst is not None
    return KpiLine(
        sprint=kpi.sprint,
        lane=kpi.lane,
        kpi=kpi.id,
        title=kpi.title,
        verdict=Verdict(int(memory.verdict[worst])).label if memory is not None and worst is not None else None,
        value=None,
        objective=objective_words(kpi.objective.text) if kpi.objective else None,
        reason=REASONS[int(memory.reason[worst])].value if memory is not None and worst is not None else None,
        since=float(memory.since[worst]) if memory is not None and worst is not None else None,
        series=len(memory.index) if memory is not None and known else 0,
        unwell_series=sum(int((memory.verdict == each).sum()) for each in (Verdict.MISSED, Verdict.NO_DATA))
        if memory is not None
        else 0,
    )


def _alert(alert: Alert, kpi: KPI | None) -> AlertLine:
    severity = None if kpi is None else alert.key.slot.severity(kpi)
    return AlertLine(
        sprint=alert.key.sprint,
        kpi=alert.key.kpi,
        kind=alert.key.kind.value,
        tier=alert.key.tier or None,
        severity=None if severity is None else severity.value,
        labels=dict(alert.key.labels),
        since=alert.active_at,
    )
