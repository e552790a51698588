"""Runs rule tests through the evaluator that judges live data, and says where it answers otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from slo_guard.domain.alerts import Alert, AlertKind
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.series import LabelSet, label_set
from slo_guard.domain.verdicts import AlertState, SeriesVerdict, VerdictFrame
from slo_guard.evaluate import Evaluation
from slo_guard.evaluate.worst_first import worst_row
from slo_guard.replay.eval_samples import with_those_before
from slo_guard.replay.rule_test_files import ReadyTest
from slo_guard.replay.rule_test_models import ExpectedAlerts, ExpectedVerdict
from slo_guard.replay.sample_rows import SampleColumns
from slo_guard.replay.samples import assembled
from slo_guard.replay.series_notation import parse_series, parse_values
from slo_guard.replay.steps import Stepper, grid
from slo_guard.units import format_duration, format_value


@dataclass(frozen=True, slots=True)
class TestResult:
    """How a test went: a sentence with its place for each expectation that was not met."""

    __test__ = False  # a name that pytest would collect

    name: str
    place: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class _Seen:
    """What stood at one instant."""

    frames: Mapping[str, VerdictFrame]
    alerts: tuple[Alert, ...]


def run_rule_test(ready: ReadyTest) -> TestResult:
    """Step the evaluator over the test's samples, on its KPIs' grid from the test's start, and compare.

    At each instant that an expectation names all KPIs of the test are judged. An alert is therefore as it would be
    in a daemon that began at the test's start, and to which each sample came at its own time.
    """
    offsets = sorted({each.at for each in ready.test.expected})
    seen = _seen_at(ready, [ready.start_at + offset for offset in offsets])
    return TestResult(ready.test.name, ready.place(), tuple(_failures(ready, seen)))


def _failures(ready: ReadyTest, seen: Mapping[float, _Seen]) -> Iterator[str]:
    for at, verdict in enumerate(ready.test.verdicts):
        for said in _verdict_failures(verdict, seen[ready.start_at + verdict.at]):
            yield f"{ready.place('verdicts', at)}: {said}"
    for at, alerts in enumerate(ready.test.alerts):
        for said in _alert_failures(alerts, seen[ready.start_at + alerts.at]):
            yield f"{ready.place('alerts', at)}: {said}"


def _seen_at(ready: ReadyTest, instants: Sequence[float]) -> dict[float, _Seen]:
    plan = _plan_of(ready)
    columns = SampleColumns(plan.indicators)
    for given in ready.test.input_series:
        series = columns.number(*parse_series(given.series))
        for step, value in enumerate(parse_values(given.values)):
            if value is not None and series is not None:
                columns.add(ready.start_at + step * ready.test.interval, series, value, 0)
    observations = assembled(columns, ready.located.file).observations
    last = instants[-1]
    stepper = Stepper(plan, observations, ready.start_at, last)
    frames: dict[str, VerdictFrame] = {}
    seen: dict[float, _Seen] = {}
    for now in sorted({*grid(plan, ready.start_at, last, origin=ready.start_at), *instants}):
        evaluation: Evaluation = stepper.step(now, origin=ready.start_at, judge_all=now in instants)
        frames |= {frame.kpi.id: frame for frame in evaluation.verdicts if frame.kpi.sprint == ready.sprint.id}
        if now in instants:
            seen[now] = _Seen(dict(frames), _alerts_of(evaluation, ready.sprint.id))
    return seen


def _alerts_of(evaluation: Evaluation, sprint: str) -> tuple[Alert, ...]:
    return tuple(alert for alert in evaluation.state.alerts.values() if alert.key.sprint == sprint)


def _plan_of(ready: ReadyTest) -> Plan:
    """Return the plan with the KPIs that the test speaks of, and those that they depend on."""
    named = {each.kpi for each in ready.test.expected}
    spoken_of = [kpi for kpi in ready.plan.kpis if kpi.sprint == ready.sprint.id and kpi.id in named]
    return replace(ready.plan, kpis=with_those_before(spoken_of, ready.plan))


def _verdict_failures(expected: ExpectedVerdict, seen: _Seen) -> Iterator[str]:
    frame = seen.frames.get(expected.kpi)
    if frame is None:
        yield f"{expected.kpi} is not judged at {format_duration(expected.at)}"
        return
    row = _row(frame, None if expected.labels is None else label_set(expected.labels))
    if row is None:
        there = "; ".join(_words(labels) for labels in frame.index.label_sets[:5])
        yield f"{expected.kpi} has no series {_words(label_set(expected.labels or {}))}; it has {there}"
        return
    subject = f"{expected.kpi} {_words(row.labels)} at {format_duration(expected.at)}".replace("  ", " ")
    got = f"{row.verdict.label} ({format_value(row.value, frame.kpi.unit)}, {row.reason.value})"
    if row.verdict.label != expected.verdict:
        yield f"{subject}: expected {expected.verdict}, got {got}"
    elif expected.reason is not None and row.reason.value != expected.reason:
        yield f"{subject}: expected the reason {expected.reason}, got {got}"
    if expected.value is not None and not _is_shown_as(row.value, expected.value.quantity.value, frame.kpi):
        yield f"{subject}: expected the value {expected.value.text}, got {got}"


def _row(frame: VerdictFrame, labels: LabelSet | None) -> SeriesVerdict | None:
    if labels is None:
        return frame.row(worst_row(frame))
    if labels not in frame.index.label_sets:
        return None
    return frame.row(frame.index.label_sets.index(labels))


def _is_shown_as(value: float | None, expected: float, kpi: KPI) -> bool:
    if value is None:
        return False
    return math.isclose(value, expected, rel_tol=1e-9) or format_value(value, kpi.unit) == format_value(
        expected, kpi.unit
    )


def _alert_failures(expected: ExpectedAlerts, seen: _Seen) -> Iterator[str]:
    for state, wanted in ((AlertState.FIRING, expected.firing), (AlertState.PENDING, expected.pending)):
        if wanted is None:
            continue
        should = {label_set(labels) for labels in wanted}
        does = {
            alert.key.labels
            for alert in seen.alerts
            if alert.key.kpi == expected.kpi
            and alert.key.kind is AlertKind(expected.kind)
            and alert.key.tier == expected.tier
            and alert.state is state
        }
        what = f"the {expected.tier} burn" if expected.kind == "burn" else f"the {expected.kind}"
        subject = f"{what} alert of {expected.kpi} at {format_duration(expected.at)}"
        for labels in sorted(should - does):
            yield f"{subject}: expected to be {state.label} for {_words(labels) or 'the KPI'}, and is not"
        for labels in sorted(does - should):
            yield f"{subject}: is {state.label} for {_words(labels) or 'the KPI'}, which was not expected"


def _words(labels: LabelSet) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels)
