"""Silences, which keep the messages of matching alerts back for a while, and acknowledgements, which stop reminders.

Both say who, until when and why, and end by themselves. Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.kpi import KPI, MatchOp
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState
from slo_guard.patterns import compile_pattern

OWN_LABELS = ("sprint", "lane", "kpi", "severity", "kind", "tier")
"""What every alert can be matched by beside the labels of its series."""

_NOTATION = {MatchOp.EQUAL: "", MatchOp.NOT_EQUAL: "!", MatchOp.REGEX: "~"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label of an alert; a label that an alert lacks counts as the empty string.

    Its regexes are RE2's and match the whole value, as those of the rules do.
    """

    label: str
    value: str
    how: MatchOp = MatchOp.EQUAL

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these ``labels`` meets the condition. Raises ``PatternError`` for a bad regex."""
        value = labels.get(self.label, "")
        match self.how:
            case MatchOp.EQUAL:
                return value == self.value
            case MatchOp.NOT_EQUAL:
                return value != self.value
            case MatchOp.REGEX:
                return compile_pattern(self.value)(value)

    def __str__(self) -> str:
        return f"{self.label}={_NOTATION[self.how]}{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSilence:
    """What somebody asks for: no messages of the alerts that meet all ``matchers``, in [starts_at, ends_at)."""

    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    by: str
    why: str

    def silences(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these ``labels`` (see :func:`alert_labels`) meets all matchers, at whatever time."""
        return all(matcher.matches(labels) for matcher in self.matchers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(NewSilence):
    """A silence as the store keeps it; ``expired_at``: when somebody ended it before its time."""

    id: int
    created_at: float
    expired_at: float | None = None

    @property
    def over_at(self) -> float:
        """When it ends or has ended, by its time or by hand."""
        return self.ends_at if self.expired_at is None else min(self.ends_at, self.expired_at)

    def is_over(self, now: float) -> bool:
        """Whether it has ended."""
        return now >= self.over_at

    def is_active(self, now: float) -> bool:
        """Whether it has begun and has not ended."""
        return self.starts_at <= now < self.over_at

    def state(self, now: float) -> str:
        """Return ``pending``, ``active`` or ``expired``."""
        return "expired" if self.is_over(now) else "active" if self.is_active(now) else "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAcknowledgement:
    """What somebody says: I know that this KPI's alerts fire, or that of one series (``labels``), until then."""

    sprint: str
    kpi: str
    labels: LabelSet | None
    until: float
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement(NewAcknowledgement):
    """An acknowledgement as the store keeps it; ``ended_at``: when its alerts ended, or somebody ended it by hand."""

    id: int
    created_at: float
    ended_at: float | None = None

    @property
    def over_at(self) -> float:
        """When it ends or has ended, by its time, with its alerts or by hand."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def is_over(self, now: float) -> bool:
        """Whether it has ended."""
        return now >= self.over_at

    def state(self, now: float) -> str:
        """Return ``active`` or ``ended``."""
        return "ended" if self.is_over(now) else "active"

    def covers(self, key: AlertKey, fired_at: float | None) -> bool:
        """Whether it speaks of the alert ``key`` that fired at ``fired_at``, at whatever time.

        What fires later than somebody acknowledged is news: another series, another tier, or the same alert again.
        """
        if (key.sprint, key.kpi) != (self.sprint, self.kpi) or fired_at is None or fired_at > self.created_at:
            return False
        return self.labels is None or self.labels == key.labels

    def holds(self, alert: Alert, now: float) -> bool:
        """Whether ``alert`` fires, and its reminders are stopped."""
        firing = alert.state is AlertState.FIRING
        return firing and not self.is_over(now) and self.covers(alert.key, alert.fired_at)


def alert_labels(key: AlertKey, *, lane: str, severity: str) -> dict[str, str]:
    """Return what silences match an alert by: its own labels, and above them those of its series.

    Only ``kind`` and ``tier`` can be labels of a series as well; then the series' own is meant.
    """
    own = {"sprint": key.sprint, "lane": lane, "kpi": key.kpi, "severity": severity, "kind": key.kind.value}
    return {**own, "tier": key.tier, **dict(key.labels)}


def labels_of(key: AlertKey, kpi: KPI | None) -> dict[str, str]:
    """Return what silences match the alert ``key`` of ``kpi`` by; without a rule it has no lane and no severity."""
    if kpi is None:
        return alert_labels(key, lane="", severity="")
    return alert_labels(key, lane=kpi.lane, severity=key.slot.severity(kpi).value)


def silence_of(silences: Iterable[Silence], labels: Mapping[str, str], now: float) -> Silence | None:
    """Return the silence that holds at ``now`` for an alert with ``labels``: of several the one that ends last."""
    found = [each for each in silences if each.is_active(now) and each.silences(labels)]
    return max(found, key=lambda each: (each.over_at, each.id), default=None)


def acknowledgement_of(acknowledgements: Iterable[Acknowledgement], alert: Alert, now: float) -> Acknowledgement | None:
    """Return the newest acknowledgement that holds for ``alert`` at ``now``; None where nobody has said so."""
    found = [each for each in acknowledgements if each.holds(alert, now)]
    return max(found, key=lambda each: each.id, default=None)
