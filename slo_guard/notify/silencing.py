"""Which silence keeps an alert's messages back, and who has acknowledged it, at the instant of one planner run."""

from __future__ import annotations

from collections.abc import Iterable

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKey
from slo_guard.domain.kpi import Severity
from slo_guard.domain.silences import Acknowledgement, Silence, alert_labels, silence_of
from slo_guard.notify.groups import GroupKey
from slo_guard.notify.text import labels_text

_OF_A_GROUP = frozenset({"sprint", "kpi"})


class Silencing:
    """The silences that are active and the acknowledgements that have not ended at ``now`` (Unix seconds)."""

    def __init__(self, silences: Iterable[Silence], acknowledgements: Iterable[Acknowledgement], now: float) -> None:
        self._silences = [each for each in silences if each.is_active(now)]
        self._acknowledgements = [each for each in acknowledgements if not each.is_over(now)]
        self._now = now

    def silence(self, key: AlertKey, lane: str, severity: Severity) -> Silence | None:
        """Return the silence that keeps the messages of the alert ``key`` back; None where there is none."""
        if not self._silences:
            return None
        return silence_of(self._silences, alert_labels(key, lane=lane, severity=severity.value), self._now)

    def may_silence(self, key: GroupKey) -> bool:
        """Whether a silence may match a series of the group ``key``: its series are worth looking at."""
        known = {"sprint": key.sprint, "kpi": key.kpi}
        return any(
            all(each.matches(known) for each in silence.matchers if each.label in _OF_A_GROUP)
            for silence in self._silences
        )

    def knows_of(self, key: GroupKey) -> bool:
        """Whether somebody has acknowledged alerts of the KPI of the group ``key``."""
        return any((each.sprint, each.kpi) == (key.sprint, key.kpi) for each in self._acknowledgements)

    def acknowledgement(self, key: AlertKey, fired_at: float | None) -> Acknowledgement | None:
        """Return the newest acknowledgement of the alert ``key`` that fired at ``fired_at``; None without one."""
        return next((each for each in reversed(self._acknowledgements) if each.covers(key, fired_at)), None)


def acknowledged_words(acknowledgement: Acknowledgement, *, others: bool) -> str:
    """Return who knows of an alert, for its messages; ``others``: the message is of other alerts as well."""
    what = "What fired before is acknowledged" if others else "Acknowledged"
    if acknowledgement.labels:
        what = f"{labels_text(acknowledgement.labels)} is acknowledged"
    return f"{what} by {acknowledgement.by} until {iso(int(acknowledgement.until))}: {acknowledgement.why}"
