"""Which collectors fail, at the instant that a transition speaks of and now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from slo_guard.domain.alerts import Alert, AlertKey, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.verdicts import AlertState


class CollectorOutages:
    """Answers from the collectors' own alerts.

    ``alerts`` says how they stand now; a run that is behind speaks of earlier instants, for which the run's
    own transitions are played back.
    """

    def __init__(self, transitions: Sequence[Transition], alerts: Mapping[AlertKey, Alert]) -> None:
        self._alerts = alerts
        self._changes: dict[str, list[Transition]] = {}
        for transition in transitions:
            if transition.key.kpi == COLLECTOR_UP:
                self._changes.setdefault(dict(transition.key.labels).get("collector", ""), []).append(transition)

    def any_down_at(self, collectors: Iterable[str], at: float) -> bool:
        """Whether the alert of any of ``collectors`` fired at ``at``."""
        return any(self._state_at(collector, at) is AlertState.FIRING for collector in collectors)

    def any_down_now(self, collectors: Iterable[str]) -> bool:
        """Whether the alert of any of ``collectors`` fires now."""
        return any(self._state_now(collector) is AlertState.FIRING for collector in collectors)

    def back_since(self, collectors: Iterable[str], now: float) -> float:
        """Return when the last of ``collectors`` stopped failing, as far as this run knows; else ``now``."""
        ends = [
            change.at
            for collector in collectors
            for change in self._changes.get(collector, ())
            if change.from_state is AlertState.FIRING
        ]
        return max(ends, default=now)

    def _state_at(self, collector: str, at: float) -> AlertState:
        changes = self._changes.get(collector, [])
        before = [change for change in changes if change.at <= at]
        if before:
            return before[-1].to_state
        return changes[0].from_state if changes else self._state_now(collector)

    def _state_now(self, collector: str) -> AlertState:
        alert = self._alerts.get(AlertKey("", COLLECTOR_UP, (("collector", collector),)))
        return AlertState.INACTIVE if alert is None else alert.state
