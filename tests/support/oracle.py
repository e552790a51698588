"""A second evaluator, written from the rule file's reference alone: plain, slow, one series at a time.

It keeps every observation and judges each evaluation from all of them, so it has no window state that could go wrong.
The property tests hold the vectorised evaluator to its answers. ``Oracle.evaluate`` gives the verdict rows and the alert
transitions of one evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.kpi import (
    KPI,
    Op,
    Plan,
    Quotient,
    RatioPair,
    Reducer,
    Selection,
    Severity,
    Single,
    Sprint,
    WindowKind,
)
from slo_guard.domain.readings import GaugeFrame, Observation, Reading
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason, SeriesOutlook, Verdict
from tests.support import oracle_ahead as ahead
from tests.support import oracle_groups as groups
from tests.support import oracle_measures as measures
from tests.support.oracle_alerts import AlertBook, ExpectedFinal, ExpectedTransition, name_of
from tests.support.oracle_history import History, Series, grouped, histories, matches
from tests.support.oracle_measures import Measured, Span


@dataclass(frozen=True)
class Row:
    """What one ``by`` value of a KPI should show. ``reasons``: the first is the best one, any of them is right.

    ``stands_in``: it stands for series that are not there, and leaves when they appear; ``broken``: for good.
    """

    labels: LabelSet
    verdict: Verdict
    reasons: tuple[Reason, ...]
    value: float | None = None
    samples: int = 0
    coverage: float | None = None
    total: float | None = None
    since: float = 0.0
    stands_in: bool = False
    broken: bool = False
    outlook: SeriesOutlook | None = None


@dataclass
class Outcome:
    """One evaluation: rows by KPI (``sprint/id``) and labels, and the transitions in no particular order."""

    rows: dict[str, dict[LabelSet, Row]] = field(default_factory=dict)
    transitions: list[ExpectedTransition] = field(default_factory=list)


class Oracle:
    """Judges a plan again and again; what it remembers between evaluations is said in its attributes."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.evaluated_at: float | None = None
        self.last_rows: dict[tuple[str, LabelSet], Row] = {}
        self.overdue: set[tuple[str, LabelSet]] = set()
        self.alerts = AlertBook()
        self.closed: set[str] = set()
        self.final_rows: dict[str, dict[LabelSet, Row]] = {}

    def evaluate(self, plan: Plan, observations: Iterable[Observation], now: float) -> Outcome:
        """Judge what ``plan`` says is due, given the observations that came since the last call."""
        self.observations.extend(observations)
        outcome = Outcome()
        if self.evaluated_at is not None and now <= self.evaluated_at:
            return outcome
        self.evaluated_at = now
        for sprint in sorted(plan.sprints.values(), key=lambda sprint: sprint.end_at):
            if sprint.end_at <= now and sprint.id not in self.closed:
                self._close(sprint, plan, outcome)
        left: set[str] = set()
        for kpi, heirs in _handed_over(plan, now):
            left.add(name_of(kpi))
            outcome.transitions += self.alerts.hand_over(kpi, heirs.get(kpi.id), now)
        seen = histories(self.observations)
        for kpi in plan.judged_now:
            name = name_of(kpi)
            if name in self.final_rows:
                outcome.rows[name] = self.final_rows[name]
            elif name not in left:
                outcome.rows[name] = self._judge(kpi, plan, seen, now)
                outcome.transitions += self.alerts.step(kpi, outcome.rows[name], now)
        return outcome

    def _close(self, sprint: Sprint, plan: Plan, outcome: Outcome) -> None:
        """Judge what ends with the sprint as of its end; whoever did not watch it has nothing to tell."""
        end, kpis = sprint.end_at, [kpi for kpi in plan.kpis if kpi.sprint == sprint.id]
        self.closed.add(sprint.id)
        watched = any(self.alerts.evaluated_at.get(name_of(kpi), -math.inf) >= sprint.start_at for kpi in kpis)
        if watched:
            seen = histories(item for item in self.observations if item.seen_at <= end)
        else:
            seen = histories(item for item in self.observations if not _is_of_later(item, end))
        stands = {kpi.id: self._rows(kpi, plan, seen, end) for kpi in kpis}
        for kpi in kpis:
            if not kpi.closes_with_sprint:
                continue
            name = name_of(kpi)
            rows = outcome.rows[name] = self.final_rows[name] = self._judge(kpi, plan, seen, end)
            if watched:
                outcome.transitions += [*self.alerts.step(kpi, rows, end), *self.alerts.close(kpi, rows, end)]
        if watched:
            finals = tuple(_final(kpi, stands[kpi.id]) for kpi in kpis)
            outcome.transitions.append(_closed(sprint, finals))

    def _judge(self, kpi: KPI, plan: Plan, seen: dict[str, History], at: float) -> dict[LabelSet, Row]:
        """Return the rows of a KPI and remember them."""
        rows, name = self._rows(kpi, plan, seen, at), name_of(kpi)
        for key in [key for key in self.last_rows if key[0] == name]:
            del self.last_rows[key]
        self.last_rows.update({(name, labels): row for labels, row in rows.items()})
        self.overdue |= {(name, labels) for labels, row in rows.items() if row.reasons == (Reason.OVERDUE,)}
        return rows

    def _rows(self, kpi: KPI, plan: Plan, seen: dict[str, History], at: float) -> dict[LabelSet, Row]:
        """Return the rows of a KPI, its condition considered."""
        signed = any(seen[name].sign_offs is not None for name in kpi.indicators if name in seen)
        ruled = self._ruled(kpi, plan, seen, at)
        rows = {}
        for row in _judge(kpi, plan, seen, at):
            if ruled is not None:
                row = Row(row.labels, ruled[0], (ruled[1],), stands_in=row.stands_in)  # noqa: PLW2901
            rows[row.labels] = self._remembered(kpi, row, at, signed)
        return rows

    def _ruled(self, kpi: KPI, plan: Plan, seen: dict[str, History], at: float) -> tuple[Verdict, Reason] | None:
        """Return what all rows are whatever their values: before the sprint, or by the condition."""
        if at < plan.sprints[kpi.sprint].start_at:
            return Verdict.INSUFFICIENT, Reason.BEFORE_SPRINT
        if kpi.when is None:
            return None
        wanted = kpi.when
        (condition,) = (other for other in plan.kpis if (other.sprint, other.id) == (kpi.sprint, wanted.kpi))
        rows = self.final_rows.get(name_of(condition)) or self._rows(condition, plan, seen, at)
        if any(row.reasons == (Reason.CONDITION_NOT_MET,) for row in rows.values()):
            return Verdict.NOT_APPLICABLE, Reason.CONDITION_NOT_MET
        unknown = [row for row in rows.values() if row.verdict in (Verdict.NO_DATA, Verdict.INSUFFICIENT)]
        known = [row for row in rows.values() if row not in unknown]
        if any(row.value != float(wanted.is_true) for row in known):
            return Verdict.NOT_APPLICABLE, Reason.CONDITION_NOT_MET
        return (Verdict.INSUFFICIENT, Reason.CONDITION_UNKNOWN) if unknown else None

    def _remembered(self, kpi: KPI, row: Row, now: float, signed: bool) -> Row:
        """Return the row with what only memory can tell: whether it was met too late, and since when it stands.

        Evidence (``signed``) carries the instant at which it was met itself, so it needs no memory.
        """
        key = (name_of(kpi), row.labels)
        if row.verdict in (Verdict.MET, Verdict.AT_RISK) and key in self.overdue and not signed:
            row = replace(row, verdict=Verdict.MET, reasons=(Reason.MET_LATE,))
        before = self.last_rows.get(key)
        since = before.since if before is not None and before.verdict is row.verdict else now
        return replace(row, since=since)


def _is_of_later(item: Observation, end: float) -> bool:
    return isinstance(item, Reading) and isinstance(item.frame, GaugeFrame) and item.frame.at > end


def _handed_over(plan: Plan, now: float) -> Iterator[tuple[KPI, dict[str, KPI]]]:
    """Yield the KPIs of sprints whose successor has started, with the successor's KPIs by id."""
    for sprint in plan.sprints.values():
        later = [other for other in plan.sprints.values() if other.start_at >= sprint.end_at]
        following = min(later, key=lambda other: other.start_at, default=None)
        if following is not None and following.start_at <= now:
            heirs = {kpi.id: kpi for kpi in plan.kpis if kpi.sprint == following.id}
            for kpi in plan.kpis:
                if kpi.sprint == sprint.id and not kpi.closes_with_sprint:
                    yield kpi, heirs


def _final(kpi: KPI, rows: dict[LabelSet, Row]) -> ExpectedFinal:
    worst = max(row.verdict for row in rows.values())
    values = tuple(row.value for row in rows.values() if row.verdict is worst)
    return ExpectedFinal(kpi.id, worst, values, len(rows))


def _closed(sprint: Sprint, finals: tuple[ExpectedFinal, ...]) -> ExpectedTransition:
    quiet, name = AlertState.INACTIVE, f"{sprint.id}/{SPRINT_CLOSE}"
    worst = max(final.verdict for final in finals)
    return ExpectedTransition(
        name, (), AlertKind.BREACH, quiet, quiet, (Reason.SPRINT_CLOSED,), worst, None, sprint.start_at,
        Severity.TICKET, sprint.end_at, finals,
    )  # fmt: skip


def _judge(kpi: KPI, plan: Plan, known: dict[str, History], now: float) -> list[Row]:
    sprint = plan.sprints[kpi.sprint]
    span = measures.span_of(kpi, now, sprint)
    sides = [_groups(selection, kpi, known, span) for selection in _selections(kpi)]
    rows = []
    for labels, stands_in in _row_labels(kpi, sides, known, span).items():
        parts = [side.get(labels, []) for side in sides]
        measured, met_at = _measured(kpi, labels, parts, known, span)
        outlook = None
        if not measured.missing:
            raw = None
            if kpi.exclude and span.start is not None:
                raw = _measured(kpi, labels, parts, known, span.with_excluded)[0].value
            outlook = ahead.outlook_of(kpi, sprint, measured.value, parts, known, span, raw)
        row = _verdict(kpi, sprint, labels, measured, met_at, outlook, span, now)
        broken = row.verdict is Verdict.MISSED and _broken_for_good(kpi, row.value)
        rows.append(replace(row, stands_in=stands_in, broken=broken, outlook=outlook))
    return rows


def _selections(kpi: KPI) -> list[Selection]:
    match kpi.source:
        case Single(of=selection):
            return [selection]
        case RatioPair(part=one, total=other) | Quotient(of=one, to=other):
            return [one, other]


def _measured(
    kpi: KPI, labels: LabelSet, parts: list[list[Series]], known: dict[str, History], span: Span
) -> tuple[Measured, float | None]:
    """Return a group's value, and of evidence since when it meets the objective."""
    unseen = _unseen_reasons(known, _selections(kpi))
    match kpi.source:
        case RatioPair():
            return groups.measure_ratio(kpi, parts, known, span, unseen), None
        case Quotient():
            return groups.measure_quotient(kpi, parts, known, span, unseen), None
        case Single(of=selection):
            history = known.get(selection.indicator, History())
            if history.sign_offs is not None:
                return groups.measure_evidence(kpi, labels, history, span.now)
            return groups.measure_single(kpi, parts[0], history, span, unseen), None


def _is_sprint(kpi: KPI) -> bool:
    return kpi.measure.window is not None and kpi.measure.window.kind is WindowKind.SPRINT


# ---- which rows there are


def _groups(selection: Selection, kpi: KPI, known: dict[str, History], span: Span) -> dict[LabelSet, list[Series]]:
    """Return the selected series by their ``by`` labels, as known at the sprint's end or before."""
    found: dict[LabelSet, list[Series]] = {}
    for series in known.get(selection.indicator, History()).series_until(span.end):
        if matches(series.labels, selection.where):
            found.setdefault(grouped(series.labels, kpi.by), []).append(series)
    return found


def _row_labels(
    kpi: KPI, sides: list[dict[LabelSet, list[Series]]], known: dict[str, History], span: Span
) -> dict[LabelSet, bool]:
    """Return the labels of the rows, and which only stand for series that are not there.

    There is a row for each group that is not forgotten, for signed evidence, and for what is expected and not
    there; without any of these one without labels.
    """
    found: dict[LabelSet, bool] = {}
    for history in (known.get(name) for name in kpi.indicators):
        for sign_off in (history.sign_offs or ()) if history else ():
            if sign_off.when > span.now:
                continue
            if isinstance(kpi.source, Single) and matches(sign_off.labels, kpi.source.of.where):
                found[grouped(sign_off.labels, kpi.by)] = False
    for labels in {labels: None for side in sides for labels in side}:
        group = [series for side in sides for series in side.get(labels, [])]
        if not all(measures.forgotten(series, kpi, span) for series in group) or _broken(kpi, group, known, span):
            found[labels] = False
    real = [dict(labels) for labels in found]
    for wanted in _expected(kpi, known):
        if not any(wanted.items() <= labels.items() for labels in real):
            found[tuple(sorted(wanted.items()))] = True
    return found or {(): bool(kpi.by)}


def _expected(kpi: KPI, known: dict[str, History]) -> list[dict[str, str]]:
    """Return every combination of the values that ``expect`` gives for its labels."""
    wanted: list[dict[str, str]] = [{}] if kpi.expect else []
    for expected in kpi.expect:
        values = expected.values
        if expected.labels_of is not None:
            listed = known.get(expected.labels_of, History()).listed_now
            values = tuple(dict(labels)[expected.label] for labels in listed if expected.label in dict(labels))
        wanted = [have | {expected.label: value} for have in wanted for value in values]
    return wanted


def _broken(kpi: KPI, group: list[Series], known: dict[str, History], span: Span) -> bool:
    """Whether the group's limit for the sprint is broken for good: such a row never goes away silently."""
    if not isinstance(kpi.source, Single):
        return False
    measured = groups.measure_single(kpi, group, known.get(kpi.source.of.indicator, History()), span, ())
    return _broken_for_good(kpi, measured.value)


def _unseen_reasons(known: dict[str, History], selections: list[Selection]) -> tuple[Reason, ...]:
    """Return why a row without any series has no data."""
    failing = any(known.get(selection.indicator, History()).failing for selection in selections)
    return (Reason.SOURCE_FAILED,) if failing else ()


# ---- judging a value


def _broken_for_good(kpi: KPI, value: float | None) -> bool:
    """Whether a limit for the whole sprint is beyond mending; a quotient may come down again, and so may a sum."""
    grows = isinstance(kpi.source, Single) and kpi.measure.reducer in (Reducer.INCREASE, Reducer.TOTAL, Reducer.COUNT)
    return grows and _is_sprint(kpi) and measures.exceeded(kpi, value)


def _has_upper_limit(kpi: KPI) -> bool:
    limits = (Op.AT_MOST, Op.BELOW, Op.EQUALS, Op.BETWEEN)
    return (
        kpi.objective is not None
        and kpi.objective.op in limits
        and kpi.measure.reducer in (Reducer.INCREASE, Reducer.TOTAL, Reducer.COUNT, Reducer.SUM)
    )


def _verdict(
    kpi: KPI,
    sprint: Sprint,
    labels: LabelSet,
    measured: Measured,
    met_at: float | None,
    outlook: SeriesOutlook | None,
    span: Span,
    now: float,
) -> Row:
    """Judge one group; the order of the questions is the order in which a verdict wins."""
    row = Row(
        labels,
        Verdict.MET,
        (Reason.OBJECTIVE_MET,),
        measured.value,
        measured.samples,
        measured.coverage,
        measured.total,
    )
    value, objective = measured.value, kpi.objective
    if span.is_excluded:
        if measured.missing:
            row = Row(labels, Verdict.NOT_APPLICABLE, ())
        return replace(row, verdict=Verdict.NOT_APPLICABLE, reasons=(Reason.EXCLUDED,))
    if measured.missing:
        if _broken_for_good(kpi, value):
            return replace(row, verdict=Verdict.MISSED, reasons=(Reason.BROKEN_FOR_GOOD,))
        return Row(labels, Verdict.NO_DATA, measured.missing)
    if measured.problem:
        return replace(row, verdict=Verdict.INSUFFICIENT, reasons=measured.problem)
    if kpi.min_samples is not None and measured.samples < kpi.min_samples:
        return replace(row, verdict=Verdict.INSUFFICIENT, reasons=(Reason.BELOW_MIN_SAMPLES,))
    if _has_upper_limit(kpi) and not measures.exceeded(kpi, value):
        coverage = measured.coverage
        if coverage is not None and coverage < kpi.min_coverage:
            return replace(row, verdict=Verdict.INSUFFICIENT, reasons=(Reason.LOW_COVERAGE,))
    assert value is not None
    past_warn = kpi.warn is not None and not measures.meets(kpi.warn, value)
    if objective is None:
        if past_warn:
            return replace(row, verdict=Verdict.AT_RISK, reasons=(Reason.PAST_WARN,))
        return replace(row, verdict=Verdict.TRACKED, reasons=(Reason.NO_OBJECTIVE,))
    if not measures.meets(objective, value):
        return _unmet(kpi, row, ahead.is_behind(kpi, value, outlook), now)
    if met_at is not None and kpi.due_at is not None and now >= kpi.due_at and met_at > kpi.due_at:
        return replace(row, reasons=(Reason.MET_LATE,))
    if past_warn:
        return replace(row, verdict=Verdict.AT_RISK, reasons=(Reason.PAST_WARN,))
    risk = ahead.risk_of(kpi, sprint, value, outlook, span.now)
    return replace(row, verdict=Verdict.AT_RISK, reasons=(risk,)) if risk is not None else row


def _unmet(kpi: KPI, row: Row, behind: bool, now: float) -> Row:
    if kpi.due_at is None:
        return replace(row, verdict=Verdict.MISSED, reasons=(Reason.OBJECTIVE_MISSED,))
    if now >= kpi.due_at:
        return replace(row, verdict=Verdict.MISSED, reasons=(Reason.OVERDUE,))
    if kpi.checkpoint_at is not None and now >= kpi.checkpoint_at:
        return replace(row, verdict=Verdict.AT_RISK, reasons=(Reason.PAST_CHECKPOINT,))
    if behind:
        return replace(row, verdict=Verdict.AT_RISK, reasons=(Reason.BEHIND_PACE,))
    return replace(row, verdict=Verdict.NOT_DUE, reasons=(Reason.NOT_DUE_YET,))
