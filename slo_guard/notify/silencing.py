"""Which silence keeps an alert's messages back, and who has acknowledged it, at the instant of one planner run."""

from __future__ import annotations

from collections.abc import Iterable

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKey
from slo_guard.domain.kpi import Severity
from slo_guard.domain.series import LabelSet
from slo_guard.domain.silences import Acknowledgement, Silence, alert_labels, silence_of
from slo_guard.notify.groups import GroupKey
from slo_guard.notify.text import labels_text


class Silencing:
    """The silences that are active and the acknowledgements that have not ended at ``now`` (Unix seconds)."""

    def __init__(self, silences: Iterable[Silence], acknowledgements: Iterable[Acknowledgement], now: float) -> None:
        self._silences = [each for each in silences if each.is_active(now)]
        self._acknowledged: dict[tuple[str, str], dict[LabelSet | None, list[Acknowledgement]]] = {}
        for each in acknowledgements:
            if not each.is_over(now):
                of_its_rule = self._acknowledged.setdefault((each.sprint, each.kpi), {})
                of_its_rule.setdefault(each.labels, []).append(each)
        self._now = now
        self._by_rule: dict[tuple[str, str], list[Silence]] = {}

    def silence(self, key: AlertKey, lane: str, severity: Severity) -> Silence | None:
        """Return the silence that keeps the messages of the alert ``key`` back; None where there is none."""
        found = self._for_rule(key.sprint, key.kpi)
        if not found:
            return None
        return silence_of(found, alert_labels(key, lane=lane, severity=severity.value), self._now)

    def may_silence(self, key: GroupKey) -> tuple[int, ...]:
        """Return the numbers of the silences that may match a series of the group ``key``."""
        return tuple(silence.id for silence in self._for_rule(key.sprint, key.kpi))

    def _for_rule(self, sprint: str, kpi: str) -> list[Silence]:
        """Return the silences that the sprint and the KPI of an alert do not rule out; found once a run."""
        if (sprint, kpi) not in self._by_rule:
            known = {"sprint": sprint, "kpi": kpi}
            self._by_rule[sprint, kpi] = [
                silence
                for silence in self._silences
                if all(each.matches(known) for each in silence.matchers if each.label in known)
            ]
        return self._by_rule[sprint, kpi]

    def knows_of(self, key: GroupKey) -> bool:
        """Whether somebody has acknowledged alerts of the KPI of the group ``key``."""
        return (key.sprint, key.kpi) in self._acknowledged

    def spares(self, key: GroupKey) -> tuple[str, ...]:
        """Return what may keep reminders of the group ``key`` back now: silences and acknowledgements, by number."""
        of_its_rule = self._acknowledged.get((key.sprint, key.kpi), {}).values()
        known = sorted(each.id for found in of_its_rule for each in found)
        return (*(f"silence {number}" for number in self.may_silence(key)), *(f"ack {number}" for number in known))

    def acknowledgement(self, key: AlertKey, fired_at: float | None) -> Acknowledgement | None:
        """Return the newest acknowledgement of the alert ``key`` that fired at ``fired_at``; None without one."""
        of_its_rule = self._acknowledged.get((key.sprint, key.kpi))
        if of_its_rule is None:
            return None
        found = (*of_its_rule.get(None, ()), *of_its_rule.get(key.labels, ()))
        return max((each for each in found if each.covers(key, fired_at)), key=lambda each: each.id, default=None)


def acknowledged_words(acknowledgement: Acknowledgement, *, others: bool) -> str:
    """Return who knows of an alert, for its messages; ``others``: the message is of other alerts as well."""
    what = "What fired before is acknowledged" if others else "Acknowledged"
    if acknowledgement.labels:
        what = f"{labels_text(acknowledgement.labels)} is acknowledged"
    return f"{what} by {acknowledgement.by} until {iso(int(acknowledgement.until))}: {acknowledgement.why}"
