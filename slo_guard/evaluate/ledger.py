"""What one evaluation changes of alerts: their states, and the transitions, each with all that a message needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, AlertSlot, FinalVerdict, Transition
from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.kpi import KPI, Measure, Plan, Reducer, Selection, Severity, Single, Sprint
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.units import PLAIN


class Ledger:
    """Collects them in the order in which they are told.

    ``alerts``: those that changed, None for one that ended; ``standing``: all, kept up to date.
    """

    def __init__(self, plan: Plan, standing: dict[AlertKey, Alert], last_seq: int) -> None:
        self.alerts: dict[AlertKey, Alert | None] = {}
        self.standing = standing
        self._plan = plan
        self._last_seq = last_seq
        self.transitions: list[Transition] = []

    def set_alert(self, key: AlertKey, alert: Alert | None) -> None:
        """Note how an alert stands now."""
        self.alerts[key] = alert
        if alert is None:
            self.standing.pop(key, None)
        else:
            self.standing[key] = alert

    def add(
        self,
        kpi: KPI,
        was: AlertState,
        alert: Alert,
        at: float,
        *,
        note: str | None = None,
        carried_from: str | None = None,
    ) -> None:
        """Add the transition by which ``kpi``'s alert, ``was`` so far, came to be as ``alert`` says, at ``at``."""
        slot = alert.key.slot
        specs = (self._plan.indicators.get(name) for name in kpi.indicators)
        self.transitions.append(
            Transition(
                seq=self._last_seq + len(self.transitions) + 1,
                at=at,
                key=alert.key,
                from_state=was,
                to_state=alert.state,
                reason=alert.reason,
                verdict=alert.verdict,
                value=alert.value,
                active_at=alert.active_at,
                severity=slot.severity(kpi),
                lane=kpi.lane,
                title=kpi.title,
                owner=kpi.owner,
                objective=_objective_text(kpi, slot),
                unit=kpi.unit if slot.kind is not AlertKind.BURN else PLAIN,
                runbook_url=kpi.runbook_url,
                note=note,
                collectors=tuple(dict.fromkeys(spec.collector for spec in specs if spec and spec.collector)),
                annotations=kpi.annotations,
                carried_from=carried_from,
            )
        )

    def add_close(self, sprint: Sprint, finals: Iterable[FinalVerdict]) -> None:
        """Add the transition that tells of a sprint's close."""
        ends = tuple(finals)
        self.transitions.append(
            Transition(
                seq=self._last_seq + len(self.transitions) + 1,
                at=sprint.end_at,
                key=AlertKey(sprint.id, SPRINT_CLOSE, ()),
                from_state=AlertState.INACTIVE,
                to_state=AlertState.INACTIVE,
                reason=Reason.SPRINT_CLOSED,
                verdict=max((final.verdict for final in ends), default=Verdict.NOT_APPLICABLE),
                value=None,
                active_at=sprint.start_at,
                severity=Severity.TICKET,
                lane="",
                title=sprint.title or sprint.id,
                finals=ends,
            )
        )

    def end(self, kpi: KPI, alert: Alert, reason: Reason, at: float) -> None:
        """End an alert for a reason that has nothing to do with its value."""
        ended = replace(alert, state=AlertState.INACTIVE, reason=reason)
        self.add(kpi, alert.state, ended, at)
        self.set_alert(alert.key, None)


def kpi_of(key: AlertKey, known: Mapping[tuple[str, str], KPI]) -> KPI:
    """Return the KPI of an alert, or one that says as much as the key does: its rule went while nobody was running."""
    found = known.get((key.sprint, key.kpi))
    if found is not None:
        return found
    return KPI(
        id=key.kpi,
        sprint=key.sprint,
        lane="",
        title=key.kpi,
        source=Single(Selection(key.kpi)),
        measure=Measure(Reducer.LAST, None, "last"),
        type=IndicatorType.GAUGE,
        unit=None,
    )


def _objective_text(kpi: KPI, slot: AlertSlot) -> str:
    kind, pair = slot.kind, kpi.burn_pair(slot.tier)
    if pair is not None:
        return pair.limit
    parts = [] if kpi.objective is None else [kpi.objective.text]
    if kind is AlertKind.RISK and kpi.warn is not None:
        parts.append(f"warn {kpi.warn.text}")
    return ", ".join(parts)
