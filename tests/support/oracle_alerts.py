"""The oracle's alerts: one small state machine per KPI, labels and kind, stepped with a row at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import KPI, NoDataThen, Reducer, Severity
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from tests.support.oracle_measures import meets

if TYPE_CHECKING:
    from tests.support.oracle import Row

_JUDGED_FINE = (Verdict.MET, Verdict.AT_RISK)


@dataclass(frozen=True)
class ExpectedTransition:
    """One change of state; any of ``reasons`` is right."""

    kpi: str
    labels: LabelSet
    kind: AlertKind
    from_state: AlertState
    to_state: AlertState
    reasons: tuple[Reason, ...]
    verdict: Verdict | None
    value: float | None
    active_at: float
    severity: Severity
    at: float
    finals: tuple[ExpectedFinal, ...] = ()


@dataclass(frozen=True)
class ExpectedFinal:
    """How a KPI ended; of several worst rows the value of any."""

    kpi: str
    verdict: Verdict
    values: tuple[float | None, ...]
    series: int


@dataclass
class OneAlert:
    """The state of one alert. ``held_since``: since when missing data has frozen it, its timers included.

    ``stands_in``: its row stood for series that were not there. ``told``: the value that people heard last;
    ``verdict``: that of its last row.
    """

    state: AlertState = AlertState.INACTIVE
    active_at: float = 0.0
    clear_since: float | None = None
    held_since: float | None = None
    stands_in: bool = False
    told: float | None = None
    verdict: Verdict | None = None


@dataclass
class AlertBook:
    """All alerts, and when each KPI was last evaluated."""

    alerts: dict[tuple[str, LabelSet, AlertKind], OneAlert] = field(default_factory=dict)
    evaluated_at: dict[str, float] = field(default_factory=dict)

    def step(self, kpi: KPI, rows: dict[LabelSet, Row], now: float) -> list[ExpectedTransition]:
        """Take one evaluation's rows of a KPI and return what changed."""
        changed: list[ExpectedTransition] = []
        name = name_of(kpi)
        previous = self.evaluated_at.get(name)
        longest = max(kpi.no_data.after_seconds, 1.5 * kpi.interval_seconds)
        unobserved = previous is not None and now - previous > longest
        self.evaluated_at[name] = now
        for key in [key for key in self.alerts if key[0] == name and key[1] not in rows]:
            alert = self.alerts.pop(key)
            if alert.state is not AlertState.INACTIVE:
                changed.append(_ended(kpi, key, alert, now))
        for labels, row in rows.items():
            for kind in _kinds(kpi):
                alert = self.alerts.setdefault((name, labels, kind), OneAlert())
                before = alert.state
                active_at = alert.active_at
                alert.stands_in = row.stands_in
                if unobserved and alert.state is AlertState.PENDING:
                    alert.active_at = now
                    alert.held_since = None if alert.held_since is None else now
                _step(kpi, kind, alert, row, now)
                alert.verdict = row.verdict
                if alert.state is not before:
                    alert.told = row.value
                    ended = alert.state is AlertState.INACTIVE
                    changed.append(
                        ExpectedTransition(
                            name,
                            labels,
                            kind,
                            before,
                            alert.state,
                            _end_reasons(kpi, row) if ended else row.reasons,
                            row.verdict,
                            row.value,
                            active_at if ended else alert.active_at,
                            _severity(kpi, kind),
                            now,
                        )
                    )
                elif kind is AlertKind.BREACH and alert.state is AlertState.FIRING and row.broken:
                    changed += self._escalation(kpi, labels, alert, row, now)
        return changed

    def _escalation(
        self, kpi: KPI, labels: LabelSet, alert: OneAlert, row: Row, now: float
    ) -> list[ExpectedTransition]:
        """Tell again what is broken for good when it is worse by another limit."""
        assert row.value is not None
        assert kpi.objective is not None
        told, alert.told = alert.told, row.value if alert.told is None else alert.told
        limit = kpi.objective.bound if kpi.objective.upper is None else kpi.objective.upper
        if told is None or (row.value <= told if limit <= 0 else row.value // limit <= told // limit):
            return []
        alert.told = row.value
        firing = AlertState.FIRING
        return [
            ExpectedTransition(
                name_of(kpi), labels, AlertKind.BREACH, firing, firing, (Reason.ESCALATED,), row.verdict, row.value,
                alert.active_at, kpi.severity, now,
            )
        ]  # fmt: skip

    def close(self, kpi: KPI, rows: dict[LabelSet, Row], end: float) -> list[ExpectedTransition]:
        """End all alerts of a KPI that ends with its sprint."""
        ended = []
        for name, labels, kind in [key for key in self.alerts if key[0] == name_of(kpi)]:
            alert, row = self.alerts.pop((name, labels, kind)), rows[labels]
            if alert.state is not AlertState.INACTIVE:
                ended.append(_over(kpi, labels, kind, alert, (row.verdict, row.value), end))
        return ended

    def hand_over(self, kpi: KPI, heir: KPI | None, now: float) -> list[ExpectedTransition]:
        """Move the alerts of a KPI that is judged no more to that of the next sprint, or end them."""
        changed = []
        for name, labels, kind in [key for key in self.alerts if key[0] == name_of(kpi)]:
            alert = self.alerts.pop((name, labels, kind))
            if alert.state is AlertState.INACTIVE:
                continue
            if heir is None or not _takes_over(heir, labels, kind, alert):
                changed.append(_over(kpi, labels, kind, alert, None, now))
                continue
            self.alerts[name_of(heir), labels, kind] = alert
            if alert.state is AlertState.FIRING:
                changed.append(_carried(heir, labels, kind, alert, now))
        return changed


def name_of(kpi: KPI) -> str:
    """Return what tells KPIs of one id in two sprints apart."""
    return f"{kpi.sprint}/{kpi.id}"


def _kinds(kpi: KPI) -> list[AlertKind]:
    return [AlertKind.BREACH] if kpi.warn_severity is Severity.NONE else [AlertKind.BREACH, AlertKind.RISK]


def _takes_over(heir: KPI, labels: LabelSet, kind: AlertKind, alert: OneAlert) -> bool:
    """Whether the next sprint's KPI raises such alerts; one without labels is only that nothing is known of any."""
    of_no_series = not labels and bool(heir.by)
    unsigned = heir.type is IndicatorType.BOOL and heir.measure.reducer is Reducer.LAST
    unknown = alert.verdict is Verdict.NO_DATA or unsigned
    return _is_watched(heir, kind) and kind in _kinds(heir) and (unknown or not of_no_series)


def _over(
    kpi: KPI, labels: LabelSet, kind: AlertKind, alert: OneAlert, last: tuple[Verdict, float | None] | None, at: float
) -> ExpectedTransition:
    verdict, value = last or (None, None)
    return ExpectedTransition(
        name_of(kpi), labels, kind, alert.state, AlertState.INACTIVE, (Reason.SPRINT_CLOSED,), verdict, value,
        alert.active_at, _severity(kpi, kind), at,
    )  # fmt: skip


def _carried(heir: KPI, labels: LabelSet, kind: AlertKind, alert: OneAlert, now: float) -> ExpectedTransition:
    firing = AlertState.FIRING
    return ExpectedTransition(
        name_of(heir), labels, kind, firing, firing, (Reason.CARRIED_OVER,), None, None, alert.active_at,
        _severity(heir, kind), now,
    )  # fmt: skip


def _severity(kpi: KPI, kind: AlertKind) -> Severity:
    return kpi.severity if kind is AlertKind.BREACH else kpi.warn_severity


def _ended(kpi: KPI, key: tuple[str, LabelSet, AlertKind], alert: OneAlert, now: float) -> ExpectedTransition:
    """Return the end of an alert whose row is gone: its series was forgotten, or the KPI has series after all."""
    name, labels, kind = key
    return ExpectedTransition(
        name,
        labels,
        kind,
        alert.state,
        AlertState.INACTIVE,
        (Reason.SERIES_APPEARED,) if alert.stands_in else (Reason.SERIES_GONE,),
        None,
        None,
        alert.active_at,
        _severity(kpi, kind),
        now,
    )


def _end_reasons(kpi: KPI, row: Row) -> tuple[Reason, ...]:
    if row.verdict is Verdict.NO_DATA:
        return (Reason.NO_DATA_IS_OK,)
    if row.reasons == (Reason.CONDITION_NOT_MET,):
        return row.reasons
    return (Reason.RECOVERED,) if row.verdict is Verdict.MET else (Reason.NO_LONGER_JUDGED, Reason.RECOVERED)


def _step(kpi: KPI, kind: AlertKind, alert: OneAlert, row: Row, now: float) -> None:
    if _is_frozen(kpi, kind, alert, row, now):
        return
    if row.reasons == (Reason.CONDITION_NOT_MET,):
        alert.state, alert.clear_since = AlertState.INACTIVE, None
        return
    if _condition(kpi, kind, alert, row):
        alert.clear_since = None
        if alert.state is AlertState.INACTIVE:
            alert.state, alert.active_at = AlertState.PENDING, now
        at_once = row.verdict is Verdict.NO_DATA
        if alert.state is AlertState.PENDING and (at_once or now - alert.active_at >= kpi.for_seconds):
            alert.state = AlertState.FIRING
    elif alert.state is AlertState.PENDING:
        alert.state = AlertState.INACTIVE
    elif alert.state is AlertState.FIRING:
        alert.clear_since = now if alert.clear_since is None else alert.clear_since
        if now - alert.clear_since >= kpi.keep_firing_for_seconds:
            alert.state, alert.clear_since = AlertState.INACTIVE, None


def _is_frozen(kpi: KPI, kind: AlertKind, alert: OneAlert, row: Row, now: float) -> bool:
    """Whether missing data leaves the alert as it is: while it is held, and what it says of a risk at all times.

    So does it when nobody knows whether the KPI applies.

    No time passes for it meanwhile: afterwards it has waited, or been clear, as long as before.
    """
    held = row.verdict is Verdict.NO_DATA and _freezes(kpi, kind, row, now)
    frozen = _is_watched(kpi, kind) and (held or row.reasons == (Reason.CONDITION_UNKNOWN,))
    if frozen:
        alert.held_since = now if alert.held_since is None else alert.held_since
    elif alert.held_since is not None:
        frozen_for, alert.held_since = now - alert.held_since, None
        if alert.state is AlertState.PENDING:
            alert.active_at += frozen_for
        if alert.clear_since is not None:
            alert.clear_since += frozen_for
    return frozen


def _is_watched(kpi: KPI, kind: AlertKind) -> bool:
    """Whether there can be such an alert: without an objective only a warning can raise one."""
    return kpi.objective is not None or (kind is AlertKind.RISK and kpi.warn is not None)


def _freezes(kpi: KPI, kind: AlertKind, row: Row, now: float) -> bool:
    if kind is AlertKind.RISK:
        return kpi.no_data.then is not NoDataThen.OK
    return kpi.no_data.then is NoDataThen.HOLD and now - row.since < kpi.no_data.hold_for_seconds


def _condition(kpi: KPI, kind: AlertKind, alert: OneAlert, row: Row) -> bool:
    if not _is_watched(kpi, kind) or (row.verdict is Verdict.NO_DATA and kpi.no_data.then is NoDataThen.OK):
        return False
    if kind is AlertKind.RISK:
        active = alert.state is not AlertState.INACTIVE
        return row.verdict is Verdict.AT_RISK or (active and row.verdict is Verdict.MISSED)
    if row.verdict in (Verdict.MISSED, Verdict.NO_DATA):
        return True
    if alert.state is AlertState.FIRING and kpi.resolve is not None:
        if row.verdict is Verdict.INSUFFICIENT:
            return True
        return row.verdict in _JUDGED_FINE and row.value is not None and not meets(kpi.resolve, row.value)
    return False
