"""Alerts and their numbered transitions.

Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from slo_guard.domain.kpi import KPI, Severity
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason, Verdict


class AlertKind(StrEnum):
    """A breach (``missed``, ``no_data``), the quieter alert that ``at_risk`` raises, or an error budget that burns."""

    BREACH = "breach"
    RISK = "risk"
    BURN = "burn"


_OVER = {
    AlertKind.RISK: "it is not at risk any more",
    AlertKind.BURN: "the error budget burns slowly enough again",
}


def reason_words(reason: Reason, kind: AlertKind) -> str:
    """Return why an alert of ``kind`` is in its state.

    Only the end of a breach says that the objective is met again: a budget may burn slowly enough while it is missed.
    """
    return _OVER.get(kind, reason.sentence) if reason is Reason.RECOVERED else reason.sentence


class AlertSlot(NamedTuple):
    """One of the alerts that each series of a KPI may have; burn alerts have a ``tier``: ``1h/5m``."""

    kind: AlertKind
    tier: str = ""

    def severity(self, kpi: KPI) -> Severity:
        """Return how loud the alert of ``kpi`` is."""
        match self.kind:
            case AlertKind.BREACH:
                return kpi.severity
            case AlertKind.RISK:
                return kpi.warn_severity
        pair = kpi.burn_pair(self.tier)
        return pair.severity if pair is not None else kpi.severity


BREACH, RISK = AlertSlot(AlertKind.BREACH), AlertSlot(AlertKind.RISK)


@dataclass(frozen=True, slots=True)
class AlertKey:
    """What makes an alert one alert: sprint, KPI, ``by`` labels, kind, and of burn alerts the tier."""

    sprint: str
    kpi: str
    labels: LabelSet
    kind: AlertKind = AlertKind.BREACH
    tier: str = ""

    @property
    def slot(self) -> AlertSlot:
        """Which of the series' alerts it is."""
        return AlertSlot(self.kind, self.tier)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is pending or firing; an inactive one is not kept.

    ``active_at``: when its condition began to hold; ``fired_at``: when it fired; ``clear_since``: set while
    it keeps firing although its condition is clear; ``verdict``, ``reason``, ``value``: of its last change.
    ``held_since``: since when missing data has frozen it and its timers (``no_data.then: hold``, and what was at
    risk); when that is over, ``active_at`` of a pending alert and ``clear_since`` move by the time that it lasted.
    """

    key: AlertKey
    state: AlertState
    active_at: float
    fired_at: float | None = None
    clear_since: float | None = None
    held_since: float | None = None
    verdict: Verdict = Verdict.MISSED
    reason: Reason = Reason.OBJECTIVE_MISSED
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalVerdict:
    """How one KPI stood when its sprint ended: its worst series' verdict, and that series' value in base units.

    ``series``: how many it has; ``in_words``: their verdicts counted, where it has several. The digests are those of
    ``Seal``, empty where it goes on after the sprint; ``changes``: those of its rule in mid-sprint, ascending;
    ``by_original``: the verdict by the target that it started with, where that is another one.
    """

    kpi: str
    title: str
    lane: str
    owner: str
    verdict: Verdict
    reason: Reason
    value: float | None
    unit: str | None
    objective: str
    series: int = 1
    in_words: str = ""
    inputs_digest: str = ""
    rule_digest: str = ""
    changes: tuple[RuleChange, ...] = ()
    by_original: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of an alert's state, numbered without gaps, with all that a message needs to say about it.

    ``active_at`` is when the condition began; ``reason`` why the state changed; ``note`` more in words. A
    transition outlives its rule: what a message shows is copied here. ``carried_from``: the sprint in which a firing
    alert was told so far, for one that goes on in its successor. ``finals``: how all KPIs of a sprint ended, in the
    one transition that tells of its close.
    """

    seq: int
    at: float
    key: AlertKey
    from_state: AlertState
    to_state: AlertState
    reason: Reason
    verdict: Verdict
    value: float | None
    active_at: float
    severity: Severity
    lane: str
    title: str = ""
    owner: str = ""
    objective: str = ""
    unit: str | None = None
    runbook_url: str | None = None
    note: str | None = None
    collectors: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    carried_from: str | None = None
    finals: tuple[FinalVerdict, ...] = ()
